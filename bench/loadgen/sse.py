"""HTTP+SSE (2024-11-05): posts go to the address that the stream names, answers come on the stream."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import trio

from loadgen import wire
from loadgen.connections import Pool, dialled, get_head, post_head, refusal
from loadgen.failures import Failure
from loadgen.ledger import Ledger
from loadgen.mailbox import Mailbox
from loadgen.messages import Arrived, Request
from loadgen.plan import Target
from loadgen.sessions import OPEN_SECONDS, Beside, read_errors, within


class Sse:
    """A client and its stream."""

    def __init__(self, target: Target, ledger: Ledger, connection: wire.Connection) -> None:
        self._target = target
        self._ledger = ledger
        self._connection = connection
        self._mailbox = Mailbox(ledger)
        self._pool: Pool | None = None
        self._start = b""
        self._is_ready = trio.Event()
        self._reader: Beside | None = None

    async def open(self, tasks: trio.Nursery) -> None:
        with within(OPEN_SECONDS, "no stream with an address for messages"):
            with read_errors():
                await self._connection.send(get_head(wire.place(self._target.url), self._target) + b"\r\n")
                head = await self._connection.head()
                if head.status >= 300:
                    raise refusal(head, (await self._connection.body(head)).decode("utf-8", "replace"))
            if head.status != 200 or not head.is_events:
                raise Failure("not MCP", f"HTTP {head.status} without a stream of events")
            self._reader = Beside(tasks, lambda: self._read(head))
            await self._is_ready.wait()

    async def _read(self, head: wire.Head) -> None:
        events = wire.Events()
        try:
            with read_errors():
                async for piece in self._connection.pieces(head):
                    for kind, data in events.feed(piece):
                        self._take(kind, data)
            self._mailbox.end(Failure("closed", "the server ended the stream of events", is_lost=True))
        except Failure as failure:
            self._mailbox.end(failure)
        self._is_ready.set()

    def _take(self, kind: str, data: bytes) -> None:
        if kind == "endpoint" and self._pool is None:
            self._post_to(data.decode("latin-1"))
        elif kind == "message":
            self._mailbox.deliver(data)

    def _post_to(self, address: str) -> None:
        try:
            url = urljoin(self._target.url, address)
            where = wire.place(url)
        except ValueError as error:
            raise Failure("not MCP", f"the server wants messages at {address}, which is no address: {error}") from None
        if urlsplit(url)[:2] != urlsplit(self._target.url)[:2]:
            raise Failure("not MCP", f"the server wants messages at another origin: {url}")
        self._pool, self._start = Pool(where), post_head(where, self._target, b"*/*")
        self._is_ready.set()

    async def ask(self, request: Request, number: int) -> Arrived:
        self._mailbox.expect(number)
        try:
            await self._post(request.body(b"%d" % number))
            return await self._mailbox.wait(number)
        finally:
            self._mailbox.forget(number)

    async def notify(self, request: Request) -> None:
        await self._post(request.body(b""))

    async def _post(self, body: bytes) -> None:
        if self._pool is None:
            raise Failure("not MCP", "the stream did not name an address for messages")
        answer = await self._pool.post(b"%bContent-Length: %d\r\n\r\n%b" % (self._start, len(body), body))
        if answer.head.status >= 300:
            raise refusal(answer.head, answer.text())

    async def listen(self, _: trio.Nursery) -> None:
        """The stream is there already."""
        await trio.lowlevel.checkpoint()

    @property
    def is_alive(self) -> bool:
        return not self._mailbox.is_over

    @property
    def aside(self) -> str:
        return self._mailbox.garbage.decode("utf-8", "replace")

    async def aclose(self) -> None:
        if self._reader is not None:
            self._reader.stop()
        if self._pool is not None:
            await self._pool.aclose()
        await self._connection.aclose()


async def open_sse(target: Target, ledger: Ledger, tasks: trio.Nursery) -> Sse:
    session = Sse(target, ledger, await dialled(wire.place(target.url)))
    try:
        await session.open(tasks)
    except BaseException:
        await session.aclose()
        raise
    return session
