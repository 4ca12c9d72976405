"""Metrics of calls for Prometheus. They exist only if they are asked for, and in a registry of their own."""

from __future__ import annotations

import http
import time
from bisect import bisect_left
from collections import Counter as Counts
from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate
from typing import Generic, NamedTuple, TypeVar

from prometheus_client import PlatformCollector, ProcessCollector, exposition
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar

from openapi_mcp_server import __version__
from openapi_mcp_server.bridge.model import ToolCatalog
from openapi_mcp_server.errors import Refused
from openapi_mcp_server.memory import Budget
from openapi_mcp_server.observe.metrics import families
from openapi_mcp_server.observe.metrics.families import Family
from openapi_mcp_server.observe.record import CallRecord

LABEL_SETS = 1_000
"""The most sets of labels in each family by tool. The histogram makes 17 series of one: at worst a page of 22,000 lines
and 4 MB (120 kB as gzip), which takes a thread 0.3 s. Calls of whatever tools come after are counted under the tool
`OTHER`."""
OTHER = "_OTHER"
"""The word of OpenTelemetry for a value outside of the known ones."""
SECONDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300)
"""Upper bounds of a duration's buckets (OpenTelemetry, MCP metrics)."""

STATES = ("starting", "ready", "draining")
BREAKER_STATES = ("closed", "half_open", "open")

Read = Callable[[], Mapping[tuple[str, ...], float]]
"""Values by label values, at every scrape."""

_BOUNDS = [*(str(float(bound)) for bound in SECONDS), "+Inf"]
_STATUSES = frozenset(int(status) for status in http.HTTPStatus)
"""An API may make up hundreds of others: of those only the class is told."""


