"""The text of a document before parsing: encoding, limits and places."""

from __future__ import annotations

import codecs

import msgspec

from openapi_mcp_server.errors import SpecError

JSON_SEPARATORS = (b",", b"[", b"{")
"""Every value of a JSON text, except the first, has at least one of these before it."""

_CHUNK = 1 << 16
"""Bytes that are decoded at once. For larger pieces the allocator gets new memory from the system each time."""
_NAMED_CHARACTERS = 80  # of a key, in a message of one line
_WIDE = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"\x00\x00": "UTF-32"}
_OTHERS = {
    b"\x1f\x8b": "compressed by gzip",
    b"PK\x03\x04": "a zip archive",
    b"\x89PNG": "a picture",
    b"%PDF-": "a PDF",
}


class DocumentLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of one document's cost. The reader of a file limits its bytes.

    ``depth`` counts nested objects and arrays. All readers recurse: Python and msgspec stop near 1,000 frames,
    jsonschema-rs at 255 levels. The deepest of 124 published documents has 25. ``values`` is an upper bound, counted by
    separators. The largest known document (47 MB, 22,361 operations) has less than a third of it. ``expanded_bytes``
    counts the text after aliases are expanded.
    """

    depth: int = 128
    values: int = 4_000_000
    expanded_bytes: int = 64 * 1024 * 1024


def checked(data: bytes) -> bytes:
    """The document's text as UTF-8 without a byte order mark; raises SpecError with the position if it is not UTF-8.

    RFC 8259 section 8.1: JSON between systems is UTF-8, and a reader may ignore a byte order mark.
    """
    if kind := next((kind for magic, kind in _OTHERS.items() if data.startswith(magic)), None):
        raise SpecError("", f"this is {kind}, not the text of a document")
    if encoding := _WIDE.get(data[:2]):
        raise SpecError("", f"the document is {encoding}; save it as UTF-8")
    text = data.removeprefix(codecs.BOM_UTF8)
    if b"\x00" in text[:4]:
        raise SpecError("", "the document is UTF-16 or UTF-32; save it as UTF-8")
    if not text or text.isspace():
        raise SpecError("", "the document is empty")
    _refuse_bad_utf8(text)
    return text


def _refuse_bad_utf8(text: bytes) -> None:
    # Decoded piece by piece, since 13 MB with one emoji would briefly take 52 MB as a whole.
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(text), _CHUNK):
        piece = text[start : start + _CHUNK]
        held = len(decoder.getstate()[0])  # bytes of a character that the piece before began
        try:
            decoder.decode(piece, final=start + _CHUNK >= len(text))
        except UnicodeDecodeError as error:
            where = place(text, start - held + error.start)
            raise SpecError(where, "the document is not UTF-8 here; save it as UTF-8") from error


def bound_values(text: bytes, separators: tuple[bytes, ...], limits: DocumentLimits) -> None:
    """Refuses a text with so many separators that the parsed values would not fit into memory."""
    # A value and its separator have at least two bytes, so most documents need not be counted.
    if len(text) > 2 * limits.values and sum(map(text.count, separators)) > limits.values:
        raise SpecError("", f"the document has more than {limits.values} values")


def too_deep(limits: DocumentLimits, where: str = "") -> SpecError:
    """The error of nesting beyond the limit; ``where`` is a result of `place`."""
    return SpecError(where, f"nesting deeper than {limits.depth} levels")


def duplicate_key(key: str) -> str:
    """The message about a repeated key."""
    return f"duplicate key {key if len(key) <= _NAMED_CHARACTERS else key[:_NAMED_CHARACTERS] + '…'!r}"


def place(text: bytes, offset: int) -> str:
    """A byte offset as ``line 3, column 7``, both counted from 1, columns in characters."""
    start = text.rfind(b"\n", 0, offset) + 1
    column = len(text[start:offset].decode(errors="replace")) + 1
    line = text.count(b"\n", 0, offset) + 1
    return f"line {line}, column {column}"
