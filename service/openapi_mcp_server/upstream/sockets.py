"""TCP and TLS on Trio, and the two interfaces through which the rest of the room uses the network.

Callers have a deadline around all reads and writes, so only connecting takes a timeout here. Two context managers and a
cancel scope around every read and write were a sixth of the cost of a call to an API (httpcore2 2.16; instructions
counted).
"""

from __future__ import annotations

import errno
import math
import os
import select
import socket
import ssl
from typing import Protocol

import trio

_REASON_LIMIT = 200
"""Characters of a library's words in an error of ours."""
_UNKNOWN_AUTHORITY = frozenset({18, 19, 20, 21})
"""OpenSSL's X509_V_ERR_ codes for a chain that ends nowhere: DEPTH_ZERO_SELF_SIGNED_CERT, SELF_SIGNED_CERT_IN_CHAIN,
UNABLE_TO_GET_ISSUER_CERT_LOCALLY, UNABLE_TO_VERIFY_LEAF_SIGNATURE."""
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"})
"""OpenSSL's words for an answer that is no TLS; the last two since OpenSSL 3.2."""
_SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL, errno.EAGAIN})


class NetworkError(Exception):
    """The network failed; the cause is the operating system's or OpenSSL's own error."""


class ConnectError(NetworkError):
    """No connection: the name, TCP or TLS failed."""


class ConnectTimeout(ConnectError):
    """No connection in time."""


class OutOfResources(ConnectError):
    """No connection because this process lacks a descriptor, a port or memory. This says nothing about the API."""


class ReadError(NetworkError):
    """The peer reset the connection, or did not send valid TLS."""


class WriteError(NetworkError):
    """The peer accepts no more data."""


class Stream(Protocol):
    """A connection, plain or secured."""

    @property
    def plain(self) -> socket.socket | None:
        """The non-blocking socket, if the connection has no TLS; else None."""
        ...

    async def read(self, most: int) -> bytes:
        """Reads at most so many bytes; none at the end. Raises ReadError."""
        ...

    async def write(self, data: bytes) -> None:
        """Raises WriteError."""
        ...

    async def close(self) -> None:
        """Closes with TLS close_notify, which may wait for the peer."""
        ...

    async def start_tls(self, context: ssl.SSLContext, host: str) -> Stream:
        """The same connection, secured for ``host``. Raises ConnectError."""
        ...

    def is_quiet(self) -> bool:
        """Whether nothing waits to be read: neither bytes nor the end."""
        ...


class Dialler(Protocol):
    """Opens connections."""

    async def connect(self, host: str, port: int, seconds: float = math.inf) -> Stream:
        """Raises ConnectError or ConnectTimeout."""
        ...


class TcpDialler:
    """Connects to any address or name."""

    async def connect(self, host: str, port: int, seconds: float = math.inf) -> Stream:
        try:
            with trio.fail_after(seconds):
                stream = await trio.open_tcp_stream(host, port)
        except trio.TooSlowError as error:
            raise ConnectTimeout(f"no connection to {host} in time") from error
        except (OSError, UnicodeError) as error:  # UnicodeError: not even a name, to IDNA
            raise connect_error(error, str(error)) from error
        return TcpStream(stream, stream.socket)


def connect_error(error: Exception, problem: str) -> ConnectError:
    """The error for a failure to connect: ours or the other side's."""
    first = cause(error)  # Trio's own says of an address that it failed, and its cause why
    is_ours = isinstance(first, OSError) and not isinstance(first, socket.gaierror) and first.errno in _SHORTAGES
    return OutOfResources(problem) if is_ours else ConnectError(problem)


def cause(error: BaseException) -> BaseException:
    """The first cause, which has the clearest words: ``Connection refused``, ``certificate verify failed``."""
    while (first := error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error.__cause__) is not None:
        error = first
    return error


def reason(error: BaseException, *, trust: str = "HTTP_CA_BUNDLE") -> str:
    """Why the network failed, in the words of the operating system or OpenSSL, with at most 200 characters. If the
    other side has no TLS or no trusted certificate, it also says what to do (``trust`` names the setting)."""
    first = cause(error)
    words = _words(first)[:_REASON_LIMIT] or type(first).__name__
    if isinstance(first, ssl.SSLCertVerificationError) and first.verify_code in _UNKNOWN_AUTHORITY:
        return f"{words}; {trust} names further authorities"
    return f"{words}; is it http://?" if isinstance(first, ssl.SSLError) and first.reason in _NO_TLS else words


def _words(first: BaseException) -> str:
    """The operating system's words alone, if there are any. Libraries put a number and the address before them."""
    if isinstance(first, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {first.verify_message}"
    if isinstance(first, ssl.SSLError) and first.reason:
        return first.reason.replace("_", " ").lower()  # without the line of the C source
    if not isinstance(first, OSError) or isinstance(first, ssl.SSLError) or not first.errno:
        return str(first).partition(": bytearray(")[0]  # h11 quotes what it does not understand, perhaps a secret
    return str(first.strerror) if isinstance(first, socket.gaierror) else os.strerror(first.errno)


class TcpStream:
    """A connection that Trio has made."""

    def __init__(self, stream: trio.abc.Stream, socket_: trio.socket.SocketType) -> None:
        self._stream = stream
        self._waiting = select.poll()  # for what there is to read; to make one for each look takes twice as long
        self._waiting.register(socket_, select.POLLIN)
        self._socket = socket_
        # Trio's own socket lets all other tasks run after each read and write, also where nothing was waited for.
        is_plain = isinstance(stream, trio.SocketStream)
        self.plain: socket.socket | None = socket_._sock if is_plain else None  # type: ignore[attr-defined]  # noqa: SLF001

    async def read(self, most: int) -> bytes:
        while self.plain is not None:
            await trio.lowlevel.wait_readable(self.plain)
            try:
                return self.plain.recv(most)
            except BlockingIOError:
                continue
            except OSError as error:
                raise ReadError(str(error)) from error
        try:
            return bytes(await self._stream.receive_some(most))  # no copy: it is bytes, whatever its type allows
        except trio.BrokenResourceError as error:
            raise ReadError(str(error)) from error

    async def write(self, data: bytes) -> None:
        sent = 0
        if self.plain is not None:
            try:
                sent = self.plain.send(data)  # the kernel takes most requests at once
            except BlockingIOError:
                pass
            except OSError as error:
                raise WriteError(str(error)) from error
        try:
            if sent < len(data):
                await self._stream.send_all(memoryview(data)[sent:])
        except trio.BrokenResourceError as error:
            raise WriteError(str(error)) from error

    async def close(self) -> None:
        await self._stream.aclose()

    async def start_tls(self, context: ssl.SSLContext, host: str) -> Stream:
        secured = trio.SSLStream(self._stream, context, server_hostname=host, https_compatible=True)
        try:
            await secured.do_handshake()
        except trio.BrokenResourceError as error:
            raise ConnectError(str(error)) from error
        return TcpStream(secured, self._socket)

    def is_quiet(self) -> bool:
        if self._waiting.poll(0):
            return False
        if not isinstance(self._stream, trio.SSLStream):
            return True
        tls = self._stream._ssl_object  # noqa: SLF001 - the only way to what TLS holds back
        return tls is None or _is_drained(tls)


def _is_drained(tls: ssl.SSLObject) -> bool:
    """Whether TLS has no unread data. A record that came with the last one of an answer is not visible on the
    socket."""
    try:
        tls.read(1)
    except ssl.SSLWantReadError:
        return True
    except ssl.SSLError:
        return False
    return False
