"""Delays refusals for clients that get many. Clients that ask again and again would take the loop from others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import anyio

from openapi_mcp_server.memory import SMALL_BYTES
from openapi_mcp_server.server.principals.buckets import Buckets

AT_ONCE = 20.0
"""Refusals a second of one client that are sent at once. A client that respects Retry-After has fewer."""
PAUSE_SECONDS = 1.0
"""The delay of further refusals. No Retry-After is shorter."""
APART_SECONDS = 0.005
"""The added delay for each refusal that waits already, so that requests do not come together again."""
PAUSED = 200
"""Refusals of one client that wait, each with its connection. Further ones are sent at once, and their connections are
closed. New connections are accepted one at a time, between the work of others."""


class Pauses:
    """Delays refusals. 80 connections that asked again at once after a refusal took a whole core, and the p99 of other
    clients was six times as long."""

    def __init__(self) -> None:
        self._buckets = Buckets()
        self._paused: Counter[str] = Counter()

    async def wait(self, key: str, headers: Mapping[bytes, bytes]) -> None:
        """Waits until this client may get its refusal. With a large body it is sent at once: the received part would be
        kept meanwhile."""
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
    """Subtracts ``count`` from a key's share, and forgets a key without a share."""
    shares[key] -= count
    if shares[key] <= 0:
        del shares[key]
