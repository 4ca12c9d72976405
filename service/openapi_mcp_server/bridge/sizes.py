"""Limits on requests that are built from arguments. They are checked while a request is built.

Four megabytes of arguments can ask for gigabytes: each item of a list may repeat a name, a part's head, a path of keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from typing import TypeVar

from openapi_mcp_server.errors import ArgumentError
from openapi_mcp_server.pausing import in_turns

MAX_BODY_BYTES = 16 * 1024 * 1024
"""The most bytes of a body, which is built in memory beside its argument. Larger files need another kind of upload."""

_AT_ONCE = 500
"""The number of pieces between two pauses."""

Piece = TypeVar("Piece", bound=Sized)


def require(size: int, limit: int = MAX_BODY_BYTES) -> None:
    """Raises ArgumentError for more than the limit."""
    if size > limit:
        raise ArgumentError(f"takes {size:,} bytes; the limit is {limit:,}")


def bounded(pieces: Iterable[Piece], size_of: Callable[[Piece], int] = len) -> Iterator[Piece]:
    """Passes pieces on, within the limit of a body. Raises ArgumentError."""
    size = 0
    for piece in in_turns(pieces, _AT_ONCE):
        size += size_of(piece)
        require(size)
        yield piece


def exceeds(value: object, limit: int) -> bool:
    """Whether a value takes more than ``limit`` characters in any notation. Every notation has its strings and at least
    one character, or a separator, for each value."""
    waiting, size = [value], -1
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            size += 1 + len(one)
        elif isinstance(one, list):
            waiting += one[: limit + 2 - size]
        elif isinstance(one, dict):
            size += sum(map(len, one))
            waiting += list(one.values())[: limit + 2 - size]
        else:
            size += 1
        if size > limit:
            return True
    return False
