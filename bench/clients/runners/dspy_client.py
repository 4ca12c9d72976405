"""DSPy: tools made of an MCP session of the official client."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import harness
from dspy import Tool
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.types import Tool as Served


class DSPy(harness.Adapter):
    @asynccontextmanager
    async def connected(self, url: str) -> AsyncIterator[list[Any]]:
        async with streamable_http_client(url) as (read, write, *_), ClientSession(read, write) as session:
            await session.initialize()
            yield [Tool.from_mcp_tool(session, each) for each in (await session.list_tools()).tools]

    def declared(self, tool: Any) -> harness.Json:
        return tool.format_as_litellm_function_call()["function"]

    async def called(self, tool: Any, arguments: harness.Json) -> str:
        return str(await tool.acall(**arguments))

    def alone(self, served: harness.Json) -> object:
        return Tool.from_mcp_tool(None, Served.model_validate(served))


harness.main(DSPy())
