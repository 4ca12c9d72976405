"""When calls are made. A lane asks for its next call and waits until it is due; None means that the load is over."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import trio

from loadgen.plan import Load, due_seconds, share


class Pace(ABC):
    def __init__(self) -> None:
        self._stopped = trio.Event()
        self.late_seconds = 0.0
        """The longest delay of a lane for a call that was due."""

    @abstractmethod
    async def next(self) -> float | None: ...

    def stop(self) -> None:
        """Makes no further call, and ends the waits for the next ones."""
        self._stopped.set()

    async def reached(self, moment: float) -> bool:
        """Waits until this moment. False if the load was stopped before."""
        with trio.move_on_at(moment):
            await self._stopped.wait()
        return not self._stopped.is_set()

    def unsent(self) -> list[float]:
        """The number of calls that were due and never made, at the end."""
        return []


class Closed(Pace):
    """Each lane calls again when it was answered."""

    def __init__(self, load: Load, part: int, start: float) -> None:
        super().__init__()
        self._left = share(load.calls, part, load.processes) if load.calls else math.inf
        self._end = start + load.seconds

    async def next(self) -> float | None:
        now = trio.current_time()
        if self._stopped.is_set() or now >= self._end or self._left < 1:
            return None
        self._left -= 1
        return now


class Open(Pace):
    """Calls are due at their time, whether or not those before were answered. One that is sent late, because all lanes
    waited for answers, counts from when it was due: otherwise a server that stands still would hide what its users
    wait for (coordinated omission)."""

    def __init__(self, load: Load, part: int, start: float) -> None:
        super().__init__()
        self._load = load
        self._index = part
        self._start = start
        self._give_up = start + load.seconds + load.timeout_seconds

    async def next(self) -> float | None:
        if self._stopped.is_set() or trio.current_time() >= self._give_up:
            return None
        due = self._due()
        if due is None:
            return None
        self._index += self._load.processes
        if due > trio.current_time():
            if not await self.reached(due):
                return None
            self.late_seconds = max(self.late_seconds, trio.current_time() - due)
        return due

    def _due(self) -> float | None:
        after = due_seconds(self._index, self._load.rate, self._load.ramp_seconds)
        if after >= self._load.seconds or (self._load.calls and self._index >= self._load.calls):
            return None
        return self._start + after

    def unsent(self) -> list[float]:
        found = []
        while not self._stopped.is_set() and (due := self._due()) is not None:
            found.append(due)
            self._index += self._load.processes
        return found


def pace_of(load: Load, part: int, start: float) -> Pace:
    return (Open if load.is_open else Closed)(load, part, start)
