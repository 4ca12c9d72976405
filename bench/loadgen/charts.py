"""Charts as SVG in the page itself: no script, no file beside it; colours and fonts are the style sheet's.

A chart is 640 by 244 units. What a pointer is on is shown by `:hover` alone: each place of the horizontal axis has a
group with a line and its values in words.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import NamedTuple

WIDTH, HEIGHT = 640, 244
LEFT, RIGHT, TOP, BOTTOM = 56, 628, 26, 212
MOST_COLUMNS = 300
"""More than these cannot be told apart."""
_STEPS = (1, 2, 2.5, 5, 10)

Show = Callable[[float], str]


class Series(NamedTuple):
    """``style`` names the colour in the style sheet. None is a gap."""

    name: str
    style: str
    values: Sequence[float | None]


class Scale(NamedTuple):
    """Values from ``low`` to ``high`` onto units from ``start`` to ``end``."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def at(self, value: float) -> float:
        if self.is_log:
            share = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return round(self.start + (self.end - self.start) * share, 2)

    def ticks(self, count: int = 5) -> list[float]:
        if self.is_log:
            return _log_ticks(self.low, self.high)
        step = _step((self.high - self.low) / count)
        first = math.ceil(self.low / step)
        return [round(step * index, 10) for index in range(first, int(self.high / step + 1e-9) + 1)]


def _step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(each * power for each in _STEPS if each * power >= rough * 0.999)


def _log_ticks(low: float, high: float) -> list[float]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    within = [10.0**power * factor for power in decades for factor in (1, 2, 5)]
    ticks = [each for each in within if low * 0.999 <= each <= high * 1.001]
    return ticks if len(ticks) <= 7 else [each for each in ticks if str(f"{each:e}").startswith("1")]


def linear(values: Sequence[float], start: float = BOTTOM, end: float = TOP) -> Scale:
    """From 0, with some room above."""
    highest = max(values, default=0.0) or 1.0
    step = _step(highest / 5)
    return Scale(0.0, math.ceil(highest / step + 0.05) * step, start, end)


def logarithmic(values: Sequence[float], start: float = BOTTOM, end: float = TOP) -> Scale:
    """From the 1, 2 or 5 below to the one above; at least a decade."""
    positive = [each for each in values if each > 0] or [1.0]
    low, high = _round_125(min(positive), up=False), _round_125(max(positive), up=True)
    return Scale(low, max(high, low * 10), start, end, is_log=True)


def _round_125(value: float, *, up: bool) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    choices = [power * factor for factor in (1, 2, 5, 10)]
    return next(each for each in choices if each >= value) if up else [each for each in choices if each <= value][-1]


class Column(NamedTuple):
    """A place of the horizontal axis that can be pointed at: from, to, and what is said there."""

    start: float
    end: float
    text: str


def chart(label: str, body: Sequence[str], columns: Sequence[Column]) -> str:
    hits = "".join(_hit(column) for column in columns)
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">{"".join(body)}{hits}</svg>'


def _hit(column: Column) -> str:
    middle = round((column.start + column.end) / 2, 2)
    width = round(max(column.end - column.start, 0.5), 2)
    return (
        f'<g class="hit"><rect x="{column.start:.2f}" y="{TOP}" width="{width}" height="{BOTTOM - TOP}"/>'
        f'<line x1="{middle}" x2="{middle}" y1="{TOP}" y2="{BOTTOM}"/>'
        f'<text x="{RIGHT}" y="14" text-anchor="end">{escape(column.text)}</text></g>'
    )


def frame(across: Scale, up: Scale, show_across: Show, show_up: Show) -> list[str]:
    """Grid, axes and their numbers."""
    made = []
    for value in up.ticks():
        y = up.at(value)
        made.append(f'<line class="grid" x1="{LEFT}" x2="{RIGHT}" y1="{y}" y2="{y}"/>')
        made.append(f'<text class="tick" x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{escape(show_up(value))}</text>')
    for value in across.ticks(8):
        x = across.at(value)
        made.append(f'<line class="grid" x1="{x}" x2="{x}" y1="{BOTTOM}" y2="{BOTTOM + 4}"/>')
        made.append(tick(x, show_across(value)))
    return [*made, f'<line class="axis" x1="{LEFT}" x2="{RIGHT}" y1="{BOTTOM}" y2="{BOTTOM}"/>']


