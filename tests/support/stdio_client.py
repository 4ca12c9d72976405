"""The client's ends of stdio: pipes to a server in this process, with every read and write in a thread."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import anyio
import anyio.to_thread
import msgspec
import trio

from openapi_mcp_server.gateway.gateway import Gateway
from openapi_mcp_server.server.stdio import serve_stdio


def line(method: str, request_id: object = 1, **params: object) -> bytes:
    return msgspec.json.encode({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}) + b"\n"


def call(request_id: object = 1, pet: int = 5, **more: object) -> bytes:
    return line("tools/call", request_id, name="get_pet", arguments={"id": pet}, **more)


def cancel(request_id: object) -> bytes:
    body = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": request_id}}
    return msgspec.json.encode(body) + b"\n"


class Client:
    """The other ends of the pipes."""

    def __init__(self, built: Gateway, pair: Callable[[], tuple[int, int]] = os.pipe) -> None:
        """``pair`` makes the two ends of the server's input."""
        self._gateway = built
        self.stdin, self._to_server = pair()
        self._from_server, self._stdout = os.pipe()
        self._received = b""
        self.reading = trio.CancelScope()
        self.left = trio.Event()

    async def serve(self) -> None:
        await serve_stdio(self._gateway, self.stdin, self._stdout, self.reading)
        os.close(self._stdout)
        self._stdout = -1
        self.left.set()

    async def say(self, *lines: bytes) -> None:
        data = memoryview(b"".join(lines))
        while data:
            data = data[
                await anyio.to_thread.run_sync(os.write, self._to_server, data[:65536], abandon_on_cancel=True) :
            ]

    async def hear(self) -> dict[str, Any]:
        while b"\n" not in self._received:
            chunk = await anyio.to_thread.run_sync(os.read, self._from_server, 65536, abandon_on_cancel=True)
            assert chunk, "the server closed its output"
            self._received += chunk
        message, _, self._received = self._received.partition(b"\n")
        return msgspec.json.decode(message)

    async def hear_end(self) -> None:
        assert await anyio.to_thread.run_sync(os.read, self._from_server, 65536, abandon_on_cancel=True) == b""

    def stop_server(self) -> None:
        """As a signal does."""
        self.reading.cancel()

    def end(self) -> None:
        os.close(self._to_server)
        self._to_server = -1

    def stop_reading(self) -> None:
        os.close(self._from_server)
        self._from_server = -1

    def close(self) -> None:
        for descriptor in (self.stdin, self._to_server, self._from_server, self._stdout):
            if descriptor >= 0:
                os.close(descriptor)
