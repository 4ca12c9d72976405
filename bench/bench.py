"""What a call and a start cost, beside the least that they can cost and beside other servers, in one run.

All answer the same call for the same document with the same API behind them, and take turns: CPU a call of the server's
processes, the client and the API not counted. Ratios hold from machine to machine; microseconds do not. A peer that
cannot be installed or asked is a row that says why.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

import figures
import large
import loop_steps
import measured
import pages
import peers
import plots
import proxied
import rounds
import scaling
import starts
import targets
from figures import Beside, Figures, Latencies, Workers
from installing import Unavailable
from rounds import Found

DOCS = Path(__file__).parents[1] / "docs"
KEPT = Path(__file__).with_name("kept.json")
CONNECTIONS = (1, 32, 256)
ROUNDS = 5
CALLS = 1_500
QUICK_ROUNDS = 7
SMALL, LARGE = "a call, to a bare loop", "a call with 1 MB of arguments, to reading them"
TOLERANCES = {SMALL: 0.25, LARGE: 0.5}
"""By how much a ratio of one run may differ from the kept one. Two processes of one program differ by some percent, and
so do machines, whose memory differs more."""
PERCENTILES = (0.0, 25.0, 50.0, 75.0, 90.0, 95.0, 98.0, 99.0, 99.5, 99.8, 99.9)
FLOOD_SECONDS = 3.0
STEPS = {
    "10 MB of JSON, filtered": "filter 10 MB",
    "10 MB of JSON, cut": "answer dense",
    "3.9 MB of arguments, objects": "arguments objects",
    "3.9 MB of arguments, numbers": "arguments numbers",
    "1,000 calls in flight": f"{loop_steps.IN_FLIGHT:,} in flight",
    "2,000 sessions": f"{loop_steps.SESSIONS:,} sessions",
}


def measure_stdio(servers: dict[str, Callable[[], peers.Command]], rounds_made: int) -> Found:
    """One that fails in a round is not asked again."""
    found: Found = {}
    with ExitStack() as stack:
        asked = {}
        for name, command in servers.items():
            try:
                process = stack.enter_context(peers.running(command()))
                peers.greet(process)
                call = _named(process)
                _require_pet(peers.exchange(process, call))
                asked[name] = (process, call)
            except (Unavailable, OSError) as error:
                found[name] = str(error)[:200]
        for _ in range(rounds_made):
            for name, (process, call) in [*asked.items()]:
                calls = CALLS // 5
                before = rounds.cpu([process.pid])
                try:
                    for _ in range(calls):
                        peers.exchange(process, call)
                    found.setdefault(name, []).append((rounds.cpu([process.pid]) - before) / calls * 1e6)  # type: ignore[union-attr]
                except (Unavailable, OSError) as error:
                    found[name] = rounds.reason(error)
                    del asked[name]
    return found


def _named(process: Any) -> dict[str, Any]:  # noqa: ANN401 - a process with pipes
    """The call, of the only tool there is, as this server calls it."""
    listed = msgspec.json.decode(peers.exchange(process, {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}))
    params = {"name": listed["result"]["tools"][0]["name"], "arguments": {"id": 7}}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


def _require_pet(answer: bytes) -> None:
    if b"Rex" not in answer:
        raise Unavailable(f"it answers {answer[:100]!r}")


def quick(*, keep: bool) -> None:
    """A small call beside the bare loop, and a large one beside the reading of its arguments: fails where one of these
    ratios has grown by more than its tolerance over the kept one."""
    with tempfile.TemporaryDirectory() as name, measured.beside() as api_port:
        place = targets.placed(Path(name), api_port)
        servers = {"bare": partial(targets.bare, place), "ours": partial(targets.ours, place)}
        found = rounds.measure(servers, 32, QUICK_ROUNDS, CALLS)
    now = {SMALL: round(rounds.ratio(found, "ours", "bare"), 2), LARGE: round(scaling.large_to_read(), 2)}
    if keep:
        KEPT.write_bytes(msgspec.json.encode(now) + b"\n")
    kept = msgspec.json.decode(KEPT.read_bytes())
    for what, ratio in now.items():
        judge(what, ratio, kept[what])


def judge(what: str, now: float, kept: float) -> None:
    print(f"{what}: {now:.2f} times as much; kept: {kept}")
    if now > kept * (1 + TOLERANCES[what]):
        raise SystemExit("a call costs more than it did; if that is meant: scripts/bench --quick --keep")
    if now < kept * (1 - TOLERANCES[what]):
        print("a call costs less than it did: scripts/bench --quick --keep")


def whole(calls: int, rounds_made: int) -> Figures:
    """Each table is said when it is there."""
    with tempfile.TemporaryDirectory() as name, measured.beside() as api_port:
        place = targets.placed(Path(name), api_port)
        parts: dict[str, Callable[[], object]] = {
            "calls": partial(_over_http, place, calls, rounds_made),
            "latencies": partial(_latencies, place, calls, rounds_made),
            "workers": partial(_workers, place, rounds_made),
            "stdio": partial(_stdio, place, rounds_made),
            "steps": partial(_steps, place, rounds_made),
            "starts": _starts,
            "growth": partial(scaling.whole, place, calls),
        }
        about, made = figures.about(), {}
        for part, measure in parts.items():
            made[part] = measure()
            print("\n".join(pages.TABLES[part](made[part])), flush=True)
    return Figures(about=about, **made)  # type: ignore[arg-type]


def _over_http(place: targets.Place, calls: int, rounds_made: int) -> dict[int, Found]:
    servers: dict[str, targets.Start] = {
        pages.OURS: partial(targets.ours, place),
        "with metrics": partial(targets.ours, place, "--enable-prometheus", "--prometheus-port", "0"),
        "with a token": partial(targets.with_token, place),
        "with traces of one call in twenty": partial(targets.traced, place),
        "behind its nginx, both": partial(targets.behind_nginx, place),
        "bare Trio loop": partial(targets.bare, place),
        pages.HTTPTOOLS: partial(targets.bare_httptools, place),
        **peers.over_http(place),
    }
    found = {each: rounds.measure(servers, each, rounds_made, calls) for each in CONNECTIONS}
    return {each: {name: one[name] for name in servers} for each, one in found.items()}


def _latencies(place: targets.Place, calls: int, rounds_made: int) -> Latencies:
    servers: dict[str, targets.Start] = {
        pages.OURS: partial(targets.ours, place),
        "behind its nginx": partial(targets.behind_nginx, place),
        **peers.over_http(place),
    }
    found = rounds.latencies(servers, rounds_made, calls)
    shown = {name: each if isinstance(each, str) else _percentiles(each) for name, each in found.items()}
    api = _percentiles(rounds.api_latency(place, calls))
    return Latencies(percentiles=PERCENTILES, api=api, found={name: shown[name] for name in servers})


def _percentiles(microseconds: list[float]) -> list[float]:
    from loadgen.latencies import Latencies as Histogram  # noqa: PLC0415 - HdrHistogram, which --quick does without

    histogram = Histogram()
    for each in microseconds:
        histogram.record(each / 1e6)
    return [round(histogram.at(each) * 1e3, 1) for each in PERCENTILES]


def _workers(place: targets.Place, rounds_made: int) -> Workers:
    try:
        with proxied.api(place.folder) as api_port:
            there = place._replace(base=f"http://127.0.0.1:{api_port}")
            servers = {
                f"{count} worker{'s' * (count > 1)}": partial(targets.of_workers, there, count) for count in (1, 2)
            }
            found, shares = rounds.throughputs(servers, rounds_made, FLOOD_SECONDS)
    except Unavailable as error:
        found, shares = dict.fromkeys(("1 worker", "2 workers"), str(error)), [0.0]
    return Workers(found, max(shares))


def _stdio(place: targets.Place, rounds_made: int) -> Found:
    own = [sys.executable, "-m", "openapi_mcp_server", "--transport", "stdio", *place.settings]
    servers = {pages.OURS: lambda: peers.Command(own), **peers.over_stdio(place)}
    found = measure_stdio(servers, rounds_made)
    return {name: found[name] for name in servers}


def _steps(place: targets.Place, rounds_made: int) -> dict[str, list[Beside]]:
    with (
        measured.beside(large.__file__) as api_port,
        loop_steps.watched(place.folder, api_port) as server,
    ):
        made = loop_steps.cases()
        return {name: [_beside(server.play(made[case]())) for _ in range(rounds_made)] for name, case in STEPS.items()}


def _beside(row: loop_steps.Row) -> Beside:
    return Beside(step=row.step.cpu_ms, alone=row.alone.median, worst=row.beside.worst, held=row.beside.held)


def _starts() -> list[starts.Document]:
    folder = os.environ.get("OPENAPI_SPECS_DIR")
    return starts.whole(Path(folder) if folder else None)


def written(found: Figures, folder: Path) -> None:
    """The page, and beside it its pictures and the figures that both are made of."""
    beside = folder / "benchmarks"
    beside.mkdir(exist_ok=True)
    figures.write(beside / "figures.json", found)
    (folder / "benchmarks.md").write_text(pages.page(found))
    plots.write(found, beside)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="only: this server beside a bare loop, against the kept ratio"
    )
    parser.add_argument("--keep", action="store_true", help="with --quick: its ratio is the kept one from now on")
    parser.add_argument("--calls", type=int, default=CALLS, help="of a round")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--into", type=Path, default=DOCS, help="the folder of the page, its pictures and its figures")
    parser.add_argument(
        "--draw", action="store_true", help="only: the page and its pictures anew, of the figures there"
    )
    options = parser.parse_args()
    if options.quick:
        quick(keep=options.keep)
    elif options.draw:
        written(figures.read(options.into / "benchmarks" / "figures.json"), options.into)
    else:
        written(whole(options.calls, options.rounds), options.into)


if __name__ == "__main__":
    main()
