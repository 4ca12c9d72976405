"""What a client may send, and the refusal that everything else gets. Sections name revision 2026-07-28's pages."""

from __future__ import annotations

import base64
import json
import re
import sys
import tracemalloc
from codecs import BOM_UTF8
from itertools import product

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.shared.inbound import encode_header_value
from msgspec.structs import replace

from openapi_mcp_server.mcp.inbound import BATCH_MESSAGES, Batch, Call, Notification, Rejection
from openapi_mcp_server.mcp.inbound import from_http as read_http
from openapi_mcp_server.mcp.inbound import from_line as read_line
from openapi_mcp_server.mcp.messages import INVALID_REQUEST, PARSE_ERROR
from openapi_mcp_server.mcp.methods import LEGACY, LEGACY_METHODS, MODERN, MODERN_METHODS, SUPPORTED
from openapi_mcp_server.mcp.strict_json import ECHOED_CHARACTERS

VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities"
LEVEL_KEY = "io.modelcontextprotocol/logLevel"
META = {
    VERSION_KEY: "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "tests", "version": "1"},
    CAPABILITIES_KEY: {},
}
PARAMS = {  # what each method needs at least
    "initialize": {"protocolVersion": "2025-11-25"},
    "logging/setLevel": {"level": "info"},
    "tools/call": {"name": "list_pets"},
    "prompts/get": {"name": "list_pets"},
    "resources/read": {"uri": "test://x"},
    "subscriptions/listen": {"notifications": {}},
    "completion/complete": {"ref": {"type": "ref/prompt", "name": "x"}, "argument": {"name": "a", "value": ""}},
}


def request(method: str, params: object = None, **envelope: object) -> bytes:
    body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params, **envelope}
    return msgspec.json.encode({key: value for key, value in body.items() if value is not None})


def legacy(body: bytes, version: str | None = "2025-11-25") -> object:
    headers = [(b"host", b"localhost")]
    return read_http(headers if version is None else [*headers, (b"mcp-protocol-version", version.encode())], body)


def modern(method: str, params: dict[str, object] | None = None, **changes: str | None) -> object:
    """A well-formed request of 2026-07-28, but for what ``changes`` say: headers by name, None to leave one out."""
    params = {"_meta": META, **PARAMS.get(method, {}), **(params or {})}
    headers = {"mcp_protocol_version": "2026-07-28", "mcp_method": method}
    if name := params.get("name") or params.get("uri"):
        headers["mcp_name"] = str(name)
    sent = [
        (key.replace("_", "-").encode(), value.encode("latin-1")) for key, value in (headers | changes).items() if value
    ]
    return read_http(sent, request(method, params))


def test_a_legacy_call_is_read_whole() -> None:
    params = {"name": "list_pets", "arguments": {"limit": 5}, "_meta": {"progressToken": "p"}}
    call = legacy(request("tools/call", params))
    assert isinstance(call, Call)
    assert (call.id, call.method, call.name, call.version) == (7, "tools/call", "list_pets", "2025-11-25")
    assert bytes(call.arguments) == b'{"limit":5}'
    assert call.progress_token == "p"


def test_a_modern_call_is_read_whole() -> None:
    call = modern("tools/call", {"arguments": {"limit": 5}})
    assert isinstance(call, Call)
    assert (call.method, call.name, call.version) == ("tools/call", "list_pets", "2026-07-28")


@pytest.mark.parametrize("version", LEGACY)
@pytest.mark.parametrize("method", LEGACY_METHODS)
def test_every_legacy_method_is_taken_in_every_legacy_revision(version: str, method: str) -> None:
    assert isinstance(legacy(request(method, PARAMS.get(method)), version), Call)


@pytest.mark.parametrize("method", MODERN_METHODS)
def test_every_modern_method_is_taken(method: str) -> None:
    assert isinstance(modern(method), Call)


@pytest.mark.parametrize(
    ("asked", "kinds"),
    [
        ({}, ()),
        ({"toolsListChanged": True}, ("toolsListChanged",)),
        ({"toolsListChanged": False, "promptsListChanged": True}, ("promptsListChanged",)),
        ({"toolsListChanged": None, "resourcesListChanged": True, "resourceSubscriptions": ["a"], "x": 1}, ()),
    ],
)
def test_a_subscription_is_to_what_there_is_of_what_was_asked_for(asked: object, kinds: tuple[str, ...]) -> None:
    assert modern("subscriptions/listen", {"notifications": asked}).listens == kinds


