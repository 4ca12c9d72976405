"""smolagents: MCPClient (mcpadapt), called as by its code agent or, with `tool-calling`, checked as by that agent."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import harness
from mcp.types import Tool
from mcpadapt.smolagents_adapter import SmolAgentsAdapter, _sanitize_function_name
from smolagents import MCPClient
from smolagents.models import get_tool_json_schema
from smolagents.tools import validate_tool_arguments


class SmolAgents(harness.Adapter):
    def __init__(self, *, is_checked: bool) -> None:
        self.is_checked = is_checked

    @asynccontextmanager
    async def connected(self, url: str) -> AsyncIterator[list[Any]]:
        with MCPClient({"url": url, "transport": "streamable-http"}, structured_output=False) as tools:
            yield list(tools)

    def name(self, served: str) -> str:
        return _sanitize_function_name(served)

    def declared(self, tool: Any) -> harness.Json:
        return get_tool_json_schema(tool)["function"]

    async def called(self, tool: Any, arguments: harness.Json) -> str:
        if self.is_checked:
            validate_tool_arguments(tool, arguments)
        return str(tool(**arguments, sanitize_inputs_outputs=True))

    def alone(self, served: harness.Json) -> object:
        return SmolAgentsAdapter().adapt(lambda _: None, Tool.model_validate(served))


harness.main(SmolAgents(is_checked="tool-calling" in sys.argv))
