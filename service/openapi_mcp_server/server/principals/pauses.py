"""Delays of refusals for clients that get many: those that ask again and again take the loop from the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import anyio

from openapi_mcp_server.memory import SMALL_BYTES
from openapi_mcp_server.server.principals.buckets import Buckets

AT_ONCE = 20.0
"""Refusals a second of one client that are told at once: nobody who heeds Retry-After has more."""
PAUSE_SECONDS = 1.0
"""For all others. No Retry-After says less."""
APART_SECONDS = 0.005
"""Longer for each that waits already, so that those that came together do not come together again."""
PAUSED = 200
"""Refusals of one client that wait so, each with its connection; more are told at once, and their connections closed.
New ones are taken in one at a time, between what others have to do."""


class Pauses:
    """80 connections that asked again as soon as they were refused took all of a core, and the others' p99 was six
    times what it was without them."""

    def __init__(self) -> None:
        self._buckets = Buckets()
        self._paused: Counter[str] = Counter()

    async def wait(self, key: str, headers: Mapping[bytes, bytes]) -> None:
        """Until this client may be told of its refusal. One of a large body is told at once: what has come of it would
        be kept meanwhile."""
        if not self._buckets.spend(key, 1, AT_ONCE) or self._paused[key] >= PAUSED or not _is_small(headers):
            return
        seconds = PAUSE_SECONDS + APART_SECONDS * self._paused[key]
        self._paused[key] += 1
        try:
            await anyio.sleep(seconds)
        finally:
            leave(self._paused, key)


def _is_small(headers: Mapping[bytes, bytes]) -> bool:
    """Nothing but digits is in a Content-Length that has come this far."""
    return b"transfer-encoding" not in headers and int(headers.get(b"content-length", 0)) <= SMALL_BYTES


def leave(shares: Counter[str], key: str, count: int = 1) -> None:
    """Takes ``count`` off a key's share; of a key without a share nothing is kept."""
    shares[key] -= count
    if shares[key] <= 0:
        del shares[key]
