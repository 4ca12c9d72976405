"""One client's connection over HTTP/1.1: it reads requests, writes answers, and ends in its time."""

from __future__ import annotations

import math
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import trio

from openapi_mcp_server.server.asgi import App, Peer, Scope, run_app
from openapi_mcp_server.server.http11 import ordinary
from openapi_mcp_server.server.principals.turns import Turns

if TYPE_CHECKING:
    from openapi_mcp_server.server.http11.any_request import Http11, Protocols

KEEP_ALIVE_SECONDS = 75.0
"""The idle timeout. It is longer than that of proxies in front (nginx and load balancers: 60 s), so that no connection
is closed while a request is being written to it. The head of a request must arrive in this time, too."""
WRITE_SECONDS = 15.0
"""The time for a client to take a piece of an answer."""
WRITE_BYTES = 64 * 1024
"""Bytes of one piece: the slowest client that is served reads 4 kB a second."""
LAST_WRITE_SECONDS = 2.0
"""The same while the server stops: a client that does not read must not delay the end. The kernel has taken some 3 MB
by then and delivers them. A client must read more than that at 100 kB a second."""
LINGER_SECONDS = 1.0
"""How long the rest of a request is read and dropped after its connection's last answer. Closing with unread data would
reset the connection, and the client might lose the answer (RFC 9112 section 9.6)."""
FAREWELL_SECONDS = 0.25
"""How long idle connections are still read at a stop: a request may just be on its way."""
READ_BYTES = 64 * 1024
KNOWN_BYTES = 1024
"""The longest head that is kept for the next request of its connection: 2 kB with its parsed fields."""
_ORDINARY = {
    "type": "http",
    "http_version": "1.1",
    "asgi": {"spec_version": "2.1", "version": "3.0"},
    "scheme": "http",
    "root_path": "",
}
"""The part of the scope that is the same for every ordinary request."""
_LINE_ENDS = frozenset({b"\r", b"\n"})


