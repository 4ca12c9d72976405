"""The end of a process whose event loop stands still, with the place where it stands on standard error.

Nothing here needs the interpreter's lock, which a hanging call may hold for ever. The kernel's timer sends SIGALRM
unless the loop resets it in time. The standard library's `faulthandler` writes the stacks in C. The signal's handler is
the C library's ``_exit``, which ends the process with the number of the signal. The signal's default action would do
the same, except for the first process of a container, which the kernel protects from it.

Where standard error takes nothing, since whoever has started the process does not read it, the stacks would hold up the
end for ever. They are left out then.
"""

from __future__ import annotations

import faulthandler
import select
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio

EXIT_CODE = int(signal.SIGALRM)
STANDARD_ERROR = 2
BEAT_SECONDS = 1.0
"""Between two signs of life."""


@asynccontextmanager
async def guarded(seconds: float, beat: Callable[[], None]) -> AsyncIterator[None]:
    """While it is open, the process ends if its loop stands still for so long; 0: never. ``beat`` is called every
    second that it does not."""
    where = _Where()
    if seconds:
        _arm()
        where.look()
        signal.setitimer(signal.ITIMER_REAL, seconds)  # before the first beat, which waits for its turn
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_beating, seconds, beat, where)
        try:
            yield
        finally:
            tasks.cancel_scope.cancel()
            if seconds:
                signal.setitimer(signal.ITIMER_REAL, 0)
                faulthandler.unregister(signal.SIGALRM)


async def _beating(seconds: float, beat: Callable[[], None], where: _Where) -> None:
    while True:
        if seconds:
            where.look()
            signal.setitimer(signal.ITIMER_REAL, seconds)
        beat()
        await anyio.sleep(min(BEAT_SECONDS, seconds / 4) if seconds else BEAT_SECONDS)


def _arm() -> None:
    import ctypes  # noqa: PLC0415 - 4 ms, and nothing that a supervisor needs

    library = ctypes.CDLL(None)
    library.signal.argtypes = (ctypes.c_int, ctypes.c_void_p)
    library.signal.restype = ctypes.c_void_p
    library.signal(signal.SIGALRM, ctypes.cast(library._exit, ctypes.c_void_p))  # noqa: SLF001 - its name in C


class _Where:
    """The stacks at the end, as long as standard error has room for them."""

    def __init__(self) -> None:
        self._has_room = select.poll()
        self._has_room.register(STANDARD_ERROR, select.POLLOUT)
        self._is_said = False

    def look(self) -> None:
        if bool(self._has_room.poll(0)) == self._is_said:
            return
        self._is_said = not self._is_said
        if self._is_said:
            faulthandler.register(signal.SIGALRM, file=STANDARD_ERROR, all_threads=True, chain=True)
        else:
            faulthandler.unregister(signal.SIGALRM)
