"""Large work is done aside, in a thread, so that the loop is there for everybody else (docs/adr/0036).

One rule for all of it: work has a weight, in bytes of an answer that would take as long, and what `is_heavy` leaves the
loop. There is one thread in a process: two would share one interpreter's lock, and more cores have more workers. The
loop gets that lock back within `SWITCH_SECONDS`, or when the one call into C that holds it is over, and keeps it from
the next `pausing.make_way` on for as long as it has something to do. The core, where both are on one, it gets when the
thread rests.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TypeVar, cast

import outcome
import trio

from openapi_mcp_server.errors import ServiceError
from openapi_mcp_server.pausing import pausing_by

LARGE = 64 * 1024
"""The weight of what is done on the loop at most. A byte of an answer takes 6 to 100 ns, so this much up to 7 ms; to
hand it to a thread and to wait for it takes 0.1 ms."""
OF_ARGUMENTS = 16
"""The weight of a byte of arguments: where nothing fits its schema it takes 2 µs (16 kB for Kubernetes: 36 ms)."""
SWITCH_SECONDS = 0.0001
"""After which a thread that waits for the interpreter insists. A small call wants it ten times, and waits each time: of
the usual 5 ms that makes 50 beside large work. A wait begins anew whenever somebody lets go of it, as hashing does each
0.3 ms while documents are compiled: whoever is more patient than that may wait for all of it."""
WAIT_SECONDS = 0.002
"""For which work in the thread lets the loop go first; a small call takes 0.4 ms of it in three or four turns."""
REST_EVERY_SECONDS = 0.0005
REST_SECONDS = 0.00001
"""The thread sleeps each time for a moment, which is 0.07 ms with the slack of Linux's timers. A loop that wakes on the
thread's core, since the others are busy, cannot say that it has something to do: the scheduler lets whoever runs there
end its slice of 3 to 4 ms."""

Made = TypeVar("Made")


def is_heavy(weight: int) -> bool:
    """Whether work of this weight is not for the loop."""
    return weight > LARGE


class Aside:
    """Where large work of a process goes: to one thread at a time, with a turn for each client that waits.

    Of a client's own, what came first is done first; who asks for much delays himself, and others by one of his.
    """

    def __init__(self, wait_seconds: float = WAIT_SECONDS) -> None:
        self._places = FairPlaces(1)
        self._loop = _Loop(wait_seconds)

    async def do(self, work: Callable[[], Made], client: str = "") -> Made:
        """Returns and raises what ``work`` does. A cancelled caller leaves at once; work that has begun is done to its
        end, as the only one, and dropped."""
        turn = cast("trio.CapacityLimiter", _Turn(self._places, client, self._loop))  # anything with its two methods
        done = trio.to_thread.run_sync(_done, work, self._loop, abandon_on_cancel=True, limiter=turn)
        return (await done).unwrap()


def _done(work: Callable[[], Made], loop: _Loop) -> outcome.Outcome[Made]:
    """Returns or raises as ``work`` does, in a value. Errors that are foreseen come without the frames that they
    passed: those of the thread hold the error in turn, and a refused call of 4 MiB kept 20 MiB until the next
    collection."""
    pausing_by(loop.let_pass)
    try:
        return outcome.Value(work())
    except ServiceError as error:
        error.__cause__ = error.__context__ = None
        return outcome.Error(error.with_traceback(None))


class InLine:
    """One of a client that stands in line for a place. ``came`` is set when it has one, and when it is to look up."""

    __slots__ = ("came", "client", "has_place")

    def __init__(self, client: str) -> None:
        self.client = client
        self.came = trio.Event()
        self.has_place = False

    def wake(self) -> None:
        """Ends its wait, and not its turn."""
        came, self.came = self.came, trio.Event()
        came.set()


class FairPlaces:
    """Places for so many at once, with a turn for each client that waits: one with many calls delays itself. ``most``:
    those that one client may have; one without a name is the only one, and may have all."""

    def __init__(self, count: int, most: int | None = None) -> None:
        self._free = self._all = count
        self._most = count if most is None else most
        self._taken: dict[str, int] = {}
        self._waiting: dict[str, deque[InLine]] = {}  # by client, in the order of their turns

    def waiting(self, client: str) -> int:
        return len(self._waiting.get(client, ()))

    def all_waiting(self) -> int:
        return sum(map(len, self._waiting.values()))

    def before(self, client: str) -> int:
        """How many have their turn before another one of this client would."""
        own = self.waiting(client)
        return own + sum(min(len(each), own + 1) for key, each in self._waiting.items() if key != client)

    def take_at_once(self, client: str) -> bool:
        taken = self._taken.get(client, 0)
        if not self._free or taken >= (self._most if client else self._all):
            return False
        self._free -= 1
        self._taken[client] = taken + 1
        return True

    async def take(self, client: str) -> None:
        """Waits for a place."""
        if not self.take_at_once(client):
            await self.wait(self.line_up(client))

    def line_up(self, client: str) -> InLine:
        """For the next place that is this client's; to be waited for."""
        one = InLine(client)
        self._waiting.setdefault(client, deque()).append(one)
        return one

    async def wait(self, one: InLine) -> bool:
        """Waits for its place, or until it is woken; whether it has one. Who is cancelled stands in line no more."""
        try:
            await one.came.wait()
        except trio.Cancelled:
            if one.has_place:  # in the turn of the loop in which it was cancelled
                self.give_back(one.client)
            else:
                own = self._waiting[one.client]
                own.remove(one)
                if not own:
                    del self._waiting[one.client]
            raise
        return one.has_place

    def give_back(self, client: str) -> None:
        """Passes the place on, to the client that waits longest and may have one."""
        self._free += 1
        if self._taken[client] == 1:
            del self._taken[client]
        else:
            self._taken[client] -= 1
        following = next(filter(self.take_at_once, self._waiting), None)
        if following is not None:
            own = self._waiting.pop(following)
            one = own.popleft()
            one.has_place = True
            one.came.set()
            if own:
                self._waiting[following] = own


