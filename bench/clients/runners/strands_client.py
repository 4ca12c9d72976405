"""Strands: MCPClient, with the specifications that its registry gives to Bedrock."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import harness
from strands.tools.mcp import MCPClient
from strands.tools.registry import ToolRegistry

try:
    from mcp.client.streamable_http import streamable_http_client as http_client
except ImportError:
    from mcp.client.streamable_http import streamablehttp_client as http_client


class Strands(harness.Adapter):
    @asynccontextmanager
    async def connected(self, url: str) -> AsyncIterator[list[Any]]:
        with MCPClient(lambda: http_client(url)) as self.client:
            tools: list[Any] = []
            token = None
            while not tools or token:
                page = self.client.list_tools_sync(token)
                tools += page
                token = page.pagination_token
            yield tools

    def declared(self, tool: Any) -> harness.Json:
        registry = ToolRegistry()
        registry.register_tool(tool)
        shown = registry.get_all_tools_config()[tool.tool_name]
        return {"name": shown["name"], "parameters": shown["inputSchema"]["json"]}

    async def called(self, tool: Any, arguments: harness.Json) -> str:
        result = self.client.call_tool_sync("1", tool.tool_name, arguments)
        text = "\n".join(block.get("text", str(block)) for block in result["content"])
        if result["status"] == "error":
            raise RuntimeError(text)
        return text


harness.main(Strands())
