// What an official TypeScript client sees of the server's streams, as one JSON object. The API behind the server does
// what the client tells it (tests/proxy/test_streams.py has the same conversation in Python):
//   node streams.mjs sdk|client legacy|auto http|sse URL API_URL NAME CALLS
import { connected } from "./connect.mjs";

const [which, era, transport, url, api, name, calls] = process.argv.slice(2);
const connect = () => connected(which, era, transport, url);
const call = (client, tool, id, options) => {
  const asked = { name: tool, arguments: { client: name, id } };
  return which === "client" ? client.callTool(asked, options) : client.callTool(asked, undefined, options);
};
const read = (answer) => JSON.parse(answer.content[0].text);
const gap = (answer) => Date.now() / 1000 - read(answer).sent;
const tell = (what, id) => fetch(`${api}/${what}/${name}/${id}`).then((answer) => answer.json());

let client = await connect();
const { tools } = await client.listTools();

const gaps = [];
await tell("turn", 0);
for (let id = 0; id < 20; id++) gaps.push(gap(await call(client, "echo", id)));
await tell("done", 0);

const progress = [];
const onprogress = async (heard) => {
  progress.push(heard.progress);
  if (progress.length === 2) await tell("release", 1); // only now does the API answer
};
await call(client, "held", 1, { onprogress });

let listens = null; // the earlier era has no subscriptions
if (era === "auto") {
  const subscription = await client.listen({ toolsListChanged: true, resourcesListChanged: true });
  listens = subscription.honoredFilter;
  await subscription.close();
}

const ids = Array.from({ length: Number(calls) }, (_, id) => id);
const answers = await Promise.all(ids.map((id) => call(client, "gather", id)));
const right = answers.filter((answer, id) => read(answer).id === String(id)).length;
await client.close();

client = await connect();
const again = read(await call(client, "echo", 99)).id;

const leaving = new AbortController();
const abandoned = call(client, "held", 2, { signal: leaving.signal }).catch(() => {});
await tell("seen", 2);
// Up to 2025-11-25 a cancel is a message of its own, and statelessly nothing says which client's call it means.
if (era === "legacy" && transport === "http") await client.close();
else leaving.abort();
await abandoned;
const cancelled = (await tell("left", 2)).what;
await client.close();
console.log(JSON.stringify({ tools: tools.map((tool) => tool.name), gaps, progress, cancelled, listens, right, again }));
