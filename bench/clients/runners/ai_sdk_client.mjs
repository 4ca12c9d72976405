// AI SDK: the tools of @ai-sdk/mcp, with the schema that goes to a model's provider.

import { createMCPClient } from "@ai-sdk/mcp";
import { asSchema } from "ai";
import { blocks, main } from "./harness.mjs";

await main({
  async connected(url) {
    const client = await createMCPClient({ transport: { type: "http", url } });
    const tools = Object.entries(await client.tools()).map(([name, tool]) => ({ name, tool }));
    return { tools, close: () => client.close() };
  },
  declared: ({ name, tool }) => ({ name, parameters: asSchema(tool.inputSchema).jsonSchema }),
  async called({ tool }, given) {
    const schema = asSchema(tool.inputSchema);
    const checked = schema.validate ? await schema.validate(given) : { success: true, value: given };
    if (!checked.success) throw checked.error;
    const result = await tool.execute(checked.value, { toolCallId: "1", messages: [] });
    if (result.isError) throw new Error(blocks(result.content));
    return blocks(result.content);
  },
});
