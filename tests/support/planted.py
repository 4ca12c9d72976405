"""A small MCP server that answers wrongly now and then, as it is told: over HTTP in both eras, HTTP+SSE and stdio.

As a program it serves stdio: ``python planted.py FAULT EVERY``. It has nothing of the server in this repository.
"""

from __future__ import annotations

import math
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import msgspec
import trio

TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
BROKEN = {"type": "object", "properties": {"a": {"$ref": "#/$defs/Gone"}}, "required": ["a"]}
META = {"io.modelcontextprotocol/serverInfo": {"name": "planted", "version": "1"}}
SAFE = {"readOnlyHint": True}
BEFORE = (
    b"id: 1\nretry: 1000\ndata:\n\n: still here\n\n"
    b'event: message\ndata: {"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1}}\n\n'
)
TOOLS = [
    {"name": "echo", "inputSchema": TEXT, "annotations": SAFE},
    {"name": "quiet", "inputSchema": {"type": "object"}, "annotations": SAFE},
    {"name": "broken", "inputSchema": BROKEN, "annotations": SAFE},
    {"name": "refuses", "inputSchema": {"type": "object"}, "annotations": SAFE},
    {"name": "writes", "inputSchema": TEXT},
]
FAULTS = (
    *("none", "mixed up", "lost", "doubled", "closed", "number missing", "tool error", "error", "swapped"),
    *("elsewhere", "slow", "stall", "endless list", "longer list", "nulls"),
)
DELAY_SECONDS = 2.0


