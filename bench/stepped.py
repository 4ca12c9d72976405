"""This server as it is, with an instrument of Trio's that keeps the longest step of its loop.

``stepped.py REPORT ARGUMENTS…``: each SIGUSR1 adds a line to the file REPORT, with the longest step since the last one
in milliseconds of the loop's thread's CPU, in milliseconds by the clock, and the task.
"""

from __future__ import annotations

import signal
import sys
import time
from functools import partial
from pathlib import Path

import msgspec
import trio

from openapi_mcp_server.__main__ import main


class Step(msgspec.Struct):
    cpu_ms: float = 0.0
    wall_ms: float = 0.0
    task: str = ""


class Longest(trio.abc.Instrument):
    """Keeps the step that took most CPU; a clock would count what else the machine does."""

    def __init__(self) -> None:
        self.step = Step()
        self._cpu = self._wall = 0.0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:  # noqa: ARG002 - the instrument's form
        self._cpu, self._wall = time.thread_time(), time.perf_counter()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        cpu = (time.thread_time() - self._cpu) * 1000
        if cpu > self.step.cpu_ms:
            self.step = Step(cpu, (time.perf_counter() - self._wall) * 1000, task.name)

    def tell(self, report: Path) -> None:
        step, self.step = self.step, Step()
        with report.open("ab") as file:
            file.write(msgspec.json.encode(step) + b"\n")


if __name__ == "__main__":
    longest, told = Longest(), Path(sys.argv.pop(1))
    signal.signal(signal.SIGUSR1, lambda *_: longest.tell(told))
    trio.run = partial(trio.run, instruments=[longest])  # type: ignore[assignment]
    sys.exit(main())
