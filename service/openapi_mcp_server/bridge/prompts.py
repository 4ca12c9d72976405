"""One prompt per tool: a person picks it, fills in the arguments, and the model is told to make the call."""

from __future__ import annotations

import msgspec

from openapi_mcp_server.bridge.model import Tool
from openapi_mcp_server.errors import ArgumentError
from openapi_mcp_server.mcp.messages import PromptArgument, PromptEntry, PromptMessage, PromptResult, TextContent

_values = msgspec.json.Decoder(dict[str, str]).decode


def entry(tool: Tool) -> PromptEntry:
    """The element of ``prompts/list``. Arguments are told by name only: the tool's own entry describes them."""
    required = set(tool.input.required)
    return PromptEntry(
        name=tool.name,
        title=tool.title,
        description=tool.summary or msgspec.UNSET,
        arguments=tuple(PromptArgument(name=name, required=name in required) for name in tool.input.names),
    )


def messages(tool: Tool, arguments: msgspec.Raw | None) -> PromptResult:
    """The result of ``prompts/get``: one message from the user that asks for the call.

    Raises ArgumentError: a prompt's arguments are strings (MCP, GetPromptRequest) and those of its tool.
    """
    given = _given(arguments)
    if unknown := given.keys() - set(tool.input.names):
        raise ArgumentError(f"unknown argument {min(unknown)!r}; {tool.name} has: {', '.join(tool.input.names)}")
    text = f"Call the tool `{tool.name}`"
    if given:
        text += " with these arguments, each as the JSON type that its schema asks for:\n"
        text += msgspec.json.format(msgspec.json.encode(given), indent=2).decode()
    missing = [name for name in tool.input.required if name not in given]
    if missing:
        text += f"\nStill needed: {', '.join(missing)}. Ask for what you cannot tell."
    return PromptResult(description=tool.title, messages=(PromptMessage(content=TextContent(text)),))


def _given(arguments: msgspec.Raw | None) -> dict[str, str]:
    if arguments is None:
        return {}
    try:
        return _values(arguments)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ArgumentError("the arguments of a prompt must be an object of strings") from error
