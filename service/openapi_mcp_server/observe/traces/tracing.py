"""Traces by OpenTelemetry's data model and conventions: a span for each MCP request, one for what it asks of the API.

Nothing is kept or computed of a trace that is not recorded but its ids, which are passed on. Of one that is, the two
spans are made when the call is over, from its record, and handed to the outboxes. (OpenTelemetry's own span objects
collect them on the way, under a lock each: 23 us of CPU a call instead of 4.)
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.sdk.version import __version__ as sdk_version
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from openapi_mcp_server import __version__
from openapi_mcp_server.bridge.http_messages import HttpRequest
from openapi_mcp_server.bridge.model import Tool
from openapi_mcp_server.mcp.inbound import Call
from openapi_mcp_server.observe.record import CallRecord, Transport
from openapi_mcp_server.observe.trace import Carrier, Trace, untraced
from openapi_mcp_server.observe.traces import propagation, sampling
from openapi_mcp_server.observe.traces.outbox import CallSpans, Exporter, Outbox, Sign
from openapi_mcp_server.observe.traces.propagation import Parent
from openapi_mcp_server.observe.traces.sampling import Decide, XRayRules
from openapi_mcp_server.observe.traces.xray import ECS_ORIGIN, XRayExporter
from openapi_mcp_server.observe.traces.xray_rules import RulePoller
from openapi_mcp_server.settings.tracing import Tracing

UNTRACED_METHODS = frozenset({"ping"})
"""Say nothing of what the server does, and would take the place of what does among those that are sampled."""
PORT_DIGITS = 5

_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_FINE, _FAILED = Status(StatusCode.UNSET), Status(StatusCode.ERROR)


class Tracer:
    """Begins traces; one for the whole process. `start` before the first, `close` after the last."""

    def __init__(self, config: Tracing, decide: Decide, outboxes: Sequence[Outbox], poller: RulePoller | None) -> None:
        self._decide = decide
        self._poller = poller
        self._dated_ids = config.to_xray
        self._follows_parent = config.follows_parent
        self.propagators = config.propagators
        self.outboxes = tuple(outboxes)
        self.resource = Resource(_described(config))
        self.scope = InstrumentationScope("openapi-mcp-server", __version__)

    def begin(self, call: Call, transport: Transport, carrier: Carrier) -> Trace:
        """The trace of a call that has come in; a `trace.Begin`."""
        if call.method in UNTRACED_METHODS:
            return untraced(call, transport, carrier)
        parent = propagation.parent(call, carrier, self.propagators)
        trace_id = parent.trace_id if parent else self._new_id()
        if parent is not None and parent.sampled is not None and self._follows_parent:
            is_sampled = parent.sampled
        else:
            is_sampled = self._decide(trace_id, call, carrier)
        own = Parent(trace_id, random.getrandbits(64), is_sampled, parent.state if parent else "")
        return _Recorded(self, call, carrier, parent, own) if is_sampled else _Passed(self, own)

    def dropped(self) -> dict[str, int]:
        """Spans by the name of their exporter; for the log's last line and for metrics."""
        return {outbox.name: outbox.dropped for outbox in self.outboxes}

    def start(self) -> None:
        if self._poller is not None:
            self._poller.start()

    def close(self, deadline_seconds: float) -> None:
        """Blocks until everything is delivered, at most so long."""
        if self._poller is not None:
            self._poller.stop()
        end = time.monotonic() + deadline_seconds
        for outbox in self.outboxes:
            outbox.close(max(0.0, end - time.monotonic()))

    def _new_id(self) -> int:
        """A new id of a trace. X-Ray's begin with the time, in seconds."""
        if self._dated_ids:
            return (int(time.time()) << 96) | random.getrandbits(96)
        return random.getrandbits(128)


def tracer(config: Tracing, sign: Sign | None = None) -> Tracer:
    """Everything behind it made and connected; nothing is sent yet. ``sign``: for a collector that asks for it."""
    decide, poller = _sampler(config)
    return Tracer(config, decide, [Outbox(exporter) for exporter in _exporters(config, sign)], poller)


