"""Who asks again as soon as it is refused: how many refusals it gets, and that others wait for none of them."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest
import trio
from trio.testing import MockClock

from asked import META
from openapi_mcp_server.bridge.policy import Principal
from openapi_mcp_server.memory import SMALL_BYTES
from openapi_mcp_server.server.principals.guard import Guard, InvalidToken
from openapi_mcp_server.server.principals.limits import Limits
from openapi_mcp_server.server.principals.pauses import AT_ONCE, PAUSE_SECONDS, PAUSED
from openapi_mcp_server.server.sse.http_sse import http_sse
from openapi_mcp_server.server.streamable_http import streamable_http
from scripted import ScriptedApi, gateway
from served import VISITORS
from sessions import request
from without_socket import Client

SECONDS, RATE, CLIENTS = 5.0, 2.0, 80
MOST = 50_000
"""Answers, after which a storm that nothing slows down is over."""
STEPS = 30
"""Of the loop, while a call is answered; a storm that nothing slows down takes CLIENTS of them in each turn."""
CALL = request("tools/call", 1, {"name": "get_pet", "arguments": {"id": 5}})
LIST = request("tools/list")
LISTEN = request("subscriptions/listen", 1, {"notifications": {"toolsListChanged": True}, "_meta": META})
MODERN = {"mcp_protocol_version": "2026-07-28", "mcp_method": "subscriptions/listen"}


async def verify(token: bytes) -> Principal:
    name = token.decode()
    if name == "nobody":
        raise InvalidToken("the token is not known here")
    return Principal(key=f"token {name}", name=name, rate=RATE if name == "greedy" else None)


GUARDED = msgspec.structs.replace(VISITORS, guard=Guard(verify))


def run(scenario):
    """``scenario(mcp, sse)``, in time that is made up; the visitors are new, and so are their pauses."""

    async def main():
        visitors = msgspec.structs.replace(GUARDED, pauses=type(GUARDED.pauses)())
        built, limits = gateway(ScriptedApi()), Limits(sessions=0)
        async with (
            streamable_http(built, visitors, lambda: False, limits) as mcp,
            http_sse(built, visitors, worker=0, limits=limits) as sse,
        ):
            await scenario(mcp, sse)

    trio.run(main, clock=MockClock(autojump_threshold=0))


async def storm(clients, seconds, body=CALL, **headers):
    """All ask again as soon as they are answered; the statuses that they got."""
    statuses = Counter()

    async def again(client):
        while statuses.total() < MOST:
            statuses[await client.ask(body, **headers)] += 1
            await trio.lowlevel.checkpoint()

    with trio.move_on_after(seconds):
        async with trio.open_nursery() as nursery:
            for client in clients:
                nursery.start_soon(again, client)
    return statuses


ASKED = {
    "calls": ("mcp", "greedy", {}, 429),
    "tokens of nobody": ("mcp", "nobody", {}, 401),
    "messages of no session": ("sse", "greedy", {"path": "/messages/w0/"}, 404),
    "sessions": ("sse", "greedy", {"path": "/sse", "method": "GET"}, 429),
    "sessions of nobody": ("sse", "nobody", {"path": "/sse", "method": "GET"}, 401),
    "no JSON": ("mcp", "greedy", {"body": b"{"}, 400),
    "subscriptions": ("mcp", "greedy", {"body": LISTEN, "accept": "text/event-stream", **MODERN}, 429),
}


@pytest.mark.parametrize("asked", ASKED)
def test_who_asks_again_at_once_gets_one_refusal_a_second_on_a_connection(asked):
    transport, token, given, status = ASKED[asked]
    where = {name: given[name] for name in given if name in {"path", "method"}}
    changes = {name: given[name] for name in given if name not in where}

    async def scenario(mcp, sse):
        app = {"mcp": mcp, "sse": sse}[transport]
        for count in (1, CLIENTS):
            statuses = await storm([Client(app, token, **where) for _ in range(count)], SECONDS, **changes)
            most = AT_ONCE * (1 + SECONDS) + count * SECONDS / PAUSE_SECONDS
            assert 0 < statuses[status] <= most
            assert set(statuses) <= {200, status}
            await trio.sleep(10)

    run(scenario)


def test_refusals_now_and_then_are_told_at_once():
    async def scenario(mcp, sse):
        began, client = trio.current_time(), Client(mcp, "nobody")
        assert [await client.ask(CALL) for _ in range(int(AT_ONCE))] == [401] * int(AT_ONCE)
        assert trio.current_time() == began

    run(scenario)


class Steps(trio.abc.Instrument):
    """How many the loop has made, of all tasks."""

    def __init__(self):
        self.made = 0

    def before_task_step(self, task):
        self.made += 1


@pytest.mark.parametrize("greedy", ["greedy", "nobody"])
def test_others_are_answered_within_a_few_steps_and_refused_at_once_beside_a_storm(greedy):
    async def scenario(mcp, sse):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(storm, [Client(mcp, greedy) for _ in range(CLIENTS)], SECONDS)
            for _ in range(200):  # they have asked by now
                await trio.lowlevel.checkpoint()
            began, steps, other = trio.current_time(), Steps(), Client(mcp, "other", address="2001:db8::2")
            trio.lowlevel.add_instrument(steps)
            assert await other.ask(CALL) == 200
            assert steps.made <= STEPS
            assert await Client(mcp, "nobody", address="2001:db8::2").ask(CALL) == 401
            assert await Client(sse, "other", path="/messages/w0/").ask(CALL) == 404
            assert trio.current_time() == began

    run(scenario)


def test_so_many_wait_and_no_more():
    async def scenario(mcp, sse):
        clients = [Client(mcp, "nobody") for _ in range(int(AT_ONCE) + PAUSED + 30)]
        told = Counter()

        async def once(client):
            await client.ask(CALL)
            told[trio.current_time() > began] += 1

        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            for client in clients:
                nursery.start_soon(once, client)
        assert told == {True: PAUSED, False: len(clients) - PAUSED}

    run(scenario)


def test_a_large_message_is_not_kept_while_its_refusal_waits():
    async def scenario(mcp, sse):
        client = Client(mcp, "nobody")
        for _ in range(int(AT_ONCE)):
            await client.ask(CALL)
        began = trio.current_time()
        assert await client.ask(b" " * (SMALL_BYTES + 1)) == 401
        assert trio.current_time() == began

    run(scenario)


def test_what_is_not_refused_is_never_kept_waiting():
    async def scenario(mcp, sse):
        began = trio.current_time()
        await storm([Client(mcp, "greedy") for _ in range(CLIENTS)], 0.5)
        began = trio.current_time()
        assert await Client(mcp, "greedy").ask(LIST) == 200
        assert trio.current_time() == began

    run(scenario)
