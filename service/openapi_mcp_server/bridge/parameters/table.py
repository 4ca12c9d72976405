"""The table of styles, with a row for each place and style, and its interpreter.

The first five columns are those of RFC 6570 (section 3.2.1 and appendix A), the others are additions of OpenAPI. A
delimiter is one cell; a new style is one row (and its name in `openapi.model.Style`).

Form fields are written like query parameters (Encoding Object, ``style``). Fields of multipart forms, too, but without
escapes (OpenAPI 3.2, appendix C). The collection formats of Swagger 2.0 are styles here: csv and multi are form or
simple, ssv is spaceDelimited, pipes is pipeDelimited, and tsv has a name of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import msgspec

from openapi_mcp_server.bridge.parameters import percent, styles
from openapi_mcp_server.bridge.parameters.percent import KEPT_IN_COOKIE, KEPT_IN_PATH, KEPT_IN_QUERY
from openapi_mcp_server.bridge.parameters.styles import EXCERPT, Escapes
from openapi_mcp_server.bridge.sizes import bounded
from openapi_mcp_server.errors import ArgumentError
from openapi_mcp_server.grammar import is_cookie_value, is_token
from openapi_mcp_server.openapi.model import Style

Place = Literal["path", "query", "header", "cookie", "part"]
"""The place of a value; ``part`` is a field of a multipart form."""
Pairs = Callable[[Any], list[tuple[str, str]]]
"""Turns a JSON value into names and values, both escaped. Raises ArgumentError."""
Text = Callable[[Any], str]


def unchanged(text: str) -> str:
    return text


def cookie_octets(text: str) -> str:
    if not is_cookie_value(text):
        raise ArgumentError(
            f"{text[:EXCERPT]!r} holds what no cookie may (space, quotes, comma, semicolon); percent-encode it"
        )
    return text


def _cookie_name(text: str) -> str:
    if not is_token(text):
        raise ArgumentError(f"{text[:EXCERPT]!r} is no cookie name (RFC 6265 section 4.1.1)")
    return text


def _field_member(text: str) -> str:
    """A member of a list in a header, without outer white space, which is not part of it (RFC 9110 section 5.6.1)."""
    if text != text.strip():
        raise ArgumentError(f"{text[:EXCERPT]!r} has white space around it, which a header loses")
    return text


def _without_dots(text: str) -> str:
    return percent.unreserved(text).replace(".", "%2E")


class Row(NamedTuple):
    """The notation of one style in one place."""

    first: str
    """The text before everything."""
    between: str
    """The separator of exploded members."""
    delimiter: str
    """The separator of members that are not exploded, exactly as sent."""
    named: bool
    """Members have names: ``color=blue``."""
    if_empty: str
    """The text after a name with an empty value."""
    escapes: Escapes
    exploded: Escapes | None = None
    """Other escapes for exploded members."""
    kept: str | None = None
    """Reserved characters that ``allowReserved`` does not encode; None if it has no effect."""
    nested: bool = False
    """Members are named by their path: ``color[a][b]=1``."""


_URI = Escapes(percent.unreserved, percent.unreserved, percent.unreserved)
_LABEL = Escapes(percent.unreserved, percent.unreserved, _without_dots)
"""Dots delimit an exploded label, so a member's own dots are encoded although they are unreserved."""
_FIELD = Escapes(unchanged, unchanged, _field_member)
_OCTETS = Escapes(_cookie_name, cookie_octets, cookie_octets)
_RAW = Escapes(unchanged, unchanged, unchanged)
_IN_MATRIX = KEPT_IN_PATH.replace(";", "")

_YES, _NO = True, False