class Metrics:
    """Observes calls, follows gauges, writes pages. One for the process.

    What is measured is kept in values of our own: the library's take locks and checks, five times the work, in the
    path of every call. Only one thread observes; the one that writes a page copies before it reads.
    """

    def __init__(self) -> None:
        self._durations = _ByTool(_Histogram)
        self._tools = _ByTool(lambda: [0.0] * len(families.BY_TOOL))
        self._errors = _ByTool(_Counter)
        self._answers: dict[tuple[str, int | None, str], _Answers] = {}
        self._upstream_seconds: dict[tuple[str, ...], _Histogram] = {}
        self._upstream_requests: dict[tuple[str, ...], _Counter] = {}
        self._retries: dict[tuple[str, ...], _Counter] = {}
        self._gauges: dict[Family, Read] = {families.BUILD: lambda: {(__version__,): 1}}
        self._process = (ProcessCollector(registry=None), PlatformCollector(registry=None))

    def load(self, catalog: ToolCatalog) -> None:
        """Takes the catalog that is served."""
        skipped = Counts(each.api for each in catalog.skipped)
        self._gauges[families.TOOLS] = lambda: {(api.name,): api.tools for api in catalog.apis}
        self._gauges[families.SKIPPED] = lambda: {(api.name,): skipped[api.name] for api in catalog.apis}
        for api in catalog.apis:
            self._retries.setdefault((api.name,), _Counter())  # `rate` sees the first only where there was a zero

    def follow_state(self, read: Callable[[], str]) -> None:
        """``read``: one of `STATES`."""
        self._gauges[families.STATE] = lambda: _one_of(STATES, read())

    def follow_calls(self, in_flight: Callable[[], int], waiting: Callable[[], int]) -> None:
        self._gauges[families.IN_FLIGHT] = lambda: {(): in_flight()}
        self._gauges[families.WAITING] = lambda: {(): waiting()}

    def follow_stop(self, seconds: Callable[[], float], given_up: Callable[[], int]) -> None:
        """``seconds``: since the process was told to stop, 0 before that."""
        self._gauges[families.DRAIN_SECONDS] = lambda: {(): seconds()}
        self._gauges[families.GIVEN_UP] = lambda: {(): given_up()}

    def follow_memory(self, memory: Budget) -> None:
        self._gauges[families.HELD_BYTES] = lambda: {(): memory.held}
        self._gauges[families.BUDGET_BYTES] = lambda: {(): memory.limit}
        self._gauges[families.NO_ROOM] = lambda: {(): memory.refusals}

    def follow_sessions(self, read: Callable[[], int]) -> None:
        self._gauges[families.SESSIONS] = lambda: {(): read()}

    def follow_refused(self, by_status: Mapping[int, int]) -> None:
        """``by_status``: requests so far; a status may be new while a page is written."""
        self._gauges[families.REFUSED] = lambda: {(str(status),): count for status, count in dict(by_status).items()}

    def follow_forwarded(self, outcomes: Mapping[str, int]) -> None:
        """``outcomes``: messages for sessions of other tasks so far, by what became of them."""
        self._gauges[families.FORWARDED] = lambda: {(outcome,): count for outcome, count in outcomes.items()}

    def follow_dropped_spans(self, read: Callable[[], Mapping[str, int]]) -> None:
        """``read``: by the name of the exporter."""
        self._gauges[families.DROPPED_SPANS] = lambda: {(name,): spans for name, spans in read().items()}

    def follow_reloads(self, outcomes: Mapping[str, int], is_failing: Callable[[], bool]) -> None:
        """``outcomes``: how many came to each so far; it is read at every scrape."""
        self._gauges[families.RELOADS] = lambda: {(outcome,): count for outcome, count in outcomes.items()}
        self._gauges[families.RELOADED] = lambda: {(): float(not is_failing())}

    def follow_shared_state(self, is_up: Callable[[], bool], fallbacks: Callable[[], int]) -> None:
        self._gauges[families.SHARED_UP] = lambda: {(): float(is_up())}
        self._gauges[families.SHARED_FALLBACKS] = lambda: {(): fallbacks()}

    def follow_breakers(self, read: Callable[[], Mapping[str, str]]) -> None:
        """``read``: the state of the breaker before each origin, one of `BREAKER_STATES`."""
        self._gauges[families.BREAKERS] = lambda: {
            (origin, *state): value
            for origin, now in read().items()
            for state, value in _one_of(BREAKER_STATES, now).items()
        }

    def __call__(self, record: CallRecord) -> None:
        """An observer of calls (`openapi_mcp_server.observe.record.Observe`)."""
        duration = self._durations.of(
            record.tool, record.method or OTHER, record.error_type, record.version, record.transport
        )
        duration.observe(record.seconds, record.trace_id)
        if record.tool:
            self._count_tool(record)
        if record.upstream_seconds:
            self._count_upstream(record)

    def page(self, *, open_metrics: bool) -> Callable[[], bytes]:
        """A function that writes everything, in OpenMetrics 1.0.0 or in the text format 0.0.4, and takes its time: a
        thread may do it. Gauges are read now: what they read belongs to the caller.
        """
        gauges = [_samples(family, read()) for family, read in self._gauges.items()]
        write = openmetrics.generate_latest if open_metrics else exposition.generate_latest
        return lambda: write(_Page([*self._collect(), *gauges]))

    def _collect(self) -> Iterable[Metric]:
        yield _histogram(families.OPERATIONS, self._durations.made)
        yield _counter(families.TOOL_ERRORS, self._errors.made)
        tools = list(self._tools.made.items())
        for index, family in enumerate(families.BY_TOOL):
            yield _samples(family, {labels: counts[index] for labels, counts in tools})
        yield _histogram(families.UPSTREAM_SECONDS, self._upstream_seconds)
        yield _counter(families.UPSTREAM_REQUESTS, self._upstream_requests)
        yield _counter(families.RETRIES, self._retries)
        for collector in self._process:
            yield from collector.collect()

    def _count_tool(self, record: CallRecord) -> None:
        counts = self._tools.of(record.tool)
        counts[0] += record.request_bytes
        counts[1] += record.response_bytes
        counts[2] += record.result_tokens
        counts[3] += record.truncated
        counts[4] += record.mismatch
        if record.outcome == "tool_error":
            self._errors.of(record.tool, record.error or _status_class(record.status)).count += 1

    def _count_upstream(self, record: CallRecord) -> None:
        key = (record.api, record.status, record.error or record.outcome if record.status is None else "")
        answers = self._answers.get(key)
        if answers is None:
            answers = self._answers[key] = self._new_answers(*key)
        answers.seconds.observe(record.upstream_seconds, record.trace_id)
        answers.requests.count += 1
        if record.retries:
            self._retries.setdefault((record.api,), _Counter()).count += record.retries

    def _new_answers(self, api: str, status: int | None, error: str) -> _Answers:
        status_class = _status_class(status)
        shown = str(status) if status in _STATUSES else status_class
        is_refused = error == Refused.__name__  # by us: the time is none of the API's
        seconds = _Histogram() if is_refused else self._upstream_seconds.setdefault((api, status_class), _Histogram())
        return _Answers(
            seconds,
            self._upstream_requests.setdefault((api, shown, error), _Counter()),
        )


