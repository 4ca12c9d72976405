"""How much one principal may take: buckets in time that is made up, and what is kept of principals that are gone."""

from __future__ import annotations

import time

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from openapi_mcp_server.server.principals.buckets import BUCKETS, Bucket, Buckets


@given(st.floats(0.1, 100), st.lists(st.floats(0, 3), max_size=60))
def test_never_more_than_the_rate_and_one_second_of_it(rate, pauses):
    bucket, now, made = Bucket(rate, 0.0), 0.0, 0
    for pause in pauses:
        now += pause
        made += bucket.spend(1, now) == 0.0
    assert made <= max(1.0, rate) + rate * now + 1e-6


@given(st.floats(0.1, 100), st.integers(1, 50))
def test_who_waits_as_long_as_is_said_gets_in(rate, calls):
    bucket = Bucket(rate, 0.0)
    for _ in range(calls):
        if seconds := bucket.spend(1, 0.0):
            break
    else:
        return
    assert bucket.spend(1, seconds + 1e-6) == 0.0


@pytest.mark.parametrize("calls", [2, 32])
def test_a_batch_above_the_rate_is_carried_out_once_and_paid_for(calls):
    bucket = Bucket(1.0, 0.0)
    assert bucket.spend(calls, 0.0) == 0.0
    assert bucket.spend(1, 0.0) == pytest.approx(calls)


def test_keys_that_are_made_up_cost_the_same_however_many_are_kept():
    async def main():
        buckets = Buckets()
        began = time.process_time()
        for number in range(5 * BUCKETS):
            assert buckets.spend(f"10.0.0.{number}", 1, 0.001) == 0
        return time.process_time() - began

    assert trio.run(main, clock=MockClock()) < 3  # it was 40 s


def test_who_has_asked_just_now_is_remembered_beside_keys_that_are_made_up():
    async def main():
        buckets = Buckets()
        for number in range(2 * BUCKETS):
            buckets.spend(f"10.0.0.{number}", 1, 0.001)
        assert buckets.spend("alice", 1, 0.001) == 0
        for number in range(BUCKETS // 2):
            buckets.spend(f"10.0.1.{number}", 1, 0.001)
            if number % 1_000 == 0:
                assert buckets.spend("alice", 1, 0.001) > 0

    trio.run(main, clock=MockClock())
