"""Repeats the attacks that are known against the real program, and says what they cost and what others saw meanwhile.

Each one has a server of its own, an API that says what the attack wants it to, and a well-behaved client beside it. An
attack that is not over at its deadline is: a server that does not answer then is killed and counts as hanging.
"""

from __future__ import annotations

import argparse
import resource
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from attack import answers, arguments, memory, operating, wire
from attack.program import CHECKOUT, Program
from attack.scene import ATTACKS, Attack
from attack.stage import Result, carried_out

PARTS = (arguments, memory, answers, wire, operating)
"""Importing these modules registers all attacks."""
KINDS = tuple(f"{letter}{n}" for letter, last in (("B", 1), ("S", 8), ("M", 16), ("N", 14)) for n in range(1, last + 1))
"""The order of the report."""


def chosen(names: Sequence[str]) -> list[Attack]:
    """By name or by what it begins with (``S1``); all of them where none is named. In the order of `KINDS`."""
    unknown = [name for name in names if not any(_is(attack, name) for attack in ATTACKS)]
    if unknown:
        raise SystemExit(f"attack: there is no {', '.join(unknown)}; --list shows all")
    ordered = sorted(ATTACKS, key=lambda name: KINDS.index(name.partition("/")[0]))
    return [ATTACKS[each] for each in ordered if not names or any(_is(each, name) for name in names)]


def _is(attack: str, name: str) -> bool:
    return attack == name or attack.startswith(f"{name}/")


def carried_out_all(attacks: Sequence[Attack], checkout: Path) -> list[Result]:
    program = Program(checkout)
    results = []
    for attack in attacks:
        result = carried_out(attack, program)
        print(f"{result.name}: {result.outcome}. {result.said}", file=sys.stderr, flush=True)
        results.append(result)
    return results


HEADINGS = ("attack", "outcome", "CPU s", "MiB", "held ms", "calls", "/livez", "p50 ms", "worst ms", "worst/p50")


def row(result: Result) -> tuple[str, ...]:
    figures = (
        _figure(result.cpu_seconds, ".2f"),
        _figure(result.peak_mib, ".0f"),
        _figure(result.held_ms, ".0f"),
    )
    seen, alone = result.beside, result.alone
    if seen is None or alone is None:
        return result.name, result.outcome, *figures, *["-"] * 5
    return (
        result.name,
        result.outcome,
        *figures,
        f"{seen.calls_answered}/{seen.calls}",
        f"{seen.livez_answered}/{seen.livez}",
        f"{alone.p50_ms:.1f} -> {seen.p50_ms:.1f}",
        f"{seen.worst_ms:.0f}",
        f"{seen.worst_ms / alone.p50_ms:.0f}" if alone.p50_ms else "-",
    )


def _figure(value: float | None, form: str) -> str:
    return "-" if value is None else format(max(value, 0.0), form)


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(line[column]) for line in rows) for column in range(len(rows[0]))]
    for line in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


def report(results: Sequence[Result]) -> Iterator[str]:
    yield from table([HEADINGS, *map(row, results)])
    yield ""
    yield from (f"{result.name}: {result.does}: {result.said}" for result in results if result.said)
    yield ""
    yield summary(results)


def summary(results: Sequence[Result]) -> str:
    counted = {outcome: sum(result.outcome == outcome for result in results) for outcome in _OUTCOMES}
    return f"{len(results)} attacks: " + ", ".join(f"{count} {outcome}" for outcome, count in counted.items())


_OUTCOMES = ("held", "got through", "hangs", "skipped")


def compared(before: Sequence[Result], after: Sequence[Result]) -> Iterator[str]:
    headings = ("attack", *(f"{heading} | after" for heading in HEADINGS[1:]))
    pairs = [
        [one[0], *(f"{left} | {right}" for left, right in zip(one[1:], other[1:], strict=True))]
        for one, other in zip(map(row, before), map(row, after), strict=True)
    ]
    yield from table([headings, *pairs])
    yield ""
    yield from (f"{result.name}: {result.does}: {result.said}" for result in after if result.said)
    yield ""
    yield f"before: {summary(before)}"
    yield f"after: {summary(after)}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/attack", description=__doc__)
    parser.add_argument("attacks", nargs="*", help="names, or what they begin with: S1, S1/path; without any, all")
    parser.add_argument("--list", action="store_true", help="print the attacks and end")
    parser.add_argument("--server", type=Path, default=CHECKOUT, help="the checkout whose server is attacked; this one")
    parser.add_argument("--compare", type=Path, metavar="DIR", help="a checkout of before, attacked first")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there too")
    options = parser.parse_args()
    attacks = chosen(options.attacks)
    if options.list:
        print("\n".join(f"{attack.name}: {attack.does}" for attack in attacks))
        return 0
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # there are thousands of connections
    before = carried_out_all(attacks, options.compare.resolve()) if options.compare else []
    results = carried_out_all(attacks, options.server.resolve())
    print("\n".join(compared(before, results) if before else report(results)))
    if options.json:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode({"before": before, "results": results})))
    return 0 if all(result.outcome in {"held", "skipped"} for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
