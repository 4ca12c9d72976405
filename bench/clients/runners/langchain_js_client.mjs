// LangChain.js: MultiServerMCPClient.

import { convertToOpenAITool } from "@langchain/core/utils/function_calling";
import { MultiServerMCPClient } from "@langchain/mcp-adapters";
import { main } from "./harness.mjs";

await main({
  async connected(url) {
    const client = new MultiServerMCPClient({ mcpServers: { server: { url, transport: "http" } } });
    return { tools: await client.getTools(), close: () => client.close() };
  },
  declared: (tool) => convertToOpenAITool(tool).function,
  async called(tool, given) {
    const message = await tool.invoke({ type: "tool_call", id: "1", name: tool.name, args: given });
    if (message.status === "error") throw new Error(JSON.stringify(message.content));
    return typeof message.content === "string" ? message.content : JSON.stringify(message.content);
  },
});
