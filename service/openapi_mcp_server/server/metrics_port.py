"""The port for monitoring: metrics and probes, answered until the process ends."""

from __future__ import annotations

import gzip
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol

import anyio

from openapi_mcp_server.aside import run_in_thread
from openapi_mcp_server.server import fields, ports
from openapi_mcp_server.server.app import PROBES, Readiness, answer, answer_other_method
from openapi_mcp_server.server.asgi import Receive, Scope, Send
from openapi_mcp_server.server.http11 import connections
from openapi_mcp_server.server.posts import Refusal, refuse
from openapi_mcp_server.server.visitors import Visitors

if TYPE_CHECKING:
    from openapi_mcp_server.observe.metrics.metrics import Metrics

GRACE_SECONDS = 1.0
"""The time for a scrape that is being answered when the process ends."""
GZIP_LEVEL = 1
"""The gzip level. A page shrinks to a thirtieth; higher levels take longer than they save."""
TEXT = b"text/plain; version=0.0.4; charset=utf-8"
OPEN_METRICS = b"application/openmetrics-text; version=1.0.0; charset=utf-8"

logger = logging.getLogger(__name__)


class MetricsPage(Protocol):
    """A page of metrics, in OpenMetrics or in the text format 0.0.4."""

    async def __call__(self, *, open_metrics: bool) -> bytes: ...


class Watched(NamedTuple):
    """The process as monitoring sees it: the phase of its life, and its metrics, if they are configured."""

    readiness: Readiness
    metrics: Metrics | None


@asynccontextmanager
async def watch(listener: socket.socket | None, visitors: Visitors) -> AsyncIterator[Watched]:
    """Yields the process for monitoring. ``listener`` is None if metrics are not configured."""
    readiness = Readiness()
    if listener is None:
        yield Watched(readiness, None)
        return
    from openapi_mcp_server.observe.metrics.metrics import Metrics  # noqa: PLC0415 - 15 ms that only those pay who ask for them

    metrics = Metrics()
    metrics.follow_state(lambda: readiness.state)
    async with metrics_port(listener, in_thread(metrics), readiness, visitors):
        logger.info("serving metrics at %s/metrics", ports.url(listener))
        yield Watched(readiness, metrics)


def in_thread(metrics: Metrics) -> MetricsPage:
    """Writes a page, one at a time. A large one takes a third of a second, and no call should wait for it."""
    one = anyio.CapacityLimiter(1)

    async def page(*, open_metrics: bool) -> bytes:
        return await run_in_thread(metrics.page(open_metrics=open_metrics), limiter=one)

    return page


@asynccontextmanager
async def metrics_port(
    listener: socket.socket, page: MetricsPage, readiness: Readiness, visitors: Visitors
) -> AsyncIterator[None]:
    """Answers requests for metrics for as long as the context lasts."""
    leaving = anyio.Event()
    app = MetricsApp(page, readiness, visitors)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(connections.serve, app, listener, until=leaving.wait, grace_seconds=GRACE_SECONDS))
        yield
        leaving.set()


class MetricsApp:
    """The ASGI application. It needs no authentication: the operator must keep the port private.
    A page of metrics is kept from web pages, as `Visitors` are told apart."""

    def __init__(self, page: MetricsPage, readiness: Readiness, visitors: Visitors) -> None:
        self._page = page
        self._readiness = readiness
        self._visitors = visitors
        self._one = anyio.CapacityLimiter(1)

    async def __call__(self, scope: Scope, _: Receive, send: Send) -> None:
        path = scope["path"]
        if path != "/metrics" and path not in PROBES:
            await answer(send, 404, {"error": "there is nothing here; metrics are at /metrics"})
        elif scope["method"] not in {"GET", "HEAD"}:
            await answer_other_method(send, path)
        elif path in PROBES:
            await answer(send, *self._readiness.told(path))
        else:
            await self._metrics(fields.by_name(scope["headers"]), send)

    async def _metrics(self, asked: dict[bytes, bytes], send: Send) -> None:
        """Sends the metrics, in the newer format for clients that name it, as Prometheus does."""
        try:
            self._visitors.check(asked)
        except Refusal as refusal:
            await refuse(send, refusal)
            return
        open_metrics = fields.media_ranges(asked.get(b"accept", b"")).get(b"application/openmetrics-text", False)
        page = await self._page(open_metrics=open_metrics)
        headers = [(b"content-type", OPEN_METRICS if open_metrics else TEXT)]
        if fields.media_ranges(asked.get(b"accept-encoding", b"")).get(b"gzip", False):
            page = await run_in_thread(partial(gzip.compress, page, GZIP_LEVEL), limiter=self._one)
            headers.append((b"content-encoding", b"gzip"))
        headers.append((b"content-length", b"%d" % len(page)))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": page})
