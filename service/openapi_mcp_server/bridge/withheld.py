"""Arguments that an override fixes or hides, and the other ways in which a model could say them.

An object that explodes into a query, a form or cookies has names that the model chooses, and an API that gets a name
twice may take either. Names count as one if only their spelling differs: PHP reads ``account.id`` as ``account_id``,
and decoders of JSON in Go and .NET ignore case.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote_plus

from openapi_mcp_server.bridge.arguments.undeclared import key
from openapi_mcp_server.bridge.model import Tool, Withheld
from openapi_mcp_server.errors import ArgumentError

_SEPARATORS = {"query": "&", "querystring": "&", "cookie": ";"}
_PART = re.compile(rb'^content-disposition: *form-data[^\r\n]*?\bname="([^"\r\n]*)"', re.IGNORECASE | re.MULTILINE)
_FORM = "application/x-www-form-urlencoded"
_UNDERSCORES = str.maketrans(". [", "___")


_METHOD_NAMES = frozenset({"_method", "_httpmethod"})
"""Parameters by which WordPress, Rails, Laravel, Symfony and Salesforce take a request for one of another method."""


def require_own_method(tool: Tool, query: str, body: tuple[str, bytes] | None) -> None:
    """Raises ArgumentError where a name that the model has chosen makes the call one of another operation."""
    if "ethod" not in query and (body is None or b"ethod" not in body[1]):  # as nearly always
        return
    names = [unquote_plus(piece.partition("=")[0]) for piece in query.replace(";", "&").split("&")] if query else []
    if body is not None and body[0].startswith(_FORM):
        names += [unquote_plus(piece.partition("=")[0]) for piece in body[1].decode("ascii", "replace").split("&")]
    elif body is not None and body[0].startswith("multipart/"):
        names += [found.decode(errors="replace") for found in _PART.findall(body[1])]
    said = _METHOD_NAMES.intersection(map(_as_php_reads, names))
    if said and said.isdisjoint(_as_php_reads(name) for name in _declared(tool)):
        raise ArgumentError(f"{min(said)!r} makes the call one of another method; leave it out")


def _as_php_reads(name: str) -> str:
    return name.strip().translate(_UNDERSCORES).casefold()


def _declared(tool: Tool) -> Iterator[str]:
    yield from (slot.name for slot in tool.slots)
    yield from (piece.partition("=")[0] for piece in tool.fixed_query.split("&"))
    if tool.body is not None:
        yield from tool.body.properties.values()


def require_unsaid(withheld: Withheld, location: str, text: str) -> None:
    """Raises ArgumentError if an argument of the model's, encoded for its location, has one of the names there."""
    separator = _SEPARATORS.get(location)
    if separator is None:
        return
    place = "query" if location == "querystring" else location
    for piece in text.replace(";", separator).split(separator):  # some servers take both in a query
        _require(withheld, place, unquote_plus(piece.partition("=")[0]).strip())


def require_no_field(withheld: Withheld, media_type: str, body: bytes) -> None:
    """The same for a form that was written of the model's arguments alone."""
    if media_type.startswith(_FORM):
        for piece in body.decode("ascii", "replace").split("&"):
            _require(withheld, "body", unquote_plus(piece.partition("=")[0]))
    elif media_type.startswith("multipart/"):
        for found in _PART.findall(body):
            _require(withheld, "body", found.decode(errors="replace"))


def _require(withheld: Withheld, place: str, name: str) -> None:
    if not withheld.names.isdisjoint({(place, key(name)), (place, key(name.partition("[")[0]))}):
        raise ArgumentError(f"{name[:64]!r} cannot be said in another argument either; leave it out")