def test_without_a_version_header_the_revision_is_the_last_that_had_none() -> None:
    assert legacy(request("ping"), None).version == "2025-03-26"


@pytest.mark.parametrize(
    ("requested", "answered"),
    [*((version, version) for version in LEGACY), ("2026-07-28", "2025-11-25"), ("1999-01-01", "2025-11-25")],
)
def test_initialize_is_answered_in_a_revision_that_both_speak(requested: str, answered: str) -> None:
    assert legacy(request("initialize", {"protocolVersion": requested}), None).version == answered


@pytest.mark.parametrize("header", ["2024-10-07", "2027-01-01", "DRAFT-2025-v2", ""])
@pytest.mark.parametrize(("requested", "answered"), [("2025-06-18", "2025-06-18"), ("2027-01-01", "2025-11-25")])
def test_initialize_is_negotiated_whatever_revision_its_header_names(
    header: str, requested: str, answered: str
) -> None:
    """The clients of the Java SDK and others name the newest that they know, before anything is negotiated."""
    call = legacy(request("initialize", {"protocolVersion": requested}), header)
    assert isinstance(call, Call)
    assert call.version == answered


def test_a_header_that_claims_the_era_without_a_handshake_is_not_negotiated() -> None:
    refused = legacy(request("initialize", {"protocolVersion": "2025-06-18"}), MODERN[0])
    assert (refused.code, refused.status) == (-32602, 400)


