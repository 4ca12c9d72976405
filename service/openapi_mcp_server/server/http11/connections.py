"""HTTP/1.1 on our own socket.

Ordinary requests are answered in their connection's own task (`ordinary`). hypercorn's protocol (h11, ASGI) carries all
others (`any_request`). Its Trio worker is not used, for these reasons (0.18):

- a write to a client that does not read has no deadline, and so the stop has none;
- an answer given before the whole body was read (403, 413, 415) waits for room in a queue that nobody reads any
  more: its task and its connection stay for ever, even when the client has left;
- upgrades to HTTP/2 and WebSocket are taken, past whatever checked HTTP/1.1 in front;
- every request starts and cancels a timer's task and is answered in three writes, nearly half of its CPU.
"""

from __future__ import annotations

import logging
import math
import resource
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from functools import partial

import trio

from openapi_mcp_server.server import ports
from openapi_mcp_server.server.asgi import App
from openapi_mcp_server.server.http11.accepting import accept_all
from openapi_mcp_server.server.http11.connection import KEEP_ALIVE_SECONDS, ClientConnection, ServerState

TEND_SECONDS = 0.25
"""The least time between two looks for connections that are idle for too long."""
DESCRIPTORS = 65_536
"""How many descriptors this process asks the system for: one for each client's connection, and one for its call's
connection to the API. The usual soft limit of 1,024 is less than the sessions of HTTP+SSE alone."""

logger = logging.getLogger(__name__)


async def serve(
    app: App, listener: socket.socket, *, until: Callable[[], Awaitable[None]], grace_seconds: float
) -> None:
    """Serves until ``until()`` returns. Then it accepts nothing more and waits for calls in flight, at most so long."""
    _claim_descriptors()
    ports.listen(listener)
    connections = _Connections(app)

    def take(stream: trio.SocketStream) -> None:
        tasks.start_soon(connections.serve, stream)

    accept = partial(accept_all, trio.SocketListener(trio.socket.from_stdlib_socket(listener)))
    async with trio.open_nursery() as tasks:
        tasks.start_soon(connections.close_idle)
        try:
            with listener.dup() as queue:  # what clients see stays open until nobody waits in it
                async with trio.open_nursery() as accepting:
                    accepting.start_soon(accept, take)
                    await until()
                    accepting.cancel_scope.cancel()
                for stream in _waiting(queue):
                    take(stream)
            await connections.drain(grace_seconds)
        finally:
            connections.abort()
        tasks.cancel_scope.cancel()


def _claim_descriptors() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _waiting(queue: socket.socket) -> Iterator[trio.SocketStream]:
    """Accepts the connections that still wait in the queue: closing the listener would reset them with their requests.
    If no descriptor is left, they are lost."""
    queue.settimeout(0)
    with suppress(OSError):
        while True:
            yield trio.SocketStream(trio.socket.from_stdlib_socket(queue.accept()[0]))


class _Connections:
    """All connections that are open."""

    def __init__(self, app: App) -> None:
        self._state = ServerState(app)
        self._open: set[ClientConnection] = set()
        self._all_closed = trio.Event()

    async def serve(self, stream: trio.SocketStream) -> None:
        connection = ClientConnection(self._state, stream)
        self._open.add(connection)
        try:
            await connection.serve()
        except Exception:  # of this client alone; without descriptors, an import for the first unusual request fails
            logger.exception("a connection failed")
        finally:
            stream.socket.close()  # closing the stream costs 20 µs, for a cancellation that is caught
            self._open.discard(connection)
            if self._state.is_stopping and not self._open:
                self._all_closed.set()

    async def close_idle(self) -> None:
        """Closes connections that are idle for too long. It runs for ever, since a timer for each request took 3 % of a
        call."""
        while True:
            now = trio.current_time()
            for connection in self._open:
                if connection.idle_until <= now:
                    connection.end_reading()
            next_one = min((each.idle_until for each in self._open), default=math.inf)
            await trio.sleep_until(min(max(next_one, now + TEND_SECONDS), now + KEEP_ALIVE_SECONDS))

    async def drain(self, grace_seconds: float) -> None:
        """Waits until every connection has had its answer, or the grace is over."""
        self._state.stop()
        for _ in range(2):  # what was accepted last enters the set: Trio runs the tasks of one round in any order
            await trio.lowlevel.checkpoint()
        for connection in self._open:
            connection.dismiss()
        if self._open:
            with trio.move_on_after(grace_seconds):
                await self._all_closed.wait()

    def abort(self) -> None:
        for connection in self._open:
            connection.abort()
