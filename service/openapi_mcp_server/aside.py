"""Large work is done in a thread, so that the loop stays free for other calls (docs/adr/0036).

The weight of work is the size, in bytes, of an answer that takes as long. Work that `is_heavy` leaves the loop. There
is one thread in a process: two would share one interpreter's lock, and more cores are used by more workers. The loop
gets the lock back within `SWITCH_SECONDS`, or when the call into C that holds it returns. From the next
`pausing.make_way` on it keeps the lock for as long as it is busy. If both run on one core, the loop gets the core when
the thread sleeps.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Protocol, TypeVar, cast

import outcome
import trio

from openapi_mcp_server.errors import ServiceError
from openapi_mcp_server.pausing import pausing_by

LARGE = 64 * 1024
"""The largest weight of work on the loop. A byte of an answer takes 6 to 100 ns, so this much takes up to 7 ms. Handing
work to a thread and waiting for it takes 0.1 ms."""
OF_ARGUMENTS = 16
"""The weight of a byte of arguments: it takes 2 µs if nothing fits its schema (16 kB for Kubernetes: 36 ms)."""
OF_CUTS = 8
"""The weight of a byte of an answer that is longer than its result may be: to cut one takes up to 1.4 µs a byte."""
SWITCH_SECONDS = 0.0001
"""The time after which a waiting thread demands the interpreter's lock. A small call needs the lock ten times: with the
default of 5 ms it would wait 50 ms beside large work. The wait starts again whenever the lock is released. Hashing
releases it every 0.3 ms while documents are compiled, so a thread with a longer wait may wait for all of that work."""
WAIT_SECONDS = 0.002
"""How long work in the thread lets the loop go first. A small call takes 0.4 ms of it in three or four turns."""
REST_EVERY_SECONDS = 0.0005
REST_SECONDS = 0.00001
"""The thread sleeps briefly each time: 0.07 ms with the slack of Linux's timers. If the other cores are busy, the loop
may wake up on the thread's core. It cannot report this, since the scheduler lets the running thread finish its slice of
3 to 4 ms first."""
NO_THREAD_SECONDS = 0.05
"""The pause before a thread is asked for again."""

Made = TypeVar("Made")


class Limiter(Protocol):
    """A limit of threads at work at a time, as those of Trio and AnyIO are."""

    async def acquire_on_behalf_of(self, borrower: object, /) -> None: ...

    def release_on_behalf_of(self, borrower: object, /) -> None: ...


def is_heavy(weight: int) -> bool:
    """Whether work of this weight is too much for the loop."""
    return weight > LARGE


class Aside:
    """Runs the large work of a process in one thread at a time. Waiting clients take turns.

    The work of one client is done in its order. A client with much work delays itself, and others by one piece only.
    """

    def __init__(self, wait_seconds: float = WAIT_SECONDS) -> None:
        self._places = FairPlaces(1)
        self._loop = _Loop(wait_seconds)

    async def do(self, work: Callable[[], Made], client: str = "") -> Made:
        """Returns and raises what ``work`` does. A cancelled caller leaves at once. Work that has begun runs to its
        end, before any other, and is dropped."""
        turn = _Turn(self._places, client, self._loop)
        with suppress(_NoThread):
            done = _in_thread(partial(_done, work, self._loop), abandon_on_cancel=True, limiter=turn)
            return (await done).unwrap()  # without a name for the outcome, by which an error would hold itself
        return work()


class _NoThread(Exception):
    """The system gives this process no further thread."""


async def run_in_thread(
    work: Callable[[], Made],
    *,
    may_block: bool = False,
    abandon_on_cancel: bool = False,
    limiter: Limiter | None = None,
) -> Made:
    """Does work in a thread of Trio's. If the system gives this process none, the work is done on the loop: calls wait,
    and the server lives. Work that may block, such as a read from a terminal, waits for a thread instead."""
    while True:
        with suppress(_NoThread):
            return await _in_thread(work, abandon_on_cancel=abandon_on_cancel, limiter=limiter)
        if not may_block:
            return work()
        await trio.sleep(NO_THREAD_SECONDS)


async def _in_thread(work: Callable[[], Made], *, abandon_on_cancel: bool, limiter: Limiter | None) -> Made:
    """Raises _NoThread."""
    has_begun = False

    def begun() -> Made:
        nonlocal has_begun
        has_begun = True
        return work()

    try:
        by = cast("trio.CapacityLimiter | None", limiter)  # anything with its two methods
        return await trio.to_thread.run_sync(begun, abandon_on_cancel=abandon_on_cancel, limiter=by)  # noqa: TID251 - here
    except RuntimeError:
        if has_begun:
            raise
        raise _NoThread from None


def start_thread(run: Callable[[], object], name: str) -> threading.Thread:  # noqa: TID251 - here
    """Starts a thread that runs as long as it likes, and ends with the process. Raises ServiceError."""
    thread = threading.Thread(target=run, name=name, daemon=True)  # noqa: TID251 - here
    try:
        thread.start()
    except RuntimeError:
        problem = "the system gives this process no further thread; raise its limit of processes, or of memory"
        raise ServiceError(problem) from None
    return thread


def _done(work: Callable[[], Made], loop: _Loop) -> outcome.Outcome[Made]:
    """The result of ``work``, or its error, as a value. A foreseen error comes without its traceback: the frames of the
    thread hold the error in turn, and a refused call of 4 MiB kept 20 MiB until the next collection."""
    pausing_by(loop.let_pass)
    try:
        return outcome.Value(work())
    except ServiceError as error:
        error.__cause__ = error.__context__ = None
        return outcome.Error(error.with_traceback(None))


class InLine:
    """A client's wait for a place. ``came`` is set when it gets the place, and when `wake` ends the wait."""

    __slots__ = ("came", "client", "has_place")

    def __init__(self, client: str) -> None:
        self.client = client
        self.came = trio.Event()
        self.has_place = False

    def wake(self) -> None:
        """Ends the wait, but keeps the turn."""
        came, self.came = self.came, trio.Event()
        came.set()


class FairPlaces:
    """A fixed number of places. Waiting clients take turns, so a client with many calls delays itself. ``most`` is the
    limit for one client. A client without a name is the only one, and may have all places."""

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
        """The number of waits that would get a place before a new one of this client."""
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
        """Adds a wait for this client's next place, to be passed to `wait`."""
        one = InLine(client)
        self._waiting.setdefault(client, deque()).append(one)
        return one

    async def wait(self, one: InLine) -> bool:
        """Waits for the place, or until it is woken; returns whether it has one. A cancelled wait leaves the line."""
        try:
            await one.came.wait()
        except trio.Cancelled:
            if one.has_place:  # it got the place in the turn of the loop in which it was cancelled
                self.give_back(one.client)
            else:
                own = self._waiting[one.client]
                own.remove(one)
                if not own:
                    del self._waiting[one.client]
            raise
        return one.has_place

    def give_back(self, client: str) -> None:
        """Passes the place on to the client that has waited longest and is below its limit."""
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
    """A client's turn for one piece of work. The thread gives it back at the end, even if nobody waits any more."""

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
    """While there is work in the thread, it holds the turn from when the loop wakes up until the loop is idle."""

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
        """Waits in the thread. If the loop is always busy, the thread gets a third of the time."""
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
    """Makes threads switch after `SWITCH_SECONDS`. This costs nothing with a single thread."""
    sys.setswitchinterval(SWITCH_SECONDS)
