"""The retry rule as tables: what an attempt came to, whether there is another one, and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openapi_mcp_server.bridge.http_messages import IDEMPOTENT_METHODS, HttpResponse
from openapi_mcp_server.errors import BadResponse, Refused, Timeout, TooLarge, Unreachable, UpstreamError
from openapi_mcp_server.upstream.retries import (
    CALLS_PER_RETRY,
    PAUSE_LIMIT_SECONDS,
    SAVED_RETRIES,
    AttemptOutcome,
    RetryBudget,
    may_repeat,
    outcome,
    pause,
    retry_after,
)

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def answer(status: int, **headers: str) -> HttpResponse:
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return HttpResponse(status=status, reason="", headers=named, body=b"")


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        *((answer(status), "final") for status in (200, 204, 301, 304, 400, 401, 404, 408, 409, 412, 425, 429)),
        *((answer(status), "final") for status in (501, 505, 506, 507, 508, 510, 511)),
        *((answer(status), "server_error") for status in (500, 502, 503, 504, 520, 529, 599)),
        (answer(429, retry_after="1"), "refused"),
        (answer(503, retry_after="Sun, 01 Mar 2026 12:00:00 GMT"), "refused"),
        (answer(429, retry_after="soon"), "final"),
        (answer(503, retry_after="soon"), "server_error"),
        (answer(500, retry_after="1"), "server_error"),
        (answer(404, retry_after="1"), "final"),
        (Unreachable("refused", outcome_unknown=False, transient=True), "not_sent"),
        (Timeout("no connection", outcome_unknown=False, transient=True), "not_sent"),
        (Timeout("no answer", outcome_unknown=True, transient=True), "unknown"),
        (BadResponse("reset", outcome_unknown=True, transient=True), "unknown"),
        (Unreachable("certificate", outcome_unknown=False), "final"),
        (BadResponse("not HTTP", outcome_unknown=True), "final"),
        (TooLarge("much", outcome_unknown=True), "final"),
        (Refused("private", outcome_unknown=False), "final"),
    ],
    ids=str,
)
def test_what_an_attempt_came_to(result: HttpResponse | UpstreamError, expected: AttemptOutcome) -> None:
    assert outcome(result) == expected


METHODS = ("GET", "HEAD", "OPTIONS", "QUERY", "PUT", "DELETE", "POST", "PATCH")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("ended", "any_method", "retries"),
    [
        ("not_sent", True, 2),
        ("unknown", False, 2),
        ("refused", False, 2),
        ("server_error", False, 1),
        ("final", False, 0),
    ],
)
def test_which_method_is_repeated_after_what_and_how_often(
    ended: AttemptOutcome, any_method: bool, retries: int, method: str
) -> None:
    allowed = retries if any_method or method in IDEMPOTENT_METHODS else 0
    decisions = [may_repeat(ended, method, retries=made, limit=2) for made in range(4)]
    assert decisions == [made < allowed for made in range(4)]
    assert not may_repeat(ended, method, retries=0, limit=0)


def test_post_and_patch_are_not_idempotent() -> None:
    assert set(METHODS) - IDEMPOTENT_METHODS == {"POST", "PATCH"}


@pytest.mark.parametrize(
    ("retries", "asked", "longest"), [(0, None, 0.2), (1, None, 0.4), (4, None, PAUSE_LIMIT_SECONDS), (0, 3.0, 3.2)]
)
def test_a_pause_is_any_time_up_to_twice_the_last_after_what_the_api_asks_for(
    retries: int, asked: float | None, longest: float
) -> None:
    assert pause(retries, asked, 0.0) == (asked or 0.0)
    assert pause(retries, asked, 1.0) == pytest.approx(longest)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("1", 1),
        (" 120 ", 120),
        ("9" * 400, inf),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30),
        ("Sunday, 01-Mar-26 12:00:30 GMT", 30),
        ("Sun Mar  1 12:00:30 2026", 30),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp() - NOW.timestamp()),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("1e9", None),
        ("٣", None),
        ("Sun, 99 Mar 2026 12:00:00 GMT", None),
    ],
)
def test_how_long_an_api_asks_to_wait(value: str, seconds: float | None) -> None:
    assert retry_after(answer(503, retry_after=value), NOW.timestamp()) == seconds


def test_nobody_is_asked_to_wait_without_the_header() -> None:
    assert retry_after(answer(503), NOW.timestamp()) is None


def test_a_date_counts_from_that_of_the_answer_whatever_our_clock_says() -> None:
    slow = format_datetime(NOW - timedelta(days=1), usegmt=True)
    later = format_datetime(NOW - timedelta(days=1) + timedelta(seconds=5), usegmt=True)
    assert retry_after(answer(503, retry_after=later, date=slow), NOW.timestamp()) == 5


@given(st.text(), st.text())
def test_no_header_is_a_fault_of_ours(value: str, date: str) -> None:
    seconds = retry_after(answer(503, retry_after=value, date=date), NOW.timestamp())
    assert seconds is None or seconds >= 0


def test_retries_are_spent_faster_than_calls_earn_them() -> None:
    budget, spent = RetryBudget(), 0
    for _ in range(1_000):
        budget.earn()
        spent += sum(budget.spend() for _ in range(2))
    assert spent == SAVED_RETRIES + (1_000 - 1) // CALLS_PER_RETRY


def test_no_more_retries_are_saved_up_than_the_limit() -> None:
    budget = RetryBudget()
    for _ in range(1_000):
        budget.earn()
    assert sum(budget.spend() for _ in range(1_000)) == SAVED_RETRIES
