"""Thresholds: ``p99<200ms``, ``errors<1%``, ``calls/s>=500``, ``lost=0``."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import NamedTuple

from loadgen.latencies import merged
from loadgen.plan import UsageError
from loadgen.result import Result, Verdict

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
    "=": operator.eq,
}
_FORM = re.compile(r"\s*(p\d{1,2}(?:\.\d{1,3})?|[a-z/_-]+)\s*(<=|>=|<|>|=)\s*(\d+(?:\.\d+)?)\s*(us|ms|s|%|)\s*")
_MILLISECONDS = {"us": 1e-3, "ms": 1.0, "s": 1e3}
_TIMES: dict[str, Callable[[Result], float]] = {
    "max": lambda result: result.latency.max,
    "mean": lambda result: result.latency.mean,
}
_COUNTS: dict[str, Callable[[Result], float]] = {
    "calls": lambda result: result.calls,
    "calls/s": lambda result: result.calls_per_second,
    "errors": lambda result: result.error_count,
    "lost": lambda result: result.integrity.lost,
    "mixed-up": lambda result: result.integrity.mixed_up,
    "doubled": lambda result: result.integrity.doubled,
    "checked": lambda result: result.integrity.checked,
}
_SHARES = frozenset(_COUNTS) - {"calls", "calls/s"}
"""Those that can be given in percent of all calls."""
HELP = "p50 p90 p99 p99.9 (any percentile), max, mean, calls, calls/s, errors, lost, mixed-up, doubled, checked"


class Expectation(NamedTuple):
    """``unit`` is one of time, ``%`` of all calls, or empty."""

    text: str
    figure: str
    compare: str
    value: float
    unit: str

    def judge(self, result: Result) -> Verdict:
        """A time is given in milliseconds, a count as it is or in percent. No time of no call is short enough."""
        actual, limit = self._actual(result), self.value * _MILLISECONDS.get(self.unit, 1.0)
        is_time = self.unit in _MILLISECONDS
        is_measured = not is_time or result.latency.max > 0
        is_met = is_measured and _OPERATORS[self.compare](actual, limit)
        return Verdict(self.text, round(actual, 4), is_met, "ms" if is_time else self.unit, is_measured)

    def _actual(self, result: Result) -> float:
        if self.figure in _COUNTS:
            count = _COUNTS[self.figure](result)
            return count / max(result.calls, 1) * 100 if self.unit == "%" else count
        if self.figure in _TIMES:
            return _TIMES[self.figure](result)
        return merged([result.histogram]).at(float(self.figure[1:]))


def parse(text: str) -> Expectation:
    """Raises UsageError."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise UsageError(f"--expect: {text!r} is no threshold; write it as p99<200ms, errors<1% or calls/s>=500")
    figure, compare, value, unit = found.groups()
    is_time = figure in _TIMES or bool(re.fullmatch(r"p[\d.]+", figure))
    if not is_time and figure not in _COUNTS:
        raise UsageError(f"--expect: {figure!r} is not measured; there are {HELP}")
    if is_time != (unit in _MILLISECONDS):
        needed = "needs a unit: us, ms or s" if is_time else "is no time; leave the unit out"
        raise UsageError(f"--expect: {text!r}: {figure} {needed}")
    if unit == "%" and figure not in _SHARES:
        raise UsageError(f"--expect: {text!r}: {figure} is no part of all calls; leave the % out")
    return Expectation(text.strip(), figure, compare, float(value), unit)