class ServerState:
    """The state that all connections share. ``ends``: the turns of connections that are closed together, with calls in
    flight or without."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.ends = Turns.of_all()
        self.is_stopping = False
        self._stopping = trio.Event()
        self._protocols: Protocols | None = None

    def stop(self) -> None:
        self.is_stopping = True
        self._stopping.set()

    @property
    def protocols(self) -> Protocols:
        """The handler of requests that are not ordinary. The first such request makes it, which saves a start 30 ms."""
        if self._protocols is None:
            from openapi_mcp_server.server.http11.any_request import Protocols  # noqa: PLC0415 - hypercorn

            self._protocols = Protocols(self.app, self._stopping)
        return self._protocols


class ClientConnection:
    """One client's connection: it reads and writes for the protocol, and ends when it is idle for too long."""

    def __init__(self, state: ServerState, stream: trio.SocketStream) -> None:
        self._state = state
        self._stream = stream
        # Trio's own socket lets all other tasks run after each read and write, also where nothing was waited for.
        self._socket: socket.socket = stream.socket._sock  # type: ignore[attr-defined]  # noqa: SLF001
        self._reading = trio.CancelScope()
        self.idle_until = trio.current_time() + KEEP_ALIVE_SECONDS
        self._writing = trio.Lock()
        self._patience = trio.CancelScope()  # of the write that is going on
        self._is_idle = True
        self._is_over = False  # nothing is written any more, and what is read is thrown away
        self._is_ordinary = False  # what is answered just now: in this connection's own task
        self._known: ordinary.OrdinaryHead | None = None  # that of the request before
        self._watching: trio.CancelScope | None = None  # for the client's leaving meanwhile
        self._protocol: Http11 | None = None  # once a request has come that is not ordinary
        self._unread = b""  # the beginning of the first of these

    async def serve(self) -> None:
        """Runs until either side ends the connection. The caller closes the stream."""
        try:
            self._client, self._server = _peers(self._stream)
        except OSError:
            return  # it left before it was looked at
        await self._read_in_time()
        if self._unread:
            await self._serve_by_protocol()

    async def _serve_by_protocol(self) -> None:
        """The protocol of all requests, made at the connection's first request that is not ordinary."""
        self._reading = trio.CancelScope()
        async with trio.open_nursery() as tasks:
            self._protocol = self._state.protocols.made(self, tasks, self._client, self._server)
            await self._read_in_time()
            await self._protocol.leave()
        self._protocol = None  # which refers to this connection: 34 objects that only the collector would find

    def dismiss(self) -> None:
        """The process stops: an idle connection has little time left, a busy one ends when its answer is taken."""
        if self._is_idle:
            self._reading.deadline = trio.current_time() + FAREWELL_SECONDS
        self._patience.deadline = min(self._patience.deadline, trio.current_time() + LAST_WRITE_SECONDS)

    def end_reading(self) -> None:
        """Stops reading from the client, and cancels a request that is answered in the connection's own task."""
        self._reading.cancel()

    def abort(self) -> None:
        """Closes the connection at once, even during a write that the client does not take."""
        self._stream.socket.close()

    async def _read_in_time(self) -> None:
        """Runs until nothing more is read. Many connections that end together take turns."""
        if self._state.is_stopping:
            self.dismiss()
        with self._reading:
            await self._read()
        if self._reading.cancelled_caught:
            await self._state.ends.wait("")

    async def _read(self) -> None:
        """Reads until the end, or until a request comes for the protocol of all requests."""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            if self._unread and self._protocol is not None:
                begun, self._unread = self._unread, b""
                await self._hand_on(self._protocol, begun)
                del begun
            while True:
                await trio.lowlevel.wait_readable(self._socket)  # an idle stream that receives is 1 kB larger
                try:
                    data = self._socket.recv(READ_BYTES)
                except BlockingIOError:
                    continue
                except OSError:
                    break
                if not data:
                    await self._state.ends.wait("")
                    break
                if self._is_over:  # until the linger is over; the protocol of all requests would know of no end
                    del data
                    continue
                exchange = self._begun(data)
                if exchange is None:
                    if self._protocol is None:
                        self._unread = data
                        break
                    await self._hand_on(self._protocol, data)
                del data  # up to 64 kB, else kept for as long as the call takes, or nothing more comes
                if exchange is not None and not await self._answer(*exchange):
                    break
                del exchange

    def _is_between(self) -> bool:
        """Whether the connection is between two requests, in h11, too."""
        return self._is_idle and (self._protocol is None or not self._protocol.has_begun)

    def _begun(self, data: bytes) -> tuple[ordinary.OrdinaryExchange, Scope] | None:
        """The exchange and the scope of an ordinary request; None for any other."""
        if self._state.is_stopping or not self._is_between():
            return None
        request = ordinary.read(data.lstrip(b"\r\n") if data[:1] in _LINE_ENDS else data, self._known)
        if request is None:
            return None
        if request.head is not self._known:
            self._known = request.head if len(request.head.text) <= KNOWN_BYTES else None
        exchange = ordinary.OrdinaryExchange(
            request, self._read_body, self._left, self._write_ordinary, lambda: self._state.is_stopping
        )
        return exchange, self._scope(request.head, exchange)

    async def _hand_on(self, protocol: Http11, data: bytes) -> None:
        """Hands bytes on to the protocol of all requests."""
        if data[:1] in _LINE_ENDS and self._is_between():
            data = data.lstrip(b"\r\n")  # RFC 9112 section 2.2: empty lines before a request are ignored
        if data:
            await protocol.take(data)

    async def _answer(self, exchange: ordinary.OrdinaryExchange, scope: Scope) -> bool:
        """Answers an ordinary request in this task. Further data of the client waits in the kernel. False if it is not
        wanted."""
        self._is_idle, self._is_ordinary, self.idle_until = False, True, math.inf
        try:
            await run_app(self._state.app, scope, exchange.receive, exchange.send)
        finally:
            self._is_ordinary = False
        if self._is_over:
            return False
        if exchange.closes or exchange.missing or self._state.is_stopping:
            self._shut()
            self._reading.deadline = trio.current_time() + LINGER_SECONDS
            return exchange.missing > 0
        self._is_idle, self.idle_until = True, trio.current_time() + KEEP_ALIVE_SECONDS
        return True

    def _scope(self, head: ordinary.OrdinaryHead, exchange: ordinary.OrdinaryExchange) -> Scope:
        return {
            **_ORDINARY,
            "method": head.method,
            "path": head.path.decode("ascii"),
            "raw_path": head.path,
            "query_string": head.query,
            "headers": head.headers,
            "client": self._client,
            "server": self._server,
            "whole_body": exchange.whole_body,
            "abandon": self.end_reading,
        }

    async def _read_body(self, most: int) -> bytes:
        """Reads at most so many bytes of the body; none if the client has left."""
        while await self._is_readable():
            try:
                if data := self._socket.recv(min(most, READ_BYTES)):
                    return data
            except BlockingIOError:
                continue
            except OSError:
                pass
            break
        await self._state.ends.wait("")
        return b""

    async def _left(self) -> None:
        """Returns when the client has left or is given up. If a next request has come, the leaving is not noticed."""
        while await self._is_readable():
            try:
                has_left = not self._socket.recv(1, socket.MSG_PEEK)
            except BlockingIOError:
                continue
            except OSError:
                has_left = True
            if has_left:
                await self._state.ends.wait("")
                return
            with trio.CancelScope() as self._watching:
                await trio.sleep_forever()

    async def _is_readable(self) -> bool:
        """Waits for it; false where the connection is over."""
        if self._is_over or not self._is_ordinary:
            await trio.lowlevel.checkpoint()
            return False
        with trio.CancelScope() as self._watching, suppress(trio.ClosedResourceError, OSError, ValueError):
            await trio.lowlevel.wait_readable(self._socket)
            return True
        return False

    async def _write_ordinary(self, data: bytes, last: bool) -> None:  # noqa: FBT001 - called by position
        """The kernel takes most answers at once."""
        if last and not self._is_over and not self._writing.locked():
            try:
                data = data[self._socket.send(data) :]
            except BlockingIOError:
                pass
            except OSError:
                self._give_up()
                return
        if data:
            await self.write(data)
        if last and self._watching is not None:
            self._is_ordinary = False
            self._watching.cancel()

    def become_idle(self, *, idle: bool) -> None:
        """The protocol has answered, or has begun to read a request."""
        self._is_idle = idle
        self.idle_until = trio.current_time() + KEEP_ALIVE_SECONDS if idle else math.inf
        if not idle:
            self._reading.deadline = math.inf  # a request that has come within the farewell of a stop has its grace

    async def write(self, data: bytes) -> None:
        """Writes within the time that a client has to take a piece. Does nothing once the connection is over."""
        if self._is_over:
            await trio.lowlevel.checkpoint()  # an application that still sends must learn of the disconnect some time
            return
        try:
            async with self._writing:
                for start in range(0, len(data), WRITE_BYTES):
                    await self._write_piece(data[start : start + WRITE_BYTES])
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
            self._give_up()
        except trio.Cancelled:
            self._give_up()
            raise

    async def _write_piece(self, piece: bytes) -> None:
        seconds = LAST_WRITE_SECONDS if self._state.is_stopping else WRITE_SECONDS
        with trio.move_on_after(seconds) as self._patience:
            await self._stream.send_all(piece)
            return
        raise trio.TooSlowError

    def _give_up(self) -> None:
        """Ends the connection after a failed write: part of an answer may be out, so nothing can follow."""
        self._is_over = True
        if self._is_ordinary:
            if self._watching is not None:
                self._watching.cancel()
        else:
            self._reading.cancel()

    def _shut(self) -> None:
        self._is_over = True
        with suppress(OSError):
            self._stream.socket.shutdown(socket.SHUT_WR)

    def end(self, *, is_sending: bool) -> None:
        """After the last answer: ends writing, and reads the rest from a client that is still sending."""
        self._shut()
        if is_sending:
            self._reading.deadline = trio.current_time() + LINGER_SECONDS
        else:
            self._reading.cancel()


def _peers(stream: trio.SocketStream) -> tuple[Peer, Peer]:
    """(client, server). Raises OSError if the client has left already."""
    return _peer(stream.socket.getpeername()), _peer(stream.socket.getsockname())


def _peer(address: Any) -> Peer:  # noqa: ANN401 - as the family has it
    """Host and port; None for a Unix socket."""
    return (address[0], address[1]) if isinstance(address, tuple) else None
