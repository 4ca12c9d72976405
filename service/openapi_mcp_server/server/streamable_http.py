"""Streamable HTTP: ``POST /mcp`` as an ASGI application, for every revision of the protocol at once.

The answer is plain JSON, except after a notification (progress), or after 15 seconds of silence, when a proxy might
give up. Then it is a stream of server-sent events that ends with the answer. A client that leaves cancels its call:
revision 2026-07-28 demands it. In earlier revisions the answer could reach nobody either, because nothing is kept for a
session. The answer to ``subscriptions/listen`` is a stream that lasts.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import assert_never

import anyio
import trio

from openapi_mcp_server.bridge.results.event_size import fitted
from openapi_mcp_server.gateway.draft import Draft
from openapi_mcp_server.gateway.gateway import Gateway
from openapi_mcp_server.gateway.serving import Notify
from openapi_mcp_server.mcp.inbound import Batch, Call, Message, Notification, Rejection, from_http
from openapi_mcp_server.mcp.messages import Pieces, size
from openapi_mcp_server.mcp.subscriptions import LISTEN
from openapi_mcp_server.memory import SMALL_BYTES, Hold
from openapi_mcp_server.observe.trace import Carrier
from openapi_mcp_server.server import fields
from openapi_mcp_server.server.asgi import Receive, Scope, Send
from openapi_mcp_server.server.events import EVENT_STREAM, QUIET_SECONDS, comment, event
from openapi_mcp_server.server.posts import (
    CLOSE,
    Arrivals,
    Header,
    Refusal,
    carrier,
    check_form,
    opened,
    reply,
    retry_headers,
    send_pieces,
)
from openapi_mcp_server.server.principals.limits import Limits, calls
from openapi_mcp_server.server.subscribers import Subscribers
from openapi_mcp_server.server.visitors import Entrant, Visitors
from openapi_mcp_server.upstream.soon import Looks


@asynccontextmanager
async def streamable_http(
    gateway: Gateway, visitors: Visitors, draining: Callable[[], bool], limits: Limits | None = None
) -> AsyncIterator[StreamableHttp]:
    """The application with its background tasks, for as long as the context lasts. While ``draining()``, answers close
    connections."""
    async with trio.open_nursery() as tasks:
        app = StreamableHttp(gateway, visitors, draining, limits or Limits(), tasks)
        tasks.start_soon(app.lasting.tend)
        tasks.start_soon(app.subscribers.streams.tend)
        yield app
        tasks.cancel_scope.cancel()


class StreamableHttp:
    """The ASGI application; made by `streamable_http`. ``lasting``: calls in flight. A call that lasts gets a task that
    watches its client. Such a task for every call would cost 75 µs of CPU each."""

    def __init__(
        self, gateway: Gateway, visitors: Visitors, draining: Callable[[], bool], limits: Limits, tasks: trio.Nursery
    ) -> None:
        self._gateway = gateway
        self._visitors = visitors
        self._draining = draining
        self.lasting = Looks(partial(_Exchange.start_watching, tasks=tasks))
        self.limits = limits
        self.subscribers = Subscribers(gateway, draining, limits)
        self._arrivals = Arrivals()

    def drain(self) -> None:
        """Ends what would keep the server until the grace is over: streams, and bodies that do not come."""
        self.subscribers.drain()
        self._arrivals.drain()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        listening = await self._exchange(scope, receive, send)
        if listening is not None:
            await self.subscribers.serve(*listening, receive, send)  # here, where nothing else of it is kept

    async def _exchange(self, scope: Scope, receive: Receive, send: Send) -> tuple[Call, Carrier, str] | None:
        """Answers a message. A call whose answer is a stream that lasts is returned instead."""
        headers = fields.by_name(scope["headers"])
        try:
            entrant = await self._visitors.enter(scope, headers)
        except Refusal as refusal:
            await self._visitors.refuse(send, refusal)
            return None
        try:
            return await self._entered(scope, headers, entrant, receive, send)
        except Refusal as refusal:
            refused = refusal.bare()
        await self._visitors.pauses.wait(entrant.share, headers)
        await self._visitors.refuse(send, refused)
        return None

    async def _entered(
        self, scope: Scope, headers: Mapping[bytes, bytes], entrant: Entrant, receive: Receive, send: Send
    ) -> tuple[Call, Carrier, str] | None:
        _check(scope["method"], headers)
        self.limits.check(entrant.principal)
        with opened(self._gateway.memory, entrant.share) as hold:
            exchange = _Exchange(scope, receive, send, headers, hold, closing=self._draining())
            return await self._answered(scope, exchange, entrant)

    async def _answered(self, scope: Scope, exchange: _Exchange, entrant: Entrant) -> tuple[Call, Carrier, str] | None:
        body = await exchange.read(self._arrivals)
        if body is None:
            return None
        read = partial(from_http, scope["headers"], body)
        message = await self._gateway.read(len(body), read, exchange.hold.client)
        beside = carrier(scope["path"], exchange.headers, entrant.principal, self._visitors.forwarded)
        if isinstance(message, Call) and message.method == LISTEN:
            problem = self.subscribers.refusal(message, entrant, takes_events=exchange.accepted.events)
            if problem is None:
                return message, beside, entrant.share
            message = problem
        if isinstance(message, Rejection):
            await self._visitors.pauses.wait(entrant.share, exchange.headers)
        count = calls(message)
        try:
            self.limits.check(entrant.principal, count)  # first: what is refused here costs nothing of the rate
            await self.limits.spend(entrant.principal, count, entrant.share)
            taken = self.limits.taken(entrant, count)
        except Refusal as refusal:
            raise refusal.of(message) from None
        with taken:
            await self._take(message, exchange, beside)
        return None

    async def _take(self, message: Message | Batch, exchange: _Exchange, beside: Carrier) -> None:
        hold = exchange.hold
        match message:
            case Call():
                ready = self._gateway.at_once(message, "http", beside, hold)
                if ready is None:
                    notify = exchange.notifier()
                    await self._serve(exchange, lambda: self._gateway.called(message, "http", notify, beside, hold))
                else:
                    await exchange.finish(ready)
            case Rejection():
                refused = self._gateway.refuse(message, "http", beside)
                await exchange.reply(message.status, refused, *retry_headers(message.status))
            case Notification():
                await exchange.reply(202, ())
            case Batch():
                if all(isinstance(element, Notification) for element in message.messages):
                    await exchange.reply(202, ())
                else:
                    await self._serve(exchange, lambda: self._gateway.answer_all(message, "http", beside, hold))
            case _:
                assert_never(message)

    async def _serve(self, exchange: _Exchange, answer: Callable[[], Awaitable[Draft | Pieces]]) -> None:
        """A call with its answer: cancelled when the client leaves, kept alive while it is quiet. Its record is written
        when the answer is on its way. For a large answer it is written before, so that nothing else is kept."""
        self.lasting.add(exchange)
        told: Draft | None = None
        try:
            answered = await answer()
            if isinstance(answered, Draft):
                told, answered = answered, answered.answer
                if size(answered) > SMALL_BYTES:
                    told.tell()
                    told = None
            self.lasting.remove(exchange)
            await exchange.finish(answered)
        finally:
            if told is not None:
                told.tell()
            self.lasting.remove(exchange)
            watcher, exchange.watcher = exchange.watcher, None  # else the two hold each other
            if watcher is not None:  # until nobody else reads from this client: its next request does
                await watcher.stop()


def _check(method: str, headers: Mapping[bytes, bytes]) -> None:
    """Checks a message as far as possible without its body."""
    if method != "POST":
        raise Refusal(405, "the MCP endpoint takes POST only; there are no sessions", (b"allow", b"POST"))
    check_form(headers)


class _Exchange:
    """One request and its response. The response is JSON, unless something is sent before the answer."""

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, headers: Mapping[bytes, bytes], hold: Hold, *, closing: bool
    ) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self.headers = headers
        self.hold = hold
        self.accepted = fields.accepted(headers.get(b"accept", b"application/json"))
        self._closing: tuple[Header, ...] = (CLOSE,) if closing else ()
        self._stream: _AnswerInEvents | None = None
        self._done = False
        self.watcher: _Watcher | None = None

    async def read(self, arrivals: Arrivals) -> bytes | None:
        """The whole body; None if the client left before it had sent it."""
        if not self.accepted.json and not self.accepted.events:
            raise Refusal(406, "Accept must list application/json and text/event-stream")
        return await arrivals.read(self._scope, self._receive, self.headers, self.hold)

    async def reply(self, status: int, body: Pieces, *headers: Header) -> None:
        """The whole response."""
        # Set before the last byte goes out: hypercorn reports a disconnect as soon as a response is complete, and
        # must not be cancelled while it readies the connection for the next request. (A stream's writes are shielded.)
        self._done = True
        await reply(self._send, status, body, *headers, *self._closing)

    async def finish(self, answer: Pieces) -> None:
        """Sends the answer, as JSON or as an event of the stream that has begun."""
        if self._stream is None and self.accepted.json:
            await self.reply(200, answer)
        else:
            await self._events().write(event(*fitted(answer)), last=True)

    def notifier(self) -> Notify | None:
        """Sends a notification before the answer. None if the client does not accept events."""
        return self._notify if self.accepted.asks_for_events else None

    async def _notify(self, message: bytes) -> None:
        await self._events().write(event(message))

    def start_watching(self, tasks: trio.Nursery) -> None:
        self.watcher = _Watcher(self._watch, self._scope["abandon"])
        tasks.start_soon(self.watcher.run)

    async def _watch(self) -> None:
        while True:
            with trio.move_on_after(QUIET_SECONDS):
                if (await self._receive())["type"] != "http.disconnect":
                    continue
                if not self._done:
                    self._scope["abandon"]()
                return
            if self.accepted.asks_for_events and not self._done:
                await self._events().write((comment(b"the call is still running"),))

    def _events(self) -> _AnswerInEvents:
        if self._stream is None:
            self._stream = _AnswerInEvents(self._send, [*EVENT_STREAM, *self._closing])
        return self._stream


class _Watcher:
    """A second task of a call, in a nursery that all calls share: a separate nursery would cost each call 20 µs. If the
    task fails, its call fails."""

    def __init__(self, watch: Callable[[], Awaitable[None]], abandon: Callable[[], None]) -> None:
        self._watch = watch
        self._abandon = abandon
        self._scope = trio.CancelScope()
        self._ended = trio.Event()
        self._failure: Exception | None = None

    async def run(self) -> None:
        try:
            with self._scope:
                await self._watch()
        except Exception as error:  # noqa: BLE001 - raised where it belongs
            self._failure = error
            self._abandon()
        finally:
            self._ended.set()

    async def stop(self) -> None:
        self._scope.cancel()
        with trio.CancelScope(shield=True):
            await self._ended.wait()
        if self._failure is not None:
            raise self._failure


class _AnswerInEvents:
    """Server-sent events on one response. Several tasks write, one at a time. No write is cancelled half-way, since the
    server would lose a piece of a chunk that it had already counted."""

    def __init__(self, send: Send, headers: list[Header]) -> None:
        self._send = send
        self._headers = headers
        self._lock = anyio.Lock()
        self._started = False
        self._ended = False

    async def write(self, data: Pieces, *, last: bool = False) -> None:
        with anyio.CancelScope(shield=True):
            async with self._lock:
                if self._ended:
                    return
                if not self._started:
                    self._started = True
                    await self._send({"type": "http.response.start", "status": 200, "headers": self._headers})
                self._ended = last
                await send_pieces(self._send, data, last=last)
