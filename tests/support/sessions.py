"""A client of HTTP+SSE that sees every byte, and a server for it that a test can stop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import h11
import msgspec
import trio
from trio.testing import wait_all_tasks_blocked

from openapi_mcp_server.gateway.gateway import Gateway
from openapi_mcp_server.server import ports
from openapi_mcp_server.server.http11 import connections
from openapi_mcp_server.server.sse.http_sse import HttpSse, http_sse
from openapi_mcp_server.server.sse.peers import Peers
from served import unknown

HEADERS = {"Host": "localhost", "Content-Type": "application/json"}


class Http:
    """One connection of a client, an answer at a time."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._protocol = h11.Connection(h11.CLIENT)

    async def ask(self, method: str, target: str, body: bytes = b"", **changes: str | None) -> h11.Response:
        """Sends a request; returns the head of its answer."""
        changed = {name.replace("_", "-").title(): value for name, value in changes.items()}
        headers = {**HEADERS, "Content-Length": str(len(body)), **changed}
        sent = [(name, value) for name, value in headers.items() if value is not None]
        data = self._protocol.send(h11.Request(method=method, target=target, headers=sent)) or b""
        if body:
            data += self._protocol.send(h11.Data(body)) or b""
        await self.stream.send_all(data + (self._protocol.send(h11.EndOfMessage()) or b""))
        head = await self.next()
        assert isinstance(head, h11.Response)
        return head

    def next_cycle(self) -> None:
        """After an answer that was read to its end: the connection is used again."""
        self._protocol.start_next_cycle()

    async def next(self) -> Any:
        while (event := self._protocol.next_event()) is h11.NEED_DATA:
            self._protocol.receive_data(await self.stream.receive_some())
        return event

    async def body(self) -> bytes:
        body = b""
        while isinstance(event := await self.next(), h11.Data):
            body += event.data
        return body


class Answer(msgspec.Struct):
    status: int
    headers: dict[str, str]
    body: bytes


class Session:
    """A session that is open: its stream event by event, and the address for messages."""

    def __init__(self, server: Server, http: Http) -> None:
        self.server = server
        self.http = http
        self.target = ""
        self._text = ""

    async def event(self) -> tuple[str, str]:
        """(kind, data); a comment has the kind ``""``. Raises EOFError where the stream has ended properly."""
        while "\n\n" not in self._text:
            match await self.http.next():
                case h11.Data(data=data):
                    self._text += bytes(data).decode()
                case _:
                    raise EOFError
        block, _, self._text = self._text.partition("\n\n")
        if block.startswith(": "):
            return "", block[2:]
        kind, data = block.split("\n")
        return kind.removeprefix("event: "), data.removeprefix("data: ")

    async def message(self) -> dict[str, Any]:
        kind, data = await self.event()
        assert kind == "message", (kind, data)
        return msgspec.json.decode(data)

    async def post(self, body: bytes, **changes: str | None) -> Answer:
        return await self.server.ask("POST", self.target, body, **changes)

    async def call(self, request_id: int | str = 1, pet: int = 5, *, progress: bool = False) -> int:
        """The status of posting a call."""
        params: dict[str, Any] = {"name": "get_pet", "arguments": {"id": pet}}
        if progress:
            params["_meta"] = {"progressToken": "p"}
        return (await self.post(request("tools/call", request_id, params))).status

    async def leave(self) -> None:
        await self.http.stream.aclose()


class Server:
    """HTTP+SSE alone, on a port of its own; without ``sse``, only what clients need of another server."""

    def __init__(self, port: int, sse: HttpSse | None = None) -> None:
        self.port = port
        self.sse = sse
        self.stopping, self.stopped = trio.Event(), trio.Event()
        self._streams: list[trio.SocketStream] = []

    async def connect(self) -> Http:
        self._streams.append(await trio.open_tcp_stream("127.0.0.1", self.port))
        return Http(self._streams[-1])

    async def ask(self, method: str, target: str, body: bytes = b"", **changes: str | None) -> Answer:
        http = await self.connect()
        async with http.stream:
            head = await http.ask(method, target, body, **changes)
            headers = {name.decode(): value.decode() for name, value in head.headers}
            return Answer(head.status_code, headers, await http.body())

    async def open(self) -> Session:
        http = await self.connect()
        head = await http.ask("GET", "/sse", accept="text/event-stream")
        assert head.status_code == 200, head
        session = Session(self, http)
        kind, session.target = await session.event()
        assert kind == "endpoint"
        return session

    def stop(self) -> None:
        self.sse.drain()
        self.stopping.set()

    def hang_up(self) -> None:
        """Closes what clients left open."""
        for stream in self._streams:
            stream.socket.close()


@asynccontextmanager
async def sse_server(
    built: Gateway, *, grace_seconds: float = 5, peers: Callable[[int], Peers] | None = None
) -> AsyncIterator[Server]:
    """``peers``: the other tasks, as one at this port knows them."""
    listener = ports.bind("127.0.0.1", 0)
    known = peers(listener.getsockname()[1]) if peers else None
    async with http_sse(built, unknown(), worker=0, peers=known) as sse, trio.open_nursery() as nursery:
        server = Server(listener.getsockname()[1], sse)

        async def serve() -> None:
            await connections.serve(server.sse, listener, until=server.stopping.wait, grace_seconds=grace_seconds)
            server.stopped.set()

        nursery.start_soon(serve)
        await wait_all_tasks_blocked()
        try:
            yield server
        finally:
            server.hang_up()
            server.stop()


def request(method: str, request_id: int | str = 1, params: dict[str, Any] | None = None) -> bytes:
    message = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params or {}}
    return msgspec.json.encode(message)
