"""The interface by which the gateway reports a message to its trace. Without TRACING nobody listens; with it, `tracing`
does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from openapi_mcp_server.bridge.http_messages import HttpRequest
from openapi_mcp_server.bridge.model import Tool
from openapi_mcp_server.bridge.policy import ANYBODY, Principal
from openapi_mcp_server.mcp.inbound import Call
from openapi_mcp_server.observe.record import CallRecord, Transport


class Carrier(msgspec.Struct, frozen=True, kw_only=True):
    """The values that came beside a message over HTTP, empty where none did.

    ``request_id`` is that of the proxy, short and printable. The others are as the client wrote them; ``forwarded`` are
    the headers of FORWARD_HEADERS, by name in lower case.
    """

    request_id: str = ""
    traceparent: str = ""
    tracestate: str = ""
    amzn_trace_id: str = ""
    host: str = ""
    path: str = ""
    principal: Principal = ANYBODY
    forwarded: Mapping[str, str] = {}

    def __repr__(self) -> str:
        return f"Carrier({self.request_id!r}, {self.path!r})"


NO_CARRIER = Carrier()
"""stdio has nothing beside its messages."""


class Trace(Protocol):
    """One message's. ``trace_id`` is 32 hexadecimal digits, empty where the message is not recorded.

    Nothing here waits or raises.
    """

    trace_id: str

    def sending(self, request: HttpRequest, tool: Tool) -> HttpRequest:
        """The request with the headers that name its trace to the API."""

    def end(self, record: CallRecord) -> None:
        """Ends the trace: the message is answered or given up."""


Begin = Callable[[Call, Transport, Carrier], Trace]


class _Untraced:
    trace_id = ""

    def sending(self, request: HttpRequest, tool: Tool) -> HttpRequest:  # noqa: ARG002 - the protocol's
        return request

    def end(self, record: CallRecord) -> None:
        pass


_UNTRACED = _Untraced()


def untraced(call: Call, transport: Transport, carrier: Carrier) -> Trace:  # noqa: ARG001 - the protocol's
    """The trace that every call begins where nothing is traced."""
    return _UNTRACED
