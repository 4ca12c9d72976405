"""A tracer whose spans a test gets to see, and calls to begin traces with."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.sdk.trace import ReadableSpan

from openapi_mcp_server.mcp.inbound import Call
from openapi_mcp_server.observe.trace import NO_CARRIER, Carrier
from openapi_mcp_server.observe.traces import sampling
from openapi_mcp_server.observe.traces.outbox import CallSpans, Delivery, Outbox
from openapi_mcp_server.observe.traces.sampling import Decide
from openapi_mcp_server.observe.traces.tracing import Tracer
from openapi_mcp_server.settings.config import load
from openapi_mcp_server.settings.tracing import Tracing
from records import record


class Kept:
    """An exporter that keeps what it is given."""

    name = "kept"
    gather_seconds = 0.0

    def __init__(self) -> None:
        self.calls: list[CallSpans] = []

    def deliver(self, calls: Sequence[CallSpans]) -> Delivery:
        self.calls += calls
        return Delivery()

    def close(self) -> None:
        pass


def settings(to: str = "xray", **environ: str) -> Tracing:
    found = load(["demo"], {"TRACING": to, **environ}, lambda path: path).tracing
    assert found is not None
    return found


class Seen:
    """``tracer`` is to be given to a gateway; `spans` is what it has recorded, call by call, and ends it."""

    def __init__(self, to: str = "xray", decide: Decide = sampling.always, **environ: str) -> None:
        self._kept = Kept()
        self._outbox = Outbox(self._kept)
        self.tracer = Tracer(settings(to, **environ), decide, [self._outbox], None)

    def spans(self) -> list[CallSpans]:
        self.tracer.close(10)
        return self._kept.calls


def call(method: str = "tools/call", name: str = "get_pet", **more: str) -> Call:
    return Call(id=1, method=method, version="2025-11-25", size=9, name=name, **more)


def recorded(carrier: Carrier = NO_CARRIER, asked: Call | None = None, **changes: object) -> CallSpans:
    """The spans of a call that sent nothing."""
    seen = Seen()
    seen.tracer.begin(asked or call(), "http", carrier).end(record(**changes))
    [spans] = seen.spans()
    return spans


def parent_id(span: ReadableSpan) -> int | None:
    return span.parent.span_id if span.parent else None
