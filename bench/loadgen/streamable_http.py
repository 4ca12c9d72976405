"""Streamable HTTP, in both eras: each call is a POST, on a connection that no other call has meanwhile."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import aclosing, suppress
from typing import NoReturn

import trio

from loadgen import wire
from loadgen.connections import Pool, delete_head, dialled, get_head, post_head, refusal
from loadgen.failures import Failure
from loadgen.ledger import Ledger
from loadgen.messages import Arrived, Message, Request, answers_of, listen
from loadgen.plan import Target
from loadgen.sessions import OPEN_SECONDS, Beside, read_errors, within

END_SECONDS = 2.0
"""For the end of a session."""
STREAM_SECONDS = 0.02
"""For a stream of events to end after its answer; one that stays open is left to the server."""
_REFUSED = frozenset({401, 403, 429, 502, 503, 504})
"""Whatever else the answer says: it is about who asks, or about the load, and not about the message."""
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

    async def connect(self) -> None:
        """Raises Failure where nobody listens."""
        await self._pool.warm()

    async def ask(self, request: Request, number: int) -> Arrived:
        body = request.body(b"%d" % number)
        connection = await self._pool.take()
        try:
            with read_errors():
                await connection.send(self._head(request, len(body)) + body)
                head, arrived = await self._answer(connection, number)
        except BaseException:
            await connection.aclose()
            raise
        if request.method == b"initialize":
            session = head.field(b"mcp-session-id")
            self._session = b"Mcp-Session-Id: %b\r\n" % session if session else b""
        await self._pool.put(connection, head)
        return arrived

    async def _answer(self, connection: wire.Connection, number: int) -> tuple[wire.Head, Arrived]:
        """Until the own one: second answers to earlier calls may be before it."""
        while True:
            head = await connection.head()
            if head.is_events and head.status < 300:
                head, own = await self._in_events(connection, head, number)
            else:
                own = self._own(answers_in(head, await connection.body(head)), number)
            if own is not None:
                return head, own

    async def _in_events(
        self, connection: wire.Connection, head: wire.Head, number: int
    ) -> tuple[wire.Head, Arrived | None]:
        """The answer counts from its event on. The stream is then read to its end, where that is near."""
        own, others, events = None, False, wire.Events()
        with trio.CancelScope() as scope:
            async with aclosing(connection.pieces(head)) as pieces:
                async for piece in pieces:
                    answers = [each for _, data in events.feed(piece) for each in answers_of(data) or ()]
                    if own is not None:
                        self._strays(answers)
                    elif (own := self._own(answers, number)) is not None:
                        scope.deadline = own.at + STREAM_SECONDS
                    others = others or bool(answers)
        if not others:
            raise Failure("closed", "the stream of events ended without the answer", is_lost=True)
        return (head._replace(is_last=True) if scope.cancelled_caught else head), own

    def _own(self, answers: Iterable[Message], number: int) -> Arrived | None:
        """None where there are only second answers to earlier calls."""
        own = None
        for message in answers:
            if own is None and (message.id == number or (message.id is None and message.error is not None)):
                own = Arrived(message, trio.current_time())
                self._ledger.settle(number)
                continue
            kind = self._ledger.stray(message.id)
            if own is None and kind not in {"doubled", "late"}:
                raise Failure(kind, f"the answer has the id {message.id!r}, which is another request's")
        return own

    def _strays(self, answers: Iterable[Message]) -> None:
        for message in answers:
            self._ledger.stray(message.id)

    async def notify(self, request: Request) -> None:
        body = request.body(b"")
        await self._pool.post(self._head(request, len(body)) + body)

    async def listen(self, tasks: trio.Nursery) -> None:
        """On a stream of what the server has to tell; where it has none, the connection alone is held open."""
        self._listener = await dialled(self._where)
        with within(OPEN_SECONDS, "no stream of events"), read_errors():
            number = self._ledger.issue()
            await self._listener.send(self._listening(number))
            head = await self._listener.head()
            if not head.is_events:
                await self._listener.body(head)
            if head.is_last and not head.is_events:
                await self._listener.aclose()
                self._listener = await dialled(self._where)
        self.is_alive = True
        connection = self._listener
        self._reader = Beside(tasks, lambda: self._drain(connection, head, number))

    async def _drain(self, connection: wire.Connection, head: wire.Head, number: int) -> None:
        """No answer belongs on the stream of a session that asks nothing, but the one to the request that opened it."""
        with suppress(Failure), read_errors():
            if head.is_events:
                events = wire.Events()
                async for piece in connection.pieces(head):
                    answers = [each for _, data in events.feed(piece) for each in answers_of(data) or ()]
                    self._strays(each for each in answers if each.id != number)
            await connection.drain()
        self.is_alive = False

    def _listening(self, number: int) -> bytes:
        if not self._target.is_modern:
            return b"%b%b%b\r\n" % (get_head(self._where, self._target), self._version(), self._session)
        request = listen()
        body = request.body(b"%d" % number)
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
    """The JSON-RPC answers that one answer of HTTP holds. Raises Failure where there is none.

    An error that names no request is this one's: servers write null for its id, or a word such as "server-error". With
    404 it says that the session has ended.
    """
    parts = [data for _, data in wire.Events().feed(body + b"\n\n")] if head.is_events else [body]
    answers = [each for part in parts for each in answers_of(part) or ()]
    for each in answers:
        each.id = None if isinstance(each.id, str) and each.error is not None and head.status >= 400 else each.id
    error = answers[0].error if answers else None
    if error is not None and (head.status in _REFUSED or (head.status == 404 and answers[0].id is None)):
        raise refusal(head, error.message)
    return answers or _none(head, body)


def _none(head: wire.Head, body: bytes) -> NoReturn:
    coding = head.field(b"content-encoding").decode("latin-1")
    shown = body.decode("utf-8", "replace")
    if head.status >= 300:
        raise refusal(head, shown)
    if coding not in {"", "identity"}:
        raise Failure("not MCP", f"HTTP {head.status} with Content-Encoding {coding}, which was not accepted")
    raise Failure("not MCP", f"HTTP {head.status} without an answer: {shown or 'no body'}")


async def open_http(target: Target, ledger: Ledger, _: trio.Nursery) -> Http:
    http = Http(target, ledger)
    await http.connect()
    return http
