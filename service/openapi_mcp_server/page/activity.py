"""Counts the calls of this process for people. This observer exists only if the page is served."""

from __future__ import annotations

import bisect
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from openapi_mcp_server.observe.record import CallRecord

SERIES_SECONDS = 120
"""For the picture of calls over time."""
RECENT = 20
"""Failures that are remembered."""
TOOLS = 5_000
"""Tools with numbers of their own; a reload may rename all of them again and again."""
_BOUNDS = tuple(0.001 * 1.25**step for step in range(50))
"""Seconds, up to 56: whatever is estimated from these buckets is at most a quarter too long."""


class _Numbers:
    """The numbers of one tool."""

    def __init__(self) -> None:
        self.calls = self.errors = self.truncated = self.tokens = 0
        self.longest = 0.0
        self.buckets = [0] * (len(_BOUNDS) + 1)

    def add(self, record: CallRecord) -> None:
        self.calls += 1
        self.errors += record.has_failed
        self.truncated += record.truncated
        self.tokens += record.result_tokens
        self.longest = max(self.longest, record.seconds)
        self.buckets[bisect.bisect_left(_BOUNDS, record.seconds)] += 1

    def quantile(self, part: float) -> float:
        """The seconds within which this part of the calls was answered."""
        wanted = part * self.calls
        for bound, count in zip(_BOUNDS, self.buckets, strict=False):
            wanted -= count
            if wanted <= 0:
                return min(bound, self.longest)
        return self.longest

    def told(self, name: str) -> dict[str, Any]:
        return {
            "name": name,
            "calls": self.calls,
            "errors": self.errors,
            "truncated": self.truncated,
            "tokens_per_call": self.tokens // self.calls,
            "p50_seconds": round(self.quantile(0.5), 4),
            "p95_seconds": round(self.quantile(0.95), 4),
            "max_seconds": round(self.longest, 4),
        }


class Activity:
    """Calls of tools. Everything it keeps is bounded, and a call costs it a microsecond or two."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tools: dict[str, _Numbers] = {}
        self._series: deque[list[int]] = deque(maxlen=SERIES_SECONDS)  # second, calls, errors
        self._failures: deque[tuple[float, CallRecord]] = deque(maxlen=RECENT)

    def __call__(self, record: CallRecord) -> None:
        if record.has_failed:
            self._failures.append((self._clock(), record))
        if not record.tool:
            return
        second = int(self._clock())
        if not self._series or self._series[-1][0] != second:
            self._series.append([second, 0, 0])
        self._series[-1][1] += 1
        self._series[-1][2] += record.has_failed
        numbers = self._tools.get(record.tool)
        if numbers is None and len(self._tools) < TOOLS:
            numbers = self._tools[record.tool] = _Numbers()
        if numbers is not None:
            numbers.add(record)

    def told(self) -> dict[str, Any]:
        now = self._clock()
        return {
            "series_seconds": SERIES_SECONDS,
            "series": [
                {"seconds_ago": int(now) - second, "calls": calls, "errors": errors}
                for second, calls, errors in self._series
                if int(now) - second < SERIES_SECONDS
            ],
            "tools": [numbers.told(name) for name, numbers in self._tools.items()],
            "failures": [_failure(now - at, record) for at, record in reversed(self._failures)],
        }


def _failure(seconds_ago: float, record: CallRecord) -> dict[str, Any]:
    return {
        "seconds_ago": round(seconds_ago),
        "tool": record.tool,
        "method": record.method,
        "outcome": record.outcome,
        "error": record.error,
        "status": record.status,
        "seconds": round(record.seconds, 4),
    }
