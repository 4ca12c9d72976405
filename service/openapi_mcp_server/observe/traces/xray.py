"""Spans as X-Ray's segment documents, sent to its daemon: one datagram for each call, never waited for.

The span of the MCP request is a segment, that of the request to the API a subsegment of it (X-Ray developer guide,
Segment documents). What does not fit into a datagram is sent without what matters least.
"""

from __future__ import annotations

import re
import secrets
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final

import msgspec
from opentelemetry.sdk.trace import ReadableSpan

from openapi_mcp_server import __version__
from openapi_mcp_server.bridge.origins import Origin
from openapi_mcp_server.errors import ArgumentError
from openapi_mcp_server.mcp.messages import INTERNAL_ERROR
from openapi_mcp_server.observe.traces.outbox import CallSpans, Delivery
from openapi_mcp_server.settings.tracing import DaemonAddress

HEADER: Final = b'{"format":"json","version":1}\n'
DATAGRAM_BYTES = 65_507
"""Bytes that UDP over IPv4 carries: 65,535 less the headers of IP and UDP."""
RESOLVE_SECONDS = 60.0
"""How long the daemon's address is kept: a container that comes back may have another."""
NAME_CHARACTERS = 200
ANNOTATION_CHARACTERS = 1000
"""Limits of X-Ray."""
ECS_ORIGIN = "AWS::ECS::Container"

_NOT_IN_NAMES = re.compile(r"[^\w\s.:/%&#=+\\\-@]")
_NOT_IN_KEYS = re.compile(r"[^A-Za-z0-9_]")
_NOT_SEARCHED = ("jsonrpc_request_id",)
"""Told as metadata: X-Ray indexes annotations, 50 of a trace."""
_IN_HTTP = frozenset({"http.request.method", "server.address", "server.port", "url.path", "http.response.status_code"})
"""X-Ray has a place of its own for them, and finds traces by it."""

Document = dict[str, Any]


class XRayExporter:
    """Sends to one daemon. ``resource`` describes the service; ``origin`` is the kind of machine, None if not known."""

    name = "xray"
    gather_seconds = 0.05  # short: the daemon's socket holds some 200 datagrams, and what comes too fast is lost in it

    def __init__(self, daemon: DaemonAddress, resource: Mapping[str, str], origin: str | None = None) -> None:
        self._daemon = daemon
        self._common = common(resource, origin)
        self._resource = msgspec.Raw(msgspec.json.encode(resource))
        self._socket: socket.socket | None = None
        self._resolve_at = 0.0

    def deliver(self, calls: Sequence[CallSpans]) -> Delivery:
        """A daemon that is not there is noticed one datagram later, by what its machine answers to the first."""
        lost, reason = 0, ""
        try:
            daemon = self._connected()
        except (OSError, UnicodeError) as error:  # UnicodeError: not even a name, to IDNA
            return Delivery(sum(map(len, calls)), f"udp:{self._daemon}: {error}")
        for spans in calls:
            try:
                for datagram in datagrams(document(spans, self._common, self._resource)):
                    _send(daemon, datagram)
            except (OSError, ValueError) as error:
                lost, reason = lost + len(spans), f"udp:{self._daemon}: {error}"
        return Delivery(lost, reason)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()

    def _connected(self) -> socket.socket:
        """A connected socket, which reports that nobody listens; others do not."""
        if self._socket is not None and time.monotonic() < self._resolve_at:
            return self._socket
        family, kind, protocol, _, address = socket.getaddrinfo(*self._daemon, type=socket.SOCK_DGRAM)[0]
        if self._socket is not None:
            self._socket.close()
        self._socket = socket.socket(family, kind, protocol)
        self._socket.settimeout(0)
        self._socket.connect(address)
        self._resolve_at = time.monotonic() + RESOLVE_SECONDS
        return self._socket


def _send(daemon: socket.socket, datagram: bytes) -> None:
    try:
        daemon.send(datagram)
    except ConnectionRefusedError:
        # About the one before, which is counted in place of this one: that has not been sent, and is now.
        with suppress(ConnectionRefusedError):
            daemon.send(datagram)
        raise


def common(resource: Mapping[str, str], origin: str | None) -> Document:
    """The members that every segment of the service has."""
    about = {"xray": {"sdk": "openapi-mcp-server", "sdk_version": __version__}}
    same = {"name": _name(resource["service.name"]), "service": {"version": resource["service.version"]}, "aws": about}
    return same | ({"origin": origin} if origin else {})