class _Turn:
    """One client's, for one piece of work; given back by the thread when that is over, whoever still waits for it."""

    def __init__(self, places: FairPlaces, client: str, loop: _Loop) -> None:
        self._places = places
        self._client = client
        self._loop = loop

    async def acquire_on_behalf_of(self, _: object) -> None:
        await self._places.take(self._client)
        self._loop.begin()

    def release_on_behalf_of(self, _: object) -> None:
        self._loop.end()
        self._places.give_back(self._client)


class _Loop(trio.abc.Instrument):
    """Holds its turn from when it wakes until it has nothing to do; for as long as there is work aside."""

    def __init__(self, wait_seconds: float) -> None:
        self._wait_seconds = wait_seconds
        self._turn = threading.Lock()
        self._has_turn = False
        self._waits_again = self._rests_again = 0.0

    def begin(self) -> None:
        trio.lowlevel.add_instrument(self)

    def end(self) -> None:
        trio.lowlevel.remove_instrument(self)
        self._give_back()

    def after_io_wait(self, timeout: float) -> None:  # noqa: ARG002 - Trio's
        if not self._has_turn:
            self._has_turn = self._turn.acquire(blocking=False)

    def before_io_wait(self, timeout: float) -> None:
        if timeout:
            self._give_back()

    def _give_back(self) -> None:
        if self._has_turn:
            self._has_turn = False
            self._turn.release()

    def let_pass(self) -> None:
        """Waits in the thread; where the loop never has nothing to do, the thread gets a third of the time."""
        now = time.perf_counter()
        if self._has_turn and now >= self._waits_again:
            if self._turn.acquire(timeout=self._wait_seconds):
                self._turn.release()
            else:
                self._waits_again = time.perf_counter() + self._wait_seconds / 2
        elif now >= self._rests_again:
            time.sleep(REST_SECONDS)
        else:
            return
        self._rests_again = time.perf_counter() + REST_EVERY_SECONDS


def give_way() -> None:
    """Has threads give way to each other after `SWITCH_SECONDS`, which costs nothing where there is only one."""
    sys.setswitchinterval(SWITCH_SECONDS)
