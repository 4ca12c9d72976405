"""CrewAI: the MCP servers of an agent (`mcps=`), without crewai-tools."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import harness
from crewai.mcp.config import MCPServerHTTP
from crewai.mcp.tool_resolver import MCPToolResolver
from crewai.tools.tool_failure import ToolFailure
from crewai.utilities.agent_utils import convert_tools_to_openai_schema
from crewai.utilities.logger import Logger


class CrewAINative(harness.Adapter):
    @asynccontextmanager
    async def connected(self, url: str) -> AsyncIterator[list[Any]]:
        resolver = MCPToolResolver(agent=None, logger=Logger())
        tools = await asyncio.to_thread(resolver.resolve, [MCPServerHTTP(url=url)])
        yield list(tools)

    def declared(self, tool: Any) -> harness.Json:
        shown = convert_tools_to_openai_schema([tool])[0][0]["function"]
        return {**shown, "name": tool.original_tool_name}  # the name given is the server's and this

    async def called(self, tool: Any, arguments: harness.Json) -> str:
        result = tool.run(**arguments)
        if isinstance(result, ToolFailure):
            raise RuntimeError(result.message)  # noqa: TRY004 - not a wrong type: the tool failed
        return str(result)


harness.main(CrewAINative())
