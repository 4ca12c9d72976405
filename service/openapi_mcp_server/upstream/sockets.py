"""TCP and TLS on Trio behind httpcore2's interface.

httpcore2's own streams put two context managers and a cancel scope around every read and write, for a timeout that
nobody here gives them: a sixth of what a call to an API costs (2.16; instructions counted).
"""
# ruff: noqa: ARG002, ASYNC109 - the parameters are those of httpcore2's interface

from __future__ import annotations

import math
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore2
import trio


class Dialler(httpcore2.AsyncNetworkBackend):
    """Connects to an address. Raises httpcore2's ConnectError or ConnectTimeout."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        try:
            with trio.fail_after(math.inf if timeout is None else timeout):
                stream = await trio.open_tcp_stream(host, port, local_address=local_address)
        except trio.TooSlowError as error:
            raise httpcore2.ConnectTimeout(f"no connection to {host} in time") from error
        except OSError as error:
            raise httpcore2.ConnectError(str(error)) from error
        for option in socket_options or ():
            stream.setsockopt(*option)
        return _Stream(stream, stream.socket)


class _Stream(httpcore2.AsyncNetworkStream):
    """Knows no ``timeout``: whoever reads and writes has a deadline around all of it."""

    def __init__(self, stream: trio.abc.Stream, socket: trio.socket.SocketType) -> None:
        self._stream = stream
        self._socket = socket

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            return bytes(await self._stream.receive_some(max_bytes))  # no copy: it is bytes, whatever its type allows
        except trio.BrokenResourceError as error:
            raise httpcore2.ReadError(str(error)) from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        try:
            await self._stream.send_all(buffer)
        except trio.BrokenResourceError as error:
            raise httpcore2.WriteError(str(error)) from error

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.AsyncNetworkStream:
        secured = trio.SSLStream(self._stream, ssl_context, server_hostname=server_hostname, https_compatible=True)
        try:
            await secured.do_handshake()
        except trio.BrokenResourceError as error:
            raise httpcore2.ConnectError(str(error)) from error
        return _Stream(secured, self._socket)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - the interface's
        match info:
            case "is_readable":
                return self._socket.is_readable()
            case "ssl_object" if isinstance(self._stream, trio.SSLStream):
                return self._stream._ssl_object  # noqa: SLF001 - the only way to what TLS holds back
            case _:
                return None