def _exporters(config: Tracing, sign: Sign | None) -> Iterator[Exporter]:
    if config.to_xray:
        yield XRayExporter(config.daemon_udp, _described(config), _origin(config))
    if config.otlp is not None:
        from openapi_mcp_server.observe.traces.otlp import OtlpExporter  # noqa: PLC0415 - what it sends with takes 6 MB

        yield OtlpExporter(config.otlp, sign)


def _sampler(config: Tracing) -> tuple[Decide, RulePoller | None]:
    match config.sampler:
        case "always_on":
            return sampling.always, None
        case "always_off":
            return sampling.never, None
        case "traceidratio":
            return sampling.part(config.ratio), None
        case "xray":
            rules = XRayRules(config.service_name, _origin(config) or "")
            return rules, RulePoller(rules, config.daemon_tcp)


def _origin(config: Tracing) -> str | None:
    return ECS_ORIGIN if config.in_ecs else None


def _described(config: Tracing) -> dict[str, str]:
    return {
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": sdk_version,
        "service.version": __version__,
        **config.resource,
        "service.name": config.service_name,
    }


class _Passed:
    """A trace that is not recorded here, and is passed on, since others may record it."""

    __slots__ = ("_own", "_tracer", "trace_id")

    def __init__(self, tracer: Tracer, own: Parent) -> None:
        self._tracer = tracer
        self._own = own
        self.trace_id = ""

    def sending(self, request: HttpRequest, tool: Tool) -> HttpRequest:  # noqa: ARG002 - the protocol's
        return propagation.passed_on(request, self._own, self._tracer.propagators)

    def end(self, record: CallRecord) -> None:
        pass


class _Recorded:
    """A trace that is recorded: at its end, its spans go to every outbox."""

    __slots__ = ("_began", "_call", "_carrier", "_own", "_parent", "_sent", "_tool", "_tracer", "_upstream", "trace_id")

    def __init__(self, tracer: Tracer, call: Call, carrier: Carrier, parent: Parent | None, own: Parent) -> None:
        self._tracer = tracer
        self._call = call
        self._carrier = carrier
        self._parent = parent
        self._own = own
        self._began = time.time_ns()
        self._tool: Tool | None = None
        self._upstream = own
        self._sent = 0
        self.trace_id = f"{own.trace_id:032x}"

    def sending(self, request: HttpRequest, tool: Tool) -> HttpRequest:
        """All that is sent for a call is of one span, also what is sent again with fresh credentials."""
        if self._tool is None:
            self._tool = tool
            self._sent = time.time_ns()
            self._upstream = self._own._replace(span_id=random.getrandbits(64))
        return propagation.passed_on(request, self._upstream, self._tracer.propagators)

    def end(self, record: CallRecord) -> None:
        own = _context(self._own)
        spans: CallSpans = (self._request_span(record, own),)
        if self._tool is not None:
            spans += (self._upstream_span(record, own, self._tool),)
        for outbox in self._tracer.outboxes:
            outbox.put(spans)

    def _request_span(self, record: CallRecord, own: SpanContext) -> ReadableSpan:
        attributes = _request_attributes(record, self._call, self._carrier)
        target = attributes.get("gen_ai.tool.name") or attributes.get("gen_ai.prompt.name")
        named = self._parent is not None and self._parent.span_id
        return ReadableSpan(
            name=f"{record.method} {target}" if target else record.method,
            context=own,
            parent=_context(self._parent, is_remote=True) if self._parent and named else None,
            resource=self._tracer.resource,
            attributes=attributes,
            links=self._links(),
            kind=SpanKind.SERVER,
            status=_status(record),
            start_time=self._began,
            end_time=self._began + int(record.seconds * 1e9),
            instrumentation_scope=self._tracer.scope,
        )

    def _links(self) -> tuple[Link, ...]:
        """The link to the trace of the HTTP request, where the message in it belongs to another one."""
        if not self._call.traceparent:
            return ()
        carried = propagation.carried(self._carrier, self._tracer.propagators)
        if carried is None or not carried.span_id or carried == self._parent:
            return ()
        return (Link(_context(carried, is_remote=True)),)

    def _upstream_span(self, record: CallRecord, own: SpanContext, tool: Tool) -> ReadableSpan:
        attributes = _upstream_attributes(record, tool)
        return ReadableSpan(
            name=f"{tool.method} {attributes['url.template']}",
            context=_context(self._upstream),
            parent=own,
            resource=self._tracer.resource,
            attributes=attributes,
            kind=SpanKind.CLIENT,
            status=_FAILED if "error.type" in attributes else _FINE,
            start_time=self._sent,
            end_time=self._sent + int(record.upstream_seconds * 1e9),
            instrumentation_scope=self._tracer.scope,
        )


