"""Parameters of OpenAPI 3.x: defaults, merging, repairs."""

from __future__ import annotations

from typing import Any

import pytest

from documents import described, notes, of_operation, parameter, the_operation, value
from openapi_mcp_server.openapi.model import ApiDescription, Encoding

GET = "#/paths/~1x/get"


def of_parameter(*parameters: Any, path: str = "/x", dialect: Any = "3.1", **root: Any) -> ApiDescription:
    return of_operation({"parameters": list(parameters)}, path=path, dialect=dialect, **root)


@pytest.mark.parametrize(
    ("location", "style", "explode"),
    [("path", "simple", False), ("query", "form", True), ("header", "simple", False), ("cookie", "form", True)],
)
def test_style_and_explode_have_the_defaults_of_their_location(location, style, explode):
    found = parameter(
        of_parameter(
            {"name": "a", "in": location, "required": True, "schema": {}}, path="/{a}" if location == "path" else "/x"
        )
    )
    assert (found.style, found.explode) == (style, explode)


@pytest.mark.parametrize(
    ("location", "style", "explode"),
    [
        ("path", "label", False),
        ("path", "matrix", False),
        ("query", "spaceDelimited", False),
        ("query", "pipeDelimited", False),
        ("query", "deepObject", False),
        ("cookie", "cookie", True),
    ],
)
@pytest.mark.parametrize("said", [None, True, False])
def test_explode_is_what_is_said_or_the_default_of_the_style(location, style, explode, said):
    declared = {"name": "a", "in": location, "required": True, "style": style, "explode": said, "schema": {}}
    found = parameter(of_parameter(declared, path="/{a}" if location == "path" else "/x", dialect="3.2"))
    assert (found.style, found.explode) == (style, explode if said is None else said)


@pytest.mark.parametrize(
    ("location", "style", "taken"),
    [
        ("path", "form", "simple"),
        ("query", "simple", "form"),
        ("header", "form", "simple"),
        ("cookie", "deepObject", "form"),
        ("query", "fancy", "form"),
        ("query", 5, "form"),
    ],
)
def test_a_style_that_its_location_cannot_have_is_the_default_and_noted(location, style, taken):
    declared = {"name": "a", "in": location, "required": True, "style": style, "schema": {}}
    description = of_parameter(declared, path="/{a}" if location == "path" else "/x")
    assert parameter(description).style == taken
    ((kind, pointer),) = notes(description)
    assert (kind, pointer.endswith("/parameters/0/style")) == ("parameter_repaired", True)


@pytest.mark.parametrize(
    ("said", "style", "meant", "taken"),
    [
        ("Query", "DeepObject", "query", "deepObject"),
        ("PATH", "Matrix", "path", "matrix"),
        (" header", "Simple", "header", "simple"),
        ("Cookie", "cookie ", "cookie", "cookie"),
    ],
)
def test_place_and_style_count_in_any_case(said, style, meant, taken):
    declared = {"name": "a", "in": said, "required": True, "style": style, "schema": {}}
    found = parameter(of_parameter(declared, path="/{a}" if meant == "path" else "/x", dialect="3.2"))
    assert (found.location, found.style) == (meant, taken)


def test_flags_of_a_parameter_are_read():
    found = parameter(
        of_parameter(
            {
                "name": "a",
                "in": "query",
                "description": "d",
                "deprecated": True,
                "allowEmptyValue": True,
                "allowReserved": True,
                "schema": {"type": "string"},
            }
        )
    )
    assert (found.description, found.deprecated, found.allow_empty_value, found.allow_reserved) == (
        "d",
        True,
        True,
        True,
    )
    assert (found.required, found.pointer, value(found.schema)) == (False, f"{GET}/parameters/0", {"type": "string"})


def test_parameters_of_path_and_operation_are_merged_by_name_and_location():
    def a(location: str, description: str) -> Any:
        return {"name": "a", "in": location, "schema": {}, "description": description}

    description = described(
        {
            "/x": {
                "parameters": [a("query", "path"), a("header", "path")],
                "get": {"parameters": [a("query", "operation"), a("cookie", "operation")]},
            }
        }
    )
    found = the_operation(description).parameters
    assert [(each.location, each.description) for each in found] == [
        ("query", "operation"),
        ("header", "path"),
        ("cookie", "operation"),
    ]
    assert notes(description) == []


