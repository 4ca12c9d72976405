"""The endpoints on a real socket, served as the program serves them, for as long as a test needs them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from trio.testing import wait_all_tasks_blocked

from service.bridge.model import ToolCatalog
from service.edge import hosts, serving
from service.edge.app import Readiness, WorkerApp
from service.edge.posts import Visitors
from service.edge.sse import http_sse
from service.edge.streamable_http import streamable_http
from service.gateway import Gateway

GRACE_SECONDS = 0.5
VISITORS = Visitors(hosts.hosts(hosts.LOOPBACK_HOSTS), hosts.origins(hosts.LOOPBACK_ORIGINS))


@asynccontextmanager
async def served(built: Gateway, path: str = "/mcp") -> AsyncIterator[str]:
    """Yields the URL of the MCP endpoint at this path."""
    listener = serving.bind("127.0.0.1", 0)
    stop = trio.Event()
    nothing = ToolCatalog(apis=(), tools={}, skipped=())
    async with (
        streamable_http(built, VISITORS, draining=lambda: False) as mcp,
        http_sse(built, VISITORS, worker=0) as sse,
        trio.open_nursery() as nursery,
    ):

        async def serve() -> None:
            app = WorkerApp(mcp, nothing, Readiness(), sse=sse)
            await serving.serve(app, listener, until=stop.wait, grace_seconds=GRACE_SECONDS)

        nursery.start_soon(serve)
        await wait_all_tasks_blocked()  # it listens
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}{path}"
        finally:
            sse.drain()
            stop.set()
