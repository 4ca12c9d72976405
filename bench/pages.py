"""The page of a benchmark: its head, and for each kind of figure a picture and a table."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from figures import About, Beside, Figures, Latencies, Workers
from rounds import Found, ratio
from scaling import Growth
from starts import DOCUMENTS, Document, Started

OURS = "this server"
FASTMCP = "FastMCP"
HTTPTOOLS = "bare Trio loop on httptools"
PICTURES = {
    "calls": "CPU of a call over Streamable HTTP, of each server at 1, 32 and 256 calls at once",
    "latencies": "Latency of one connection by percentile, of each server",
    "starts": "CPU and memory from the start to the first list of tools, of each server by document",
    "growth": "How cost grows with operations, sessions, bytes and calls at once, on logarithmic axes",
}
"""The parts of the figures that have one, and what it shows. There are two of each: for light and for dark pages."""


def head(about: About) -> Iterator[str]:
    yield "# Benchmarks"
    yield ""
    yield f"Written by `scripts/bench` on {about.date}: version {about.version}, Python {about.python},"
    yield f"{about.machine}, {about.cores} cores, load {about.load}. The figures of a call are the CPU of the server's"
    yield "processes, without client and API: the median of the rounds, with least and most in brackets. The servers"
    yield "take turns in each round. The ratios to this server hold elsewhere, the microseconds do not. Each call makes"
    yield "one small GET."


def picture(name: str) -> Iterator[str]:
    """By the reader's colours where the host can do that, else the light one."""
    yield ""
    yield f'<picture><source media="(prefers-color-scheme: dark)" srcset="benchmarks/{name}-dark.svg">'
    yield f'<img alt="{PICTURES[name]}" src="benchmarks/{name}.svg"></picture>'


def _titled(title: str, *columns: str, name: str = "") -> Iterator[str]:
    yield from ("", f"## {title}")
    if name:
        yield from picture(name)
    yield ""
    yield f"| {' | '.join(columns)} |"
    yield "|" + " --- |" * len(columns)


def cell(found: list[float] | str) -> str:
    if isinstance(found, str):
        return found.replace("|", "/").replace("\n", " ")
    return f"{statistics.median(found):,.0f} [{min(found):,.0f}..{max(found):,.0f}]"


def _times(found: Found, name: str, base: str = OURS) -> str:
    """Of all rounds together, and the least and the most of one: the targets take turns in each."""
    one, other = found.get(name), found.get(base)
    if not isinstance(one, list) or not isinstance(other, list):
        return ""
    if name == base:
        return "1.00"
    each = [mine / theirs for mine, theirs in zip(one, other, strict=True)]
    return f"{ratio(found, name, base):.2f} [{min(each):.2f}..{max(each):.2f}]"


def summary(figures: Figures) -> Iterator[str]:
    """The ratios that the tables below are read for."""
    yield from _titled("In short", "ratio", "")
    at_32, at_256 = figures.calls[32], figures.calls[256]
    both = {OURS: at_32[OURS], "at 256": at_256[OURS]}
    rows = {
        "CPU of a call, 32 at once: FastMCP ÷ this server": _times(at_32, _named(at_32, FASTMCP)),
        "the same: this server ÷ a bare Trio loop on httptools": _times(at_32, OURS, _named(at_32, HTTPTOOLS)),
        "this server: 256 at once ÷ 32": _times(both, "at 256"),
        "CPU of a call over stdio: mcpify ÷ this server": _times(figures.stdio, _named(figures.stdio, "mcpify")),
        "latency added at one connection: this server ÷ FastMCP": _added(figures.latencies),
        "calls a second: 2 workers ÷ 1": _times(figures.workers.found, "2 workers", "1 worker"),
    }
    for name, value in rows.items():
        if value:
            yield f"| {name} | {value} |"


def _named(found: Found, begin: str) -> str:
    return next((name for name in found if name.startswith(begin)), "")


def _added(latencies: Latencies) -> str:
    middle = latencies.percentiles.index(50.0)
    ours, theirs = (latencies.found.get(name) for name in (OURS, _named(latencies.found, FASTMCP)))
    if not isinstance(ours, list) or not isinstance(theirs, list):
        return ""
    return f"{(ours[middle] - latencies.api[middle]) / (theirs[middle] - latencies.api[middle]):.2f}"


def calls(over_http: Mapping[int, Found]) -> Iterator[str]:
    columns = [f"{each} at once, µs" for each in over_http]
    yield from _titled("A call over Streamable HTTP", "server", *columns, "ratio at 32", name="calls")
    for name in over_http[32]:
        cells = [cell(found[name]) for found in over_http.values()]
        if len({*cells}) == 1:  # the same reason for all
            cells = [cells[0], *([""] * (len(cells) - 1))]
        yield f"| {name} | {' | '.join(cells)} | {_times(over_http[32], name)} |"


