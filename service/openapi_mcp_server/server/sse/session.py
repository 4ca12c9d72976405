"""A session of HTTP+SSE. It carries out 16 calls at a time. While answers are not read, calls wait."""

from __future__ import annotations

from typing import NamedTuple

import anyio
from anyio.abc import TaskGroup

from openapi_mcp_server.bridge.results.event_size import fitted
from openapi_mcp_server.gateway.gateway import Gateway
from openapi_mcp_server.mcp.inbound import Batch, Call, Message, Notification, Rejection
from openapi_mcp_server.mcp.messages import INTERNAL_ERROR, Pieces
from openapi_mcp_server.memory import Hold
from openapi_mcp_server.observe.trace import Carrier
from openapi_mcp_server.server.conversation import Conversation
from openapi_mcp_server.server.events import event
from openapi_mcp_server.server.principals.limits import calls
from openapi_mcp_server.server.streams import EventStream

CALLS = 16
"""Calls of one session that are carried out, or whose answers are unread. Models make a handful side by side."""
QUEUED_BYTES = 8 * 1024 * 1024
"""Unread bytes of answers for one client. When there are so many, no call is carried out until the client reads."""
WAITING_CALLS = 500
"""Calls that wait behind the 16: more than any client makes side by side. The official Python client never posts again
after one refusal, so only clients that flood are refused (docs/adr/0012)."""
WAITING_BYTES = 8 * 1024 * 1024
"""Bytes of calls that wait: two of the largest messages, or all 500 of ordinary size."""
WAITING_SECONDS = 60.0
"""After this wait a call is refused when its turn comes. The client has given up by then (the official TypeScript
client does after 60 s), and a call that nobody waits for is not carried out."""


class _Waiting(NamedTuple):
    message: Message | Batch
    size: int
    beside: Carrier
    hold: Hold
    until: float


class Session:
    """One client: its stream, its calls in flight, and its calls that wait."""

    __slots__ = (
        "_conversation",
        "_is_finishing",
        "_stream",
        "_waiting",
        "_waiting_bytes",
        "_waiting_calls",
        "is_over",
        "owner",
    )

    def __init__(self, gateway: Gateway, tasks: TaskGroup, stream: EventStream, owner: str) -> None:
        self.owner = owner  # the key of its principal
        self._stream = stream
        self._conversation = Conversation(gateway, "sse", tasks, self._say, self.advance)
        self._waiting: list[_Waiting] = []
        self._waiting_bytes = 0
        self._waiting_calls = 0
        self._is_finishing = False
        self.is_over = False

    def read(self, text: bytes) -> Message | Batch:
        return self._conversation.read(text)

    @property
    def outstanding(self) -> int:
        """The number of calls that are carried out or wait."""
        return self._conversation.running + self._waiting_calls

    def congestion(self) -> str | None:
        """Why the session accepts no further message now."""
        if len(self._waiting) >= WAITING_CALLS or self._waiting_bytes >= WAITING_BYTES:
            return (
                f"{len(self._waiting)} calls of this session wait for {CALLS} others, or for their answers to be read; "
                "read the stream, and try again when one is answered"
            )
        return None

    async def take(self, message: Message | Batch, size: int, beside: Carrier, hold: Hold) -> None:
        """``size`` is the message's in bytes; its ``hold`` is closed when it is answered."""
        if isinstance(message, Batch):
            heard, message = message.parted()
            for notification in heard:  # now, also if the calls have to wait
                await self._hear(notification)
            if not message.messages:
                hold.close()
                return
        if isinstance(message, Notification):
            await self._hear(message)
            hold.close()
        elif self._has_room() and not self._waiting:
            await self._conversation.take(message, beside, hold)
        else:
            self._waiting.append(_Waiting(message, size, beside, hold, anyio.current_time() + WAITING_SECONDS))
            self._waiting_bytes += size
            self._waiting_calls += calls(message)

    def finish(self) -> None:
        """Ends the stream when everything is answered."""
        for farewell in self._conversation.farewells():
            self._stream.put(event(farewell))
        self._is_finishing = True
        self._end_if_answered()

    def tell_changes(self) -> None:
        for change in self._conversation.changes():
            self._stream.put(event(change))

    def leave(self) -> None:
        self.is_over = True
        while self._waiting:
            self._drop(self._waiting[0]).hold.close()
        self._conversation.cancel()

    def _has_room(self) -> bool:
        unanswered = self._conversation.running + len(self._stream.waiting)
        return unanswered < CALLS and self._stream.waiting_bytes < QUEUED_BYTES

    async def _hear(self, notification: Notification) -> None:
        """Cancels a waiting call before one in flight: a later call with the same id is the one meant."""
        for one in reversed(self._waiting):
            if isinstance(one.message, Call) and one.message.id == notification.cancels:
                self._drop(one).hold.close()
                return
        await self._conversation.take(notification)

    async def advance(self) -> None:
        """Called when a call was answered, or an answer was read."""
        while self._waiting and self._has_room():
            first = self._drop(self._waiting[0])
            await self._conversation.take(_in_time(first), first.beside, first.hold)
        self._end_if_answered()

    def _drop(self, one: _Waiting) -> _Waiting:
        self._waiting.remove(one)
        self._waiting_bytes -= one.size
        self._waiting_calls -= calls(one.message)
        return one

    def _end_if_answered(self) -> None:
        if self._is_finishing and not (self._conversation.running or self._waiting or self._stream.waiting):
            self._stream.end()

    async def _say(self, message: Pieces, hold: Hold) -> None:
        self._stream.put(event(*fitted(message)), hold)


def _in_time(waiting: _Waiting) -> Message | Batch:
    message = waiting.message
    if anyio.current_time() < waiting.until:
        return message
    return Batch(tuple(map(_too_late, message.messages))) if isinstance(message, Batch) else _too_late(message)


def _too_late(message: Message) -> Message:
    if not isinstance(message, Call):
        return message
    problem = f"there was no room for this call within {WAITING_SECONDS:g} s; it was not carried out"
    return Rejection(id=message.id, code=INTERNAL_ERROR, message=problem)
