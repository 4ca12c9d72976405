"""Semantic Kernel: an MCP plugin of a kernel, called as a model's function call is."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import harness
from semantic_kernel import Kernel
from semantic_kernel.connectors.ai.function_calling_utils import kernel_function_metadata_to_function_call_format
from semantic_kernel.connectors.mcp import MCPStreamableHttpPlugin
from semantic_kernel.functions import KernelArguments


class SemanticKernel(harness.Adapter):
    @asynccontextmanager
    async def connected(self, url: str) -> AsyncIterator[list[Any]]:
        self.kernel = Kernel()
        async with MCPStreamableHttpPlugin(name="server", url=url) as plugin:
            self.kernel.add_plugin(plugin)
            yield list(self.kernel.plugins["server"].functions.values())

    def declared(self, tool: Any) -> harness.Json:
        shown = kernel_function_metadata_to_function_call_format(tool.metadata)["function"]
        return {**shown, "name": shown["name"].removeprefix("server-")}

    async def called(self, tool: Any, arguments: harness.Json) -> str:
        result = await self.kernel.invoke(tool, KernelArguments(**arguments))
        return harness.blocks(result.value)


harness.main(SemanticKernel())
