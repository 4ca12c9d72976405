"""An API on a raw loopback socket that says, byte for byte, what a test tells it to."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from enum import Enum
from functools import partial, wraps
from typing import Any

import trio
import trio.testing

from openapi_mcp_server.bridge.http_messages import HttpRequest, HttpResponse
from openapi_mcp_server.bridge.origins import Origin
from openapi_mcp_server.errors import UpstreamError
from openapi_mcp_server.upstream.call import Upstream, UpstreamSettings
from openapi_mcp_server.upstream.sockets import TcpDialler

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
NEXT = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext"
MIB = 2**20
KEPT, NOT_KEPT = 1, 2
"""Connections after two calls."""


class Do(Enum):
    CLOSE = "send nothing more and close"
    RESET = "close so that the peer gets a reset"
    HANG = "say nothing until the peer leaves"


Step = bytes | Do | Callable[[], Awaitable[None]]
Reply = tuple[Step, ...]
"""What answers one request, in order."""


class Api:
    """``script[n]`` are the replies on the n-th connection; the last one is played for all further connections.

    A connection whose replies are used up waits for its peer to leave.
    """

    def __init__(self, *script: list[Reply]) -> None:
        self._script = script
        self.origin = Origin("http", "127.0.0.1", 0)
        self.requests: list[bytes] = []
        self.connections = 0
        self.open = 0
        self._one_left = trio.Event()

    async def all_closed(self) -> None:
        """Waits until no connection is left."""
        while self.open:
            self._one_left = trio.Event()
            await self._one_left.wait()

    async def serve(self, stream: trio.abc.Stream) -> None:
        replies = self._script[min(self.connections, len(self._script) - 1)]
        self.connections += 1
        self.open += 1
        try:
            for reply in replies:
                request = await read_request(stream)
                if request is None:
                    return
                self.requests.append(request)
                for step in reply:
                    await play(step, stream)
            await read_request(stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the peer was told to break the connection, or did
        finally:
            self.open -= 1
            self._one_left.set()
            with trio.CancelScope() as scope:
                scope.cancel()
                await stream.aclose()


@asynccontextmanager
async def loopback(*script: list[Reply], tls: ssl.SSLContext | None = None) -> AsyncIterator[Api]:
    """The API, listening; ``tls``: on https://localhost."""
    api = Api(*script)
    async with trio.open_nursery() as nursery:
        if tls is None:
            serve = partial(trio.serve_tcp, api.serve, 0, host="127.0.0.1")
        else:
            serve = partial(trio.serve_ssl_over_tcp, api.serve, 0, tls, host="127.0.0.1")
        (listener, *_) = await nursery.start(serve)
        transport = listener.transport_listener if isinstance(listener, trio.SSLListener) else listener
        port = transport.socket.getsockname()[1]
        api.origin = Origin("https", "localhost", port) if tls else Origin("http", "127.0.0.1", port)
        yield api
        nursery.cancel_scope.cancel()


async def read_request(stream: trio.abc.Stream) -> bytes | None:
    """One whole request; None where the peer leaves instead."""
    received = b""
    while b"\r\n\r\n" not in received:
        piece = await stream.receive_some()
        if not piece:
            return None
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    while len(body) < length:
        piece = await stream.receive_some()
        if not piece:
            return None
        body += piece
    return head + b"\r\n\r\n" + body


async def play(step: Step, stream: trio.abc.Stream) -> None:
    match step:
        case bytes():
            await stream.send_all(step)
        case Do.CLOSE:
            await stream.aclose()
        case Do.RESET:
            assert isinstance(stream, trio.SocketStream)
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            await stream.aclose()
        case Do.HANG:
            while await stream.receive_some():
                pass
        case _:
            await step()


def get(origin: Origin, path: str = "/pets", method: str = "GET", body: bytes | None = None) -> HttpRequest:
    return HttpRequest(method=method, origin=origin, path=path, query="", headers=(), body=body)


def chunked(*pieces: bytes, headers: bytes = b"", end: bytes = b"0\r\n\r\n") -> bytes:
    body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + headers + b"\r\n" + body + end


def sized(body: bytes, headers: bytes = b"", status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n%b\r\n%b" % (status, len(body), headers, body)


def client(**settings: Any) -> Upstream:
    """One that does not try again unless it is told to: what it does with one attempt shows."""
    return Upstream(TcpDialler(), UpstreamSettings(**{"retries": 0, **settings}))


async def send(one: Upstream, request: HttpRequest, seconds: float = 10) -> HttpResponse:
    with trio.fail_after(20):  # a wrong one hangs: the suite must not
        return await one.send(request, deadline_seconds=seconds)


def clocked(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Real sockets under a clock that jumps once nothing moves any more: pauses and timeouts take no time."""

    @wraps(test)
    def run(*args: Any, **named: Any) -> None:
        trio.run(partial(test, *args, **named), clock=trio.testing.MockClock(autojump_threshold=0.01))

    return run


async def outcome(one: Upstream, *args: Any, seconds: float = 60, **named: Any) -> HttpResponse | UpstreamError:
    """What became of the request that `get` makes of the other arguments."""
    try:
        return await one.send(get(*args, **named), deadline_seconds=seconds)
    except UpstreamError as error:
        return error


def failing(status: bytes, headers: bytes = b"") -> Reply:
    return (sized(b"no", headers, status),)
