"""AutoGen: mcp_server_tools of autogen-ext, called as its agents call a tool."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import harness
from autogen_core import CancellationToken
from autogen_ext.tools.mcp import StreamableHttpMcpToolAdapter, StreamableHttpServerParams, mcp_server_tools
from mcp.types import Tool


class AutoGen(harness.Adapter):
    @asynccontextmanager
    async def connected(self, url: str) -> AsyncIterator[list[Any]]:
        yield await mcp_server_tools(StreamableHttpServerParams(url=url))

    def declared(self, tool: Any) -> harness.Json:
        return tool.schema

    async def called(self, tool: Any, arguments: harness.Json) -> str:
        return harness.blocks(await tool.run_json(arguments, CancellationToken()))

    def alone(self, served: harness.Json) -> object:
        return StreamableHttpMcpToolAdapter(
            StreamableHttpServerParams(url="http://127.0.0.1"), Tool.model_validate(served)
        )


harness.main(AutoGen())
