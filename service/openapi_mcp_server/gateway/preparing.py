"""The arguments of a call as the request that it sends to the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from openapi_mcp_server.aside import LARGE, OF_ARGUMENTS, is_heavy
from openapi_mcp_server.bridge.arguments.check import CheckedArguments, at_once, check
from openapi_mcp_server.bridge.http_messages import HttpRequest
from openapi_mcp_server.bridge.media.by_parts import take_apart
from openapi_mcp_server.bridge.model import RESPONSE_FILTER, Tool
from openapi_mcp_server.bridge.request import build
from openapi_mcp_server.bridge.results.next_page import small


class PreparedCall(NamedTuple):
    """A request that was made from a model's arguments. ``asked``: those that may select a page. ``expression``: the
    filter of the answer, or None."""

    request: HttpRequest
    coerced: tuple[str, ...]
    asked: Mapping[str, object]
    expression: str | None


def are_large(arguments: msgspec.Raw | None) -> bool:
    """Whether arguments are too much for the event loop, whatever is in them."""
    return arguments is not None and is_heavy(OF_ARGUMENTS * len(memoryview(arguments)))


def prepared_at_once(tool: Tool, arguments: msgspec.Raw | None) -> PreparedCall | None:
    """The call, or None if preparing it takes too long for the event loop. Raises ArgumentError."""
    checked = None if are_large(arguments) else at_once(tool, arguments)
    return None if checked is None else _built(tool, arguments, checked)


def prepared(tool: Tool, arguments: msgspec.Raw | None) -> PreparedCall:
    """The call. Raises ArgumentError."""
    return _built(tool, arguments, check(tool, arguments))


def _built(tool: Tool, arguments: msgspec.Raw | None, checked: CheckedArguments) -> PreparedCall:
    given = checked.values
    expression = given.pop(RESPONSE_FILTER, None) if tool.filterable else None
    request = build(tool, {**given, **tool.fixed} if tool.fixed else given, checked.others)
    asked = small(given) if tool.paging else {}
    if arguments is not None and len(memoryview(arguments)) > LARGE:
        take_apart(given)
    return PreparedCall(request, checked.coerced, asked, expression or None)  # "": what some clients write for none
