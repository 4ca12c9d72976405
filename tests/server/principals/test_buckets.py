"""How much one principal may take: buckets in time that is made up, and what is kept of principals that are gone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openapi_mcp_server.server.principals.buckets import Bucket


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
