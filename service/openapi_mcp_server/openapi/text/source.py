"""The text of a document before it means anything: its encoding, its limits, and where in it something is."""

from __future__ import annotations

import codecs

import msgspec

from openapi_mcp_server.errors import SpecError

JSON_SEPARATORS = (b",", b"[", b"{")
"""Each value but the first of a JSON text has at least one of these before it."""

_CHUNK = 1 << 16
"""Bytes that are decoded at once: of more, the memory for each piece is the system's, and fresh."""
_NAMED_CHARACTERS = 80  # of a key, in a message of one line
_WIDE = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"\x00\x00": "UTF-32"}
_OTHERS = {
    b"\x1f\x8b": "compressed by gzip",
    b"PK\x03\x04": "a zip archive",
    b"\x89PNG": "a picture",
    b"%PDF-": "a PDF",
}


class DocumentLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of what a document may cost. The reader of a file limits its bytes.

    ``depth``: nested objects and arrays. Whatever reads a document recurses: Python and msgspec stop near 1,000
    frames, jsonschema-rs at 255 levels. The deepest of 124 published documents has 25.
    ``values``: counted by the marks that separate them, so an upper bound. The largest document known (47 MB,
    22,361 operations) stays under a third of it.
    ``expanded_bytes``: text after aliases are replaced by what they stand for.
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
    # Piece by piece: decoded whole, 13 MB with one emoji in it would be 52 MB for a moment.
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
    """Refuse a text with so many separators that it could not be held in memory once parsed."""
    # Two bytes make a value at least, itself and its separator: most documents need not be counted.
    if len(text) > 2 * limits.values and sum(map(text.count, separators)) > limits.values:
        raise SpecError("", f"the document has more than {limits.values} values")


def too_deep(limits: DocumentLimits, where: str = "") -> SpecError:
    """Nesting beyond the limit; ``where`` is a place as of `place`."""
    return SpecError(where, f"nesting deeper than {limits.depth} levels")


def duplicate_key(key: str) -> str:
    """The problem with a key that its object has already."""
    return f"duplicate key {key if len(key) <= _NAMED_CHARACTERS else key[:_NAMED_CHARACTERS] + '…'!r}"


def place(text: bytes, offset: int) -> str:
    """``line 3, column 7`` of a byte offset, both counted from 1, columns in characters."""
    start = text.rfind(b"\n", 0, offset) + 1
    column = len(text[start:offset].decode(errors="replace")) + 1
    line = text.count(b"\n", 0, offset) + 1
    return f"line {line}, column {column}"
