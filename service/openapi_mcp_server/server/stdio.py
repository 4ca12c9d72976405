"""stdio: one message a line in, one a line out, calls side by side.

Reading and writing happen in threads, because standard input may be a file, a pipe or a terminal. Only a thread waits
for all three without changing the mode of a descriptor that other processes share. Both threads can be abandoned:
nothing waits for a read that never returns or for a client that never reads. A pipe that has something to read, or
room for a short message, needs no thread: each hand-over costs 100 µs.
"""

from __future__ import annotations

import logging
import os
import select
import socket
import stat
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import ExitStack, aclosing, contextmanager, suppress
from functools import partial
from types import TracebackType
from typing import Self

import anyio
import trio

from openapi_mcp_server.aside import run_in_thread
from openapi_mcp_server.errors import NoRoom
from openapi_mcp_server.gateway.gateway import Gateway
from openapi_mcp_server.mcp.inbound import Batch, Call, Message, Rejection
from openapi_mcp_server.mcp.messages import INTERNAL_ERROR, PARSE_ERROR, Pieces, size
from openapi_mcp_server.memory import FREE, SMALL_BYTES, Budget, Hold
from openapi_mcp_server.observe.writing import write_whole
from openapi_mcp_server.server.conversation import Conversation
from openapi_mcp_server.server.events import slices

LINE_BYTES = 8 * 1024 * 1024
"""The most bytes of a message, twice as many as over HTTP: files are base64 in arguments, and there is no proxy."""
CALLS = 128
"""The most calls in flight, so that a client that never stops asking cannot fill the memory."""
QUEUED_MESSAGES = 64
"""Answers that wait for the client to read them. When there are so many, the calls themselves wait."""
CHUNK_BYTES = 64 * 1024
"""Bytes of one read: the capacity of a pipe."""
FINISH_SECONDS = 1.0
"""The time for calls in flight at the end of input, so that ``echo … | openapi-mcp-server`` gets its answer."""
LAST_WORD_SECONDS = 0.25
"""The time for errors to longer calls, which were given up: a client that closed its end of a pipe still reads."""
FLUSH_SECONDS = 0.5
"""The time for the client to read its answers after that. In all this is less than 2 s, after which clients kill."""
STALL_SECONDS = 15.0
"""How long a client may leave so many answers unread that the next one has no room. The reader waits for that room, so
it cannot even notice the end of input. So the server ends."""

logger = logging.getLogger(__name__)


def claim_stdout() -> int:
    """A private descriptor of standard output. Everything else that prints goes to standard error from now on."""
    claimed = os.dup(1)
    os.dup2(2, 1)
    return claimed


async def serve_stdio(gateway: Gateway, stdin: int, stdout: int, reading: trio.CancelScope | None = None) -> None:
    """Answers the messages of one descriptor on the other. Returns soon after the input ends or ``reading`` is
    cancelled. Calls in flight are answered in both cases, since the API may have carried them out."""

    async def say(message: Pieces, hold: Hold) -> None:
        line = (*message, b"\n")
        if output.takes(line):
            hold.close()
            return
        with trio.move_on_after(STALL_SECONDS):
            await output.put(line, hold)
            return
        logger.warning("standard output was not read for %g s: ending", STALL_SECONDS)
        everything.cancel_scope.cancel()

    async def say_all(messages: list[bytes]) -> None:
        for message in messages:
            await say((message,), FREE)

    async def over() -> None:
        if not conversation.running:
            idle.unpark_all()

    def tell_changes() -> None:
        calls.start_soon(say_all, conversation.changes())

    idle = trio.lowlevel.ParkingLot()  # for tasks that wait until no call is in flight
    async with anyio.create_task_group() as everything, _Output(stdout, everything.cancel_scope.cancel) as output:
        everything.start_soon(output.write)
        async with anyio.create_task_group() as calls:
            conversation = Conversation(gateway, "stdio", calls, say, over)
            gateway.tell_changes(tell_changes)
            try:
                with reading or trio.CancelScope():
                    async with aclosing(_lines(stdin)) as lines:
                        async for line in lines:
                            message, hold = await _admitted(line, conversation, gateway)
                            del line  # large ones are kept as long as they are needed, and counted
                            await conversation.take(message, hold=hold)
            finally:  # nothing may be started once the calls are over
                gateway.tell_no_more(tell_changes)
            calls.cancel_scope.deadline = anyio.current_time() + FINISH_SECONDS + LAST_WORD_SECONDS
            await say_all(conversation.farewells())
            await _finish(conversation, idle, gateway)
        everything.cancel_scope.deadline = anyio.current_time() + FLUSH_SECONDS


async def _finish(conversation: Conversation, idle: trio.lowlevel.ParkingLot, gateway: Gateway) -> None:
    """Waits for the calls in flight. Longer ones are answered with what is known so far."""
    with trio.move_on_after(FINISH_SECONDS) as patience:
        if conversation.running:
            await idle.park()
    if patience.cancelled_caught:
        gateway.give_up()


async def _admitted(line: bytes | None, conversation: Conversation, gateway: Gateway) -> tuple[Message | Batch, Hold]:
    """The message in a line, or its refusal, and its hold. A line that was too long is None."""
    if line is None:
        return Rejection(code=PARSE_ERROR, message=f"a line may have {LINE_BYTES // 1024 // 1024} MiB"), FREE
    message = await gateway.read(len(line), partial(conversation.read, line))
    if not isinstance(message, Batch | Call):
        return message, FREE
    request_id = message.id if isinstance(message, Call) else None
    if conversation.running >= CALLS and _takes_time(message):
        problem = f"{CALLS} calls are in flight; ask again when one is answered"
        return Rejection(id=request_id, code=INTERNAL_ERROR, message=problem), FREE
    try:
        return message, _opened(gateway.memory, len(line))
    except NoRoom as error:
        return Rejection(id=request_id, code=INTERNAL_ERROR, message=str(error)), FREE


