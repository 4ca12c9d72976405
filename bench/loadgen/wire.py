"""As much of HTTP/1.1 and of event streams as a generator needs, so that it costs far less than the server it asks."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import AsyncGenerator
from typing import NamedTuple
from urllib.parse import urlsplit

import trio

HEAD_BYTES = 64 * 1024
BODY_BYTES = 256 * 1024 * 1024
"""Lists of tools of the largest documents have about 120 MB."""
TLS_SECONDS = 0.05
"""For what came on a connection over TLS to be read: mostly a goodbye, or tickets for the next handshake."""
_READ_BYTES = 64 * 1024

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)[ \t]*\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked[ \t]*\r\n", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection:[ \t]*close[ \t]*\r\n", re.IGNORECASE)
_EVENTS = re.compile(rb"\r\ncontent-type:[ \t]*text/event-stream", re.IGNORECASE)
_STATUS = re.compile(rb"HTTP/1\.([01]) (\d{3})[ \r]")
_WITHOUT_BODY = frozenset({204, 304})


class WireError(Exception):
    """The bytes are not HTTP."""


class ClosedError(Exception):
    """The server closed the connection in the middle of an answer or before it."""


class Place(NamedTuple):
    """A URL taken apart: where to connect, and the words of the head."""

    host: str
    port: int
    is_secure: bool
    authority: str
    target: str


def place(url: str) -> Place:
    """Raises ValueError where the URL cannot be asked."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must begin with http:// or https:// and name a host")
    if parts.username is not None:
        raise ValueError("must carry no user and password; give --header 'Authorization: …'")
    is_secure = parts.scheme == "https"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    port = parts.port or (443 if is_secure else 80)
    return Place(parts.hostname, port, is_secure, parts.netloc, target)


class Head(NamedTuple):
    status: int
    is_last: bool
    """The connection ends with this answer."""
    raw: bytes

    @property
    def is_events(self) -> bool:
        return _EVENTS.search(self.raw) is not None

    def field(self, name: bytes) -> bytes:
        found = re.search(rb"\r\n" + re.escape(name) + rb":[ \t]*([^\r\n]*?)[ \t]*\r\n", self.raw, re.IGNORECASE)
        return found[1] if found else b""


