// The whole OAuth flow of an official TypeScript client: refused, metadata, registration, PKCE, token, tools:
//   node authorize.mjs sdk|client http|sse URL
const [which, transport, url] = process.argv.slice(2);
const load = async () => {
  if (which === "client") return import("@modelcontextprotocol/client");
  return {
    ...(await import("@modelcontextprotocol/sdk/client/index.js")),
    ...(await import("@modelcontextprotocol/sdk/client/streamableHttp.js")),
    ...(await import("@modelcontextprotocol/sdk/client/sse.js")),
    ...(await import("@modelcontextprotocol/sdk/client/auth.js")),
  };
};
const { Client, SSEClientTransport, StreamableHTTPClientTransport, UnauthorizedError } = await load();
const Transport = transport === "sse" ? SSEClientTransport : StreamableHTTPClientTransport;
const redirect = "http://127.0.0.1:1/callback";
let code, information, tokens, verifier;
const provider = {
  redirectUrl: redirect,
  clientMetadata: { client_name: "tests", redirect_uris: [redirect], token_endpoint_auth_method: "none" },
  clientInformation: () => information,
  saveClientInformation: (given) => (information = given),
  tokens: () => tokens,
  saveTokens: (given) => (tokens = given),
  codeVerifier: () => verifier,
  saveCodeVerifier: (given) => (verifier = given),
  redirectToAuthorization: async (address) => {
    const answer = await fetch(address, { redirect: "manual" }); // the person says yes
    code = new URL(answer.headers.get("location")).searchParams;
  },
};
const make = () => new Transport(new URL(url), { authProvider: provider });
let client = new Client({ name: "tests", version: "1" });
const first = make();
let refused = false;
try {
  await client.connect(first);
} catch (error) {
  refused = error instanceof UnauthorizedError || error.name === "UnauthorizedError" || String(error.message);
}
await first.finishAuth(which === "client" ? code : code.get("code"));
client = new Client({ name: "tests", version: "1" });
await client.connect(make());
const { tools } = await client.listTools();
await client.close();
console.log(JSON.stringify({ refused, registered: Boolean(information?.client_id), tools: tools.map((tool) => tool.name) }));
