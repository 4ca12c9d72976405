"""The circuit breaker: when it opens, what it lets through then, and how it closes. Its clock is the test's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openapi_mcp_server.upstream.breaker import OPEN_SECONDS, WINDOW, Breaker, Health

HALF = WINDOW // 2


def settled(breaker: Breaker, *ends: Health | None, now: float = 0.0) -> Breaker:
    for end in ends:
        ticket = breaker.admit(now)
        assert ticket is not None
        breaker.settle(ticket, end, now)
    return breaker


def opened(now: float = 0.0) -> Breaker:
    return settled(Breaker(), *["bad"] * WINDOW, now=now)


@pytest.mark.parametrize(
    ("ends", "state"),
    [
        (["bad"] * (WINDOW - 1), "closed"),
        (["bad"] * WINDOW, "open"),
        (["good"] * HALF + ["bad"] * (HALF - 1), "closed"),
        (["good"] * HALF + ["bad"] * HALF, "open"),
        (["good"] * 1_000 + ["bad"] * (HALF - 1), "closed"),
        (["good"] * 1_000 + ["bad"] * HALF, "open"),
        (["bad", "good", "good"] * 20, "closed"),
        (["good", "bad"] * HALF, "open"),
        (["none"] * 1_000, "closed"),
        ([None] * 1_000, "closed"),
        (["bad"] * (WINDOW - 1) + ["none", None] * 500, "closed"),
        (["good"] * HALF + ["none", None] * 500 + ["bad"] * HALF, "open"),
    ],
    ids=str,
)
def test_it_opens_once_half_of_the_last_attempts_failed(ends: list[Health | None], state: str) -> None:
    assert settled(Breaker(), *ends).state(0.0) == state


def test_one_that_only_watches_never_opens() -> None:
    assert settled(Breaker(opens=False), *["bad"] * 1_000).state(0.0) == "closed"


def test_while_open_nothing_goes_through() -> None:
    breaker = opened(now=5.0)
    assert breaker.is_shut(5.0)
    assert breaker.admit(5.0 + OPEN_SECONDS - 0.1) is None
    assert breaker.seconds_left(6.0) == OPEN_SECONDS - 1


def test_then_one_goes_through_to_find_out() -> None:
    breaker = opened()
    assert breaker.state(OPEN_SECONDS) == "half_open"
    assert not breaker.is_shut(OPEN_SECONDS)
    assert breaker.admit(OPEN_SECONDS) == "probe"
    assert breaker.admit(OPEN_SECONDS) is None
    assert breaker.admit(OPEN_SECONDS + 1_000) is None
    assert breaker.is_shut(OPEN_SECONDS + 1_000)


@pytest.mark.parametrize(
    ("end", "state", "next_ticket"),
    [("good", "closed", "call"), ("none", "closed", "call"), ("bad", "open", None), (None, "half_open", "probe")],
)
def test_what_becomes_of_the_probe_decides(end: Health | None, state: str, next_ticket: str | None) -> None:
    breaker = opened()
    settled(breaker, end, now=OPEN_SECONDS)
    assert breaker.state(OPEN_SECONDS) == state
    assert breaker.admit(OPEN_SECONDS) == next_ticket


def test_what_failed_before_it_closed_is_forgotten() -> None:
    breaker = settled(opened(), "good", now=OPEN_SECONDS)
    assert settled(breaker, *["bad"] * (WINDOW - 1), now=OPEN_SECONDS).state(OPEN_SECONDS) == "closed"


@pytest.mark.parametrize("end", ["good", "bad", "none", None])
def test_calls_that_were_under_way_when_it_opened_change_nothing(end: Health | None) -> None:
    breaker = Breaker()
    slow = breaker.admit(0.0)
    assert slow == "call"
    settled(breaker, *["bad"] * WINDOW)
    breaker.settle(slow, end, OPEN_SECONDS - 1)
    assert breaker.state(OPEN_SECONDS - 1) == "open"
    assert breaker.admit(OPEN_SECONDS) == "probe"
    breaker.settle(slow, end, OPEN_SECONDS)
    assert breaker.admit(OPEN_SECONDS) is None


@given(st.lists(st.tuples(st.sampled_from(["good", "bad", "none", None]), st.floats(0, 30)), max_size=300))
def test_whatever_happens_it_does_not_stay_open(history: list[tuple[Health | None, float]]) -> None:
    breaker, now = Breaker(), 0.0
    for end, seconds in history:
        now += seconds
        if (ticket := breaker.admit(now)) is not None:
            breaker.settle(ticket, end, now)
    ticket = breaker.admit(now + OPEN_SECONDS)
    assert ticket is not None
    breaker.settle(ticket, "good", now + OPEN_SECONDS)
    assert breaker.state(now + OPEN_SECONDS) == "closed"