class Connection:
    """One keep-alive connection; one answer is read at a time."""

    def __init__(self, stream: trio.abc.Stream, plain: trio.SocketStream) -> None:
        self._stream = stream
        self._socket = plain.socket
        self._is_plain = stream is plain
        self._buffer = bytearray()

    async def aclose(self) -> None:
        await trio.aclose_forcefully(self._stream)

    async def send(self, data: bytes) -> None:
        try:
            await self._stream.send_all(data)
        except (trio.BrokenResourceError, OSError) as error:
            raise ClosedError("the connection broke while a request was sent") from error

    async def is_over(self) -> bool:
        """Whether the server has closed it since the last answer."""
        if self._buffer or not self._socket.is_readable():
            return False
        try:
            if self._is_plain:
                return not await self._socket.recv(1, socket.MSG_PEEK)
            with trio.move_on_after(TLS_SECONDS):
                await self._more("")
        except (OSError, ClosedError):
            return True
        return False

    def has_unread(self) -> bool:
        """Whether there is more than what was asked for. TLS has things of its own to say."""
        return bool(self._buffer) or (self._is_plain and self._socket.is_readable())

    async def drain(self) -> None:
        """Takes whatever comes until the server closes it."""
        try:
            while True:
                self._buffer.clear()
                await self._more("")
        except ClosedError:
            pass

    async def head(self) -> Head:
        """Of the next answer; informational ones are passed over."""
        while True:
            while (end := self._buffer.find(b"\r\n\r\n")) < 0:
                if len(self._buffer) > HEAD_BYTES:
                    raise WireError(f"the head of an answer has more than {HEAD_BYTES} bytes")
                await self._more("before its answer")
            raw = bytes(self._buffer[: end + 4])
            del self._buffer[: end + 4]
            found = _STATUS.match(raw)
            if found is None:
                raise WireError(f"no HTTP answer: {raw[:60]!r}")
            if found[2][:1] != b"1":
                return Head(int(found[2]), found[1] == b"0" or _CLOSE.search(raw) is not None, raw)

    async def body(self, head: Head) -> bytes:
        found = _LENGTH.search(head.raw)
        if found is not None and not _CHUNKED.search(head.raw):
            return await self._exactly(int(found[1]))
        size, parts = 0, []
        async for piece in self.pieces(head):
            size += len(piece)
            if size > BODY_BYTES:
                raise WireError(f"an answer has more than {BODY_BYTES >> 20} MiB")
            parts.append(piece)
        return b"".join(parts)

    async def pieces(self, head: Head) -> AsyncGenerator[bytes, None]:
        """The body as it comes."""
        if head.status in _WITHOUT_BODY:
            return
        if _CHUNKED.search(head.raw):
            while size := await self._chunk_size():
                yield await self._exactly(size)
                await self._line()
            while await self._line():
                pass  # trailers
        elif (found := _LENGTH.search(head.raw)) is not None:
            yield await self._exactly(int(found[1]))
        else:
            while True:
                yield self._taken(len(self._buffer))
                try:
                    await self._more("")
                except ClosedError:
                    return

    async def _chunk_size(self) -> int:
        line = (await self._line()).partition(b";")[0].strip()
        try:
            size = int(line, 16)
        except ValueError:
            raise WireError(f"no size of a chunk: {line[:20]!r}") from None
        if not 0 <= size <= BODY_BYTES:
            raise WireError(f"a chunk of {size} bytes")
        return size

    async def _line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0:
            if len(self._buffer) > HEAD_BYTES:
                raise WireError("a line without an end")
            await self._more("in the middle of its answer")
        return self._taken(end + 2)[:-2]

    async def _exactly(self, size: int) -> bytes:
        if size > BODY_BYTES:
            raise WireError(f"an answer of {size} bytes")
        while len(self._buffer) < size:
            await self._more("in the middle of its answer")
        return self._taken(size)

    def _taken(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    async def _more(self, when: str) -> None:
        try:
            piece = await self._stream.receive_some(_READ_BYTES)
        except (trio.BrokenResourceError, OSError) as error:
            raise ClosedError(f"the connection broke {when}") from error
        if not piece:
            raise ClosedError(f"the server closed the connection {when}")
        self._buffer += piece


async def connect(where: Place) -> Connection:
    """Raises OSError, with its reason behind it; a failed TLS handshake too."""
    plain = await trio.open_tcp_stream(where.host, where.port)
    if not where.is_secure:
        return Connection(plain, plain)
    secure = trio.SSLStream(plain, ssl.create_default_context(), server_hostname=where.host, https_compatible=True)
    try:
        await secure.do_handshake()
    except BaseException as error:
        await trio.aclose_forcefully(plain)
        if isinstance(error, trio.BrokenResourceError):
            raise OSError("no TLS") from error
        raise
    return Connection(secure, plain)


class Lines:
    """Whole lines out of pieces of bytes, in linear time: a list of tools may be one line of 120 MB."""

    def __init__(self, most: int = BODY_BYTES) -> None:
        self._most = most
        self._rest: list[bytes] = []
        self._size = 0

    def feed(self, piece: bytes | bytearray) -> list[bytes]:
        """Raises WireError for a line without an end."""
        first, *others = bytes(piece).split(b"\n")
        self._rest.append(first)
        self._size += len(first)
        if self._size > self._most:
            raise WireError(f"a line has more than {self._most:,} bytes")
        if not others:
            return []
        lines = [b"".join(self._rest), *others[:-1]]
        self._rest, self._size = [others[-1]], len(others[-1])
        return [line.removesuffix(b"\r") for line in lines]


class Events:
    """Server-sent events out of pieces of bytes: (kind, data) of each that is whole."""

    def __init__(self, most: int = BODY_BYTES) -> None:
        self._most = most
        self._lines = Lines(most)
        self._after_return = False
        self._kind = "message"
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, piece: bytes) -> list[tuple[str, bytes]]:
        """Raises WireError for an event without an end. A line ends with CR LF, LF or CR (HTML, 9.2.5)."""
        if not piece:
            return []
        start = self._after_return and piece.startswith(b"\n")
        self._after_return = piece.endswith(b"\r")
        piece = piece[start:]
        if b"\r" in piece:
            piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return [event for line in self._lines.feed(piece) for event in self._take(line)]

    def _take(self, line: bytes) -> list[tuple[str, bytes]]:
        if not line:
            event = (self._kind, b"\n".join(self._data))
            whole = [event] if self._data else []
            self._kind, self._data, self._size = "message", [], 0
            return whole
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
            self._size += len(line)
            if self._size > self._most:
                raise WireError(f"an event has more than {self._most:,} bytes")
        elif name == b"event":
            self._kind = value.removeprefix(b" ").decode("utf-8", "replace")
        return []
