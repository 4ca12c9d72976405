"""A client's message as a value: a call, a notification, a batch of them, or the refusal it gets.

Two doors, one set of rules: `from_http` (headers and a body) and `from_line` (a line of stdio, the body of
an SSE message). Nothing here raises for what a client wrote, and no text of a library reaches it.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
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
from openapi_mcp_server.mcp.subscriptions import CHANGES, LISTEN

ECHOED_CHARACTERS = 256
"""Ids and progress tokens are echoed, so their length is bounded; the longest in use is a UUID with a prefix."""
BATCH_MESSAGES = 32
"""Calls of a batch run at once; 2025-03-26 sets no number."""
SHOWN_CHARACTERS = 64
"""How much of a name that a client made up is repeated to it."""

_PROTOCOL_VERSION = "io.modelcontextprotocol/protocolVersion"
_LOG_LEVEL = "io.modelcontextprotocol/logLevel"
_CLIENT_CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
_LONGEST_ECHO = 2 + 6 * ECHOED_CHARACTERS  # quotes, and every character as a \\u escape
_VERSION_HEADER = b"mcp-protocol-version"
_ROUTING = frozenset({_VERSION_HEADER, b"mcp-method", b"mcp-name"})


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
    """Not answered. ``cancels`` is the id of the request that ``notifications/cancelled`` names."""

    method: str
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
    """A batch of messages, at revision 2025-03-26 only; never empty."""

    messages: tuple[Message, ...]


def from_http(headers: Sequence[tuple[bytes, bytes]], body: bytes) -> Message | Batch:
    """A POST: header names in lower case, values as they came; ``body`` whole."""
    found = [(name, value) for name, value in headers if name in _ROUTING]
    routing = {name: value.decode("latin-1") for name, value in found}
    if len(routing) != len(found):  # whoever reads the first and whoever reads the last would disagree
        return Rejection(code=HEADER_MISMATCH, message="an MCP header appears more than once")
    return _read(body, _Carrier(routing.get(_VERSION_HEADER, WITHOUT_HEADER), routing))


def from_line(line: bytes, negotiated: str) -> Message | Batch:
    """One line of stdio, or a message of HTTP+SSE. ``negotiated``: the handshake's revision, for what is not modern."""
    return _read(line, _Carrier(negotiated, None))


class _Carrier(NamedTuple):
    """The facts that came beside the message: the revision it has if it names none, and the headers, None on stdio."""

    version: str
    routing: Mapping[bytes, str] | None