ROWS: dict[tuple[Place, Style], Row] = {
    #                            first between delimiter named if_empty escapes, exploded, kept, nested
    ("path", "simple"):           Row("",  ",",   ",",   _NO,  "",  _URI, None, KEPT_IN_PATH),
    ("path", "label"):            Row(".", ".",   ",",   _NO,  "",  _URI, _LABEL, KEPT_IN_PATH),
    ("path", "matrix"):           Row(";", ";",   ",",   _YES, "",  _URI, None, _IN_MATRIX),
    ("path", "spaceDelimited"):   Row("",  "%20", "%20", _NO,  "",  _URI, None, KEPT_IN_PATH),
    ("path", "pipeDelimited"):    Row("",  "%7C", "%7C", _NO,  "",  _URI, None, KEPT_IN_PATH),
    ("path", "tsv"):              Row("",  "%09", "%09", _NO,  "",  _URI, None, KEPT_IN_PATH),
    ("query", "form"):            Row("",  "&",   ",",   _YES, "=", _URI, None, KEPT_IN_QUERY),
    ("query", "spaceDelimited"):  Row("",  "&",   "%20", _YES, "=", _URI, None, KEPT_IN_QUERY),
    ("query", "pipeDelimited"):   Row("",  "&",   "%7C", _YES, "=", _URI, None, KEPT_IN_QUERY),
    ("query", "tsv"):             Row("",  "&",   "%09", _YES, "=", _URI, None, KEPT_IN_QUERY),
    ("query", "deepObject"):      Row("",  "&",   "",    _YES, "=", _URI, None, KEPT_IN_QUERY, nested=True),
    ("header", "simple"):         Row("",  ",",   ",",   _NO,  "",  _FIELD),
    ("header", "spaceDelimited"): Row("",  " ",   " ",   _NO,  "",  _FIELD),
    ("header", "pipeDelimited"):  Row("",  "|",   "|",   _NO,  "",  _FIELD),
    ("header", "tsv"):            Row("",  "\t",  "\t",  _NO,  "",  _FIELD),
    ("cookie", "form"):           Row("",  "; ",  ",",   _YES, "=", _URI, None, KEPT_IN_COOKIE),
    ("cookie", "cookie"):         Row("",  "; ",  ",",   _YES, "=", _OCTETS),
    ("part", "form"):             Row("",  "",    ",",   _YES, "",  _RAW),
    ("part", "spaceDelimited"):   Row("",  "",    " ",   _YES, "",  _RAW),
    ("part", "pipeDelimited"):    Row("",  "",    "|",   _YES, "",  _RAW),
    ("part", "tsv"):              Row("",  "",    "\t",  _YES, "",  _RAW),
    ("part", "deepObject"):       Row("",  "",    "",    _YES, "",  _RAW, nested=True),
}  # fmt: skip


class Styled(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The style of a value.

    ``inner`` are the styles of the lists within its list, outermost first. ``spans_segments``: slashes in a path stay.
    """

    name: str
    style: Style
    explode: bool
    allow_reserved: bool = False
    inner: tuple[Style, ...] = ()
    spans_segments: bool = False


def is_defined(place: Place, style: Style) -> bool:
    return (place, style) in ROWS


def text(place: Place, styled: Styled) -> Text:
    """The function that turns a value into text; the text is empty if nothing is sent. The function raises
    ArgumentError."""
    row = ROWS[place, styled.style]
    if not row.named:
        escapes, delimiters = _escapes(row, styled), _delimiters(place, styled)
        return lambda value: row.first + styles.joined(value, escapes, delimiters, explode=styled.explode)
    pairs = named(place, styled)

    def written(value: object) -> str:
        found = (f"{name}={member}" if member else name + row.if_empty for name, member in pairs(value))
        members = [*bounded(found)]
        return row.first + row.between.join(members) if members else ""

    return written


def named(place: Place, styled: Styled) -> Pairs:
    """The function that turns a value into names and values, for a style with names."""
    row = ROWS[place, styled.style]
    escapes, delimiters = _escapes(row, styled), _delimiters(place, styled)
    name = escapes.name(styled.name)
    if row.nested:
        return lambda value: [
            (escapes.name(path), escapes.value(styles.spell(leaf)))
            for path, leaf in bounded(styles.leaves(styled.name, "" if value is None else value), _path_size)
        ]
    if styled.explode:
        return lambda value: styles.exploded(name, value, escapes, delimiters[1:])
    return lambda value: [] if value in ([], {}) else [(name, styles.joined(value, escapes, delimiters, explode=False))]


def _path_size(leaf: tuple[str, object]) -> int:
    """The size of a leaf with the whole path to it, which each leaf repeats."""
    return len(leaf[0])


def _escapes(row: Row, styled: Styled) -> Escapes:
    """The escapes of a parameter. With ``allowReserved`` delimiters within members are still escaped, so that members
    can be separated."""
    slash = "/" if styled.spans_segments else ""
    if styled.allow_reserved and row.kept is not None:
        kept = row.kept + slash
        apart = kept.replace(",", "").replace("=", "")
        return Escapes(percent.unreserved, percent.reserved(kept), percent.reserved(apart))
    if slash:
        return Escapes(percent.unreserved, percent.segments, percent.segments)
    return row.exploded if styled.explode and row.exploded else row.escapes


def _delimiters(place: Place, styled: Styled) -> tuple[str, ...]:
    row = ROWS[place, styled.style]
    own = row.between if styled.explode and not row.named else row.delimiter
    return (own, *(ROWS[place, style].delimiter for style in styled.inner))
