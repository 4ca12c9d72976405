"""pydantic-ai: MCPToolset, with the schemas that its OpenAI and Google models make of it (the argument says which)."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import harness
from pydantic_ai import RunContext
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.models.test import TestModel
from pydantic_ai.profiles.google import GoogleJsonSchemaTransformer
from pydantic_ai.profiles.openai import OpenAIJsonSchemaTransformer
from pydantic_ai.usage import RunUsage


class PydanticAI(harness.Adapter):
    def __init__(self, *, google: bool) -> None:
        self.transformer = GoogleJsonSchemaTransformer if google else OpenAIJsonSchemaTransformer

    @asynccontextmanager
    async def connected(self, url: str) -> AsyncIterator[list[Any]]:
        self.context = RunContext(deps=None, model=TestModel(), usage=RunUsage())
        async with MCPToolset(url) as self.toolset:
            yield list((await self.toolset.get_tools(self.context)).values())

    def declared(self, tool: Any) -> harness.Json:
        schema = tool.tool_def.parameters_json_schema
        return {"name": tool.tool_def.name, "parameters": self.transformer(schema, strict=None).walk()}

    async def called(self, tool: Any, arguments: harness.Json) -> str:
        checked = tool.args_validator.validate_python(arguments)
        return str(await self.toolset.call_tool(tool.tool_def.name, checked, self.context, tool))


harness.main(PydanticAI(google="google" in sys.argv))
