"""API_RATE_LIMIT: one API is not asked more often, by however many callers, and is left alone when it asks for it."""

from __future__ import annotations

import pytest
import trio

from clocks import run
from openapi_mcp_server.bridge.http_messages import HttpResponse
from openapi_mcp_server.bridge.origins import Origin
from openapi_mcp_server.errors import Refused
from openapi_mcp_server.upstream.gates import Gate

API = Origin("https", "api.example.com", 443)
BUSY = HttpResponse(status=429, reason="", headers=(("retry-after", "30"),), body=b"")


async def _enter(gate, until, times):
    ticket = await gate.enter(until)
    times.append(trio.current_time())
    gate.leave(ticket, None)


def test_requests_have_their_turns():
    async def scenario():
        gate, times, now = Gate(API, connections=100, breaks=True, rate=2), [], trio.current_time()
        async with trio.open_nursery() as nursery:
            for _ in range(8):
                nursery.start_soon(_enter, gate, now + 60, times)
        assert [round(time - now, 3) for time in sorted(times)] == [0, 0, 0.5, 1, 1.5, 2, 2.5, 3]

    run(scenario)


def test_who_would_wait_beyond_the_deadline_is_refused_at_once():
    async def scenario():
        gate, times, now = Gate(API, connections=100, breaks=True, rate=1), [], trio.current_time()
        await _enter(gate, now + 0.5, times)
        with pytest.raises(Refused, match="API_RATE_LIMIT") as refused:
            await gate.enter(now + 0.5)
        assert (refused.value.outcome_unknown, trio.current_time()) == (False, now)

    run(scenario)


def test_retry_after_holds_for_all_callers():
    async def scenario():
        gate, times, now = Gate(API, connections=100, breaks=True, rate=100), [], trio.current_time()
        gate.leave(await gate.enter(now + 60), BUSY)
        with pytest.raises(Refused, match="30 s"):
            await gate.enter(now + 10)
        await _enter(gate, now + 60, times)
        assert times == [now + 30]

    run(scenario)


def test_who_leaves_while_waiting_takes_no_turn():
    async def scenario():
        gate, times, now = Gate(API, connections=100, breaks=True, rate=1), [], trio.current_time()
        await _enter(gate, now + 60, times)
        with trio.move_on_after(0.5):
            await _enter(gate, now + 60, times)
        await _enter(gate, now + 60, times)
        assert times == [now, now + 1]

    run(scenario)