def document(spans: CallSpans, same: Document, resource: msgspec.Raw) -> Document:
    """The segment of a call, its requests to the API inside; ``resource`` is JSON."""
    request, *sent = spans
    attributes: Mapping[str, Any] = request.attributes or {}
    whole = same | _timed(request)
    whole["trace_id"] = _trace_id(request)
    if request.parent is not None:
        whole["parent_id"] = f"{request.parent.span_id:016x}"
    if "url.path" in attributes:
        port = f":{attributes['server.port']}" if "server.port" in attributes else ""
        whole["http"] = _http(attributes, f"http://{attributes['server.address']}{port}{attributes['url.path']}")
    annotations = {_key(name): _shortened(value) for name, value in attributes.items() if name not in _IN_HTTP}
    told = {name: annotations.pop(name) for name in _NOT_SEARCHED if name in annotations}
    whole["annotations"] = annotations
    whole["metadata"] = {"span": {"name": request.name, **told}, "resource": resource}
    if sent:
        whole["subsegments"] = [_subsegment(span) for span in sent]
    whole |= _faults(attributes, whole.get("subsegments", ()), request.status.description or "")
    return whole


def datagrams(whole: Document) -> Iterator[bytes]:
    """The datagrams that go out for a document: it as it is, or with less in it, or its subsegments on their own.

    Raises ValueError where even that is too large.
    """
    for left_out in ((), ("metadata",), ("metadata", "cause")):
        if (datagram := _datagram(_without(whole, left_out))) is not None:
            yield datagram
            return
    bare = _without(whole, ("metadata", "cause"))
    inside = bare.pop("subsegments", ())
    parts = [bare] + [
        {**each, "type": "subsegment", "trace_id": bare["trace_id"], "parent_id": bare["id"]} for each in inside
    ]
    fitting = [datagram for datagram in map(_datagram, parts) if datagram is not None]
    if len(fitting) < len(parts):
        raise ValueError(f"a document is larger than a datagram of {DATAGRAM_BYTES} bytes")
    yield from fitting


def _datagram(content: Document) -> bytes | None:
    datagram = HEADER + msgspec.json.encode(content)
    return datagram if len(datagram) <= DATAGRAM_BYTES else None


def _without(whole: Document, names: Sequence[str]) -> Document:
    kept = {name: value for name, value in whole.items() if name not in names}
    if names and "subsegments" in kept:
        kept["subsegments"] = [_without(each, names) for each in kept["subsegments"]]
    return kept


def _subsegment(span: ReadableSpan) -> Document:
    """A request to the API. ``remote`` makes the API a node of X-Ray's map, under the name of its host."""
    attributes: Mapping[str, Any] = span.attributes or {}
    origin = Origin(attributes["url.scheme"], attributes["server.address"], attributes["server.port"])
    whole = {"name": _name(attributes["server.address"]), "namespace": "remote", **_timed(span)}
    return {**whole, "http": _http(attributes, f"{origin}{attributes['url.template']}"), **_faults(attributes)}


def _http(attributes: Mapping[str, Any], url: str) -> Document:
    status = attributes.get("http.response.status_code")
    answered = {} if status is None else {"response": {"status": status}}
    return {"request": {"method": attributes["http.request.method"], "url": url}, **answered}


def _faults(attributes: Mapping[str, Any], inside: Sequence[Document] = (), error: str = "") -> Document:
    """Flags of X-Ray by culprit: ``fault`` is the server's, ``error`` the client's, ``throttle`` (with error) too many
    requests.

    A call that fails because the API does is as faulty as the API's answer. ``error`` is the kind of a tool's error.
    """
    kind = attributes.get("error.type")
    if kind is None:
        return {}
    failed = next((each for each in inside if "cause" in each), None)
    if failed is not None:
        whose: Document = {name: True for name in ("error", "throttle", "fault") if name in failed}
    else:
        whose = _whose(str(kind), attributes, error)
    said = {"message": error} if error else {}
    return whose | {"cause": {"exceptions": [{"id": secrets.token_hex(8), "type": str(kind), **said}]}}


def _whose(kind: str, attributes: Mapping[str, Any], error: str) -> Document:
    if "mcp.method.name" in attributes:
        is_clients = kind != str(INTERNAL_ERROR) and error in {"", ArgumentError.__name__}
        return {"error": True} if is_clients else {"fault": True}
    status = attributes.get("http.response.status_code")
    if status == 429:
        return {"error": True, "throttle": True}
    by_client = kind == "cancelled" or (status is not None and status < 500)
    return {"error": True} if by_client else {"fault": True}


@lru_cache(256)
def _key(name: str) -> str:
    return _NOT_IN_KEYS.sub("_", name)


@lru_cache(256)
def _name(text: str) -> str:
    return _NOT_IN_NAMES.sub("_", text)[:NAME_CHARACTERS]


def _shortened(value: Any) -> Any:  # noqa: ANN401 - an attribute's
    return value[:ANNOTATION_CHARACTERS] if isinstance(value, str) else value


def _timed(span: ReadableSpan) -> Document:
    return {
        "id": f"{span.context.span_id:016x}",
        "start_time": (span.start_time or 0) / 1e9,
        "end_time": (span.end_time or 0) / 1e9,
    }


def _trace_id(span: ReadableSpan) -> str:
    digits = f"{span.context.trace_id:032x}"
    return f"1-{digits[:8]}-{digits[8:]}"
