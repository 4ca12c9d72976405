"""FastMCP: the client that others build on; it hands schemas on as they are."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import harness
from fastmcp import Client


class FastMCP(harness.Adapter):
    @asynccontextmanager
    async def connected(self, url: str) -> AsyncIterator[list[Any]]:
        async with Client(url) as self.client:
            yield await self.client.list_tools()

    def declared(self, tool: Any) -> harness.Json:
        plain = tool.model_dump(by_alias=True)
        return {"name": plain["name"], "parameters": plain["inputSchema"]}

    async def called(self, tool: Any, arguments: harness.Json) -> str:
        return harness.blocks((await self.client.call_tool(tool.name, arguments)).content)


harness.main(FastMCP())
