"""Metrics of the calls for Prometheus: one registry of our own, made where metrics are asked for and nowhere else.

Names are those of OpenTelemetry's conventions for MCP, spelt for Prometheus; what they have no name for begins with
``openapi_mcp_``. A scrape has to stay small and a client must not be able to make it grow, so every label comes from a
closed set: tools and APIs from the catalog, methods and revisions from what is served, errors from our own tree,
statuses from the registry of HTTP; and the number of series that tools can make has a limit.
"""

from __future__ import annotations

import http
from collections import Counter as Counts
from collections.abc import Callable, Iterable, Mapping
from typing import Generic, Literal, TypeVar

import msgspec
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    exposition,
    values,
)
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from service import __version__
from service.bridge.model import ToolCatalog
from service.observe.record import CallRecord

LABEL_SETS = 1_000
"""Of each family by tool. The histogram makes 17 series of one: at worst a page of 22,000 lines and 4 MB (120 kB as
gzip), which takes a thread 0.3 s. Calls of whatever tools come after are counted under the tool `OTHER`."""
OTHER = "_OTHER"
"""What OpenTelemetry calls a value outside of the known ones."""
SECONDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300)
"""Upper bounds of a duration's buckets (OpenTelemetry, MCP metrics)."""
TOOL_ERROR = "tool_error"
"""The type of error of a result with isError (the same conventions)."""

STATES = ("starting", "ready", "draining")
BREAKER_STATES = ("closed", "half_open", "open")

Kind = Literal["counter", "gauge", "histogram"]
Read = Callable[[], Mapping[tuple[str, ...], float]]
"""Values by label values. Called in a thread, at every scrape."""

_STATUSES = frozenset(int(status) for status in http.HTTPStatus)
"""An API may make up hundreds of others: of those only the class is told."""