def tick(x: float, text: str) -> str:
    """Below the axis; the last one stays within the chart."""
    anchor, at = ("end", WIDTH - 2.0) if x > RIGHT - 12 else ("middle", x)
    return f'<text class="tick" x="{at}" y="{BOTTOM + 22}" text-anchor="{anchor}">{escape(text)}</text>'


def line(series: Series, places: Sequence[float], up: Scale) -> str:
    """A path with a gap where there is no value; a value alone is a dot."""
    parts, is_open = [], False
    for x, value in zip(places, series.values, strict=True):
        if value is None:
            is_open = False
            continue
        parts.append(f"{'L' if is_open else 'M'}{x:.1f} {up.at(value)}" + ("" if is_open else "h.01"))
        is_open = True
    return f'<path class="line {series.style}" d="{"".join(parts)}"/>' if parts else ""


def bar(style: str, x: float, width: float, low: float, high: float) -> str:
    """From one height to another, in units."""
    if low - high < 0.05:
        return ""
    size = f'width="{max(width, 0.5):.2f}" height="{low - high:.2f}"'
    return f'<rect class="bar {style}" x="{x:.2f}" y="{high:.2f}" {size}/>'


def legend(series: Sequence[tuple[str, str]]) -> str:
    """(name, style) of each."""
    return (
        '<p class="legend">'
        + "".join(f'<span><i class="{style}"></i>{escape(name)}</span>' for name, style in series)
        + "</p>"
    )


def lines(label: str, times: Sequence[float], series: Sequence[Series], show: Show, *, is_log: bool = False) -> str:
    """Lines over the seconds of the load. ``times`` are the middles."""
    values = [value for each in series for value in each.values if value is not None]
    up = logarithmic(values) if is_log else linear(values)
    across = seconds_axis(times)
    places = [across.at(time) for time in times]
    body = frame(across, up, seconds, show)
    body += [line(each, places, up) for each in series]
    return chart(label, body, _columns(places, times, series, show))


def stacked(label: str, times: Sequence[float], series: Sequence[Series], show: Show) -> str:
    """Bars over the seconds of the load, one on another."""
    sums = [sum(each.values[place] or 0.0 for each in series) for place in range(len(times))]
    up, across = linear(sums), seconds_axis(times)
    places = [across.at(time) for time in times]
    width = (RIGHT - LEFT) / max(len(times), 1)
    body = frame(across, up, seconds, show)
    for place, x in enumerate(places):
        below = 0.0
        for each in series:
            above = below + (each.values[place] or 0.0)
            body.append(bar(each.style, x - width * 0.42, width * 0.84, up.at(below), up.at(above)))
            below = above
    return chart(label, body, _columns(places, times, series, show))


def seconds_axis(times: Sequence[float]) -> Scale:
    step = times[1] - times[0] if len(times) > 1 else 1.0
    return Scale(max(times[0] - step / 2, 0.0), times[-1] + step / 2, LEFT, RIGHT)


def _columns(places: Sequence[float], times: Sequence[float], series: Sequence[Series], show: Show) -> list[Column]:
    half = (RIGHT - LEFT) / max(len(places), 1) / 2
    return [
        Column(x - half, x + half, f"{seconds(times[place])}: " + "   ".join(_said(series, place, show)))
        for place, x in enumerate(places)
    ]


def _said(series: Sequence[Series], place: int, show: Show) -> list[str]:
    return [f"{each.name} {show(value)}" for each in series if (value := each.values[place]) is not None] or ["nothing"]


def seconds(value: float) -> str:
    if value < 120:
        return f"{value:g} s"
    return f"{value / 60:g} min" if value < 7200 else f"{value / 3600:.3g} h"
