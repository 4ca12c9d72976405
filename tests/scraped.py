"""Pages of metrics, read as a scraper reads them."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from processes import Server
from prometheus_client.openmetrics import parser as open_metrics
from prometheus_client.parser import text_string_to_metric_families

TIMEOUT_SECONDS = 30
POLL_SECONDS = 0.05
Found = TypeVar("Found")


class Page:
    """What one page says."""

    def __init__(self, text: str, *, is_open: bool = False) -> None:
        read = open_metrics.text_string_to_metric_families if is_open else text_string_to_metric_families
        self.families = list(read(text))
        self.samples = [sample for family in self.families for sample in family.samples]

    @property
    def series(self) -> set[tuple[str, tuple[tuple[str, str], ...]]]:
        return {(sample.name, tuple(sorted(sample.labels.items()))) for sample in self.samples}

    def value(self, name: str, **labels: str) -> float:
        """The sum over the samples that have at least these labels; an error where there are none."""
        found = [one.value for one in self.samples if one.name == name and labels.items() <= one.labels.items()]
        assert found, (name, labels)
        return sum(found)

    def labels(self, name: str, label: str) -> set[str]:
        return {sample.labels[label] for sample in self.samples if sample.name == name}


def fetch(
    url: str, method: str = "GET", body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request(
            method, parts.path, body, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.headers.items()}, response.read()
    finally:
        connection.close()


def scraped(url: str) -> Page:
    status, _, body = fetch(url)
    assert status == 200, body
    return Page(body.decode())


def metrics_url(server: Server) -> str:
    """Where the server says that its metrics are; it says so before it serves MCP."""
    said: dict[str, Any] = server.wait_for(r"^serving metrics at ")
    return str(said["message"]).removeprefix("serving metrics at ")


def until(look: Callable[[], Found]) -> Found:
    """What ``look`` finds in another process, as soon as it is something."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not (found := look()):
        assert time.monotonic() < deadline, look
        time.sleep(POLL_SECONDS)
    return found
