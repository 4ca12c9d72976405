"""The whole request: what goes where, and that no argument changes where it goes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from body_writers import writer
from openapi_mcp_server.bridge import request
from openapi_mcp_server.bridge.http_messages import HttpRequest
from openapi_mcp_server.bridge.model import BodyPlan, CheckedSchema, InputContract, Slot, Tool
from openapi_mcp_server.bridge.origins import Origin
from openapi_mcp_server.bridge.parameters import encoders
from openapi_mcp_server.errors import ArgumentError
from openapi_mcp_server.openapi.model import Location, MediaType, Parameter, Schema, Style

ORIGIN = Origin("https", "api.example.com", 443)
RAW = msgspec.Raw(b"{}")


def slot(name: str, location: Location, *, required: bool = False, argument: str = "", **more: Any) -> Slot:
    style: Style = "form" if location in {"query", "cookie"} else "simple"
    fields: dict[str, Any] = {"style": style, "explode": style == "form"} | more
    described = Parameter(
        pointer="#", name=name, location=location, required=required or location == "path", schema=Schema(RAW), **fields
    )
    return Slot(
        argument=argument or name,
        name=name,
        location=location,
        required=described.required,
        encode=encoders.encoder(described),
    )


def tool(*slots: Slot, path: tuple[str | int, ...] = ("/v1/pets",), **more: Any) -> Tool:
    fields: dict[str, Any] = {"method": "GET", "fixed_query": "", "body": None, "accept": "application/json"}
    fields |= {"input": InputContract(checked=CheckedSchema(b"{}"), names=())} | more
    return Tool(
        name="t", api="a", pointer="#", template="/pets/{id}", origin=ORIGIN, path=path, slots=slots, output=None,
        entry=RAW, title="", summary="", **fields,
    )  # fmt: skip


def plan(
    *names: str, whole: str | None = None, required: bool = True, properties: dict[str, str] | None = None, **more: Any
) -> BodyPlan:
    media = [MediaType(pointer="#", name=name, schema=None) for name in names or ("application/json",)]
    made = {each.name: writer(each, {}) for each in media}
    return BodyPlan(required=required, whole=whole, properties=properties or {}, writers=made, **more)


def test_every_slot_goes_to_its_place() -> None:
    described = tool(
        slot("id", "path"),
        slot("part", "path"),
        slot("limit", "query"),
        slot("X-Trace", "header", argument="trace"),
        slot("theme", "cookie"),
        slot("tags", "cookie"),
        slot("sort", "query"),
        path=("/v1/pets/", 0, "/parts/", 1, ".json"),
        fixed_query="action=find",
    )
    arguments = {
        "sort": ["a", "b"],
        "id": "x/y",
        "part": 7,
        "limit": 5,
        "trace": "t-1",
        "theme": "dark",
        "tags": ["m", "n"],
    }
    assert request.build(described, arguments) == HttpRequest(
        method="GET",
        origin=ORIGIN,
        path="/v1/pets/x%2Fy/parts/7.json",
        query="action=find&limit=5&sort=a&sort=b",
        headers=(("accept", "application/json"), ("X-Trace", "t-1"), ("cookie", "theme=dark; tags=m; tags=n")),
    )


def test_what_is_not_given_is_not_sent() -> None:
    described = tool(slot("q", "query"), slot("X-A", "header"), slot("c", "cookie"), slot("list", "query"))
    assert request.build(described, {"list": []}) == HttpRequest(
        method="GET", origin=ORIGIN, path="/v1/pets", query="", headers=(("accept", "application/json"),)
    )


@pytest.mark.parametrize(("value", "text"), [({}, "{}"), ([], "[]")])
def test_a_header_of_json_says_that_it_is_empty(value: Any, text: str) -> None:
    """Only what styles expand is undefined where it is empty: RFC 6570 says nothing of ``content``."""
    described = tool(slot("X-A", "header", content_type="application/json"), slot("X-B", "header"))
    sent = request.build(described, {"X-A": value, "X-B": value})
    assert sent.headers == (("accept", "application/json"), ("X-A", text))


def test_null_leaves_a_parameter_out_unless_it_is_required() -> None:
    described = tool(slot("q", "query"), slot("r", "query", required=True), slot("X-A", "header"))
    sent = request.build(described, {"q": None, "r": None, "X-A": None})
    assert (sent.query, sent.headers) == ("r=", (("accept", "application/json"),))


def test_no_accept_header_where_the_tool_has_none() -> None:
    assert request.build(tool(accept=""), {}).headers == ()


@pytest.mark.parametrize("method", ["GET", "QUERY", "PATCH", "DELETE", "PURGE"])
def test_any_method_may_carry_the_body_that_is_documented(method: str) -> None:
    described = tool(method=method, body=plan(properties={"name": "name"}))
    sent = request.build(described, {"name": "Rex"})
    assert (sent.method, sent.body) == (method, b'{"name":"Rex"}')
    assert ("content-type", "application/json") in sent.headers


@pytest.mark.parametrize(
    ("body", "arguments", "data"),
    [
        (plan(properties={"n": "name", "b": "age"}), {"n": "Rex", "b": Decimal("1.10")}, b'{"name":"Rex","age":1.10}'),
        (plan(properties={"n": "name"}), {"n": None}, b'{"name":null}'),
        (plan(properties={"n": "name"}), {}, b"{}"),
        (plan(properties={"n": "name"}, required=False), {}, None),
        (plan(properties={"n": "name"}, required=False), {"n": None}, b'{"name":null}'),
        (plan(whole="body"), {"body": [1, None]}, b"[1,null]"),
        (plan(whole="body", required=False), {}, None),
        (plan(whole="body", required=False), {"body": None}, b"null"),
    ],
)  # fmt: skip
def test_bodies_follow_their_plan(body: BodyPlan, arguments: dict[str, Any], data: bytes | None) -> None:
    sent = request.build(tool(method="POST", body=body), arguments)
    assert sent.body == data
    assert (("content-type", "application/json") in sent.headers) == (data is not None)


def test_the_first_media_type_is_the_default_and_an_argument_chooses_another() -> None:
    both = plan("application/json", "application/x-www-form-urlencoded", properties={"a": "a"}, chooser="content_type")
    described = tool(method="POST", body=both)
    assert request.build(described, {"a": 1}).body == b'{"a":1}'
    chosen = request.build(described, {"a": 1, "content_type": "application/x-www-form-urlencoded"})
    assert (chosen.body, chosen.headers[-1]) == (b"a=1", ("content-type", "application/x-www-form-urlencoded"))


def test_holes_beside_each_other_cannot_make_a_dot_segment() -> None:
    described = tool(slot("a", "path"), slot("b", "path"), path=("/v1/.", 0, 1))
    with pytest.raises(ArgumentError):
        request.build(described, {"a": ".", "b": "."})
    joined = tool(trusting("a", "."), trusting("b", "%2e"), path=("/v1/", 0, 1))
    with pytest.raises(ArgumentError, match="would name another one"):
        request.build(joined, {"a": "", "b": ""})
    assert request.build(described, {"a": "x", "b": "y"}).path == "/v1/.xy"


def trusting(name: str, text: str, location: Location = "path") -> Slot:
    """A slot whose encoder does not look at what it writes."""
    return Slot(argument=name, name=name, location=location, required=True, encode=lambda value: text)


@pytest.mark.parametrize("text", ["a/b", "", "..", "%2e%2e", "%252e.", "a?b", "a#b", "é", "a b", "\n"])
def test_a_path_of_another_shape_is_never_sent(text: str) -> None:
    described = tool(trusting("id", text), path=("/v1/pets/", 0, "/x"))
    with pytest.raises(ArgumentError, match=r"/pets/\{id\}"):
        request.build(described, {"id": ""})


@pytest.mark.parametrize("text", ["a#b", "é", "a b", "a\r\nb"])
def test_a_query_that_would_end_early_is_never_sent(text: str) -> None:
    with pytest.raises(ArgumentError, match="query"):
        request.build(tool(trusting("q", text, "query")), {"q": ""})


def test_a_wrong_value_is_named() -> None:
    with pytest.raises(ArgumentError, match=r"path parameter 'id': must not be or hold a dot segment"):
        request.build(tool(slot("id", "path"), path=("/pets/", 0)), {"id": "../admin"})


HOSTILE = st.text(st.characters(exclude_categories=["Cs"]), max_size=15) | st.sampled_from(
    ["..", "%2e%2e%2f", "//evil.example", "http://evil.example/", "x?y=1&z=2#f", "a\r\nHost: evil", "@evil", "\\..\\"]
)
VALUES = HOSTILE | st.lists(HOSTILE, max_size=3) | st.none() | st.booleans() | st.integers()
PETS = tool(
    slot("id", "path"), slot("q", "query"), slot("r", "query", allow_reserved=True), slot("X-A", "header"),
    slot("c", "cookie"),
    method="POST", path=("/v1/pets/", 0, "/toys"), fixed_query="v=2", body=plan(properties={"name": "name"}),
)  # fmt: skip


@settings(max_examples=200)
@given(HOSTILE, st.fixed_dictionaries({}, optional=dict.fromkeys(("q", "r", "X-A", "c", "name"), VALUES)))
def test_no_argument_changes_where_the_request_goes(identifier: str, others: dict[str, Any]) -> None:
    try:
        sent = request.build(PETS, {"id": identifier, **others})
    except ArgumentError:
        return
    assert (sent.method, sent.origin) == ("POST", ORIGIN)
    assert sent.path.startswith("/v1/pets/")
    assert sent.path.endswith("/toys")
    assert sent.path.count("/") == 4
    assert sent.target.isascii()
    assert sent.target.isprintable()
    assert {piece.partition("=")[0] for piece in sent.query.split("&")} <= {"v", "q", "r"}
    assert sent.query.startswith("v=2")
    assert {name for name, _ in sent.headers} <= {"accept", "content-type", "X-A", "cookie"}
    assert all(value.isprintable() for _, value in sent.headers)
    assert msgspec.json.decode(sent.body or b"") == {key: value for key, value in others.items() if key == "name"}


def free(method: str, *declared: str) -> Tool:
    """A tool with an argument whose members become parameters."""
    return tool(slot("options", "query"), *(slot(name, "query") for name in declared), method=method)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "name",
    [
        "_method", "_HttpMethod", "_httpMethod", ".method", "[method", " _method", "_method\t", "+_method",
        "[_method]", "_method]", "_method\0", "_method\0x", "_METHOD", "_mEtHoD", "X-HTTP-Method-Override",
        "x-http-method-override", "X-HTTP-METHOD", "X-Method-Override",
    ],
)  # fmt: skip
def test_no_name_that_a_model_chooses_makes_a_call_one_of_another_method(method: str, name: str) -> None:
    """WordPress takes GET /posts/1?_method=DELETE for a DELETE."""
    if name == "+_method":  # a plus that stays one
        assert request.build(free(method), {"options": {name: "DELETE"}}).query == "%2B_method=DELETE"
        return
    with pytest.raises(ArgumentError, match="another method"):
        request.build(free(method), {"options": {name: "DELETE"}})


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json", "application/vnd.api+json", "application/x-www-form-urlencoded",
        "Application/X-WWW-Form-URLEncoded", "multipart/form-data", "Multipart/Form-Data",
    ],
)  # fmt: skip
def test_no_member_of_a_body_makes_a_call_one_of_another_method(media_type: str) -> None:
    """Laravel takes a POST of JSON with ``_method`` for one of that method, as Rails takes one of a form; Slim reads
    ``_METHOD``, ASP.NET the name of the header."""
    sends = tool(method="POST", body=plan(media_type, properties={"name": "name"}, open=True))
    assert request.build(sends, {"name": "_method"}, {"my_method": "DELETE"}).body
    for name in ("_method", "_METHOD", "_HttpMethod", "X-HTTP-Method-Override"):
        with pytest.raises(ArgumentError, match=f"'{name.lower()}' makes the call one of another method"):
            request.build(sends, {"name": "x"}, {name: "DELETE"})


@pytest.mark.parametrize(
    "text",
    ["a=1&_method=DELETE", "a=1&_metho%64=DELETE", "%5F%4d%65%74%68%6F%44=DELETE", "_METHOD=PUT", "x-http-method=PUT"],
)
def test_no_form_that_a_model_writes_makes_a_call_one_of_another_method(text: str) -> None:
    form = MediaType(
        pointer="#", name="application/x-www-form-urlencoded", schema=Schema(msgspec.Raw(b'{"type":"string"}'))
    )
    body = BodyPlan(required=True, whole="body", properties={}, writers={form.name: writer(form, {})})
    with pytest.raises(ArgumentError, match="another method"):
        request.build(tool(method="POST", body=body), {"body": text})
    assert request.build(tool(method="POST", body=body), {"body": "a=%4d%65"}).body == b"a=%4d%65"


def test_a_document_may_declare_such_a_name_within_a_schema() -> None:
    schema = CheckedSchema(b'{"properties":{"options":{"properties":{"_method":{"enum":["PUT"]}}}}}')
    declared = tool(slot("options", "query"), method="POST", input=InputContract(checked=schema, names=("options",)))
    assert request.build(declared, {"options": {"_method": "PUT"}}).query == "_method=PUT"
    with pytest.raises(ArgumentError, match="'_httpmethod' makes"):
        request.build(declared, {"options": {"_method": "PUT", "_HttpMethod": "DELETE"}})


def test_an_operation_may_have_a_parameter_for_its_method() -> None:
    assert request.build(free("POST", "_method"), {"_method": "PUT"}).query == "_method=PUT"
    fixed = tool(slot("q", "query"), fixed_query="_method=PUT", method="POST")
    assert request.build(fixed, {"q": "1"}).query == "_method=PUT&q=1"


@pytest.mark.parametrize("name", ["action", "Action", "action[]", "[action]", "action\0", " action"])
def test_no_name_that_a_model_chooses_is_one_of_the_query_in_a_path(name: str) -> None:
    """Of ``/?action=list&action=delete`` PHP takes the last, which is the key of another operation."""
    listing = tool(slot("options", "query"), slot("v", "query"), fixed_query="action=list&v=2")
    assert request.build(listing, {"options": {"a": "1"}, "v": "3"}).query == "action=list&v=2&a=1&v=3"
    with pytest.raises(ArgumentError, match="'action' has its value in the path"):
        request.build(listing, {"options": {name: "delete"}})


@pytest.mark.parametrize("name", ["method", "methods", "my_method", "_methods", "payment_method"])
def test_other_names_are_only_names(name: str) -> None:
    assert request.build(free("POST"), {"options": {name: "x"}}).query == f"{name}=x"
