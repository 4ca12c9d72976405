"""The text of a value: the members of a list or an object, and the delimiters between them.

The rows of `table` define each place and style. They follow the style examples of OpenAPI 3.0.4, 3.1.1 and 3.2.0
(Parameter Object), which follow RFC 6570 section 3.2. These rules fill the gaps of the specification:

* A list or an object inside a list or an object is compact JSON, with three exceptions: in deepObject; where
  Swagger 2.0 gives the inner list a ``collectionFormat``; a list inside an exploded object with names, which repeats
  the name.
* null is the table's column *undefined* when it is the whole value, and ``null`` inside a list or an object.
* An empty list or object is undefined (RFC 6570 section 2.3): nothing is sent for it.
* deepObject nests as PHP, Rails and the big APIs read it: ``a[b][c]=1``, lists as ``a[]=1&a[]=2``, lists that hold
  objects or lists with an index (``a[0][b]=1``), since ``[]`` would not say where one element ends.
  A scalar is ``a=1`` (``created=1`` beside ``created[gt]=1``).
* spaceDelimited, pipeDelimited and tsv with ``explode`` repeat the name, as form does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import unquote

import msgspec

from openapi_mcp_server.bridge.media.exact_json import encode as encode_json
from openapi_mcp_server.bridge.parameters.percent import Escape
from openapi_mcp_server.errors import ArgumentError
from openapi_mcp_server.pausing import in_turns

EXCERPT = 60
"""The most characters of a value that a message repeats."""
_AT_ONCE = 500
"""The number of items that are written between two pauses."""


class Escapes(msgspec.Struct, frozen=True):
    """The escapes of a place for names, whole values, and members between delimiters."""

    name: Escape
    value: Escape
    member: Escape


def spell(value: object) -> str:
    """A JSON value as text: a string as it is, anything else as JSON."""
    return value if isinstance(value, str) else encode_json(value).decode()


def joined(value: object, escapes: Escapes, delimiters: Sequence[str], *, explode: bool) -> str:
    """One text: members between delimiters, an object as ``k,v`` or, exploded, as ``k=v``. Raises ArgumentError.

    The first of ``delimiters`` is for the list itself, the others are for lists within it.
    """
    if isinstance(value, list):
        members = [_inside(member, escapes, delimiters[1:], escapes.member) for member in in_turns(value, _AT_ONCE)]
    elif isinstance(value, dict):
        members = _object_members(value, escapes, explode=explode)
    else:
        return escapes.value("" if value is None else spell(value))
    _require_kept_apart(members, delimiters[0])
    return delimiters[0].join(members)


def exploded(name: str, value: object, escapes: Escapes, inner: Sequence[str] = ()) -> list[tuple[str, str]]:
    """A pair for each member; ``name`` is escaped already, ``inner`` are the delimiters of lists within a list."""
    if isinstance(value, list):
        return [(name, _inside(member, escapes, inner, escapes.value)) for member in in_turns(value, _AT_ONCE)]
    if isinstance(value, dict):
        pairs = [(escapes.name(key), member) for key, member in value.items()]
        return [(key, escapes.value(spell(each))) for key, member in pairs for each in _each(member)]
    return [(name, escapes.value("" if value is None else spell(value)))]


def leaves(path: str, value: object) -> Iterator[tuple[str, object]]:
    """The pairs of deepObject, not yet escaped. Raises ArgumentError."""
    if isinstance(value, dict):
        for key, member in value.items():
            if "[" in key or "]" in key:
                raise ArgumentError(
                    f"the key {key[:EXCERPT]!r} holds a bracket, which is this parameter's own notation"
                )
            yield from leaves(f"{path}[{key}]", member)
    elif isinstance(value, list):
        indexed = any(isinstance(member, dict | list) for member in value)
        for index, member in enumerate(value):
            yield from leaves(f"{path}[{index if indexed else ''}]", member)
    else:
        yield path, value


def _each(member: Any) -> Sequence[Any]:  # noqa: ANN401 - any JSON value
    return member if isinstance(member, list) else (member,)


def _inside(value: object, escapes: Escapes, inner: Sequence[str], escape: Escape) -> str:
    """The text of one member of a list. A list within it is joined by the inner delimiters, if there are any."""
    if inner and isinstance(value, list):
        return joined(value, escapes, inner, explode=False)
    return escape(spell(value))


def _object_members(value: dict[str, Any], escapes: Escapes, *, explode: bool) -> list[str]:
    pairs = [(escapes.member(key), escapes.member(spell(member))) for key, member in value.items()]
    return [f"{key}={member}" for key, member in pairs] if explode else [text for pair in pairs for text in pair]


def _require_kept_apart(members: Sequence[str], delimiter: str) -> None:
    """Refuses members that the API could not separate again.

    Percent-encoding hides commas and dots. But ``%20`` and ``%7C`` are delimiters themselves (OpenAPI 3.2, appendix E),
    and header values are never encoded (Parameter Object); there the caller may write a member as a quoted-string (RFC
    9110 section 5.6.4).
    """
    for member in members:
        if delimiter in member and not (len(member) > 1 and member[0] == member[-1] == '"'):
            raise ArgumentError(
                f"{unquote(member)[:EXCERPT]!r} holds {unquote(delimiter)!r}, which separates this list's members"
            )