class Family(msgspec.Struct, frozen=True):
    """One row of the table below; docs/monitoring.md has the same."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str


_TOOL = "gen_ai_tool_name"
OPERATIONS = Family(
    "mcp_server_operation_duration_seconds",
    "histogram",
    ("mcp_method_name", _TOOL, "error_type", "mcp_protocol_version", "transport"),
    "Time from a message to its answer",
)
TOOL_ERRORS = Family(
    "openapi_mcp_tool_errors_total", "counter", (_TOOL, "error_type"), "Results with isError, by what went wrong"
)
REQUEST_BYTES = Family("openapi_mcp_request_bytes_total", "counter", (_TOOL,), "Bytes of calls")
RESPONSE_BYTES = Family("openapi_mcp_response_bytes_total", "counter", (_TOOL,), "Bytes of answers to calls")
RESULT_TOKENS = Family(
    "openapi_mcp_result_tokens_total", "counter", (_TOOL,), "About how many tokens models were given to read"
)
TRUNCATED = Family("openapi_mcp_truncated_results_total", "counter", (_TOOL,), "Results with a part of the answer cut")
MISMATCHES = Family(
    "openapi_mcp_output_mismatches_total", "counter", (_TOOL,), "Answers that did not fit their documented schema"
)
UPSTREAM_SECONDS = Family(
    "openapi_mcp_upstream_duration_seconds",
    "histogram",
    ("api", "status_class"),
    "Time that an API took, waiting for a connection and retries included",
)
UPSTREAM_REQUESTS = Family(
    "openapi_mcp_upstream_requests_total",
    "counter",
    ("api", "status", "error_type"),
    "Requests by the status that an API answered, or by why there was none",
)
RETRIES = Family("openapi_mcp_upstream_retries_total", "counter", ("api",), "Attempts after the first")
BREAKERS = Family(
    "openapi_mcp_breaker_state", "gauge", ("api", "state"), "1 for the state that the API's circuit breaker is in"
)
IN_FLIGHT = Family("openapi_mcp_calls_in_flight", "gauge", (), "Messages that are being answered")
SESSIONS = Family("openapi_mcp_sse_sessions", "gauge", (), "Open sessions of HTTP+SSE")
STATE = Family("openapi_mcp_state", "gauge", ("state",), "1 for the state of the process: starting, ready, draining")
TOOLS = Family("openapi_mcp_tools", "gauge", ("api",), "Operations that are served as tools")
SKIPPED = Family("openapi_mcp_skipped_operations", "gauge", ("api",), "Operations that became no tool")
BUILD = Family("openapi_mcp_build_info", "gauge", ("version",), "1, with the version of this server")

FAMILIES = (
    OPERATIONS,
    TOOL_ERRORS,
    REQUEST_BYTES,
    RESPONSE_BYTES,
    RESULT_TOKENS,
    TRUNCATED,
    MISMATCHES,
    UPSTREAM_SECONDS,
    UPSTREAM_REQUESTS,
    RETRIES,
    BREAKERS,
    IN_FLIGHT,
    SESSIONS,
    STATE,
    TOOLS,
    SKIPPED,
    BUILD,
)


class Metrics:
    """Observes calls, reads gauges, writes pages. One for the process."""

    def __init__(self) -> None:
        # What other programs of the same image may set in the environment is not for us: see docs/adr/0014.
        values.ValueClass = values.MutexValue
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._gauges = _Gauges()
        self._registry.register(self._gauges)
        operations = self._histogram(OPERATIONS)
        self._durations = _ByTool(lambda tool, method, *others: operations.labels(method, tool, *others))
        by_tool = [
            self._counter(family) for family in (REQUEST_BYTES, RESPONSE_BYTES, RESULT_TOKENS, TRUNCATED, MISMATCHES)
        ]
        self._tools = _ByTool(lambda tool: [family.labels(tool) for family in by_tool])
        self._errors = _ByTool(self._counter(TOOL_ERRORS).labels)
        self._upstream_seconds = self._histogram(UPSTREAM_SECONDS)
        self._upstream_requests = self._counter(UPSTREAM_REQUESTS)
        self._retries = self._counter(RETRIES)
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._follow(BUILD, lambda: {(__version__,): 1})

    def load(self, catalog: ToolCatalog) -> None:
        """What is served. Series that a first event would otherwise begin exist from now on: `rate` sees that event."""
        skipped = Counts(each.api for each in catalog.skipped)
        self._follow(TOOLS, lambda: {(api.name,): api.tools for api in catalog.apis})
        self._follow(SKIPPED, lambda: {(api.name,): skipped[api.name] for api in catalog.apis})
        for api in catalog.apis:
            self._retries.labels(api.name)

    def follow_state(self, read: Callable[[], str]) -> None:
        self._follow(STATE, lambda: _one_of(STATES, read()))

    def follow_calls(self, read: Callable[[], int]) -> None:
        self._follow(IN_FLIGHT, lambda: {(): read()})

    def follow_sessions(self, read: Callable[[], int]) -> None:
        self._follow(SESSIONS, lambda: {(): read()})

    def follow_breakers(self, read: Callable[[], Mapping[str, str]]) -> None:
        """``read``: the state of each API's breaker, one of `BREAKER_STATES`."""
        self._follow(
            BREAKERS,
            lambda: {
                (api, *state): value
                for api, now in read().items()
                for state, value in _one_of(BREAKER_STATES, now).items()
            },
        )

    def _follow(self, family: Family, read: Read) -> None:
        self._gauges.reads[family] = read

    def __call__(self, record: CallRecord) -> None:
        """An observer of calls (`service.observe.record.Observe`)."""
        exemplar = {"trace_id": record.trace_id} if record.trace_id else None
        duration = self._durations.of(
            record.tool, record.method or OTHER, _error_type(record), record.version, record.transport
        )
        duration.observe(record.seconds, exemplar)
        if record.tool:
            self._count_tool(record)
        if record.upstream_seconds:
            self._count_upstream(record, exemplar)

    def page(self, *, open_metrics: bool) -> bytes:
        """Everything, in the text format 0.0.4 or in OpenMetrics 1.0.0. May be called in a thread."""
        write = openmetrics.generate_latest if open_metrics else exposition.generate_latest
        return write(self._registry)

    def _count_tool(self, record: CallRecord) -> None:
        request, response, tokens, truncated, mismatches = self._tools.of(record.tool)
        request.inc(record.request_bytes)
        response.inc(record.response_bytes)
        tokens.inc(record.result_tokens)
        if record.truncated:
            truncated.inc()
        if record.mismatch:
            mismatches.inc()
        if record.outcome == "tool_error":
            self._errors.of(record.tool, record.error or _status_class(record.status)).inc()

    def _count_upstream(self, record: CallRecord, exemplar: dict[str, str] | None) -> None:
        status_class = _status_class(record.status)
        status = str(record.status) if record.status in _STATUSES else status_class
        error = "" if status else record.error or record.outcome
        self._upstream_seconds.labels(record.api, status_class).observe(record.upstream_seconds, exemplar)
        self._upstream_requests.labels(record.api, status, error).inc()
        if record.retries:
            self._retries.labels(record.api).inc(record.retries)

    def _counter(self, family: Family) -> Counter:
        return Counter(family.name, family.help, family.labels, registry=self._registry)

    def _histogram(self, family: Family) -> Histogram:
        return Histogram(family.name, family.help, family.labels, registry=self._registry, buckets=SECONDS)


Child = TypeVar("Child")


class _ByTool(Generic[Child]):
    """What is labelled with a tool, kept by its labels: to find it through `labels` costs four times as much."""

    def __init__(self, make: Callable[..., Child]) -> None:
        self._make = make
        self._made: dict[tuple[str, ...], Child] = {}

    def of(self, *labels: str) -> Child:
        """The tool is the first of the labels."""
        child = self._made.get(labels)
        return self._new(*labels) if child is None else child

    def _new(self, tool: str, *others: str) -> Child:
        if len(self._made) >= LABEL_SETS and tool not in {"", OTHER}:
            return self.of(OTHER, *others)
        child = self._made[tool, *others] = self._make(tool, *others)
        return child


class _Gauges(Collector):
    """What is asked for when a page is written."""

    def __init__(self) -> None:
        self.reads: dict[Family, Read] = {}

    def describe(self) -> Iterable[Metric]:
        return [GaugeMetricFamily(family.name, family.help) for family in FAMILIES if family.kind == "gauge"]

    def collect(self) -> Iterable[Metric]:
        for family, read in list(self.reads.items()):
            gauge = GaugeMetricFamily(family.name, family.help, labels=family.labels)
            for labels, value in read().items():
                gauge.add_metric(labels, value)
            yield gauge


def _one_of(states: tuple[str, ...], now: str) -> dict[tuple[str, ...], float]:
    return {(state,): float(state == now) for state in states}


def _error_type(record: CallRecord) -> str:
    match record.outcome:
        case "ok":
            return ""
        case "tool_error":
            return TOOL_ERROR
        case "cancelled":
            return "cancelled"
        case _:  # the JSON-RPC code
            return record.error


def _status_class(status: int | None) -> str:
    return "" if status is None else f"{status // 100}xx"
