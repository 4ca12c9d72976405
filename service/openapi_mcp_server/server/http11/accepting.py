"""Accepts connections, and copes with a process that has no descriptor left."""

from __future__ import annotations

import errno
import logging
import math
from collections.abc import Callable
from typing import NoReturn

import trio

PAUSE_SECONDS = 0.25
"""The pause without a descriptor. Calls in flight end meanwhile, and clients wait in the queue of the socket."""
SILENCE_SECONDS = 60.0
"""Between two lines of the log about it."""
_SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

logger = logging.getLogger(__name__)


async def accept_all(listener: trio.SocketListener, take: Callable[[trio.SocketStream], object]) -> NoReturn:
    """Gives every connection to ``take`` until it is cancelled. Then it closes the listener."""
    silent_until = -math.inf
    async with listener:
        while True:
            try:
                take(await listener.accept())
            except OSError as error:
                if error.errno not in _SHORTAGES:
                    raise
                if trio.current_time() >= silent_until:
                    silent_until = trio.current_time() + SILENCE_SECONDS
                    logger.error("no connection can be taken in: %s; clients wait", error.strerror)  # noqa: TRY400 - no bug
                await trio.sleep(PAUSE_SECONDS)
