"""Streamable HTTP: ``POST /mcp`` as an ASGI application, for every revision of the protocol at once.

The answer is plain JSON unless something has to be said before it (progress), or nothing was said for 15 seconds and
a proxy might give up: then it is a stream of server-sent events that ends with the answer. A client that leaves
cancels its call: 2026-07-28 demands it, and in earlier revisions the answer could reach nobody either, because
nothing is kept for a session.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final, assert_never

import anyio
from anyio.abc import TaskGroup

from service.edge.hosts import HostList, OriginList
from service.edge.serving import Receive, Scope, Send
from service.gateway import Gateway, Notify
from service.mcp.inbound import Batch, Call, Message, Notification, Rejection, from_http
from service.mcp.messages import INVALID_REQUEST, error_response

BODY_BYTES = 4 * 1024 * 1024
"""Of a request. Larger than any argument a model writes; the proxy's configuration has the same number."""
BODY_SECONDS = 30.0
"""For the whole body to arrive; clients send a message at once."""
QUIET_SECONDS = 15.0
"""Silence after which a comment is sent: a quarter of the usual idle time of load balancers (60 s)."""
TEND_SECONDS = 0.25
"""How often new calls get a task that watches their client. Starting one for every call cost 75 µs of CPU each, and
nearly all calls are over before; a client that leaves is noticed this much later at most."""

Header = tuple[bytes, bytes]

_JSON: Final[Header] = (b"content-type", b"application/json")
_CLOSE: Final[Header] = (b"connection", b"close")
_EVENT_STREAM: Final[tuple[Header, ...]] = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # without it nginx holds a stream back
)
_JSON_TYPES = frozenset({b"application/json", b"application/json;charset=utf-8", b'application/json;charset="utf-8"'})


@asynccontextmanager
async def streamable_http(
    gateway: Gateway, *, hosts: HostList, origins: OriginList, draining: Callable[[], bool]
) -> AsyncIterator[StreamableHttp]:
    """The application, tended for as long as the context lasts. While ``draining()``, answers close connections."""
    app = StreamableHttp(gateway, hosts, origins, draining)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(app.tend)
        yield app
        tasks.cancel_scope.cancel()


class StreamableHttp:
    """The ASGI application; made by `streamable_http`."""

    def __init__(self, gateway: Gateway, hosts: HostList, origins: OriginList, draining: Callable[[], bool]) -> None:
        self._gateway = gateway
        self._hosts = hosts
        self._origins = origins
        self._draining = draining
        self._young: set[_Exchange] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        pairs: list[Header] = scope["headers"]
        headers = dict(pairs)
        exchange = _Exchange(receive, send, headers, closing=self._draining())
        try:
            self._check(scope["method"], headers)
            body = await exchange.read()
        except _Refusal as refusal:
            await exchange.refuse(refusal)
            return
        if body is not None:
            await self._take(from_http(pairs, body), exchange)

    async def tend(self) -> None:
        """Gives every call that is not over yet its watcher. Runs beside the server for ever."""
        while True:
            await anyio.sleep(TEND_SECONDS)
            young, self._young = self._young, set()
            for exchange in young:
                exchange.start_watching()

    def _check(self, method: str, headers: Mapping[bytes, bytes]) -> None:
        """What can be said without the body: who may ask at all first, then how."""
        if not self._hosts.admits(headers.get(b"host", b"").decode("latin-1")):
            raise _Refusal(
                421, "this server does not answer for the Host of the request; its operator can add it to ALLOWED_HOSTS"
            )
        if b"origin" in headers and not self._origins.admits(headers[b"origin"].decode("latin-1")):
            raise _Refusal(403, "requests from this Origin are not allowed; the operator can add it to ALLOWED_ORIGINS")
        if method != "POST":
            raise _Refusal(405, "the MCP endpoint takes POST only; there are no sessions", (b"allow", b"POST"))
        if headers.get(b"content-type", b"").lower().replace(b" ", b"") not in _JSON_TYPES:
            raise _Refusal(415, "the Content-Type must be application/json, in UTF-8")
        if headers.get(b"content-encoding", b"identity") != b"identity":
            raise _Refusal(415, "the body must not be compressed", (b"accept-encoding", b"identity"))
        if headers.get(b"expect", b"100-continue").lower() != b"100-continue":
            raise _Refusal(417, "the only expectation that is met is 100-continue")

    async def _take(self, message: Message | Batch, exchange: _Exchange) -> None:
        match message:
            case Rejection():
                await exchange.reply(message.status, self._gateway.refuse(message, "http"))
            case Notification():
                await exchange.reply(202, b"")
            case Call():
                ready = self._gateway.at_once(message, "http")
                if ready is None:
                    await self._serve(exchange, lambda: self._gateway.answer(message, "http", exchange.notifier()))
                else:
                    await exchange.finish(ready)
            case Batch():
                if all(isinstance(element, Notification) for element in message.messages):
                    await exchange.reply(202, b"")
                else:
                    await self._serve(exchange, lambda: self._gateway.answer_all(message, "http"))
            case _:
                assert_never(message)

    async def _serve(self, exchange: _Exchange, answer: Callable[[], Awaitable[bytes]]) -> None:
        """An answer that has to be waited for: cancelled when the client leaves, kept alive while it is quiet."""
        async with anyio.create_task_group() as tasks:
            exchange.tasks = tasks
            self._young.add(exchange)
            try:
                answered = await answer()
            finally:
                self._young.discard(exchange)
            await exchange.finish(answered)
            tasks.cancel_scope.cancel()