def _opened(memory: Budget, size: int) -> Hold:
    """The hold of a message of this size. There is one client, which started this process. Raises NoRoom."""
    hold = memory.open("")
    try:
        if size > SMALL_BYTES:
            hold.take(size)
    except NoRoom:
        hold.close()
        raise
    return hold


def _takes_time(message: Message | Batch) -> bool:
    """Whether the message would be one more call in flight. All other messages are answered at once."""
    return isinstance(message, Batch) or (isinstance(message, Call) and message.method == "tools/call")


async def _lines(descriptor: int) -> AsyncGenerator[bytes | None]:
    """Lines without their ends, except blank ones. None for each line that exceeds the limit."""
    line = bytearray()
    too_long = False
    with _reading(descriptor) as read:
        while chunk := await read():
            begun, *following = chunk.split(b"\n")
            line += begun
            for number, piece in enumerate(following):
                if number:  # of many that have come together each may be answered at once
                    await trio.lowlevel.checkpoint()
                whole, line = line, bytearray(piece)
                if too_long or len(whole) > LINE_BYTES:
                    yield None
                elif whole.strip():
                    ready = [bytes(whole)]
                    del whole  # else a large one would be kept twice for as long as nothing more comes
                    yield ready.pop()
                too_long = False
            if len(line) > LINE_BYTES:
                too_long = True
                line.clear()
    if too_long:
        yield None
    elif line.strip():
        yield bytes(line)


@contextmanager
def _reading(descriptor: int) -> Iterator[Callable[[], Awaitable[bytes]]]:
    """A function that reads a piece as soon as there is one. It returns nothing at the end, and if reading fails."""
    limiter = anyio.CapacityLimiter(1)  # a thread of its own: nothing that blocks elsewhere makes this server deaf

    async def read() -> bytes:
        while take is not None:
            await trio.lowlevel.wait_readable(descriptor)
            with suppress(BlockingIOError):  # another process that reads this pipe was faster
                return take()
        take_some = partial(os.read, descriptor, CHUNK_BYTES)
        return await run_in_thread(take_some, may_block=True, abandon_on_cancel=True, limiter=limiter)

    async def read_if_possible() -> bytes:
        try:
            return await read()
        except OSError as error:  # a client on a socket has left an answer unread, a terminal is gone
            logger.warning("standard input cannot be read: %s: ending", error.strerror)
            return b""

    with ExitStack() as stack:
        take = _taking(descriptor, stack)
        yield read_if_possible


def _taking(descriptor: int, stack: ExitStack) -> Callable[[], bytes] | None:
    """A function that reads an available piece of a pipe or a socket. The descriptor's mode must not be changed, so
    Linux is asked for the same pipe once more. On other systems only one process may read from it."""
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISSOCK(mode):
        peer = stack.enter_context(socket.socket(fileno=os.dup(descriptor)))
        return partial(peer.recv, CHUNK_BYTES, socket.MSG_DONTWAIT)
    if not stat.S_ISFIFO(mode):
        return None
    try:
        own = os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return partial(os.read, descriptor, CHUNK_BYTES)
    stack.callback(os.close, own)
    return partial(os.read, own, CHUNK_BYTES)


class _Output:
    """Standard output, line by line, each whole. ``closed``: the client has closed its end, so there is nobody to
    answer. Nothing more is put after the context."""

    def __init__(self, descriptor: int, closed: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._closed = closed
        self._put, self._queued = trio.open_memory_channel[tuple[Pieces, Hold]](QUEUED_MESSAGES)
        self._waiting = 0  # lines that are not written, with the one that is being written
        self._pipe = select.poll() if stat.S_ISFIFO(os.fstat(descriptor).st_mode) else None
        if self._pipe is not None:
            self._pipe.register(descriptor, select.POLLOUT)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._put.close()

    def takes(self, line: Pieces) -> bool:
        """Writes the line at once, if no line is before it and it needs no thread. Returns whether it did."""
        return not self._waiting and self._is_written(line)

    def _is_written(self, line: Pieces) -> bool:
        """Writes a line that is too short to block (pipe(7))."""
        if self._pipe is None or size(line) > select.PIPE_BUF or not self._pipe.poll(0):
            return False
        try:
            os.write(self._descriptor, b"".join(line))
        except OSError:
            self._closed()
        return True

    async def put(self, line: Pieces, hold: Hold) -> None:
        """Waits for room."""
        self._waiting += 1
        try:
            await self._put.send((line, hold))
        except BaseException:
            self._waiting -= 1
            raise

    async def write(self) -> None:
        """Writes the lines that are put. A task for as long as the context lasts."""
        limiter = anyio.CapacityLimiter(1)
        async for line, hold in self._queued:
            if not self._is_written(line):
                try:
                    await trio.lowlevel.checkpoint_if_cancelled()  # then the thread starts, and closes its descriptor
                    own = os.dup(self._descriptor)
                    write = partial(_write_all, own, line)
                    await run_in_thread(write, may_block=True, abandon_on_cancel=True, limiter=limiter)
                except OSError:
                    self._closed()
            self._waiting -= 1
            hold.close()


def _write_all(descriptor: int, message: Pieces) -> None:
    """Closes the descriptor, which is the thread's own. A thread that was abandoned goes on as soon as it can, and the
    number of another's descriptor could belong to another file by then."""
    try:
        for part in slices(message):
            write_whole(descriptor, part)
    finally:
        os.close(descriptor)
