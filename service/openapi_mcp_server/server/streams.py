"""Lasting responses: server-sent events for as long as a client stays, even with few events.

An idle stream is a single task that waits for its client to leave. The same task writes the stream's events. One task
for all streams puts in the comments that keep proxies from giving up.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Awaitable, Callable, Iterable

import anyio
import anyio.lowlevel

from openapi_mcp_server.mcp.messages import Pieces, own_size
from openapi_mcp_server.memory import FREE, Hold
from openapi_mcp_server.server.asgi import Receive, Send
from openapi_mcp_server.server.events import EVENT_STREAM, QUIET_SECONDS, comment
from openapi_mcp_server.server.posts import send_pieces

TEND_SECONDS = 0.25
"""The least time between two looks for quiet streams."""
AT_ONCE = 20
"""Streams that are woken in one turn of the loop. Each takes 0.1 ms."""
_QUIET = comment(b"nothing new")


class Streams:
    """The streams of one kind that are open."""

    def __init__(self) -> None:
        self.open: set[EventStream] = set()
        self._to_tell: deque[Callable[[], object]] = deque()
        self._has_more = anyio.Event()

    def tell(self, each: Iterable[Callable[[], object]]) -> None:
        """Calls ``each`` for all streams soon, a few of them in each turn of the loop."""
        self._to_tell.extend(each)
        self._has_more.set()

    async def tend(self) -> None:
        """Keeps quiet streams alive. It runs as long as the server; a timer in each stream would cost 1 kB a piece."""
        while True:
            now = anyio.current_time()
            self._to_tell.extend([stream.break_silence for stream in self.open if stream.quiet_until <= now])
            await self._tell()
            next_one = min((stream.quiet_until for stream in self.open), default=math.inf)
            with anyio.CancelScope(deadline=min(max(next_one, now + TEND_SECONDS), now + QUIET_SECONDS)):
                await self._has_more.wait()

    async def _tell(self) -> None:
        self._has_more = anyio.Event()
        while self._to_tell:
            for _ in range(min(AT_ONCE, len(self._to_tell))):
                self._to_tell.popleft()()
            await anyio.lowlevel.checkpoint()


class EventStream:
    """One stream. ``waiting``: the unwritten events, each with the hold that is closed when it is written. The first
    may be partly written."""

    __slots__ = ("_idle", "_is_ending", "_is_over", "_send", "_streams", "quiet_until", "waiting", "waiting_bytes")

    def __init__(self, send: Send, streams: Streams) -> None:
        self._send = send
        self._streams = streams
        self._idle: anyio.CancelScope | None = None
        self._is_ending = False
        self._is_over = False
        self.waiting: list[tuple[Pieces, Hold]] = []  # the callers of `put` keep it short
        self.waiting_bytes = 0
        self.quiet_until = math.inf

    async def serve(self, receive: Receive, written: Callable[[], Awaitable[None]] | None = None) -> None:
        """Runs until the client leaves, or all is written after `end`. ``written()`` is awaited after each event."""
        self._streams.open.add(self)
        try:
            await self._send({"type": "http.response.start", "status": 200, "headers": EVENT_STREAM})
            while not await self._write(written):
                with anyio.CancelScope() as self._idle:
                    while (await receive())["type"] != "http.disconnect":
                        pass
                    return
        finally:
            self._streams.open.discard(self)
            self._is_over = True
            while self.waiting:
                self._drop_first()
            del self._send  # a session is in a cycle that waits for the collector; its connection need not be

    def put(self, event: Pieces, hold: Hold = FREE) -> None:
        """Adds an event; never waits. Nothing comes after `end`."""
        if self._is_over or self._is_ending:
            hold.close()
            return
        self.waiting.append((event, hold))
        self.waiting_bytes += own_size(event)
        self.quiet_until = anyio.current_time() + QUIET_SECONDS
        self._wake()

    def end(self) -> None:
        """Ends the stream after the waiting events."""
        self._is_ending = True
        self._wake()

    def break_silence(self) -> None:
        """Sends a comment if it is time. A client that reads slowly gets the rest of the last event first."""
        if self.waiting:
            self.quiet_until += QUIET_SECONDS
        else:
            self.put((_QUIET,))

    async def _write(self, written: Callable[[], Awaitable[None]] | None) -> bool:
        """Writes all waiting events. True if the stream has ended with them."""
        while self.waiting:
            await send_pieces(self._send, self.waiting[0][0], last=False)
            self._drop_first()
            if written is not None:
                await written()
        if self._is_ending:
            await self._send({"type": "http.response.body", "body": b""})
        return self._is_ending

    def _drop_first(self) -> None:
        event, hold = self.waiting.pop(0)
        self.waiting_bytes -= own_size(event)
        hold.close()

    def _wake(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
