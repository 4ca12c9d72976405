"""The head of a request to us: for whom it is, and whether it is certain where its body ends."""

from __future__ import annotations

import re

import h11

_ABSOLUTE = re.compile(rb"https?://([^/?#@]+)(/[^#]*|\?[^#]*|)", re.IGNORECASE)


def addressed(request: h11.Request) -> tuple[list[tuple[bytes, bytes]], bytes] | None:
    """The headers, and the target as a path. A whole URL has to be understood, and names the host instead of ``Host``
    (RFC 9112 section 3.2.2). None where the target is of no form that makes sense here."""
    headers: list[tuple[bytes, bytes]] = list(request.headers)
    if request.target.startswith((b"/", b"*")):
        return headers, request.target
    url = _ABSOLUTE.fullmatch(request.target)
    if url is None:
        return None
    path = url[2] if url[2].startswith(b"/") else b"/" + url[2]
    return [(b"host", url[1]), *(header for header in headers if header[0] != b"host")], path


def is_ambiguous(request: h11.Request) -> bool:
    """Whether somebody in front may have seen another end of the body: the way to smuggle a second request (RFC 9112
    sections 6.1 and 11.2)."""
    names = {name for name, _ in request.headers}
    return b"transfer-encoding" in names and (b"content-length" in names or request.http_version == b"1.0")
