"""HTTP+SSE, the transport of revision 2024-11-05: ``GET /sse`` is a session, ``POST /messages/w<N>/`` speaks in it.

Every answer travels on the session's stream, whose first event names the address for messages. That address carries
the number of the worker, so that a proxy finds the worker again by path alone: clients keep no cookies.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import parse_qs

import anyio
from anyio.abc import TaskGroup

from service.edge.conversation import Conversation
from service.edge.events import EVENT_STREAM, QUIET_SECONDS, comment, event
from service.edge.posts import Header, Refusal, Visitors, check_form, read_body, refuse, reply
from service.edge.serving import Receive, Scope, Send
from service.gateway import Gateway
from service.mcp.inbound import Batch, Message, Notification, Rejection

SESSIONS = 2000
"""At once: 40 MB of memory when all are idle, and as many descriptors."""
CALLS = 16
"""Of one session that are carried out or whose answers wait to be read; models ask for a handful side by side."""
QUEUED_BYTES = 8 * 1024 * 1024
"""Of answers that one client has not read yet; behind them it is not heard until it reads."""
SESSION_ID_BYTES = 16
"""128 random bits: whoever has them may speak in the session."""
TEND_SECONDS = 0.25
"""Between two looks for quiet sessions, at least."""
DRAIN_POLL_SECONDS = 0.05
"""How often a session looks for its end while the server drains: that is rare, and so nobody else has to know of it."""
RETRY_AFTER: Final[Header] = (b"retry-after", b"5")


@asynccontextmanager
async def http_sse(gateway: Gateway, visitors: Visitors, *, worker: int) -> AsyncIterator[HttpSse]:
    """The application, tended for as long as the context lasts. ``worker`` is its number in addresses."""
    app = HttpSse(gateway, visitors, worker)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(app.tend)
        yield app
        tasks.cancel_scope.cancel()


class HttpSse:
    """The ASGI application for ``/sse`` and everything below ``/messages/``; made by `http_sse`."""

    def __init__(self, gateway: Gateway, visitors: Visitors, worker: int) -> None:
        self._gateway = gateway
        self._visitors = visitors
        self._path = f"/messages/w{worker}/"
        self._sessions: dict[str, _Session] = {}
        self._is_draining = False

    @property
    def sessions(self) -> int:
        """How many are open."""
        return len(self._sessions)

    async def tend(self) -> None:
        """Keeps quiet sessions alive. Runs beside the server for ever: a timer in each session costs 1 kB a piece."""
        while True:
            now = anyio.current_time()
            for session in self._sessions.values():
                if session.quiet_until <= now and not session.is_over:
                    session.break_silence()
            next_one = min((session.quiet_until for session in self._sessions.values()), default=math.inf)
            await anyio.sleep_until(min(max(next_one, now + TEND_SECONDS), now + QUIET_SECONDS))

    def drain(self) -> None:
        """From now on: no new session, no new call; each session ends when its last call is answered."""
        self._is_draining = True
        for session in self._sessions.values():
            if not session.is_over:
                session.finish()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict[bytes, bytes](scope["headers"])
        try:
            self._visitors.check(headers)
            if scope["path"] == "/sse":
                self._check_opening(scope["method"], headers)
            else:
                await self._take(scope, headers, receive, send)
                return
        except Refusal as refusal:
            await refuse(send, refusal)
            return
        await self._open(receive, send)

    def _check_opening(self, method: str, headers: Mapping[bytes, bytes]) -> None:
        if method != "GET":
            raise Refusal(405, "/sse takes GET; messages go to the address that its first event names", _allow(b"GET"))
        accept = headers.get(b"accept", b"*/*").lower()
        if not any(known in accept for known in (b"text/event-stream", b"text/*", b"*/*")):
            raise Refusal(406, "Accept must list text/event-stream")
        if self._is_draining:
            raise _stopping()
        if len(self._sessions) >= SESSIONS:
            raise Refusal(503, f"{SESSIONS} sessions are open, which is the limit; try again later", RETRY_AFTER)

    async def _open(self, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": EVENT_STREAM})
        session_id = secrets.token_hex(SESSION_ID_BYTES)
        session = self._sessions[session_id] = _Session(send)
        try:
            await session.serve(
                self._gateway, f"{self._path}?session_id={session_id}", receive, lambda: self._is_draining
            )
        finally:
            del self._sessions[session_id]

    async def _take(self, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            raise Refusal(405, "messages are posted", _allow(b"POST"))
        session = self._session(scope)
        check_form(headers)
        body = await read_body(receive, headers)
        if body is None:
            return
        message = session.read(body)
        if isinstance(message, Rejection) and message.id is None:  # an answer that no client could tell from others
            await reply(send, message.status, self._gateway.refuse(message, "sse"))
            return
        self._admit(message, session)
        await session.take(message)
        await reply(send, 202, b"")

    def _session(self, scope: Scope) -> _Session:
        """Another worker's session is as unknown as one that never was."""
        named = parse_qs(scope["query_string"].decode("latin-1")).get("session_id", [])
        session = self._sessions.get(named[0]) if len(named) == 1 and scope["path"] == self._path else None
        if session is None:
            raise _unknown()
        return session

    def _admit(self, message: Message | Batch, session: _Session) -> None:
        """Before anything is carried out. A notification is never answered, and may be the cancel that makes room."""
        if isinstance(message, Notification):
            return
        if self._is_draining:
            raise _stopping()
        if session.is_over:
            raise _unknown()
        if problem := session.congestion():
            raise Refusal(429, problem, RETRY_AFTER)


