"""Google GenAI: an MCP session as a tool, translated for Gemini."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import harness
from google.genai._adapters import McpToGenAiToolAdapter
from google.genai._mcp_utils import mcp_to_gemini_tool
from google.genai.types import FunctionCall
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.types import Tool


class GoogleGenAI(harness.Adapter):
    @asynccontextmanager
    async def connected(self, url: str) -> AsyncIterator[list[Any]]:
        async with streamable_http_client(url) as (read, write, *_), ClientSession(read, write) as session:
            await session.initialize()
            self.adapter = McpToGenAiToolAdapter(session, await session.list_tools())
            yield [each for tool in self.adapter.tools for each in tool.function_declarations]

    def declared(self, tool: Any) -> harness.Json:
        return tool.model_dump(exclude_none=True, mode="json")

    async def called(self, tool: Any, arguments: harness.Json) -> str:
        result = await self.adapter.call_tool(FunctionCall(name=tool.name, args=arguments))
        if result.is_error:
            raise RuntimeError(harness.blocks(result.content))
        return harness.blocks(result.content)

    def alone(self, served: harness.Json) -> object:
        return mcp_to_gemini_tool(Tool.model_validate(served))


harness.main(GoogleGenAI())