ENVELOPES = [
    pytest.param(b"", -32700, id="empty"),
    pytest.param(b"{", -32700, id="cut off"),
    pytest.param(2 * BOM_UTF8 + request("ping"), -32700, id="two byte order marks"),
    pytest.param(request("ping").replace(b"ping", b"p\xffng"), -32700, id="bad UTF-8"),
    pytest.param(request("ping", {"a": 1}).replace(b"1", b'"\xff"'), -32700, id="bad UTF-8 in params"),
    pytest.param(request("ping", {"a": 1}).replace(b"1", b'"\\ud800"'), -32700, id="lone surrogate"),
    pytest.param(request("ping", {"a": 1}).replace(b"1", b"NaN"), -32700, id="NaN"),
    pytest.param(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", -32700, id="deep"),
    pytest.param(b"7", -32600, id="a number"),
    pytest.param(b'"ping"', -32600, id="a string"),
    pytest.param(b"null", -32600, id="null"),
    pytest.param(b"{}", -32600, id="nothing in it"),
    pytest.param(request("ping", jsonrpc="1.0"), -32600, id="JSON-RPC 1.0"),
    pytest.param(b'{"id":1,"method":"ping"}', -32600, id="no jsonrpc"),
    pytest.param(b'{"jsonrpc":"2.0","id":1}', -32600, id="no method"),
    pytest.param(b'{"jsonrpc":"2.0","id":1,"method":5}', -32600, id="method no string"),
    pytest.param(b'{"jsonrpc":"2.0","id":1,"result":{}}', -32600, id="a response"),
]
"""What is no request of any era, and its code; the status is always 400."""


@pytest.mark.parametrize("said", [b'"result":{}', b'"error":{"code":-1,"message":"m"}'])
@pytest.mark.parametrize("version", SUPPORTED)
def test_a_response_is_answered_by_the_status_of_its_post_alone(version: str, said: bytes) -> None:
    """Without its id, which a client could take for its own; elsewhere two that answer each other would never end."""
    response = b'{"jsonrpc":"2.0","id":1,%b}' % said
    refused = legacy(response, version)
    assert (refused.id, refused.code, refused.status) == (None, -32600, 400)
    assert read_line(response, version) == Notification()
    if version == "2025-03-26":
        assert [*read_line(b"[%b]" % response, version).messages, *legacy(b"[%b]" % response, version).messages] == [
            Notification(),
            Notification(),
        ]


@pytest.mark.parametrize("name", ["MCP-Protocol-Version", "Mcp-Method", "Mcp-Name"])
@pytest.mark.parametrize(("body", "request_id"), [(request("ping"), 7), (request("nope"), 7), (b"{", None)])
def test_a_header_that_comes_twice_is_refused_under_the_id_of_its_message(
    name: str, body: bytes, request_id: int | None
) -> None:
    twice = [(name.lower().encode(), b"2025-11-25")] * 2
    refused = read_http(twice, body)
    assert isinstance(refused, Rejection)
    assert (refused.id, refused.code, refused.status) == (request_id, -32020, 400)


def test_a_byte_order_mark_in_front_of_a_message_is_ignored() -> None:
    marked = BOM_UTF8 + request("ping", {"a": 1})
    for message in (legacy(marked), read_line(marked, "2025-11-25")):
        assert isinstance(message, Call)
        assert (message.method, message.id) == ("ping", 7)


@pytest.mark.parametrize("version", [None, *SUPPORTED])
@pytest.mark.parametrize(("body", "code"), ENVELOPES)
def test_what_is_no_message_is_refused_in_every_revision(body: bytes, code: int, version: str | None) -> None:
    rejection = legacy(body, version)
    assert isinstance(rejection, Rejection)
    assert (rejection.code, rejection.status) == (code, 400)
    assert len(rejection.message) < 200
    assert "$" not in rejection.message  # where msgspec's own messages point to


@pytest.mark.parametrize(
    ("body", "code", "status"),
    [
        pytest.param(request("ping", [1]), -32602, 200, id="params by position"),
        pytest.param(request("ping", {"_meta": 5}), -32602, 200, id="_meta no object"),
        pytest.param(request("tools/call"), -32602, 200, id="no name"),
        pytest.param(request("tools/call", {"name": 5}), -32602, 200, id="name no string"),
        pytest.param(request("tools/call", {"name": "a", "arguments": "b"}), -32602, 200, id="arguments no object"),
        pytest.param(request("tools/list", {"cursor": 5}), -32602, 200, id="cursor no string"),
        pytest.param(request("logging/setLevel", {"level": "loud"}), -32602, 200, id="unknown level"),
        pytest.param(request("ping", {"_meta": {"progressToken": 1.5}}), -32602, 200, id="fractional token"),
        pytest.param(request("server/discover"), -32601, 200, id="a modern method"),
        pytest.param(request("resources/subscribe", {"uri": "a"}), -32601, 200, id="not served"),
        pytest.param(request("x" * 10_000), -32601, 200, id="no such method"),
    ],
)
def test_a_bad_legacy_message_gets_its_code_and_status(body: bytes, code: int, status: int) -> None:
    rejection = legacy(body)
    assert isinstance(rejection, Rejection)
    assert (rejection.code, rejection.status) == (code, status)
    assert len(rejection.message) < 200
    assert "$" not in rejection.message  # where msgspec's own messages point to


@pytest.mark.parametrize("version", [None, *SUPPORTED])
@pytest.mark.parametrize(
    "raw",
    [b"null", b"1.5", b"1.0", b"1e3", b"true", b"{}", b"[]", b'"' + b"x" * (ECHOED_CHARACTERS + 1) + b'"', b"1" * 300],
)
def test_an_id_that_is_no_string_or_integer_of_bounded_length_is_refused(raw: bytes, version: str | None) -> None:
    rejection = legacy(b'{"jsonrpc":"2.0","id":%b,"method":"ping"}' % raw, version)
    assert isinstance(rejection, Rejection)
    assert (rejection.code, rejection.status, rejection.id) == (-32600, 400, None)


@pytest.mark.parametrize("value", [0, -1, 2**53 + 1, 10**200, "", "a", "é" * ECHOED_CHARACTERS, '"\n'])
def test_an_id_comes_back_exactly(value: int | str) -> None:
    rejection = legacy(request("nothing", id=value))
    assert msgspec.json.decode(rejection.encode())["id"] == value


OPTIONAL = [  # the members that a request may leave out
    *(("params", name) for name in ("arguments", "cursor")),
    *(("_meta", name) for name in ("progressToken", "traceparent", "tracestate", LEVEL_KEY, "x/y")),
    ("_meta", "io.modelcontextprotocol/clientInfo"),
]


@pytest.mark.parametrize("method", ["tools/call", "tools/list"])
@pytest.mark.parametrize(
    ("version", "place", "name"),
    [*((version, *each) for version in SUPPORTED for each in OPTIONAL), *((old, "params", "_meta") for old in LEGACY)],
)
def test_null_is_the_same_as_absent(version: str, method: str, place: str, name: str) -> None:
    """Clients whose serializer writes nulls send them for all that they leave out."""
    meta = META if version in MODERN else {}
    params = {"_meta": meta, **PARAMS.get(method, {})}
    absent = read_line(request(method, params), version)
    null = {"_meta": {**meta, name: None}} if place == "_meta" else {name: None}
    assert isinstance(absent, Call)
    assert replace(read_line(request(method, params | null), version), size=0) == replace(absent, size=0)


def test_params_that_are_null_are_none() -> None:
    assert isinstance(legacy(b'{"jsonrpc":"2.0","id":1,"method":"ping","params":null}'), Call)


@pytest.mark.parametrize("version", ["2025-11-25", "2026-07-28"])
def test_notifications_are_taken(version: str) -> None:
    body = b'{"jsonrpc":"2.0","method":"notifications/initialized"}'
    assert legacy(body, version) == Notification(method="notifications/initialized")


def test_a_cancellation_names_its_request() -> None:
    body = b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"a"}}'
    assert legacy(body) == Notification(method="notifications/cancelled", cancels="a")