class _Session:
    """One client: its stream, and what it has asked.

    An idle session is one task that waits for its client to leave; what writes is started when there is something.
    """

    __slots__ = ("_complete", "_conversation", "_queue", "_queued_bytes", "_send", "_tasks", "is_over", "quiet_until")

    def __init__(self, send: Send) -> None:
        self._send = send
        self._queue: list[bytes] = []  # the first is being written; `congestion` keeps it short
        self._queued_bytes = 0
        self._complete = False
        self._tasks: TaskGroup
        self._conversation: Conversation
        self.is_over = False
        self.quiet_until = 0.0

    async def serve(self, gateway: Gateway, endpoint: str, receive: Receive, draining: Callable[[], bool]) -> None:
        """Until the client leaves, or the server drains and every call is answered."""
        async with anyio.create_task_group() as self._tasks:
            self._conversation = Conversation(gateway, "sse", self._tasks, self._say)
            self._put(event(endpoint.encode(), b"endpoint"))
            if draining():  # since it was let in
                self.finish()
            try:
                while (await receive())["type"] != "http.disconnect":
                    pass
            finally:
                self.is_over = True  # nothing is started any more
            if not self._complete:
                self._tasks.cancel_scope.cancel()  # a write that has not ended is given up with its connection

    def read(self, text: bytes) -> Message | Batch:
        return self._conversation.read(text)

    async def take(self, message: Message | Batch) -> None:
        await self._conversation.take(message)

    def congestion(self) -> str | None:
        """Why nothing more can be asked for now."""
        if self._conversation.running + len(self._queue) >= CALLS:
            return f"{CALLS} calls of this session are not answered yet; ask again when one is"
        if self._queued_bytes >= QUEUED_BYTES:
            return f"{QUEUED_BYTES // 1024 // 1024} MiB of answers wait to be read; read them first"
        return None

    def break_silence(self) -> None:
        """Where it is one: a client that reads slowly hears the rest of the last message first."""
        if self._queue:
            self.quiet_until += QUIET_SECONDS
        else:
            self._put(comment(b"the session is idle"))

    def finish(self) -> None:
        self._tasks.start_soon(self._finish)

    async def _finish(self) -> None:
        while self._conversation.running or self._queue:  # noqa: ASYNC110 - see DRAIN_POLL_SECONDS
            await anyio.sleep(DRAIN_POLL_SECONDS)
        # Said before the last byte goes out: hypercorn reports a disconnect as soon as a response is complete, and must
        # not be cancelled while it readies the connection for the next request.
        self._complete = True
        await self._send({"type": "http.response.body", "body": b""})

    async def _say(self, message: bytes) -> None:
        self._put(event(message))

    def _put(self, part: bytes) -> None:
        self._queue.append(part)
        self._queued_bytes += len(part)
        self.quiet_until = anyio.current_time() + QUIET_SECONDS
        if len(self._queue) == 1:  # else somebody is writing, and takes it along
            self._tasks.start_soon(self._write)

    async def _write(self) -> None:
        while self._queue:
            await self._send({"type": "http.response.body", "body": self._queue[0], "more_body": True})
            self._queued_bytes -= len(self._queue.pop(0))


def _allow(method: bytes) -> Header:
    return b"allow", method


def _unknown() -> Refusal:
    return Refusal(404, "there is no such session here; open one with GET /sse")


def _stopping() -> Refusal:
    return Refusal(503, "the server is stopping; open a session again", RETRY_AFTER)
