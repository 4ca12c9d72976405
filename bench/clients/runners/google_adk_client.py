"""Google ADK: McpToolset, with the declarations that it gives to Gemini."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import harness
from google.adk.agents import LlmAgent
from google.adk.agents.invocation_context import InvocationContext
from google.adk.sessions import InMemorySessionService
from google.adk.tools.mcp_tool import McpToolset, StreamableHTTPConnectionParams
from google.adk.tools.tool_context import ToolContext


class GoogleADK(harness.Adapter):
    @asynccontextmanager
    async def connected(self, url: str) -> AsyncIterator[list[Any]]:
        toolset = McpToolset(connection_params=StreamableHTTPConnectionParams(url=url, timeout=30))
        try:
            yield await toolset.get_tools()
        finally:
            await toolset.close()

    def declared(self, tool: Any) -> harness.Json:
        shown = tool._get_declaration().model_dump(exclude_none=True, mode="json")
        return {"name": shown["name"], "parameters": shown.get("parameters_json_schema") or shown.get("parameters")}

    async def called(self, tool: Any, arguments: harness.Json) -> str:
        service = InMemorySessionService()
        session = await service.create_session(app_name="tried", user_id="tried")
        context = InvocationContext(
            session_service=service, invocation_id="1", agent=LlmAgent(name="tried"), session=session
        )
        result = await tool.run_async(args=arguments, tool_context=ToolContext(context, function_call_id="1"))
        if result.get("isError") or result.get("is_error") or "error" in result:
            raise RuntimeError(str(result))
        return "\n".join(block.get("text", str(block)) for block in result["content"])


harness.main(GoogleADK())