@pytest.mark.parametrize("params", [b"5", b"{}", b'{"requestId":1.5}', b'{"requestId":null}'])
def test_a_malformed_cancellation_is_ignored(params: bytes) -> None:
    body = b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":%b}' % params
    assert legacy(body) == Notification(method="notifications/cancelled")


@pytest.mark.parametrize("body", [request("ping"), b'{"jsonrpc":"2.0","method":"notifications/initialized"}'])
def test_an_unsupported_version_is_told_the_supported_ones(body: bytes) -> None:
    rejection = legacy(body, "2027-01-01")
    assert isinstance(rejection, Rejection)
    assert (rejection.code, rejection.status, rejection.message) == (-32022, 400, "Unsupported protocol version")
    assert rejection.data == {"supported": SUPPORTED, "requested": "2027-01-01"}


def test_of_an_unsupported_version_no_more_is_repeated_than_shows_which_it_is() -> None:
    meta = f'{{"_meta":{{"io.modelcontextprotocol/protocolVersion":"{"9" * 1_000_000}"}}}}'
    rejection = read_line(b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":%b}' % meta.encode(), "2025-11-25")
    assert isinstance(rejection, Rejection)
    assert len(rejection.encode()) < 500


@pytest.mark.parametrize(
    ("method", "params", "headers", "code", "status"),
    [
        pytest.param("tools/list", {"_meta": None}, {}, -32602, 400, id="no _meta"),
        pytest.param("tools/list", {"_meta": {**META, VERSION_KEY: 5}}, {}, -32602, 400, id="version no string"),
        pytest.param("tools/list", {"_meta": {CAPABILITIES_KEY: {}}}, {}, -32602, 400, id="no version in _meta"),
        pytest.param("tools/list", {"_meta": {VERSION_KEY: "2026-07-28"}}, {}, -32602, 400, id="no capabilities"),
        pytest.param(
            "tools/list", {"_meta": {**META, CAPABILITIES_KEY: 5}}, {}, -32602, 400, id="capabilities no object"
        ),
        pytest.param(
            "tools/list", {"_meta": {**META, CAPABILITIES_KEY: None}}, {}, -32602, 400, id="null capabilities"
        ),
        pytest.param("tools/list", {"_meta": {**META, VERSION_KEY: None}}, {}, -32602, 400, id="null version"),
        pytest.param("tools/list", {}, {"mcp_protocol_version": None}, -32020, 400, id="no version header"),
        pytest.param("tools/list", {}, {"mcp_protocol_version": "2025-11-25"}, -32020, 400, id="other version header"),
        pytest.param("tools/list", {"_meta": {**META, LEVEL_KEY: "loud"}}, {}, -32602, 400, id="no level of logs"),
        pytest.param("tools/list", {"_meta": {**META, LEVEL_KEY: 5}}, {}, -32602, 400, id="level no string"),
        pytest.param("tools/list", {}, {"mcp_method": None}, -32020, 400, id="no method header"),
        pytest.param("tools/list", {}, {"mcp_method": "tools/call"}, -32020, 400, id="other method header"),
        pytest.param("tools/list", {}, {"mcp_method": "TOOLS/LIST"}, -32020, 400, id="method in another case"),
        pytest.param("tools/call", {}, {"mcp_name": None}, -32020, 400, id="no name header"),
        pytest.param("tools/call", {}, {"mcp_name": "other"}, -32020, 400, id="other name header"),
        pytest.param("resources/read", {}, {"mcp_name": "other"}, -32020, 400, id="other URI header"),
        pytest.param("tools/call", {}, {"mcp_name": "=?base64?bGlzdF9wZXRz!?="}, -32020, 400, id="broken base64"),
        pytest.param("tools/call", {}, {"mcp_name": "=?base64?/w==?="}, -32020, 400, id="base64 of no UTF-8"),
        pytest.param("tools/call", {"name": "é"}, {"mcp_name": "é"}, -32020, 400, id="name not encoded"),
        pytest.param("tools/call", {"name": "\xa0"}, {"mcp_name": "\xa0"}, -32020, 400, id="no-break space"),
        pytest.param("tools/call", {"name": None}, {}, -32602, 400, id="no name in params"),
        pytest.param("subscriptions/listen", {"notifications": None}, {}, -32602, 400, id="no filter"),
        pytest.param(
            "subscriptions/listen", {"notifications": ["toolsListChanged"]}, {}, -32602, 400, id="filter a list"
        ),
        pytest.param(
            "subscriptions/listen", {"notifications": {"toolsListChanged": 1}}, {}, -32602, 400, id="filter no boolean"
        ),
        pytest.param("initialize", {}, {}, -32601, 404, id="initialize"),
        pytest.param("ping", {}, {}, -32601, 404, id="ping"),
        pytest.param("logging/setLevel", {}, {}, -32601, 404, id="setLevel"),
        pytest.param("no/such", {}, {}, -32601, 404, id="no such method"),
    ],
)
def test_a_bad_modern_request_gets_its_code_and_status(
    method: str, params: dict[str, object], headers: dict[str, str | None], code: int, status: int
) -> None:
    rejection = modern(method, params, **headers)
    assert isinstance(rejection, Rejection)
    assert (rejection.code, rejection.status, rejection.id) == (code, status, 7)


def test_a_version_in_the_body_that_nobody_serves_is_told_the_supported_ones() -> None:
    meta = {**META, VERSION_KEY: "v999"}
    rejection = modern("tools/list", {"_meta": meta}, mcp_protocol_version="v999")
    assert (rejection.code, rejection.status, rejection.data["requested"]) == (-32022, 400, "v999")


def test_a_routing_header_sent_twice_is_refused() -> None:
    twice = [(b"mcp-protocol-version", b"2026-07-28")] * 2
    assert read_http(twice, request("ping")).code == -32020


@given(st.text(min_size=1, max_size=80))
def test_a_name_as_the_official_client_encodes_it_is_accepted(name: str) -> None:
    assert isinstance(modern("tools/call", {"name": name}, mcp_name=encode_header_value(name)), Call)


def test_a_name_that_looks_encoded_must_be_encoded() -> None:
    name = "=?base64?bGlzdF9wZXRz?="
    assert isinstance(modern("tools/call", {"name": name}), Rejection)
    wrapped = f"=?base64?{base64.b64encode(name.encode()).decode()}?="
    assert isinstance(modern("tools/call", {"name": name}, mcp_name=wrapped), Call)


@pytest.mark.parametrize("version", [None, "2025-03-26"])
def test_a_batch_is_taken_at_the_revision_that_has_them(version: str | None) -> None:
    batch = legacy(b"[" + request("ping") + b',{"jsonrpc":"2.0","method":"notifications/x"},5]', version)
    assert isinstance(batch, Batch)
    assert [type(message) for message in batch.messages] == [Call, Notification, Rejection]


@pytest.mark.parametrize("version", [v for v in SUPPORTED if v != "2025-03-26"])
def test_a_batch_is_refused_at_every_other_revision(version: str) -> None:
    rejection = legacy(b"[" + request("ping") + b"]", version)
    assert (rejection.code, rejection.status) == (-32600, 400)


@pytest.mark.parametrize("count", [0, BATCH_MESSAGES + 1])
def test_a_batch_is_neither_empty_nor_unbounded(count: int) -> None:
    assert legacy(b"[" + b",".join([request("ping")] * count) + b"]", None).code == -32600


def test_initialize_in_a_batch_is_refused_alone() -> None:
    batch = legacy(b"[" + request("initialize", PARAMS["initialize"]) + b"," + request("ping") + b"]", None)
    assert [type(message) for message in batch.messages] == [Rejection, Call]


def test_a_modern_request_in_a_batch_is_refused_alone() -> None:
    batch = read_line(b"[%b,%b]" % (request("tools/list", {"_meta": META}), request("ping")), "2025-03-26")
    assert [type(message) for message in batch.messages] == [Rejection, Call]


def test_a_line_is_modern_by_its_meta_and_legacy_without() -> None:
    assert read_line(request("server/discover", {"_meta": META}), "2025-11-25").version == MODERN[0]
    assert read_line(request("tools/list"), "2025-06-18").version == "2025-06-18"


def escaped(body: bytes) -> bytes:
    """The same JSON with every character of its strings as an escape."""

    def escape(found: re.Match[str]) -> str:
        return '"' + "".join(f"\\u{ord(character):04x}" for character in json.loads(found[0])) + '"'

    return re.sub(r'"(?:[^"\\]|\\.)*"', escape, body.decode()).encode()


@pytest.mark.parametrize("filler", ["", "x" * 12_000], ids=["small", "large"])
@pytest.mark.parametrize(("version", "method"), [*product(LEGACY, LEGACY_METHODS), *product(MODERN, MODERN_METHODS)])
def test_escapes_mean_nothing(version: str, method: str, filler: str) -> None:
    """RFC 8259 section 7: any character may be escaped, so those of names and fixed words, too."""
    meta = {**(META if version in MODERN else {}), "progressToken": "p", "traceparent": "t", "é/x": filler}
    body = request(method, {**PARAMS.get(method, {}), "_meta": meta}, id="é")
    plain, other = read_line(body, version), read_line(escaped(body), version)
    assert isinstance(other, Call)
    assert replace(other, size=0, arguments=None) == replace(plain, size=0, arguments=None)


def test_a_line_needs_no_headers() -> None:
    assert isinstance(read_line(request("tools/call", {"name": "a", "_meta": META}), "2025-11-25"), Call)


@given(st.binary(max_size=200), st.sampled_from([None, *SUPPORTED]))
def test_no_bytes_make_it_raise(body: bytes, version: str | None) -> None:
    read = legacy(body, version)
    elements = read.messages if isinstance(read, Batch) else (read,)
    assert all(isinstance(element, Call | Notification | Rejection) for element in elements)
    if not body.lstrip().startswith(
        (b"{", b"[")
    ):  # a message that Hypothesis makes of this file's constants may be good
        assert isinstance(read, Rejection)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "jsonrpc": st.just("2.0") | json_values,
            "id": json_values,
            "method": st.sampled_from([*LEGACY_METHODS, *MODERN_METHODS]) | json_values,
            "params": st.fixed_dictionaries(
                {}, optional=dict.fromkeys(("name", "uri", "arguments", "cursor", "_meta", "level"), json_values)
            )
            | json_values,
        },
    ),
    st.sampled_from([None, *SUPPORTED]),
)
def test_no_message_makes_it_raise(message: dict[str, object], version: str | None) -> None:
    outcome = legacy(msgspec.json.encode(message), version)
    assert isinstance(outcome, Call | Notification | Rejection)
    if isinstance(outcome, Rejection):
        msgspec.json.decode(outcome.encode())


