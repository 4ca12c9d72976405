"""A client's message as a value: a call, a notification, a batch of them, or the refusal it gets.

Two doors, one set of rules: `from_http` (headers and a body) and `from_line` (a line of stdio, the body of
an SSE message). Nothing here raises for what a client wrote, and no text of a library reaches it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from openapi_mcp_server.mcp.messages import (
    HEADER_MISMATCH,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    UNSUPPORTED_VERSION,
    ErrorData,
    RequestId,
    error_response,
)
from openapi_mcp_server.mcp.methods import (
    LOG_LEVELS,
    NAMED_BY,
    SUPPORTED,
    WITH_BATCHES,
    WITHOUT_HEADER,
    Param,
    is_modern,
    methods,
    negotiate,
)
from openapi_mcp_server.mcp.strict_json import (
    BATCH_MESSAGES,
    SHOWN_CHARACTERS,
    BadMessage,
    Fields,
    echoed,
    object_fields,
    parse_element,
    parse_message,
    present,
    string,
    string_or_empty,
)
from openapi_mcp_server.mcp.subscriptions import CHANGES, LISTEN

_PROTOCOL_VERSION = "io.modelcontextprotocol/protocolVersion"
_LOG_LEVEL = "io.modelcontextprotocol/logLevel"
_CLIENT_CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
_VERSION_HEADER = b"mcp-protocol-version"
_ROUTING = frozenset({_VERSION_HEADER, b"mcp-method", b"mcp-name"})
_NULL = msgspec.Raw(b"null")
_LEGACY_STATUS = {METHOD_NOT_FOUND: 200, INVALID_PARAMS: 200}
"""Up to 2025-11-25 an error about a well-formed request is an answer like any other."""
_MODERN_STATUS = {METHOD_NOT_FOUND: 404}


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A request that may be answered. ``version`` is the revision it is answered in.

    ``name`` is the tool, the prompt, or the URI of the resource; ``size`` the bytes of the whole message;
    ``listens`` what is subscribed to, of what there is. ``traceparent`` and
    ``tracestate`` are those of its ``_meta`` (SEP-414), as they came; empty if it has none.
    """

    id: RequestId
    method: str
    version: str
    size: int
    name: str = ""
    arguments: msgspec.Raw | None = None
    cursor: str | None = None
    progress_token: RequestId | None = None
    listens: tuple[str, ...] = ()
    traceparent: str = ""
    tracestate: str = ""


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """Not answered. ``cancels`` is the id of the request that ``notifications/cancelled`` names. A response is heard
    like one, without a method: this server asks nothing, and two that answered each other's errors would never end."""

    method: str = ""
    cancels: RequestId | None = None


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """A message that is refused; ``status`` is for HTTP. ``id`` is None where the client's could not be read."""

    id: RequestId | None = None
    code: int
    message: str
    status: int = 400
    data: ErrorData = msgspec.UNSET

    def encode(self) -> bytes:
        return error_response(self.id, self.code, self.message, self.data)


Message = Call | Notification | Rejection


class Batch(msgspec.Struct, frozen=True):
    """A batch of messages, at revision 2025-03-26 only."""

    messages: tuple[Message, ...]

    def parted(self) -> tuple[list[Notification], Batch]:
        """Its notifications, which are heard at once, and the rest, which may be empty."""
        heard = [each for each in self.messages if isinstance(each, Notification)]
        return heard, Batch(tuple([each for each in self.messages if not isinstance(each, Notification)]))


def from_http(headers: Sequence[tuple[bytes, bytes]], body: bytes) -> Message | Batch:
    """A POST: header names in lower case, values as they came; ``body`` whole."""
    fields = dict(headers)
    routing = {name: fields[name].decode("latin-1") for name in _ROUTING.intersection(fields)}
    message = _read(body, _Carrier(routing.get(_VERSION_HEADER, WITHOUT_HEADER), routing))
    if len(fields) == len(headers) or len(routing) == sum(name in _ROUTING for name, _ in headers):
        return message
    # a reader of the first and a reader of the last would disagree
    request_id = message.id if isinstance(message, Call | Rejection) else None
    return Rejection(id=request_id, code=HEADER_MISMATCH, message="an MCP header appears more than once")


def from_line(line: bytes, negotiated: str) -> Message | Batch:
    """One line of stdio, or a message of HTTP+SSE. ``negotiated``: the handshake's revision, for what is not modern."""
    return _read(line, _Carrier(negotiated, None))


class _Carrier(NamedTuple):
    """The facts that came beside the message: the revision it has if it names none, and the headers, None on stdio."""

    version: str
    routing: Mapping[bytes, str] | None


