"""The endpoint on a real socket, under hypercorn on Trio, for as long as a test needs it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import trio

from service.edge import hosts, serving
from service.edge.streamable_http import streamable_http
from service.gateway import Gateway


@asynccontextmanager
async def served(built: Gateway) -> AsyncIterator[str]:
    """Yields the URL of the MCP endpoint."""
    listener = serving.bind("127.0.0.1", 0)
    stop = trio.Event()
    lists = {"hosts": hosts.hosts(hosts.LOOPBACK_HOSTS), "origins": hosts.origins(hosts.LOOPBACK_ORIGINS)}
    async with streamable_http(built, draining=stop.is_set, **lists) as endpoint, trio.open_nursery() as nursery:
        nursery.start_soon(partial(serving.serve, endpoint, listener, until=stop.wait, grace_seconds=0.5))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
        finally:
            stop.set()
