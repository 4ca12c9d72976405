// LlamaIndex.TS: the MCP client of @llamaindex/tools.

import { mcp } from "@llamaindex/tools";
import { main } from "./harness.mjs";

await main({
  async connected(url) {
    const server = mcp({ url, verbose: false });
    return { tools: await server.tools(), close: () => server.cleanup() };
  },
  declared: (tool) => ({ name: tool.metadata.name, parameters: tool.metadata.parameters }),
  async called(tool, given) {
    const result = await tool.call(given);
    const text = typeof result === "string" ? result : JSON.stringify(result);
    if (result?.isError) throw new Error(text);
    return text;
  },
});
