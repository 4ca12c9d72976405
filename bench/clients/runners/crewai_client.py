"""CrewAI: MCPServerAdapter of crewai-tools, and the conversion and the call of its agents."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import harness
from crewai.utilities.agent_utils import convert_tools_to_openai_schema
from crewai.utilities.string_utils import sanitize_tool_name
from crewai_tools import MCPServerAdapter
from crewai_tools.adapters.mcp_adapter import CrewAIToolAdapter
from mcp.types import Tool


class CrewAI(harness.Adapter):
    @asynccontextmanager
    async def connected(self, url: str) -> AsyncIterator[list[Any]]:
        with MCPServerAdapter({"url": url, "transport": "streamable-http"}) as tools:
            yield list(tools)

    def name(self, served: str) -> str:
        return sanitize_tool_name(served)

    def declared(self, tool: Any) -> harness.Json:
        return convert_tools_to_openai_schema([tool])[0][0]["function"]

    async def called(self, tool: Any, arguments: harness.Json) -> str:
        return tool.run(**arguments)

    def alone(self, served: harness.Json) -> object:
        return CrewAIToolAdapter().adapt(lambda _: None, Tool.model_validate(served))


harness.main(CrewAI())
