"""Clocks on which time passes as soon as nothing else happens: what takes a minute takes no time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import trio
from trio.testing import MockClock


def run(main: Callable[[], Awaitable[Any]]) -> Any:
    return trio.run(main, clock=MockClock(autojump_threshold=0))


def hurried() -> MockClock:
    """For tests with sockets, through which bytes need a moment."""
    return MockClock(autojump_threshold=0.05)


class Turn(trio.abc.Instrument):
    """``number`` of the loop's turn."""

    number = 0

    def before_io_wait(self, timeout: float) -> None:
        self.number += 1
