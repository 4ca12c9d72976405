// An official TypeScript client that is connected: connected("sdk" (1.x) | "client" (2.x), "legacy" | "auto", "http" | "sse", URL)
const identity = { name: "typescript-tests", version: "1" };

async function library(which) {
  if (which === "client") return import("@modelcontextprotocol/client");
  return {
    ...(await import("@modelcontextprotocol/sdk/client/index.js")),
    ...(await import("@modelcontextprotocol/sdk/client/streamableHttp.js")),
    ...(await import("@modelcontextprotocol/sdk/client/sse.js")),
  };
}

export async function connected(which, era, transport, url) {
  const { Client, SSEClientTransport, StreamableHTTPClientTransport } = await library(which);
  const Transport = transport === "sse" ? SSEClientTransport : StreamableHTTPClientTransport;
  const client = new Client(identity, which === "client" ? { versionNegotiation: { mode: era } } : {});
  await client.connect(new Transport(new URL(url)));
  return client;
}
