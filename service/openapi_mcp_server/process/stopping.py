"""The request that the process should end, and the signals that make it."""

from __future__ import annotations

import logging
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
import trio

LAST_WORD_SECONDS = 1.0
"""After the grace of a stop, for the answers that say that a call was given up."""

logger = logging.getLogger(__name__)


class Stop:
    """The request that the process should end; ``forced`` if it was told twice and dropped what was in flight.

    ``ready`` is called when there is something to stop, since the server serves, and ``beat`` every second while its
    loop runs.
    """

    def __init__(self, ready: Callable[[], None], beat: Callable[[], None]) -> None:
        self.ready = ready
        self.beat = beat
        self.requested = anyio.Event()
        self.forced = False
        self._began: float | None = None

    def request(self) -> None:
        if self._began is None:
            self._began = anyio.current_time()
        self.requested.set()

    def seconds(self) -> float:
        """Seconds since the stop was requested, 0 before."""
        return 0.0 if self._began is None else anyio.current_time() - self._began


@asynccontextmanager
async def until_signal(stop: Stop) -> AsyncIterator[None]:
    """The first SIGTERM, SIGINT or SIGHUP requests the stop, the second ends everything at once. Without a handler,
    SIGHUP would end a single process with its calls. Under nohup it is ignored."""
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    numbers = {signal.SIGTERM, signal.SIGINT} | (set() if ignored else {signal.SIGHUP})

    async def listen(signals: AsyncIterator[int]) -> None:
        async for number in signals:
            if stop.requested.is_set():
                stop.forced = True
                logger.warning("second %s: ending at once", signal.Signals(number).name)
                tasks.cancel_scope.cancel()
            stop.request()

    with trio.open_signal_receiver(*numbers) as signals:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen, signals)
            yield
            tasks.cancel_scope.cancel()
