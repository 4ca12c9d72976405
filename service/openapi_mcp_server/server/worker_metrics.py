"""The metrics of several workers on one port: fetched from each worker for each scrape, and merged into one page."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress

import anyio

from openapi_mcp_server.observe.metrics import families, pages
from openapi_mcp_server.server import ports
from openapi_mcp_server.server.app import Readiness
from openapi_mcp_server.server.metrics_port import metrics_port
from openapi_mcp_server.server.visitors import Visitors

FETCH_SECONDS = 5.0
"""The time for a worker to give its page; scrapers wait for 10 s. A slower worker is missing from the page."""
LOOPBACK = "127.0.0.1"
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)")

logger = logging.getLogger(__name__)


class WorkerMetrics:
    """The common port, and in ``ports`` for each worker a port on loopback at which it is scraped.

    All ports are taken when this is made, which may raise ConfigError. The workers' ports are only bound, so that no
    other process gets them. A worker may bind and open its own (SO_REUSEADDR).
    """

    def __init__(self, host: str, port: int, workers: int, visitors: Visitors) -> None:
        self._listener = ports.bind(host, port, setting="PROMETHEUS_PORT")
        ports.listen(self._listener, setting="PROMETHEUS_PORT")
        self._reserved = [ports.bind(LOOPBACK, 0) for _ in range(workers)]
        self.ports = [int(reserved.getsockname()[1]) for reserved in self._reserved]
        self.readiness = Readiness()
        self._visitors = visitors
        self._restarts: Callable[[], Sequence[Mapping[str, int]]] = tuple

    def follow(self, restarts: Callable[[], Sequence[Mapping[str, int]]]) -> None:
        """``restarts``: the number for each worker, by reason."""
        self._restarts = restarts

    @asynccontextmanager
    async def served(self) -> AsyncIterator[None]:
        async with metrics_port(self._listener, self._page, self.readiness, self._visitors):
            logger.info("serving metrics at %s/metrics", ports.url(self._listener))
            yield

    async def _page(self, *, open_metrics: bool) -> bytes:
        ends = pages.END if open_metrics else b""
        own = [pages.counter(families.RESTARTS, each, open_metrics=open_metrics) for each in self._restarts()]
        found = {str(number): page + ends for number, page in enumerate(own)}

        async def ask(number: int, port: int) -> None:
            page = await _fetched(port, b"application/openmetrics-text" if open_metrics else b"text/plain")
            if page is not None:
                found[str(number)] = own[number] + page

        async with anyio.create_task_group() as tasks:
            for number, port in enumerate(self.ports):
                tasks.start_soon(ask, number, port)
        return pages.merged(found)


async def _fetched(port: int, accept: bytes) -> bytes | None:
    """The whole page of one worker. None if it gives none now, since it starts or has ended."""
    request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: %b\r\nConnection: close\r\n\r\n"
    received = bytearray()
    with anyio.move_on_after(FETCH_SECONDS), suppress(OSError, anyio.BrokenResourceError):
        async with await anyio.connect_tcp(LOOPBACK, port) as stream:
            await stream.send(request % accept)
            with suppress(anyio.EndOfStream):
                while True:
                    received += await stream.receive()
    head, _, page = bytes(received).partition(b"\r\n\r\n")
    length = _LENGTH.search(head)
    is_whole = head.startswith(b"HTTP/1.1 200 ") and length is not None and int(length[1]) == len(page)
    return page if is_whole else None