def latencies(latencies: Latencies) -> Iterator[str]:
    """What a server adds is its difference to the API that is asked directly."""
    middle, most = (latencies.percentiles.index(each) for each in (50.0, 99.0))
    direct = latencies.api[middle]
    columns = ("server", "p50, µs", "p99, µs", "added, p50", "added ÷ ours")
    yield from _titled("Latency of one connection", *columns, name="latencies")
    yield f"| the API alone | {direct:,.0f} | {latencies.api[most]:,.0f} | | |"
    added = {name: each[middle] - direct for name, each in latencies.found.items() if isinstance(each, list)}
    for name, each in latencies.found.items():
        if isinstance(each, str):
            yield f"| {name} | {cell(each)} | | | |"
            continue
        times = f"{added[name] / added[OURS]:.2f}" if OURS in added else ""
        yield f"| {name} | {each[middle]:,.0f} | {each[most]:,.0f} | {added[name]:,.0f} | {times} |"


def workers(workers: Workers) -> Iterator[str]:
    yield from _titled("Workers", "server", "calls a second", "ratio")
    for name, each in workers.found.items():
        yield f"| {name} | {cell(each)} | {_times(workers.found, name, '1 worker')} |"
    yield ""
    yield f"Asked by a client on epoll that took up to {workers.share:.2f} of a core, with nginx as the API."


def stdio(found: Found) -> Iterator[str]:
    yield from _titled("A call over stdio", "server", "µs", "ratio")
    for name, each in found.items():
        yield f"| {name} | {cell(each)} | {_times(found, name)} |"


def steps(found: Mapping[str, Sequence[Beside]]) -> Iterator[str]:
    columns = (
        "longest step, ms of CPU",
        "small call alone, ms",
        "beside it at worst, ms",
        "÷ alone",
        "CPU meanwhile, ms",
    )
    yield from _titled("One large call, and the others beside it", "what", *columns)
    for name, rows in found.items():
        step, alone, worst, held = (
            statistics.median(getattr(row, each) for row in rows) for each in ("step", "alone", "worst", "held")
        )
        yield f"| {name} | {step:.1f} | {alone:.2f} | {worst:.1f} | {worst / alone:.0f} | {held:.1f} |"
    yield ""
    yield "Small calls are made all the time beside the large one. All figures are medians of the rounds. The worst"
    yield "wait includes other work of the machine. The last column does not: it is the server's CPU in that time."


def starts(documents: Sequence[Document]) -> Iterator[str]:
    columns = ("document", "server", "CPU, s", "memory at most, MiB", "tools", "list, MB")
    yield from _titled("From the start to the first list of all tools", *columns, name="starts")
    for document in documents:
        for name, found in document.servers.items():
            yield f"| {document.name}, {document.megabytes:.1f} MB | {name} | {' | '.join(_started(found))} |"
    yield ""
    yield "Over stdio; the least of three rounds, or one if it takes long. Cached: a later start, with `CACHE_DIR`."
    missing = {*DOCUMENTS} - {each.name for each in documents}
    if missing:
        yield f"Not measured, since OPENAPI_SPECS_DIR has no such document: {', '.join(sorted(missing))}."


def _started(found: Started | str) -> tuple[str, ...]:
    if isinstance(found, str):
        return (cell(found), "", "", "")
    return f"{found.cpu_seconds:.2f}", f"{found.memory_mib:,.0f}", f"{found.tools:,}", f"{found.list_bytes / 1e6:.1f}"


def growth(grown: Sequence[Growth]) -> Iterator[str]:
    yield from _titled("How cost grows", "with", "cost", "exponent", name="growth")
    for one in grown:
        cost = ", ".join(f"{many:,}: {value:,.4g}" for many, value in one.points)
        yield f"| {one.what}: {one.cost} | {cost} | {one.exponent():.2f} |"
    yield ""
    yield "In answers up to 1 MB, all rows lose detail before any is dropped. Longer ones only lose rows: less work."


TABLES: dict[str, Callable[[Any], Iterator[str]]] = {
    "calls": calls,
    "latencies": latencies,
    "workers": workers,
    "stdio": stdio,
    "steps": steps,
    "starts": starts,
    "growth": growth,
}
"""In the order of the page, by the part of the figures that each shows."""


def page(figures: Figures) -> str:
    lines = [*head(figures.about), *summary(figures)]
    for name, table in TABLES.items():
        lines += table(getattr(figures, name))
    return "\n".join(lines) + "\n"
