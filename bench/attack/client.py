"""What attackers send, as bytes: MCP over Streamable HTTP, HTTP+SSE, and what is neither.

They come from an address of their own on the loopback network, so that a limit for each client can tell them from
the well-behaved one.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import msgspec
import trio

ADDRESS = "127.0.0.2"
OTHER_ADDRESS = "127.0.0.3"
LEGACY = "2025-11-25"
WITH_BATCHES = "2025-03-26"
KEPT_BYTES = 16 * 2**20
"""Of an answer; what is longer is counted and thrown away."""
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class Answer(NamedTuple):
    """``status`` is 0 where the server closed the connection without one; ``size`` is the body's in bytes."""

    status: int
    head: bytes
    body: bytes
    size: int

    @property
    def text(self) -> str:
        """The first text of a tool's result, or what stands in its place."""
        try:
            return str(msgspec.json.decode(self.body)["result"]["content"][0]["text"])
        except (msgspec.DecodeError, KeyError, TypeError, IndexError):
            return self.body.decode(errors="replace")

    @property
    def is_error(self) -> bool:
        return b'"isError":true' in self.body or b'"error":{' in self.body or self.status != 200


def call(tool: str, arguments: object, request_id: int = 1) -> dict[str, Any]:
    return message("tools/call", {"name": tool, "arguments": arguments}, request_id)


def message(method: str, params: object = None, request_id: int = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params or {}}


def post(
    body: object, *, path: str = "/mcp", version: str = LEGACY, host: str = "localhost", headers: Sequence[str] = ()
) -> bytes:
    """A whole POST; ``body`` is a message, messages of a batch, or bytes as they are. ``headers``: whole lines, which
    win over those that are usual."""
    data = body if isinstance(body, bytes) else msgspec.json.encode(body)
    usual = (
        f"Host: {host}",
        "Content-Type: application/json",
        "Accept: application/json, text/event-stream",
        f"MCP-Protocol-Version: {version}",
        f"Content-Length: {len(data)}",
    )
    said = {line.partition(":")[0].lower() for line in headers}
    lines = [*headers, *(line for line in usual if line.partition(":")[0].lower() not in said)]
    return "\r\n".join([f"POST {path} HTTP/1.1", *lines, "", ""]).encode("latin-1") + data


def get(path: str, *, host: str = "localhost", headers: Iterable[str] = ()) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", f"Host: {host}", *headers, "", ""]).encode("latin-1")


async def connect(port: int, *, receive_buffer: int = 0, address: str = ADDRESS) -> trio.SocketStream:
    """``receive_buffer``: bytes that the kernel takes for a client that does not read."""
    connection = trio.socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if receive_buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    await connection.bind((address, 0))
    await connection.connect(("127.0.0.1", port))
    return trio.SocketStream(connection)


async def exchange(stream: trio.SocketStream, sent: bytes) -> Answer:
    """One request and its answer, on a connection that may be used again."""
    received = b""
    with suppress(trio.BrokenResourceError):  # a server may answer and close before it has read everything
        await stream.send_all(sent)
    try:
        while b"\r\n\r\n" not in received:
            piece = await stream.receive_some(65_536)
            if not piece:
                return Answer(0, received, b"", 0)
            received += piece
        head, _, rest = received.partition(b"\r\n\r\n")
        body, size = await _body(stream, head, bytearray(rest))
    except trio.BrokenResourceError:
        return Answer(0, received, b"", 0)
    return Answer(int(head.split(b" ", 2)[1]), head, body, size)


async def _body(stream: trio.SocketStream, head: bytes, body: bytearray) -> tuple[bytes, int]:
    found = _LENGTH.search(head)
    length = int(found[1]) if found else None
    size = len(body)
    while size < length if length is not None else not body.endswith(b"0\r\n\r\n"):
        piece = await stream.receive_some(2**20)
        if not piece:
            break
        size += len(piece)
        if len(body) < KEPT_BYTES:
            body += piece
        else:
            body[-5:] = (bytes(body[-5:]) + piece)[-5:]
    return bytes(body), size


async def ask(port: int, sent: bytes, address: str = ADDRESS) -> Answer:
    """On a connection of its own."""
    async with await connect(port, address=address) as stream:
        return await exchange(stream, sent)


class Session:
    """A session of HTTP+SSE."""

    def __init__(self, stream: trio.SocketStream, port: int) -> None:
        self.stream = stream
        self._port = port
        self.target = ""
        self.received = b""

    @classmethod
    async def open(cls, port: int, address: str = ADDRESS) -> Session:
        """Raises EOFError where the server refuses."""
        session = cls(await connect(port, receive_buffer=4096, address=address), port)
        await session.stream.send_all(get("/sse", headers=("Accept: text/event-stream",)))
        found = await session.until(rb"data: (/messages/\S+)|HTTP/1.1 [45]\d\d")
        if found[1] is None:
            raise EOFError(found[0].decode())
        session.target = found[1].decode()
        return session

    async def until(self, pattern: bytes) -> re.Match[bytes]:
        while (found := re.search(pattern, self.received)) is None:
            piece = await self.stream.receive_some(65_536)
            if not piece:
                raise EOFError("the session has ended")
            self.received += piece
        return found

    async def post(self, body: object) -> Answer:
        return await ask(self._port, post(body, path=self.target))
