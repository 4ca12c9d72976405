"""A whole run: the processes that make the calls, what they say meanwhile, the server's metrics beside them."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import msgspec
import trio

from loadgen import result, worker
from loadgen.failures import Failure, nursery
from loadgen.plan import Load, Target
from loadgen.prepare import Prepared, Wanted, prepare
from loadgen.result import IdleCount, Interval, Result, Seconds
from loadgen.scrape import Scraper
from loadgen.sessions import within
from loadgen.tally import Totals
from loadgen.wire import Lines

HEAD_START_SECONDS = 0.2
"""Until all processes have read when they begin."""
EXTRA_SECONDS = 60.0
"""Over what a run can take by its own limits; then a process of ours hangs."""
CLOSING_SECONDS = 30.0
"""For a process to end its idle sessions, and the servers that it has started."""
LEFT_OUT = 20
"""Tools that are named; --json has all."""
Progress = Callable[[str], None]
_said: msgspec.json.Decoder[worker.Said] = msgspec.json.Decoder(worker.Said)


class Worker:
    """One process that makes calls."""

    def __init__(self, process: trio.Process) -> None:
        self._process = process
        self._lines = Lines()
        self._whole: list[bytes] = []

    async def tell(self, line: bytes) -> None:
        assert self._process.stdin is not None
        await self._process.stdin.send_all(line + b"\n")

    async def give_up(self) -> None:
        assert self._process.stdin is not None
        await self._process.stdin.aclose()

    async def said(self) -> worker.Said:
        """Raises Failure where the process ended instead."""
        assert self._process.stdout is not None
        while not self._whole:
            piece = await self._process.stdout.receive_some()
            if not piece:
                raise Failure("generator", "a process of the generator ended early; see above")
            self._whole += self._lines.feed(piece)
        return _said.decode(self._whole.pop(0))


@asynccontextmanager
async def workers(count: int) -> AsyncIterator[list[Worker]]:
    """In sessions of their own: an interrupt is for the coordinator, which tells them to stop."""
    started: list[trio.Process] = []
    try:
        for _ in range(count):
            command = [sys.executable, "-m", "loadgen.worker"]
            pipe = subprocess.PIPE
            started.append(await trio.lowlevel.open_process(command, stdin=pipe, stdout=pipe, start_new_session=True))
        yield [Worker(process) for process in started]
        with trio.move_on_after(CLOSING_SECONDS):
            for process in started:
                await process.wait()
    finally:
        for process in started:
            if process.returncode is None:
                process.kill()
        with trio.CancelScope(shield=True):
            for process in started:
                await process.wait()


class Run:
    """The load, once it is prepared. ``progress`` is told a line a second."""

    def __init__(self, prepared: Prepared, load: Load, run: int, progress: Progress) -> None:
        self._prepared = prepared
        self._load = load
        self._run = run
        self._progress = progress
        self._seconds = Seconds(load.processes)
        self._totals: list[Totals] = []

    async def measured(self, scraper: Scraper | None) -> Result:
        started = datetime.now(UTC).isoformat(timespec="seconds")
        async with workers(self._load.processes) as parts:
            idle = await self._ready(parts)
            begin = time.monotonic() + HEAD_START_SECONDS
            for part in parts:
                await part.tell(repr(begin).encode())
            await self._watched(parts, begin, scraper)
        return result.of_run(
            self._prepared,
            self._load,
            self._seconds,
            self._totals,
            started=started,
            idle=self._idle(idle),
            server_metrics=tuple(scraper.samples) if scraper else (),
        )

    async def _ready(self, parts: list[Worker]) -> worker.Ready:
        prepared = self._prepared
        for number, part in enumerate(parts):
            given = worker.Work(
                target=prepared.target, load=self._load, templates=prepared.templates, run=self._run, part=number
            )
            await part.tell(msgspec.json.encode(given))
        opened, problem = 0, ""
        for part in parts:
            said = await part.said()
            assert isinstance(said, worker.Ready)
            opened, problem = opened + said.idle, problem or said.problem
        return worker.Ready(opened, problem)

    def _idle(self, ready: worker.Ready) -> IdleCount:
        left = sum(each.idle_left for each in self._totals)
        return IdleCount(self._load.idle, ready.idle, left, ready.problem)

    async def _watched(self, parts: list[Worker], begin: float, scraper: Scraper | None) -> None:
        async with nursery() as beside:
            if scraper is not None:
                beside.start_soon(scraper.run, begin, time.monotonic)
            beside.start_soon(self._stop_when_interrupted, parts)
            with within(self._load.longest_seconds + EXTRA_SECONDS, "a process of the generator has not ended"):
                async with nursery() as tasks:
                    for number, part in enumerate(parts):
                        tasks.start_soon(self._follow, number, part)
            beside.cancel_scope.cancel()

    async def _stop_when_interrupted(self, parts: list[Worker]) -> None:
        """At first calls in flight are waited for, at the second time they are not."""
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            await anext(signals)
            self._progress("stopping: calls in flight are waited for; interrupt again to give them up")
            for part in parts:
                await part.tell(b"stop")
            await anext(signals)
            self._progress("stopping: calls in flight are given up, and not counted")
            for part in parts:
                await part.give_up()
            await trio.sleep_forever()

    async def _follow(self, number: int, part: Worker) -> None:
        while True:
            said = await part.said()
            if isinstance(said, worker.Done):
                self._totals.append(said.totals)
                self._seconds.end(number)
                return
            assert isinstance(said, worker.Tick)
            newest = self._seconds.add(number, said.second)
            if newest is not None and said.second.length >= 1:
                self._progress(line_of(newest))


def line_of(interval: Interval) -> str:
    latency, errors = interval.latency, sum(interval.errors.values())
    shown = f"p50 {latency.p50:,.1f} ms   p99 {latency.p99:,.1f} ms   max {latency.max:,.1f} ms"
    return (
        f"{interval.second + 1:>5} s {(interval.calls - errors) / interval.length:>9,.0f} calls/s"
        f"   {shown if latency.max else 'none went well'}   {interval.in_flight} in flight   {errors} errors"
    )


async def run(target: Target, load: Load, wanted: Wanted, metrics: str, progress: Progress) -> Result:
    """Raises Failure and UsageError before the load begins."""
    number = random.randrange(100, 900)
    scraper = Scraper(metrics) if metrics else None
    if scraper is not None:
        await scraper.read()
    prepared = await prepare(target, wanted, number)
    progress(f"{prepared.server or 'the server'} speaks {prepared.target.revision}; {_tools(prepared)}")
    for each in prepared.left_out[:LEFT_OUT]:
        progress(f"left out: {each.tool}: {each.why}")
    if len(prepared.left_out) > LEFT_OUT:
        progress(f"left out: {len(prepared.left_out) - LEFT_OUT} more")
    for note in prepared.notes:
        progress(f"note: {note}")
    try:
        return await Run(prepared, load, number, progress).measured(scraper)
    finally:
        if scraper is not None:
            await scraper.aclose()


def _tools(prepared: Prepared) -> str:
    count, checked = len(prepared.templates), sum(each.is_checked for each in prepared.templates)
    return f"{count} kind{'s' * (count != 1)} of calls, {checked} of which say{'s' * (checked == 1)} the number back"
