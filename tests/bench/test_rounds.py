"""Calls of servers that answer in their own way: on the stream of a session, or by resetting connections."""

from __future__ import annotations

from functools import partial

import msgspec
import pytest
import trio

import rounds
from measured import BODY
from targets import Target

ACCEPTED = b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
LIST = {"tools": [{"name": "getPet"}]}


class Streaming:
    """A server whose calls are answered with 202, and then by an event on the stream that their session has opened. The
    head of a stream is sent with its first event."""

    def __init__(self) -> None:
        self._streams: dict[str, trio.SocketStream] = {}
        self._begun: set[str] = set()
        self._sessions = 0
        self.called: list[int] = []

    async def serve(self, stream: trio.SocketStream) -> None:
        while data := await stream.receive_some():
            head, _, body = data.partition(b"\r\n\r\n")
            session = rounds.Answer(head, body).field(b"mcp-session-id")
            if head.startswith(b"GET "):
                self._streams[session] = stream
            elif body:
                await self._answer(stream, session, msgspec.json.decode(body))

    async def _answer(self, stream: trio.SocketStream, session: str, message: dict[str, object]) -> None:
        match message["method"]:
            case "initialize":
                self._sessions += 1
                await stream.send_all(_json({}, f"Mcp-Session-Id: s{self._sessions}\r\n"))
            case "tools/list":
                await stream.send_all(_json(LIST))
            case "tools/call":
                self.called.append(message["id"])
                await stream.send_all(ACCEPTED)
                event = b"data: " + BODY + b"\n\n"
                begin = b"" if session in self._begun else EVENTS
                self._begun.add(session)
                await self._streams[session].send_all(begin + b"%x\r\n%b\r\n" % (len(event), event))
            case _:
                await stream.send_all(ACCEPTED)


def _json(result: object, fields: str = "") -> bytes:
    body = msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "result": result})
    return f"HTTP/1.1 200 OK\r\n{fields}Content-Length: {len(body)}\r\n\r\n".encode() + body


def test_answers_on_the_stream_of_a_session_are_those_of_its_calls() -> None:
    server = Streaming()

    async def main() -> list[float]:
        async with trio.open_nursery() as nursery:
            [listener] = await nursery.start(partial(trio.serve_tcp, server.serve, 0, host="127.0.0.1"))
            target = Target((), listener.socket.getsockname()[1], session=True, streamed=True)
            with trio.fail_after(30):
                took = await rounds.drive(target, await rounds.opened(target), 12, 3)
            nursery.cancel_scope.cancel()
        return took

    assert len(trio.run(main)) == 12
    assert set(server.called) == {rounds.FIRST_ID, rounds.FIRST_ID + 1, rounds.FIRST_ID + 2}


@pytest.mark.parametrize(
    ("error", "queue", "said"),
    [
        (trio.BrokenResourceError("[Errno 104]"), 5, "it resets connections: only 5 may wait until it accepts them"),
        (ConnectionResetError(), 0, "it resets connections"),
        (ExceptionGroup("", [ExceptionGroup("", [OSError("it is gone")])]), 5, "it is gone"),
        (ValueError(), 0, "ValueError"),
    ],
)
def test_a_reason_is_said_in_words(error: Exception, queue: int, said: str) -> None:
    assert rounds.reason(error, queue) == said