def _read(data: bytes, carrier: _Carrier) -> Message | Batch:
    try:
        parsed = parse_message(data)
        if isinstance(parsed, list):
            return _batch(parsed, carrier)
        if carrier.routing is not None and _is_response(parsed):
            # Without its id, by which the client would take the refusal for the answer to a request of its own.
            return Rejection(code=INVALID_REQUEST, message="this server sends no requests, so it takes no responses")
        return _message(parsed, len(data), carrier)
    except BadMessage as refused:
        return _rejection(refused, refused.request_id, carrier)
    except RecursionError:  # a part may be read with less of the stack left than the whole
        return Rejection(code=PARSE_ERROR, message="JSON nested too deeply")


def _rejection(refused: BadMessage, request_id: RequestId | None, carrier: _Carrier) -> Rejection:
    statuses = _MODERN_STATUS if is_modern(carrier.version) else _LEGACY_STATUS
    status = statuses.get(refused.code, 400)
    return Rejection(id=request_id, code=refused.code, message=refused.message, status=status, data=refused.data)


def _batch(elements: list[msgspec.Raw], carrier: _Carrier) -> Batch:
    if carrier.version != WITH_BATCHES:
        raise BadMessage(INVALID_REQUEST, f"only revision {WITH_BATCHES} has batches; send one message at a time")
    if not elements:
        raise BadMessage(INVALID_REQUEST, "a batch must not be empty")
    if len(elements) > BATCH_MESSAGES:
        raise BadMessage(INVALID_REQUEST, f"a batch may hold {BATCH_MESSAGES} messages, this one has {len(elements)}")
    return Batch(tuple(_element(element, carrier) for element in elements))


def _element(element: msgspec.Raw, carrier: _Carrier) -> Message:
    try:
        fields = parse_element(element)
    except BadMessage as refused:
        return _rejection(refused, None, carrier)
    message = _message(fields, len(memoryview(element)), carrier)
    if isinstance(message, Call) and message.method == "initialize":  # 2025-03-26, basic, Lifecycle
        return Rejection(id=message.id, code=INVALID_REQUEST, message="initialize must not be part of a batch")
    if isinstance(message, Call) and is_modern(message.version):
        return Rejection(id=message.id, code=INVALID_REQUEST, message=f"revision {message.version} has no batches")
    return message


def _message(fields: Fields, size: int, carrier: _Carrier) -> Message:
    request_id = None
    if _is_response(fields):
        return Notification()
    try:
        if "id" in fields:
            request_id = echoed(fields["id"], "id", INVALID_REQUEST)
        method = _method(fields)
        if request_id is None:
            return _notification(method, fields, carrier)
        return _call(request_id, method, object_fields(fields.get("params"), "params"), size, carrier)
    except BadMessage as refused:
        return _rejection(refused, request_id, carrier)


def _is_response(fields: Fields) -> bool:
    return "method" not in fields and ("result" in fields or "error" in fields)


def _method(fields: Fields) -> str:
    said = fields.get("jsonrpc", _NULL)
    if bytes(said) != b'"2.0"' and string_or_empty(said) != "2.0":  # escapes mean nothing
        raise BadMessage(INVALID_REQUEST, 'jsonrpc must be "2.0"')
    return string(fields.get("method", _NULL), "method", INVALID_REQUEST)


def _notification(method: str, fields: Fields, carrier: _Carrier) -> Notification:
    """Only the revision is checked: 2026-07-28 (Streamable HTTP) leaves the headers of notifications undefined."""
    _check_supported(carrier.version)
    if method != "notifications/cancelled":
        return Notification(method=method)
    try:
        named = object_fields(fields.get("params"), "params").get("requestId")
        cancels = None if named is None else echoed(named, "requestId", INVALID_PARAMS)
    except BadMessage:  # malformed ones should be ignored (2025-11-25, basic, Cancellation, Error Handling)
        cancels = None
    return Notification(method=method, cancels=cancels)


def _call(request_id: RequestId, method: str, params: Fields, size: int, carrier: _Carrier) -> Call:
    meta = object_fields(params.get("_meta"), "params._meta")
    version = _version(method, meta, carrier)
    if is_modern(version):
        _check_modern(method, meta, carrier)
    known = methods(version).get(method)
    if known is None:
        raise BadMessage(
            METHOD_NOT_FOUND, f"revision {version} of this server has no method {method[:SHOWN_CHARACTERS]!r}"
        )
    strings = _check_params(params, known)
    name = strings.get(NAMED_BY.get(method, ""), "")
    if is_modern(version) and method in NAMED_BY:
        _check_name(name, carrier)
    return Call(
        id=request_id,
        method=method,
        version=negotiate(strings["protocolVersion"]) if method == "initialize" else version,
        size=size,
        name=name,
        arguments=_completing(params) if method == "completion/complete" else present(params.get("arguments")),
        cursor=strings.get("cursor"),
        progress_token=echoed(token, "params._meta.progressToken", INVALID_PARAMS)
        if (token := present(meta.get("progressToken")))
        else None,
        listens=_kinds(params["notifications"]) if method == LISTEN else (),
        traceparent=string_or_empty(meta.get("traceparent")),
        tracestate=string_or_empty(meta.get("tracestate")),
    )


