// VoltAgent: MCPConfiguration, whose tools carry the server's name.

import { MCPConfiguration } from "@voltagent/core";
import { asSchema } from "ai";
import { main } from "./harness.mjs";

const SERVER = "server";

await main({
  async connected(url) {
    const servers = new MCPConfiguration({ servers: { [SERVER]: { type: "streamable-http", url } } });
    return { tools: await servers.getTools(), close: () => servers.disconnect() };
  },
  name: (served) => `${SERVER}_${served}`,
  declared: (tool) => ({ name: tool.name, parameters: asSchema(tool.parameters).jsonSchema }),
  async called(tool, given) {
    const result = await tool.execute(tool.parameters.parse(given));
    const text = typeof result === "string" ? result : JSON.stringify(result);
    if (result?.isError) throw new Error(text);
    return text;
  },
});
