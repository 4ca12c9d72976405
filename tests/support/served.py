"""The endpoints on a real socket, served as the program serves them, for as long as a test needs them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import trio
from trio.testing import wait_all_tasks_blocked

from openapi_mcp_server.bridge.model import ToolCatalog
from openapi_mcp_server.bridge.policy import Principal
from openapi_mcp_server.gateway.gateway import Gateway
from openapi_mcp_server.server import ports
from openapi_mcp_server.server.access import hosts
from openapi_mcp_server.server.access.cors import for_pages
from openapi_mcp_server.server.app import Health, Readiness, WorkerApp
from openapi_mcp_server.server.http11 import connections
from openapi_mcp_server.server.principals.pauses import Pauses
from openapi_mcp_server.server.principals.turns import Turns
from openapi_mcp_server.server.sse.http_sse import HttpSse, http_sse
from openapi_mcp_server.server.streamable_http import StreamableHttp, streamable_http
from openapi_mcp_server.server.visitors import Visitors

GRACE_SECONDS = 0.5
VISITORS = Visitors(hosts.hosts(hosts.LOOPBACK_HOSTS), hosts.origins(hosts.LOOPBACK_ORIGINS))


def unknown(visitors: Visitors = VISITORS) -> Visitors:
    """Visitors of whom nothing is remembered. Those of all tests have one address: after twenty refusals in any tests,
    further ones in others would be held back for a second each."""
    return msgspec.structs.replace(visitors, pauses=Pauses(), turns=Turns())


async def verify(token: bytes) -> Principal:
    """Whoever has a token is called by it."""
    return Principal(key=f"token {token.decode()}", name=token.decode())


class Endpoint:
    """Everything that is served over HTTP, on one port."""

    def __init__(self, port: int, mcp: StreamableHttp, sse: HttpSse, readiness: Readiness) -> None:
        self.port = port
        self.readiness = readiness
        self.mcp = mcp
        self.sse = sse

    def drain(self) -> None:
        """What the program does to streams when it stops."""
        self.mcp.drain()
        self.sse.drain()


@asynccontextmanager
async def endpoint(
    built: Gateway, visitors: Visitors = VISITORS, grace_seconds: float = GRACE_SECONDS
) -> AsyncIterator[Endpoint]:
    listener = ports.bind("127.0.0.1", 0)
    stop = trio.Event()
    visitors = unknown(visitors)
    nothing = Health(ToolCatalog(apis=(), tools={}, skipped=()))
    readiness = Readiness()
    async with (
        streamable_http(built, visitors, draining=readiness.is_draining) as mcp,
        http_sse(built, visitors, worker=0) as sse,
        trio.open_nursery() as nursery,
    ):

        async def serve() -> None:
            app = WorkerApp(for_pages(mcp, visitors), nothing, readiness, visitors, sse=for_pages(sse, visitors))
            await connections.serve(app, listener, until=stop.wait, grace_seconds=grace_seconds)

        nursery.start_soon(serve)
        await wait_all_tasks_blocked()  # it listens
        running = Endpoint(listener.getsockname()[1], mcp, sse, readiness)
        try:
            yield running
        finally:
            running.drain()
            stop.set()


@asynccontextmanager
async def served(built: Gateway, path: str = "/mcp") -> AsyncIterator[str]:
    """Yields the URL of the MCP endpoint at this path."""
    async with endpoint(built) as running:
        yield f"http://127.0.0.1:{running.port}{path}"
