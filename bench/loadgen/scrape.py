"""The server's own metrics beside the load: its Prometheus page, once a second."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import trio
from prometheus_client.parser import text_string_to_metric_families

from loadgen import wire
from loadgen.connections import Pool
from loadgen.failures import Failure
from loadgen.plan import UsageError
from loadgen.result import Sample

EVERY_SECONDS = 1.0
"""At first; a long load is looked at less often."""
SAMPLES = 1_200
"""Of which every other one is dropped when there are more: a page may have hundreds of families, a load a day."""
ANSWER_SECONDS = 5.0
_SUMMED = frozenset({"gauge", "counter", "unknown"})
_NO_LOAD = frozenset({"process_start_time_seconds", "process_max_fds"})


def values_in(page: str) -> dict[str, float]:
    """Gauges and counters, each added up over its labels. Raises ValueError."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(page):
        if family.type not in _SUMMED or family.name in _NO_LOAD:
            continue
        for sample in family.samples:
            if not sample.name.endswith("_created"):
                found[sample.name] = found.get(sample.name, 0.0) + sample.value
    return found


class Scraper:
    """Reads one page again and again; a reading that fails is left out."""

    def __init__(self, url: str) -> None:
        where = wire.place(url)
        self._pool = Pool(where)
        self._url = url
        fields = f"Host: {where.authority}\r\nAccept: text/plain\r\nAccept-Encoding: identity\r\n"
        self._request = f"GET {where.target} HTTP/1.1\r\n{fields}\r\n".encode()
        self._every = EVERY_SECONDS
        self.samples: list[Sample] = []

    async def read(self) -> dict[str, float]:
        """Raises UsageError where there is no such page."""
        try:
            with trio.move_on_after(ANSWER_SECONDS):
                answer = await self._pool.post(self._request)
                if answer.head.status != 200:
                    raise UsageError(f"--metrics: {self._url} answers HTTP {answer.head.status}")
                return values_in(answer.body.decode("utf-8", "replace"))
        except Failure as failure:
            raise UsageError(f"--metrics: {self._url}: {failure}") from None
        except ValueError as error:
            raise UsageError(f"--metrics: {self._url} is no page of Prometheus metrics: {error}") from None
        raise UsageError(f"--metrics: {self._url} does not answer within {ANSWER_SECONDS:g} s")

    async def run(self, start: float, clock: Callable[[], float]) -> None:
        while True:
            with suppress(UsageError):
                self.keep(Sample(round(clock() - start, 3), await self.read()))
            await trio.sleep(self._every)

    def keep(self, sample: Sample) -> None:
        self.samples.append(sample)
        if len(self.samples) > SAMPLES:
            del self.samples[1::2]
            self._every *= 2

    async def aclose(self) -> None:
        await self._pool.aclose()