def _completing(params: Fields) -> msgspec.Raw:
    """The reference and the argument to be completed, as they came."""
    return msgspec.Raw(msgspec.json.encode({name: params[name] for name in ("ref", "argument")}))


def _version(method: str, meta: Fields, carrier: _Carrier) -> str:
    """The revision of this request. Header and body are compared first: who contradicts himself is told so.

    A handshake asks for its revision in ``params``. The header is for the requests after it (2025-11-25, Lifecycle,
    Version Negotiation), but clients name their newest revision in it from the start.
    """
    if (raw := meta.get(_PROTOCOL_VERSION)) is None:
        if carrier.version in SUPPORTED or method == "initialize":
            return carrier.version
        return _check_supported(carrier.version)
    claimed = string(raw, f"params._meta[{_PROTOCOL_VERSION!r}]")
    if carrier.routing is not None and carrier.routing.get(_VERSION_HEADER) != claimed:
        raise BadMessage(HEADER_MISMATCH, f"the header MCP-Protocol-Version must repeat _meta[{_PROTOCOL_VERSION!r}]")
    return _check_supported(claimed)


def _check_supported(version: str) -> str:
    if version not in SUPPORTED:
        data = {"supported": SUPPORTED, "requested": version[:SHOWN_CHARACTERS]}
        # with the capital letter of the specification's example, by which some clients know it
        raise BadMessage(UNSUPPORTED_VERSION, "Unsupported protocol version", data)
    return version


def _check_modern(method: str, meta: Fields, carrier: _Carrier) -> None:
    """Checks what each request of 2026-07-28 carries (basic, Per-request protocol fields; Streamable HTTP, Headers)."""
    for key in (_PROTOCOL_VERSION, _CLIENT_CAPABILITIES):
        if present(meta.get(key)) is None:
            raise BadMessage(INVALID_PARAMS, f"params._meta must carry {key!r}")
    object_fields(meta[_CLIENT_CAPABILITIES], f"params._meta[{_CLIENT_CAPABILITIES!r}]")
    if (level := present(meta.get(_LOG_LEVEL))) is not None:  # SHOULD be refused (2026-07-28, Logging, Error Handling)
        place = f"params._meta[{_LOG_LEVEL!r}]"
        _check_choice(string(level, place), LOG_LEVELS, place)
    if carrier.routing is not None and carrier.routing.get(b"mcp-method") != method:
        raise BadMessage(HEADER_MISMATCH, "the header Mcp-Method must repeat the method")


def _check_name(name: str, carrier: _Carrier) -> None:
    if carrier.routing is not None and _unwrapped(carrier.routing.get(b"mcp-name", "")) != name:
        raise BadMessage(HEADER_MISMATCH, "the header Mcp-Name must repeat the name or URI in params")


def _unwrapped(value: str) -> str | None:
    """A header's value with the base64 sentinel taken off (2026-07-28, Value Encoding). None if that is malformed, or
    if a character had to be encoded (Server Validation)."""
    if not value.isascii():
        return None
    if not (value.startswith("=?base64?") and value.endswith("?=") and len(value) >= len("=?base64??=")):
        return value
    try:
        return base64.b64decode(value[9:-2], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def _check_params(params: Fields, known: tuple[Param, ...]) -> dict[str, str]:
    """The strings among the known params; raises for one that is missing or has the wrong type."""
    strings = {}
    for param in known:
        raw = present(params.get(param.name))
        place = f"params.{param.name}"
        if raw is None:
            if param.required:
                raise BadMessage(INVALID_PARAMS, f"{place} is missing")
        elif param.name == "arguments":  # they may be large, and are read where they are used
            if bytes(memoryview(raw)[:1]) != b"{":
                raise BadMessage(INVALID_PARAMS, f"{place} must be an object")
        elif param.kind == "object":
            object_fields(raw, place)
        else:
            strings[param.name] = value = string(raw, place)
            if param.choices:
                _check_choice(value, param.choices, place)
    return strings


def _check_choice(value: str, choices: tuple[str, ...], place: str) -> None:
    if value not in choices:
        raise BadMessage(INVALID_PARAMS, f"{place} must be one of {', '.join(choices)}")


def _kinds(raw: msgspec.Raw) -> tuple[str, ...]:
    """The kinds of changes that the filter of a subscription turns on; what is not known here is not agreed to."""
    asked = object_fields(raw, "params.notifications")
    return tuple(kind for kind in CHANGES if _switch(present(asked.get(kind)), f"params.notifications.{kind}"))


def _switch(raw: msgspec.Raw | None, place: str) -> bool:
    if raw is not None and bytes(raw) not in {b"true", b"false"}:
        raise BadMessage(INVALID_PARAMS, f"{place} must be true or false")
    return raw is not None and bytes(raw) == b"true"
