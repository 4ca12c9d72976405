"""Which trace a message belongs to, as its client says, and how the API is told.

Three places may say it. What names the calling span comes before what names a trace only, and the message's own
``_meta`` before the headers that carried it, which may be an intermediary's (MCP, params._meta, and OpenTelemetry's
conventions for MCP, Context propagation). Whatever is malformed is as if it were not there.
"""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from typing import NamedTuple

import msgspec

from openapi_mcp_server.bridge.http_messages import HttpRequest
from openapi_mcp_server.mcp.inbound import Call
from openapi_mcp_server.observe.trace import Carrier
from openapi_mcp_server.settings.tracing import Propagator

STATE_CHARACTERS = 512
"""The most characters of a tracestate: what everybody must pass on (W3C Trace Context, tracestate Limits); a longer one
is lost."""
STATE_MEMBERS = 32
"""The most that it may have."""

_TRACEPARENT = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_STATE_MEMBER = re.compile(
    r"([a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})=[ -+\--<>-~]{0,255}[!-+\--<>-~]"
)
_ROOT = re.compile(r"1-([0-9a-f]{8})-([0-9a-f]{24})")
_SPAN_ID = re.compile(r"(?!0{16})[0-9a-f]{16}")
_OURS = frozenset({"traceparent", "tracestate", "x-amzn-trace-id"})


class Parent(NamedTuple):
    """``span_id`` 0: only the trace is named. ``sampled`` None: its client leaves that to us."""

    trace_id: int
    span_id: int
    sampled: bool | None
    state: str = ""


def parent(call: Call, carrier: Carrier, propagators: AbstractSet[Propagator]) -> Parent | None:
    """Where the message's trace comes from; None if it begins here."""
    if call.traceparent and "tracecontext" in propagators:
        own = _w3c(call.traceparent, call.tracestate)
        if own is not None:
            return own
    return carried(carrier, propagators)


def carried(carrier: Carrier, propagators: AbstractSet[Propagator]) -> Parent | None:
    """The parent that the headers alone name."""
    named = None
    if carrier.traceparent and "tracecontext" in propagators:
        named = _w3c(carrier.traceparent, carrier.tracestate)
    if named is None and carrier.amzn_trace_id and "xray" in propagators:
        named = _xray(carrier.amzn_trace_id)
    return named


def passed_on(request: HttpRequest, context: Parent, propagators: AbstractSet[Propagator]) -> HttpRequest:
    """The request with ``context`` in its headers. Those that an argument or the document has set are replaced."""
    headers = [header for header in request.headers if header[0].lower() not in _OURS]
    trace, span, sampled = f"{context.trace_id:032x}", f"{context.span_id:016x}", int(context.sampled or 0)
    if "tracecontext" in propagators:
        headers.append(("traceparent", f"00-{trace}-{span}-{sampled:02x}"))
        if context.state:
            headers.append(("tracestate", context.state))
    if "xray" in propagators:
        headers.append(("X-Amzn-Trace-Id", f"Root=1-{trace[:8]}-{trace[8:]};Parent={span};Sampled={sampled}"))
    return msgspec.structs.replace(request, headers=tuple(headers))


def _w3c(traceparent: str, tracestate: str) -> Parent | None:
    """W3C Trace Context, traceparent Header: a later version may have more fields, version 00 may not."""
    found = _TRACEPARENT.fullmatch(traceparent.strip(" \t"))
    if found is None or (found[1] == "00" and found[5]):
        return None
    return Parent(int(found[2], 16), int(found[3], 16), bool(int(found[4], 16) & 1), _state(tracestate))


def _state(tracestate: str) -> str:
    """The state as it came if it is whole, else nothing."""
    members = [
        stripped for member in tracestate[: STATE_CHARACTERS + 1].split(",") if (stripped := member.strip(" \t"))
    ]
    names = {found[1] for found in map(_STATE_MEMBER.fullmatch, members) if found}
    is_whole = len(names) == len(members) <= STATE_MEMBERS and len(tracestate) <= STATE_CHARACTERS
    return ",".join(members) if is_whole else ""


def _xray(header: str) -> Parent | None:
    """``Root=1-…;Parent=…;Sampled=1`` in any order and in part, as load balancers, API gateways and SDKs write it."""
    fields: dict[str, str] = {}
    for piece in header.split(";"):
        name, _, value = piece.partition("=")
        fields.setdefault(name.strip().lower(), value.strip().lower())
    root = _ROOT.fullmatch(fields.get("root", ""))
    if root is None or not int(root[1] + root[2], 16):
        return None
    span = _SPAN_ID.fullmatch(fields.get("parent", ""))
    sampled = {"1": True, "0": False}.get(fields.get("sampled", ""))
    return Parent(int(root[1] + root[2], 16), int(span[0], 16) if span else 0, sampled)
