"""The protocol of requests that are not ordinary: hypercorn's, on h11. Only this module uses hypercorn.

It is imported at the first such request. hypercorn brings HTTP/2, WebSocket and `multiprocessing`: a seventh of a
start.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

import h11
import trio
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.events import Request
from hypercorn.protocol.h11 import STREAM_ID, H11Protocol
from hypercorn.protocol.http_stream import HTTPStream
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState, H11SendableEvent

from openapi_mcp_server.server.asgi import App, Peer, Receive, Scope, run_app
from openapi_mcp_server.upstream.http11 import FreeingH11

HEADER_BYTES = 64 * 1024
"""All headers of a request; tokens of 9 kB and more are real."""
READ_AHEAD_EVENTS = 10
"""Pieces of a body that wait for the application. When there are so many, the client waits."""
_ABSOLUTE = re.compile(rb"https?://([^/?#@]+)(/[^#]*|\?[^#]*|)", re.IGNORECASE)
REQUESTS_PER_CONNECTION = 1_000_000
"""hypercorn closes a connection after 1,000 requests by default; a proxy's connections are meant to stay."""

Put = Callable[[MutableMapping[str, Any]], Awaitable[None]]
GoOn = Callable[[], Awaitable[None]]


class OwnConnection(Protocol):
    """The interface of a client's connection for its protocol."""

    async def write(self, data: bytes) -> None:
        """Sends to the client."""

    def become_idle(self, *, idle: bool) -> None:
        """An answer is complete, or a request has begun."""

    def end(self, *, is_sending: bool) -> None:
        """Ends writing. The client may still be sending."""


class Protocols:
    """The values that the protocols of all connections share, until ``stopping``."""

    def __init__(self, app: App, stopping: trio.Event) -> None:
        self._app = app
        self._config = _config()
        self._context = WorkerContext(None)
        self._context.terminated = stopping  # type: ignore[assignment]  # only asked whether it is set

    def made(self, own: OwnConnection, tasks: trio.Nursery, client: Peer, server: Peer) -> Http11:
        """The protocol of one connection."""
        return Http11(
            self._app,  # only handed on to `_Applications`
            self._config,
            self._context,
            _Applications(tasks),  # it has the one method that is called
            ConnectionState({}),
            client,
            server,
            own,
        )


def _config() -> Config:
    """Every setting by attribute: a misspelt key of a mapping would go unnoticed."""
    config = Config()
    config.keep_alive_max_requests = REQUESTS_PER_CONNECTION
    config.h11_max_incomplete_size = HEADER_BYTES
    config.include_server_header = False
    config.accesslog = None
    config.errorlog = logging.getLogger(__name__)
    config.errorlog.setLevel(logging.WARNING)
    return config


class Http11(H11Protocol):
    """hypercorn's protocol without upgrades from HTTP/1.1, and with one write for data that goes out together."""

    def __init__(  # noqa: PLR0913, PLR0917 - hypercorn's
        self,
        app: Any,  # noqa: ANN401 - hypercorn wraps applications
        config: Config,
        context: WorkerContext,
        tasks: Any,  # noqa: ANN401 - `_Applications`, for hypercorn a group of tasks
        state: ConnectionState,
        client: Peer,
        server: Peer,
        own: OwnConnection,
    ) -> None:
        super().__init__(app, config, context, tasks, state, False, client, server, self.send)  # noqa: FBT003 - no TLS
        del self.send  # the method stays; in itself it would be a circle, which only the collector finds
        self.connection = FreeingH11(h11.SERVER, max_incomplete_event_size=config.h11_max_incomplete_size)
        self._own = own
        self._applications: _Applications = tasks
        self._head = b""

    @property
    def has_begun(self) -> bool:
        """Whether a part of the next request is there."""
        return bool(self.connection.trailing_data[0])

    async def take(self, data: bytes) -> None:
        """Reads what the client has sent."""
        await self.handle(RawData(data))

    async def leave(self) -> None:
        """Called when the client has left or is given up."""
        await self.handle(Closed())

    async def send(self, event: Event) -> None:
        """Carries out what the protocol asks for."""
        if isinstance(event, RawData):
            await self._own.write(event.data)
        elif isinstance(event, Updated):
            self._own.become_idle(idle=event.idle)
        elif isinstance(event, Closed):
            self._own.end(is_sending=self.connection.their_state in {h11.SEND_BODY, h11.ERROR})
            await self.leave()

    async def _create_stream(self, request: h11.Request) -> None:
        """``Upgrade`` is ignored, as RFC 9110 section 7.8 lets a server do."""
        addressed = _addressed(request)
        if addressed is None or _is_ambiguous(request):
            await self._refuse(400)
            return
        if not request.http_version.startswith(b"1."):  # h11 takes the preface of HTTP/2 for a request
            await self._refuse(505)
            return
        headers, target = addressed
        self.stream = HTTPStream(
            self.app,
            self.config,
            self.context,
            self.task_group,
            self.ssl,
            self.client,
            self.server,
            self.stream_send,
            STREAM_ID,
        )
        if self.connection.they_are_waiting_for_100_continue:
            self._applications.go_on = self._go_on
        await self.stream.handle(
            Request(
                stream_id=STREAM_ID,
                headers=headers,
                http_version=request.http_version.decode(),
                method=request.method.decode(),
                raw_path=target,
                state=self.connection_state,
            )
        )
        self.keep_alive_requests += 1

    async def _go_on(self) -> None:
        """The application wants the body, so a client that waits for 100 Continue gets it. A client that is refused by
        its head does not (RFC 9110 section 10.1.1)."""
        if self.connection.they_are_waiting_for_100_continue:
            await self.send(RawData(self.connection.send(h11.InformationalResponse(status_code=100, headers=[]))))

    async def _refuse(self, status: int) -> None:
        await self._send_error_response(status)
        await self.send(Closed())

    async def _check_protocol(self, event: h11.Request) -> None:
        """Does nothing: only HTTP/1.1 is supported."""

    async def _send_h11_event(self, event: H11SendableEvent) -> None:
        """Holds back the head of an answer until the next part follows, which is soon. hypercorn sends 100 Continue as
        soon as it has read a head; here the application decides."""
        if type(event) is h11.InformationalResponse:
            return
        if type(event) is h11.Response and self._ends_the_connection():
            event = _saying_close(event)
        try:
            data = self.connection.send(event)
        except h11.LocalProtocolError:
            if self.connection.their_state is not h11.ERROR:
                raise
            return
        if type(event) is h11.Response:
            self._head = data
            return
        data, self._head = self._head + data, b""
        if data:
            await self.send(RawData(data))

    def _ends_the_connection(self) -> bool:
        """Whether no request can follow: nobody reads the rest of this one's body, or the process stops."""
        return self.connection.their_state is h11.SEND_BODY or self.context.terminated.is_set()


