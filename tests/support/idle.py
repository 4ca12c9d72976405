"""Streams on which nothing happens, behind the real nginx that gives a silent worker up: what came of each."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import h11
import trio

from asked import META, call, message
from held import HeldApi
from nginx import every_worker, proxy
from processes import started

PROXY_SECONDS = float(os.environ.get("IDLE_PROXY_SECONDS", "18"))
"""Of silence, before nginx gives the worker up."""
IDLE_SECONDS = float(os.environ.get("IDLE_SECONDS", "20"))
FIRST_BYTE_SECONDS = 10
"""For what is sent at once; a proxy or a worker that kept it would do so for 15 s at least."""
EVENTS = "application/json, text/event-stream"


CALL = call("held")
LISTEN = message("subscriptions/listen", _meta=META, notifications={"toolsListChanged": True})
MODERN = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "subscriptions/listen"}


class Answer:
    """An answer as it arrives."""

    def __init__(self, stream: trio.SocketStream, protocol: h11.Connection) -> None:
        self._stream = stream
        self._protocol = protocol
        self.kind = b""
        self.body = b""

    async def next(self) -> bytes:
        """What comes next of it; nothing at its end. Raises h11.RemoteProtocolError where it is cut."""
        while True:
            event = self._protocol.next_event()
            match event:
                case h11.NEED_DATA:
                    self._protocol.receive_data(await self._stream.receive_some())
                case h11.Response():
                    self.kind = dict(event.headers)[b"content-type"]
                case h11.Data():
                    self.body += event.data
                    return bytes(event.data)
                case _:
                    return b""

    async def whole(self) -> bytes:
        while await self.next():
            pass
        return self.body


@asynccontextmanager
async def asked(address: str, method: str, path: str, body: bytes = b"", **headers: str) -> AsyncIterator[Answer]:
    host, port = address.split(":")
    protocol = h11.Connection(h11.CLIENT)
    fields = {"Host": "localhost", "Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
    data = protocol.send(h11.Request(method=method, target=path, headers=list(fields.items()))) or b""
    async with await trio.open_tcp_stream(host, int(port)) as stream:
        await stream.send_all(data + body)
        protocol.send(h11.Data(body))
        protocol.send(h11.EndOfMessage())
        yield Answer(stream, protocol)


async def _stays(address: str, method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """All that a stream says while it is idle; fails where it ends, or does not begin at once."""
    async with asked(address, method, path, body, **headers) as answer:
        with trio.fail_after(FIRST_BYTE_SECONDS):
            await answer.next()
        with trio.move_on_after(IDLE_SECONDS):
            while await answer.next():
                pass
            raise AssertionError(f"the stream at {path} ended")
        return answer.body


async def _call(address: str, accept: str) -> bytes:
    """The kind and the whole of the answer to a call that the API holds for the idle time."""
    async with asked(address, "POST", "/mcp", CALL, Accept=accept) as answer:
        return await answer.whole() and answer.kind + b"\n" + answer.body


async def _hold(stream: trio.SocketStream) -> None:
    await stream.receive_some()
    await trio.sleep(IDLE_SECONDS)
    await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\ndone")


async def _watch(worker: str, front: str, api: socket.socket) -> dict[str, bytes]:
    """What came of everything that was idle at the same time."""
    listener = trio.SocketListener(trio.socket.from_stdlib_socket(api))
    waits: dict[str, Callable[[], Awaitable[bytes]]] = {
        "session": partial(_stays, front, "GET", "/sse", Accept="text/event-stream"),
        "subscription": partial(_stays, front, "POST", "/mcp", LISTEN, Accept=EVENTS, **MODERN),
        "call": partial(_call, front, EVENTS),
        "call for JSON": partial(_call, front, "application/json"),
        "call for JSON, direct": partial(_call, worker, "application/json"),
    }
    came: dict[str, bytes] = {}
    async with trio.open_nursery() as serving:
        serving.start_soon(trio.serve_listeners, _hold, [listener])
        async with trio.open_nursery() as waiting:

            async def note(name: str) -> None:
                came[name] = await waits[name]()

            for name in waits:
                waiting.start_soon(note, name)
        serving.cancel_scope.cancel()
    return came


def watched(folder: Path) -> dict[str, bytes]:
    """Everything that was idle at the same time, by name, and what came of it."""
    (folder / "openapi.yaml").write_text(HeldApi.DOCUMENT)
    longest = f"{IDLE_SECONDS + 30:g}"
    with socket.create_server(("127.0.0.1", 0)) as api:
        url = "http://{}:{}".format(*api.getsockname())
        where = ("--spec-path", str(folder / "openapi.yaml"), "--api-url", url, "--allow-private-networks")
        options = (*where, "--transport", "http", "--port", "0")
        with started(*options, SERVER_MESSAGE_TIMEOUT=longest, HTTP_TIMEOUT=longest) as worker:
            address = urlsplit(worker.url).netloc
            with proxy(folder, **every_worker(address), PROXY_READ_TIMEOUT=f"{PROXY_SECONDS:g}s") as front:
                return trio.run(_watch, address, f"127.0.0.1:{front.port}", api)
