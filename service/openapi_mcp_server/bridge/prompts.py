"""One prompt for each tool: a person picks it and fills in the arguments, and the model is asked to make the call."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from openapi_mcp_server.bridge.model import Tool
from openapi_mcp_server.bridge.names import prompt_names
from openapi_mcp_server.errors import ArgumentError
from openapi_mcp_server.mcp.messages import PromptArgument, PromptEntry, PromptMessage, PromptResult, TextContent

MAX_BYTES = 64 * 1024
"""The most bytes of a prompt's arguments, which people write by hand."""

_values = msgspec.json.Decoder(dict[str, str]).decode


def named(tools: Sequence[Tool]) -> dict[str, Tool]:
    """The tools by the names of their prompts."""
    return dict(zip(prompt_names([tool.name for tool in tools]), tools, strict=True))


def entry(name: str, tool: Tool) -> PromptEntry:
    """The element of ``prompts/list``. It has only the names of arguments: the tool's entry describes them."""
    required = set(tool.input.required)
    return PromptEntry(
        name=name,
        title=tool.title,
        description=tool.summary or msgspec.UNSET,
        arguments=tuple(PromptArgument(name=name, required=name in required) for name in tool.input.names),
    )


def messages(tool: Tool, arguments: msgspec.Raw | None) -> PromptResult:
    """The result of ``prompts/get``: one message from the user that asks for the call.

    Raises ArgumentError if an argument is no string (MCP, GetPromptRequest) or unknown to the tool, or if a required
    one is missing (Prompts, "Error Handling").
    """
    values = given(arguments)
    if unknown := values.keys() - set(tool.input.names):
        raise ArgumentError(f"unknown argument {min(unknown)!r}; {tool.name} has: {', '.join(tool.input.names)}")
    if missing := [name for name in tool.input.required if name not in values]:
        raise ArgumentError(f"missing required arguments: {', '.join(missing)}")
    text = f"Call the tool `{tool.name}`"
    if values:
        text += " with these arguments, each as the JSON type that its schema asks for:\n"
        text += msgspec.json.format(msgspec.json.encode(values), indent=2).decode()
    return PromptResult(description=tool.title, messages=(PromptMessage(content=TextContent(text)),))


def given(arguments: msgspec.Raw | None) -> dict[str, str]:
    """The arguments of a prompt. Raises ArgumentError."""
    if arguments is None:
        return {}
    if len(memoryview(arguments)) > MAX_BYTES:
        raise ArgumentError(f"the arguments of a prompt may have {MAX_BYTES:,} bytes")
    try:
        return _values(arguments)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ArgumentError("the arguments of a prompt must be an object of strings") from error
