"""Spans on their way out: handed over at once, delivered by a thread, dropped and counted where they cannot be.

Nothing that answers calls ever waits for what is behind an outbox, however slow, broken or absent that is.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from opentelemetry.sdk.trace import ReadableSpan

from openapi_mcp_server.aside import start_thread

QUEUED_CALLS = 4096
"""The most calls whose spans may wait: 12 MB or so, and what a busy worker answers in two seconds. Those of further
calls are dropped."""
BATCH_CALLS = 256
"""Delivered together at most."""

CallSpans = tuple[ReadableSpan, ...]
"""The records of one call: the span of the MCP request first, then that of the request to the API."""

logger = logging.getLogger(__name__)


class Delivery(NamedTuple):
    """How a batch went: spans that were ``lost``, and why."""

    lost: int = 0
    reason: str = ""


class Exporter(Protocol):
    """A destination of spans. Calls are collected for ``gather_seconds`` and delivered together."""

    name: str
    gather_seconds: float

    def deliver(self, calls: Sequence[CallSpans]) -> Delivery:
        """Delivers a batch. It may take long. A batch is lost if it raises."""

    def close(self) -> None:
        """Closes the exporter, from another thread. A delivery in progress gives up, and none follows."""


class Sign(Protocol):
    """The signer of an exporter's requests."""

    def prepare(self) -> str:
        """Does what takes time, before each batch. Returns why nothing can be signed."""

    def headers(self, url: str, body: bytes) -> Mapping[str, str]:
        """The signature of one request."""


class Outbox:
    """The spans that one exporter has still to deliver. ``dropped`` counts those that were lost."""

    def __init__(self, exporter: Exporter, *, queued_calls: int = QUEUED_CALLS) -> None:
        self._exporter = exporter
        self._limit = queued_calls
        self._queue: deque[CallSpans] = deque()
        self._refused = 0  # written by callers of `put`,
        self._lost = 0  # by the thread
        self._in_hand = 0  # and by the thread as well: spans of the batch that is being delivered
        self._is_failing = False
        self._filled = threading.Event()
        self._closing = threading.Event()
        self._thread = start_thread(self._run, f"spans to {exporter.name}")

    @property
    def name(self) -> str:
        return self._exporter.name

    @property
    def dropped(self) -> int:
        """How many spans were lost so far; after `close`, with all that was left."""
        left = sum(map(len, list(self._queue))) + self._in_hand if self._closing.is_set() else 0
        return self._refused + self._lost + left

    def put(self, spans: CallSpans) -> None:
        if len(self._queue) >= self._limit:
            self._refused += len(spans)
            return
        self._queue.append(spans)
        if not self._filled.is_set():
            self._filled.set()

    def close(self, deadline_seconds: float) -> None:
        """Waits until everything is delivered, at most so long."""
        self._closing.set()
        self._filled.set()
        self._thread.join(deadline_seconds)
        self._exporter.close()

    def _run(self) -> None:
        while True:
            self._filled.wait()
            self._closing.wait(self._exporter.gather_seconds)
            self._filled.clear()
            while self._queue:
                self._deliver([self._queue.popleft() for _ in range(min(len(self._queue), BATCH_CALLS))])
            if self._closing.is_set():
                return

    def _deliver(self, calls: list[CallSpans]) -> None:
        self._in_hand = sum(map(len, calls))
        try:
            lost, reason = self._exporter.deliver(calls)
        except Exception as error:  # noqa: BLE001 - a bug, or no descriptor: the thread goes on for the spans after it
            lost, reason = self._in_hand, str(error) if isinstance(error, OSError) else type(error).__name__
        self._lost += lost
        self._in_hand = 0
        if lost and not self._is_failing:
            fields = {"exporter": self.name, "reason": reason, "dropped": self.dropped}
            logger.warning("spans cannot be delivered and are dropped", extra=fields)
        elif self._is_failing and not lost:
            logger.info("spans are delivered again", extra={"exporter": self.name, "dropped": self.dropped})
        self._is_failing = bool(lost)
