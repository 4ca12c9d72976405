"""What becomes of a connection: bytes on a real socket, where hypercorn on Trio has its traps."""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio

from openapi_mcp_server.gateway.gateway import Gateway
from scripted import ScriptedApi, Silence, gateway, ok, slowly
from served import served


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


def connected(built: Gateway, use: Callable[[trio.SocketStream], Awaitable[Any]]) -> None:
    async def main() -> None:
        with trio.fail_after(15):
            async with served(built) as url:
                port = int(url.rpartition(":")[2].partition("/")[0])
                async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                    await use(stream)

    trio.run(main)


@pytest.mark.parametrize("seconds", [0.0, 0.6], ids=["before anybody watches", "while the client is watched"])
def test_a_connection_carries_the_next_call(seconds: float) -> None:
    async def use(stream: trio.SocketStream) -> None:
        for number in (1, 2, 3):
            await stream.send_all(call(number))
            assert b'"id":%d,' % number in await until(stream, b"}]}}")

    connected(gateway(ScriptedApi(slowly(seconds))), use)


def test_a_connection_carries_the_next_call_after_an_event_stream() -> None:
    async def use(stream: trio.SocketStream) -> None:
        await stream.send_all(call(1, b',"_meta":{"progressToken":"p"}'))
        streamed = await until(stream, b"\r\n0\r\n\r\n")
        assert b"notifications/progress" in streamed
        await stream.send_all(call(2))
        assert b'"id":2,' in await until(stream, b"}]}}")

    connected(gateway(ScriptedApi(slowly(2.2), ok())), use)


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