CALLED = b'{"name":"x","arguments":{"a":1}}'
TWICE = [
    b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}',
    b'{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/list"}',
    b'{"jsonrpc":"2.0","method":"ping","id":12,"x":{},"id":1}',
    b'{"jsonrpc":"2.0","method":"ping","id":1,"id":12}',
    b'{"jsonrpc":"2.0","id":1,"m\\u0065thod":"ping","method":"ping"}',
    b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":%b,"params":%b}' % (CALLED, CALLED),
    b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b","arguments":{}}}',
    b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"a":1},"arguments":{}}}',
]


@pytest.mark.parametrize("white", [b"", b" ", b"\n\t"])
@pytest.mark.parametrize("message", TWICE)
def test_of_two_equal_keys_neither_holds(message: bytes, white: bytes) -> None:
    rejected = read_line(message.replace(b",", white + b"," + white).replace(b":", white + b":"), "2025-06-18")
    assert isinstance(rejected, Rejection)
    assert (rejected.code, "twice" in rejected.message) == (INVALID_REQUEST, True)


@given(
    st.dictionaries(st.text(max_size=4) | st.sampled_from(["é", '"', "\\", ":,{}"]), st.text(max_size=6), max_size=5),
    st.sampled_from([None, 0, 2]),
    st.booleans(),
)
def test_white_space_and_escapes_are_no_equal_keys(more: dict[str, str], indent: int | None, ascii_only: bool) -> None:
    message = {**more, "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "x", "arguments": more}}
    text = json.dumps(message, indent=indent, ensure_ascii=ascii_only)
    assert isinstance(read_line(f" {text} ".encode(), "2025-06-18"), Call)


@pytest.mark.parametrize(
    ("message", "request_id"),
    [
        (rb'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"x","arguments":{"a":"\ud83d"}}}', 7),
        (rb'{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"\udc00x"}}', "a"),
        (rb'{"jsonrpc":"2.0","id":7,"method":"ping","x\ud800\ud800":1}', 7),
        (rb'{"jsonrpc":"2.0","id":"\ud800","method":"ping"}', "\ufffd"),
    ],
)
def test_half_of_a_surrogate_pair_is_refused_to_whoever_waits_for_the_answer(
    message: bytes, request_id: int | str
) -> None:
    rejected = read_line(message, "2025-06-18")
    assert isinstance(rejected, Rejection)
    assert (rejected.id, rejected.code) == (request_id, PARSE_ERROR)
    assert "half of a surrogate pair" in rejected.message


@pytest.mark.parametrize("text", [rb"\ud83d\ude00", rb"\\ud83d", rb"\\\ud83d\ude00"])
def test_whole_pairs_and_escaped_backslashes_are_text(text: bytes) -> None:
    message = rb'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"x","arguments":{"a":"%b"}}}' % text
    assert isinstance(read_line(message, "2025-06-18"), Call)


MANY = b",".join(b'"%x":1' % number for number in range(20_000))
CALL = b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{%b}%b}'
NAMED = b'"name":"list_pets"'


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (CALL % (NAMED, b"," + MANY), "a message may have 2,000 names"),
        (CALL % (NAMED + b"," + MANY, b""), "params may have 2,000 names"),
        (CALL % (NAMED + b',"_meta":{%b}' % MANY, b""), "params may have 2,000 names"),
        (CALL % (NAMED + b',"arguments":{%b},"arguments":{}' % MANY, b""), "params may have 2,000 names"),
        (b" [" + b"1," * 50_000 + b"1]", f"a batch may hold {BATCH_MESSAGES} messages"),
    ],
)
def test_many_members_beside_the_arguments_are_refused_unread(body: bytes, problem: str) -> None:
    tracemalloc.start()
    try:
        refused = read_line(body, "2025-03-26")
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(refused, Rejection)
    assert problem in refused.message
    assert most < 3 * len(body)


