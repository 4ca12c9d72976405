"""Arguments in groups by where they go in a request, as other servers ask for them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from descriptions import JSON, body, media, operation, parameter, schemas, tool
from openapi_mcp_server.bridge.arguments.check import check
from openapi_mcp_server.bridge.model import Tool
from openapi_mcp_server.errors import ArgumentError

TEXT = {"type": "string"}
PARAMETERS = (parameter("id", "path"), parameter("filter[x]"), parameter("X-Trace", "header"))
PROPERTIES = {"name": TEXT, "id": {"type": "integer"}, "@type": TEXT}


def made(*, is_open: bool, **properties: Any) -> Tool:
    schema = {"type": "object", "properties": PROPERTIES | properties} | (
        {} if is_open else {"additionalProperties": False}
    )
    return tool(operation("PATCH", "/pets/{id}", parameters=PARAMETERS, body=body(media(JSON, schema))))


OPEN, CLOSED = made(is_open=True), made(is_open=False)


def read(to: Tool, **values: object) -> Any:
    return check(to, msgspec.Raw(msgspec.json.encode(values)))


@pytest.mark.parametrize("to", [OPEN, CLOSED], ids=["open", "closed"])
@pytest.mark.parametrize(
    ("values", "meant"),
    [
        ({"body": {"name": "x"}}, {"name": "x"}),
        ({"requestBody": {"name": "x", "id": 5, "@type": "t"}}, {"name": "x", "id": 5, "type": "t"}),
        ({"request_body": '{"name":"x"}'}, {"name": "x"}),
        ({"body": {"id": "5"}}, {"id": 5}),
        ({"path": {"id": "2"}, "body": {"name": "x"}}, {"id__path": "2", "name": "x"}),
        ({"query": {"filter[x]": "1"}, "headers": {"X-Trace": "t"}}, {"filter_x": "1", "X-Trace": "t"}),
        ({"params": {"filter_x": "1"}}, {"filter_x": "1"}),
    ],
)
def test_a_group_is_taken_for_its_members(to: Tool, values: dict[str, Any], meant: dict[str, Any]) -> None:
    found = read(to, **({"id__path": "1"} if "path" not in values else {}), **values)
    assert (found.values, found.others) == ({"id__path": "1"} | meant, {})
    assert set(found.coerced) == meant.keys()


def test_an_open_body_in_a_group_may_have_more() -> None:
    found = read(OPEN, id__path="1", body={"name": "x", "color": "red"})
    assert (found.values, found.others) == ({"id__path": "1", "name": "x"}, {"color": "red"})


@pytest.mark.parametrize(
    "values",
    [
        {"body": {"name": "x", "color": "red"}},
        {"body": {"name": "x"}, "name": "y"},
        {"query": {"filter[x]": "1", "more": "2"}},
        {"query": {"name": "x"}},
        {"body": {}},
        {"body": "{"},
        {"group": {"name": "x"}},
    ],
)
def test_what_is_not_plainly_a_group_is_asked_about(values: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError):
        read(CLOSED, id__path="1", **values)


def test_a_property_of_that_name_is_itself() -> None:
    found = read(made(is_open=True, body={"type": "object"}), id__path="1", body={"name": "x"})
    assert found.values == {"id__path": "1", "body": {"name": "x"}}


@pytest.mark.parametrize("name", ["X-Trace", "filter_x"])
def test_no_member_of_a_body_in_a_group_becomes_an_argument_that_goes_elsewhere(name: str) -> None:
    whole = {"name": "x", name: "2"}
    assert read(OPEN, id__path="1", body=whole).others == {"body": whole}
    with pytest.raises(ArgumentError, match="id__path"):
        read(OPEN, body={"name": "x", "id__path": "2"})


def test_what_an_open_body_may_have_by_that_name_is_passed_on() -> None:
    assert read(OPEN, id__path="1", body={"color": "red"}).others == {"body": {"color": "red"}}


@pytest.mark.parametrize("to", [OPEN, CLOSED], ids=["open", "closed"])
@pytest.mark.parametrize("name", ["input", "arguments", "data", "PetPatch", "kwargs"])
@pytest.mark.parametrize(
    "values", [{"id__path": "1", "name": "x"}, {"id__path": 1, "filter[x]": "a", "@type": "t"}, '{"id__path":"1"}']
)
def test_all_arguments_in_one_object_are_taken_whatever_it_is_called(to: Tool, name: str, values: Any) -> None:
    found = read(to, **{name: values})
    assert found.values == read(to, **(msgspec.json.decode(values) if isinstance(values, str) else values)).values
    assert found.others == {}


@pytest.mark.parametrize(
    "values",
    [
        {"input": {"id__path": "1", "color": "red"}},
        {"input": {"name": "x"}},
        {"input": {"id__path": "1"}, "name": "x"},
        {"input": [{"id__path": "1"}]},
        {"one": {"two": {"id__path": "1"}}},
    ],
)
def test_one_object_with_something_unknown_or_beside_it_is_asked_about(values: dict[str, Any]) -> None:
    for to in (OPEN, CLOSED):
        with pytest.raises(ArgumentError, match="id__path"):
            read(to, **values)


def test_an_object_that_an_open_body_takes_is_passed_on() -> None:
    schema = {"type": "object", "properties": PROPERTIES}
    free = tool(operation("PATCH", "/pets", body=body(media(JSON, schema))))
    assert read(free, input={"name": "x"}).others == {"input": {"name": "x"}}


CAT = {"type": "object", "required": ["kind"], "properties": {"kind": {"const": "cat"}, "lives": {"type": "integer"}}}
DOG = {"type": "object", "required": ["kind"], "properties": {"kind": {"const": "dog"}}}


def whole(*alternatives: Any, required: bool = True) -> Tool:
    """A tool with one argument for its body, since that may be one of several objects."""
    sent = body(media(JSON, {"oneOf": [*alternatives]}), required=required)
    return tool(operation("POST", "/pets", parameters=(parameter("limit"),), body=sent))


@pytest.mark.parametrize("required", [True, False])
def test_members_of_a_body_that_is_one_argument_are_taken_for_it(required: bool) -> None:
    found = read(whole(CAT, DOG, required=required), kind="cat", lives=9, limit="5")
    assert found.values == {"limit": "5", "body": {"kind": "cat", "lives": 9}}
    assert found.coerced == ("kind", "lives")


@pytest.mark.parametrize(
    ("to", "values"),
    [
        pytest.param(whole(CAT, DOG), {"kind": "bird"}, id="does not fit"),
        pytest.param(whole(CAT, DOG), {"kind": "cat", "body": {"kind": "cat"}}, id="is given as well"),
        pytest.param(whole({"type": "object"}, DOG), {"kind": "dog"}, id="needs none of them"),
        pytest.param(whole(CAT, DOG), {"kind": "cat", "limt": "5"}, id="nearly another argument"),
    ],
)
def test_what_may_be_meant_for_something_else_is_not_taken_for_the_body(to: Tool, values: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError):
        read(to, **values)


PAGEABLE = {"type": "object", "properties": {"page": {"type": "integer"}, "sort": {"type": "array"}}}
FILTER = {"type": "object", "properties": {"status": TEXT}}


def paged(*parameters: Any, sent: Any = None, required: bool = False) -> Tool:
    """A tool with a ``Pageable`` in its query, as Spring lists it, and a ``filter`` in brackets."""
    pageable = parameter("pageable", value={"$ref": "#/$defs/Pageable"}, required=required)
    bracketed = parameter("filter", value=FILTER, style="deepObject", explode=True)
    described = operation("POST", parameters=(pageable, bracketed, *parameters), body=sent and body(media(JSON, sent)))
    return tool(described, request_schemas=schemas(Pageable=PAGEABLE))


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize("sent", [None, {"type": "object", "properties": {"name": TEXT}}], ids=["no body", "open body"])
@pytest.mark.parametrize(
    ("values", "meant"),
    [
        ({"page": "1"}, {"pageable": {"page": 1}}),
        ({"page": 1, "sort": ["name"]}, {"pageable": {"page": 1, "sort": ["name"]}}),
        ({"pageable": {"sort": []}, "page": 1}, {"pageable": {"sort": [], "page": 1}}),
        ({"pageable": {}, "status": "open"}, {"pageable": {}, "filter": {"status": "open"}}),
        ({"page": 1, "filter[status]": "open"}, {"pageable": {"page": 1}, "filter": {"status": "open"}}),
    ],
)
def test_members_of_a_parameter_are_taken_for_it(
    values: dict[str, Any], meant: dict[str, Any], sent: Any, required: bool
) -> None:
    found = read(paged(sent=sent, required=required), **values)
    assert (found.values, found.others) == (meant, {})
    assert set(found.coerced) >= values.keys() - {"pageable"}


@pytest.mark.parametrize(
    ("to", "values"),
    [
        pytest.param(paged(), {"page": 1, "pageable": {"page": 2}}, id="given as well"),
        pytest.param(paged(parameter("other", value=PAGEABLE)), {"page": 1}, id="two parameters have it"),
        pytest.param(paged(), {"colour": "red"}, id="declared by none"),
        pytest.param(paged(), {"pageable": "x", "page": 1}, id="no object to put it in"),
    ],
)
def test_what_may_be_meant_for_something_else_is_not_taken_for_a_parameter(to: Tool, values: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError):
        read(to, **values)


def test_a_name_that_the_body_has_as_well_is_not_moved_to_a_parameter() -> None:
    to = paged(sent={"oneOf": [{"type": "object", "required": ["page"], "properties": {"page": {}}}, DOG]})
    assert read(to, page=1).values == {"body": {"page": 1}}


def test_an_argument_of_its_own_keeps_its_name() -> None:
    assert read(paged(parameter("page")), page="1").values == {"page": "1"}
