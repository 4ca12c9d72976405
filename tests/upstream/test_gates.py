"""What stands in front of an API: when it is left alone, how it is found well again, what it shares with no other."""

from __future__ import annotations

import math
from collections import Counter
from functools import partial

import pytest
import trio
import trio.testing

from loopback import OK, Do, Reply, client, clocked, failing, get, loopback, outcome, sized
from openapi_mcp_server.bridge.origins import Origin
from openapi_mcp_server.errors import BadResponse, Refused, Timeout
from openapi_mcp_server.upstream.breaker import OPEN_SECONDS, WINDOW
from openapi_mcp_server.upstream.call import Upstream
from openapi_mcp_server.upstream.gates import Gate

# Left alone


async def broken_by(one: Upstream, origin: Origin) -> None:
    for _ in range(WINDOW):
        await outcome(one, origin, method="POST")


@clocked
async def test_an_api_that_fails_is_left_alone_then_tried_then_used_again(caplog: pytest.LogCaptureFixture) -> None:
    replies = [failing(b"500 Down")] * (WINDOW + 1) + [(OK,)] * 9
    async with loopback(replies) as api, client() as one:
        await broken_by(one, api.origin)
        assert one.breakers() == {str(api.origin): "open"}
        for _ in range(5):
            with pytest.raises(Refused, match=rf"{api.origin} .* try again in 10 s.* it answered 500") as caught:
                await one.send(get(api.origin), deadline_seconds=60)
            assert not caught.value.outcome_unknown
        assert len(api.requests) == WINDOW
        await trio.sleep(OPEN_SECONDS)
        assert one.breakers() == {str(api.origin): "half_open"}
        results = [await outcome(one, api.origin) for _ in range(2)]  # a probe, which fails
        assert [getattr(result, "status", None) for result in results] == [500, None]
        await trio.sleep(OPEN_SECONDS)
        for _ in range(3):
            assert (await one.send(get(api.origin), deadline_seconds=60)).status == 200
        assert one.breakers() == {str(api.origin): "closed"}
    assert [(record.levelname, record.origin) for record in caplog.records] == [("WARNING", str(api.origin))] * 2


@clocked
async def test_a_probe_that_fails_is_told_at_once() -> None:
    async with loopback([(Do.CLOSE,)]) as api, client(retries=2) as one:
        await broken_by(one, api.origin)
        await trio.sleep(OPEN_SECONDS)
        began = trio.current_time()
        result = await outcome(one, api.origin)
        assert (type(result), result.retries, len(api.requests)) == (BadResponse, 0, WINDOW + 1)
        assert trio.current_time() == began


@pytest.mark.parametrize("connections", [1, 100])
@clocked
async def test_only_one_call_finds_out_whether_it_is_well_again(connections: int) -> None:
    replies: list[Reply] = [failing(b"500 Down")] * WINDOW + [(partial(trio.sleep, 3), OK)]
    results = []
    async with loopback(replies, [(OK,)]) as api, client(max_connections=connections) as one:
        await broken_by(one, api.origin)
        await trio.sleep(OPEN_SECONDS)

        async def caller() -> None:
            results.append(await outcome(one, api.origin))

        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(caller)
        assert Counter(type(result).__name__ for result in results) == {"Refused": 9, "HttpResponse": 1}
        assert len(api.requests) == WINDOW + 1


@clocked
async def test_a_probe_whose_client_leaves_lets_the_next_one_try() -> None:
    async with loopback([failing(b"500 Down")] * WINDOW + [(Do.HANG,)], [(OK,)]) as api, client() as one:
        await broken_by(one, api.origin)
        await trio.sleep(OPEN_SECONDS)
        with trio.move_on_after(1):
            await one.send(get(api.origin), deadline_seconds=60)
        assert one.breakers() == {str(api.origin): "half_open"}
        assert (await one.send(get(api.origin), deadline_seconds=60)).status == 200


