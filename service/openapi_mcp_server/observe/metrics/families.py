"""The table of metrics: how each is called, what it is labelled with and what it says. docs/monitoring.md has the same.

Names are those of OpenTelemetry's conventions for MCP, spelt for Prometheus; what they have no name for begins with
``openapi_mcp_``. A scrape has to stay small and a client must not be able to make it grow, so every label comes from a
closed set: tools and APIs from the catalog, methods and revisions from what is served, errors from our own tree,
statuses from the registry of HTTP.
"""

from __future__ import annotations

from typing import Literal

import msgspec

MetricKind = Literal["counter", "gauge", "histogram"]


class Family(msgspec.Struct, frozen=True):
    """One row of the table below; docs/monitoring.md has the same."""

    name: str
    kind: MetricKind
    labels: tuple[str, ...]
    help: str


_TOOL = "gen_ai_tool_name"
OPERATIONS = Family(
    "mcp_server_operation_duration_seconds",
    "histogram",
    (_TOOL, "mcp_method_name", "error_type", "mcp_protocol_version", "transport"),
    "Time from a message to its answer",
)
TOOL_ERRORS = Family(
    "openapi_mcp_tool_errors_total", "counter", (_TOOL, "error_type"), "Results with isError, by kind of error"
)
REQUEST_BYTES = Family("openapi_mcp_request_bytes_total", "counter", (_TOOL,), "Bytes of calls")
RESPONSE_BYTES = Family("openapi_mcp_response_bytes_total", "counter", (_TOOL,), "Bytes of answers to calls")
RESULT_TOKENS = Family(
    "openapi_mcp_result_tokens_total", "counter", (_TOOL,), "Estimated tokens of results that models were given"
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
    "Requests by the status of the API's answer, or by the error without one",
)
RETRIES = Family("openapi_mcp_upstream_retries_total", "counter", ("api",), "Attempts after the first")
BREAKERS = Family(
    "openapi_mcp_breaker_state",
    "gauge",
    ("origin", "state"),
    "1 for the state that an API's circuit breaker is in: closed, half_open, open",
)
IN_FLIGHT = Family("openapi_mcp_calls_in_flight", "gauge", (), "Messages that are being answered")
WAITING = Family(
    "openapi_mcp_calls_waiting", "gauge", (), "Calls that wait for a connection to an API, or for their turn"
)
HELD_BYTES = Family("openapi_mcp_held_bytes", "gauge", (), "Bytes that are kept for clients")
BUDGET_BYTES = Family(
    "openapi_mcp_memory_budget_bytes", "gauge", (), "The most bytes that may be kept for clients: MEMORY_BUDGET_BYTES"
)
NO_ROOM = Family(
    "openapi_mcp_no_room_total", "counter", (), "Messages, calls and answers that were refused for lack of memory"
)
SESSIONS = Family("openapi_mcp_sse_sessions", "gauge", (), "Open sessions of HTTP+SSE")
REFUSED = Family(
    "openapi_mcp_refused_requests_total",
    "counter",
    ("status",),
    "HTTP requests that were refused before a message was carried out, by status: 401, 403, 413, 429, …",
)
FORWARDED = Family(
    "openapi_mcp_sse_forwarded_total",
    "counter",
    ("outcome",),
    "Messages for sessions of other tasks, by outcome: passed, gone, broken",
)
DROPPED_SPANS = Family(
    "openapi_mcp_dropped_spans_total",
    "counter",
    ("exporter",),
    "Spans that could not be delivered, where calls are traced",
)
STATE = Family("openapi_mcp_state", "gauge", ("state",), "1 for the state of the process: starting, ready, draining")
DRAIN_SECONDS = Family("openapi_mcp_drain_seconds", "gauge", (), "Seconds since the process was told to stop, else 0")
GIVEN_UP = Family("openapi_mcp_calls_given_up_total", "counter", (), "Calls that a stop did not wait for any longer")
RESTARTS = Family(
    "openapi_mcp_worker_restarts_total",
    "counter",
    ("reason",),
    "Times that a worker was started again, where there are several: asked, failed",
)
TOOLS = Family("openapi_mcp_tools", "gauge", ("api",), "Operations that are served as tools")
SKIPPED = Family("openapi_mcp_skipped_operations", "gauge", ("api",), "Operations that became no tool")
RELOADS = Family(
    "openapi_mcp_reloads_total",
    "counter",
    ("outcome",),
    "Times that the documents were read again: unchanged, changed, failed",
)
RELOADED = Family(
    "openapi_mcp_last_reload_successful",
    "gauge",
    (),
    "0 if the documents could not be used when they were last read again, else 1",
)
SHARED_UP = Family(
    "openapi_mcp_shared_state_up", "gauge", (), "1 while the store of SHARED_STATE answers, else 0, where it is set"
)
SHARED_FALLBACKS = Family(
    "openapi_mcp_shared_state_fallbacks_total",
    "counter",
    (),
    "Turns that a task gave from its own share of a limit, since the store of SHARED_STATE did not answer",
)
BUILD = Family("openapi_mcp_build_info", "gauge", ("version",), "1, with the version of this server")

BY_TOOL = (REQUEST_BYTES, RESPONSE_BYTES, RESULT_TOKENS, TRUNCATED, MISMATCHES)
