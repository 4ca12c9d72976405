"""JSON values with every digit as it was written: integers of any size, other numbers as `decimal.Decimal`."""

from __future__ import annotations

import decimal
import re
from typing import Any

import msgspec

from openapi_mcp_server.bridge.media.large_json import MAX_VALUES, is_large
from openapi_mcp_server.openapi.text.json_text import depth

MAX_DEPTH = 100
"""Nested arrays and objects. msgspec and Python recurse near 1,000; published schemas end near 25."""
MAX_MAGNITUDE = 1_000
"""Digits before or after the point that an exponent may stand for; beyond, comparing two numbers takes milliseconds."""
PLAIN_DIGITS = 20
"""Digits before or after the point up to which a number is written without an exponent, as in ECMAScript (section
6.1.6.1.20, where small numbers have six)."""


def decode(data: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """The value of a JSON text; raises ValueError saying what is wrong with it."""
    if is_large(data):
        raise ValueError(f"more than {MAX_VALUES:,} names and values")
    try:
        value = _decode(data)
    except msgspec.ValidationError as error:  # a number, of which msgspec says no better place than `$[...]`
        raise ValueError(str(error).partition(" - at ")[0]) from error
    except RecursionError as error:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels") from error
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH and depth(value) > MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
    if data.count(b'":') > _encode(value).count(b'":'):  # the decoder keeps the last of two equal names
        raise ValueError("an object has the same name twice")
    return value


def encode(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """Compact JSON. Numbers have no exponent where they are short without one: ``0.0000001`` was written so, and few
    APIs know ``1E-7`` in a query or in XML (where xs:decimal has none). Otherwise it is one without a plus sign, which
    means a space in a query that somebody decodes twice."""
    json = _encode(value)
    if b"E" in json and _EXPONENT.search(json):
        return _NUMBER_OR_TEXT.sub(_plainly, json)
    return json


_encode = msgspec.json.Encoder(decimal_format="number").encode
_EXPONENT = re.compile(rb"E[+-][0-9]+(?:[,\]}]|\Z)")
"""The end of a number that has one, or text that looks so; base64 does not."""
_NUMBER_OR_TEXT = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?|(-?[0-9.]+)(?:E([+-])([0-9]+))?', re.DOTALL)


def _plainly(found: re.Match[bytes]) -> bytes:
    if found[2] is None:
        return found[0]
    number = decimal.Decimal(found[0].decode("ascii"))
    if abs(number.adjusted()) <= PLAIN_DIGITS:
        return format(number, "f").encode("ascii")
    return found[1] + (b"e-" if found[2] == b"-" else b"e") + found[3]


def _number(digits: str) -> decimal.Decimal:
    try:
        number = decimal.Decimal(digits)
    except decimal.InvalidOperation as error:
        raise ValueError("a number is too large") from error
    if abs(number.adjusted()) > MAX_MAGNITUDE:
        raise ValueError(f"a number has an exponent beyond {MAX_MAGNITUDE}")
    return number


_decode = msgspec.json.Decoder(float_hook=_number).decode
