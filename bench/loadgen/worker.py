"""One process that makes calls: ``python -m loadgen.worker``.

The first line of its input is its `Work`. It says a line once its idle sessions are open, and begins at the moment that
the second line names. From then on each second is a line, and the totals are the last one. At a third line it makes no
more calls. When its input ends it waits for no answer either, so nothing is left behind by a coordinator that is gone.
"""

from __future__ import annotations

import os
import sys
import time

import msgspec
import trio

from loadgen.engine import Client, Engine, Mix, open_all
from loadgen.idle import idle_sessions
from loadgen.ledger import Ledger
from loadgen.pace import Pace, pace_of
from loadgen.plan import Load, Target, Template, share
from loadgen.sessions import Session
from loadgen.tally import Second, Tally, Totals
from loadgen.transports import opened
from loadgen.wire import Lines

WHOLE_SECONDS = 0.5
"""A last second that is shorter is added to the one before."""


class Work(msgspec.Struct, frozen=True, kw_only=True):
    target: Target
    load: Load
    templates: tuple[Template, ...]
    run: int
    part: int


class Ready(msgspec.Struct, tag=True):
    idle: int
    problem: str = ""


class Tick(msgspec.Struct, tag=True):
    second: Second


class Done(msgspec.Struct, tag=True):
    totals: Totals


Said = Ready | Tick | Done
_encode = msgspec.json.Encoder().encode


def say(what: Said) -> None:
    sys.stdout.buffer.write(_encode(what) + b"\n")
    sys.stdout.buffer.flush()


class Input:
    """Lines of standard input."""

    def __init__(self) -> None:
        self._stream = trio.lowlevel.FdStream(os.dup(sys.stdin.fileno()))
        self._lines = Lines()
        self._whole: list[bytes] = []

    async def line(self) -> bytes:
        """Empty at the end."""
        while not self._whole:
            piece = await self._stream.receive_some()
            if not piece:
                return b""
            self._whole += self._lines.feed(piece)
        return self._whole.pop(0)


async def work(given: Work, stdin: Input) -> None:
    ledger, load = Ledger(given.run, given.part + 1), given.load
    idle_here = share(load.idle, given.part, load.processes)
    async with trio.open_nursery() as tasks, idle_sessions(idle_here, given.target, ledger, tasks) as idle:

        async def open_session() -> Session:
            return await opened(given.target, ledger, tasks)

        clients = [Client(open_session) for _ in range(share(load.clients, given.part, load.processes))]
        if load.is_open or not load.ramp_seconds:
            await open_all(clients)
        say(Ready(idle.opened, idle.problem))
        if begin := await stdin.line():
            start = trio.current_time() + float(begin) - time.monotonic()
            engine = Engine(load, Mix(given.templates, given.target.revision, given.part), ledger, clients)
            pace = pace_of(load, given.part, start)
            scope = trio.CancelScope()
            tasks.start_soon(_stop, stdin, pace, scope)
            await _measured(engine, pace, start, scope)
            beside = {
                "strays": {str(kind): count for kind, count in ledger.strays.items()},
                "idle_opened": idle.opened,
                "idle_left": idle.left(),
                "elapsed": _over(engine, pace, start) - start,
                "cpu_seconds": engine.cpu_seconds,
                "late_seconds": pace.late_seconds,
                "waited": pace.waited,
            }
            say(Done(engine.tally.totals(**beside)))
        tasks.cancel_scope.cancel()


async def _stop(stdin: Input, pace: Pace, scope: trio.CancelScope) -> None:
    is_told = await stdin.line()
    pace.stop()
    if is_told:
        await stdin.line()
    scope.cancel()


def _over(engine: Engine, pace: Pace, start: float) -> float:
    """The end of the load: its last answer, or the time that it was given, though nothing came at its end."""
    return max(engine.tally.last, pace.end, start)


async def _measured(engine: Engine, pace: Pace, start: float, scope: trio.CancelScope) -> None:
    """Runs the load and says each second."""
    ticks = Ticks(engine.tally, start)
    await trio.sleep_until(start)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ticks.run)
        with scope:
            await engine.run(pace, start)
        if scope.cancelled_caught:
            engine.count_cpu()
        nursery.cancel_scope.cancel()
    ticks.end(_over(engine, pace, start))


class Ticks:
    """A line for each second."""

    def __init__(self, tally: Tally, start: float) -> None:
        self._tally = tally
        self._start = start
        self._index = 0

    async def run(self) -> None:
        while True:
            await trio.sleep_until(self._start + self._index + 1)
            say(Tick(self._tally.second(self._index)))
            self._index += 1

    def end(self, over: float) -> None:
        """What is left of a second; too little for one of its own is added to the one before."""
        length = max(over - self._start - self._index, 0.0)
        index = self._index - (length < WHOLE_SECONDS and self._index > 0)
        say(Tick(self._tally.second(index, length)))


def main() -> None:
    async def start() -> None:
        stdin = Input()
        if line := await stdin.line():
            await work(msgspec.json.decode(line, type=Work), stdin)

    trio.run(start)


if __name__ == "__main__":
    main()
