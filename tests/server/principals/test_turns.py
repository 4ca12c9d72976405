"""Messages of many connections that come in one turn of the loop: those of one client do not all go first."""

from __future__ import annotations

import msgspec
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from clocks import run
from openapi_mcp_server.server.principals.guard import Guard
from openapi_mcp_server.server.principals.turns import ALONE_SECONDS, MOST, Turns
from openapi_mcp_server.server.sse.http_sse import http_sse
from openapi_mcp_server.server.streamable_http import streamable_http
from scripted import ScriptedApi, gateway
from served import VISITORS, verify
from sessions import request
from without_socket import Client

CLIENTS = 80
LIST = request("tools/list")


ASKED = {"by token": msgspec.structs.replace(VISITORS, guard=Guard(verify)), "by address": VISITORS}


async def together(clients: list[Client]) -> list[Client]:
    """All ask in one turn; the order in which they are answered."""
    answered: list[Client] = []
    begin = trio.Event()

    async def one(client: Client) -> None:
        await begin.wait()
        await client.ask(LIST)
        answered.append(client)

    async with trio.open_nursery() as nursery:
        for client in clients:
            nursery.start_soon(one, client)
        await wait_all_tasks_blocked()
        begin.set()
    return answered


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("transport", ["mcp", "sse"])
def test_another_one_is_answered_after_a_few_of_many(asked, transport):
    async def main():
        visitors, built = msgspec.structs.replace(ASKED[asked], turns=Turns()), gateway(ScriptedApi())
        async with (
            streamable_http(built, visitors, lambda: False) as mcp,
            http_sse(built, visitors, worker=0) as sse,
        ):
            app, path = (mcp, "/mcp") if transport == "mcp" else (sse, "/messages/w0/")
            other = Client(app, "other", path=path, address="2001:db8::2")
            await other.ask(LIST)
            for _ in range(20):  # Trio runs those of one turn in any order
                answered = await together([other, *(Client(app, "greedy", path=path) for _ in range(CLIENTS))])
                assert answered.index(other) <= MOST
                await trio.sleep(10)
                await other.ask(LIST)

    run(main)


def test_who_is_alone_is_served_as_it_comes():
    async def main():
        turns = Turns()
        await turns.wait("alone")
        await trio.sleep(ALONE_SECONDS)
        for _ in range(10 * MOST):
            waiting = turns.wait("alone")
            with pytest.raises(StopIteration):
                waiting.send(None)

    run(main)


def test_each_turn_begins_so_many_of_one_and_of_another():
    async def main():
        turns, begun = Turns(), []
        for key in ("one", "other"):
            await turns.wait(key)

        async def begin(key):
            await turns.wait(key)
            begun.append(key)

        async with trio.open_nursery() as nursery:
            for key in ("one", "other"):
                for _ in range(5 * MOST):
                    nursery.start_soon(begin, key)
            for count in range(2, 6):
                await trio.lowlevel.checkpoint()
                assert begun.count("one") <= count * MOST
                assert begun.count("other") <= count * MOST

    run(main)
