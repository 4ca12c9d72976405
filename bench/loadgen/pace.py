"""When calls are made. A lane asks for its next call and waits until it is due; None means that the load is over."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator

import trio

from loadgen.plan import Load, due_count, due_seconds, share

UNSENT_GROUPS = 10_000
"""In which calls that were never made are told, where there are more: a rate that nobody can keep leaves millions."""

WAITED_SECONDS = 0.05
"""From which a call that no lane was free for counts as such; less is the start, or the generator's own haste."""


class Pace(ABC):
    """``end``: after it no call is due."""

    def __init__(self, end: float) -> None:
        self.end = end
        self._stopped = trio.Event()
        self.late_seconds = 0.0
        """The longest delay of a lane for a call that was due."""
        self.waited = 0
        """Calls that were due while all lanes waited for answers."""

    @abstractmethod
    async def next(self) -> float | None: ...

    def stop(self) -> None:
        """Makes no further call, and ends the waits for the next ones."""
        self._stopped.set()
        self.end = min(self.end, trio.current_time())

    async def reached(self, moment: float) -> bool:
        """Waits until this moment, at most to the end. False if the load was stopped before."""
        with trio.move_on_at(min(moment, self.end)):
            await self._stopped.wait()
        return not self._stopped.is_set()

    def unsent(self) -> Iterator[tuple[float, int]]:
        """The calls that were due and never made, at the end: when, and how many. A group counts from its first."""
        return iter(())


class Closed(Pace):
    """Each lane calls again when it was answered."""

    def __init__(self, load: Load, part: int, start: float) -> None:
        super().__init__(start + load.seconds)
        self._left = share(load.calls, part, load.processes) if load.calls else math.inf

    async def next(self) -> float | None:
        now = trio.current_time()
        if self._stopped.is_set() or now >= self.end or self._left < 1:
            return None
        self._left -= 1
        if not self._left:
            self.stop()
        return now


class Open(Pace):
    """Calls are due at their time, whether or not those before were answered. One that is sent late, because all lanes
    waited for answers, counts from when it was due: otherwise a server that stands still would hide what its users
    wait for (coordinated omission)."""

    def __init__(self, load: Load, part: int, start: float) -> None:
        due = due_count(load.rate, load.ramp_seconds, load.seconds)
        self._load = load
        self._start = start
        self._due = range(part, min(load.calls or due, due), load.processes)
        super().__init__(self._moment(load.calls - 1) if 0 < load.calls <= due else start + load.seconds)
        self._give_up = start + load.seconds + load.timeout_seconds

    async def next(self) -> float | None:
        if self._stopped.is_set() or trio.current_time() >= self._give_up or not self._due:
            return None
        due, self._due = self._moment(self._due[0]), self._due[1:]
        late = trio.current_time() - due
        if late >= 0:
            self.waited += late > WAITED_SECONDS
            return due
        if not await self.reached(due):
            return None
        self.late_seconds = max(self.late_seconds, trio.current_time() - due)
        return due

    def _moment(self, index: int) -> float:
        return self._start + due_seconds(index, self._load.rate, self._load.ramp_seconds)

    def unsent(self) -> Iterator[tuple[float, int]]:
        left = range(0) if self._stopped.is_set() else self._due
        size = math.ceil(len(left) / UNSENT_GROUPS) or 1
        for first in range(0, len(left), size):
            yield self._moment(left[first]), len(left[first : first + size])


def pace_of(load: Load, part: int, start: float) -> Pace:
    return (Open if load.is_open else Closed)(load, part, start)
