"""The worker's HTTP endpoints: MCP, and its state for orchestrators and people."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import Any, Literal

import msgspec

from openapi_mcp_server import __version__
from openapi_mcp_server.bridge.model import ApiSummary, ToolCatalog
from openapi_mcp_server.bridge.policy import Permit
from openapi_mcp_server.server import fields
from openapi_mcp_server.server.access.cors import for_pages
from openapi_mcp_server.server.asgi import App, Receive, Scope, Send
from openapi_mcp_server.server.posts import RETRY_AFTER, Refusal
from openapi_mcp_server.server.principals.guard import METADATA_PATH
from openapi_mcp_server.server.visitors import Visitors

ProcessState = Literal["starting", "ready", "draining"]
PROBES = frozenset({"/livez", "/readyz", "/ping"})
"""Liveness, readiness, and the probe of Amazon Bedrock AgentCore. They need no authentication."""

PERMITS = 64
"""Classes of callers with a partial view, for which that view of the status is kept."""


class Readiness:
    """The phase of the process's life. There is one for the whole process."""

    def __init__(self) -> None:
        self.state: ProcessState = "starting"

    def is_draining(self) -> bool:
        return self.state == "draining"

    def told(self, probe: str) -> tuple[int, dict[str, Any]]:
        """Status and content of the answer to one of `PROBES`. ``/readyz`` tells the time, since a proxy writes its own
        Date. With a wrong clock, tokens and signatures are wrong."""
        if probe == "/livez":
            return 200, {"status": "alive"}
        status = 200 if self.state == "ready" else 503
        if probe == "/ping":
            return status, {"status": "Healthy" if status == 200 else self.state}
        return status, {"status": self.state, "time": formatdate(time.time(), usegmt=True)}


class Starting:
    """The endpoints while the server waits for its documents."""

    def __init__(self) -> None:
        self._readiness = Readiness()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - an application's
        if scope["path"] in PROBES:
            await answer(send, *self._readiness.told(scope["path"]))
        else:
            await answer(send, 503, {"error": "the server is starting"}, RETRY_AFTER)


class Health:
    """The state of the documents and of the store for shared limits, for ``/health``."""

    def __init__(self, catalog: ToolCatalog) -> None:
        self.reload: Callable[[], dict[str, Any]] = dict
        self._shared_state: Callable[[], dict[str, Any]] = dict
        self.load(catalog)

    def load(self, catalog: ToolCatalog) -> None:
        """Takes the catalog that is served."""
        self._catalog = catalog
        self._described = describe(catalog)
        self._by_permit: dict[Permit, dict[str, Any] | None] = {}

    def follow_reloads(self, read: Callable[[], dict[str, Any]]) -> None:
        """``read``: what became of the last one."""
        self.reload = lambda: {"reload": read()}

    def told(self, permit: Permit) -> dict[str, Any]:
        """Everything for callers who may call everything. Others see the APIs of which they may call something."""
        if permit not in self._by_permit:
            if len(self._by_permit) >= PERMITS:
                del self._by_permit[next(iter(self._by_permit))]
            self._by_permit[permit] = self._part(permit)
        part = self._by_permit[permit]
        return self._described | self.reload() | self._shared_state() if part is None else part

    def _part(self, permit: Permit) -> dict[str, Any] | None:
        """The part of the status that a principal with this permit may see; None for everything."""
        apis = Counter(tool.api for tool in self._catalog.tools.values() if permit.admits(tool.subject))
        if apis.total() == len(self._catalog.tools):
            return None
        seen = [api for api in self._catalog.apis if api.name in apis]
        shown = [
            {"name": api.name, "title": api.title, "version": api.version, "tools": apis[api.name]} for api in seen
        ]
        return {"tools": apis.total(), "apis": shown}

    def follow_shared_state(self, is_up: Callable[[], bool]) -> None:
        self._shared_state = lambda: {"shared_state": "up" if is_up() else "down"}


