"""Two results side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from loadgen.plan import UsageError
from loadgen.result import Result
from loadgen.table import milliseconds, rows

Figure = Callable[[Result], float]


class _Row(NamedTuple):
    name: str
    figure: Figure
    show: Callable[[float], str] = milliseconds


def _count(value: float) -> str:
    return f"{value:,.0f}"


_ROWS = (
    _Row("calls/s", lambda result: result.calls_per_second, lambda value: f"{value:,.1f}"),
    _Row("p50 ms", lambda result: result.latency.p50),
    _Row("p90 ms", lambda result: result.latency.p90),
    _Row("p99 ms", lambda result: result.latency.p99),
    _Row("p99.9 ms", lambda result: result.latency.p999),
    _Row("max ms", lambda result: result.latency.max),
    _Row("calls", lambda result: result.calls, _count),
    _Row("errors", lambda result: result.error_count, _count),
    _Row("lost", lambda result: result.integrity.lost, _count),
    _Row("mixed up", lambda result: result.integrity.mixed_up, _count),
    _Row("doubled", lambda result: result.integrity.doubled, _count),
    _Row("without their number", lambda result: result.integrity.unnumbered, _count),
    _Row("generator µs/call", lambda result: result.generator.us_per_call, _count),
)
_SAME = ("transport", "revision")
_SAME_LOAD = ("clients", "at_once", "rate", "seconds", "calls", "ramp_seconds", "think_seconds", "idle")


def text(names: tuple[str, str], one: Result, two: Result) -> str:
    """The table; before it, in which points the two loads differ and so cannot be compared as they are."""
    if not one.calls or not two.calls:
        raise UsageError(f"{names[0] if not one.calls else names[1]}: no call was made; measure again")
    return "\n".join([*_differences(one, two), *rows(["", *names, "ratio"], list(_cells(one, two)))]) + "\n"


def _cells(one: Result, two: Result) -> Iterator[list[str]]:
    for row in _ROWS:
        before, after = row.figure(one), row.figure(two)
        ratio = f"{after / before:.2f}" if before else ("1.00" if not after else "–")
        yield [row.name, row.show(before), row.show(after), ratio]


def _differences(one: Result, two: Result) -> Iterator[str]:
    for name in _SAME:
        yield from _difference(name, getattr(one, name), getattr(two, name))
    for name in _SAME_LOAD:
        yield from _difference(name, getattr(one.load, name), getattr(two.load, name))
    yield from _difference("tools", _tools(one), _tools(two))


def _tools(result: Result) -> str:
    return ", ".join(each.tool for each in result.tools)


def _difference(name: str, one: object, two: object) -> Iterator[str]:
    if one != two:
        yield f"not the same load: {name} {one} and {two}"
