"""What became of one adapter with one document, and the table of all of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, repeat

import msgspec

from clients.calls import GIVEN, LEAST, Call, fault
from clients.echo import Api

LEGEND = """
.        nothing is lost
-N       N tools are not in the list
?N       N tools have a schema that cannot be shown to a model, or that lacks arguments
2xN      N names are given twice, which model providers refuse
call     the nested call was not made as given
text     the server does not take it with numbers as text; numbers: with digits as numbers
N calls  N tools, of those sampled, were not called as given with what they require
n/a      could not be tried
"""
PLAIN = "no framework"
"""The row of the calls that nothing stands between."""


class Outcome(msgspec.Struct):
    """One adapter with one document. ``lost``: how many tools are not listed; ``blamed``: those that the adapter said
    something of. ``call``: what is wrong with the nested call. ``spellings``: with those spellings of it that the
    server does not take; ``own_checks``: with those that it takes and the adapter does not. ``uncalled``: tools of
    those ``sampled``, with the reason. ``not_tried``: why there is nothing else here.
    """

    adapter: str
    document: str
    served: int = 0
    listed: int = 0
    lost: int = 0
    blamed: dict[str, str] = {}
    message: str = ""
    unreadable: dict[str, str] = {}
    fewer: dict[str, list[str]] = {}
    twice: list[str] = []
    call: str = ""
    spellings: dict[str, str] = {}
    own_checks: dict[str, str] = {}
    sampled: int = 0
    uncalled: dict[str, str] = {}
    seconds: float = 0.0
    not_tried: str = ""

    @property
    def cell(self) -> str:
        if self.not_tried:
            return "n/a"
        unreadable = len(self.unreadable.keys() | self.fewer.keys())
        parts = [
            f"-{self.lost}" if self.lost else "",
            f"?{unreadable}" if unreadable else "",
            f"2x{len(self.twice)}" if self.twice else "",
            "call" if self.call else "",
            *(spelling for spelling, wrong in self.spellings.items() if wrong),
            f"{len(self.uncalled)} calls" if self.uncalled else "",
        ]
        return " ".join(filter(None, parts)) or "."


class Told(msgspec.Struct):
    """What a runner writes; the fields are those of `Outcome`, uncounted."""

    listed: int = 0
    lost: dict[str, str] = {}
    message: str = ""
    unreadable: dict[str, str] = {}
    fewer: dict[str, list[str]] = {}
    twice: list[str] = []
    calls: list[dict[str, str]] = []


def judged(told: Told, outcome: Outcome, calls: Sequence[Call], api: Api) -> None:
    """Fills in an outcome from what a runner wrote and what the API received."""
    outcome.listed, outcome.lost = told.listed, len(told.lost)
    outcome.blamed = {name: why for name, why in told.lost.items() if why}
    outcome.message, outcome.unreadable = told.message, told.unreadable
    outcome.fewer, outcome.twice = told.fewer, told.twice
    for call, made in zip(calls, chain(told.calls, repeat({"error": told.message})), strict=False):
        if call.tool not in told.lost:  # that was counted
            _enter(outcome, call, fault(made, call.wanted, api))


def _enter(outcome: Outcome, call: Call, wrong: str) -> None:
    if call.spelling == LEAST:
        outcome.sampled += 1
        if wrong:
            outcome.uncalled[call.tool] = wrong
    elif call.spelling == GIVEN:
        outcome.call = wrong
    elif not call.alone:
        outcome.own_checks[call.spelling] = wrong


def table(outcomes: list[Outcome], before: list[Outcome]) -> str:
    """A row for each adapter, a column for each document; where there is an earlier run, what it was then."""
    cells = {(each.adapter, each.document): each.cell for each in outcomes}
    earlier = {(each.adapter, each.document): each.cell for each in before}
    for place, old in earlier.items():
        if place in cells and old != cells[place]:
            cells[place] = f"{old} > {cells[place]}"
    adapters, documents = (list(dict.fromkeys(place[index] for place in cells)) for index in (0, 1))
    rows = [["", *documents], *([name, *(cells.get((name, each), "") for each in documents)] for name in adapters)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([*lines, LEGEND, *sums(outcomes, before), "", *details(outcomes)]) + "\n"


def sums(outcomes: list[Outcome], before: list[Outcome]) -> list[str]:
    lines = []
    for title, rows in (("before: ", before), ("", outcomes)):
        tried = {each.adapter for each in rows if not each.not_tried} - {PLAIN}
        losing = {each.adapter for each in rows if each.cell not in (".", "n/a")}
        if tried:
            lines.append(f"{title}{len(tried - losing)} of {len(tried)} adapters lose nothing")
    return lines


def details(outcomes: Iterable[Outcome]) -> list[str]:
    lines = []
    for each in outcomes:
        said = list(_said(each))
        if said:
            lines += [f"{each.adapter}, {each.document}: {each.cell}", *(f"    {line}" for line in said)]
    return lines


def _said(each: Outcome) -> Iterable[str]:
    """Every kind of loss once, with the first that it happened to."""
    yield from filter(None, (each.not_tried, each.message))
    found: dict[str, Mapping[str, object]] = {
        "lost": each.blamed,
        "unreadable": each.unreadable,
        "arguments": each.fewer,
        "called": each.uncalled,
    }
    for title, told in found.items():
        for reason, names in by_reason(told).items():
            yield f"{title}: {names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''}: {reason}"
    if each.twice:
        yield f"twice: {', '.join(each.twice[:3])}{', …' if len(each.twice) > 3 else ''}"
    yield from (f"call: {wrong}" for wrong in [each.call] if wrong)
    yield from (f"call with {spelling}: {wrong}" for spelling, wrong in each.spellings.items() if wrong)
    if not each.call:
        yield from (f"its own check, {spelling}: {wrong}" for spelling, wrong in each.own_checks.items() if wrong)


def by_reason(found: Mapping[str, object]) -> dict[str, list[str]]:
    """Names by what was said of them; numbers and quoted words in it are left out of the comparison."""
    seen: dict[str, tuple[str, list[str]]] = {}
    for name, said in found.items():
        reason = ", ".join(said) if isinstance(said, list) else str(said)
        seen.setdefault(re.sub(r"\d+|'[^']*'|\"[^\"]*\"", "", reason)[:80], (reason, []))[1].append(name)
    return dict(seen.values())
