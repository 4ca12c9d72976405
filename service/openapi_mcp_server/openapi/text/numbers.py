"""Numbers that are written as they were spelt: ``1.10`` stays ``1.10``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec


class Number(float):
    """A number with a fraction or an exponent that remembers its spelling."""

    __slots__ = ("spelt",)
    spelt: str


Number.__name__ = "float"  # JMESPath knows types by their names


def _number(text: str, new: Callable[[type[Number], str], Number] = float.__new__) -> Number:
    """A third of what a class that makes its own objects takes; an answer may hold a million."""
    number = new(Number, text)
    number.spelt = text
    return number


def _spelt(value: object) -> msgspec.Raw:
    if isinstance(value, Number):
        return msgspec.Raw(value.spelt.encode())
    raise NotImplementedError(f"no JSON value: {type(value)}")


decode: Any = msgspec.json.Decoder(float_hook=_number).decode
encode = msgspec.json.Encoder(enc_hook=_spelt).encode
