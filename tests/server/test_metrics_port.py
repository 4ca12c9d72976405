"""The port for metrics: what it answers in which format, and until when."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from asked import fetch
from openapi_mcp_server.server import ports
from openapi_mcp_server.server.app import Readiness
from openapi_mcp_server.server.metrics_port import in_thread, metrics_port
from served import VISITORS

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PROMETHEUS_2 = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;"
    "q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)
LARGE = b"# " + b"x" * 100_000


async def page(*, open_metrics: bool) -> bytes:
    return b"# EOF\n" if open_metrics else b"a 1\n"


async def large(*, open_metrics: bool) -> bytes:
    return LARGE


def listening() -> socket.socket:
    listener = ports.bind("127.0.0.1", 0)
    ports.listen(listener)
    return listener


def served(use: Callable[[str], Awaitable[Any]], of: Any = page, readiness: Readiness | None = None) -> Any:
    """What ``use`` returns, given the address of the port."""

    async def main() -> Any:
        listener = listening()
        with trio.fail_after(20):
            async with metrics_port(listener, of, readiness or Readiness(), VISITORS):
                return await use(ports.url(listener))

    return trio.run(main)


def ask(path: str, method: str = "GET", of: Any = page, readiness: Readiness | None = None, **headers: str):
    async def use(url: str) -> Any:
        return await trio.to_thread.run_sync(partial(fetch, url + path, method, **headers))

    return served(use, of, readiness)


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        pytest.param("*/*", TEXT, id="curl"),
        pytest.param("text/html,application/xhtml+xml", TEXT, id="browser"),
        pytest.param("text/plain;version=0.0.4", TEXT, id="old"),
        pytest.param("application/openmetrics-text;q=0, */*", TEXT, id="refused"),
        pytest.param(PROMETHEUS_2, OPEN_METRICS, id="Prometheus 2"),
        pytest.param(PROMETHEUS_3, OPEN_METRICS, id="Prometheus 3"),
    ],
)
def test_the_format_is_the_newest_that_the_scraper_takes(accept, content_type):
    status, headers, body = ask("/metrics", accept=accept)
    assert (status, headers["content-type"]) == (200, content_type)
    assert body == (b"# EOF\n" if content_type == OPEN_METRICS else b"a 1\n")


def test_a_page_is_packed_for_those_who_can_unpack_it():
    _, headers, body = ask("/metrics", of=large, accept_encoding="gzip")
    assert headers["content-encoding"] == "gzip"
    assert len(body) < 1_000
    assert gzip.decompress(body) == LARGE


@pytest.mark.parametrize("wanted", ["identity", "gzip;q=0", "br, gzip; q=0.000"])
def test_a_page_is_not_packed_for_others(wanted):
    _, headers, body = ask("/metrics", of=large, accept_encoding=wanted)
    assert "content-encoding" not in headers
    assert body == LARGE


def test_head_has_the_length_of_get_and_no_body():
    _, headers, body = ask("/metrics", "HEAD")
    assert (headers["content-length"], body) == ("4", b"")


@pytest.mark.parametrize(
    ("path", "state", "status"),
    [
        ("/livez", "starting", 200),
        ("/readyz", "starting", 503),
        ("/readyz", "ready", 200),
        ("/readyz", "draining", 503),
    ],
)
def test_the_probes_are_those_of_the_worker(path, state, status):
    readiness = Readiness()
    readiness.state = state
    assert ask(path, readiness=readiness)[0] == status


@pytest.mark.parametrize(
    ("path", "method", "status"), [("/", "GET", 404), ("/mcp", "POST", 404), ("/metrics", "POST", 405)]
)
def test_nothing_else_is_there(path, method, status):
    answered, _, body = ask(path, method)
    assert answered == status
    assert b"/metrics" in body


class Slow:
    """Writes a page in however many threads it is asked in; says how many were at it at once."""

    def __init__(self) -> None:
        self.entered, self.go_on = threading.Semaphore(0), threading.Event()
        self.at_once = self._now = 0

    def page(self, *, open_metrics: bool) -> Callable[[], bytes]:
        return self._write

    def _write(self) -> bytes:
        self._now += 1
        self.at_once = max(self.at_once, self._now)
        self.entered.release()
        self.go_on.wait(10)
        self._now -= 1
        return b"a 1\n"


def test_nobody_waits_for_a_page_but_who_asked_and_one_is_written_at_a_time():
    slow = Slow()

    async def use(url: str) -> list[int]:
        statuses = []

        async def scrape() -> None:
            statuses.append((await trio.to_thread.run_sync(fetch, f"{url}/metrics"))[0])

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(scrape)
            await trio.to_thread.run_sync(slow.entered.acquire)
            assert (await trio.to_thread.run_sync(fetch, f"{url}/livez"))[0] == 200
            slow.go_on.set()
        return statuses

    assert served(use, in_thread(slow)) == [200, 200, 200]
    assert slow.at_once == 1


def test_a_scrape_that_is_being_answered_is_answered_to_its_end():
    slow = Slow()
    answered = []

    async def main() -> None:
        listener = listening()

        async def scrape() -> None:
            answered.append((await trio.to_thread.run_sync(fetch, f"{ports.url(listener)}/metrics"))[2])

        async def let_go() -> None:
            await wait_all_tasks_blocked(0.05)  # the port is closing
            slow.go_on.set()

        with trio.fail_after(20):
            async with trio.open_nursery() as nursery, metrics_port(listener, in_thread(slow), Readiness(), VISITORS):
                nursery.start_soon(scrape)
                await trio.to_thread.run_sync(slow.entered.acquire)
                nursery.start_soon(let_go)

    trio.run(main)
    assert answered == [b"a 1\n"]
