"""The headers of an answer that a model needs: where the next page is, what was made, how long to wait."""

from __future__ import annotations

import re
from collections.abc import Iterator
from http import HTTPStatus
from urllib.parse import urlsplit

from openapi_mcp_server.bridge import text
from openapi_mcp_server.bridge.http_messages import HttpResponse
from openapi_mcp_server.bridge.model import Tool

_SHOWN = {
    "link": "Link",
    "location": "Location",
    "content-location": "Content-Location",
    "operation-location": "Operation-Location",  # Azure: where to ask how far it is
    "azure-asyncoperation": "Azure-AsyncOperation",
    "content-range": "Content-Range",
    "content-disposition": "Content-Disposition",
    "etag": "ETag",
    "last-modified": "Last-Modified",
    "retry-after": "Retry-After",
    "x-total": "X-Total",
    "x-total-count": "X-Total-Count",
    "x-total-pages": "X-Total-Pages",
    "x-next-page": "X-Next-Page",
    "x-next-cursor": "X-Next-Cursor",
    "x-pagination": "X-Pagination",
}
_SHOWN_PREFIXES = ("ratelimit", "x-ratelimit", "x-rate-limit")
"""Draft and older spellings of rate limits: ``RateLimit``, ``RateLimit-Policy``, ``X-RateLimit-Remaining``…"""
_HEAD_ONLY = {"content-type": "Content-Type", "content-length": "Content-Length", "allow": "Allow"}
"""Further headers that are shown for an answer to HEAD or OPTIONS, which has only headers."""
_OF_STATUS = {
    405: {"allow": "Allow"},
    415: {"accept": "Accept", "accept-post": "Accept-Post", "accept-patch": "Accept-Patch"},
}
"""Headers that say what the API would accept (RFC 9110 sections 15.5.6 and 15.5.16, RFC 5789 section 3.1)."""
_VALUE_LIMIT = 2_000
"""The most characters of one value, more than the cursors of real APIs need."""
LINES_LIMIT = 4_000
"""The most characters of all lines of one answer, twice the longest value. An answer may have 64 kB of headers, which
do not count in the body's budget."""
_REASON_LIMIT = 200
"""The most characters of a reason phrase; the longest in the registry has 31."""
_LINK = re.compile(r'<([^<>]*)>((?:\s*;\s*[^\s;,="<>]+(?:\s*=\s*(?:"[^"]*"|[^\s;,"<>]*))?)*)')
"""A link-value of RFC 8288 section 3: its target and its parameters."""
_REL = re.compile(r';\s*rel\s*=\s*(?:"([^"]*)"|([^\s;,"]*))', re.IGNORECASE)


def lines(response: HttpResponse, tool: Tool, *, bare: bool = False) -> list[str]:
    """One line for each header that is useful to a model; ``bare`` if the answer has only headers.

    Useful are headers that the document describes, and those with the same meaning in every API.
    """
    shown: list[str] = []
    beside = _HEAD_ONLY if bare else _OF_STATUS.get(response.status, {})
    for name, value in response.headers:
        label = _SHOWN.get(name) or tool.headers.get(name) or beside.get(name)
        if name == "link":
            shown += [f"Link {_clean(rel) or 'without rel'}: {_clean(target)}" for rel, target in _links(value)]
        elif label or name.startswith(_SHOWN_PREFIXES):
            shown.append(f"{label or name}: {_clean(value)}")
    return _within_limit(shown)


def status_line(response: HttpResponse) -> str:
    """``404 Not Found``; the standard reason phrase if the API gave none."""
    reason = text.line(response.reason, _REASON_LIMIT)
    return f"{response.status} {reason or _phrase(response.status)}".strip()


def _clean(value: str) -> str:
    return text.visible(value[:_VALUE_LIMIT])


def _within_limit(shown: list[str]) -> list[str]:
    """The first lines that fit, and the number of the others."""
    room = LINES_LIMIT
    for index, line in enumerate(shown):
        room -= len(line) + 1
        if room < 0:
            return [*shown[:index], f"({len(shown) - index} more header lines are left out)"]
    return shown


def redirect_host(response: HttpResponse) -> str | None:
    """The host that ``Location`` names; empty for the host that was asked; None without a readable one."""
    location = response.header("location")
    if location is None:
        return None
    try:
        return urlsplit(location.strip()).netloc.rpartition("@")[2]
    except ValueError:
        return None


def next_link(response: HttpResponse) -> str:
    """The target of a link to the next page; empty if there is none."""
    links = (link for name, value in response.headers if name == "link" for link in _links(value))
    return next((target for rel, target in links if "next" in rel.lower().split()), "")


def _links(value: str) -> Iterator[tuple[str, str]]:
    """The relation and the target of each: ``<https://…?page=2>; rel="next"`` → (``next``, ``https://…?page=2``)."""
    for link in _LINK.finditer(value[: 8 * _VALUE_LIMIT]):
        rel = _REL.search(link[2])
        yield (rel[1] or rel[2] or "") if rel else "", link[1]


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