class _Refused(Exception):
    """Leaves the rules below at the first that fails, and becomes a `Rejection` before it leaves this module."""

    def __init__(
        self, code: int, message: str, data: ErrorData = msgspec.UNSET, request_id: RequestId | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data
        self.request_id = request_id

    def rejection(self, request_id: RequestId | None, carrier: _Carrier) -> Rejection:
        status = (_MODERN_STATUS if is_modern(carrier.version) else _LEGACY_STATUS).get(self.code, 400)
        return Rejection(id=request_id, code=self.code, message=self.message, status=status, data=self.data)


_LEGACY_STATUS = {METHOD_NOT_FOUND: 200, INVALID_PARAMS: 200}
"""Up to 2025-11-25 an error about a well-formed request is an answer like any other."""
_MODERN_STATUS = {METHOD_NOT_FOUND: 404}

Fields = dict[str, msgspec.Raw]

_body: msgspec.json.Decoder[Fields | list[msgspec.Raw]] = msgspec.json.Decoder(Fields | list[msgspec.Raw])
_fields = msgspec.json.Decoder(Fields)
_text = msgspec.json.Decoder(str)
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_KEY = re.compile(rb'[ \t\r\n,]*("(?:[^"\\]|\\.)*")[ \t\r\n]*:[ \t\r\n]*', re.DOTALL)
_END = re.compile(rb"[ \t\r\n]*\}[ \t\r\n]*")
_id: msgspec.json.Decoder[RequestId] = msgspec.json.Decoder(str | int)


def _read(data: bytes, carrier: _Carrier) -> Message | Batch:
    try:
        decoded = _json(data)
        if isinstance(decoded, list):
            return _batch(decoded, carrier)
        _refuse_equal_keys(data, decoded)
        return _message(decoded, len(data), carrier)
    except _Refused as refused:
        return refused.rejection(refused.request_id, carrier)


def _json(data: bytes) -> Fields | list[msgspec.Raw]:
    try:
        data.decode()  # msgspec does not look into what it leaves as Raw
        return _body.decode(data)
    except UnicodeDecodeError as error:
        raise _Refused(PARSE_ERROR, f"not UTF-8 at byte {error.start}") from None
    except msgspec.ValidationError:
        raise _Refused(INVALID_REQUEST, "a message must be a JSON object") from None
    except msgspec.DecodeError:
        _refuse_half_pairs(data)
        raise _Refused(PARSE_ERROR, "not valid JSON") from None
    except RecursionError:
        raise _Refused(PARSE_ERROR, "JSON nested too deeply") from None


def _refuse_half_pairs(data: bytes) -> None:
    """JavaScript writes half of a surrogate pair, such as what is left of an emoji that was cut, as an escape. The text
    is no Unicode then (RFC 8259 section 8.2), but it is known who waits for an answer."""
    whole = _ESCAPE.sub(lambda found: b"\\ufffd" if found["half"] else found[0], data)
    try:
        decoded = _body.decode(whole)
    except (msgspec.DecodeError, RecursionError):
        return
    request_id = None
    if isinstance(decoded, dict) and "id" in decoded:
        with suppress(_Refused):
            request_id = _echoed(decoded["id"], "id", INVALID_REQUEST)
    problem = "a string holds half of a surrogate pair (\\ud800 to \\udfff), which is no character"
    raise _Refused(PARSE_ERROR, problem, request_id=request_id)


def _refuse_equal_keys(data: bytes, fields: Fields) -> None:
    """Whoever reads the first of two equal keys, and whoever reads the last, would see different messages."""
    written = sum(len(key) + len(memoryview(value)) for key, value in fields.items())
    if len(data) == written + 4 * len(fields) + 1:  # two quotes, a colon and a comma each: nothing was dropped
        return
    at, missing = data.index(b"{") + 1, dict(fields)
    while missing:
        found = _KEY.match(data, at)
        if found is None:  # only where a value before was longer than the one that was kept
            break
        name = _text.decode(found[1])
        value = missing.pop(name, None)
        if value is None or not data.startswith(bytes(value), found.end()):
            raise _Refused(INVALID_REQUEST, f"the message says {name[:SHOWN_CHARACTERS]!r} twice")
        at = found.end() + len(memoryview(value))
    if missing or _END.fullmatch(data, at) is None:
        raise _Refused(INVALID_REQUEST, "the message says a key twice")


def _batch(elements: list[msgspec.Raw], carrier: _Carrier) -> Batch:
    if carrier.version != WITH_BATCHES:
        raise _Refused(INVALID_REQUEST, f"only revision {WITH_BATCHES} has batches; send one message at a time")
    if not elements:
        raise _Refused(INVALID_REQUEST, "a batch must not be empty")
    if len(elements) > BATCH_MESSAGES:
        raise _Refused(INVALID_REQUEST, f"a batch may hold {BATCH_MESSAGES} messages, this one has {len(elements)}")
    return Batch(tuple(_element(element, carrier) for element in elements))


def _element(element: msgspec.Raw, carrier: _Carrier) -> Message:
    try:
        fields = _fields.decode(element)
    except msgspec.ValidationError:
        return Rejection(code=INVALID_REQUEST, message="a message must be a JSON object")
    try:
        _refuse_equal_keys(bytes(element), fields)
    except _Refused as refused:
        return refused.rejection(None, carrier)
    message = _message(fields, len(memoryview(element)), carrier)
    if isinstance(message, Call) and message.method == "initialize":  # 2025-03-26, basic, Lifecycle
        return Rejection(id=message.id, code=INVALID_REQUEST, message="initialize must not be part of a batch")
    if isinstance(message, Call) and is_modern(message.version):
        return Rejection(id=message.id, code=INVALID_REQUEST, message=f"revision {message.version} has no batches")
    return message


def _message(fields: Fields, size: int, carrier: _Carrier) -> Message:
    request_id = None
    try:
        _refuse_response(fields)
        if "id" in fields:
            request_id = _echoed(fields["id"], "id", INVALID_REQUEST)
        method = _method(fields)
        if request_id is None:
            return _notification(method, fields, carrier)
        return _call(request_id, method, _object(_present(fields.get("params")), "params"), size, carrier)
    except _Refused as refused:
        return refused.rejection(request_id, carrier)


def _refuse_response(fields: Fields) -> None:
    """Without its id, by which the client would take the refusal for the answer to a request of its own."""
    if "method" not in fields and ("result" in fields or "error" in fields):
        raise _Refused(INVALID_REQUEST, "this server sends no requests, so it takes no responses")


def _method(fields: Fields) -> str:
    if "jsonrpc" not in fields or bytes(fields["jsonrpc"]) != b'"2.0"':
        raise _Refused(INVALID_REQUEST, 'jsonrpc must be "2.0"')
    try:
        return _text.decode(fields.get("method", msgspec.Raw(b"null")))
    except msgspec.ValidationError:
        raise _Refused(INVALID_REQUEST, "method must be a string") from None


def _notification(method: str, fields: Fields, carrier: _Carrier) -> Notification:
    """Only the revision is checked: 2026-07-28 (Streamable HTTP) leaves the headers of notifications undefined."""
    _check_supported(carrier.version)
    if method != "notifications/cancelled":
        return Notification(method=method)
    try:
        named = _object(fields.get("params"), "params").get("requestId")
        cancels = None if named is None else _echoed(named, "requestId", INVALID_PARAMS)
    except _Refused:  # malformed ones should be ignored (2025-11-25, basic, Cancellation, Error Handling)
        cancels = None
    return Notification(method=method, cancels=cancels)


def _call(request_id: RequestId, method: str, params: Fields, size: int, carrier: _Carrier) -> Call:
    meta = _object(params.get("_meta"), "params._meta")
    version = _version(meta, carrier)
    if is_modern(version):
        _check_modern(method, meta, carrier)
    known = methods(version).get(method)
    if known is None:
        raise _Refused(
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
        arguments=_completing(params) if method == "completion/complete" else _present(params.get("arguments")),
        cursor=strings.get("cursor"),
        progress_token=_echoed(token, "params._meta.progressToken", INVALID_PARAMS)
        if (token := _present(meta.get("progressToken")))
        else None,
        listens=_kinds(params["notifications"]) if method == LISTEN else (),
        traceparent=_if_text(meta.get("traceparent")),
        tracestate=_if_text(meta.get("tracestate")),
    )


def _completing(params: Fields) -> msgspec.Raw:
    """The reference and the argument to be completed, as they came."""
    return msgspec.Raw(msgspec.json.encode({name: params[name] for name in ("ref", "argument")}))


def _version(meta: Fields, carrier: _Carrier) -> str:
    """The revision of this request. Header and body are compared first: who contradicts himself is told so."""
    claimed = None
    if (raw := meta.get(_PROTOCOL_VERSION)) is not None:
        claimed = _string(raw, f"params._meta[{_PROTOCOL_VERSION!r}]")
    if claimed is None:
        return _check_supported(carrier.version)
    if carrier.routing is not None and carrier.routing.get(_VERSION_HEADER) != claimed:
        raise _Refused(HEADER_MISMATCH, f"the header MCP-Protocol-Version must repeat _meta[{_PROTOCOL_VERSION!r}]")
    return _check_supported(claimed)


def _check_supported(version: str) -> str:
    if version not in SUPPORTED:
        data = {"supported": SUPPORTED, "requested": version}
        raise _Refused(UNSUPPORTED_VERSION, "unsupported protocol version", data)
    return version


def _check_modern(method: str, meta: Fields, carrier: _Carrier) -> None:
    """Checks what each request of 2026-07-28 carries (basic, Per-request protocol fields; Streamable HTTP, Headers)."""
    for key in (_PROTOCOL_VERSION, _CLIENT_CAPABILITIES):
        if key not in meta:
            raise _Refused(INVALID_PARAMS, f"params._meta must carry {key!r}")
    _object(meta[_CLIENT_CAPABILITIES], f"params._meta[{_CLIENT_CAPABILITIES!r}]")
    if (level := _present(meta.get(_LOG_LEVEL))) is not None:  # SHOULD be refused (2026-07-28, Logging, Error Handling)
        place = f"params._meta[{_LOG_LEVEL!r}]"
        _check_choice(_string(level, place), LOG_LEVELS, place)
    if carrier.routing is not None and carrier.routing.get(b"mcp-method") != method:
        raise _Refused(HEADER_MISMATCH, "the header Mcp-Method must repeat the method")


def _check_name(name: str, carrier: _Carrier) -> None:
    if carrier.routing is not None and _unwrapped(carrier.routing.get(b"mcp-name", "")) != name:
        raise _Refused(HEADER_MISMATCH, "the header Mcp-Name must repeat the name or URI in params")


def _unwrapped(value: str) -> str | None:
    """A header's value with the base64 sentinel taken off (2026-07-28, Value Encoding); None if that is malformed."""
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
        raw = _present(params.get(param.name))
        place = f"params.{param.name}"
        if raw is None:
            if param.required:
                raise _Refused(INVALID_PARAMS, f"{place} is missing")
        elif param.name == "arguments":  # which may be large; whoever uses them reads them
            if bytes(memoryview(raw)[:1]) != b"{":
                raise _Refused(INVALID_PARAMS, f"{place} must be an object")
        elif param.kind == "object":
            _object(raw, place)
        else:
            strings[param.name] = value = _string(raw, place)
            if param.choices:
                _check_choice(value, param.choices, place)
    return strings


def _check_choice(value: str, choices: tuple[str, ...], place: str) -> None:
    if value not in choices:
        raise _Refused(INVALID_PARAMS, f"{place} must be one of {', '.join(choices)}")


def _kinds(raw: msgspec.Raw) -> tuple[str, ...]:
    """The kinds of changes that the filter of a subscription turns on; what is not known here is not agreed to."""
    asked = _object(raw, "params.notifications")
    return tuple(kind for kind in CHANGES if _switch(_present(asked.get(kind)), f"params.notifications.{kind}"))


def _switch(raw: msgspec.Raw | None, place: str) -> bool:
    if raw is not None and bytes(raw) not in {b"true", b"false"}:
        raise _Refused(INVALID_PARAMS, f"{place} must be true or false")
    return raw is not None and bytes(raw) == b"true"


def _present(raw: msgspec.Raw | None) -> msgspec.Raw | None:
    """Clients in the field send null for what they leave out."""
    return None if raw is None or bytes(raw) == b"null" else raw


def _string(raw: msgspec.Raw, place: str) -> str:
    try:
        return _text.decode(raw)
    except msgspec.ValidationError:
        raise _Refused(INVALID_PARAMS, f"{place} must be a string") from None


def _if_text(raw: msgspec.Raw | None) -> str:
    """Reads a text that nobody has to write and nobody is refused for."""
    try:
        return "" if raw is None else _text.decode(raw)
    except msgspec.ValidationError:
        return ""


def _object(raw: msgspec.Raw | None, place: str) -> Fields:
    if raw is None:
        return {}
    try:
        fields = _fields.decode(raw)
    except msgspec.ValidationError:
        raise _Refused(INVALID_PARAMS, f"{place} must be an object") from None
    _refuse_equal_keys(bytes(raw), fields)
    return fields


def _echoed(raw: msgspec.Raw, place: str, code: int) -> RequestId:
    """An id or a token: a string or an integer, of bounded length, since it goes back as it came."""
    try:
        if len(memoryview(raw)) <= _LONGEST_ECHO:
            value = _id.decode(raw)
            if len(str(value)) <= ECHOED_CHARACTERS:
                return value
    except msgspec.ValidationError:
        pass
    raise _Refused(code, f"{place} must be a string or an integer of at most {ECHOED_CHARACTERS} characters")
