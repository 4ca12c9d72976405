"""One HTTP/1.1 connection to an API: the I/O and the limits. h11 reads and writes messages that are not ordinary.

The connection of httpcore2 is not used. Data that an API sends after the end of a body stays in its buffer, and is
taken for the answer to the next request on that connection (2.16, tried). A test here proves the opposite for ours.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

import h11
import trio

from openapi_mcp_server.bridge.origins import Origin
from openapi_mcp_server.upstream import ordinary
from openapi_mcp_server.upstream.sockets import ReadError, Stream, WriteError
from openapi_mcp_server.upstream.soon import Soon

if TYPE_CHECKING:
    from openapi_mcp_server.upstream.ways import Way

READ_BYTES = 64 * 1024
"""Bytes of one read from the socket."""
WRITE_BYTES = 256 * 1024
"""Bytes of one write of a request."""
INCOMPLETE_LIMIT = 64 * 1024
"""Bytes that may wait for the end of an element: a status line with all headers, a chunk's header, the trailers. This
limits the number of headers, too; big APIs stay under 16 KiB."""
_VERSIONS = (b"1.1", b"1.0")
INFORMATIONAL_LIMIT = 20
"""The most 1xx answers before the real one. No request asks for any, so a handful is generous."""
FIELDS_LIMIT = 1_000
"""The most header fields of an answer; 64 KiB would have room for 13,000 of one letter."""
PIECES_FREE, BYTES_PER_PIECE = 32_768, 64
"""The most chunks or reads of a body: so many, and one more for each so many bytes. A chunk for each row of a table is
common. A chunk for each byte costs 4 µs, 40 s for the largest answer."""
PIECES_AT_ONCE = 256
"""Chunks that are read before other tasks run: a millisecond."""


Turn = Callable[[], Awaitable[None]]
"""Waits for the turn of the call's client, after something has come from the API."""

_NOT_USED = h11.Connection(h11.CLIENT)
"""Waits for nothing, if turns are not used."""


class FreeingH11(h11.Connection):
    """h11, for requests to this server, too. h11 raises an error in a method of the error itself. That frame would keep
    the error, and with it the whole call and its body, until the next collection."""

    def next_event(self) -> h11.Event | type[h11.NEED_DATA | h11.PAUSED]:
        try:
            return super().next_event()
        except h11.RemoteProtocolError as error:
            raise error.with_traceback(None) from None


class Ended(h11.RemoteProtocolError):
    """The API closed the connection before its answer was whole. This is no violation of HTTP."""


