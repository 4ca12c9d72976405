"""Waits for what nearly always comes soon, without a cancel scope of their own (docs/adr/0041).

A scope with a deadline takes a thirtieth of a call, and nearly all answers are here before any deadline could be. So
they are waited for without, for `SOON_SECONDS` at most; who has waited for so long goes on waiting as usual.
"""

from __future__ import annotations

import socket

import trio

LOOK_SECONDS = 0.125
SOON_SECONDS = 2 * LOOK_SECONDS
"""A wait that is there at two looks is over."""
AT_ONCE = 20
"""In one turn of the loop: each enters its scopes then, and 1,000 would take 40 ms of it."""
IDLE_LOOKS = 8
"""After so many looks at which nobody waited, there are none until somebody does."""


class Soon:
    """All waits of this kind; tended from `begin` to `end`."""

    def __init__(self) -> None:
        self._new: dict[socket.socket, None] = {}
        self._young: dict[socket.socket, None] = {}  # as new ones are called after the first look at them
        self._pause = trio.Event()
        self._is_paused = True
        self._tending = trio.CancelScope()

    def begin(self) -> None:
        trio.lowlevel.spawn_system_task(self._tend)

    def end(self) -> None:
        self._tending.cancel()

    async def is_readable(self, one: socket.socket) -> bool:
        """Waits until there is something to read, or the end; false where that is not soon."""
        if self._is_paused:
            self._is_paused = False
            self._pause.set()
        self._new[one] = None
        try:
            await trio.lowlevel.wait_readable(one)
        except trio.ClosedResourceError:
            return False
        finally:
            self._new.pop(one, None)
            self._young.pop(one, None)
        return True

    async def _tend(self) -> None:
        idle = 0
        with self._tending:
            while True:
                if idle == IDLE_LOOKS:
                    self._is_paused, self._pause, idle = True, trio.Event(), 0
                if self._is_paused:
                    await self._pause.wait()
                await trio.sleep(LOOK_SECONDS)
                idle = 0 if self._new or self._young else idle + 1
                for left in range(len(self._young), 0, -1):
                    if not self._young:  # the others are over
                        break
                    one, _ = self._young.popitem()
                    trio.lowlevel.notify_closing(one)  # which wakes the task and does nothing to the socket
                    if left % AT_ONCE == 0:
                        await trio.lowlevel.checkpoint()
                self._young, self._new = self._new, {}
