"""Microsoft Agent Framework: MCPStreamableHTTPTool."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import harness
from agent_framework import MCPStreamableHTTPTool


class AgentFramework(harness.Adapter):
    @asynccontextmanager
    async def connected(self, url: str) -> AsyncIterator[list[Any]]:
        async with MCPStreamableHTTPTool(name="server", url=url) as server:
            yield list(server.functions)

    def declared(self, tool: Any) -> harness.Json:
        return tool.to_json_schema_spec()["function"]

    async def called(self, tool: Any, arguments: harness.Json) -> str:
        return "\n".join(str(getattr(each, "text", each)) for each in await tool.invoke(arguments=arguments))


harness.main(AgentFramework())
