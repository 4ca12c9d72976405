// OpenAI Agents for JavaScript: function tools of an MCP server, plain or (with the argument `strict`) with strict schemas.

import { Agent, MCPServerStreamableHttp, RunContext, getAllMcpTools } from "@openai/agents";
import { main } from "./harness.mjs";

const strict = process.argv.includes("strict");

await main({
  async connected(url) {
    const server = new MCPServerStreamableHttp({ url, name: "server" });
    await server.connect();
    const tools = await getAllMcpTools({
      mcpServers: [server],
      runContext: new RunContext(),
      agent: new Agent({ name: "tried" }),
      convertSchemasToStrict: strict,
    });
    return { tools, close: () => server.close() };
  },
  name: (served) => served.replace(/[^a-zA-Z0-9]/g, "_"),
  declared(tool) {
    if (strict && !tool.strict) throw new Error("no strict schema can be made of it");
    return { name: tool.name, parameters: tool.parameters };
  },
  async called(tool, given) {
    const result = await tool.invoke(new RunContext(), JSON.stringify(given));
    const text = typeof result === "string" ? result : JSON.stringify(result);
    if (text.startsWith("An error occurred")) throw new Error(text);
    return text;
  },
});
