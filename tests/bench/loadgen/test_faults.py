"""Answers that are lost, mixed up, doubled or wrong are counted, over each transport; a sound server has none."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
import trio
import trio.testing

import planted
from loadgen.engine import Client, Engine, Mix
from loadgen.ledger import Ledger
from loadgen.pace import pace_of
from loadgen.plan import LEGACY, MODERN, SSE_REVISION, Load, Target, Template
from loadgen.sessions import Session
from loadgen.tally import Tally
from loadgen.transports import opened
from planted import Planted, serving

CALLS = 40
EVERY = 20
PLANTED = CALLS // EVERY
PATHS = {"http": (LEGACY, "/mcp"), "modern http": (MODERN, "/mcp"), "sse": (SSE_REVISION, "/sse")}
TRANSPORTS = ("http", "modern http", "http with events", "sse", "stdio")
ECHO = Template(tool="echo", arguments=msgspec.Raw(b'{"text":"I am {nonce}"}'), is_checked=True)

FOUND = {
    "none": ({}, {}),
    "mixed up": ({"mixed-up": PLANTED}, {"mixed-up": PLANTED}),
    "lost": ({"timeout": PLANTED}, {}),
    "doubled": ({}, {"doubled": PLANTED}),
    "number missing": ({"number missing": PLANTED}, {"unnumbered": PLANTED}),
    "tool error": ({"tool error": PLANTED}, {}),
    "error": ({"error -32603": PLANTED}, {}),
}
"""Errors by kind, and answers that nobody waited for, by what is planted."""


@asynccontextmanager
async def target_of(transport: str, fault: str) -> AsyncIterator[Target]:
    if transport == "stdio":
        command = (sys.executable, planted.__file__, fault, str(EVERY))
        yield Target(transport="stdio", command=command, revision=LEGACY)
        return
    events = transport == "http with events"
    revision, path = PATHS["http" if events else transport]
    async with serving(Planted(fault, EVERY, events=events)) as origin:
        yield Target(transport="sse" if path == "/sse" else "http", url=origin + path, revision=revision)


async def loaded(target: Target, load: Load) -> tuple[Tally, Ledger]:
    ledger, start = Ledger(100), trio.current_time()
    with trio.fail_after(30):
        async with trio.open_nursery() as tasks:

            async def open_session() -> Session:
                return await opened(target, ledger, tasks)

            clients = [Client(open_session) for _ in range(load.clients)]
            engine = Engine(load, Mix([ECHO], target.revision, 0), ledger, clients)
            await engine.run(pace_of(load, 0, start), start)
            tasks.cancel_scope.cancel()
    return engine.tally, ledger


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("fault", FOUND)
def test_what_is_planted_is_counted_and_nothing_else(transport: str, fault: str):
    at_once = {"at_once": 4} if transport in {"sse", "stdio"} else {}
    load = Load(clients=2 if transport != "stdio" else 1, calls=CALLS, timeout_seconds=1.0, **at_once)

    async def main() -> tuple[Tally, Ledger]:
        async with target_of(transport, fault) as target:
            return await loaded(target, load)

    tally, ledger = trio.run(main)
    second, totals = tally.second(0), tally.totals()
    errors, strays = FOUND[fault]
    assert (second.calls, second.errors) == (CALLS, errors)
    assert +ledger.strays == strays
    assert totals.tools["echo"].checked == CALLS - sum(errors.values())
    assert totals.lost == errors.get("timeout", 0)


@pytest.mark.parametrize("transport", ["http", "modern http", "http with events", "sse"])
def test_a_connection_that_ends_without_an_answer_loses_its_calls_and_no_others(transport: str):
    async def main() -> Tally:
        async with target_of(transport, "closed") as target:
            tally, _ = await loaded(target, Load(clients=1, calls=EVERY + 3))
            return tally

    tally = trio.run(main)
    second = tally.second(0)
    assert (second.calls, second.errors, tally.lost) == (EVERY + 3, {"closed": 1}, 1)


def test_a_server_over_stdio_that_leaves_is_started_again_and_its_last_words_are_shown():
    async def main() -> Tally:
        async with target_of("stdio", "closed") as target:
            tally, _ = await loaded(target, Load(clients=1, calls=EVERY + 3))
            return tally

    tally = trio.run(main)
    assert tally.second(0).errors == {"closed": 1}
    assert tally.totals().examples == {"closed": "the server ended with exit code 3: planted: I leave"}


def test_two_calls_that_get_each_others_answers_are_mixed_up_by_their_ids_alone():
    async def main() -> tuple[Tally, Ledger]:
        async with target_of("http", "swapped") as target:
            return await loaded(target, Load(clients=2, calls=20))

    tally, ledger = trio.run(main)
    assert tally.second(0).errors == {"mixed-up": 2}
    assert ledger.strays == {"mixed-up": 2, "doubled": 0}


def test_an_answer_on_the_stream_of_another_session_is_mixed_up_and_its_call_is_lost():
    async def main() -> tuple[Tally, Ledger]:
        async with target_of("sse", "elsewhere") as target:
            return await loaded(target, Load(clients=2, calls=CALLS, timeout_seconds=1.0))

    tally, ledger = trio.run(main)
    assert tally.second(0).errors == {"timeout": PLANTED}
    assert +ledger.strays == {"mixed-up": PLANTED}


def test_a_server_with_sessions_is_told_when_they_end():
    planted_here = Planted(modern=False, sessions=True)

    async def main() -> Tally:
        async with serving(planted_here) as origin:
            target = Target(transport="http", url=f"{origin}/mcp", revision=LEGACY)
            return (await loaded(target, Load(clients=3, calls=CALLS)))[0]

    second = trio.run(main).second(0)
    assert (second.calls, second.errors) == (CALLS, {})
    assert planted_here.sessions == sorted(planted_here.ended)
    assert len(planted_here.sessions) == 3


def test_an_answer_that_comes_after_its_call_was_given_up_is_late_and_not_doubled():
    ledger = Ledger(100)
    number, other = ledger.issue(), ledger.issue()
    ledger.give_up(number)
    assert ledger.stray(number) == "late"
    assert ledger.stray(number) == "doubled"
    assert ledger.stray(other) == "mixed-up"
    ledger.settle(other)
    assert ledger.stray(other) == "doubled"


def test_numbers_of_other_processes_of_the_run_are_known_and_other_digits_are_not():
    ours, theirs, foreign = (Ledger(run, part).issue() for run, part in ((100, 1), (100, 2), (101, 1)))
    ledger = Ledger(100, 1)
    assert ledger.issue() == ours
    assert ledger.carries_another(b'{"id":%d}' % theirs)
    assert not ledger.carries_another(b'{"id":%d}' % foreign)
    assert not ledger.carries_another(b'{"id":1%d}' % theirs)
    assert ledger.stray(theirs) == "mixed-up"
    assert [ledger.stray(each) for each in (foreign, "text", None, 1.5)] == ["unasked"] * 4


def test_a_server_that_is_away_is_asked_again_and_not_in_a_tight_loop():
    async def main() -> Tally:
        async with serving(Planted()) as origin:
            pass
        tally, _ = await loaded(
            Target(transport="sse", url=f"{origin}/sse", revision=SSE_REVISION),
            Load(clients=1, calls=3, seconds=1000.0),
        )
        return tally

    tally = trio.run(main, clock=trio.testing.MockClock(rate=100))
    assert tally.second(0).errors == {"connect": 3}
    assert "refused" in tally.totals().examples["connect"].lower()
