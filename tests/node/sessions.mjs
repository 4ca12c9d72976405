// So many sessions of an official TypeScript client at once, each with so many calls; prints how many answers were right:
//   node sessions.mjs sdk|client URL TOOL ARGUMENTS RIGHT_TEXT SESSIONS CALLS
import { connected } from "./connect.mjs";

const [which, url, tool, given, right, sessions, calls] = process.argv.slice(2);

async function session() {
  const client = await connected(which, "legacy", "sse", url);
  let count = 0;
  for (let call = 0; call < Number(calls); call++) {
    const answer = await client.callTool({ name: tool, arguments: JSON.parse(given) });
    count += answer.content[0].text.includes(right);
  }
  await client.close();
  return count;
}

const counts = await Promise.all(Array.from({ length: Number(sessions) }, session));
console.log(counts.reduce((sum, count) => sum + count, 0));
