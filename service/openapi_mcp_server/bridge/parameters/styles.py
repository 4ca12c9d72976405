"""The ``style`` of a value: which text a list or an object becomes, and where its delimiters are.

One implementation for parameters, form fields and multipart fields, which differ only in what they escape.
The rows are those of the style examples of OpenAPI 3.0.4, 3.1.1 and 3.2.0 (Parameter Object), which follow
RFC 6570 section 3.2. Where the specification defines nothing:

* A list or an object inside a list or an object is compact JSON, except in deepObject.
* null is the table's column *undefined* when it is the whole value, and ``null`` inside a list or an object.
* An empty list or object is undefined (RFC 6570 section 2.3): nothing is sent for it.
* deepObject nests as PHP, Rails and the big APIs read it: ``a[b][c]=1``, lists as ``a[]=1&a[]=2``, lists that hold
  objects or lists with an index (``a[0][b]=1``), since ``[]`` would not say where one element ends.
  A scalar is ``a=1`` (``created=1`` beside ``created[gt]=1``).
* spaceDelimited, pipeDelimited and tsv with ``explode`` repeat the name, as form does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import unquote

import msgspec

from openapi_mcp_server.bridge.media.exact_json import encode as encode_json
from openapi_mcp_server.bridge.parameters import percent
from openapi_mcp_server.bridge.parameters.percent import Escape
from openapi_mcp_server.errors import ArgumentError
from openapi_mcp_server.openapi.model import Style

Pairs = Callable[[Any], list[tuple[str, str]]]
"""A JSON value to names and values, both escaped."""

DELIMITERS: dict[Style, str] = {
    "form": ",",
    "cookie": ",",
    "spaceDelimited": " ",
    "pipeDelimited": "|",
    "tsv": "\t",
}
EXCERPT = 60
"""Characters of a value that a message repeats."""
PAIR_STYLES = frozenset({*DELIMITERS, "deepObject"})
"""Styles that make names and values; the others (simple, label, matrix) make one text."""


class Escapes(msgspec.Struct, frozen=True):
    """How a place writes names, whole values, and members between delimiters."""

    name: Escape
    value: Escape
    member: Escape


def unchanged(text: str) -> str:
    return text


def _without_dots(text: str) -> str:
    return percent.unreserved(text).replace(".", "%2E")


URI = Escapes(percent.unreserved, percent.unreserved, percent.unreserved)
LABEL = Escapes(percent.unreserved, percent.unreserved, _without_dots)
"""An exploded label is delimited by dots, so a member's own dots are encoded though they are unreserved."""
RAW = Escapes(unchanged, unchanged, unchanged)


def reserved(kept: str) -> Escapes:
    """``allowReserved``: values keep ``kept``, members not what delimits them, or they could not be told apart."""
    apart = kept.replace(",", "").replace("=", "")
    return Escapes(percent.unreserved, percent.reserved(kept), percent.reserved(apart))


def spell(value: object) -> str:
    """A JSON value as text: a string is itself, anything else is as JSON spells it."""
    return value if isinstance(value, str) else encode_json(value).decode()


def joined(value: object, escapes: Escapes, delimiter: str, *, explode: bool) -> str:
    """One text: members between delimiters, an object as ``k,v`` or, exploded, as ``k=v``. Raises ArgumentError."""
    if isinstance(value, list):
        members = [escapes.member(spell(member)) for member in value]
    elif isinstance(value, dict):
        members = _object_members(value, escapes, explode=explode)
    else:
        return escapes.value("" if value is None else spell(value))
    _require_kept_apart(members, delimiter)
    return delimiter.join(members)


def expander(name: str, style: Style, escapes: Escapes, *, explode: bool) -> Pairs:
    """The pairs of ``name`` in one of `PAIR_STYLES`. What it returns raises ArgumentError."""
    if style == "deepObject":
        return lambda value: [
            (escapes.name(path), escapes.value(spell(leaf)))
            for path, leaf in _leaves(name, "" if value is None else value)
        ]
    written = escapes.name(name)
    delimiter = DELIMITERS[style] if DELIMITERS[style] == "," else escapes.name(DELIMITERS[style])
    if explode:
        return lambda value: exploded(written, value, escapes)
    return lambda value: [] if value in ([], {}) else [(written, joined(value, escapes, delimiter, explode=False))]


def exploded(name: str, value: object, escapes: Escapes) -> list[tuple[str, str]]:
    """A pair for each member; ``name`` is escaped already."""
    if isinstance(value, list):
        return [(name, escapes.value(spell(member))) for member in value]
    if isinstance(value, dict):
        return [(escapes.name(key), escapes.value(spell(member))) for key, member in value.items()]
    return [(name, escapes.value("" if value is None else spell(value)))]


def _object_members(value: dict[str, Any], escapes: Escapes, *, explode: bool) -> list[str]:
    pairs = [(escapes.member(key), escapes.member(spell(member))) for key, member in value.items()]
    return [f"{key}={member}" for key, member in pairs] if explode else [text for pair in pairs for text in pair]


def _require_kept_apart(members: Sequence[str], delimiter: str) -> None:
    """Refuse what the API could not take apart again.

    Percent-encoding hides commas and dots; but ``%20`` and ``%7C`` are themselves delimiters (OpenAPI 3.2, appendix
    E), and header values are never encoded (Parameter Object): there a member may be a quoted-string
    (RFC 9110 section 5.6.4) of the caller's.
    """
    for member in members:
        if delimiter in member and not (len(member) > 1 and member[0] == member[-1] == '"'):
            raise ArgumentError(
                f"{unquote(member)[:EXCERPT]!r} holds {unquote(delimiter)!r}, which separates this list's members"
            )


def _leaves(path: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, member in value.items():
            if "[" in key or "]" in key:
                raise ArgumentError(
                    f"the key {key[:EXCERPT]!r} holds a bracket, which is this parameter's own notation"
                )
            yield from _leaves(f"{path}[{key}]", member)
    elif isinstance(value, list):
        indexed = any(isinstance(member, dict | list) for member in value)
        for index, member in enumerate(value):
            yield from _leaves(f"{path}[{index if indexed else ''}]", member)
    else:
        yield path, value
