// Genkit: the tools of @genkit-ai/mcp, whose names carry the server's.

import { createMcpClient } from "@genkit-ai/mcp";
import { genkit } from "genkit";
import { blocks, main } from "./harness.mjs";

await main({
  async connected(url) {
    const client = createMcpClient({ name: "server", mcpServer: { url } });
    await client.ready();
    return { tools: await client.getActiveTools(genkit({})), close: () => client.disable() };
  },
  declared: (tool) => ({ name: tool.__action.name.split("/").at(-1), parameters: tool.__action.inputJsonSchema }),
  async called(tool, given) {
    const result = await tool(given);
    if (result?.isError) throw new Error(blocks(result.content));
    return typeof result === "string" ? result : JSON.stringify(result);
  },
});
