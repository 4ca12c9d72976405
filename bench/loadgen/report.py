"""The result as one page: no script and nothing from elsewhere, which its own policy forbids as well."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from html import escape
from itertools import pairwise
from pathlib import Path

from loadgen import charts
from loadgen.charts import Column, Scale, Series
from loadgen.latencies import Latencies, Latency, merged
from loadgen.result import Interval, Result, Sample
from loadgen.table import latency_cells, load_of, milliseconds, waited

BARS = 48
"""Of the distribution, equally wide on a logarithmic axis."""
LEAST_UNITS = 2.0
"""How high the bar of a single call is among thousands: the slowest are what a reader looks for."""
KINDS = 5
"""Of errors with a colour of their own; the fifth is all others."""
SERVER_CHARTS = 12
PERCENTILES = (0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999)
_STYLE = Path(__file__).with_name("report.css")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_COLUMNS = ("p50", "p90", "p99", "p99.9", "max")
_FIRST = ("process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds")
_MIB = 1024 * 1024


def page(result: Result) -> bytes:
    title = f"Load on {result.target}"
    body = "".join(part for make in _PARTS for part in make(result))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<style>{_STYLE.read_text('utf-8')}</style></head><body><main>{body}</main></body></html>\n"
    ).encode()


def _header(result: Result) -> Iterator[str]:
    verdict = _badge(result.is_good, "passed", "failed")
    server = f"{result.server}, " if result.server else ""
    yield (
        f"<header><h1>{escape(result.target)}</h1>{verdict}"
        f"<p>{escape(server)}{result.transport}, MCP {escape(result.revision)} · {escape(load_of(result))} · "
        f"{escape(result.started)}</p></header>"
    )


def _tiles(result: Result) -> Iterator[str]:
    latency, found = result.latency, result.integrity
    faults = found.lost + found.mixed_up + found.doubled + found.unnumbered
    tiles = (
        ("calls/s", f"{result.calls_per_second:,.1f}", "", False),
        ("calls", f"{result.calls:,}", "", False),
        ("p50", milliseconds(latency.p50), " ms", False),
        ("p90", milliseconds(latency.p90), " ms", False),
        ("p99", milliseconds(latency.p99), " ms", False),
        ("p99.9", milliseconds(latency.p999), " ms", False),
        ("max", milliseconds(latency.max), " ms", False),
        ("errors", f"{result.error_count:,}", "", result.error_count > 0),
        ("faults", f"{faults:,}", "", faults > 0),
    )
    yield '<dl class="tiles">'
    for name, value, unit, is_bad in tiles:
        style = ' class="bad"' if is_bad else ""
        shown = f'<span data-figure="{name}">{value}</span><small>{unit}</small>'
        yield f"<div{style}><dt>{name}</dt><dd>{shown}</dd></div>"
    yield "</dl>"


def _expectations(result: Result) -> Iterator[str]:
    verdicts = "".join(
        f"<tr><td>{escape(each.expectation)}</td><td>{escape(each.shown)}</td><td>{badge}</td></tr>"
        for each in result.verdicts
        for badge in (_badge(each.is_met, "met", "not met"),)
    )
    if verdicts:
        yield _section("Expectations", "", f"<table><tr><th></th><th>it was</th><th></th></tr>{verdicts}</table>")


def _over_time(result: Result) -> Iterator[str]:
    shown = thinned(result.intervals)
    if not shown:
        return
    times = [each.second + each.length / 2 for each in shown]
    kinds = [(name, "max" if name == "max" else name) for name in ("p50", "p90", "p99", "max")]
    series = [Series(name, style, _each(shown, name)) for name, style in kinds]
    since = "counted from when a call was due" if result.load.is_open else "of answered and lost calls"
    yield '<div class="charts">'
    yield _section(
        "Latency over time",
        f"Milliseconds, {since}; logarithmic.",
        charts.legend(kinds) + charts.lines("latency over time", times, series, short, is_log=True),
    )
    bad = [sum(each.errors.values()) / each.length for each in shown]
    good = [each.calls / each.length - errors for each, errors in zip(shown, bad, strict=True)]
    both = [Series("good", "good", good), Series("errors", "bad", bad)]
    yield _section(
        "Calls a second",
        "When their answers came.",
        charts.legend([("good", "good"), ("errors", "bad")]) + charts.stacked("calls a second", times, both, count),
    )
    yield from _distribution(merged([result.histogram]))
    yield "</div>"


def _each(shown: Sequence[Interval], name: str) -> list[float | None]:
    return [getattr(each.latency, name) if each.latency.max else None for each in shown]


def thinned(intervals: Sequence[Interval]) -> list[Interval]:
    """No more than can be drawn: of neighbours the worst latency, the mean rate and all errors."""
    size = math.ceil(len(intervals) / charts.MOST_COLUMNS) or 1
    return [_joined(intervals[start : start + size]) for start in range(0, len(intervals), size)]


def _joined(parts: Sequence[Interval]) -> Interval:
    if len(parts) == 1:
        return parts[0]
    worst = [
        max(getattr(part.latency, name) for part in parts) for name in ("p50", "p90", "p99", "p999", "max", "mean")
    ]
    errors: dict[str, int] = {}
    for part in parts:
        for kind, number in part.errors.items():
            errors[kind] = errors.get(kind, 0) + number
    return Interval(
        second=parts[0].second,
        length=sum(part.length for part in parts),
        calls=sum(part.calls for part in parts),
        errors=errors,
        in_flight=max(part.in_flight for part in parts),
        latency=Latency(*worst),
    )


def _distribution(latency: Latencies) -> Iterator[str]:
    if not latency.count:
        return
    yield _section("Distribution", "How many calls took how many milliseconds; logarithmic.", _bars(latency))
    yield _section(
        "Percentiles",
        "The slowest calls to the right: milliseconds that so many percent did not exceed.",
        _curve(latency),
    )


def _bars(latency: Latencies) -> str:
    recorded = list(latency.counts())
    across = charts.logarithmic([value for value, _ in recorded], charts.LEFT, charts.RIGHT)
    width = (charts.RIGHT - charts.LEFT) / BARS
    heights = [0] * BARS
    for value, number in recorded:
        heights[min(int((across.at(value) - charts.LEFT) / width), BARS - 1)] += number
    up = charts.linear(heights)
    body = charts.frame(across, up, short, count)
    edges = [charts.LEFT + width * place for place in range(BARS + 1)]
    body += [
        charts.bar("good", edges[place] + 0.5, width - 1, up.at(0), min(up.at(height), up.at(0) - LEAST_UNITS))
        for place, height in enumerate(heights)
        if height
    ]
    columns = [
        Column(edges[place], edges[place + 1], _of_bar(across, edges[place], edges[place + 1], height))
        for place, height in enumerate(heights)
    ]
    return charts.chart("distribution of latency", [*body, *_marks(latency, across)], columns)


def _of_bar(across: Scale, start: float, end: float, height: int) -> str:
    low, high = (
        across.low * (across.high / across.low) ** ((edge - charts.LEFT) / (charts.RIGHT - charts.LEFT))
        for edge in (start, end)
    )
    return f"{milliseconds(low)} to {milliseconds(high)} ms: {height:,} calls"


def _marks(latency: Latencies, across: Scale) -> Iterator[str]:
    """Where p50 and p99 are; their names stand side by side even where they are close."""
    for percentile in (50, 99):
        x = across.at(latency.at(percentile))
        is_left = x > charts.RIGHT - 40 or (percentile == 50 and x > charts.LEFT + 40)
        anchor, away = ("end", -4) if is_left else ("start", 4)
        y = charts.TOP + (10 if percentile == 50 else 24)
        yield f'<line class="mark" x1="{x}" x2="{x}" y1="{charts.TOP}" y2="{charts.BOTTOM}"/>'
        yield f'<text class="mark-text" x="{x + away:.1f}" y="{y}" text-anchor="{anchor}">p{percentile}</text>'


def _curve(latency: Latencies) -> str:
    """The axis is 1 / (1 - percentile): each nine takes the same room."""
    most = max(10.0, min(latency.count, 10 ** (len(PERCENTILES) - 2)))
    across = Scale(1.0, float(most), charts.LEFT, charts.RIGHT, is_log=True)
    places = [1.0 * most ** (step / 120) for step in range(121)]
    values = [latency.at(100 * (1 - 1 / place)) for place in places]
    up = charts.logarithmic(values)
    ticks = [each for each in PERCENTILES if 100 / (100 - each) <= most * 1.001]
    body = _percentile_frame(across, up, ticks)
    body.append(charts.line(Series("", "p50", values), [across.at(place) for place in places], up))
    half = (charts.RIGHT - charts.LEFT) / 240
    columns = [
        Column(across.at(place) - half, across.at(place) + half, f"{_percent(place)}: {milliseconds(value)} ms")
        for place, value in zip(places, values, strict=True)
    ]
    return charts.chart("latency by percentile", body, columns)


def _percentile_frame(across: Scale, up: Scale, ticks: Sequence[float]) -> list[str]:
    empty = Scale(0.0, 1.0, 0.0, 0.0)
    made = charts.frame(empty._replace(high=1e-9), up, lambda _: "", short)
    for tick in ticks:
        x = across.at(100 / (100 - tick))
        made.append(f'<line class="grid" x1="{x}" x2="{x}" y1="{charts.TOP}" y2="{charts.BOTTOM + 4}"/>')
        made.append(charts.tick(x, f"{tick:g} %"))
    return made


def _percent(place: float) -> str:
    nines = max(1, math.ceil(math.log10(place)))
    return f"{100 * (1 - 1 / place):.{nines}f} %"


def _errors(result: Result) -> Iterator[str]:
    if not result.errors:
        return
    shown = thinned(result.intervals)
    times = [each.second + each.length / 2 for each in shown]
    own = [each.kind for each in result.errors[: KINDS - 1]]
    series = [Series(kind, f"e{place}", [each.errors.get(kind, 0) for each in shown]) for place, kind in enumerate(own)]
    if len(result.errors) >= KINDS:
        rest = [sum(number for kind, number in each.errors.items() if kind not in own) for each in shown]
        series.append(Series("others", f"e{KINDS - 1}", rest))
    rows = "".join(
        f'<tr><td>{escape(each.kind)}</td><td data-figure="error {escape(each.kind)}">{each.count:,}</td>'
        f'<td class="words">{escape(each.example)}</td></tr>'
        for each in result.errors
    )
    table = f'<table><tr><th>kind</th><th>count</th><th class="words">the first of them</th></tr>{rows}</table>'
    chart = charts.stacked("errors by kind", times, series, count)
    legend = charts.legend([(each.name, each.style) for each in series])
    yield '<div class="charts">'
    yield _section("Errors", "By kind, when they came.", legend + chart)
    yield _section("Errors by kind", "", table) + "</div>"


def _answers(result: Result) -> Iterator[str]:
    found = result.integrity
    cells = (
        ("lost", found.lost, "no answer came before the timeout, or the connection ended first"),
        ("mixed up", found.mixed_up, "the answer was another call's"),
        ("doubled", found.doubled, "a call was answered more than once"),
        ("too late", found.late, "the answer came after its call had been given up"),
        ("did not carry their number", found.unnumbered, "answers that had to repeat the number of their call"),
        ("carried their number", found.checked, "answers that had to repeat the number of their call, and did"),
    )
    rows = "".join(
        f'<tr><td>{name}</td><td data-figure="answers {name}">{value:,}</td><td class="words">{meaning}</td></tr>'
        for name, value, meaning in cells
    )
    yield '<div class="charts">'
    yield _section("Answers", "Whether each call got its own answer, once.", f"<table>{rows}</table>")


def _latency_table(result: Result) -> Iterator[str]:
    rows = [("since it was due" if result.service else "all calls", result.latency)]
    if result.service:
        rows.append(("since it was sent", result.service))
    body = "".join(f"<tr><td>{name}</td>{_cells(latency)}</tr>" for name, latency in rows)
    head = "".join(f"<th>{name}</th>" for name in _COLUMNS)
    words = (
        "In the open loop a call counts from when it was due: it includes the time that it waited because the server "
        "was slow with those before it."
        if result.service
        else "From sending a call to the end of its answer."
    )
    tools = "".join(
        f"<tr><td>{escape(each.tool)}</td><td>{each.calls:,}</td><td>{each.errors:,}</td><td>{each.checked:,}</td>"
        f"{_cells(each.latency)}</tr>"
        for each in result.tools
    )
    yield _section("Latency in milliseconds", words, f"<table><tr><th></th>{head}</tr>{body}</table>") + "</div>"
    yield _section(
        "Tools",
        "",
        f"<table><tr><th>tool</th><th>calls</th><th>errors</th><th>checked</th>{head}</tr>{tools}</table>",
    )


def _cells(latency: Latency) -> str:
    return "".join(f"<td>{cell}</td>" for cell in latency_cells(latency))


def _server(result: Result) -> Iterator[str]:
    samples = result.server_metrics
    names = _shown_families(samples)
    if len(samples) < 2 or not names:
        return
    yield '<div class="charts small">'
    for name in names:
        times, values, show, unit = family(samples, name)
        chart = charts.lines(name, times, [Series("", "one", values)], show)
        yield _section(name, unit, chart)
    yield "</div>"


def _shown_families(samples: Sequence[Sample]) -> list[str]:
    """The process's own first, then what changed during the load."""
    every = sorted({name for sample in samples for name in sample.values})
    moved = [name for name in every if len({sample.values.get(name) for sample in samples}) > 1]
    first = [name for name in _FIRST if name in every]
    return (first + [name for name in moved if name not in first])[:SERVER_CHARTS]


