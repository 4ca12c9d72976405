"""Refuses other ways in which a model could set arguments that an override fixes or hides, or reach another operation.

An object that explodes into a query, a form or cookies has names that the model chooses. An API that gets a name twice
may use either value. Names count as equal if only their spelling differs: PHP reads ``account.id`` as ``account_id``,
and JSON decoders in Go and .NET ignore case.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from urllib.parse import unquote_plus

import msgspec

from openapi_mcp_server.bridge.arguments.undeclared import key
from openapi_mcp_server.bridge.media.by_parts import holds, holds_any
from openapi_mcp_server.bridge.media.table import is_form, is_json, is_multipart
from openapi_mcp_server.bridge.model import Tool, Withheld
from openapi_mcp_server.errors import ArgumentError

_SEPARATORS = {"query": "&", "querystring": "&", "cookie": ";"}
_PART = re.compile(rb'^content-disposition: *form-data[^\r\n]*?\bname="([^"\r\n]*)"', re.IGNORECASE | re.MULTILINE)
_UNDERSCORES = str.maketrans(". [", "___")
_METHOD_NAMES = ("_method", "_httpmethod", "x-http-method-override", "x-http-method", "x-method-override")
"""Parameters that change the method of a request, in small letters. Servers read them in any case: ``_method`` in
WordPress, Rails, Laravel and Symfony, ``_METHOD`` in Slim, ``_HttpMethod`` in Salesforce, the header's own name as a
parameter in ASP.NET and Firebase."""
_IN_EACH = (b"ethod",)
_IN_FIELD = re.compile(rb'name="[^"\r\n]*[eE][tT][hH][oO][dD]')
_AS_MEMBERS = tuple(f'"{name}":'.encode() for name in _METHOD_NAMES)
_IN_SMALL = bytes(range(256)).lower()
"""A table for `holds_any`: capitals count as small letters."""
_ESCAPED_LETTER = re.compile(rb"%(?:[46][4589DFdf]|[57]4)")
"""One of the letters of these names in percent-encoding. This service never encodes letters."""
_MEMBER_NAME = re.compile(rb'"([^"\\]*)":')

_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def require_own_method(tool: Tool, query: str, body: tuple[str, bytes] | None) -> None:
    """Raises ArgumentError if a name that the model has chosen changes the method, and so the operation."""
    names = _form_names(query.replace(";", "&")) if _may_say(query.encode()) else []
    if body is not None:
        names += _chosen_names(*body)
    if not names:  # as nearly always
        return
    said = frozenset(_METHOD_NAMES).intersection(readings(names)).difference(readings(_declared(tool)))
    if said:
        raise ArgumentError(f"{min(said)!r} makes the call one of another method; leave it out")


def require_own_query(tool: Tool, query: Iterable[str]) -> None:
    """Raises ArgumentError if a name that the model has chosen is also in the path's key (``/?action=list``). Such
    names distinguish operations, and many servers use the last of two values."""
    chosen = (name for part in query for name in _form_names(part.replace(";", "&")))
    again = frozenset(readings(_form_names(tool.fixed_query))).intersection(readings(chosen))
    if again := again.difference(readings(slot.name for slot in tool.slots)):
        raise ArgumentError(f"{min(again)!r} has its value in the path {tool.template}; leave it out")


def _may_say(form: bytes) -> bool:
    return holds_any(form, _IN_EACH, _IN_SMALL) or (holds(form, b"%") and _ESCAPED_LETTER.search(form) is not None)


def _chosen_names(media_type: str, body: bytes) -> list[str]:
    """The names at the outermost level of a body. It is read only if it may have one of these names, since bodies can
    be large. Laravel reads JSON, too."""
    if is_form(media_type):
        return _field_names(media_type, body) if _may_say(body) else []
    if is_multipart(media_type):
        return _field_names(media_type, body) if _IN_FIELD.search(body) else []
    has_one = holds_any(body, _IN_EACH, _IN_SMALL) and holds_any(body, _AS_MEMBERS, _IN_SMALL)
    if not has_one or not is_json(media_type):
        return []
    try:
        return [*_members(body)]
    except msgspec.DecodeError:  # no object
        return []


def readings(names: Iterable[str]) -> Iterator[str]:
    """The names as PHP reads them (with underscores, up to a NUL) and as Rack does (without outer brackets)."""
    for name in names:
        begun = name.partition("\0")[0].strip().casefold()
        yield begun.translate(_UNDERSCORES)
        yield begun.strip("[]")


def _declared(tool: Tool) -> Iterator[str]:
    """The names in a document, also within its schemas."""
    yield from (slot.name for slot in tool.slots)
    yield from _form_names(tool.fixed_query)
    if tool.body is not None:
        yield from tool.body.properties.values()
    yield from (found.decode() for found in _MEMBER_NAME.findall(tool.input.schema))


def require_unsaid(withheld: Withheld, location: str, text: str) -> None:
    """Raises ArgumentError if a model's argument, encoded for its location, has a withheld name."""
    separator = _SEPARATORS.get(location)
    if separator is None:
        return
    place = "query" if location == "querystring" else location
    for piece in text.replace(";", separator).split(separator):  # some servers take both in a query
        _require(withheld, place, unquote_plus(piece.partition("=")[0]).strip())


def require_no_field(withheld: Withheld, media_type: str, body: bytes) -> None:
    """Raises ArgumentError if a form from the model's arguments alone has a withheld name."""
    for name in _field_names(media_type, body):
        _require(withheld, "body", name)


def _field_names(media_type: str, body: bytes) -> list[str]:
    """The names of a form's fields; empty for any other body."""
    if is_form(media_type):
        return _form_names(body.decode("ascii", "replace"))
    parts = _PART.findall(body) if is_multipart(media_type) else []
    return [part.decode(errors="replace") for part in parts]


def _form_names(form: str) -> list[str]:
    return [unquote_plus(piece.partition("=")[0]) for piece in form.split("&")]


def _require(withheld: Withheld, place: str, name: str) -> None:
    name = name.partition("\0")[0]  # PHP reads no further
    if not withheld.names.isdisjoint({(place, key(name)), (place, key(name.partition("[")[0]))}):
        raise ArgumentError(f"{name[:64]!r} cannot be said in another argument either; leave it out")
