"""Connections that end at the same moment do not all go before what another client has ready."""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext
from typing import NoReturn

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from clocks import Turn
from openapi_mcp_server.server.asgi import run_app
from openapi_mcp_server.server.http11.connection import KEEP_ALIVE_SECONDS
from openapi_mcp_server.server.principals.turns import MOST
from real_sockets import run, serving_app

CLIENTS = 60
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\n"
SENT = {
    "no whole body": POST + b"Content-Length: 9\r\n\r\n{",
    "no whole body by h11": POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
    "a call in flight": POST + b"Content-Length: 1\r\n\r\n{",
    "a call in flight by h11": POST + b"Connection: close\r\nContent-Length: 1\r\n\r\n{",
}


@pytest.mark.parametrize("sent", SENT)
def test_few_clients_that_leave_together_are_noticed_in_each_turn(sent: str) -> None:
    turn, noticed = Turn(), Counter[int]()

    async def app(scope, receive, send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        noticed[turn.number] += 1

    async def main() -> None:
        trio.lowlevel.add_instrument(turn)
        async with serving_app(app) as server:
            streams = [await server.connect() for _ in range(CLIENTS)]
            for stream in streams:
                await stream.send_all(SENT[sent])
            await wait_all_tasks_blocked(0.01)
            for stream in streams:
                stream.socket.close()
            while noticed.total() < CLIENTS:
                await trio.lowlevel.checkpoint()

    run(main)
    assert max(noticed.values()) <= MOST


def test_few_idle_connections_are_closed_in_each_turn_when_their_time_is_over() -> None:
    turn, closed = Turn(), Counter[int]()

    async def main() -> None:
        trio.lowlevel.add_instrument(turn)
        async with serving_app(None) as server, trio.open_nursery() as nursery:

            async def client() -> None:
                async with await server.connect() as stream:
                    assert await stream.receive_some() == b""
                    closed[turn.number] += 1

            for _ in range(CLIENTS):
                nursery.start_soon(client)

    clock = MockClock(autojump_threshold=0.01)
    run(main, clock)
    assert closed.total() == CLIENTS
    assert max(closed.values()) <= 2 * MOST  # whoever is late finds what two turns have closed
    assert clock.current_time() >= KEEP_ALIVE_SECONDS


@pytest.mark.parametrize("grouped", [False, True])
def test_a_request_that_is_cancelled_is_not_answered_before_its_connection_ends(grouped: bool) -> None:
    sent: list[object] = []

    async def app(scope, receive, send) -> None:
        async with trio.open_nursery() if grouped else nullcontext():
            await trio.sleep_forever()

    async def receive() -> NoReturn:
        raise AssertionError("nothing is asked for")

    async def send(event: object) -> None:
        sent.append(event)

    async def main() -> None:
        with trio.CancelScope() as answering:
            answering.cancel()
            await run_app(app, {}, receive, send)

    trio.run(main)
    assert sent == []