def family(samples: Sequence[Sample], name: str) -> tuple[list[float], list[float | None], Callable[[float], str], str]:
    """(times, values, how they are shown, what they are): a counter as its rate, anything else as it is."""
    having = [sample for sample in samples if name in sample.values]
    if not name.endswith("_total"):
        is_bytes = name.endswith("_bytes")
        values: list[float | None] = [sample.values[name] / (_MIB if is_bytes else 1) for sample in having]
        return [sample.second for sample in having], values, number, "MiB" if is_bytes else ""
    times, rates = [], []
    for before, after in pairwise(having):
        span = after.second - before.second
        times.append((before.second + after.second) / 2)
        rates.append(max(after.values[name] - before.values[name], 0.0) / span if span > 0 else None)
    return times, rates, number, "cores" if "cpu_seconds" in name else "a second"


def _beside(result: Result) -> Iterator[str]:
    made, idle = result.generator, result.idle
    late = f", at most {made.late_ms:.1f} ms late with a call" if result.load.is_open else ""
    busy = "; it was busy enough to measure itself, so give it more --processes" if made.is_too_busy else ""
    processes = f"{made.processes} process{'es' if made.processes > 1 else ''}"
    took = f"took {made.us_per_call:,.0f} µs of CPU a call, and {made.busiest_share:.0%} of a core at most"
    says = [f"The generator ({processes}) {took}{late}{busy}."]
    if made.waited:
        says.append(f"{waited(result)}.")
    if idle.wanted:
        says.append(
            f"{idle.opened:,} of {idle.wanted:,} idle sessions were opened, {idle.open_at_end:,} were open at the end."
        )
    says += [f"Left out: {each.tool}: {each.why}" for each in result.left_out]
    says += [f"{note[:1].upper()}{note[1:]}" for note in result.notes]
    yield _section("Beside it", "", "<ul>" + "".join(f"<li>{escape(each)}</li>" for each in says) + "</ul>")


def _badge(is_so: bool, yes: str, no: str) -> str:  # noqa: FBT001 - what the badge is about
    return f'<span class="verdict {"yes" if is_so else "no"}">{yes if is_so else no}</span>'


def _section(title: str, words: str, body: str) -> str:
    said = f"<p>{escape(words)}</p>" if words else ""
    return f"<section><h2>{escape(title)}</h2>{said}{body}</section>"


def count(value: float) -> str:
    """For axes and pointers: 1,200 as 1.2k."""
    for size, name in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= size:
            return f"{value / (1e3 if name == 'k' else size):.4g}{name}"
    return f"{value:,.4g}" if value < 1000 else f"{value:,.0f}"


def number(value: float) -> str:
    return count(value) if value >= 1 or not value else f"{value:.3g}"


def short(milliseconds: float) -> str:
    """For axes and pointers."""
    return f"{milliseconds:.4g} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.4g} s"


_PARTS = (_header, _tiles, _expectations, _over_time, _errors, _answers, _latency_table, _server, _beside)
