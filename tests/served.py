"""The endpoint on a real socket, served as the program serves it, for as long as a test needs it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from trio.testing import wait_all_tasks_blocked

from service.edge import hosts, serving
from service.edge.streamable_http import streamable_http
from service.gateway import Gateway

GRACE_SECONDS = 0.5


@asynccontextmanager
async def served(built: Gateway) -> AsyncIterator[str]:
    """Yields the URL of the MCP endpoint."""
    listener = serving.bind("127.0.0.1", 0)
    stop = trio.Event()
    lists = {"hosts": hosts.hosts(hosts.LOOPBACK_HOSTS), "origins": hosts.origins(hosts.LOOPBACK_ORIGINS)}
    async with streamable_http(built, draining=lambda: False, **lists) as endpoint, trio.open_nursery() as nursery:

        async def serve() -> None:
            await serving.serve(endpoint, listener, until=stop.wait, grace_seconds=GRACE_SECONDS)

        nursery.start_soon(serve)
        await wait_all_tasks_blocked()  # it listens
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
        finally:
            stop.set()
