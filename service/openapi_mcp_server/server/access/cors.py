"""CORS, which a web page needs besides an Origin that is allowed: its browser asks first, and shows it no answer that
does not name it (the CORS protocol, WHATWG Fetch section 3.3). MCP clients that run in a page are the reason."""

from __future__ import annotations

from collections.abc import Awaitable, MutableMapping
from typing import Any, Final

from openapi_mcp_server.server import fields
from openapi_mcp_server.server.asgi import App, Receive, Scope, Send
from openapi_mcp_server.server.posts import Header, Refusal
from openapi_mcp_server.server.visitors import Visitors

PREFLIGHT_SECONDS = 7200
"""How long a browser may remember what it was told; none remembers longer than that (Chromium)."""
_TOLD: Final = (
    (b"access-control-allow-methods", b"GET, POST"),
    (b"access-control-allow-headers", b"*, authorization"),  # which the star does not cover
    (b"access-control-max-age", b"%d" % PREFLIGHT_SECONDS),
)


def for_pages(app: App, visitors: Visitors) -> App:
    """An application whose answers pages of allowed origins can read. Requests without Origin are unchanged."""

    def answer(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        pairs: list[Header] = scope["headers"]
        if b"origin" not in dict(pairs):
            return app(scope, receive, send)
        headers = fields.by_name(pairs)
        try:
            visitors.check(headers)
        except Refusal as refusal:
            return visitors.refuse(send, refusal)
        readable = _readable(send, headers[b"origin"])
        if scope["method"] == "OPTIONS" and b"access-control-request-method" in headers:
            return _allow(readable)
        return app(scope, receive, readable)

    return answer


def _readable(send: Send, origin: bytes) -> Send:
    named = ((b"access-control-allow-origin", origin), (b"access-control-expose-headers", b"*"), (b"vary", b"origin"))

    async def send_named(event: MutableMapping[str, Any]) -> None:
        if event["type"] == "http.response.start":
            event = {**event, "headers": [*event["headers"], *named]}
        await send(event)

    return send_named


async def _allow(send: Send) -> None:
    """Every method and header: what they may say is decided when they are sent."""
    await send({"type": "http.response.start", "status": 204, "headers": _TOLD})
    await send({"type": "http.response.body", "body": b""})
