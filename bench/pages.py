"""The page of a benchmark: its head, and one table for each kind of figure."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

import loop_steps
from rounds import Found, percentile, ratio

OURS = "this server"


def head() -> Iterator[str]:
    yield "# Benchmarks"
    yield ""
    yield f"Written by `scripts/bench` on {datetime.now(UTC):%d %B %Y}: Python {platform.python_version()}, Linux"
    yield f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}. CPU of the server's processes"
    yield "a call, client and API not counted: the middle one of the rounds, least and most in brackets; all in turn."
    yield "The ratios to this server hold elsewhere, the microseconds do not. Behind each call is one small GET."


def _titled(title: str, *columns: str) -> Iterator[str]:
    yield from ("", f"## {title}", "")
    yield f"| {' | '.join(columns)} |"
    yield "|" + " --- |" * len(columns)


def cell(found: list[float] | str) -> str:
    if isinstance(found, str):
        return found.replace("|", "/").replace("\n", " ")
    return f"{statistics.median(found):,.0f} [{min(found):,.0f}..{max(found):,.0f}]"


def _times(found: Found, name: str, base: str = OURS) -> str:
    both = isinstance(found.get(name), list) and isinstance(found.get(base), list)
    return f"{ratio(found, name, base):.2f}" if both else ""


def calls(over_http: Mapping[int, Found], names: Sequence[str]) -> Iterator[str]:
    columns = [f"{each} at once, µs" for each in over_http]
    yield from _titled("A call over Streamable HTTP", "server", *columns, "ratio at 32")
    for name in names:
        cells = [cell(found[name]) for found in over_http.values()]
        if len({*cells}) == 1:  # the same reason for all
            cells = [cells[0], *([""] * (len(cells) - 1))]
        yield f"| {name} | {' | '.join(cells)} | {_times(over_http[32], name)} |"
    here = {each: found[OURS] for each, found in over_http.items()}
    if 256 in here and not any(isinstance(each, str) for each in here.values()):
        yield ""
        yield f"This server at 256 at once ÷ at 32: {_of(here[256]) / _of(here[32]):.2f}."


def _of(found: list[float] | str) -> float:
    assert isinstance(found, list), found
    return sum(found)


def latencies(found: Found, api: list[float], fastmcp: str) -> Iterator[str]:
    """``api``: of the API asked directly; what a server adds is the difference to it."""
    direct = statistics.median(api)
    yield from _titled("Latency of one connection", "server", "p50, µs", "p99, µs", "added, p50", "added ÷ ours")
    yield f"| the API alone | {direct:,.0f} | {percentile(api, 0.99):,.0f} | | |"
    added = {name: statistics.median(each) - direct for name, each in found.items() if isinstance(each, list)}
    for name, each in found.items():
        if isinstance(each, str):
            yield f"| {name} | {cell(each)} | | | |"
            continue
        times = f"{added[name] / added[OURS]:.2f}" if OURS in added else ""
        middle, worst = statistics.median(each), percentile(each, 0.99)
        yield f"| {name} | {middle:,.0f} | {worst:,.0f} | {added[name]:,.0f} | {times} |"
    if fastmcp in added and OURS in added:
        yield ""
        yield f"Added latency of this server ÷ FastMCP's: {added[OURS] / added[fastmcp]:.2f}."


def throughputs(found: Found, share: float) -> Iterator[str]:
    yield from _titled("Workers", "server", "calls a second", "ratio")
    for name, each in found.items():
        yield f"| {name} | {cell(each)} | {_times(found, name, '1 worker')} |"
    cores = os.cpu_count() or 1
    yield ""
    yield f"Asked by a client on epoll that took up to {share:.2f} of a core, with nginx as the API, on {cores} cores."


def stdio(found: Found) -> Iterator[str]:
    yield from _titled("A call over stdio", "server", "µs", "ratio")
    for name, each in found.items():
        yield f"| {name} | {cell(each)} | {_times(found, name)} |"


def steps(found: Mapping[str, Sequence[loop_steps.Row]]) -> Iterator[str]:
    columns = (
        "longest step, ms of CPU",
        "small call alone, ms",
        "beside it at worst, ms",
        "÷ alone",
        "CPU meanwhile, ms",
    )
    yield from _titled("One large call, and the others beside it", "what", *columns)
    for name, rows in found.items():
        step = min(row.step.cpu_ms for row in rows)
        alone = statistics.median(row.alone.median for row in rows)
        worst = statistics.median(row.beside.worst for row in rows)
        held = statistics.median(row.beside.held for row in rows)
        yield f"| {name} | {step:.1f} | {alone:.2f} | {worst:.1f} | {worst / alone:.0f} | {held:.1f} |"
    yield ""
    yield "A small call is asked all the time beside the large one. At worst: the middle one of the rounds; it counts"
    yield "what else the machine did. The last column does not: CPU of the server while that call waited."


def starts(rows: Sequence[tuple[str, int, float, float, int]]) -> Iterator[str]:
    columns = ("document", "size, MB", "CPU, s", "memory at most, MiB", "list, kB")
    yield from _titled("From the start to the first tools/list", *columns)
    for name, size, cpu, memory, listed in rows:
        yield f"| {name} | {size / 1e6:.1f} | {cpu:.2f} | {memory:.0f} | {listed / 1e3:.1f} |"