class WorkerApp:
    """Routes by path. A transport that is None is not served."""

    def __init__(
        self, mcp: App | None, health: Health, readiness: Readiness, visitors: Visitors, *, sse: App | None = None
    ) -> None:
        self.page: App | None = None
        self._mcp = mcp
        self._sse = sse
        self._endpoints = " and ".join(path for path, app in (("/mcp", mcp), ("/sse", sse)) if app)
        self._readiness = readiness
        self._health = health
        self._visitors = visitors
        self._metadata = for_pages(self._tell_metadata, visitors)
        self._nothing = for_pages(self._tell_nothing, visitors)
        self._began = time.monotonic()

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["path"] in {"/mcp/", "/sse/"}:  # as some clients' documentation spells them
            scope["path"] = scope["path"][:-1]
        path = scope["path"]
        if path == "/mcp" and self._mcp:
            return self._mcp(scope, receive, send)
        if (path == "/sse" or path.startswith("/messages/")) and self._sse:
            return self._sse(scope, receive, send)
        if path == "/health":
            return self._tell_health(scope, send)
        if self.page and (path == "/" or path.startswith("/page/")):
            return self.page(scope, receive, send)
        if path.startswith(METADATA_PATH) and self._visitors.guard is not None:
            return self._metadata(scope, receive, send)
        return self._tell_probe(scope, send) if path in PROBES else self._nothing(scope, receive, send)

    async def _tell_health(self, scope: Scope, send: Send) -> None:
        """Hides the APIs from strangers, and from web pages that reach this machine under another name."""
        try:
            entrant = await self._visitors.enter(scope, fields.by_name(scope["headers"]))
        except Refusal as refusal:
            await self._visitors.refuse(send, refusal)
        else:
            await self._answer_get(scope, send, 200, self.told() | self._health.told(entrant.principal.permit))

    async def _tell_metadata(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The metadata that says where clients get a token (RFC 9728). It needs no token."""
        headers = fields.by_name(scope["headers"])
        guard = self._visitors.guard
        try:
            self._visitors.check(headers)
        except Refusal as refusal:
            await self._visitors.refuse(send, refusal)
            return
        seen = self._visitors.proxies.seen(scope, headers)
        told = guard.metadata(scope["path"], headers, seen) if guard else None
        if told is None:
            await self._tell_nothing(scope, receive, send)
        elif scope["method"] not in {"GET", "HEAD"}:
            await answer_other_method(send, scope["path"])
        else:
            await answer(send, 200, told)

    async def _tell_probe(self, scope: Scope, send: Send) -> None:
        await self._answer_get(scope, send, *self._readiness.told(scope["path"]))

    async def _tell_nothing(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - an application's
        await answer(send, 404, {"error": f"there is nothing here; MCP is at {self._endpoints}"})

    async def _answer_get(self, scope: Scope, send: Send, status: int, content: dict[str, Any]) -> None:
        if scope["method"] in {"GET", "HEAD"}:
            await answer(send, status, content)
        else:
            await answer_other_method(send, scope["path"])

    def told(self) -> dict[str, Any]:
        """The state of the process, without the documents."""
        return {
            "status": self._readiness.state,
            "version": __version__,
            "uptime_seconds": round(time.monotonic() - self._began, 1),
        }


def describe(catalog: ToolCatalog) -> dict[str, Any]:
    """The numbers of tools and documents. The command ``inspect`` shows the details."""
    return {
        "tools": len(catalog.tools),
        "skipped_operations": len(catalog.skipped),
        "apis": [_api(api, catalog) for api in catalog.apis],
    }


def _api(api: ApiSummary, catalog: ToolCatalog) -> dict[str, Any]:
    return {
        "name": api.name,
        "title": api.title,
        "version": api.version,
        "openapi": api.dialect,
        "tools": api.tools,
        "filtered_operations": api.filtered,
        "skipped_operations": sum(skipped.api == api.name for skipped in catalog.skipped),
        "unmet_security": api.unmet,
        "notes": dict(Counter(note.kind for note in api.notes)),
    }


async def answer_other_method(send: Send, path: str) -> None:
    await answer(send, 405, {"error": f"{path} takes GET"}, (b"allow", b"GET, HEAD"))


async def answer(send: Send, status: int, content: dict[str, Any], *headers: tuple[bytes, bytes]) -> None:
    """Sends a whole answer of JSON."""
    body = msgspec.json.encode(content)
    described = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        *headers,
    ]
    await send({"type": "http.response.start", "status": status, "headers": described})
    await send({"type": "http.response.body", "body": body})
