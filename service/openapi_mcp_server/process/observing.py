"""The observers of calls: the log, the audit, the metrics, the page, the traces."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import anyio

from openapi_mcp_server.aside import run_in_thread
from openapi_mcp_server.documents.configured import address_rule
from openapi_mcp_server.errors import ConfigError
from openapi_mcp_server.observe import logs
from openapi_mcp_server.observe.record import CallRecord, Observe, to_each
from openapi_mcp_server.observe.trace import Begin, untraced
from openapi_mcp_server.settings.config import Config
from openapi_mcp_server.upstream.ways import way

if TYPE_CHECKING:
    from openapi_mcp_server.observe.metrics.metrics import Metrics
    from openapi_mcp_server.page.app import Page
    from openapi_mcp_server.upstream.credentials.aws.signing import SpanSigner

TRACE_SECONDS = 2.0
"""How long recorded spans may take to be delivered after the last call: what is left between the grace and the
platform's kill."""
TRACE_SECONDS_STDIO = 0.4
"""The same where a client has started the server, which it kills 2 s after it has closed standard input. Calls and
answers take little of them as a rule, and 1.75 s at most; then spans may be lost."""


class Tally:
    """Counts calls by outcome, for the last line of the log."""

    def __init__(self, config: Config) -> None:
        self._log = logs.call_logger(config.log_level)
        self._outcomes: Counter[str] = Counter()
        self._began = time.monotonic()
        self.dropped_spans: dict[str, int] = {}

    def __call__(self, record: CallRecord) -> None:
        if record.tool:
            self._outcomes[record.outcome] += 1
        self._log(record)

    def summary(self) -> dict[str, object]:
        return {
            "calls": self._outcomes.total(),
            **dict(sorted(self._outcomes.items())),
            "uptime_seconds": round(time.monotonic() - self._began, 1),
            **{f"dropped_spans_{exporter}": spans for exporter, spans in self.dropped_spans.items()},
        }


def observers(config: Config, tally: Tally, metrics: Metrics | None, page: Page | None) -> Observe:
    """One observer that passes each call on to all. ``metrics`` and ``page`` are None if they are off."""
    audits = config.audit in {"calls", "arguments"} or (config.audit == "auto" and config.inbound.kind != "none")
    told: list[Observe] = [tally]
    if audits:
        told.append(logs.audit_logger())
    if metrics is not None:
        told.append(metrics)
    if page is not None:
        told.append(page.activity)
    return tally if len(told) == 1 else to_each(*told)


@asynccontextmanager
async def traced(config: Config, tally: Tally, metrics: Metrics | None) -> AsyncIterator[Begin]:
    """Yields what begins traces, if any are to be; at the end, what is recorded is delivered."""
    if config.tracing is None:
        yield untraced
        return
    try:
        from openapi_mcp_server.observe.traces.tracing import tracer  # noqa: PLC0415 - OpenTelemetry, for those who want it
    except ModuleNotFoundError:
        raise ConfigError("TRACING", "needs OpenTelemetry: install openapi-mcp-service[tracing]") from None
    traces = tracer(config.tracing, _span_signer(config))
    if metrics is not None:
        metrics.follow_dropped_spans(traces.dropped)
    traces.start()
    try:
        yield traces.begin
    finally:
        deadline_seconds = TRACE_SECONDS_STDIO if config.transport == "stdio" else TRACE_SECONDS
        with anyio.CancelScope(shield=True):
            await run_in_thread(partial(traces.close, deadline_seconds))
        tally.dropped_spans = traces.dropped()


def _span_signer(config: Config) -> SpanSigner | None:
    """The signer of spans; None where nobody asks for signed ones."""
    otlp = None if config.tracing is None else config.tracing.otlp
    if otlp is None or not otlp.signed_for:
        return None
    from openapi_mcp_server.upstream.credentials.aws.signing import SpanSigner  # noqa: PLC0415 - for those who send them to AWS

    rule = address_rule(config)
    return SpanSigner(config.aws.values, rule, way(config.way, rule), otlp.signed_for)
