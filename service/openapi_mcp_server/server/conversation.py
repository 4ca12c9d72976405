"""The unanswered requests of one client on a lasting connection: stdio, and HTTP with SSE."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import assert_never

import trio
from anyio.abc import TaskGroup

from openapi_mcp_server.gateway.gateway import Gateway
from openapi_mcp_server.mcp.inbound import Batch, Call, Message, Notification, Rejection, from_line
from openapi_mcp_server.mcp.messages import INTERNAL_ERROR, Pieces, RequestId
from openapi_mcp_server.mcp.methods import LEGACY
from openapi_mcp_server.mcp.subscriptions import LISTEN, Subscription
from openapi_mcp_server.memory import FREE, Hold
from openapi_mcp_server.observe.record import Transport
from openapi_mcp_server.observe.trace import NO_CARRIER, Carrier

SUBSCRIPTIONS = 16
"""The most subscriptions of one client. There are two lists, and one subscription can name both."""


Say = Callable[[Pieces, Hold], Awaitable[None]]
"""Sends a message to the client, and closes its hold on arrival."""


async def _nothing() -> None:
    pass


class Conversation:
    """Sends answers to ``say`` as they are ready. An id that is in flight twice is answered twice.

    ``running``: calls that have not ended, those of batches included. The receiver of messages keeps it within a
    limit; ``over`` is awaited when it has become less. ``tasks`` may be shared: `cancel` ends the calls of this one.
    """

    __slots__ = (
        "_gateway",
        "_is_initialized",
        "_negotiated",
        "_over",
        "_say",
        "_scopes",
        "_subscriptions",
        "_tasks",
        "_transport",
        "running",
    )

    def __init__(
        self,
        gateway: Gateway,
        transport: Transport,
        tasks: TaskGroup,
        say: Say,
        over: Callable[[], Awaitable[None]] = _nothing,
    ) -> None:
        self._gateway = gateway
        self._transport = transport
        self._tasks = tasks
        self._say = say
        self._over = over
        self._scopes: dict[trio.CancelScope, RequestId | None] = {}
        self._subscriptions: dict[RequestId, Subscription] = {}
        self._negotiated = LEGACY[-1]  # until initialize says otherwise
        self._is_initialized = False
        self.running = 0

    def read(self, text: bytes) -> Message | Batch:
        return from_line(text, self._negotiated)

    async def take(self, message: Message | Batch, beside: Carrier = NO_CARRIER, hold: Hold = FREE) -> None:
        """Starts calls, and answers other messages at once. ``beside``: data that came with the message. Its hold is
        closed with its answer."""
        match message:
            case Rejection():
                await self._say(self._gateway.refuse(message, self._transport, beside), hold)
            case Notification():
                self._hear(message)
                hold.close()
            case Call():
                await self._answer(message, beside, hold)
            case Batch():
                self._take_all(message, beside, hold)
            case _:
                assert_never(message)

    def _take_all(self, batch: Batch, beside: Carrier, hold: Hold) -> None:
        """A batch means the same as its messages one by one (2025-03-26, Base Protocol, Batching)."""
        heard, asked = batch.parted()
        for notification in heard:
            self._hear(notification)
        if not asked.messages:
            hold.close()
            return
        answer = self._gateway.answer_all
        self._start(len(asked.messages), None, hold, lambda: answer(asked, self._transport, beside, hold))

    def cancel(self) -> None:
        """Cancels everything: the client has left."""
        for scope in self._scopes:
            scope.cancel()

    def changes(self) -> list[bytes]:
        """The messages for this client when the lists have changed."""
        asked = [message for one in self._subscriptions.values() for message in one.changed()]
        return asked + (self._gateway.unasked_changes() if self._is_initialized else [])

    def farewells(self) -> list[bytes]:
        """The ends of all subscriptions."""
        ended, self._subscriptions = self._subscriptions, {}
        alone = self._transport == "stdio"  # HTTP+SSE knows no subscriptions, so no cancel of one either
        return [said for one in ended.values() for said in (one.farewell() if alone else [one.end()])]

    def _hear(self, notification: Notification) -> None:
        if notification.method == "notifications/initialized":
            self._is_initialized = True
        if notification.cancels is None:
            return
        self._subscriptions.pop(notification.cancels, None)
        of_this_id = [scope for scope, request_id in self._scopes.items() if request_id == notification.cancels]
        if of_this_id:
            of_this_id[-1].cancel()

    async def _answer(self, call: Call, beside: Carrier, hold: Hold) -> None:
        if call.method == "initialize":
            self._negotiated = call.version
        if call.method == LISTEN:
            await self._say(self._subscribe(call, beside), hold)
        elif (ready := self._gateway.at_once(call, self._transport, beside, hold)) is not None:
            await self._say(ready, hold)
        else:
            answer = self._gateway.answer
            self._start(1, call.id, hold, lambda: answer(call, self._transport, self._notify, beside, hold))

    async def _notify(self, message: bytes) -> None:
        await self._say((message,), FREE)

    def _subscribe(self, call: Call, beside: Carrier) -> Pieces:
        if len(self._subscriptions) >= SUBSCRIPTIONS and call.id not in self._subscriptions:
            problem = f"{SUBSCRIPTIONS} subscriptions are open; cancel one first"
            rejection = Rejection(id=call.id, code=INTERNAL_ERROR, message=problem)
            return self._gateway.refuse(rejection, self._transport, beside)
        subscription = self._subscriptions[call.id] = self._gateway.subscribe(call, self._transport, beside)
        return (subscription.acknowledgement(),)

    def _start(
        self, calls: int, request_id: RequestId | None, hold: Hold, answer: Callable[[], Awaitable[Pieces]]
    ) -> None:
        # Made here, not in the task: the next message may cancel the call before its task has run at all.
        scope = trio.CancelScope()
        self._scopes[scope] = request_id
        self.running += calls
        self._tasks.start_soon(self._run, calls, scope, hold, answer)

    async def _run(
        self, calls: int, scope: trio.CancelScope, hold: Hold, answer: Callable[[], Awaitable[Pieces]]
    ) -> None:
        is_said = False
        try:
            with scope:
                if answered := await answer():
                    await self._say(answered, hold)
                    is_said = True
        finally:
            if not is_said:
                hold.close()
            self.running -= calls
            del self._scopes[scope]
        await self._over()
