"""An ASGI application behind our own connections, on a loopback port."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from openapi_mcp_server.server import ports
from openapi_mcp_server.server.asgi import App
from openapi_mcp_server.server.http11 import connections


class Server:
    """Serves an application until `stop` is called."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.stopping = trio.Event()
        self.stopped = trio.Event()

    async def connect(self) -> trio.SocketStream:
        return await trio.open_tcp_stream("127.0.0.1", self.port)

    async def ask(self, request: bytes) -> bytes:
        """Everything that comes back until the server closes."""
        async with await self.connect() as stream:
            await stream.send_all(request)
            return await rest(stream)


@asynccontextmanager
async def serving_app(app: App, *, grace_seconds: float = 5) -> AsyncIterator[Server]:
    listener = ports.bind("127.0.0.1", 0)
    server = Server(listener.getsockname()[1])

    async def serve() -> None:
        await connections.serve(app, listener, until=server.stopping.wait, grace_seconds=grace_seconds)
        server.stopped.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        await wait_all_tasks_blocked()
        yield server
        server.stopping.set()


async def rest(stream: trio.SocketStream) -> bytes:
    received = bytearray()
    while data := await stream.receive_some():
        received += data
    return bytes(received)


def run(test: Callable[[], Awaitable[Any]], clock: MockClock | None = None, *, seconds: float = 20) -> Any:
    """Fails after so many ``seconds``, or after 10,000 on a ``clock`` that jumps."""

    async def bounded() -> Any:
        with trio.fail_after(10_000 if clock else seconds):
            return await test()

    return trio.run(bounded, clock=clock)
