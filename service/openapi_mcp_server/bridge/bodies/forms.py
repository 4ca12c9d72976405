"""application/x-www-form-urlencoded: bodies, and the query strings and parameters that have this media type.

A property whose Encoding Object says ``style``, ``explode`` or ``allowReserved`` is written as a query parameter of
that style, percent-encoded by RFC 3986 (``%20``). Any other is written by its content type and encoded by the WHATWG
URL Standard (``+``): a list as one pair per item, an object as JSON, anything else as text (OpenAPI 3.2, Encoding
Object and appendix E; 3.0.4 and 3.1.1 alike).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

from openapi_mcp_server.bridge.media.by_parts import take_apart
from openapi_mcp_server.bridge.media.exact_json import encode as encode_json
from openapi_mcp_server.bridge.media.table import is_json
from openapi_mcp_server.bridge.parameters import percent, styles, table
from openapi_mcp_server.bridge.parameters.table import Pairs, Styled
from openapi_mcp_server.bridge.sizes import bounded
from openapi_mcp_server.errors import ArgumentError, SpecError
from openapi_mcp_server.openapi.model import Encoding, MediaType
from openapi_mcp_server.pausing import in_turns

_AT_ONCE = 1_000
"""Pairs that are joined in one call into C. It takes 4 ms for 200,000, and freeing them 9 ms (docs/adr/0036)."""
_WRITTEN_AT_ONCE = 100
"""Items of a list that are written between two pauses: 0.2 ms."""


def fields(media: MediaType) -> dict[str, Pairs]:
    """The properties with an Encoding Object, each with its writer. Raises SpecError."""
    return {name: _field(media, name, encoding) for name, encoding in media.encoding.items()}


def text(value: object, written: Mapping[str, Pairs]) -> str:
    """An object as a form. ``written`` has the properties with a writer of their own. Raises ArgumentError."""
    if not isinstance(value, dict):
        raise ArgumentError("must be an object")
    pairs: list[tuple[str, str]] = []
    for name, member in value.items():
        expand = written.get(name)
        pairs += _by_content(name, member, "") if expand is None else expand(member)
    texts = bounded(f"{name}={member}" for name, member in pairs)
    form = "&".join(iter(lambda: "&".join(islice(texts, _AT_ONCE)), ""))
    take_apart(pairs)
    return form


def is_styled(encoding: Encoding) -> bool:
    """Whether ``style`` decides, and not ``contentType``."""
    return encoding.style is not None or encoding.explode is not None or encoding.allow_reserved


def style_of(media: MediaType, name: str, encoding: Encoding, place: table.Place) -> Pairs:
    """The writer of a styled property, with the defaults of the Encoding Object. Raises SpecError."""
    style = encoding.style or "form"
    if not table.is_defined(place, style):
        raise SpecError(media.pointer, f"style {style} is not defined for the form field {name!r}")
    explode = (style == "form") if encoding.explode is None else encoding.explode
    styled = Styled(
        name=name, style=style, explode=explode, allow_reserved=encoding.allow_reserved, inner=encoding.inner
    )
    return table.named(place, styled)


def _field(media: MediaType, name: str, encoding: Encoding) -> Pairs:
    if is_styled(encoding):
        return style_of(media, name, encoding, "query")
    content_type = encoding.content_type or ""
    return lambda value: _by_content(name, value, content_type)


def _by_content(name: str, value: object, content_type: str) -> list[tuple[str, str]]:
    """Pairs by the content type: one, or for a list one for each item. Null is empty except in JSON."""
    spell = _as_json if is_json(content_type) else _as_text
    items = value if isinstance(value, list) else (value,)
    return [(percent.form(name), percent.form(spell(item))) for item in in_turns(items, _WRITTEN_AT_ONCE)]


def _as_json(value: object) -> str:
    return encode_json(value).decode()


def _as_text(value: object) -> str:
    return "" if value is None else styles.spell(value)
