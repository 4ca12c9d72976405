// Mastra: MCPClient, whose tools carry the server's name.

import { toStandardSchema, standardSchemaToJSONSchema } from "@mastra/schema-compat/schema";
import { MCPClient } from "@mastra/mcp";
import { blocks, main } from "./harness.mjs";

const SERVER = "server";

await main({
  async connected(url) {
    const client = new MCPClient({ servers: { [SERVER]: { url: new URL(url) } } });
    const { tools, errors } = await client.listToolsWithErrors();
    if (errors[SERVER]) throw new Error(errors[SERVER]);
    return {
      tools: Object.entries(tools).map(([name, tool]) => ({ name, tool })),
      close: () => client.disconnect(),
    };
  },
  name: (served) => `${SERVER}_${served}`,
  declared: ({ name, tool }) => ({ name, parameters: standardSchemaToJSONSchema(toStandardSchema(tool.inputSchema)) }),
  async called({ tool }, given) {
    const result = await tool.execute(given, {});
    if (result?.error) throw new Error(result.message ?? JSON.stringify(result));
    if (result?.isError) throw new Error(blocks(result.content));
    return result?.content ? blocks(result.content) : JSON.stringify(result);
  },
});
