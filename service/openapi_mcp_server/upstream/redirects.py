"""Follows redirects of a GET or HEAD to its own origin, where its credentials belong as well."""

from __future__ import annotations

from urllib.parse import quote, urljoin, urlsplit

import msgspec

from openapi_mcp_server.bridge.http_messages import HttpRequest
from openapi_mcp_server.bridge.origins import DEFAULT_PORTS, Origin

REDIRECT_LIMIT = 3
"""The most redirects one after another."""


def redirected(request: HttpRequest, status: int, location: str | None) -> HttpRequest | None:
    """The request that a redirect asks for, if it may be followed. ``location`` is its header field."""
    if status not in {301, 302, 303, 307, 308}:
        return None
    if request.method not in {"GET", "HEAD"} or request.body is not None:
        return None
    location = quote((location or "").encode("latin-1"), safe="%:/?#[]@!$&'()*+,;=~")
    try:
        parts = urlsplit(urljoin(f"{request.origin}{request.target}", location))
        port = parts.port or DEFAULT_PORTS.get(parts.scheme, 0)
    except ValueError:
        return None
    if not location or "@" in parts.netloc or Origin(parts.scheme, parts.hostname or "", port) != request.origin:
        return None
    return msgspec.structs.replace(request, path=parts.path or "/", query=parts.query)
