"""JSON values with every digit as it was written: integers of any size, other numbers as `decimal.Decimal`."""

from __future__ import annotations

import decimal
from typing import Any

import msgspec

from openapi_mcp_server.bridge.media.large_json import MAX_VALUES, is_large
from openapi_mcp_server.openapi.text.json_text import depth

MAX_DEPTH = 100
"""Nested arrays and objects. msgspec and Python recurse near 1,000; published schemas end near 25."""
MAX_MAGNITUDE = 1_000
"""Digits before or after the point that an exponent may stand for; beyond, comparing two numbers takes milliseconds."""


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
    if data.count(b'":') > encode(value).count(b'":'):  # the decoder keeps the last of two equal names
        raise ValueError("an object has the same name twice")
    return value


encode = msgspec.json.Encoder(decimal_format="number").encode


def _number(digits: str) -> decimal.Decimal:
    try:
        number = decimal.Decimal(digits)
    except decimal.InvalidOperation as error:
        raise ValueError("a number is too large") from error
    if abs(number.adjusted()) > MAX_MAGNITUDE:
        raise ValueError(f"a number has an exponent beyond {MAX_MAGNITUDE}")
    return number


_decode = msgspec.json.Decoder(float_hook=_number).decode
