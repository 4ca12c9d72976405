"""Streamable HTTP, in both eras: each call is a POST, on a connection that no other call has meanwhile."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

import msgspec
import trio

from loadgen import wire
from loadgen.connections import Pool, delete_head, dialled, get_head, post_head
from loadgen.failures import Failure
from loadgen.ledger import Ledger
from loadgen.messages import Message, Request, listen, messages
from loadgen.plan import Target
from loadgen.sessions import OPEN_SECONDS, Beside, read_errors, within

END_SECONDS = 2.0
"""For the end of a session."""
_REFUSED = frozenset({401, 403})
"""Whatever else the answer says."""
_ACCEPT = b"application/json, text/event-stream"


class Http:
    """A client; where the server gives it a session id, it repeats it."""

    def __init__(self, target: Target, ledger: Ledger) -> None:
        self._where = wire.place(target.url)
        self._target = target
        self._ledger = ledger
        self._pool = Pool(self._where)
        self._start = post_head(self._where, target, _ACCEPT)
        self._session = b""
        self._listener: wire.Connection | None = None
        self._reader: Beside | None = None
        self.is_alive = False
        self.aside = ""

    async def ask(self, request: Request, number: int) -> Message:
        body = request.body(b"%d" % number)
        connection = await self._pool.take()
        try:
            with read_errors():
                await connection.send(self._head(request, len(body)) + body)
                head, message = await self._answer(connection, number)
        except BaseException:
            await connection.aclose()
            raise
        if request.method == b"initialize":
            session = head.field(b"mcp-session-id")
            self._session = b"Mcp-Session-Id: %b\r\n" % session if session else b""
        await self._pool.put(connection, head)
        return message

    async def _answer(self, connection: wire.Connection, number: int) -> tuple[wire.Head, Message]:
        while True:
            head = await connection.head()
            answers = answers_in(head, await connection.body(head))
            own = self._own(answers, number)
            if own is not None:
                return head, own

    def _own(self, answers: Iterable[Message], number: int) -> Message | None:
        """None where there are only second answers to earlier calls: the own one may still come."""
        own = None
        for message in answers:
            if own is None and (message.id == number or (message.id is None and message.error is not None)):
                own = message
                self._ledger.settle(number)
                continue
            kind = self._ledger.stray(message.id)
            if own is None and kind not in {"doubled", "late"}:
                raise Failure(kind, f"the answer has the id {message.id!r}, which is another request's")
        return own

    async def notify(self, request: Request) -> None:
        body = request.body(b"")
        await self._pool.post(self._head(request, len(body)) + body)

    async def listen(self, tasks: trio.Nursery) -> None:
        """On a stream of what the server has to tell; where it has none, the connection alone is held open."""
        self._listener = await dialled(self._where)
        with within(OPEN_SECONDS, "no stream of events"), read_errors():
            await self._listener.send(self._listening())
            head = await self._listener.head()
            if not head.is_events:
                await self._listener.body(head)
            if head.is_last and not head.is_events:
                await self._listener.aclose()
                self._listener = await dialled(self._where)
        self.is_alive = True
        self._reader = Beside(tasks, self._drain)

    async def _drain(self) -> None:
        assert self._listener is not None
        await self._listener.drain()
        self.is_alive = False

    def _listening(self) -> bytes:
        if not self._target.is_modern:
            return b"%b%b%b\r\n" % (get_head(self._where, self._target), self._version(), self._session)
        request = listen()
        body = request.body(b"%d" % self._ledger.issue())
        return self._head(request, len(body)) + body

    def _version(self) -> bytes:
        return b"MCP-Protocol-Version: %b\r\n" % self._target.revision.encode()

    def _head(self, request: Request, length: int) -> bytes:
        beside = b"" if request.method == b"initialize" else self._version() + self._session
        if self._target.is_modern:
            named = b"Mcp-Name: %b\r\n" % request.name if request.name else b""
            beside += b"Mcp-Method: %b\r\n%b" % (request.method, named)
        return b"%b%bContent-Length: %d\r\n\r\n" % (self._start, beside, length)

    async def _end_session(self) -> None:
        """Servers keep a session until they are told, or for a long time. One that breaks off here has ended it too."""
        if not self._session:
            return
        head = delete_head(self._where, self._target) + self._version() + self._session + b"\r\n"
        with trio.move_on_after(END_SECONDS), suppress(Failure):
            await self._pool.post(head)

    async def aclose(self) -> None:
        if self._reader is not None:
            self._reader.stop()
        if self._listener is not None:
            await self._listener.aclose()
        await self._end_session()
        unread = await self._pool.aclose()
        self._ledger.strays["doubled"] += unread


def answers_in(head: wire.Head, body: bytes) -> list[Message]:
    """The JSON-RPC answers that one answer of HTTP holds. Raises Failure where there is none."""
    parts = [data for _, data in wire.Events().feed(body + b"\n\n")] if head.is_events else [body]
    try:
        decoded = [messages.decode(part) for part in parts]
    except (msgspec.DecodeError, UnicodeDecodeError):
        decoded = []
    said = [each for one in decoded for each in (one if isinstance(one, list) else [one])]
    answers = [each for each in said if not each.method and (each.error is not None or bytes(each.result))]
    if answers and not (head.status in _REFUSED and answers[0].error):
        return answers
    shown = (answers[0].error.message if answers and answers[0].error else body.decode("utf-8", "replace")) or "no body"
    if head.status >= 300:
        raise Failure(f"HTTP {head.status}", shown)
    if head.is_events:
        raise Failure("closed", "the stream of events ended without the answer", is_lost=True)
    raise Failure("not MCP", f"HTTP {head.status} without an answer: {shown}")


async def open_http(target: Target, ledger: Ledger, _: trio.Nursery) -> Http:
    await trio.lowlevel.checkpoint()
    return Http(target, ledger)
