"""The result as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from loadgen.failures import printable
from loadgen.latencies import Latency
from loadgen.result import Result

TOOLS = 20
"""Rows of single tools; `--json` and `--html` have all."""
_LATENCY = ("p50", "p90", "p99", "p99.9", "max")


def milliseconds(value: float) -> str:
    return f"{value:,.2f}" if value < 100 else f"{value:,.0f}"


def latency_cells(latency: Latency) -> list[str]:
    """One for each column; dashes where nothing was recorded."""
    if not latency.max:
        return ["–"] * len(_LATENCY)
    return [milliseconds(each) for each in (latency.p50, latency.p90, latency.p99, latency.p999, latency.max)]


def load_of(result: Result) -> str:
    """The load in words."""
    load = result.load
    loop = f"{load.rate:g} calls/s due (open loop)" if load.is_open else "closed loop"
    more = [
        (load.at_once > 1, f"{load.at_once} calls in flight each"),
        (load.think_seconds, f"{load.think_seconds:g} s of thought"),
        (load.ramp_seconds, f"ramp of {load.ramp_seconds:g} s"),
        (load.idle, f"{load.idle} idle sessions"),
    ]
    clients = f"{load.clients} client{'s' if load.clients > 1 else ''}"
    return ", ".join([clients, loop, *(text for is_so, text in more if is_so)])


def rows(head: Sequence[str], cells: Sequence[Sequence[str]]) -> Iterator[str]:
    """The first column to the left, the others to the right."""
    widths = [max(len(row[place]) for row in (head, *cells)) for place in range(len(head))]
    for row in (head, *cells):
        first, *others = (
            cell.ljust(width) if not place else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join((first, *others)).rstrip()


def text(result: Result) -> str:
    parts = (_summary(result), _latency(result), _tools(result), _errors(result), _faults(result), _verdicts(result))
    return "\n\n".join("\n".join(map(printable, part)) for part in map(list, parts) if part) + "\n"


def _summary(result: Result) -> Iterator[str]:
    yield f"{result.target} ({result.transport}, {result.revision}{', ' + result.server if result.server else ''})"
    yield f"{load_of(result)}, {result.elapsed_seconds:.1f} s"
    yield f"{result.calls:,} calls, {result.calls_per_second:,.1f} calls/s, {result.error_count:,} errors"
    made = result.generator
    processes = f"{made.processes} process{'es' if made.processes > 1 else ''}"
    late = f", at most {made.late_ms:.1f} ms late" if result.load.is_open else ""
    yield f"generator: {processes}, {made.us_per_call:,.0f} µs of CPU a call, {made.busiest_share:.0%} of a core{late}"
    if made.is_too_busy:
        yield "the generator itself was busy: its own time is part of these latencies; give it more --processes"
    if made.waited:
        yield waited(result)
    idle = result.idle
    if idle.wanted:
        problem = f"; {idle.problem}" if idle.problem else ""
        yield f"idle sessions: {idle.opened} of {idle.wanted} opened, {idle.open_at_end} open at the end{problem}"


def waited(result: Result) -> str:
    """Whether the load or the server was too little for the other only the reader knows."""
    return (
        f"{result.generator.waited:,} calls were due while all {result.load.clients} clients waited for answers; "
        "if the server can answer more calls at once, give it more --clients"
    )


def _latency(result: Result) -> Iterator[str]:
    cells = [["since it was due" if result.service else "latency", *latency_cells(result.latency)]]
    if result.service:
        cells.append(["since it was sent", *latency_cells(result.service)])
    return rows(["ms", *_LATENCY], cells)


def _tools(result: Result) -> Iterator[str]:
    if len(result.tools) > 1:
        busiest = sorted(result.tools, key=lambda each: -each.calls)[:TOOLS]
        cells = [[each.tool, f"{each.calls:,}", f"{each.errors:,}", *latency_cells(each.latency)] for each in busiest]
        yield from rows(["tool", "calls", "errors", *_LATENCY], cells)
        if len(result.tools) > TOOLS:
            yield f"… and {len(result.tools) - TOOLS} more"


def _errors(result: Result) -> Iterator[str]:
    if result.errors:
        cells = [[each.kind, f"{each.count:,}"] for each in result.errors]
        for row, example in zip(
            rows(["errors", "count"], cells), ["", *(e.example for e in result.errors)], strict=True
        ):
            yield f"{row}  {example}".rstrip()


def _faults(result: Result) -> Iterator[str]:
    found = result.integrity
    yield (
        f"answers: {found.lost:,} lost, {found.mixed_up:,} mixed up, {found.doubled:,} doubled; "
        f"{found.checked:,} carried the number of their call"
        + (f", {found.unnumbered:,} did not" if found.unnumbered else "")
        + (f"; {found.late:,} came too late" if found.late else "")
    )


def _verdicts(result: Result) -> Iterator[str]:
    for each in result.verdicts:
        yield f"{'met' if each.is_met else 'NOT MET'}: {each.expectation} (it was {each.shown})"
