"""The endpoint on a real socket, under hypercorn on Trio, for as long as a test needs it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import hypercorn.trio
import trio
from hypercorn.config import Config

from service.edge import hosts
from service.edge.streamable_http import streamable_http
from service.gateway import Gateway


@asynccontextmanager
async def served(built: Gateway) -> AsyncIterator[str]:
    """Yields the URL of the MCP endpoint."""
    config = Config()
    config.bind = ["127.0.0.1:0"]
    config.errorlog = None
    config.graceful_timeout = 0.5
    stop = trio.Event()
    lists = {"hosts": hosts.hosts(hosts.LOOPBACK_HOSTS), "origins": hosts.origins(hosts.LOOPBACK_ORIGINS)}
    async with streamable_http(built, draining=lambda: False, **lists) as endpoint, trio.open_nursery() as nursery:

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                await endpoint(scope, receive, send)
                return
            while (event := await receive())["type"] != "lifespan.shutdown":
                await send({"type": f"{event['type']}.complete"})
            await send({"type": "lifespan.shutdown.complete"})

        serve = partial(hypercorn.trio.serve, app, config, shutdown_trigger=stop.wait)
        binds = await nursery.start(serve)
        try:
            yield f"{binds[0]}/mcp"
        finally:
            stop.set()
