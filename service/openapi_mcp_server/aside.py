"""Large work is done aside, in a thread, so that the loop is there for everybody else (docs/adr/0036).

One rule for all of it: work has a weight, in bytes of an answer that would take as long, and what `is_heavy` leaves the
loop. A thread shares the interpreter's lock with the loop, which gets it back within `SWITCH_SECONDS`, or when the one
call into C that holds it is over: some milliseconds for 10 MB.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TypeVar

import anyio
from anyio.to_thread import run_sync

LARGE = 64 * 1024
"""The weight of what is done on the loop at most. A byte of an answer takes 6 to 100 ns, so this much up to 7 ms; to
hand it to a thread and to wait for it takes 0.1 ms."""
OF_ARGUMENTS = 16
"""The weight of a byte of arguments: where nothing fits its schema it takes 2 µs (16 kB for Kubernetes: 36 ms)."""
AT_ONCE = 1
"""Of a process: two threads would share one interpreter's lock. For more cores there are more workers."""
SWITCH_SECONDS = 0.0001
"""After which a thread that waits for the interpreter insists. A small call wants it ten times, and waits each time: of
the usual 5 ms that makes 50 beside large work. A wait begins anew whenever somebody lets go of it, as hashing does each
0.3 ms while documents are compiled: whoever is more patient than that may wait for all of it."""

Made = TypeVar("Made")


def is_heavy(weight: int) -> bool:
    """Whether work of this weight is not for the loop."""
    return weight > LARGE


class Aside:
    """Where large work of a process goes: to one thread at a time, in the order in which it comes."""

    def __init__(self) -> None:
        self._turn = anyio.CapacityLimiter(AT_ONCE)

    async def do(self, work: Callable[[], Made]) -> Made:
        """Returns and raises what ``work`` does. A cancelled caller leaves at once; work that has begun is done to its
        end, as the only one, and dropped."""
        return await run_sync(work, abandon_on_cancel=True, limiter=self._turn)


def give_way() -> None:
    """Has threads give way to each other after `SWITCH_SECONDS`, which costs nothing where there is only one."""
    sys.setswitchinterval(SWITCH_SECONDS)
