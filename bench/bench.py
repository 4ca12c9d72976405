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
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

import large
import loop_steps
import measured
import pages
import peers
import proxied
import rounds
import scaling
import targets
from bench_start import serve_once
from installing import Unavailable
from rounds import Found

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
KEPT = Path(__file__).with_name("kept.json")
CONNECTIONS = (1, 32, 256)
ROUNDS = 5
CALLS = 1_500
QUICK_ROUNDS = 7
TOLERANCE = 0.25
"""By how much a ratio of one run may differ from the kept one: two processes of one program differ by some percent, and
so do machines."""
LARGE_BYTES = 3_000_000
FLOOD_SECONDS = 3.0
STEPS = {
    "10 MB of JSON, filtered": "filter 10 MB",
    "10 MB of JSON, cut": "answer dense",
    "3.9 MB of arguments, objects": "arguments objects",
    "3.9 MB of arguments, numbers": "arguments numbers",
    "1,000 calls in flight": f"{loop_steps.IN_FLIGHT:,} in flight",
    "2,000 sessions": f"{loop_steps.SESSIONS:,} sessions",
}


def measure_stdio(servers: dict[str, Callable[[], Any]], rounds_made: int) -> Found:
    found: Found = {}
    with ExitStack() as stack:
        asked = {}
        for name, start in servers.items():
            try:
                process = stack.enter_context(start())
                call = _named(process)
                _require_pet(peers.exchange(process, call))
                asked[name] = (process, call)
            except (Unavailable, OSError) as error:
                found[name] = str(error)[:200]
        for _ in range(rounds_made):
            for name, (process, call) in asked.items():
                calls = CALLS // 5
                before = rounds.cpu([process.pid])
                for _ in range(calls):
                    peers.exchange(process, call)
                found.setdefault(name, []).append((rounds.cpu([process.pid]) - before) / calls * 1e6)  # type: ignore[union-attr]
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
    """Ours beside the bare loop: fails where the ratio has grown by more than `TOLERANCE` over the kept one."""
    with tempfile.TemporaryDirectory() as name, measured.beside() as api_port:
        place = targets.placed(Path(name), api_port)
        servers = {"bare": partial(targets.bare, place), "ours": partial(targets.ours, place)}
        found = rounds.measure(servers, 32, QUICK_ROUNDS, CALLS)
    now = rounds.ratio(found, "ours", "bare")
    if keep:
        KEPT.write_bytes(msgspec.json.encode({"ours_to_bare": round(now, 2)}) + b"\n")
    kept = msgspec.json.decode(KEPT.read_bytes())["ours_to_bare"]
    print(f"a call costs {now:.2f} times what it costs in a bare loop; kept: {kept}")
    if now > kept * (1 + TOLERANCE):
        raise SystemExit("a call costs more than it did; if that is meant: scripts/bench --quick --keep")
    if now < kept * (1 - TOLERANCE):
        print("a call costs less than it did: scripts/bench --quick --keep")


def whole(calls: int, rounds_made: int, page: Path) -> None:
    """Each table is said when it is there."""
    with tempfile.TemporaryDirectory() as name, measured.beside() as api_port:
        place = targets.placed(Path(name), api_port)
        lines = [*pages.head()]
        for table in (
            partial(_over_http, place, calls, rounds_made),
            partial(_latencies, place, calls, rounds_made),
            partial(_workers, place, rounds_made),
            partial(_stdio, place, rounds_made),
            partial(_steps, place, rounds_made),
            _starts,
            lambda: scaling.table(scaling.whole(place, calls)),
        ):
            made = [*table()]
            print("\n".join(made), flush=True)
            lines += made
    page.write_text("\n".join(lines) + "\n")


def _over_http(place: targets.Place, calls: int, rounds_made: int) -> Iterator[str]:
    servers: dict[str, targets.Start] = {
        pages.OURS: partial(targets.ours, place),
        "with metrics": partial(targets.ours, place, "--enable-prometheus", "--prometheus-port", "0"),
        "with a token": partial(targets.with_token, place),
        "with traces of one call in twenty": partial(targets.traced, place),
        "behind its nginx, both": partial(targets.behind_nginx, place),
        "bare Trio loop": partial(targets.bare, place),
        "bare Trio loop on httptools": partial(targets.bare_httptools, place),
        **peers.over_http(place),
    }
    found = {each: rounds.measure(servers, each, rounds_made, calls) for each in CONNECTIONS}
    return pages.calls(found, [*servers])


def _latencies(place: targets.Place, calls: int, rounds_made: int) -> Iterator[str]:
    servers: dict[str, targets.Start] = {
        pages.OURS: partial(targets.ours, place),
        "behind its nginx": partial(targets.behind_nginx, place),
        **peers.over_http(place),
    }
    found = rounds.latencies(servers, rounds_made, calls // 5)
    return pages.latencies(found, rounds.api_latency(place, calls), next(iter(peers.over_http(place))))


def _workers(place: targets.Place, rounds_made: int) -> Iterator[str]:
    try:
        with proxied.api(place.folder) as api_port:
            there = place._replace(base=f"http://127.0.0.1:{api_port}")
            servers = {
                f"{count} worker{'s' * (count > 1)}": partial(targets.of_workers, there, count) for count in (1, 2)
            }
            found, shares = rounds.throughputs(servers, rounds_made, FLOOD_SECONDS)
    except Unavailable as error:
        found, shares = dict.fromkeys(("1 worker", "2 workers"), str(error)), [0.0]
    return pages.throughputs(found, max(shares))


def _stdio(place: targets.Place, rounds_made: int) -> Iterator[str]:
    own = [sys.executable, "-m", "openapi_mcp_server", "--transport", "stdio", *place.settings]
    return pages.stdio(measure_stdio({pages.OURS: partial(peers.stdio, own), **peers.over_stdio(place)}, rounds_made))


def _steps(place: targets.Place, rounds_made: int) -> Iterator[str]:
    with (
        measured.beside(large.__file__) as api_port,
        loop_steps.watched(place.folder, api_port) as server,
    ):
        made = loop_steps.cases()
        found = {name: [server.play(made[case]()) for _ in range(rounds_made)] for name, case in STEPS.items()}
    return pages.steps(found)


def _starts() -> Iterator[str]:
    folder = os.environ.get("OPENAPI_SPECS_DIR")
    if not folder:
        return
    rows = []
    with tempfile.TemporaryDirectory() as logs:
        for path in sorted(Path(folder).iterdir()):
            if path.is_file() and path.stat().st_size > LARGE_BYTES:
                cpu, memory, answer = min(serve_once(str(path), Path(logs, "log")) for _ in range(3))
                rows.append((path.name, path.stat().st_size, cpu, memory, len(answer)))
    yield from pages.starts(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="only: this server beside a bare loop, against the kept ratio"
    )
    parser.add_argument("--keep", action="store_true", help="with --quick: its ratio is the kept one from now on")
    parser.add_argument("--calls", type=int, default=CALLS, help="of a round")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--page", type=Path, default=PAGE, help="where the tables are written")
    options = parser.parse_args()
    if options.quick:
        quick(keep=options.keep)
    else:
        whole(options.calls, options.rounds, options.page)


if __name__ == "__main__":
    main()