@pytest.mark.parametrize("params", [b'{"x":"%b"}' % (b"x" * 4_000_000), b" " * 4_000_000 + b"{}"])
def test_a_long_text_and_much_space_beside_the_arguments_are_read(params: bytes) -> None:
    assert isinstance(read_line(b'{"jsonrpc":"2.0","id":7,"method":"ping","params":%b}' % params, "2025-06-18"), Call)


@pytest.mark.parametrize("batch", [False, True])
def test_large_arguments_are_read_whatever_they_hold(batch: bool) -> None:
    body = CALL % (NAMED + b',"arguments":{%b}' % MANY, b"")
    read = read_line(b"[%b]" % body if batch else body, "2025-03-26")
    call = read.messages[0] if isinstance(read, Batch) else read
    assert isinstance(call, Call)
    assert call.arguments == msgspec.Raw(b"{%b}" % MANY)


@pytest.mark.parametrize("body", [b'"' + b"x" * 70_000 + b'"', b"[" + b"1" * 70_000, b"{" + b" " * 70_000])
def test_a_large_text_that_is_no_message_is_refused_as_a_small_one_is(body: bytes) -> None:
    large, small = (read_line(text, "2025-03-26") for text in (body, body.replace(body[5:-5], b"")))
    assert isinstance(large, Rejection)
    assert isinstance(small, Rejection)
    assert (large.code, large.message) == (small.code, small.message)


@pytest.mark.parametrize("opening", [b"[", b'{"a":'], ids=["lists", "objects"])
def test_a_batch_is_refused_at_every_depth_that_some_reader_has_no_stack_for(opening: bytes) -> None:
    """Its elements are read further down in the stack than the whole: at one depth that was an exception."""
    closing = b"]" if opening == b"[" else b"}"
    for depth in range(sys.getrecursionlimit() - 100, sys.getrecursionlimit() + 20):
        deep = opening * depth + b"1" + closing * depth
        read_line(b'[{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":%b}}]' % deep, "2025-03-26")
