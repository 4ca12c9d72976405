"""Whether a request is sent again after an attempt that failed, and when. Decisions only: no clock, no socket."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from math import inf
from typing import Literal

import msgspec

from openapi_mcp_server.bridge.http_messages import IDEMPOTENT_METHODS, HttpResponse
from openapi_mcp_server.errors import UpstreamError

_DIGITS = re.compile(r"[0-9]+")

AttemptOutcome = Literal["not_sent", "unknown", "refused", "server_error", "final"]
"""How an attempt ended. ``not_sent``: no connection, the API saw nothing of it. ``unknown``: it was sent and there is
no answer. ``refused``: the API did nothing and says when to come back. ``server_error``: a 5xx that may pass.
``final``: every other answer, and every error that another attempt would only repeat."""

RETRIES_LIMIT = 5
"""The largest setting: a model waits meanwhile, and should learn of a request that has failed six times."""
RETRIES: Mapping[AttemptOutcome, int] = {
    "not_sent": RETRIES_LIMIT,
    "unknown": RETRIES_LIMIT,
    "refused": RETRIES_LIMIT,
    "server_error": 1,  # the API was reached and has said what it had to say
    "final": 0,
}
"""How many retries there may have been for an attempt with this outcome to be followed by another."""
LASTING_5XX = frozenset({501, 505, 506, 507, 508, 510, 511})
"""Statuses that depend on the request, not on the moment (RFC 9110 sections 15.6.2 and 15.6.6; RFC 2295; RFC 4918;
RFC 5842; RFC 2774; RFC 6585). Unregistered ones count as 500 (RFC 9110 section 15)."""
PAUSE_SECONDS = 0.1
PAUSE_LIMIT_SECONDS = 2.0
LEAST_SECONDS = 1.0
"""The time that must be left of the call for another attempt: a shorter one would hide the last answer behind its
timeout."""
CALLS_PER_RETRY = 5
"""An API that fails altogether gets a fifth more requests than it has calls, not three times as many."""
SAVED_RETRIES = 10
"""Retries that a new API begins with, and the most that calls can save up: for one that is called seldom."""


def outcome(result: HttpResponse | UpstreamError) -> AttemptOutcome:
    """The outcome of an attempt."""
    if isinstance(result, UpstreamError):
        if not result.transient:
            return "final"
        return "unknown" if result.outcome_unknown else "not_sent"
    if result.status in {429, 503} and retry_after(result, now=0.0) is not None:
        return "refused"
    return "server_error" if is_transient(result.status) else "final"


def concluded(result: HttpResponse | UpstreamError, ended: Sequence[AttemptOutcome]) -> HttpResponse:
    """Returns the last result with the number of its retries, and whether an earlier attempt may have taken effect.
    Raises it if it is an error."""
    made = len(ended) - 1
    doubtful = any(each in {"unknown", "server_error"} for each in ended[:-1])
    if isinstance(result, UpstreamError):
        result.retries = made
        result.outcome_unknown |= doubtful
        try:
            raise result
        finally:
            del result  # an error's traceback holds this frame: only the collector would free the two
    return msgspec.structs.replace(result, retries=made, doubtful=doubtful) if made else result


def is_transient(status: int) -> bool:
    """Whether a status says that the API has a temporary fault."""
    return status >= 500 and status not in LASTING_5XX


def may_repeat(ended: AttemptOutcome, method: str, *, retries: int, limit: int) -> bool:
    """Whether another retry is allowed after ``retries`` of at most ``limit``."""
    if ended != "not_sent" and method not in IDEMPOTENT_METHODS:
        return False
    return retries < min(limit, RETRIES[ended])


def pause(retries: int, asked: float | None, chance: float) -> float:
    """Seconds before the next attempt: full jitter, after what the API asked for. ``chance`` is in [0, 1)."""
    return (asked or 0.0) + chance * min(PAUSE_LIMIT_SECONDS, PAUSE_SECONDS * 2.0 ** (retries + 1))


def retry_after(answer: HttpResponse, now: float) -> float | None:
    """Seconds that the API asks to wait (RFC 9110 section 10.2.3); None without a valid value.

    ``now`` is the time since the epoch. If the answer has a ``Date``, the API's own time is used: then the two
    clocks need not agree.
    """
    value = (answer.header("retry-after") or "").strip()
    if _DIGITS.fullmatch(value):
        return float(value) if len(value) < 10 else inf
    at, sent = _epoch(value), sent_at(answer)
    return None if at is None else max(0.0, at - (now if sent is None else sent))


def sent_at(answer: HttpResponse) -> float | None:
    """When an answer was sent by the API's own clock, in seconds since the epoch; None if it does not say."""
    return _epoch(answer.header("date") or "")


def _epoch(date: str) -> float | None:
    """An HTTP date in any of the three formats (RFC 9110 section 5.6.7), which are all in GMT."""
    try:
        return parsedate_to_datetime(date).replace(tzinfo=UTC).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


class RetryBudget:
    """Retries that one API may still get: calls earn them, retries spend them. Without failures it stays full."""

    def __init__(self) -> None:
        self._calls = SAVED_RETRIES * CALLS_PER_RETRY

    def earn(self) -> None:
        """Adds what one call earns."""
        self._calls = min(SAVED_RETRIES * CALLS_PER_RETRY, self._calls + 1)

    def spend(self) -> bool:
        """Spends one retry; false if there is none left."""
        if self._calls < CALLS_PER_RETRY:
            return False
        self._calls -= CALLS_PER_RETRY
        return True
