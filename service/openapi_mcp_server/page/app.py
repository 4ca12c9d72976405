"""The page over HTTP: its files, and two answers in JSON for what MCP does not say.

Calls go through ``/mcp`` like those of every other client, so the page can do nothing that a client cannot.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from openapi_mcp_server.bridge.model import ToolCatalog
from openapi_mcp_server.bridge.policy import Permit
from openapi_mcp_server.bridge.reports.report import report_to, sees_all
from openapi_mcp_server.page.activity import Activity
from openapi_mcp_server.page.files import POLICY, TRUSTED, asset
from openapi_mcp_server.server import fields
from openapi_mcp_server.server.app import answer, answer_other_method
from openapi_mcp_server.server.asgi import Receive, Scope, Send
from openapi_mcp_server.server.posts import Header, Refusal
from openapi_mcp_server.server.visitors import Visitors

_FILES = {
    "/": ("page.html", b"text/html; charset=utf-8"),
    "/page/page.css": ("page.css", b"text/css; charset=utf-8"),
    "/page/page.js": ("page.js", b"text/javascript; charset=utf-8"),
}
_ENTRY = "/page/tools/"
_OF_ANYBODY = ("name", "version", "status", "uptime_seconds", "grace_seconds", "reload")
"""The parts of the state that say nothing of others' calls."""
_ISOLATED: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
)
"""No page of another origin gets anything of this one, by whatever element it asks."""
_POLICY = (
    f"{POLICY}; {TRUSTED}; script-src 'self'; style-src 'self'; connect-src 'self'; frame-ancestors 'none'"
).encode()
_FILE_HEADERS: tuple[Header, ...] = (
    (b"content-security-policy", _POLICY),
    (b"x-frame-options", b"DENY"),
    (b"cache-control", b"no-cache"),  # a newer version of the server has a newer page
    *_ISOLATED,
)


class Page:
    """Answers ``/`` and what is below ``/page/``; `follow` comes before the first request."""

    def __init__(self, catalog: ToolCatalog) -> None:
        self._files = {path: (asset(name), kind) for path, (name, kind) in _FILES.items()}
        self.activity = Activity()
        self.load(catalog)

    def follow(self, visitors: Visitors, now: Callable[[], dict[str, Any]]) -> None:
        """``visitors``: who may look; ``now``: what the server says of itself."""
        self._visitors = visitors
        self._now = now

    def load(self, catalog: ToolCatalog) -> None:
        """Takes the tools that are served."""
        self._catalog = catalog

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:  # noqa: ARG002 - an application's
        return self._admit(scope, send)

    async def _admit(self, scope: Scope, send: Send) -> None:
        """The files are the same on every server and say nothing of this one: they ask for the token."""
        headers = fields.by_name(scope["headers"])
        try:
            self._visitors.check(headers)
            if scope["path"] in self._files:
                await self._send_file(scope, send)
                return
            entrant = await self._visitors.enter(scope, headers)
        except Refusal as refusal:
            await self._visitors.refuse(send, refusal)
        else:
            await self._answer(scope, send, entrant.principal.permit)

    async def _send_file(self, scope: Scope, send: Send) -> None:
        if scope["method"] in {"GET", "HEAD"}:
            await _send_file(send, *self._files[scope["path"]])
        else:
            await answer_other_method(send, scope["path"])

    async def _answer(self, scope: Scope, send: Send, permit: Permit) -> None:
        path = scope["path"]
        if scope["method"] not in {"GET", "HEAD"}:
            await answer_other_method(send, path)
        elif (told := self._told(path, permit)) is not None:
            await answer(send, 200, told, *_ISOLATED)
        else:
            await answer(send, 404, {"error": "the page has nothing here"}, *_ISOLATED)

    def _told(self, path: str, permit: Permit) -> dict[str, Any] | None:
        if path == "/page/catalog.json":
            now = self._now()
            return report_to(permit, self._catalog) | {"name": now["name"], "version": now["version"]}
        if path == "/page/health.json":
            return self._health(whole=sees_all(permit))
        tool = self._catalog.tools.get(path.removeprefix(_ENTRY))
        return {"entry": tool.entry} if tool and permit.admits(tool.subject) else None

    def _health(self, *, whole: bool) -> dict[str, Any]:
        """The numbers of calls. They count all callers, so only callers who may call everything see them."""
        now = self._now()
        return now | self.activity.told() if whole else {name: now[name] for name in _OF_ANYBODY if name in now}


async def _send_file(send: Send, body: bytes, kind: bytes) -> None:
    described = [(b"content-type", kind), (b"content-length", b"%d" % len(body)), *_FILE_HEADERS]
    await send({"type": "http.response.start", "status": 200, "headers": described})
    await send({"type": "http.response.body", "body": body})
