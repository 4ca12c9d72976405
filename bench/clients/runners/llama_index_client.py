"""LlamaIndex: McpToolSpec, called as its agents call a function tool."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import harness
from llama_index.tools.mcp import BasicMCPClient, McpToolSpec


class LlamaIndex(harness.Adapter):
    @asynccontextmanager
    async def connected(self, url: str) -> AsyncIterator[list[Any]]:
        yield await McpToolSpec(BasicMCPClient(url)).to_tool_list_async()

    def declared(self, tool: Any) -> harness.Json:
        return tool.metadata.to_openai_tool(skip_length_check=True)["function"]

    async def called(self, tool: Any, arguments: harness.Json) -> str:
        output = (await tool.acall(**arguments)).raw_output
        if output.is_error:
            raise RuntimeError(harness.blocks(output.content))
        return harness.blocks(output.content)

    def alone(self, served: harness.Json) -> object:
        return McpToolSpec(None).create_model_from_json_schema(served["inputSchema"], f"{served['name']}_Schema")


harness.main(LlamaIndex())
