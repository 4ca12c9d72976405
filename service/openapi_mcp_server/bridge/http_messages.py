"""HTTP messages (RFC 9110): the request of a call, and the response of the API."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

import msgspec

from openapi_mcp_server.bridge.origins import Origin, base_url

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "QUERY"})
"""RFC 9110 section 9.2.1, and QUERY."""
IDEMPOTENT_METHODS = SAFE_METHODS | {"PUT", "DELETE"}
"""RFC 9110 section 9.2.2: two requests have the same effect as one."""


_AFTER_PATH = re.compile("[?#]")
_SENT_AS_WRITTEN = "%/:@!$&'()*+,;=~"
"""RFC 3986 section 3.3. Text that is percent-encoded already stays as it is."""


class HttpRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request, complete except for credentials.

    ``path`` is percent-encoded and begins with a slash; ``query`` is percent-encoded, without the question mark, empty
    for none. Header names have their final spelling; values are latin-1 text. ``body`` None means no body at all.
    ``authority`` is the value of ``Host`` if it is not the origin, used only between our own tasks. ``way`` is the API
    whose own proxy or certificates are used, empty for the general ones. ``secrets`` are the credentials in the
    request, which are hidden in an answer that repeats them.
    """

    method: str
    origin: Origin
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes | None = None
    authority: str = ""
    way: str = ""
    secrets: tuple[str, ...] = ()

    @property
    def target(self) -> str:
        """Origin-form of the request target (RFC 9112 section 3.2.1)."""
        return f"{self.path}?{self.query}" if self.query else self.path

    def __repr__(self) -> str:
        names = ", ".join(name for name, _ in self.headers)
        size = "none" if self.body is None else len(self.body)
        return f"HttpRequest({self.method} {self.origin}{self.path}, headers: {names}, body: {size})"


class HttpResponse(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of the API. Header names are lower case, values latin-1 text.

    ``cut`` says in words why the body is not whole ("after 10 MiB", "at the deadline"); None if it is whole.
    ``retries`` is the number of earlier attempts, ``doubtful`` says whether one of them may have been carried out.
    """

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    cut: str | None = None
    retries: int = 0
    doubtful: bool = False

    def header(self, name: str) -> str | None:
        """The first value of a header; ``name`` in lower case."""
        return next((value for key, value in self.headers if key == name), None)


def request_for(
    url: str, *, method: str = "GET", headers: tuple[tuple[str, str], ...] = (), body: bytes | None = None
) -> HttpRequest:
    """The request for a whole URL; raises ValueError with the reason as `base_url` does."""
    base = base_url(_AFTER_PATH.split(url, maxsplit=1)[0])
    parts = urlsplit(url.strip())
    path, query = quote(parts.path, safe=_SENT_AS_WRITTEN), quote(parts.query, safe=_SENT_AS_WRITTEN + "?")
    return HttpRequest(method=method, origin=base.origin, path=path or "/", query=query, headers=headers, body=body)
