"""Large JSON texts, read one part after the other.

A thread releases the interpreter's lock between two calls into C. In one call, whoever waits for the lock beside large
work would wait for 5 to 15 ms (docs/adr/0036).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import msgspec

from openapi_mcp_server.openapi.text.numbers import decode

PART_BYTES = 128 * 1024
"""The size of a JSON text that is read in one call: 0.15 ms. A small call meets ten such calls at worst."""
_DECODED_BYTES = 64 * 1024
"""Bytes of JSON that are decoded at once."""
_PIECE = 48 * 1024
"""A size in bytes."""
_BETWEEN = re.compile(rb"\}[ \t\r\n]*,[ \t\r\n]*(?=\{)")
_ROW_END = b"},{"
_TRIES = 8
"""How many places are tried, each of which may turn out to be within a row or within a text."""
_ENDS = {b"]": b"[", b"]}": b'{"":[', b"]}}": b'{"":{"":['}
"""The end and the beginning of what rows may be in: an array, or an envelope of one or two objects around it."""

_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def short_pieces(data: bytes) -> Iterator[bytes]:
    return (data[start : start + _PIECE] for start in range(0, len(data), _PIECE))


def decode_by_parts(data: bytes, levels: int = 3) -> Any:  # noqa: ANN401 - any JSON value
    """A value whose numbers remember their spelling: large arrays and objects one part after the other, down to so many
    levels. At once, 10 MB would be a call of 10 ms."""
    first = bytes(memoryview(data)[:1])
    if levels and len(memoryview(data)) > _DECODED_BYTES and first == b"[":
        return [decode_by_parts(item, levels - 1) for item in items(data)]
    if levels and len(memoryview(data)) > _DECODED_BYTES and first == b"{":
        return {name: decode_by_parts(value, levels - 1) for name, value in _members(data).items()}
    return decode(data)


def items(array: bytes | msgspec.Raw) -> Iterator[bytes | msgspec.Raw]:
    """The items of an array in compact JSON, found some rows at a time: to find those of 10 MB takes 3 ms.

    A part that is whole once it is closed ends between two of them, see `_rows`.
    """
    text, start, tries = bytes(array), 1, _TRIES
    end = text.find(_ROW_END, PART_BYTES, 2 * PART_BYTES)
    while end > 0 and tries:
        try:
            found = _items(b"[%b]" % text[start : end + 1])
        except msgspec.DecodeError:
            tries -= 1
            end = text.find(_ROW_END, end + 1, end + PART_BYTES)
            continue
        yield from found
        start = end + len("},")
        end = text.find(_ROW_END, start + PART_BYTES, start + 2 * PART_BYTES)
    yield from _items(b"[%b" % text[start:] if start > 1 else text)


def without_space(text: bytes) -> bytes:
    """The same JSON without white space. Raises what msgspec raises for what is no JSON."""
    parts, rest, opening = _rows(text) if len(text) >= 2 * PART_BYTES else ([], text, b"")
    last = msgspec.json.format(opening + rest, indent=-1)[len(opening) :]
    return b",".join([*parts, last]) if parts else last


def _rows(text: bytes) -> tuple[list[bytes], bytes, bytes]:
    """Compact parts of a text, what follows the last of them, and what has to stand before that to make it whole.

    JSON is read from left to right: where the text up to some place is whole once an array is closed there, that place
    is between two entries of this array, whatever follows.
    """
    parts: list[bytes] = []
    start, opening, tries = 0, b"", _TRIES
    between = _BETWEEN.search(text, PART_BYTES)
    while between is not None and tries:
        rows = text[start : between.start() + 1]
        closing, part = _closed(opening, rows)
        if part is None:
            tries -= 1
            between = _BETWEEN.search(text, between.end())
            continue
        opening = _ENDS[closing] if not parts else opening
        parts.append(part)
        start = between.end()
        between = _BETWEEN.search(text, start + PART_BYTES)
    return parts, text[start:], opening


def _closed(opening: bytes, rows: bytes) -> tuple[bytes, bytes | None]:
    """Rows that are whole with an end and, but for the first ones, a beginning: with which end, and compact."""
    for closing, beginning in _ENDS.items():
        if opening in {b"", beginning}:
            with suppress(msgspec.DecodeError):
                whole = msgspec.json.format(opening + rows + closing, indent=-1)
                return closing, whole[len(opening) : -len(closing)]
    return b"", None
