"""Haystack: the toolset of mcp-haystack."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import harness
from haystack.tools import Tool
from haystack_integrations.tools.mcp import MCPToolset, StreamableHttpServerInfo


class Haystack(harness.Adapter):
    @asynccontextmanager
    async def connected(self, url: str) -> AsyncIterator[list[Any]]:
        toolset = MCPToolset(StreamableHttpServerInfo(url=url), connection_timeout=60, eager_connect=True)
        try:
            yield list(toolset)
        finally:
            toolset.close()

    def declared(self, tool: Any) -> harness.Json:
        return tool.tool_spec

    async def called(self, tool: Any, arguments: harness.Json) -> str:
        return str(tool.invoke(**arguments))

    def alone(self, served: harness.Json) -> object:
        return Tool(
            name=served["name"],
            description=served.get("description", ""),
            parameters=served["inputSchema"],
            function=harness.blocks,
        )


harness.main(Haystack())
