"""A picture drawn in code: a tile of one colour, as PNG (ISO/IEC 15948)."""

from __future__ import annotations

import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TRUE_COLOUR = 2


def tile(colour: tuple[int, int, int], *, pixels: int = 64) -> bytes:
    """A square PNG; ``colour`` is red, green and blue, 0 to 255 each."""
    header = struct.pack(">IIBBBBB", pixels, pixels, 8, _TRUE_COLOUR, 0, 0, 0)
    row = b"\x00" + bytes(colour) * pixels  # filter type 0
    return SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(row * pixels)) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
