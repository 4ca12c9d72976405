"""Why a call failed, as a kind that is counted and one example that is shown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

EXAMPLE_CHARACTERS = 200
_ADDRESS = "is this where the server has MCP? Most have it at /mcp or /sse"
CURES = {
    "HTTP 401": "--header 'Authorization: Bearer …' says who calls",
    "HTTP 403": "--header 'Authorization: Bearer …' says who calls",
    "HTTP 404": _ADDRESS,
    "HTTP 405": _ADDRESS,
    "not MCP": _ADDRESS,
}
"""What may help where a server refuses all there is, by the kind of its failure."""


def printable(text: str) -> str:
    """A server's words without what a terminal would act on."""
    return "".join(each if each.isprintable() else "?" for each in text)


class Failure(Exception):
    """``is_lost``: it was sent, and no answer came."""

    def __init__(self, kind: str, example: str, *, is_lost: bool = False) -> None:
        self.kind = kind
        self.example = printable(" ".join(example.split()))[:EXAMPLE_CHARACTERS]
        super().__init__(f"{kind}: {self.example}")
        self.is_lost = is_lost


@asynccontextmanager
async def nursery() -> AsyncIterator[trio.Nursery]:
    """One whose first error comes as it is, not in a group."""
    try:
        async with trio.open_nursery() as made:
            yield made
    except BaseExceptionGroup as group:
        raise _first(group) from group


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """A cancellation is rarely why the others ended."""
    rest = group.subgroup(lambda error: not isinstance(error, trio.Cancelled | BaseExceptionGroup)) or group
    error = rest.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
