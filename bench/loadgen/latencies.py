"""Latencies in HdrHistograms: microseconds to an hour, three significant digits, summed over seconds and processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import compress

import msgspec
from hdrh.histogram import HdrHistogram  # type: ignore[import-untyped]

HIGHEST_US = 3_600_000_000
SHOWN = (50.0, 90.0, 99.0, 99.9)
"""The percentiles of every table."""


class Latency(msgspec.Struct, frozen=True):
    """Milliseconds. All are 0 where nothing was recorded."""

    p50: float = 0.0
    p90: float = 0.0
    p99: float = 0.0
    p999: float = msgspec.field(default=0.0, name="p99.9")
    max: float = 0.0
    mean: float = 0.0


class Latencies:
    """A histogram; ``digits`` 2 is for the many of single tools, which take an eighth of the memory."""

    def __init__(self, digits: int = 3) -> None:
        self._histogram = HdrHistogram(1, HIGHEST_US, digits)
        self.record_us = self._histogram.record_value

    def record(self, seconds: float, count: int = 1) -> None:
        self.record_us(min(max(round(seconds * 1e6), 1), HIGHEST_US), count)

    def add(self, encoded: str) -> None:
        if encoded:
            self._histogram.decode_and_add(encoded.encode())

    def encoded(self) -> str:
        """In the format that all of HdrHistogram's tools read (V2, compressed, base64); empty if nothing is in it."""
        return self._histogram.encode().decode() if self.count else ""

    def reset(self) -> None:
        self._histogram.reset()

    @property
    def count(self) -> int:
        return int(self._histogram.total_count)

    def at(self, percentile: float) -> float:
        """Milliseconds."""
        return round(self._histogram.get_value_at_percentile(percentile) / 1e3, 4) if self.count else 0.0

    def summary(self) -> Latency:
        if not self.count:
            return Latency()
        found = self._histogram.get_percentile_to_value_dict(SHOWN)
        p50, p90, p99, p999 = (round(found[each] / 1e3, 4) for each in SHOWN)
        mean = sum(value * count for value, count in self.counts()) / self.count
        return Latency(p50, p90, p99, p999, round(self._histogram.get_max_value() / 1e3, 4), round(mean, 4))

    def counts(self) -> Iterator[tuple[float, int]]:
        """(milliseconds, how many) of each value that was recorded, in order."""
        counts = self._histogram.counts[:]
        for index in compress(range(len(counts)), counts):  # the library's own iterators take 150 ms for each second
            value = self._histogram.get_value_from_index(index)
            yield self._histogram.get_highest_equivalent_value(value) / 1e3, counts[index]


def merged(encoded: Sequence[str], digits: int = 3) -> Latencies:
    whole = Latencies(digits)
    for each in encoded:
        whole.add(each)
    return whole
