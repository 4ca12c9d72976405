"""Waits for what nearly always comes soon, without a cancel scope of their own (docs/adr/0041).

A scope with a deadline takes a thirtieth of a call, and nearly all answers are here before any deadline could be. So
they are waited for without, for `SOON_SECONDS` at most; who has waited for so long goes on waiting as usual.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Generic, TypeVar

import trio

from openapi_mcp_server.aside import FairPlaces, InLine

LOOK_SECONDS = 0.125
SOON_SECONDS = 2 * LOOK_SECONDS
"""The longest time until something has been there at two looks: then it lasts."""
AT_ONCE = 20
"""In one turn of the loop: what lasts gets scopes or a task then, and 1,000 would take 30 to 40 ms of it."""
IDLE_LOOKS = 8
"""After so many looks at which nothing was there, there are none until something is."""

One = TypeVar("One")


class Looks(Generic[One]):
    """Looks for what lasts, while `tend` runs: ``act`` is called with each that is there at two looks."""

    def __init__(self, act: Callable[[One], object]) -> None:
        self._act = act
        self._there: dict[One, int] = {}  # since which look
        self._looks = 0
        self._pause = trio.Event()
        self._is_paused = True

    def add(self, one: One) -> None:
        if self._is_paused:
            self._is_paused = False
            self._pause.set()
        self._there[one] = self._looks

    def remove(self, one: One) -> None:
        """It is over, if it was there still."""
        self._there.pop(one, None)

    async def tend(self) -> None:
        """Runs for ever."""
        idle = 0
        while True:
            if idle == IDLE_LOOKS:
                self._is_paused, self._pause, idle = True, trio.Event(), 0
            if self._is_paused:
                await self._pause.wait()
            await trio.sleep(LOOK_SECONDS)
            idle = 0 if self._there else idle + 1
            self._looks += 1
            await self._look()

    async def _look(self) -> None:
        """Nothing that was there is kept by it: its locals end with it."""
        lasting = [one for one, since in self._there.items() if since <= self._looks - 2]
        for number, one in enumerate(lasting, 1):
            if self._there.pop(one, None) is not None:  # it may be over by now
                self._act(one)
            if number % AT_ONCE == 0:
                await trio.lowlevel.checkpoint()


class Soon:
    """All waits of calls to APIs that are soon over; tended from `begin` to `end`."""

    def __init__(self) -> None:
        # To wake the task that waits for a socket is all that this does:
        self._reading: Looks[socket.socket] = Looks(trio.lowlevel.notify_closing)
        self._in_line: Looks[InLine] = Looks(InLine.wake)
        self._tending = trio.CancelScope()

    def begin(self) -> None:
        trio.lowlevel.spawn_system_task(self._tend)

    def end(self) -> None:
        self._tending.cancel()

    async def is_readable(self, one: socket.socket) -> bool:
        """Waits until there is something to read, or the end; false where that is not soon."""
        self._reading.add(one)
        try:
            await trio.lowlevel.wait_readable(one)
        except trio.ClosedResourceError:
            return False
        finally:
            self._reading.remove(one)
        return True

    async def has_place(self, one: InLine, places: FairPlaces) -> bool:
        """Waits until its turn has come; false where that is not soon: it stands in line still."""
        self._in_line.add(one)
        try:
            return await places.wait(one)
        finally:
            self._in_line.remove(one)

    async def _tend(self) -> None:
        with self._tending:
            async with trio.open_nursery() as tasks:
                tasks.start_soon(self._reading.tend)
                tasks.start_soon(self._in_line.tend)
