"""Server-sent events: what a stream of MCP messages looks like on the wire (WHATWG HTML, section 9.2)."""

from __future__ import annotations

from typing import Final

QUIET_SECONDS = 15.0
"""Silence after which a comment is sent: a quarter of the usual idle time of load balancers (60 s)."""

EVENT_STREAM: Final = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # without it nginx holds a stream back
)


def event(data: bytes, kind: bytes = b"message") -> bytes:
    """``data`` has no line ends: JSON as it is encoded here, or a URL."""
    return b"event: %b\ndata: %b\n\n" % (kind, data)


def comment(text: bytes) -> bytes:
    return b": %b\n\n" % text
