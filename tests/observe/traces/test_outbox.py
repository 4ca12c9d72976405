"""What waits to be delivered: handed over at once, bounded, and counted where it is lost."""

from __future__ import annotations

import errno
import logging
import threading
from collections.abc import Sequence

import pytest

from openapi_mcp_server.observe.traces.outbox import BATCH_CALLS, CallSpans, Delivery, Outbox
from traced import recorded

WAIT_SECONDS = 10


class Scripted:
    """Delivers nothing until it is let; takes one step of its script for each batch, the last one for ever."""

    name = "scripted"
    gather_seconds = 0.0

    def __init__(self, *script: Delivery) -> None:
        self._script = list(script) or [Delivery()]
        self.let = threading.Event()
        self.reached = threading.Semaphore(0)
        self.batches: list[int] = []
        self.closed = threading.Event()

    def deliver(self, calls: Sequence[CallSpans]) -> Delivery:
        self.reached.release()
        self.let.wait(WAIT_SECONDS)
        self.batches.append(len(calls))
        return self._script.pop(0) if len(self._script) > 1 else self._script[0]

    def close(self) -> None:
        self.closed.set()


CALL = recorded()


def held(queued_calls: int = 100) -> tuple[Outbox, Scripted]:
    """An outbox whose exporter has one call in hand and does not get on."""
    exporter = Scripted()
    outbox = Outbox(exporter, queued_calls=queued_calls)
    outbox.put(CALL)
    assert exporter.reached.acquire(timeout=WAIT_SECONDS)
    return outbox, exporter


def test_everything_is_delivered_before_it_is_closed() -> None:
    exporter = Scripted()
    exporter.let.set()
    outbox = Outbox(exporter)
    for _ in range(1000):
        outbox.put(CALL)
    outbox.close(WAIT_SECONDS)
    assert (sum(exporter.batches), outbox.dropped, exporter.closed.is_set()) == (1000, 0, True)
    assert max(exporter.batches) <= BATCH_CALLS


def test_what_finds_it_full_is_dropped_at_once_and_counted() -> None:
    outbox, exporter = held(queued_calls=3)
    for _ in range(5):
        outbox.put((*CALL, *CALL))
    assert outbox.dropped == 4
    exporter.let.set()
    outbox.close(WAIT_SECONDS)
    assert (sum(exporter.batches), outbox.dropped) == (4, 4)


def test_what_is_left_at_the_deadline_is_given_up_and_counted() -> None:
    outbox, exporter = held()
    for _ in range(5):
        outbox.put(CALL)
    outbox.close(0.01)
    assert (outbox.dropped, exporter.closed.is_set()) == (6, True)
    exporter.let.set()


def test_an_outbox_that_was_never_used_is_closed_at_once() -> None:
    exporter = Scripted()
    outbox = Outbox(exporter)
    outbox.close(WAIT_SECONDS)
    assert (outbox.dropped, exporter.batches) == (0, [])


def test_losses_are_counted_and_said_once_until_there_are_none(caplog: pytest.LogCaptureFixture) -> None:
    lost = Delivery(1, "nobody listens")
    exporter = Scripted(lost, lost, lost, Delivery(), Delivery())
    exporter.let.set()
    outbox = Outbox(exporter)
    with caplog.at_level(logging.INFO, "openapi_mcp_server"):
        for _ in range(5):
            outbox.put(CALL)
            assert exporter.reached.acquire(timeout=WAIT_SECONDS)
        outbox.close(WAIT_SECONDS)
    assert outbox.dropped == 3
    assert [(line.levelname, line.message) for line in caplog.records] == [
        ("WARNING", "spans cannot be delivered and are dropped"),
        ("INFO", "spans are delivered again"),
    ]
    warning = caplog.records[0]
    assert (warning.exporter, warning.reason, warning.dropped) == ("scripted", "nobody listens", 1)


def test_a_delivery_that_raises_loses_its_batch_only() -> None:
    """Where there is no descriptor left, signing raised OSError, and no span was ever sent again."""

    class Failing(Scripted):
        def deliver(self, calls: Sequence[CallSpans]) -> Delivery:
            super().deliver(calls)
            if len(self.batches) == 1:
                raise OSError(errno.EMFILE, "Too many open files")
            return Delivery()

    exporter = Failing()
    exporter.let.set()
    outbox = Outbox(exporter)
    for _ in range(2):
        outbox.put(CALL)
        assert exporter.reached.acquire(timeout=WAIT_SECONDS)
    outbox.close(WAIT_SECONDS)
    assert (sum(exporter.batches), outbox.dropped) == (2, len(CALL))
