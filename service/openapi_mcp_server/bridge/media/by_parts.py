"""Large texts, one part after the other: a thread lets go of the interpreter between two calls into C, and whoever
waits for it beside large work would else wait for 5 to 15 ms (docs/adr/0036)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

import msgspec

PART_BYTES = 512 * 1024
"""The size of a JSON text that is read in one call: 0.6 ms."""
_PIECE = 48 * 1024
"""A size in bytes."""
_BETWEEN = re.compile(rb"\}[ \t\r\n]*,[ \t\r\n]*(?=\{)")
_TRIES = 8
"""Places that may turn out to be within a row, or within a text."""
_ENDS = {b"]": b"[", b"]}": b'{"":[', b"]}}": b'{"":{"":['}
"""The end and the beginning of what rows may be in: an array, or an envelope of one or two objects around it."""


def short_pieces(data: bytes) -> Iterator[bytes]:
    return (data[start : start + _PIECE] for start in range(0, len(data), _PIECE))


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
