"""OpenAI Agents: function tools of an MCP server, plain or (with the argument `strict`) with strict schemas."""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import deepcopy
from typing import Any

import harness
from agents import Agent, RunContextWrapper
from agents.mcp import MCPServerStreamableHttp, MCPUtil
from agents.strict_schema import ensure_strict_json_schema
from agents.tool_context import ToolContext


class OpenAIAgents(harness.Adapter):
    def __init__(self, *, strict: bool) -> None:
        self.strict = strict

    @asynccontextmanager
    async def connected(self, url: str) -> AsyncIterator[list[Any]]:
        async with MCPServerStreamableHttp(params={"url": url}, client_session_timeout_seconds=60) as server:
            yield await MCPUtil.get_function_tools(
                server, self.strict, RunContextWrapper(None), Agent("tried"), failure_error_function=None
            )

    def declared(self, tool: Any) -> harness.Json:
        if self.strict and not tool.strict_json_schema:  # it falls back to the plain one; this says why
            ensure_strict_json_schema(deepcopy(tool.params_json_schema), _reject_open_objects=True)
        return {"name": tool.name, "parameters": tool.params_json_schema}

    async def called(self, tool: Any, arguments: harness.Json) -> str:
        text = json.dumps(arguments)
        context = ToolContext(None, tool_name=tool.name, tool_call_id="1", tool_arguments=text)
        return str(await tool.on_invoke_tool(context, text))


harness.main(OpenAIAgents(strict="strict" in sys.argv))
