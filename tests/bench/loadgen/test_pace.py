"""When calls are due, and what a server that stands still does to the figures of both loops: on a clock that is set."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from clocks import run
from loadgen.engine import LINGER_SECONDS, Client, Engine, Mix
from loadgen.latencies import Latencies, Latency, merged
from loadgen.ledger import Ledger
from loadgen.messages import Arrived, Message, Request
from loadgen.pace import UNSENT_GROUPS, pace_of
from loadgen.plan import LEGACY, Load, Template, due_seconds, share
from loadgen.tally import Tally

CALL = Template(tool="echo", arguments=msgspec.Raw(b"{}"))
QUICK = 0.001
"""Seconds of every call for which a test says nothing else."""
RESULT = msgspec.Raw(b'{"content":[]}')


class Scripted:
    """A session that takes as long for each call as a test says; the first call is number 1."""

    is_alive = True
    aside = ""

    def __init__(self, seconds: Callable[[int], float]) -> None:
        self._seconds = seconds
        self.calls = 0

    async def ask(self, request: Request, number: int) -> Arrived:
        self.calls += 1
        await trio.sleep(self._seconds(self.calls))
        return Arrived(Message(id=number, result=RESULT), trio.current_time())

    async def notify(self, request: Request) -> None: ...

    async def listen(self, tasks: trio.Nursery) -> None: ...

    async def aclose(self) -> None: ...


class Ran(NamedTuple):
    """``end`` by the pace and ``over`` by the clock, both since the start; ``calls`` that the server saw."""

    tally: Tally
    calls: int
    waited: int
    end: float
    over: float


def ran(load: Load, seconds: Callable[[int], float]) -> Ran:
    """All clients speak to one server."""
    session = Scripted(seconds)

    async def open_session() -> Scripted:
        return session

    async def main() -> Ran:
        start = trio.current_time()
        clients = [Client(open_session) for _ in range(load.clients)]
        engine, pace = Engine(load, Mix([CALL], LEGACY, 0), Ledger(100), clients), pace_of(load, 0, start)
        await engine.run(pace, start)
        return Ran(engine.tally, session.calls, pace.waited, pace.end - start, trio.current_time() - start)

    return run(main)


def measured(load: Load, seconds: Callable[[int], float]) -> Tally:
    return ran(load, seconds).tally


def latency(tally: Tally) -> tuple[int, Latency, Latency]:
    """(calls, since they were due, since they were sent)."""
    second = tally.second(0)
    return second.calls, merged([second.latency]).summary(), merged([second.service]).summary()


def near(value: float) -> object:
    """A histogram keeps three digits."""
    return pytest.approx(value, rel=0.002)


def stalls(index: int) -> Callable[[int], float]:
    """Two seconds in one call, every other one is quick."""
    return lambda call: 2.0 if call == index else QUICK


def test_a_stall_is_in_the_percentiles_of_the_open_loop_by_the_time_that_every_call_waited():
    load = Load(clients=1, rate=100.0, seconds=10.0)
    calls, due, sent = latency(measured(load, stalls(501)))
    # Due every 10 ms. Behind the 2 s one waits a queue that shrinks by 9 ms a call: 2000, 1991, 1982 … ms.
    waited = [1.0] * 500 + [2000.0]
    while len(waited) < 1000:
        waited.append(max(waited[-1] - 10.0, 0.0) + 1.0)
    waited.sort()
    assert calls == 1000
    assert due.p50 == near(waited[499])
    assert due.p90 == near(waited[899])
    assert due.p99 == near(waited[989])
    assert due.max == near(2000.0)
    assert (sent.p50, sent.p99, sent.max) == (near(1.0), near(1.0), near(2000.0))


def test_the_closed_loop_sees_one_slow_call_of_the_same_stall():
    calls, seen, _ = latency(measured(Load(clients=1, seconds=10.0), stalls(501)))
    assert calls == pytest.approx(8_000, abs=2)  # 8 s at a millisecond each
    assert (seen.p50, seen.p99, seen.p999, seen.max) == (near(1.0), near(1.0), near(1.0), near(2000.0))


def test_a_slow_tail_is_where_it_belongs_in_the_distribution():
    load = Load(clients=100, rate=200.0, seconds=10.0)
    calls, due, _ = latency(measured(load, lambda call: 0.3 if call % 50 == 0 else QUICK))
    assert calls == 2_000
    assert (due.p50, due.p90) == (near(1.0), near(1.0))
    assert (due.p99, due.p999, due.max) == (near(300.0), near(300.0), near(300.0))


def test_calls_that_could_not_be_made_in_time_count_as_errors_with_all_the_time_they_waited():
    load = Load(clients=1, rate=10.0, seconds=1.0, timeout_seconds=2.0)
    tally = measured(load, lambda _: 1.5)
    second = tally.second(0)
    # Due at 0, 0.1 … 0.9 s. Sent at 0 and 1.5 s; at 3 s, where the load and its timeout are over, eight are left.
    assert (second.calls, second.errors) == (10, {"not sent": 8})
    assert merged([second.latency]).summary().max == near(2900.0)


def test_calls_that_were_never_sent_took_no_time_since_they_were_sent():
    _, due, sent = latency(measured(Load(clients=1, rate=10.0, seconds=1.0, timeout_seconds=0.5), lambda _: 0.4))
    assert due.max > 1_000
    assert sent.max == near(400.0)


def test_millions_of_calls_that_were_never_made_are_told_in_groups_and_none_is_forgotten():
    pace = pace_of(Load(clients=1, rate=1e6, seconds=100.0, processes=3), 1, 0.0)
    groups = list(pace.unsent())
    assert len(groups) <= UNSENT_GROUPS
    assert sum(count for _, count in groups) == share(10**8, 1, 3)
    assert (groups[0][0], groups[-1][0]) == (pytest.approx(0.0, abs=1e-5), pytest.approx(100.0, abs=0.02))


def test_calls_that_no_client_was_free_for_are_counted_beside_their_latency():
    """Ten are due in a second, and a client can make two of them."""
    assert ran(Load(clients=1, rate=10.0, seconds=1.0), lambda _: 0.5).waited == 9


@pytest.mark.parametrize(
    ("load", "calls", "seconds"),
    [
        (Load(clients=2, seconds=2.0, think_seconds=60.0), 2, 2.0),
        (Load(clients=3, calls=3, seconds=1e5, think_seconds=60.0), 3, QUICK),
        (Load(clients=2, calls=1, seconds=100.0, ramp_seconds=100.0), 1, QUICK),
        (Load(clients=9, rate=0.5, seconds=3.0), 2, 3.0),
        (Load(clients=9, rate=0.5, calls=2, seconds=1e5), 2, 2.0),
    ],
    ids=["seconds, of thought", "calls, of thought", "calls, of a ramp", "seconds, of a rate", "calls, of a rate"],
)
def test_a_load_lasts_as_long_as_was_said_or_until_its_last_call(load: Load, calls: int, seconds: float):
    """The wait for a second answer comes on top."""
    found = ran(load, lambda _: QUICK)
    assert found.calls == calls
    assert found.end == pytest.approx(seconds, abs=0.002)
    assert found.over <= seconds + 2 * QUICK + LINGER_SECONDS


def test_a_call_that_is_never_answered_counts_with_its_timeout():
    tally = measured(Load(clients=1, calls=3, timeout_seconds=0.5), lambda call: 60.0 if call == 2 else QUICK)
    second = tally.second(0)
    assert (second.calls, second.errors, tally.lost) == (3, {"timeout": 1}, 1)
    assert merged([second.latency]).summary().max == near(500.0)


def test_thought_is_no_latency():
    calls, seen, _ = latency(measured(Load(clients=2, seconds=10.0, think_seconds=0.999), lambda _: QUICK))
    assert (calls, seen.max) == (20, near(1.0))


def test_clients_begin_one_after_another_over_the_ramp():
    calls, _, _ = latency(measured(Load(clients=4, seconds=4.0, ramp_seconds=4.0), lambda _: 0.1))
    assert calls == 40 + 30 + 20 + 10


@pytest.mark.parametrize("load", [Load(clients=5, calls=37, seconds=1e6), Load(clients=5, calls=37, rate=1e3)])
def test_a_number_of_calls_is_kept_to(load: Load):
    assert latency(measured(load, lambda _: QUICK))[0] == 37


@given(rate=st.floats(0.01, 1e5), ramp=st.floats(0, 100), index=st.integers(0, 10**6))
def test_the_rate_rises_in_a_straight_line_and_then_stays(rate: float, ramp: float, index: int):
    at = due_seconds(index, rate, ramp)
    by_then = rate * at * at / (2 * ramp) if at < ramp else rate * (at - ramp / 2)
    assert by_then == pytest.approx(index, rel=1e-6, abs=1e-6)
    assert due_seconds(index + 1, rate, ramp) >= at


@given(whole=st.integers(0, 10**6), parts=st.integers(1, 64))
def test_shares_are_the_whole_and_differ_by_one_at_most(whole: int, parts: int):
    shares = [share(whole, part, parts) for part in range(parts)]
    assert sum(shares) == whole
    assert max(shares) - min(shares) <= 1


def test_processes_together_make_the_calls_that_one_would_make_when_it_would_make_them():
    whole = [due_seconds(index, 50.0, 2.0) for index in range(100)]
    parts = []
    for part in range(3):
        pace = pace_of(Load(clients=3, rate=50.0, calls=100, ramp_seconds=2.0, processes=3), part, 0.0)
        parts += [due for due, count in pace.unsent() for _ in range(count)]
    assert sorted(parts) == pytest.approx(whole)


def test_the_mean_of_a_histogram_is_that_of_its_values():
    made = Latencies()
    values = [0.001, 0.002, 0.003, 0.5]
    for each in values:
        made.record(each)
    assert made.summary().mean == near(sum(values) / len(values) * 1e3)


@settings(max_examples=20)  # reading a histogram out takes some milliseconds
@given(st.lists(st.floats(1e-6, 3600), min_size=1, max_size=50), st.integers(1, 49))
def test_histograms_that_are_added_up_are_the_histogram_of_all(seconds: list[float], cut: int):
    whole, one, two = Latencies(), Latencies(), Latencies()
    for place, each in enumerate(seconds):
        whole.record(each)
        (one if place < cut else two).record(each)
    assert merged([one.encoded(), two.encoded()]).summary() == whole.summary()
    assert whole.summary().max == pytest.approx(max(seconds) * 1e3, rel=2e-3, abs=1e-3)


@pytest.mark.parametrize(
    "load",
    [
        Load(clients=30, rate=1.0, seconds=60.0),
        Load(clients=2, seconds=60.0, ramp_seconds=60.0),
        Load(clients=2, seconds=60.0, think_seconds=20.0),
    ],
    ids=["calls that are not due yet", "clients that have not begun yet", "clients that think"],
)
def test_a_load_that_is_stopped_waits_for_nothing_but_calls_in_flight(load):
    session = Scripted(lambda _: QUICK)

    async def open_session() -> Scripted:
        return session

    async def main() -> tuple[int, float]:
        start = trio.current_time()
        engine = Engine(load, Mix([CALL], LEGACY, 0), Ledger(100), [Client(open_session) for _ in range(load.clients)])
        pace = pace_of(load, 0, start)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(engine.run, pace, start)
            await trio.sleep(2.5)
            before = session.calls
            pace.stop()
        return session.calls - before, trio.current_time() - start

    more, seconds = run(main)
    assert more == 0
    assert seconds < 4.0