class Planted:
    """``fault`` is in each ``every``-th call, "swapped" in the first two alone. ``events``: answers to a POST come as a
    stream of events, behind what a server may say before (2025-11-25, Resumability; progress). ``stays_open``: such a
    stream does not end with its answer. ``modern``: also 2026-07-28. ``sessions``: HTTP of the older era has ids of
    them. ``lasting``: a session ends after so many messages; then ``gone`` is the body of each 404. ``ending_seconds``:
    to end one that is no longer wanted. ``tools``: other ones than `TOOLS`."""

    def __init__(
        self,
        fault: str = "none",
        every: int = 10,
        *,
        events: bool = False,
        stays_open: bool = False,
        modern: bool = True,
        sessions: bool = False,
        lasting: float = math.inf,
        gone: bytes = b"",
        ending_seconds: float = 0.0,
        tools: list[Any] = TOOLS,
    ) -> None:
        assert fault in FAULTS
        self._fault = fault
        self._every = every
        self._events = events or stays_open
        self._stays_open = stays_open
        self._lasting, self._gone, self._ending_seconds = lasting, gone, ending_seconds
        self._said: Counter[str] = Counter()
        self._modern = modern
        self._tools = tools
        self._moving = trio.Event()
        self._moving.set()
        self._previous = "nothing"
        self._with_sessions = sessions
        self.sessions: list[str] = []
        self.ended: list[str] = []
        self._pair: list[Any] = []
        self._both_came = trio.Event()
        self._turn = trio.Lock()
        self._streams: list[trio.SocketStream] = []
        self.calls: list[str] = []
        self.heads: list[bytes] = []

    async def answers(self, data: bytes) -> list[Any] | None:
        """The messages that answer one; None where the connection is to be closed instead."""
        message = msgspec.json.decode(data)
        match message.get("method"):
            case _ if "id" not in message:
                return []
            case "tools/call":
                return await self._call(message)
            case "tools/list":
                return [_result(message, tools=self._tools, **self._cursor(message))]
            case "initialize":
                version = message["params"]["protocolVersion"]
                number = None if self._fault == "nulls" else "1"
                named = {"name": "planted", "version": number}
                return [_result(message, protocolVersion=version, serverInfo=named, _meta=None)]
            case "server/discover" if self._modern:
                return [_result(message, supportedVersions=["2026-07-28"], _meta=META)]
            case method:
                return [{"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32601, "message": f"no {method}"}}]

    def _cursor(self, message: dict[str, Any]) -> dict[str, Any]:
        """Of the next page of the list."""
        here = (message["params"] or {}).get("cursor", "")
        return {
            "endless list": {"nextCursor": "again"},
            "longer list": {"nextCursor": f"{here}x"},
            "nulls": {"nextCursor": None},
        }.get(self._fault, {})

    async def _call(self, message: dict[str, Any]) -> list[Any] | None:
        name, said = message["params"]["name"], message["params"].get("arguments", {}).get("text", "")
        while not self._moving.is_set():
            await self._moving.wait()
        self.calls.append(name)
        previous, self._previous = self._previous, said
        answer = _text(message, "hush" if name == "quiet" else said, is_error=name == "refuses")
        if self._fault == "swapped" and len(self.calls) <= 2:
            return [await self._other(answer)]
        if len(self.calls) % self._every:
            return [answer]
        if self._fault in {"slow", "stall"}:
            await self._delay()
        error = {"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32603, "message": "planted"}}
        return {
            "mixed up": [_text(message, previous)],
            "lost": [],
            "doubled": [answer, answer],
            "closed": None,
            "number missing": [_text(message, "something")],
            "tool error": [_text(message, said, is_error=True)],
            "error": [error],
        }.get(self._fault, [answer])

    async def _delay(self) -> None:
        """This call's own, or with "stall" all calls'."""
        if self._fault == "stall":
            self._moving = trio.Event()
        await trio.sleep(DELAY_SECONDS)
        self._moving.set()

    async def _other(self, answer: Any) -> Any:
        """The answer to the other one of two calls."""
        self._pair.append(answer)
        if len(self._pair) == 2:
            self._both_came.set()
        await self._both_came.wait()
        return self._pair[self._pair[0] is answer]

    async def http(self, stream: trio.SocketStream) -> None:
        """One connection."""
        buffer = b""
        try:
            while True:
                while b"\r\n\r\n" not in buffer:
                    buffer += await _some(stream)
                head, _, buffer = buffer.partition(b"\r\n\r\n")
                self.heads.append(head)
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
                while len(buffer) < length:
                    buffer += await _some(stream)
                body, buffer = buffer[:length], buffer[length:]
                await self._answer(stream, head, body)
        except (EOFError, trio.BrokenResourceError, trio.ClosedResourceError):
            pass

    async def _answer(self, stream: trio.SocketStream, head: bytes, body: bytes) -> None:
        words = head.split(b" ")
        if words[:2] == [b"GET", b"/sse"]:
            self._streams.append(stream)
            start = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
            endpoint = b"event: endpoint\ndata: /messages/%d\n\n" % (len(self._streams) - 1)
            await stream.send_all(start + endpoint + BEFORE)
        elif words[0] == b"GET":
            await stream.send_all(b"HTTP/1.1 405 no\r\nContent-Length: 0\r\n\r\n")
        elif words[1].startswith(b"/messages/"):
            await stream.send_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
            number, answers = int(words[1].rpartition(b"/")[2]), await self.answers(body)
            if self._fault == "elsewhere" and b'"tools/call"' in body and len(self.calls) % self._every == 0:
                number -= 1  # the stream of another session
            await self._on_stream(self._streams[number], answers)
        elif self._with_sessions:
            await self._in_session(stream, head, body)
        else:
            await self._on_post(stream, body, await self.answers(body))

    async def _in_session(self, stream: trio.SocketStream, head: bytes, body: bytes) -> None:
        """Every message but the first must name the session that the first was given."""
        named = head.partition(b"Mcp-Session-Id: ")[2].partition(b"\r\n")[0].decode()
        if b'"initialize"' in body:
            self.sessions.append(f"session-{len(self.sessions)}")
            [answer] = await self.answers(body) or [None]
            sent, name = msgspec.json.encode(answer), self.sessions[-1].encode()
            start = b"HTTP/1.1 200 OK\r\nmcp-session-id: %b\r\nContent-Type: application/json\r\n" % name
            await stream.send_all(start + b"Content-Length: %d\r\n\r\n%b" % (len(sent), sent))
        elif named not in self.sessions or named in self.ended or self._said[named] >= self._lasting:
            start = b"HTTP/1.1 404 gone\r\nContent-Type: application/json\r\n"
            await stream.send_all(start + b"Content-Length: %d\r\n\r\n%b" % (len(self._gone), self._gone))
        elif head.startswith(b"DELETE "):
            await trio.sleep(self._ending_seconds)
            self.ended.append(named)
            await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        else:
            self._said[named] += 1
            await self._on_post(stream, body, await self.answers(body))

    async def _on_stream(self, session: trio.SocketStream, answers: list[Any] | None) -> None:
        if answers is None:
            await session.aclose()
            return
        sent = b"".join(b"data: " + msgspec.json.encode(answer) + b"\n\n" for answer in answers)
        async with self._turn:
            await session.send_all(sent)

    async def _on_post(self, stream: trio.SocketStream, body: bytes, answers: list[Any] | None) -> None:
        if answers is None:
            raise EOFError
        if not answers and b'"id"' in body:
            await trio.sleep_forever()
        if not answers:
            await stream.send_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
        elif self._events:
            sent = b"".join(b"event: message\ndata: " + msgspec.json.encode(each) + b"\n\n" for each in answers)
            head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
            for piece in (BEFORE, sent):
                head += b"%x\r\n%b\r\n" % (len(piece), piece)
            await stream.send_all(head + (b"" if self._stays_open else b"0\r\n\r\n"))
        else:
            for answer in answers:
                sent = msgspec.json.encode(answer)
                head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                await stream.send_all(head % len(sent) + sent)

    async def stdio(self) -> None:
        stdin = trio.wrap_file(sys.stdin.buffer)
        async with trio.open_nursery() as nursery:
            async for line in stdin:
                nursery.start_soon(self._line, line)

    async def _line(self, line: bytes) -> None:
        answers = await self.answers(line)
        if answers is None:
            sys.stderr.write("planted: I leave\n")
            sys.stderr.flush()
            os._exit(3)  # at once, though a thread waits for the next line
        for answer in answers:
            sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
        sys.stdout.buffer.flush()


def _result(message: dict[str, Any], **result: Any) -> Any:
    return {"jsonrpc": "2.0", "id": message["id"], "result": result}


def _text(message: dict[str, Any], text: str, *, is_error: bool = False) -> Any:
    return _result(message, content=[{"type": "text", "text": text}], isError=is_error)


async def _some(stream: trio.SocketStream) -> bytes:
    piece = await stream.receive_some()
    if not piece:
        raise EOFError
    return bytes(piece)


@asynccontextmanager
async def serving(planted: Planted) -> AsyncIterator[str]:
    """The origin that it is served at, for as long as the context lasts."""
    async with trio.open_nursery() as nursery:
        [listener] = await nursery.start(partial(trio.serve_tcp, planted.http, 0, host="127.0.0.1"))
        yield f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(Planted(sys.argv[1], int(sys.argv[2])).stdio)