def _saying_close(head: h11.Response) -> h11.Response:
    """Adds Connection: close (RFC 9112 section 9.6). Without it, a client would send its next request into a closed
    connection."""
    others = [(name, value) for name, value in head.headers if name != b"connection"]
    return h11.Response(status_code=head.status_code, headers=[*others, (b"connection", b"close")])


class _Applications:
    """Starts the application for each request; stands in for hypercorn's TaskGroup."""

    def __init__(self, tasks: trio.Nursery) -> None:
        self._tasks = tasks
        self.go_on: GoOn | None = None  # for the next request

    async def spawn_app(self, app: App, _: Config, scope: Scope, send: Callable[[Any], Awaitable[None]]) -> Put:
        """Returns the function that takes the events for the application."""

        async def can_be_abandoned(scope: Scope, receive: Receive, send: Callable[[Any], Awaitable[None]]) -> None:
            with trio.CancelScope() as answering:
                await app({**scope, "whole_body": _in_pieces, "abandon": answering.cancel}, receive, send)

        inbox = _Inbox(self.go_on)
        self.go_on = None
        self._tasks.start_soon(run_app, can_be_abandoned, scope, inbox.receive, send)
        return inbox.put


def _in_pieces() -> None:
    """h11 gives bodies in pieces."""


class _Inbox:
    """The events of one request, from the connection's task to the application's. A memory channel is 1 kB larger."""

    __slots__ = ("_changed", "_events", "_go_on", "_has_left")

    def __init__(self, go_on: GoOn | None) -> None:
        self._go_on = go_on  # until the body is wanted
        self._events: list[MutableMapping[str, Any]] = []
        self._has_left = False
        self._changed = trio.Event()

    async def put(self, event: MutableMapping[str, Any]) -> None:
        """Waits for room, so that the client waits, too. Data that a client did not send before it left is ignored."""
        if event["type"] == "http.disconnect":
            self._has_left = True
        while len(self._events) >= READ_AHEAD_EVENTS and not self._has_left:
            self._changed = trio.Event()
            await self._changed.wait()
        if not self._has_left:
            self._events.append(event)
        self._changed.set()

    async def receive(self) -> MutableMapping[str, Any]:
        while not self._events:
            if self._has_left:
                await trio.lowlevel.checkpoint()
                return {"type": "http.disconnect"}
            if self._go_on is not None:
                go_on, self._go_on = self._go_on, None
                await go_on()
                continue
            self._changed = trio.Event()
            await self._changed.wait()
        if len(self._events) == READ_AHEAD_EVENTS:
            self._changed.set()
        return self._events.pop(0)


def _addressed(request: h11.Request) -> tuple[list[tuple[bytes, bytes]], bytes] | None:
    """The headers, and the target as a path. A whole URL is accepted, and its host replaces ``Host`` (RFC 9112 section
    3.2.2). None for any other form of target."""
    headers: list[tuple[bytes, bytes]] = list(request.headers)
    if request.target.startswith((b"/", b"*")):
        return headers, request.target
    url = _ABSOLUTE.fullmatch(request.target)
    if url is None:
        return None
    path = url[2] if url[2].startswith(b"/") else b"/" + url[2]
    return [(b"host", url[1]), *(header for header in headers if header[0] != b"host")], path


def _is_ambiguous(request: h11.Request) -> bool:
    """Whether a proxy may have seen another end of the body, which allows to smuggle a second request (RFC 9112
    sections 6.1 and 11.2)."""
    names = {name for name, _ in request.headers}
    return b"transfer-encoding" in names and (b"content-length" in names or request.http_version == b"1.0")