@pytest.mark.parametrize(
    "reply",
    [
        (OK,),
        failing(b"404 Not Found"),
        failing(b"429 Slow Down"),
        failing(b"501 Not Implemented"),
        (sized(b"ok", b"Content-Encoding: br\r\n"),),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n",),
    ],
)
@clocked
async def test_an_api_that_is_there_is_not_left_alone(reply: Reply) -> None:
    async with loopback([reply] * 3 * WINDOW) as api, client() as one:
        for _ in range(3 * WINDOW):
            assert not isinstance(await outcome(one, api.origin), Refused)
        assert one.breakers() == {str(api.origin): "closed"}


@clocked
async def test_clients_that_leave_say_nothing_about_the_api() -> None:
    async with loopback([(Do.HANG,)]) as api, client() as one:
        for _ in range(2 * WINDOW):
            with trio.move_on_after(1):
                await one.send(get(api.origin), deadline_seconds=60)
        assert one.breakers() == {str(api.origin): "closed"}


@clocked
async def test_a_breaker_that_is_off_leaves_no_api_alone() -> None:
    async with loopback([failing(b"500 Down")] * 2 * WINDOW) as api, client(breaker=False) as one:
        await broken_by(one, api.origin)
        assert (await one.send(get(api.origin), deadline_seconds=60)).status == 500
        assert one.breakers() == {str(api.origin): "closed"}


@clocked
async def test_a_call_whose_api_is_left_alone_meanwhile_is_told_what_happened_to_it() -> None:
    slow_down = failing(b"503 Busy", b"Retry-After: 5\r\n")
    async with loopback([slow_down] + [failing(b"500 Down")] * WINDOW) as api, client(retries=2) as one:
        results = []

        async def caller() -> None:
            results.append(await outcome(one, api.origin))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(caller)
            await trio.sleep(1)
            await broken_by(one, api.origin)
        assert [getattr(result, "reason", result) for result in results] == ["Busy"]
        assert (results[0].retries, len(api.requests)) == (0, WINDOW)


@clocked
async def test_calls_that_wait_for_a_connection_are_not_sent_to_an_api_that_is_left_alone_by_then() -> None:
    async with loopback([(Do.CLOSE,)]) as api, client(max_connections=1) as one:
        results = []

        async def caller() -> None:
            results.append(await outcome(one, api.origin, method="POST"))

        async with trio.open_nursery() as nursery:
            for _ in range(100):
                nursery.start_soon(caller)
        assert Counter(type(result) for result in results) == {BadResponse: WINDOW, Refused: 100 - WINDOW}
        assert len(api.requests) == WINDOW


# Each to itself


@clocked
async def test_a_slow_api_takes_no_connection_from_another() -> None:
    async with (
        loopback([(Do.HANG,)]) as slow,
        loopback([(OK,)] * 3) as other,
        client(max_connections=2) as one,
        trio.open_nursery() as nursery,
    ):
        for _ in range(10):
            nursery.start_soon(outcome, one, slow.origin)
        await trio.testing.wait_all_tasks_blocked()
        assert (await one.send(get(other.origin), deadline_seconds=1)).status == 200
        assert (slow.connections, other.connections) == (2, 1)
        nursery.cancel_scope.cancel()


@clocked
async def test_an_api_that_is_down_takes_nothing_from_another() -> None:
    async with loopback([failing(b"500 Down")] * WINDOW) as down, loopback([(OK,)]) as other, client() as one:
        await broken_by(one, down.origin)
        assert (await one.send(get(other.origin), deadline_seconds=60)).status == 200
        assert one.breakers() == {str(down.origin): "open", str(other.origin): "closed"}


@clocked
async def test_a_call_that_never_gets_a_connection_was_not_sent_and_says_nothing_about_the_api() -> None:
    one_place = client(max_connections=1, attempt_seconds=600)
    async with loopback([(Do.HANG,)]) as api, one_place as one, trio.open_nursery() as nursery:
        nursery.start_soon(partial(outcome, one, api.origin, seconds=600))
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(WINDOW):
            with pytest.raises(Timeout, match=r"all connections to .* were in use") as caught:
                await one.send(get(api.origin), deadline_seconds=10)
            assert not caught.value.outcome_unknown
        assert one.breakers() == {str(api.origin): "closed"}
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("made", [{"max_connections": 1}, {"rate": 1.0}], ids=["for a connection", "for their turn"])
def test_calls_that_wait_are_counted(made: dict[str, float]) -> None:
    @clocked
    async def run() -> None:
        async with loopback([(partial(trio.sleep, 3), OK)] * 3) as api, client(**made) as one:
            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(partial(one.send, get(api.origin), deadline_seconds=60))
                await trio.sleep(0.5)
                assert one.waiting() == 2
            assert one.waiting() == 0

    run()