def _status(record: CallRecord) -> Status:
    """With the kind of a tool's error, which ``error.type`` does not tell."""
    if record.outcome == "ok":
        return _FINE
    return Status(StatusCode.ERROR, record.error) if record.outcome == "tool_error" and record.error else _FAILED


def _request_attributes(record: CallRecord, call: Call, carrier: Carrier) -> dict[str, Any]:
    """OpenTelemetry, Semantic conventions for MCP, Server. No argument and no result of a tool is among them.

    Of a message that came over HTTP those for HTTP, too: X-Ray shows traces by them.
    """
    attributes: dict[str, Any] = {
        "mcp.method.name": record.method,
        "mcp.protocol.version": record.version,
        "jsonrpc.request.id": str(call.id),
        "network.transport": "pipe" if record.transport == "stdio" else "tcp",
    }
    if record.tool:
        attributes["gen_ai.operation.name"] = "execute_tool"
        attributes["gen_ai.tool.name"] = record.tool
    elif record.method == "prompts/get" and record.outcome == "ok":  # else it is a name that the client made up
        attributes["gen_ai.prompt.name"] = call.name
    if carrier.path:
        attributes |= {"http.request.method": "POST", **_server(carrier.host), "url.path": carrier.path}
        if record.outcome != "cancelled":  # else nobody was there to be answered
            attributes["http.response.status_code"] = 202 if record.transport == "sse" else 200
    if record.error_type:
        attributes["error.type"] = record.error_type
    if record.outcome in {"protocol_error", "internal_error"}:
        attributes["rpc.response.status_code"] = record.error
    return attributes


def _server(host: str) -> dict[str, str | int]:
    """The name and the port of a Host header."""
    name, _, port = host.rpartition(":")
    is_port = len(port) <= PORT_DIGITS and port.isascii() and port.isdigit()
    return {"server.address": name, "server.port": int(port)} if is_port else {"server.address": host}


def _upstream_attributes(record: CallRecord, tool: Tool) -> dict[str, Any]:
    """OpenTelemetry, Semantic conventions for HTTP, Client; but for url.full, whose values are the caller's."""
    attributes: dict[str, Any] = {
        "http.request.method": tool.method,
        "url.scheme": tool.origin.scheme,
        "server.address": tool.origin.host,
        "server.port": tool.origin.port,
        "url.template": _template(tool),
    }
    if record.retries:
        attributes["http.request.resend_count"] = record.retries
    if record.status is not None:
        attributes["http.response.status_code"] = record.status
        if record.status >= 400:
            attributes["error.type"] = str(record.status)
    else:
        attributes["error.type"] = record.error if record.outcome == "tool_error" else record.outcome
    return attributes


def _template(tool: Tool) -> str:
    """The path as the document writes it, that of the base URL included."""
    return "".join(part if isinstance(part, str) else f"{{{tool.slots[part].name}}}" for part in tool.path)


def _context(named: Parent, *, is_remote: bool = False) -> SpanContext:
    state = TraceState.from_header([named.state]) if named.state else None
    return SpanContext(named.trace_id, named.span_id, is_remote, _SAMPLED, state)