class Connection:
    """Carries one request at a time. Raises the errors of h11 and `sockets`, which its holder translates.

    It must be closed after any exception, after an answer that was not read to its end, and when `recycle` says so.
    ``way``: the name of its API's own way; ``dialled_by``: that way as it was then, None for the usual one.
    """

    def __init__(self, origin: Origin, stream: Stream, way: str = "", dialled_by: Way | None = None) -> None:
        self.origin = origin
        self.way = way
        self.dialled_by = dialled_by
        self.idle_since = 0.0
        self._stream = stream
        self._h11 = _NOT_USED  # a new one for each answer that is not ordinary
        self._begun, self._missing = b"", 0  # of the body of an ordinary answer
        self._requests = 0
        self._heard = False
        self._turn: Turn | None = None
        self._pieces = self._size = 0  # of the body so far
        self._broken = ""  # why, where something is to be read before that is told
        self._unsent = b""  # of what was begun
        self._received: bytes | str | None = None  # of its answer, or why nothing can be

    @property
    def was_stale(self) -> bool:
        """Whether it had been kept, and the API closed it without one byte of an answer to the last request."""
        return self._requests > 1 and not self._heard

    async def ask(
        self, request: ordinary.OrdinaryMessage, body: bytes | None, turn: Turn | None = None
    ) -> h11.Response | ordinary.Head:
        """Sends a request and returns the head of its answer."""
        self._next(turn)
        head = ordinary.encoded(request)
        if head is None:
            head = self._begin(request, body)
        await self._write(head, body or b"")
        return await self._answered(request, body, await self._read(READ_BYTES))

    def begin(self, data: bytes, turn: Turn | None = None) -> bool:
        """Sends an encoded ordinary request, as far as a plain socket takes it at once. False if there is no such
        socket."""
        plain = self._stream.plain
        if plain is None:
            return False
        self._next(turn)
        self._unsent = b""
        try:
            self._unsent = data[plain.send(data) :]
        except BlockingIOError:
            self._unsent = data
        except OSError:
            pass  # as in `_write`
        return True

    async def soon(self, soon: Soon) -> ordinary.Answer | None:
        """The answer to the request that was begun, if it comes soon, ordinary and whole. Otherwise call `go_on`."""
        plain = self._stream.plain
        if plain is None or self._unsent or not await soon.is_readable(plain):
            return None
        try:
            received = self._received = plain.recv(READ_BYTES)
        except BlockingIOError:
            return None
        except OSError as error:
            self._received = str(error)
            return None
        if self._turn is not None:
            await self._turn()
        answer = ordinary.read(received)
        return None if answer is None or answer.missing else answer

    async def go_on(self, request: ordinary.OrdinaryMessage, body: bytes | None) -> h11.Response | ordinary.Head:
        """The same as `ask`, after `begin` with the same request."""
        if self._unsent:
            await self._write(self._unsent, b"")
            self._unsent = b""
        received, self._received = self._received, None
        if isinstance(received, str):
            raise ReadError(received)
        return await self._answered(request, body, await self._read(READ_BYTES) if received is None else received)

    def _next(self, turn: Turn | None) -> None:
        """Prepares for another request."""
        self._turn = turn
        self._requests += 1
        self._heard = False
        self._pieces = self._size = 0
        self._h11 = _NOT_USED

    async def _answered(
        self, request: ordinary.OrdinaryMessage, body: bytes | None, received: bytes
    ) -> h11.Response | ordinary.Head:
        self._heard = bool(received)
        answer = None if request.method == "HEAD" else ordinary.read(received)
        if answer is not None:
            self._h11 = _NOT_USED
            self._begun, self._missing = answer.begun, answer.missing
            return answer.head
        if self._h11 is _NOT_USED:
            self._begin(request, body)
        return await self._head(received)

    def _begin(self, request: ordinary.OrdinaryMessage, body: bytes | None) -> bytes:
        """Makes h11 take over, as if it had written this head. Raises LocalProtocolError for a head that cannot be
        written."""
        self._h11 = FreeingH11(h11.CLIENT, max_incomplete_event_size=INCOMPLETE_LIMIT)
        head = self._h11.send(
            h11.Request(method=request.method, target=request.target, headers=_encoded(request.headers))
        )
        if body:
            self._h11.send(h11.Data(data=body))  # what it returns is the body: its length is said in the head
        self._h11.send(h11.EndOfMessage())
        return head or b""

    async def _head(self, received: bytes) -> h11.Response:
        """Reads the head of an answer that begins with these bytes."""
        self._h11.receive_data(received)
        if not received:
            self._last_event()
        for _ in range(1 + INFORMATIONAL_LIMIT):
            event = await self._next_event()
            if type(event) is h11.Response:
                _require_one_reading(event)
                if len(event.headers) > FIELDS_LIMIT:
                    raise h11.RemoteProtocolError(f"it has more than {FIELDS_LIMIT} header fields")
                return event
            if type(event) is not h11.InformationalResponse:
                raise h11.RemoteProtocolError("it switches to another protocol")
        raise h11.RemoteProtocolError(f"it sends more than {INFORMATIONAL_LIMIT} informational answers")

    async def read(self) -> bytes:
        """The next part of the body as transferred, its small pieces joined; nothing at its end."""
        if self._h11 is _NOT_USED:
            return await self._read_ordinary() if self._begun or self._missing else b""
        if self._broken:
            raise h11.RemoteProtocolError(self._broken)
        pieces: list[bytes] = []
        size = 0
        while size < READ_BYTES and self._h11.their_state is h11.SEND_BODY:
            try:
                event = self._h11.next_event() if pieces else await self._next_event()
            except h11.RemoteProtocolError as error:
                if not pieces:
                    raise
                self._broken = str(error)  # what came before it is of use where the answer is a stream
                break
            if type(event) is not h11.Data:
                break
            pieces.append(event.data)
            size += len(event.data)
            if self._count(len(event.data)):
                await trio.lowlevel.checkpoint()
        return b"".join(pieces)

    async def _read_ordinary(self) -> bytes:
        piece, self._begun = self._begun, b""
        if not piece:
            piece = await self._read(min(READ_BYTES, self._missing))
            if not piece:
                told, whole = "peer closed connection without sending complete message body", self._size + self._missing
                raise Ended(f"{told} (received {self._size} bytes, expected {whole})")
            self._missing -= len(piece)
        if self._count(len(piece)):
            await trio.lowlevel.checkpoint()
        return piece

    async def _read(self, most: int) -> bytes:
        received = await self._stream.read(most)
        if self._turn is not None:
            await self._turn()
        return received

    def _count(self, size: int) -> bool:
        """Whether it is time for other tasks. Raises an error for a body in too many pieces."""
        self._pieces += 1
        self._size += size
        if self._pieces > PIECES_FREE + self._size // BYTES_PER_PIECE:
            raise h11.RemoteProtocolError(f"it comes in {self._pieces} pieces of {self._size} bytes in all")
        return self._pieces % PIECES_AT_ONCE == 0

    async def _write(self, head: bytes, body: bytes) -> None:
        """Writes a small request in one piece: one system call, one packet. TLS would make several copies of a large
        one, so it is written in pieces."""
        first = max(0, WRITE_BYTES - len(head))
        try:
            await self._stream.write(head + body[:first] if body else head)
            for start in range(first, len(body), WRITE_BYTES):
                await self._stream.write(body[start : start + WRITE_BYTES])
        except WriteError:
            pass  # an API may answer (413, say) and close before it has read everything: the answer is there to be read

    def recycle(self) -> bool:
        """Makes the connection ready for another request. False if this is not possible."""
        self._received = None
        state = self._h11
        if state is _NOT_USED:
            return not self._begun and not self._missing
        whole = state.our_state is h11.DONE and state.their_state is h11.DONE
        return whole and not state.trailing_data[0]

    def is_quiet(self) -> bool:
        """Whether nothing has arrived since the last answer, neither an end nor unexpected bytes."""
        return self._stream.is_quiet()

    async def close(self) -> None:
        await close(self._stream)

    async def _next_event(self) -> h11.Event | type[h11.PAUSED]:
        while (event := self._h11.next_event()) is h11.NEED_DATA:
            received = await self._read(READ_BYTES)
            if received:
                self._heard = True
            self._h11.receive_data(received)
            if not received:
                return self._last_event()
        return event  # type: ignore[return-value]  # mypy does not narrow the sentinel away

    def _last_event(self) -> h11.Event | type[h11.PAUSED]:
        """The meaning of the API's end of the connection: the end of a body, or an answer that is not whole."""
        if not self._heard:
            raise Ended("it closed the connection without an answer")
        try:
            return self._h11.next_event()  # type: ignore[return-value]  # it never needs data again
        except h11.RemoteProtocolError as error:
            raise Ended(str(error)) from error


def _encoded(headers: Sequence[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers]


def _require_one_reading(head: h11.Response) -> None:
    """Refuses answers that two readers may understand differently. RFC 9112 section 6.3 calls this an error: by the
    other length, the end of the answer is within the next answer of a kept connection.
    """
    if head.http_version not in _VERSIONS:
        raise h11.RemoteProtocolError(f"it calls itself HTTP/{head.http_version.decode('ascii')}")
    names = [name for name, _ in head.headers]
    if b"transfer-encoding" in names and b"content-length" in names:
        raise h11.RemoteProtocolError("it has both Content-Length and Transfer-Encoding")


async def close(stream: Stream) -> None:
    """Closes at once, even if the caller is cancelled. A TLS close_notify would wait for the peer."""
    with trio.CancelScope(shield=True) as scope:
        scope.cancel()
        await stream.close()
