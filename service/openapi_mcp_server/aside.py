"""Large work is done aside, in a thread, so that the loop is there for everybody else (docs/adr/0036).

One rule for all of it: work has a weight, in bytes of an answer that would take as long, and what `is_heavy` leaves the
loop. There is one thread in a process: two would share one interpreter's lock, and more cores have more workers. The
loop gets that lock back within `SWITCH_SECONDS`, or when the one call into C that holds it is over: some
milliseconds for 10 MB.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from typing import TypeVar, cast

import outcome
import trio

from openapi_mcp_server.errors import ServiceError

LARGE = 64 * 1024
"""The weight of what is done on the loop at most. A byte of an answer takes 6 to 100 ns, so this much up to 7 ms; to
hand it to a thread and to wait for it takes 0.1 ms."""
OF_ARGUMENTS = 16
"""The weight of a byte of arguments: where nothing fits its schema it takes 2 µs (16 kB for Kubernetes: 36 ms)."""
SWITCH_SECONDS = 0.0001
"""After which a thread that waits for the interpreter insists. A small call wants it ten times, and waits each time: of
the usual 5 ms that makes 50 beside large work. A wait begins anew whenever somebody lets go of it, as hashing does each
0.3 ms while documents are compiled: whoever is more patient than that may wait for all of it."""

Made = TypeVar("Made")


def is_heavy(weight: int) -> bool:
    """Whether work of this weight is not for the loop."""
    return weight > LARGE


class Aside:
    """Where large work of a process goes: to one thread at a time, with a turn for each client that waits.

    Of a client's own, what came first is done first; who asks for much delays himself, and others by one of his.
    """

    def __init__(self) -> None:
        self._places = FairPlaces(1)

    async def do(self, work: Callable[[], Made], client: str = "") -> Made:
        """Returns and raises what ``work`` does. A cancelled caller leaves at once; work that has begun is done to its
        end, as the only one, and dropped."""
        turn = cast("trio.CapacityLimiter", _Turn(self._places, client))  # which may be anything with its two methods
        return (await trio.to_thread.run_sync(_done, work, abandon_on_cancel=True, limiter=turn)).unwrap()


def _done(work: Callable[[], Made]) -> outcome.Outcome[Made]:
    """Returns or raises as ``work`` does, in a value. Errors that are foreseen come without the frames that they
    passed: those of the thread hold the error in turn, and a refused call of 4 MiB kept 20 MiB until the next
    collection."""
    try:
        return outcome.Value(work())
    except ServiceError as error:
        error.__cause__ = error.__context__ = None
        return outcome.Error(error.with_traceback(None))


class FairPlaces:
    """Places for so many at once, with a turn for each client that waits: one with many calls delays itself. ``most``:
    those that one client may have; one without a name is the only one, and may have all."""

    def __init__(self, count: int, most: int | None = None) -> None:
        self._free = self._all = count
        self._most = count if most is None else most
        self._taken: dict[str, int] = {}
        self._waiting: dict[str, deque[trio.Event]] = {}  # by client, in the order of their turns

    def waiting(self, client: str) -> int:
        return len(self._waiting.get(client, ()))

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
        if self.take_at_once(client):
            return
        own, came = self._waiting.setdefault(client, deque()), trio.Event()
        own.append(came)
        try:
            await came.wait()
        except trio.Cancelled:
            if came.is_set():  # in the turn of the loop in which it was cancelled
                self.give_back(client)
            else:
                own.remove(came)
                if not own:
                    del self._waiting[client]
            raise

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
            own.popleft().set()
            if own:
                self._waiting[following] = own


class _Turn:
    """One client's, for one piece of work; given back by the thread when that is over, whoever still waits for it."""

    def __init__(self, places: FairPlaces, client: str) -> None:
        self._places = places
        self._client = client

    async def acquire_on_behalf_of(self, _: object) -> None:
        await self._places.take(self._client)

    def release_on_behalf_of(self, _: object) -> None:
        self._places.give_back(self._client)


def give_way() -> None:
    """Has threads give way to each other after `SWITCH_SECONDS`, which costs nothing where there is only one."""
    sys.setswitchinterval(SWITCH_SECONDS)
