// Strands for TypeScript: McpClient.

import { McpClient } from "@strands-agents/sdk";
import { blocks, main } from "./harness.mjs";

await main({
  async connected(url) {
    const client = new McpClient({ url });
    const tools = await client.listTools();
    return { tools: tools.map((tool) => ({ name: tool.name, tool, client })), close: () => client.disconnect() };
  },
  declared: ({ tool }) => ({ name: tool.toolSpec.name, parameters: tool.toolSpec.inputSchema }),
  async called({ tool, client }, given) {
    const result = await client.callTool(tool, given);
    if (result.isError) throw new Error(blocks(result.content));
    return blocks(result.content);
  },
});
