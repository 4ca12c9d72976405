"""JSON values that keep every digit: integers of any size, other numbers as `decimal.Decimal`."""

from __future__ import annotations

import decimal
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Any

import msgspec

from openapi_mcp_server.bridge.media.by_parts import count, decode_by_parts, holds_any, without_escapes
from openapi_mcp_server.bridge.media.large_json import MAX_VALUES, is_large
from openapi_mcp_server.grammar import IN_STRING
from openapi_mcp_server.openapi.text.json_text import depth
from openapi_mcp_server.pausing import in_turns, make_way

MAX_DEPTH = 100
"""The most levels of arrays and objects. msgspec and Python fail near 1,000; published schemas have up to about 25."""
MAX_MAGNITUDE = 1_000
"""The most digits before or after the point that an exponent may mean. Beyond, comparing two numbers takes
milliseconds."""
PLAIN_DIGITS = 20
"""A number with up to this many digits before or after the point is written without an exponent, as in ECMAScript
(section 6.1.6.1.20, with six digits for small numbers)."""


_LARGE = 64 * 1024
"""From this size on, JSON is not encoded in one call into C, which would hold the interpreter (docs/adr/0036)."""
_LEVELS = 3
"""The levels of a large value that are encoded in parts."""
_ENTRIES = 100
"""The most entries of an array or object that are encoded in one call."""
_HIDING = (b" :", rb"\u0022", rb"\u003a")
"""White space before a colon, and escapes of `":` in a string, which `_names` does not count."""
_HIDING_ALIKE = bytes.maketrans(b"\t\r\nA", b"   a")
_STRING_OR_NAME = re.compile(rb'"[^"]*+"?([ \t\r\n]*+:)?')
"""In a text `without_escapes`."""
_STRINGS_AT_ONCE = 500
"""The number of strings between two pauses: 0.1 ms."""

Encode = Callable[[Any], bytes]


def decode(data: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """The value of a JSON text; raises ValueError with the fault."""
    if is_large(data):
        raise ValueError(f"more than {MAX_VALUES:,} names and values")
    try:
        value = _decoded(data)
    except msgspec.ValidationError as error:  # a number, of which msgspec says no better place than `$[...]`
        raise ValueError(str(error).partition(" - at ")[0]) from error
    except RecursionError as error:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels") from error
    if count(data, b"[") + count(data, b"{") > MAX_DEPTH and depth(value) > MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
    again = _parts(value, _LEVELS) if len(data) > _LARGE else (_encode(value),)
    names = _names_one_by_one if holds_any(data, _HIDING, _HIDING_ALIKE) else _names
    if names(data) > sum(map(names, again)):  # the decoder keeps the last of two equal names
        raise ValueError("an object has the same name twice")
    return value


def _decoded(data: bytes) -> Any:  # noqa: ANN401 - any JSON value
    if len(data) > _LARGE:
        with suppress(ValueError, RecursionError):  # the error is reported for the whole
            return decode_by_parts(data, _LEVELS, _decode)
    return _decode(data)


def _names(text: bytes) -> int:
    """The approximate number of member names in a JSON text."""
    return count(text, b'":')


def _names_one_by_one(text: bytes) -> int:
    """The exact number of member names, with any text in strings and any white space before colons."""
    found = _STRING_OR_NAME.finditer(without_escapes(text))
    return sum(each.lastindex is not None for each in in_turns(found, _STRINGS_AT_ONCE))


def encode(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """Compact JSON. Numbers that are short without an exponent have none: few APIs understand ``1E-7`` for
    ``0.0000001`` in a query or in XML (xs:decimal has no exponents). Other exponents have no plus sign, which would be
    a space in a query that is decoded twice."""
    json = _encode(value)
    if b"E" in json and _EXPONENT.search(json):
        return _NUMBER_OR_TEXT.sub(_plainly, json)
    return json


_encode = msgspec.json.Encoder(decimal_format="number").encode
_EXPONENT = re.compile(rb"E[+-][0-9]+(?:[,\]}]|\Z)")
"""The end of a number with an exponent, or similar text; base64 has none."""
_NUMBER_OR_TEXT = re.compile(rf'"{IN_STRING}"?|(-?[0-9.]+)(?:E([+-])([0-9]+))?'.encode(), re.DOTALL)


def _plainly(found: re.Match[bytes]) -> bytes:
    if found[2] is None:
        return found[0]
    number = decimal.Decimal(found[0].decode("ascii"))
    if abs(number.adjusted()) <= PLAIN_DIGITS:
        return format(number, "f").encode("ascii")
    return found[1] + (b"e-" if found[2] == b"-" else b"e") + found[3]


def encode_by_parts(value: object, encode: Encode = encode) -> bytes:
    """The same as ``encode``, in parts, since a large value would take 12 ms at once."""
    return b"".join(_parts(value, _LEVELS, encode)) if _is_wide(value) else encode(value)


def _is_wide(value: object) -> bool:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return len(inside) > _ENTRIES or any(isinstance(each, list | dict) and len(each) > _ENTRIES for each in inside)


def _parts(value: object, levels: int, encode: Encode = encode) -> Iterator[bytes]:
    if levels and isinstance(value, list):
        yield from _joined(b"[]", _items(value, levels - 1, encode))
    elif levels and isinstance(value, dict):
        yield from _joined(b"{}", _members(value, levels - 1, encode))
    else:
        yield encode(value)


def _joined(brackets: bytes, entries: Iterator[Iterator[bytes]]) -> Iterator[bytes]:
    yield brackets[:1]
    for number, entry in enumerate(entries):
        if number:
            yield b","
        yield from entry
        make_way()
    yield brackets[1:]


def _items(value: list[Any], levels: int, encode: Encode) -> Iterator[Iterator[bytes]]:
    if len(value) <= _ENTRIES:
        return (_parts(item, levels, encode) for item in value)
    return (iter((encode(value[at : at + _ENTRIES])[1:-1],)) for at in range(0, len(value), _ENTRIES))


def _members(value: dict[str, Any], levels: int, encode: Encode) -> Iterator[Iterator[bytes]]:
    if len(value) <= _ENTRIES:
        return (_member(name, member, levels, encode) for name, member in value.items())
    left = iter(value.items())
    some = iter(lambda: dict(islice(left, _ENTRIES)), {})
    return (iter((encode(each)[1:-1],)) for each in some)


def _member(name: str, value: object, levels: int, encode: Encode) -> Iterator[bytes]:
    yield encode(name) + b":"
    yield from _parts(value, levels, encode)


def _number(digits: str) -> decimal.Decimal:
    try:
        number = decimal.Decimal(digits)
    except decimal.InvalidOperation as error:
        raise ValueError("a number is too large") from error
    if abs(number.adjusted()) > MAX_MAGNITUDE:
        raise ValueError(f"a number has an exponent beyond {MAX_MAGNITUDE}")
    return number


_decode = msgspec.json.Decoder(float_hook=_number).decode