class _Page(Collector):
    """The families of a page, which the library writes."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


class _Counter:
    """A counter of one label set."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0.0


class _Histogram:
    """A histogram of one label set, with the last trace in each bucket."""

    __slots__ = ("counts", "exemplars", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(SECONDS) + 1)
        self.total = 0.0
        self.exemplars: dict[int, Exemplar] = {}

    def observe(self, seconds: float, trace_id: str) -> None:
        bucket = bisect_left(SECONDS, seconds)
        self.counts[bucket] += 1
        self.total += seconds
        if trace_id:
            self.exemplars[bucket] = Exemplar({"trace_id": trace_id}, seconds, time.time())

    def buckets(self) -> list[tuple[str, float] | tuple[str, float, Exemplar]]:
        """(upper bound, observations up to it, and the exemplar where there is one)"""
        bounded = enumerate(zip(_BOUNDS, accumulate(list(self.counts)), strict=True))
        return [(*bucket, self.exemplars[index]) if index in self.exemplars else bucket for index, bucket in bounded]


class _Answers(NamedTuple):
    """The answers of an API with one status."""

    seconds: _Histogram
    requests: _Counter


Value = TypeVar("Value")


class _ByTool(Generic[Value]):
    """Values by their labels, of which the tool is the first; at most `LABEL_SETS`, and those of the tool `OTHER`."""

    def __init__(self, make: Callable[[], Value]) -> None:
        self.made: dict[tuple[str, ...], Value] = {}
        self._make = make

    def of(self, *labels: str) -> Value:
        value = self.made.get(labels)
        return self._new(*labels) if value is None else value

    def _new(self, tool: str, *others: str) -> Value:
        if len(self.made) >= LABEL_SETS and tool not in {"", OTHER}:
            return self.of(OTHER, *others)
        value = self.made[tool, *others] = self._make()
        return value


def _histogram(family: Family, values: dict[tuple[str, ...], _Histogram]) -> Metric:
    metric = HistogramMetricFamily(family.name, family.help, labels=family.labels)
    for labels, value in list(values.items()):
        metric.add_metric(labels, value.buckets(), value.total)
    return metric


def _counter(family: Family, values: dict[tuple[str, ...], _Counter]) -> Metric:
    return _samples(family, {labels: value.count for labels, value in list(values.items())})


def _samples(family: Family, values: Mapping[tuple[str, ...], float]) -> Metric:
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    metric = kind(family.name, family.help, labels=family.labels)
    for labels, value in values.items():
        metric.add_metric(labels, value)
    return metric


def _one_of(states: tuple[str, ...], now: str) -> dict[tuple[str, ...], float]:
    return {(state,): float(state == now) for state in states}


def _status_class(status: int | None) -> str:
    return "" if status is None else f"{status // 100}xx"
