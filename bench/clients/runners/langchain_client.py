"""LangChain: langchain-mcp-adapters, called as LangGraph's tool node does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import harness
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_mcp_adapters.client import MultiServerMCPClient


class LangChain(harness.Adapter):
    @asynccontextmanager
    async def connected(self, url: str) -> AsyncIterator[list[Any]]:
        yield await MultiServerMCPClient({"server": {"url": url, "transport": "streamable_http"}}).get_tools()

    def declared(self, tool: Any) -> harness.Json:
        return convert_to_openai_tool(tool)["function"]

    async def called(self, tool: Any, arguments: harness.Json) -> str:
        message = await tool.ainvoke({"type": "tool_call", "id": "1", "name": tool.name, "args": arguments})
        if message.status == "error":
            raise RuntimeError(message.content)
        return str(message.content)


harness.main(LangChain())
