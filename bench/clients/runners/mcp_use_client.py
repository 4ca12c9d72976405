"""mcp-use: its LangChain adapter, which gives an agent tools, resources and prompts as tools."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import harness
from langchain_core.utils.function_calling import convert_to_openai_tool
from mcp.types import Tool
from mcp_use import MCPClient
from mcp_use.agents.adapters.langchain_adapter import LangChainAdapter


class McpUse(harness.Adapter):
    @asynccontextmanager
    async def connected(self, url: str) -> AsyncIterator[list[Any]]:
        client = MCPClient.from_dict({"mcpServers": {"server": {"url": url}}})
        try:
            adapter = LangChainAdapter()
            await adapter.create_all(client)
            yield adapter.tools + adapter.resources + adapter.prompts
        finally:
            await client.close_all_sessions()

    def declared(self, tool: Any) -> harness.Json:
        return convert_to_openai_tool(tool)["function"]

    async def called(self, tool: Any, arguments: harness.Json) -> str:
        return await tool.ainvoke(arguments)

    def alone(self, served: harness.Json) -> object:
        return LangChainAdapter()._convert_tool(Tool.model_validate(served), None)


harness.main(McpUse())
