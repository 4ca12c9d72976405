"""Rate limits by token buckets."""

from __future__ import annotations

import anyio

BUCKETS = 10_000
"""Principals whose rate is remembered. Buckets that are full again are forgotten first."""


class Bucket:
    """Calls that may still be made. The number grows with the rate, up to the calls of one second, and at least to
    one."""

    __slots__ = ("_at", "_left", "_most", "rate")

    def __init__(self, rate: float, now: float) -> None:
        self.rate = rate
        self._most = max(1.0, rate)
        self._left = self._most
        self._at = now

    def spend(self, calls: int, now: float) -> float:
        """0 if the calls may be made now, else the seconds to wait. More calls than the bucket holds wait until it is
        full, and leave it in debt."""
        self._left = min(self._most, self._left + (now - self._at) * self.rate)
        self._at = now
        wanted = min(float(calls), self._most)
        if self._left < wanted:
            return (wanted - self._left) / self.rate
        self._left -= calls
        return 0.0

    def is_full(self, now: float) -> bool:
        return self._left + (now - self._at) * self.rate >= self._most


class Buckets:
    """Token buckets, one for each key. A new one is full."""

    def __init__(self) -> None:
        self._kept: dict[str, Bucket] = {}

    def spend(self, key: str, calls: int, rate: float) -> float:
        """Takes tokens for the calls. 0 if they may be made now, else the seconds to wait."""
        now = anyio.current_time()
        bucket = self._kept.get(key)
        if bucket is None or bucket.rate != rate:
            self._forget_full(now)
            bucket = self._kept[key] = Bucket(rate, now)
        return bucket.spend(calls, now)

    def _forget_full(self, now: float) -> None:
        """Drops all full buckets at once, since strangers may invent keys very fast."""
        if len(self._kept) < BUCKETS:
            return
        kept = [(key, bucket) for key, bucket in self._kept.items() if not bucket.is_full(now)]
        self._kept = dict(kept[-(BUCKETS * 3 // 4) :])
