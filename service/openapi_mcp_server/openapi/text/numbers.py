"""Numbers that are written as they were spelt: ``1.10`` stays ``1.10``."""

from __future__ import annotations

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


PART_BYTES = 64 * 1024
"""Bytes of JSON that are decoded at once."""


def _spelt(value: object) -> msgspec.Raw:
    if isinstance(value, Number):
        return msgspec.Raw(value.spelt.encode())
    raise NotImplementedError(f"no JSON value: {type(value)}")


decode: Any = msgspec.json.Decoder(float_hook=Number).decode
_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def decode_by_parts(data: bytes, levels: int = 3) -> Any:  # noqa: ANN401 - any JSON value
    """The same value: large arrays and objects one part after the other, down to so many levels. A thread lets go of
    the interpreter between two calls into C, and 10 MB at once would be one of 10 ms."""
    first = bytes(memoryview(data)[:1])
    if levels and len(memoryview(data)) > PART_BYTES and first == b"[":
        return [decode_by_parts(item, levels - 1) for item in _items(data)]
    if levels and len(memoryview(data)) > PART_BYTES and first == b"{":
        return {name: decode_by_parts(value, levels - 1) for name, value in _members(data).items()}
    return decode(data)


encode = msgspec.json.Encoder(enc_hook=_spelt).encode
