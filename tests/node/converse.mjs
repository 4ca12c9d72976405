// One conversation of an official TypeScript client with the endpoint, and what it saw as one JSON object:
//   node converse.mjs sdk|client legacy|auto http|sse URL TOOL ARGUMENTS WRONG_ARGUMENTS [FILTERABLE_TOOL]
import { connected } from "./connect.mjs";

const [which, era, transport, url, tool, right, wrong, filterable] = process.argv.slice(2);
const client = await connected(which, era, transport, url);
const server = client.getServerVersion().name;
const discovered = client.getDiscoverResult?.() !== undefined;
const { tools } = await client.listTools();
const answer = await client.callTool({ name: tool, arguments: JSON.parse(right) });
const refused = await client.callTool({ name: tool, arguments: JSON.parse(wrong) });
const filtered = filterable && (await client.callTool({ name: filterable, arguments: { response_filter: "id" } }));
const unknown = await client.callTool({ name: "no_such_tool", arguments: {} }).catch((error) => ({ code: error.code }));
await client.close();
console.log(
  JSON.stringify({
    server,
    discovered,
    tools: tools.map((tool) => tool.name),
    text: answer.content[0].text,
    filtered: filtered?.structuredContent,
    refused: refused.isError,
    unknown: unknown.code,
  }),
);
