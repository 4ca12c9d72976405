// One conversation of an official TypeScript client with the endpoint, and what it saw as one JSON object:
//   node converse.mjs sdk|client legacy|auto URL TOOL ARGUMENTS WRONG_ARGUMENTS
const [which, era, url, tool, right, wrong] = process.argv.slice(2);
const identity = { name: "typescript-tests", version: "1" };

async function connected() {
  if (which === "sdk") {
    const { Client } = await import("@modelcontextprotocol/sdk/client/index.js");
    const { StreamableHTTPClientTransport } = await import("@modelcontextprotocol/sdk/client/streamableHttp.js");
    const client = new Client(identity);
    await client.connect(new StreamableHTTPClientTransport(new URL(url)));
    return client;
  }
  const { Client, StreamableHTTPClientTransport } = await import("@modelcontextprotocol/client");
  const client = new Client(identity, { versionNegotiation: { mode: era } });
  await client.connect(new StreamableHTTPClientTransport(new URL(url)));
  return client;
}

const client = await connected();
const server = client.getServerVersion().name;
const discovered = client.getDiscoverResult?.() !== undefined;
const { tools } = await client.listTools();
const answer = await client.callTool({ name: tool, arguments: JSON.parse(right) });
const refused = await client.callTool({ name: tool, arguments: JSON.parse(wrong) });
const unknown = await client.callTool({ name: "no_such_tool", arguments: {} }).catch((error) => ({ code: error.code }));
await client.close();
console.log(
  JSON.stringify({
    server,
    discovered,
    tools: tools.map((tool) => tool.name),
    text: answer.content[0].text,
    refused: refused.isError,
    unknown: unknown.code,
  }),
);
