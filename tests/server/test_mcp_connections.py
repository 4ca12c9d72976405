"""What becomes of a connection: bytes on a real socket, where hypercorn on Trio has its traps."""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from clocks import hurried
from openapi_mcp_server.gateway.gateway import Gateway
from openapi_mcp_server.server.posts import BODY_BYTES, LAST_BODY_SECONDS
from scripted import ScriptedApi, Silence, gateway, ok, slowly
from served import endpoint, served


def request(body: bytes) -> bytes:
    head = (
        b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Accept: application/json, text/event-stream\r\nContent-Length: %d\r\n\r\n"
    )
    return head % len(body) + body


def call(request_id: int, token: bytes = b"") -> bytes:
    return request(
        b'{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"get_pet","arguments":{"id":5}%b}}'
        % (request_id, token)
    )


async def until(stream: trio.SocketStream, end: bytes | re.Pattern[bytes]) -> bytes:
    pattern = end if isinstance(end, re.Pattern) else re.compile(re.escape(end))
    received = b""
    while not pattern.search(received):
        chunk = await stream.receive_some()
        assert chunk, f"the server closed the connection after {received!r}"
        received += chunk
    return received


def connected(
    built: Gateway, use: Callable[[trio.SocketStream], Awaitable[Any]], clock: MockClock | None = None
) -> None:
    async def main() -> None:
        with trio.fail_after(15):
            async with served(built) as url:
                port = int(url.rpartition(":")[2].partition("/")[0])
                async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                    await use(stream)

    trio.run(main, clock=clock)


@pytest.mark.parametrize("seconds", [0.0, 0.6], ids=["before anybody watches", "while the client is watched"])
def test_a_connection_carries_the_next_call(seconds: float) -> None:
    async def use(stream: trio.SocketStream) -> None:
        for number in (1, 2, 3):
            await stream.send_all(call(number))
            assert b'"id":%d,' % number in await until(stream, b"}]}}")

    connected(gateway(ScriptedApi(slowly(seconds))), use, hurried())


def test_a_connection_carries_the_next_call_after_an_event_stream() -> None:
    async def use(stream: trio.SocketStream) -> None:
        await stream.send_all(call(1, b',"_meta":{"progressToken":"p"}'))
        streamed = await until(stream, b"\r\n0\r\n\r\n")
        assert b"notifications/progress" in streamed
        await stream.send_all(call(2))
        assert b'"id":2,' in await until(stream, b"}]}}")

    connected(gateway(ScriptedApi(slowly(2.2), ok())), use, hurried())


def test_calls_that_are_sent_at_once_are_answered_in_order() -> None:
    async def use(stream: trio.SocketStream) -> None:
        await stream.send_all(call(1) + call(2))
        received = await until(stream, re.compile(rb"\}\]\}\}.*\}\]\}\}", re.DOTALL))
        assert received.index(b'"id":1,') < received.index(b'"id":2,')

    connected(gateway(ScriptedApi()), use)


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_a_connection_that_is_lost_cancels_its_call_within_a_second(reset: bool) -> None:
    silence = Silence()

    async def use(stream: trio.SocketStream) -> None:
        await stream.send_all(call(1))
        await silence.reached.wait()
        if reset:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await stream.aclose()
        with trio.fail_after(1):
            await silence.cancelled.wait()

    connected(gateway(ScriptedApi(silence)), use)


def test_a_body_that_is_too_large_is_refused_unread() -> None:
    async def use(stream: trio.SocketStream) -> None:
        await stream.send_all(request(b"").replace(b"Content-Length: 0", b"Content-Length: 99999999"))
        received = await until(stream, b"}}")
        assert received.startswith(b"HTTP/1.1 413 ")
        assert await stream.receive_some() == b""

    connected(gateway(ScriptedApi()), use)


CHUNKED = (
    b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
)
PING = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'


