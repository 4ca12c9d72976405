"""Reads a client's JSON strictly: no other reader of the same bytes may see another message.

Raises `BadMessage` for what cannot be used, with a text of ours, and RecursionError for what is nested too deeply.
Values stay encoded until somebody uses them.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Callable
from contextlib import suppress

import msgspec

from openapi_mcp_server.grammar import IN_STRING
from openapi_mcp_server.mcp.messages import INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR, ErrorData, RequestId
from openapi_mcp_server.pausing import make_way

ECHOED_CHARACTERS = 256
"""Ids and progress tokens are echoed, so their length is bounded; the longest in use is a UUID with a prefix."""
BATCH_MESSAGES = 32
"""Calls of a batch run at once; 2025-03-26 sets no number."""
BESIDE_TEXTS = 2_000
"""The names and texts that a message or its params may have beside the params or the arguments in it: 400,000 members
of other names would be 80 MB of objects, and 0.1 s in which the process does nothing else."""
_BESIDE_BYTES = 64 * 1024
"""Bytes beside them from which on these are counted; a long text, or much space, is one."""
SHOWN_CHARACTERS = 64
"""How much of a name that a client made up is repeated to it."""

_NO_OBJECT = "a message must be a JSON object"
_LONGEST_ECHO = 2 + 6 * ECHOED_CHARACTERS  # quotes, and every character as a \\u escape

Fields = dict[str, msgspec.Raw]

_body: msgspec.json.Decoder[Fields | list[msgspec.Raw]] = msgspec.json.Decoder(Fields | list[msgspec.Raw])
_fields = msgspec.json.Decoder(Fields)


class _Large(msgspec.Struct):
    """The members that may be large; the others are passed over."""

    params: msgspec.Raw = msgspec.Raw()
    arguments: msgspec.Raw = msgspec.Raw()


_large = msgspec.json.Decoder(_Large)
_few: msgspec.json.Decoder[object] = msgspec.json.Decoder(
    msgspec.defstruct(
        "_Few",
        [(f"at_{number}", msgspec.Raw, msgspec.Raw()) for number in range(BATCH_MESSAGES)],
        array_like=True,
        forbid_unknown_fields=True,
    )
)
"""Ends at the first element that is one too many."""
_text = msgspec.json.Decoder(str)
_view: Callable[[msgspec.Raw], memoryview] = memoryview
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_KEY = re.compile(rf'[ \t\r\n,]*("{IN_STRING}")[ \t\r\n]*:[ \t\r\n]*'.encode(), re.DOTALL)
_SPACE = b" \t\r\n"
_END = re.compile(rb"[ \t\r\n]*\}[ \t\r\n]*")
_id: msgspec.json.Decoder[RequestId] = msgspec.json.Decoder(str | int)


class BadMessage(Exception):
    """Raised by the first rule that fails, with the code and the text of a JSON-RPC error.

    ``request_id`` is the message's where only this error knows it.
    """

    def __init__(
        self, code: int, message: str, data: ErrorData = msgspec.UNSET, request_id: RequestId | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data
        self.request_id = request_id


def parse_message(data: bytes) -> Fields | list[msgspec.Raw]:
    """The fields of one message, or the elements of a batch. A byte order mark in front is ignored (RFC 8259 section
    8.1): programs on Windows write one."""
    data = data.removeprefix(BOM_UTF8)
    decoded = _decoded(data)
    if isinstance(decoded, dict):
        _refuse_equal_keys(data, decoded)
    return decoded


def parse_element(element: msgspec.Raw) -> Fields:
    """The fields of one message of a batch."""
    try:
        fields = _fields.decode(element)
    except msgspec.ValidationError:
        raise BadMessage(INVALID_REQUEST, _NO_OBJECT) from None
    _refuse_equal_keys(bytes(element), fields)
    return fields


def _decoded(data: bytes) -> Fields | list[msgspec.Raw]:
    try:
        data.decode()  # msgspec does not look into what it leaves as Raw
        if len(data) > _BESIDE_BYTES:
            _require_little(data)
            make_way()
        return _body.decode(data)
    except UnicodeDecodeError as error:
        raise BadMessage(PARSE_ERROR, f"not UTF-8 at byte {error.start}") from None
    except msgspec.ValidationError:
        raise BadMessage(INVALID_REQUEST, _NO_OBJECT) from None
    except msgspec.DecodeError:
        _refuse_half_pairs(data)
        raise BadMessage(PARSE_ERROR, "not valid JSON") from None


def _require_little(data: bytes) -> None:
    """Refuses what would become many objects, before it does. Raises what msgspec raises for what is no JSON."""
    if not data.lstrip(_SPACE).startswith(b"["):
        _require_little_beside(data, "a message", INVALID_REQUEST)
        return
    try:
        _few.decode(data)
    except msgspec.ValidationError:
        raise BadMessage(INVALID_REQUEST, f"a batch may hold {BATCH_MESSAGES} messages, this one has more") from None


def _require_little_beside(data: bytes | msgspec.Raw, place: str, code: int) -> None:
    found = _large.decode(data)
    inside = (found.params, found.arguments)
    if len(memoryview(data)) - sum(len(memoryview(each)) for each in inside) <= _BESIDE_BYTES:
        return
    quotes = bytes(data).count(b'"') - sum(bytes(each).count(b'"') for each in inside)
    if quotes > 2 * BESIDE_TEXTS:
        raise BadMessage(code, f"{place} may have {BESIDE_TEXTS:,} names beside the arguments of its call")


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
        with suppress(BadMessage):
            request_id = echoed(decoded["id"], "id", INVALID_REQUEST)
    problem = "a string holds half of a surrogate pair (\\ud800 to \\udfff), which is no character"
    raise BadMessage(PARSE_ERROR, problem, request_id=request_id)


def _refuse_equal_keys(data: bytes, fields: Fields) -> None:
    """``fields`` are those of ``data``, where the last of equal keys was kept: a proxy that keeps the first would see
    another message."""
    written = sum(map(len, fields)) + sum(map(len, map(_view, fields.values())))
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
            raise BadMessage(INVALID_REQUEST, f"the message says {name[:SHOWN_CHARACTERS]!r} twice")
        at = found.end() + len(memoryview(value))
    if missing or _END.fullmatch(data, at) is None:
        raise BadMessage(INVALID_REQUEST, "the message says a key twice")


def present(raw: msgspec.Raw | None) -> msgspec.Raw | None:
    """The value of a field; None for null as well, since some clients send null for what they leave out."""
    return None if raw is None or bytes(raw) == b"null" else raw


def string(raw: msgspec.Raw, place: str, code: int = INVALID_PARAMS) -> str:
    try:
        return _text.decode(raw)
    except msgspec.ValidationError:
        raise BadMessage(code, f"{place} must be a string") from None


def string_or_empty(raw: msgspec.Raw | None) -> str:
    """A field's text; empty for any other value, which is no reason for a refusal."""
    try:
        return "" if raw is None else _text.decode(raw)
    except msgspec.ValidationError:
        return ""


def object_fields(raw: msgspec.Raw | None, place: str) -> Fields:
    """The fields of an object in ``params``; none where it is left out or null."""
    if raw is None:
        return {}
    try:
        if len(memoryview(raw)) > _BESIDE_BYTES:
            make_way()
            _require_little_beside(raw, place, INVALID_PARAMS)
            make_way()
        fields = _fields.decode(raw)
    except msgspec.ValidationError:
        if present(raw) is None:
            return {}
        raise BadMessage(INVALID_PARAMS, f"{place} must be an object") from None
    _refuse_equal_keys(bytes(raw), fields)
    return fields


def echoed(raw: msgspec.Raw, place: str, code: int) -> RequestId:
    """An id or a token: a string or an integer, of bounded length, since it goes back as it came."""
    try:
        if len(memoryview(raw)) <= _LONGEST_ECHO:
            value = _id.decode(raw)
            if len(str(value)) <= ECHOED_CHARACTERS:
                return value
    except msgspec.ValidationError:
        pass
    raise BadMessage(code, f"{place} must be a string or an integer of at most {ECHOED_CHARACTERS} characters")
