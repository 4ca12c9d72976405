"""How cost grows with what there is more of: operations, sessions, bytes of an answer and of arguments, calls at once.

The exponent is that of a power between the two largest: 1 is linear.
"""

from __future__ import annotations

import json
import math
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import trio

import large
import loop_steps
import measured
import targets
from bench_start import serve_once
from rounds import cpu, measure

OPERATIONS = (10, 100, 1_000, 10_000)
SESSIONS = (500, 1_000, 1_995)
BYTES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
ARGUMENTS = (1_000, 10_000, 100_000, 1_000_000, 3_900_000)
AT_ONCE = (1, 8, 32, 128, 256)
READINGS = 50
LEAST_SECONDS = 0.5
"""Of CPU, by which a figure is made of as many calls as it takes."""


class Growth(msgspec.Struct, frozen=True):
    """``points``: how much there was of what, and what it cost."""

    what: str
    cost: str
    points: list[tuple[int, float]]

    def exponent(self) -> float:
        (few, low), (many, high) = self.points[-2:]
        return math.log(high / low) / math.log(many / few)


def document(operations: int) -> bytes:
    def one(number: int) -> dict[str, Any]:
        limit = {"name": "limit", "in": "query", "schema": {"type": "integer", "maximum": number}}
        said = f"Lists the things of kind {number} that an owner has in a shop, with pages and filters."
        return {
            "operationId": f"listThings{number}",
            "summary": f"List things of kind {number}",
            "description": said,
            "parameters": [limit],
            "responses": {"200": {"description": "Things", "content": {"application/json": {"schema": large.ROWS}}}},
        }

    paths = {f"/kinds/{number}/things": {"get": one(number)} for number in range(operations)}
    return msgspec.json.encode({"openapi": "3.1.0", "info": {"title": "Growth", "version": "1"}, "paths": paths})


def of_operations(folder: Path) -> Iterator[Growth]:
    seconds, memory = [], []
    for count in OPERATIONS:
        path = folder / f"{count}.json"
        path.write_bytes(document(count))
        took, resident, _ = min(serve_once(str(path), folder / "log") for _ in range(3))
        seconds.append((count, took))
        memory.append((count, resident))
    yield Growth("operations", "s of CPU from the start to the first list", seconds)
    yield Growth("operations", "MiB at most", memory)


def of_sessions(place: targets.Place) -> Growth:
    points = []
    for count in SESSIONS:
        with targets.ours(place) as target:
            before = measured.resident_mib(target.pids[0])
            points.append((count, trio.run(_resident_with, target, count) - before))
    return Growth("idle sessions", "MiB", points)


async def _resident_with(target: targets.Target, count: int) -> float:
    async with trio.open_nursery() as nursery:
        opened = trio.Event()
        nursery.start_soon(loop_steps.listen, target.port, opened, count)
        await opened.wait()
        resident = measured.resident_mib(target.pids[0])
        nursery.cancel_scope.cancel()
    return resident


def of_answers() -> Growth:
    return Growth("bytes of an answer, cut at 100 kB", "ms of CPU a call", [(size, _answer(size)) for size in BYTES])


def _answer(size: int) -> float:
    with _large(size) as (port, pid):
        return _each(port, pid, large.message("rows"))


def of_arguments() -> Growth:
    with _large(1_000) as (port, pid):
        said = [(size, large.message("sendJson", objects=large.objects(size))) for size in ARGUMENTS]
        return Growth("bytes of arguments", "ms of CPU a call", [(size, _each(port, pid, one)) for size, one in said])


def large_to_read() -> float:
    """The CPU of a call with 1 MB of arguments, in times of what the standard library takes to read them."""
    said = large.message("sendJson", objects=large.objects(1_000_000))
    with _large(1_000) as (port, pid):
        call = _each(port, pid, said)
    began = time.process_time()
    for _ in range(READINGS):
        json.loads(said)
    return call / (time.process_time() - began) * READINGS / 1000


@contextmanager
def _large(size: int) -> Iterator[tuple[int, int]]:
    """A server in front of an API whose answers have about this size: its port and process."""
    with tempfile.TemporaryDirectory() as name, measured.beside(large.__file__, str(size)) as api_port:
        path = Path(name, "large.json")
        path.write_bytes(large.document())
        place = targets.Place(Path(name), path, f"http://127.0.0.1:{api_port}")
        with targets.ours(place) as target:
            yield target.port, target.pids[0]


def _each(port: int, pid: int, said: bytes) -> float:
    trio.run(loop_steps.ask, port, said)
    before, calls = cpu([pid]), 0
    while (spent := cpu([pid]) - before) < LEAST_SECONDS:
        trio.run(loop_steps.ask, port, said)
        calls += 1
    return spent / calls * 1000


def of_concurrency(start: Callable[[], Any], calls: int) -> Growth:
    points = []
    for connections in AT_ONCE:
        found = measure({"ours": start}, connections, 3, calls)["ours"]
        assert isinstance(found, list), found
        points.append((connections, min(found)))
    return Growth("calls at once", "µs of CPU a call", points)


def whole(place: targets.Place, calls: int) -> list[Growth]:
    every = list(of_operations(place.folder))
    start = partial(targets.ours, place)
    return [*every, of_sessions(place), of_answers(), of_arguments(), of_concurrency(start, calls)]
