"""agno: MCPTools, called as its agents call a function."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import harness
from agno.tools.function import FunctionCall
from agno.tools.mcp import MCPTools


class Agno(harness.Adapter):
    @asynccontextmanager
    async def connected(self, url: str) -> AsyncIterator[list[Any]]:
        async with MCPTools(transport="streamable-http", url=url, timeout_seconds=30) as tools:
            yield list(tools.functions.values())

    def declared(self, tool: Any) -> harness.Json:
        return tool.to_dict()

    async def called(self, tool: Any, arguments: harness.Json) -> str:
        outcome = await FunctionCall(function=tool, arguments=arguments).aexecute()
        if outcome.status != "success":
            raise RuntimeError(outcome.error)
        result = outcome.result
        return str(getattr(result, "content", result))


harness.main(Agno())
