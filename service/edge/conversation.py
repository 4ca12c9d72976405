"""What one client of a lasting connection has asked and not been answered yet: stdio, and HTTP with SSE."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import assert_never

import anyio
from anyio.abc import TaskGroup

from service.gateway import Gateway
from service.mcp.inbound import Batch, Call, Message, Notification, Rejection, from_line
from service.mcp.messages import RequestId
from service.mcp.methods import LEGACY
from service.observe.record import Transport


class Conversation:
    """Answers go to ``say`` as they are ready; an id that is in flight twice is answered twice.

    ``running``: calls and batches that are not over yet; whoever takes messages in keeps it within a limit.
    """

    def __init__(
        self, gateway: Gateway, transport: Transport, calls: TaskGroup, say: Callable[[bytes], Awaitable[None]]
    ) -> None:
        self._gateway = gateway
        self._transport = transport
        self._calls = calls
        self._say = say
        self._scopes: dict[RequestId, anyio.CancelScope] = {}
        self._negotiated = LEGACY[-1]  # until initialize says otherwise
        self.running = 0

    def read(self, text: bytes) -> Message | Batch:
        return from_line(text, self._negotiated)

    async def take(self, message: Message | Batch) -> None:
        """Starts what has to be waited for, and answers the rest."""
        match message:
            case Rejection():
                await self._say(self._gateway.refuse(message, self._transport))
            case Notification():
                if message.cancels is not None and (scope := self._scopes.get(message.cancels)):
                    scope.cancel()
            case Call():
                await self._start(message)
            case Batch():
                self.running += 1
                self._calls.start_soon(self._answer_batch, message)
            case _:
                assert_never(message)

    async def _start(self, call: Call) -> None:
        if call.method == "initialize":
            self._negotiated = call.version
        if (ready := self._gateway.at_once(call, self._transport)) is not None:
            await self._say(ready)
            return
        # Made here, not in the task: the next message may cancel the call before its task has run at all.
        scope = self._scopes[call.id] = anyio.CancelScope()
        self.running += 1
        self._calls.start_soon(self._answer, call, scope)

    async def _answer(self, call: Call, scope: anyio.CancelScope) -> None:
        try:
            with scope:
                await self._say(await self._gateway.answer(call, self._transport, self._say))
        finally:
            self.running -= 1
            if self._scopes.get(call.id) is scope:  # else another call with the same id has begun since
                del self._scopes[call.id]

    async def _answer_batch(self, batch: Batch) -> None:
        try:
            if answers := await self._gateway.answer_all(batch, self._transport):
                await self._say(answers)
        finally:
            self.running -= 1