class _Refusal(Exception):
    """The exchange ends with this status before any message is looked at."""

    def __init__(self, status: int, problem: str, *headers: Header) -> None:
        super().__init__(problem)
        self.status = status
        self.problem = problem
        self.headers = headers


class _Exchange:
    """One request and its response, which is JSON until something has to be sent before the answer."""

    def __init__(self, receive: Receive, send: Send, headers: Mapping[bytes, bytes], *, closing: bool) -> None:
        accept = headers.get(b"accept", b"application/json").lower()
        self._receive = receive
        self._send = send
        self._declared = int(headers.get(b"content-length", b"0"))  # h11 lets nothing but digits through
        self._takes_json = any(known in accept for known in (b"application/json", b"*/*", b"application/*"))
        self._takes_events = b"text/event-stream" in accept
        self._closing: tuple[Header, ...] = (_CLOSE,) if closing else ()
        self._stream: _EventStream | None = None
        self._done = False
        self.tasks: TaskGroup | None = None

    async def read(self) -> bytes | None:
        """The whole body; None if the client left before it had sent it."""
        if not self._takes_json and not self._takes_events:
            raise _Refusal(406, "Accept must list application/json and text/event-stream")
        if self._declared > BODY_BYTES:
            raise _too_large()
        body = bytearray()
        with anyio.move_on_after(BODY_SECONDS):
            while True:
                event = await self._receive()
                if event["type"] == "http.disconnect":
                    return None
                body += event.get("body", b"")
                if len(body) > BODY_BYTES:
                    raise _too_large()
                if not event.get("more_body", False):
                    return bytes(body)
        raise _Refusal(408, f"the body did not arrive within {BODY_SECONDS:g} s")

    async def refuse(self, refusal: _Refusal) -> None:
        self._closing = (_CLOSE,)  # what is left of the body is not worth reading
        await self.reply(refusal.status, error_response(None, INVALID_REQUEST, refusal.problem), *refusal.headers)

    async def reply(self, status: int, body: bytes, *headers: Header) -> None:
        """The whole response at once."""
        # Set before the last byte goes out: hypercorn reports a disconnect as soon as a response is complete, and
        # must not be cancelled while it readies the connection for the next request. (A stream's writes are shielded.)
        self._done = True
        described = (_JSON,) if body else ()
        length = (b"content-length", b"%d" % len(body))
        everything = [*described, length, *headers, *self._closing]
        await self._send({"type": "http.response.start", "status": status, "headers": everything})
        await self._send({"type": "http.response.body", "body": body})

    async def finish(self, answer: bytes) -> None:
        """The answer, in the way that the exchange has taken."""
        if self._stream is None and self._takes_json:
            await self.reply(200, answer)
        else:
            await self._events().write(_event(answer), last=True)

    def notifier(self) -> Notify | None:
        """Sends a notification before the answer; None where the client takes no events."""
        return self._notify if self._takes_events else None

    async def _notify(self, message: bytes) -> None:
        await self._events().write(_event(message))

    def start_watching(self) -> None:
        if self.tasks is not None:
            self.tasks.start_soon(self._watch, self.tasks)

    async def _watch(self, tasks: TaskGroup) -> None:
        while True:
            with anyio.move_on_after(QUIET_SECONDS):
                event = await self._receive()
                if event["type"] != "http.disconnect":
                    continue
                if not self._done:
                    tasks.cancel_scope.cancel()
                return
            if self._takes_events and not self._done:
                await self._events().write(b": the call is still running\n\n")

    def _events(self) -> _EventStream:
        if self._stream is None:
            self._stream = _EventStream(self._send, [*_EVENT_STREAM, *self._closing])
        return self._stream


class _EventStream:
    """Server-sent events on one response. Several tasks write, so one at a time, and none is cancelled half-way: the
    server would lose a piece of a chunk that it had already counted."""

    def __init__(self, send: Send, headers: list[Header]) -> None:
        self._send = send
        self._headers = headers
        self._lock = anyio.Lock()
        self._started = False
        self._ended = False

    async def write(self, data: bytes, *, last: bool = False) -> None:
        with anyio.CancelScope(shield=True):
            async with self._lock:
                if self._ended:
                    return
                if not self._started:
                    self._started = True
                    await self._send({"type": "http.response.start", "status": 200, "headers": self._headers})
                self._ended = last
                await self._send({"type": "http.response.body", "body": data, "more_body": not last})


def _event(message: bytes) -> bytes:
    return b"event: message\ndata: %b\n\n" % message


def _too_large() -> _Refusal:
    return _Refusal(413, f"a message may have {BODY_BYTES // 1024 // 1024} MiB")
