"""How the time of a function grows with its input: measured in CPU seconds of the thread, so that a busy machine only
makes both measurements longer.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from types import FrameType
from typing import TypeVar

T = TypeVar("T")

UNITS = 2_000
FACTOR = 4
"""The second input is so many times the first: 4 times the work if it is linear, 4.7 for n·log n, 16 if quadratic."""
MOST = 9.0
UNNOTICED_SECONDS = 0.002
"""Quadratic work on 8,000 units takes longer, were a step only a comparison of two bytes in C."""
ABORTED_SECONDS = 0.5
"""What takes longer than that for 8,000 units is not linear; what is exponential would never end."""
_TRIES = 4


class _Aborted(Exception):
    """The time is over."""


def is_linear(run: Callable[[T], object], made: Callable[[int], T], *, even: bool = False) -> bool:
    """Whether ``run`` takes about as many times longer for ``made(FACTOR * UNITS)`` as that is longer.

    ``even``: a unit costs the same whatever the length, as in `re`, where nothing begins at a threshold. The second
    input then says nothing new where the first one is read so fast that quadratic work on the second would not be
    noticed.
    """
    if even and _is_soon_over(run, made(UNITS)):
        return True
    small, large = made(UNITS), made(FACTOR * UNITS)
    for _ in range(_TRIES):  # one that was disturbed is tried again, in the hope of quieter times
        try:
            with _time_limit():
                seconds = _seconds(run, large)
                if seconds < UNNOTICED_SECONDS or seconds <= MOST * _seconds(run, small):
                    return True
        except _Aborted:
            continue
    return False


def _is_soon_over(run: Callable[[T], object], small: T) -> bool:
    with suppress(_Aborted), _time_limit():
        return _seconds(run, small) < UNNOTICED_SECONDS / FACTOR**2
    return False


def _seconds(run: Callable[[T], object], value: T) -> float:
    began = time.thread_time()
    run(value)
    return time.thread_time() - began


@contextmanager
def _time_limit() -> Iterator[None]:
    """Raises when the process has calculated for so long; `re` looks for signals while it searches."""
    _hear_the_timer()
    signal.setitimer(signal.ITIMER_VIRTUAL, ABORTED_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


@cache
def _hear_the_timer() -> None:
    """Once for the process: a million texts are timed, and this takes as long as to read most of them."""

    def abort(_number: int, _frame: FrameType | None) -> None:
        raise _Aborted

    signal.signal(signal.SIGVTALRM, abort)
