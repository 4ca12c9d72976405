// Google ADK for TypeScript: MCPToolset, with the declarations that it gives to Gemini.

import { MCPToolset } from "@google/adk";
import { blocks, main } from "./harness.mjs";

await main({
  async connected(url) {
    const toolset = new MCPToolset({ type: "StreamableHTTPConnectionParams", url });
    return { tools: await toolset.getTools(), close: () => toolset.close() };
  },
  declared(tool) {
    const shown = tool._getDeclaration();
    return { name: shown.name, parameters: shown.parametersJsonSchema ?? shown.parameters };
  },
  async called(tool, given) {
    const result = await tool.runAsync({ args: given, toolContext: {} });
    if (result.isError) throw new Error(blocks(result.content));
    return blocks(result.content);
  },
});