@pytest.mark.parametrize(("location", "names"), [("query", ("a", "a")), ("header", ("X-A", "x-a"))])
def test_of_two_equal_parameters_the_last_counts(location, names):
    first, last = (
        {"name": name, "in": location, "schema": {}, "description": str(index)} for index, name in enumerate(names)
    )
    description = of_parameter(first, last)
    assert parameter(description).description == "1"
    assert notes(description) == [("parameter_repeated", f"{GET}/parameters/1")]


@pytest.mark.parametrize("name", ["Accept", "content-type", "AUTHORIZATION"])
def test_reserved_headers_are_no_parameters(name):
    description = of_parameter({"name": name, "in": "header", "required": True, "schema": {}})
    assert the_operation(description).parameters == ()
    assert notes(description) == [("parameter_dropped", f"{GET}/parameters/0")]


def test_a_parameter_may_be_described_by_its_media_type():
    content = {"application/json": {"schema": {"type": "object"}}}
    found = parameter(of_parameter({"name": "a", "in": "query", "content": content}))
    assert (found.content_type, value(found.schema)) == ("application/json", {"type": "object"})


@pytest.mark.parametrize(
    ("declared", "schema", "content_type"),
    [
        ({}, {}, None),
        ({"type": "integer", "minimum": 1}, {"type": "integer", "minimum": 1}, None),
        ({"content": {}}, {}, None),
        ({"schema": None}, {}, None),
        ({"schema": {"type": "null"}, "content": {"a/b": {}}}, {"type": "null"}, None),
        ({"content": {"a/b": {}, "c/d": {}}}, {}, "a/b"),
    ],
)
def test_a_parameter_that_says_too_little_or_too_much_is_repaired_and_noted(declared, schema, content_type):
    description = of_parameter({"name": "a", "in": "query", **declared})
    assert (value(parameter(description).schema), parameter(description).content_type) == (schema, content_type)
    assert notes(description) == [("parameter_repaired", f"{GET}/parameters/0")]


def test_a_whole_query_is_a_parameter_of_3_2():
    media = {"schema": {"type": "object"}, "encoding": {"ids": {"explode": False}}}
    content = {"application/x-www-form-urlencoded": media}
    found = parameter(of_parameter({"name": "q", "in": "querystring", "content": content}, dialect="3.2"))
    assert (found.location, found.content_type) == ("querystring", "application/x-www-form-urlencoded")
    assert found.encoding == {"ids": Encoding(explode=False)}


@pytest.mark.parametrize("dialect", ["2.0", "3.0", "3.2"])
def test_a_dash_without_a_parameter_is_left_out_with_a_note(dialect):
    typed = {"type": "integer"} if dialect == "2.0" else {"schema": {"type": "integer"}}
    description = of_operation({"parameters": [None, {"name": "a", "in": "query", **typed}]}, dialect=dialect)
    assert [each.name for each in the_operation(description).parameters] == ["a"]
    assert notes(description) == [("parameter_dropped", "#/paths/~1x/get/parameters/0")]


@pytest.mark.parametrize("dialect", ["2.0", "3.0", "3.2"])
@pytest.mark.parametrize(("written", "meant"), [("true", True), ("True", True), ("false", False), ("FALSE", False)])
def test_a_flag_in_quotes_is_the_flag(dialect, written, meant):
    typed = {"type": "string"} if dialect == "2.0" else {"schema": {"type": "string"}, "explode": written}
    declared = {"name": "a", "in": "query", "required": written, "allowEmptyValue": written, **typed}
    description = of_operation({"deprecated": written, "parameters": [declared]}, dialect=dialect)
    operation = the_operation(description)
    [found] = operation.parameters
    assert (operation.deprecated, found.required) == (meant, meant)
    assert dialect == "2.0" or found.explode is meant
