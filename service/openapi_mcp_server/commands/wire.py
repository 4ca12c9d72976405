"""``call --verbose``: the request that goes to the API and the API's answer, as they are on the wire.

A value is shown if it is the call's own: an argument's, or one that every request has. Whatever else is in a request
may be a credential, or what the operator fixed, and is hidden, in the answer too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from openapi_mcp_server.bridge.http_messages import HttpRequest, HttpResponse
from openapi_mcp_server.bridge.model import Tool
from openapi_mcp_server.bridge.results.echoes import concealed
from openapi_mcp_server.bridge.text import shorten, visible
from openapi_mcp_server.gateway.serving import Send
from openapi_mcp_server.memory import Hold

HIDDEN = "(hidden)"
_OF_EVERY_REQUEST = frozenset({"accept", "content-type", "content-length", "user-agent"})
_SECRET_ANSWERS = frozenset({"set-cookie", "www-authenticate", "proxy-authenticate", "authorization"})
_BODY_CHARACTERS = 4_000
_LEAST_SECRET = 4
"""Characters of a value that is looked for in the answer: shorter ones are words."""


class _Lines(NamedTuple):
    shown: list[str]
    secrets: list[str]


def overheard(send: Send, tool: Tool, tell: Callable[[str], object]) -> Send:
    """A ``send`` that also tells what it sends and what comes back."""

    async def sending(request: HttpRequest, *, deadline_seconds: float, hold: Hold) -> HttpResponse:
        lines = _asked(request, tool)
        lines.secrets.extend(request.secrets)
        tell("\n".join(f"> {line}" for line in lines.shown))
        answered = await send(request, deadline_seconds=deadline_seconds, hold=hold)
        tell("\n".join(f"< {line}" for line in _answered(answered, lines.secrets)))
        return answered

    return sending


def _asked(request: HttpRequest, tool: Tool) -> _Lines:
    own = {
        place: {slot.name for slot in tool.slots if slot.location == place and slot.argument not in tool.fixed}
        for place in ("query", "header")
    }
    headers = _OF_EVERY_REQUEST | {name.lower() for name in own["header"]}
    lines = _Lines([], [])
    fixed = tool.fixed.keys()
    is_fixed_path = any(slot.argument in fixed for slot in tool.slots if slot.location == "path")
    target = (tool.template if is_fixed_path else request.path) + ("?" if request.query else "")
    target += "&".join(_piece(piece, own["query"], tool, lines) for piece in request.query.split("&"))
    lines.shown.append(f"{request.method} {request.origin}{target}")
    for name, value in request.headers:
        lines.shown.append(f"{name}: {value if name.lower() in headers else _hidden(value, lines)}")
    if request.body is not None:
        has_fixed = bool(fixed - {slot.argument for slot in tool.slots})
        lines.shown.extend(["", *([HIDDEN] if has_fixed else _body(request.body))])
    return lines


def _piece(piece: str, own: set[str], tool: Tool, lines: _Lines) -> str:
    """One of the pieces of a query: ``name=value``. Names of members are in brackets."""
    name, equals, value = piece.partition("=")
    is_own = name.partition("%5B")[0].partition("[")[0] in own or piece in tool.fixed_query or not equals
    is_whole = any(slot.location == "querystring" for slot in tool.slots)
    return piece if is_own or is_whole else f"{name}={_hidden(value, lines)}"


def _hidden(value: str, lines: _Lines) -> str:
    lines.secrets.extend({value, *value.split()})
    return HIDDEN


def _body(body: bytes) -> Iterator[str]:
    """The first lines of a body that is text, or the length of any other."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = f"({len(body)} bytes that are no text)"
    yield from shorten(visible(text), _BODY_CHARACTERS).splitlines()


def _answered(answered: HttpResponse, secrets: list[str]) -> Iterator[str]:
    retried = f" (after {answered.retries} others)" if answered.retries else ""
    yield f"{answered.status} {answered.reason}{retried}".rstrip()
    lines = [f"{name}: {HIDDEN if name in _SECRET_ANSWERS else value}" for name, value in answered.headers]
    for line in (*lines, "", *_body(answered.body)):
        yield _without(line, secrets)


def _without(line: str, secrets: list[str]) -> str:
    sought = [each for each in secrets if len(each) >= _LEAST_SECRET]
    return concealed(line.encode(), sought, HIDDEN.encode()).decode(errors="replace")
