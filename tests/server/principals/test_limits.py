"""How much one principal may do at once and a second, on each transport, in time that is made up."""

from __future__ import annotations

import msgspec
import pytest
import trio
from trio.testing import MockClock

from openapi_mcp_server.server.principals.guard import Guard
from openapi_mcp_server.server.principals.limits import Limits
from openapi_mcp_server.server.principals.pauses import Pauses
from openapi_mcp_server.server.sse.http_sse import http_sse
from openapi_mcp_server.server.streamable_http import streamable_http
from scripted import ScriptedApi, Silence, gateway, ok
from served import VISITORS, verify
from sessions import request
from without_socket import Client

CALLS, RATE = 2, 10.0
CALL = request("tools/call", 1, {"name": "get_pet", "arguments": {"id": 5}})
CANCEL = b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}'
BATCH = b"[" + b",".join([CALL] * (CALLS + 1)) + b"]"
OF_BATCHES = {"mcp_protocol_version": "2025-03-26"}


def run(scenario, api=None):
    async def main():
        built, limits = gateway(api or ScriptedApi()), Limits(rate=RATE, calls=CALLS)
        visitors = msgspec.structs.replace(VISITORS, guard=Guard(verify), pauses=Pauses())  # none left by other tests
        async with (
            streamable_http(built, visitors, lambda: False, limits) as mcp,
            http_sse(built, visitors, worker=0, limits=limits) as sse,
            trio.open_nursery() as nursery,
        ):
            await scenario(mcp, sse, nursery)
            nursery.cancel_scope.cancel()

    trio.run(main, clock=MockClock(autojump_threshold=0))


async def opened(sse, nursery):
    """A client that posts to its session."""
    stream = Client(sse, "alice", path="/sse", method="GET")
    nursery.start_soon(stream.ask)
    await stream.has_answer.wait()
    path, _, query = stream.body.partition(b"data: ")[2].strip().decode().partition("?")
    return Client(sse, "alice", path=path, query=query)


def told_id(body):
    return msgspec.json.decode(body)["id"]


def test_a_batch_that_is_refused_for_what_runs_at_once_costs_nothing_of_the_rate():
    async def scenario(mcp, sse, nursery):
        client, began = Client(mcp, "alice"), trio.current_time()
        assert [await client.ask(BATCH, **OF_BATCHES) for _ in range(int(RATE))] == [429] * int(RATE)
        assert b"at once" in client.body
        assert [await client.ask(CALL) for _ in range(int(RATE))] == [200] * int(RATE)
        assert await client.ask(CALL) == 429
        assert b"calls a second" in client.body
        assert trio.current_time() == began

    run(scenario)


def test_a_message_that_is_refused_for_what_runs_at_once_costs_nothing_of_the_rate_in_a_session():
    async def scenario(mcp, sse, nursery):
        client = await opened(sse, nursery)
        began, left = trio.current_time(), int(RATE) - CALLS
        assert [await client.ask(CALL) for _ in range(CALLS)] == [202] * CALLS
        assert [await client.ask(CALL) for _ in range(left)] == [429] * left
        assert b"at once" in client.body
        for _ in range(left):  # there is room again, and the rest of the rate is left
            await client.ask(CANCEL)
            await trio.testing.wait_all_tasks_blocked()
            assert await client.ask(CALL) == 202
        assert trio.current_time() == began

    run(scenario, ScriptedApi(Silence()))


def test_calls_of_both_transports_count_together():
    async def scenario(mcp, sse, nursery):
        client = await opened(sse, nursery)
        assert [await client.ask(CALL) for _ in range(CALLS)] == [202] * CALLS
        assert await Client(mcp, "alice").ask(CALL) == 429

    run(scenario, ScriptedApi(Silence()))


def test_a_refusal_has_the_id_of_a_message_that_was_read_and_null_before():
    """JSON-RPC 2.0 section 5. A batch is refused as a whole."""

    async def scenario(mcp, sse, nursery):
        client, session = Client(mcp, "alice"), await opened(sse, nursery)
        assert await client.ask(BATCH, **OF_BATCHES) == 429
        assert told_id(client.body) is None
        assert [await client.ask(CALL) for _ in range(int(RATE) + 1)] == [200] * int(RATE) + [429]
        assert told_id(client.body) == 1
        assert await session.ask(CALL) == 429
        assert told_id(session.body) == 1
        assert await client.ask(CALL, content_encoding="gzip") == 415
        assert told_id(client.body) is None
        held = Client(mcp, "bob")
        for _ in range(CALLS):
            nursery.start_soon(held.ask, CALL)
        await trio.testing.wait_all_tasks_blocked()
        assert await held.ask(CALL) == 429  # before the body is read
        assert told_id(held.body) is None

    run(scenario, ScriptedApi(*[ok()] * int(RATE), Silence()))


@pytest.mark.parametrize("body", [request("ping", 7), request("tools/call", 7, {"name": 5})], ids=["valid", "invalid"])
def test_a_session_that_stops_refuses_a_message_with_its_id(body):
    async def scenario(_, sse, nursery):
        session = await opened(sse, nursery)
        assert await session.ask(CALL) == 202
        sse.drain()
        assert await session.ask(body) == 503
        assert told_id(session.body) == 7

    run(scenario, ScriptedApi(Silence()))
