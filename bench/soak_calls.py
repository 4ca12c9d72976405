"""What stays in memory of hundreds of thousands of calls to all tools of a document, one after the other in turn.

The server's memory is read after every part of the calls; what it grows by once every tool has been called often enough
is judged. Exit code 1 if it grows with the calls, or if a call failed. Three processes on loopback, as in measured.py.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import msgspec
import trio

import large
import rounds
from loadgen import made_up
from loadgen.made_up import Tool
from measured import beside, cpu_seconds, resident_mib, serving
from openapi_mcp_server.mock.levels import NoValueError
from soak_reloads import document
from targets import Target

SETTLED = 50_000
"""Calls after which nothing more should be kept: of 1,222 tools each has been called forty times by then."""
PARTS = 30
CONNECTIONS = 8
GROWTH = 0.02
"""Of memory, for each further 100,000 calls; more is a leak, of some twenty bytes a call with 100 MiB."""
NOISE_MIB = 1.0
"""One arena of Python's allocator, by which memory may rise at any moment."""
PART_SECONDS = 300.0


def calls_of(tools: Sequence[Tool]) -> list[dict[str, Any]]:
    """A call of each tool with the arguments that it requires, made up from its schema where that can be done."""
    made = []
    for tool in tools:
        with suppress(NoValueError):
            made.append({"name": tool.name, "arguments": made_up.plain(tool, whole=False).arguments})
    return made


class Soak:
    """``failed``: the first of the answers that were errors, and how many there were."""

    def __init__(self, target: Target, calls: Sequence[dict[str, Any]]) -> None:
        self._port = target.port
        turn = enumerate(cycle(calls), 1)
        self._messages = (rounds.written(target, _message(number, call)) for number, call in turn)
        self.failed = 0
        self.example = ""

    async def make(self, count: int) -> None:
        left = islice(self._messages, count)
        with trio.fail_after(PART_SECONDS):
            async with trio.open_nursery() as nursery:
                for _ in range(CONNECTIONS):
                    nursery.start_soon(self._connection, left)

    async def _connection(self, left: Iterator[bytes]) -> None:
        async with await trio.open_tcp_stream("127.0.0.1", self._port) as stream:
            for message in left:
                await stream.send_all(message)
                answer = await rounds.read(stream)
                if not answer.head.startswith(b"HTTP/1.1 200 ") or b'"isError":true' in answer.body:
                    self.failed += 1
                    self.example = self.example or answer.body[:200].decode(errors="replace")


def _message(number: int, call: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": call}


def growth(memory: Sequence[float], calls: int) -> float:
    """MiB that each 100,000 calls add: the slope of a line through what was seen at equal distances over the calls."""
    places = [calls * place / (len(memory) - 1) for place in range(len(memory))]
    return statistics.linear_regression(places, memory).slope * 100_000


def allowed(memory: Sequence[float], calls: int) -> float:
    return GROWTH * memory[0] + NOISE_MIB * 100_000 / calls


class _List(msgspec.Struct):
    tools: list[Tool]


class _Answer(msgspec.Struct):
    result: _List


async def listed(target: Target) -> list[Tool]:
    async with await trio.open_tcp_stream("127.0.0.1", target.port) as stream:
        await stream.send_all(rounds.written(target, {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}))
        answer = await rounds.read(stream)
    return msgspec.json.decode(answer.body, type=_Answer).result.tools


@contextmanager
def served(path: str | None, operations: int) -> Iterator[tuple[Target, int]]:
    """The server in front of an API that answers everything alike; and its process."""
    with tempfile.TemporaryDirectory() as folder, beside(large.__file__, "1000") as api_port:
        written = Path(path) if path else Path(folder, "openapi.json")
        if not path:
            written.write_bytes(msgspec.json.encode(document(None, operations)))
        where = ["--spec-path", str(written), "--api-url", f"http://127.0.0.1:{api_port}"]
        where += ["--allow-private-networks", "--tool-mode", "all"]
        with serving(Path(folder, "log"), *where) as (port, process):
            yield Target((process.pid,), port), process.pid


def soak(arguments: argparse.Namespace) -> str:
    """Why it is not well; empty if it is."""
    with served(arguments.document, arguments.operations) as (target, pid):
        tools = trio.run(listed, target)
        calls = calls_of(tools)
        print(f"{len(calls):,} of {len(tools):,} tools in turn", flush=True)
        _seen(0, pid)
        run, memory, before = Soak(target, calls), [], cpu_seconds(pid)
        trio.run(run.make, arguments.settled)
        memory.append(_seen(arguments.settled, pid))
        rest = arguments.calls - arguments.settled
        for part in range(1, PARTS + 1):
            trio.run(run.make, rest * part // PARTS - rest * (part - 1) // PARTS)
            memory.append(_seen(arguments.settled + rest * part // PARTS, pid))
        each = (cpu_seconds(pid) - before) / arguments.calls * 1e6
    slope, most = growth(memory, rest), allowed(memory, rest)
    print(
        f"{arguments.calls:,} calls, {run.failed:,} failed, {each:.0f} µs of CPU each; from call {arguments.settled:,}"
    )
    print(f"on memory grows by {slope:+.2f} MiB with each 100,000 calls; up to {most:.2f} is flat")
    if run.failed:
        return f"{run.failed:,} calls failed; the first: {run.example}"
    return "memory grows with the calls" if slope > most else ""


def _seen(calls: int, pid: int) -> float:
    memory = resident_mib(pid)
    print(f"{calls:>9,} calls {memory:8.1f} MiB", flush=True)
    return memory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("document", nargs="?", help="an OpenAPI document; left out: one is made")
    parser.add_argument("--operations", type=int, default=1_222, help="of the document that is made")
    parser.add_argument("--calls", type=int, default=300_000)
    parser.add_argument("--settled", type=int, default=SETTLED, help="calls before memory is judged")
    arguments = parser.parse_args()
    if not 0 < arguments.settled <= arguments.calls - PARTS:
        parser.error(f"--settled: must be from 1 to --calls less {PARTS}")
    raise SystemExit(soak(arguments) or 0)


if __name__ == "__main__":
    main()
