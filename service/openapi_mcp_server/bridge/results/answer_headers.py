"""What a model needs of an answer's headers: where the next page is, what was made, how long to wait."""

from __future__ import annotations

import re
from http import HTTPStatus
from urllib.parse import urlsplit

from openapi_mcp_server.bridge.model import HttpResponse

_SHOWN = {
    "link": "Link",
    "location": "Location",
    "content-location": "Content-Location",
    "content-range": "Content-Range",
    "content-disposition": "Content-Disposition",
    "etag": "ETag",
    "last-modified": "Last-Modified",
    "retry-after": "Retry-After",
    "x-total": "X-Total",
    "x-total-count": "X-Total-Count",
    "x-total-pages": "X-Total-Pages",
    "x-next-page": "X-Next-Page",
}
_SHOWN_PREFIXES = ("ratelimit", "x-ratelimit", "x-rate-limit")
"""Draft and older spellings of rate limits: ``RateLimit``, ``RateLimit-Policy``, ``X-RateLimit-Remaining``…"""
_HEAD_ONLY = {"content-type": "Content-Type", "content-length": "Content-Length", "allow": "Allow"}
"""What is besides shown of an answer to HEAD or OPTIONS, which has nothing but headers."""
_VALUE_LIMIT = 2_000
"""Characters of one value: more than the cursors of real APIs take."""
_LINK = re.compile(r'<([^<>]*)>((?:\s*;\s*[^\s;,="<>]+(?:\s*=\s*(?:"[^"]*"|[^\s;,"<>]*))?)*)')
"""A link-value of RFC 8288 section 3: its target and its parameters."""
_REL = re.compile(r';\s*rel\s*=\s*(?:"([^"]*)"|([^\s;,"]*))', re.IGNORECASE)


def lines(response: HttpResponse, *, bare: bool = False) -> list[str]:
    """One line for each header worth a model's attention; ``bare`` where they are all there is to the answer."""
    shown = []
    for name, value in response.headers:
        label = _SHOWN.get(name)
        if name == "link":
            shown += _links(value)
        elif label is not None:
            shown.append(f"{label}: {value[:_VALUE_LIMIT]}")
        elif name.startswith(_SHOWN_PREFIXES) or (bare and name in _HEAD_ONLY):
            shown.append(f"{_HEAD_ONLY.get(name, name)}: {value[:_VALUE_LIMIT]}")
    return shown


def status_line(response: HttpResponse) -> str:
    """``404 Not Found``; the standard reason phrase where the API gave none."""
    return f"{response.status} {response.reason or _phrase(response.status)}".strip()


def redirect_host(response: HttpResponse) -> str | None:
    """The host that ``Location`` names; empty for the host that was asked; None without a readable one."""
    location = response.header("location")
    if location is None:
        return None
    try:
        return urlsplit(location.strip()).netloc.rpartition("@")[2]
    except ValueError:
        return None


def _links(value: str) -> list[str]:
    """``<https://…?page=2>; rel="next"`` → ``Link next: https://…?page=2``."""
    found = []
    for link in _LINK.finditer(value[: 8 * _VALUE_LIMIT]):
        rel = _REL.search(link[2])
        name = (rel[1] or rel[2]) if rel else ""
        found.append(f"Link {name or 'without rel'}: {link[1][:_VALUE_LIMIT]}")
    return found


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
