"""Pages of metrics, read as a scraper reads them."""

from __future__ import annotations

from typing import Any

from prometheus_client.openmetrics import parser as open_metrics
from prometheus_client.parser import text_string_to_metric_families

from asked import fetch
from processes import Server


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


def scraped(url: str) -> Page:
    status, _, body = fetch(url)
    assert status == 200, body
    return Page(body.decode())


def metrics_url(server: Server) -> str:
    """Where the server says that its metrics are; it says so before it serves MCP."""
    said: dict[str, Any] = server.wait_for(r"^serving metrics at ")
    return str(said["message"]).removeprefix("serving metrics at ")
