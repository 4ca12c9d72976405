"""Numbers that keep their spelling: ``1.10`` stays ``1.10``."""

from __future__ import annotations

import math
from typing import Any, Self

import msgspec


class Number(float):
    """A number with a fraction or an exponent that remembers its spelling."""

    __slots__ = ("spelt",)  # 80 bytes less than an attribute
    spelt: str

    def __new__(cls, text: str) -> Self:
        number = super().__new__(cls, text)
        number.spelt = text
        return number


Number.__name__ = "float"  # JMESPath knows types by their names


def _spelt(value: object) -> msgspec.Raw:
    if isinstance(value, Number):
        return msgspec.Raw(value.spelt.encode())
    raise NotImplementedError(f"no JSON value: {type(value)}")


def double(text: str) -> float:
    """A number as most programs read it. By itself msgspec (0.22) takes 10 µs for a number near the ends of a double's
    range, such as ``1e300``, so that 1 MB of them is one call of 2 s. As its ``float_hook``, this takes 0.15 µs for
    each. Raises ValueError for what no double holds."""
    number = float(text)
    if math.isinf(number):
        raise ValueError("Number out of range")
    return number


decode: Any = msgspec.json.Decoder(float_hook=Number).decode
encode = msgspec.json.Encoder(enc_hook=_spelt).encode
decode_doubles: Any = msgspec.json.Decoder(float_hook=double).decode

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""The errors of reading a stranger's JSON. For bytes that are no UTF-8 in a text, msgspec raises Python's own error."""