# Several clients


@clocked
async def test_another_client_has_its_turn_before_those_of_one_that_wait() -> None:
    gate, entered = Gate(Origin("http", "api.example.com", 80), connections=1, breaks=True), []

    async def call(who: str) -> None:
        ticket = await gate.enter(trio.current_time() + 600, who)
        entered.append(who)
        await trio.sleep(1)
        gate.leave(ticket, None, who)

    async with trio.open_nursery() as nursery:
        for who in ["greedy"] * 9 + ["other"] * 2 + ["third"]:
            nursery.start_soon(call, who)
            await trio.testing.wait_all_tasks_blocked()
    assert entered == ["greedy"] * 2 + ["other", "third", "greedy", "other"] + ["greedy"] * 6


@pytest.mark.parametrize(("client", "waiting"), [("greedy", 12), ("", 10)], ids=["one of many", "the only one"])
@clocked
async def test_one_client_leaves_connections_to_others(client: str, waiting: int) -> None:
    gate, until = Gate(Origin("http", "api.example.com", 80), connections=20, breaks=True), math.inf
    async with trio.open_nursery() as nursery:
        for _ in range(30):
            nursery.start_soon(gate.enter, until, client)
        await trio.testing.wait_all_tasks_blocked()
        assert gate.waiting == waiting
        with trio.move_on_after(1) as scope:
            await gate.enter(until, "other")
        assert scope.cancelled_caught is (client == "")
        nursery.cancel_scope.cancel()


@clocked
async def test_under_a_rate_another_client_has_its_turn_after_one_of_many() -> None:
    gate, times = Gate(Origin("http", "api.example.com", 80), connections=99, breaks=True, rate=1), []

    async def call(who: str) -> None:
        await gate.enter(trio.current_time() + 20, who)
        times.append((round(trio.current_time() - began), who))

    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        for who in ["greedy"] * 8 + ["other"] * 2:
            nursery.start_soon(call, who)
            await trio.testing.wait_all_tasks_blocked()
    assert [at for at, who in times if who == "other"] == [3, 5]
    with pytest.raises(Refused, match="the next turn is in"):
        await gate.enter(trio.current_time() + 0.5, "third")


@clocked
async def test_a_call_whose_turn_comes_when_the_api_is_tried_again_is_the_one_that_tries() -> None:
    gate = Gate(Origin("http", "api.example.com", 80), connections=9, breaks=True, rate=0.05)  # a turn each 20 s
    gate.leave(await gate.enter(math.inf), None)
    tickets = []

    async def call() -> None:
        tickets.append(await gate.enter(math.inf))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(call)
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(WINDOW):
            gate.breaker.settle("call", "bad", trio.current_time())
    assert tickets == ["probe"]


@clocked
async def test_a_call_whose_turn_others_have_taken_is_told_when_the_next_one_is() -> None:
    gate, until = Gate(Origin("http", "api.example.com", 80), connections=99, breaks=True, rate=1), 5.5
    refused: list[str] = []

    async def call(who: str, seconds: float) -> None:
        try:
            await gate.enter(trio.current_time() + seconds, who)
        except Refused as error:
            refused.append(f"{who}: {error}")

    async with trio.open_nursery() as nursery:
        for who in ["first"] * 6 + ["second"] * 6:
            nursery.start_soon(call, who, until if who == "first" else 60)
            await trio.testing.wait_all_tasks_blocked()
    assert refused
    assert all("first: http://api.example.com" in each and "the next turn is in 1 s" in each for each in refused)
