"""Makes the request of a call: arguments fill the holes of the compiled path, and nothing else is decided here.

The path is never parsed or joined from URLs. Before the request is sent, it must still have the shape of its template:
the same number of segments (except for arguments that may span several), no dot segment, only visible ASCII. Its origin
is the tool's, and no argument changes it.

A parameter that is null is left out unless it is required (RFC 6570 section 2.3: null is undefined). In a body null is
a value like any other. An empty list or object is undefined as well, and no header is sent for it unless the header is
JSON. A required body without arguments is an empty object; an optional one is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from openapi_mcp_server.bridge.http_messages import HttpRequest
from openapi_mcp_server.bridge.model import BodyPlan, Tool, Withheld
from openapi_mcp_server.bridge.parameters.percent import fully_decoded
from openapi_mcp_server.bridge.withheld import require_no_field, require_own_method, require_own_query, require_unsaid
from openapi_mcp_server.errors import ArgumentError
from openapi_mcp_server.grammar import has_dot_segment

_NONE: Mapping[str, Any] = {}
_PATH = re.compile(r'/[!"$->@-~]*')
_QUERY = re.compile(r'[!"$-~]*')
"""Visible ASCII without the ends of a path (``?``) and of a query (``#``)."""


def build(tool: Tool, arguments: Mapping[str, Any], others: Mapping[str, Any] = _NONE) -> HttpRequest:
    """The request for checked arguments, by argument name; ``others`` are further properties of the body.

    Raises ArgumentError for a value that cannot be sent.
    """
    if tool.withheld is not None:
        _require_own_names(tool, tool.withheld, arguments, others)
    holes: dict[int, str] = {}
    query = [tool.fixed_query] if tool.fixed_query else []
    headers = [("accept", tool.accept)] if tool.accept else []
    cookies = []
    for index, slot in enumerate(tool.slots):
        if (value := arguments.get(slot.argument)) is None and not (slot.required and slot.argument in arguments):
            continue
        text = slot.encode(value)
        match slot.location:
            case "path":
                holes[index] = text
            case "header" if text or value not in ([], {}) or slot.required:
                headers.append((slot.name, text))
            case "cookie":
                cookies.append(text)
            case "query" | "querystring" if text:
                query.append(text)
    if any(cookies):
        headers.append(("cookie", "; ".join(filter(None, cookies))))
    body = None if tool.body is None else _body(tool.body, arguments, others)
    said = _query(tool, query)
    require_own_method(tool, said, body)
    if body is not None:
        headers.append(("content-type", body[0]))
    return HttpRequest(
        method=tool.method,
        origin=tool.origin,
        path=_path(tool, holes),
        query=said,
        headers=tuple(headers),
        body=None if body is None else body[1],
    )


def _path(tool: Tool, holes: Mapping[int, str]) -> str:
    """The path. Raises ArgumentError if neighbouring arguments or literal text would change its shape."""
    pieces, slashes = [], 0
    for part in tool.path:
        piece = part if isinstance(part, str) else holes.get(part, "")
        if isinstance(part, str) or tool.slots[part].spans_segments:
            slashes += piece.count("/")
        pieces.append(piece)
    path = "".join(pieces)
    has_shape = all(pieces) and path.count("/") == slashes and _PATH.fullmatch(path) is not None
    if not has_shape or has_dot_segment(fully_decoded(path)):
        raise ArgumentError(f"these arguments do not fit the path {tool.template}: they would name another one")
    return path


def _query(tool: Tool, pieces: list[str]) -> str:
    if tool.fixed_query:
        require_own_query(tool, pieces[1:])
    query = "&".join(pieces)
    if not _QUERY.fullmatch(query):
        raise ArgumentError("these arguments do not fit into a query")
    return query


def _require_own_names(tool: Tool, withheld: Withheld, arguments: Mapping[str, Any], others: Mapping[str, Any]) -> None:
    """Raises ArgumentError if the model's own arguments, once encoded, name an argument that is withheld."""
    own = {name: value for name, value in arguments.items() if name not in withheld.arguments and value is not None}
    for slot in tool.slots:
        if slot.argument in own:
            require_unsaid(withheld, slot.location, slot.encode(own[slot.argument]))
    if tool.body is not None:
        written = _body(msgspec.structs.replace(tool.body, needed=()), own, others)
        if written is not None:
            require_no_field(withheld, *written)


def _body(plan: BodyPlan, arguments: Mapping[str, Any], others: Mapping[str, Any]) -> tuple[str, bytes] | None:
    """Content-Type and bytes; None if an optional body was not given."""
    chosen = arguments.get(plan.chooser) if plan.chooser is not None else None
    write = plan.writers[chosen] if chosen is not None else next(iter(plan.writers.values()))
    if plan.whole is not None:
        if plan.whole not in arguments:
            return None
        value = arguments[plan.whole]
        if chosen is None and plan.by_type:
            write = plan.by_type.get(type(value), write)
        return write(value)
    given = {name: arguments[argument] for argument, name in plan.properties.items() if argument in arguments}
    if others:
        given |= others
    if not given and not plan.required:
        return None
    if missing := [argument for argument in plan.needed if argument not in arguments]:
        raise ArgumentError(f"{', '.join(missing)}: missing; it is needed as soon as a part of the body is given")
    return write(given)
