// How each client is told of this server.
import { mcpUrl } from "./server.js";
import { Code } from "./ui.jsx";

const json = (value) => JSON.stringify(value, null, 2);

/** [client, where it goes, text] */
function snippets(name, url, secured) {
  const open = /^http:\/\/(?!localhost[:/]|127\.|\[::1\])/.test(url) ? ["--allow-http"] : []; // else mcp-remote refuses it
  const headers = secured ? { headers: { Authorization: "Bearer YOUR_TOKEN" } } : {};
  const options = secured ? ', {\n  requestInit: { headers: { Authorization: "Bearer YOUR_TOKEN" } },\n}' : "";
  return [
    ["Claude Code", "in a terminal", `claude mcp add --transport http ${name} ${url}${secured ? ' --header "Authorization: Bearer YOUR_TOKEN"' : ""}`],
    ["Claude Desktop", "claude_desktop_config.json; it starts programs, and this one passes on to an address",
      json({ mcpServers: { [name]: { command: "npx", args: ["-y", "mcp-remote", url, ...open, ...(secured ? ["--header", "Authorization: Bearer YOUR_TOKEN"] : [])] } } })],
    ["VS Code", ".vscode/mcp.json", json({ servers: { [name]: { type: "http", url, ...headers } } })],
    ["Cursor", ".cursor/mcp.json", json({ mcpServers: { [name]: { url, ...headers } } })],
    ["Python", "pip install mcp", secured ? `import anyio, httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

async def main():
    headers = {"Authorization": "Bearer YOUR_TOKEN"}
    async with httpx2.AsyncClient(headers=headers) as http:
        async with Client(streamable_http_client("${url}", http_client=http)) as client:
            for tool in (await client.list_tools()).tools:
                print(tool.name)

anyio.run(main)` : `import anyio
from mcp import Client

async def main():
    async with Client("${url}") as client:
        for tool in (await client.list_tools()).tools:
            print(tool.name)

anyio.run(main)`],
    ["TypeScript", "npm install @modelcontextprotocol/client", `import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

const client = new Client({ name: "example", version: "1.0.0" });
await client.connect(new StreamableHTTPClientTransport(new URL("${url}")${options}));
for (const tool of (await client.listTools()).tools) console.log(tool.name);`],
  ];
}

export function Connect({ catalog, secured }) {
  const plain = String(catalog.apis.length === 1 ? catalog.apis[0].name : catalog.name).toLowerCase().replace(/[^a-z0-9_-]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 40);
  const url = mcpUrl();
  return (
    <article class="wide">
      <h2>Connect a client</h2>
      <p class="lead">This server speaks MCP over Streamable HTTP at one address.</p>
      <Code text={url} label="Address" />
      <div class="snippets">{snippets(plain || "api", url, secured).map(([client, where, text]) => (
        <section class="panel"><h3>{client}</h3><p class="quiet">{where}</p><Code text={text} label={`For ${client}`} /></section>
      ))}</div>
    </article>
  );
}