def in_chunks(size: int, length: int, extension: bytes = b"") -> bytes:
    """A ping of this length in chunks of this size."""
    whole, rest = divmod(length, size)
    chunk = b"%x%b\r\n%%b\r\n" % (size, extension)
    said = -(-len(PING) // size)  # the chunks that say something; the others are blank and alike
    parts = [chunk % PING[start : start + size].ljust(size) for start in range(0, said * size, size)]
    blank = chunk % b"".ljust(size) * (whole - said)
    last = b"%x%b\r\n%b\r\n" % (rest, extension, b"".ljust(rest)) if rest else b""
    return b"".join([CHUNKED, *parts, blank, last, b"0\r\n\r\n"])


@pytest.mark.parametrize(
    ("size", "length", "extension", "status"),
    [
        *((size, BODY_BYTES, b"", 200) for size in (256, 257, 1000, 65_535, 65_536, BODY_BYTES)),
        (1, 16_384, b"", 200),
        (1, 16_384, b';a="b";c', 200),
        (1, BODY_BYTES, b"", 413),
        (16, BODY_BYTES, b"", 413),
        (65_536, BODY_BYTES + 1, b"", 413),
    ],
    ids=["256", "257", "1,000", "65,535", "65,536", "whole", "single", "extended", "crumbs", "scraps", "too long"],
)
def test_a_body_may_come_in_chunks_of_256_bytes_however_they_are_read(
    size: int, length: int, extension: bytes, status: int
) -> None:
    """RFC 9112 section 7.1: how a body is cut means nothing, as long as it is not cut into crumbs."""

    async def use(stream: trio.SocketStream) -> None:
        async with trio.open_nursery() as tasks:
            tasks.start_soon(sending, stream)
            assert (await until(stream, b"}")).startswith(b"HTTP/1.1 %d " % status)
            tasks.cancel_scope.cancel()

    async def sending(stream: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError):  # the rest of a body that is refused is not read for long
            await stream.send_all(sent)

    sent = in_chunks(size, length, extension)
    connected(gateway(ScriptedApi()), use)


POST = b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
OF_A_BODY = {"ordinary": b"Content-Length: 400\r\n\r\n{", "by h11": b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"}


async def its_session(stream: trio.SocketStream) -> bytes:
    """The target for messages of a session that is opened on this connection."""
    await stream.send_all(b"GET /sse HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
    opened = await until(stream, re.compile(rb"data: \S+\n\n"))
    return opened.partition(b"data: ")[2].split()[0]


@pytest.mark.parametrize("at", ["/mcp", "a session"])
@pytest.mark.parametrize("sent", OF_A_BODY)
def test_a_body_that_is_not_whole_holds_no_stop_up_and_is_told_to_come_again(sent: str, at: str) -> None:
    async def main() -> None:
        async with endpoint(gateway(ScriptedApi()), grace_seconds=60) as server, AsyncExitStack() as stack:
            listening, stream = [
                await stack.enter_async_context(await trio.open_tcp_stream("127.0.0.1", server.port)) for _ in range(2)
            ]
            target = b"/mcp" if at == "/mcp" else await its_session(listening)
            await stream.send_all(POST % target + OF_A_BODY[sent])
            await trio.sleep(1)
            server.drain()
            stopped = trio.current_time()
            answer = await until(stream, b"}}")
            assert trio.current_time() - stopped == pytest.approx(LAST_BODY_SECONDS, abs=0.1)
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"\r\nretry-after: 5\r\n" in answer
            assert b"\r\nconnection: close\r\n" in answer
            assert await stream.receive_some() == b""

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0.01))


def test_a_body_that_is_whole_soon_after_a_stop_is_answered() -> None:
    async def main() -> None:
        async with (
            endpoint(gateway(ScriptedApi()), grace_seconds=60) as server,
            await trio.open_tcp_stream("127.0.0.1", server.port) as stream,
        ):
            whole = call(1)
            await stream.send_all(whole[:-5])
            await trio.sleep(1)
            server.drain()
            await trio.sleep(LAST_BODY_SECONDS - 1)
            await stream.send_all(whole[-5:])
            assert b'"id":1,' in await until(stream, b"}]}}")

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0.01))
