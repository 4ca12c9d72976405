"""Large JSON texts, read one part after the other.

A thread can release the interpreter's lock only between two calls into C. If large work were one call, other threads
would wait 5 to 15 ms for the lock (docs/adr/0036).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any

import msgspec

from openapi_mcp_server.openapi.text.numbers import decode
from openapi_mcp_server.pausing import in_turns, make_way

PART_BYTES = 64 * 1024
"""The most bytes of a JSON text that are read in one call: 0.1 ms, and up to 0.6 ms if it is full of numbers."""
_DECODED_BYTES = 64 * 1024
"""Bytes of JSON that are decoded at once."""
_ROWS_FREED = 250
"""The rows of a decoded value that are freed at once."""
_PIECE = 48 * 1024
"""A size in bytes."""
_BETWEEN = re.compile(rb"\}[ \t\r\n]*,[ \t\r\n]*(?=\{)")
_BETWEEN_ITEMS = {b"{": b"},{", b"[": b"],[", b'"': b'","'}
"""The text between two items by the first byte of an item; other items have only a comma."""
_AFTER_BACKSLASH = re.compile(rb"(?:(?<=\\)\\*+.)?", re.DOTALL)
"""From a place after a backslash to the end of what may be escaped there; elsewhere nothing."""
_TRIES = 8
"""The most places that are tried, since each may be within a row or within a text."""
_ENDS = {b"]": b"[", b"]}": b'{"":[', b"]}}": b'{"":{"":['}
"""The end and the beginning of an array, or of an envelope of one or two objects around it."""

Decode = Callable[[Any], Any]

_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def short_pieces(data: bytes) -> Iterator[bytes]:
    return (data[start : start + _PIECE] for start in in_turns(range(0, len(data), _PIECE), 1))


def count(text: bytes, sign: bytes) -> int:
    """The number of times that a sign, which cannot overlap itself, is in a text. At once, 4 MB would take 1.4 ms."""
    if len(text) <= PART_BYTES:
        return text.count(sign)
    more = PART_BYTES + len(sign) - 1
    return sum(text.count(sign, start, start + more) for start in part_starts(text))


def holds(text: bytes, piece: bytes) -> bool:
    """Whether a piece is in a text. At once, 4 MB would take 3 ms."""
    if len(text) <= PART_BYTES:
        return piece in text
    more = PART_BYTES + len(piece) - 1
    return any(text.find(piece, start, start + more) >= 0 for start in part_starts(text))


def holds_any(text: bytes, pieces: Sequence[bytes], alike: bytes) -> bool:
    """Whether one of some pieces is in a text. ``alike``: a table for `bytes.translate` of signs that count as others.
    A megabyte takes 2 ms; a regular expression with alternatives takes 8 to 20."""
    if len(text) <= PART_BYTES:
        return _has_any(text.translate(alike), pieces)
    more = PART_BYTES + max(map(len, pieces)) - 1
    return any(_has_any(text[start : start + more].translate(alike), pieces) for start in part_starts(text))


def _has_any(text: bytes, pieces: Sequence[bytes]) -> bool:
    for piece in pieces:  # noqa: SIM110 - any() takes twice as long, for the arguments of each call
        if piece in text:
            return True
    return False


def part_starts(text: bytes) -> Iterator[int]:
    """The offsets of parts of `PART_BYTES`; makes way for others before each."""
    return in_turns(range(0, len(text), PART_BYTES), 1)


def without_escapes(text: bytes) -> bytes:
    """A JSON text without its escaped backslashes and quotation marks, in which a string ends at the next one. To look
    for its end among 3 million escapes takes 200 ms."""
    if not holds(text, b"\\"):
        return text
    pieces, start = [], 0
    while start < len(text):
        make_way()
        found = _AFTER_BACKSLASH.match(text, min(start + PART_BYTES, len(text)))
        end = found.end() if found else len(text)  # it always is
        pieces.append(text[start:end].replace(b"\\\\", b"").replace(b'\\"', b""))
        start = end
    return b"".join(pieces)


def decode_by_parts(data: bytes | msgspec.Raw, levels: int = 3, decode: Decode = decode) -> Any:  # noqa: ANN401 - any JSON value
    """A value as ``decode`` reads it (numbers that remember their spelling), with large arrays and objects in parts,
    down to ``levels``. At once, 10 MB would take one call of 10 ms."""
    first = bytes(memoryview(data)[:1])
    if levels and len(memoryview(data)) > _DECODED_BYTES and first == b"[":
        made: list[Any] = []
        for part in _decoded_parts(bytes(data), decode, lambda rest: _each(rest, levels - 1, decode)):
            made += part
        return made
    if levels and len(memoryview(data)) > _DECODED_BYTES and first == b"{":
        make_way()
        return {name: decode_by_parts(value, levels - 1, decode) for name, value in _members(data).items()}
    return decode(data)


def _each(array: bytes, levels: int, decode: Decode) -> list[Any]:
    if len(array) <= _DECODED_BYTES:
        return list(decode(array))
    return [decode_by_parts(item, levels, decode) for item in _items(array)]


def take_apart(value: object) -> None:
    """Empties a value that is no longer needed. Freeing 10 MB at once would take 6 ms."""
    for rows in (value, *value.values()) if isinstance(value, dict) else (value,):
        while isinstance(rows, list) and rows:
            del rows[-_ROWS_FREED:]
            make_way()


def items(array: bytes | msgspec.Raw) -> Iterator[bytes | msgspec.Raw]:
    """The items of an array in compact JSON, found some rows at a time. Finding those of 10 MB takes 3 ms."""
    return chain.from_iterable(_decoded_parts(bytes(array), _items, _items))


def _decoded_parts(text: bytes, decode: Decode, decode_rest: Decode) -> Iterator[list[Any]]:
    """An array decoded as several ones; ``decode_rest`` is for a rest in which no part was found, which may be large.

    A part that is valid after closing it ends between two items, see `_rows`. Items are mostly of one kind.
    """
    between = _BETWEEN_ITEMS.get(text[1:2], b",")
    start, tries = 1, _TRIES
    end = text.find(between, PART_BYTES, 2 * PART_BYTES)
    while end > 0 and tries:
        comma = end + between.index(b",")
        try:
            found = decode(b"[%b]" % text[start:comma])
        except msgspec.DecodeError:
            tries -= 1
            end = text.find(between, end + 1, end + PART_BYTES)
            continue
        yield found
        make_way()
        start = comma + 1
        end = text.find(between, start + PART_BYTES, start + 2 * PART_BYTES)
    rest = decode_rest(b"[%b" % text[start:] if start > 1 else text)
    if start > 1 and not rest:
        raise msgspec.DecodeError("JSON is malformed: trailing comma in array")
    yield rest


def without_space(text: bytes) -> bytes:
    """The same JSON without white space. Raises msgspec's errors for invalid JSON. A large text without white space is
    returned as it is, since 10 MB of new memory take 4 ms."""
    if len(text) < 2 * PART_BYTES:
        return msgspec.json.format(text, indent=-1)
    parts, rest, opening = _rows(text)
    last = msgspec.json.format(opening + rest, indent=-1)[len(opening) :]
    if sum(map(len, parts)) + len(parts) + len(last) == len(text):
        return text
    return b",".join([*parts, last]) if parts else last


def _rows(text: bytes) -> tuple[list[bytes], bytes, bytes]:
    """Compact parts of a text, the rest after them, and the text that must precede the rest to make it valid.

    JSON is read from left to right. So if the text up to some place is valid after closing an array there, this place
    is between two entries of the array, whatever follows.
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
        make_way()
        start = between.end()
        between = _BETWEEN.search(text, start + PART_BYTES)
    return parts, text[start:], opening


def _closed(opening: bytes, rows: bytes) -> tuple[bytes, bytes | None]:
    """The end that makes rows valid (with a beginning, except for the first rows), and the rows in compact form."""
    for closing, beginning in _ENDS.items():
        if opening in {b"", beginning}:
            with suppress(msgspec.DecodeError):
                whole = msgspec.json.format(opening + rows + closing, indent=-1)
                return closing, whole[len(opening) : -len(closing)]
    return b"", None
