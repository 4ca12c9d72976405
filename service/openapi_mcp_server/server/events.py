"""Server-sent events: what a stream of MCP messages looks like on the wire (WHATWG HTML, section 9.2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from openapi_mcp_server.mcp.messages import Pieces, size

QUIET_SECONDS = 15.0
"""Silence after which a comment is sent: a quarter of the usual idle time of load balancers (60 s)."""

EVENT_STREAM: Final = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # without it nginx holds a stream back
)


WRITE_BYTES = 64 * 1024
"""Bytes of a large message that are passed to the connection at a time. No more of it is copied for a client."""


def event(*data: bytes | memoryview, kind: bytes = b"message") -> Pieces:
    """``data`` has no line ends: JSON as it is encoded here, or a URL."""
    return (b"event: %b\ndata: " % kind, *data, b"\n\n")


def slices(pieces: Pieces) -> Iterator[bytes | memoryview]:
    """A small message as one piece, a large one in as many as it takes; none is empty."""
    if size(pieces) <= WRITE_BYTES:
        yield b"".join(pieces)
        return
    for piece in pieces:
        view = memoryview(piece)
        for start in range(0, len(view), WRITE_BYTES):
            yield view[start : start + WRITE_BYTES]


def comment(text: bytes) -> bytes:
    return b": %b\n\n" % text
