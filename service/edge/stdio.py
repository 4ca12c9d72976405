"""stdio: one message a line in, one a line out, calls side by side.

Reading and writing happen in threads, because standard input may be a file, a pipe or a terminal, and only a thread
waits for all three without changing the mode of a descriptor that other processes share. Both can be left behind:
nothing waits for a read that never returns or for a client that never reads.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import anyio
from anyio.abc import ObjectReceiveStream, ObjectSendStream, TaskGroup
from anyio.to_thread import run_sync

from service.gateway import Gateway
from service.mcp.inbound import Batch, Call, Notification, Rejection, from_line
from service.mcp.messages import INTERNAL_ERROR, PARSE_ERROR, RequestId
from service.mcp.methods import LEGACY

LINE_BYTES = 8 * 1024 * 1024
"""Of a message. Twice what HTTP takes: files travel in arguments as base64, and no proxy stands in front."""
CALLS = 128
"""In flight at once, so that a client that never stops asking cannot fill the memory."""
QUEUED_MESSAGES = 64
"""Answers that wait for the client to read them; behind these the calls themselves wait."""
CHUNK_BYTES = 64 * 1024
"""Of one read: what a pipe holds."""
FINISH_SECONDS = 1.0
"""For calls in flight at the end of input: ``echo … | openapi-mcp-server`` gets its answer."""
FLUSH_SECONDS = 0.5
"""After that for the client to read its answers; in all less than the 2 s after which clients kill."""


def claim_stdout() -> int:
    """A descriptor of standard output that is ours alone: whatever else prints goes to standard error from now on."""
    claimed = os.dup(1)
    os.dup2(2, 1)
    return claimed


async def serve_stdio(gateway: Gateway, stdin: int, stdout: int) -> None:
    """Answers what comes in on one descriptor on the other. Returns soon after the input ends; may be cancelled."""
    queue, queued = anyio.create_memory_object_stream[bytes](QUEUED_MESSAGES)
    async with anyio.create_task_group() as everything, queue:
        everything.start_soon(_write, queued, stdout, everything)
        async with anyio.create_task_group() as calls:
            conversation = _Conversation(gateway, queue, calls)
            async for line in _lines(stdin):
                await conversation.take(line)
            calls.cancel_scope.deadline = anyio.current_time() + FINISH_SECONDS
        everything.cancel_scope.deadline = anyio.current_time() + FLUSH_SECONDS


class _Conversation:
    """What one client has asked and not been answered yet."""

    def __init__(self, gateway: Gateway, queue: ObjectSendStream[bytes], calls: TaskGroup) -> None:
        self._gateway = gateway
        self._queue = queue
        self._calls = calls
        self._scopes: dict[RequestId, anyio.CancelScope] = {}
        self._running = 0
        self._negotiated = LEGACY[-1]  # until initialize says otherwise

    async def take(self, line: bytes | None) -> None:
        """Reads one line; None is a line that was too long."""
        if line is None:
            problem = f"a line may have {LINE_BYTES // 1024 // 1024} MiB"
            await self._refuse(Rejection(code=PARSE_ERROR, message=problem))
            return
        match from_line(line, self._negotiated):
            case Rejection() as rejection:
                await self._refuse(rejection)
            case Notification(cancels=None):
                pass
            case Notification(cancels=request_id) if request_id in self._scopes:
                self._scopes[request_id].cancel()
            case Call() as call:
                await self._start(call)
            case Batch() as batch:
                if await self._admits(None):
                    self._calls.start_soon(self._answer_batch, batch)

    async def _start(self, call: Call) -> None:
        if call.method == "initialize":
            self._negotiated = call.version
        if (ready := self._gateway.at_once(call, "stdio")) is not None:
            await self._say(ready)
        elif await self._admits(call.id):
            # Made here, not in the task: the next line may cancel the call before its task has run at all.
            scope = self._scopes[call.id] = anyio.CancelScope()
            self._calls.start_soon(self._answer, call, scope)

    async def _admits(self, request_id: RequestId | None) -> bool:
        """Counts one more call or batch, or refuses it."""
        if self._running < CALLS:
            self._running += 1
            return True
        problem = f"{CALLS} calls are in flight; ask again when one is answered"
        await self._refuse(Rejection(id=request_id, code=INTERNAL_ERROR, message=problem))
        return False

    async def _answer(self, call: Call, scope: anyio.CancelScope) -> None:
        try:
            with scope:
                await self._say(await self._gateway.answer(call, "stdio", self._say))
        finally:
            self._running -= 1
            if self._scopes.get(call.id) is scope:  # else another call with the same id has begun since
                del self._scopes[call.id]

    async def _answer_batch(self, batch: Batch) -> None:
        try:
            if answers := await self._gateway.answer_all(batch, "stdio"):
                await self._say(answers)
        finally:
            self._running -= 1

    async def _refuse(self, rejection: Rejection) -> None:
        await self._say(self._gateway.refuse(rejection, "stdio"))

    async def _say(self, message: bytes) -> None:
        await self._queue.send(message + b"\n")


async def _lines(descriptor: int) -> AsyncIterator[bytes | None]:
    """Lines without their ends, but for blank ones; None for each that is longer than the limit."""
    line = bytearray()
    too_long = False
    while chunk := await run_sync(os.read, descriptor, CHUNK_BYTES, abandon_on_cancel=True):
        begun, *following = chunk.split(b"\n")
        line += begun
        for piece in following:
            if too_long or len(line) > LINE_BYTES:
                yield None
            elif line.strip():
                yield bytes(line)
            line = bytearray(piece)
            too_long = False
        if len(line) > LINE_BYTES:
            too_long = True
            line.clear()
    if too_long:
        yield None
    elif line.strip():
        yield bytes(line)


async def _write(queued: ObjectReceiveStream[bytes], descriptor: int, everything: TaskGroup) -> None:
    async with queued:
        try:
            async for message in queued:
                await run_sync(_write_whole, descriptor, message, abandon_on_cancel=True)
        except OSError:  # the client closed its end: nobody is left to answer
            everything.cancel_scope.cancel()


def _write_whole(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
