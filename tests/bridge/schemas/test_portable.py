"""Portable schemas: every model's API takes them, and what the whole schema takes is carried out."""

from __future__ import annotations

from itertools import islice, product
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import any_schema
import proof
from any_schema import combined
from descriptions import JSON, answer, body, catalog, media, operation, parameter, schemas, told, tool
from growth import is_linear
from model_apis import refusals
from openapi_mcp_server.bridge.arguments.check import check
from openapi_mcp_server.bridge.catalog import ApiSource, build
from openapi_mcp_server.bridge.model import Tool, ToolForm
from openapi_mcp_server.bridge.origins import base_url
from openapi_mcp_server.bridge.schemas.listed import LISTED_BYTES
from openapi_mcp_server.bridge.schemas.portable import portable_schema
from openapi_mcp_server.errors import ArgumentError
from openapi_mcp_server.openapi.operations import describe
from openapi_mcp_server.openapi.text.document import parse

CASES = Path(__file__).parents[2] / "specs" / "cases"


def made(value: Any, **definitions: Any) -> Tool:
    own = (parameter("a", value=value),)
    return tool(operation("POST", parameters=own), request_schemas=schemas(**definitions), portable=True)


def listed(value: Any, **definitions: Any) -> Any:
    only = made(value, **definitions)
    assert refusals(only.entry) == []
    return told(only)["properties"]["a"]


def read(only: Tool, arguments: str) -> Any:
    return check(only, msgspec.Raw(arguments.encode())).values


TEXT, NUMBER = {"type": "string"}, {"type": "number"}
ANY = "Any JSON value; objects and lists as JSON text."


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(
            {"type": "integer", "enum": [1, 2, 3]},
            {"type": "string", "enum": ["1", "2", "3"]},
            id="values of text only",
        ),
        pytest.param(
            {"type": "string", "enum": ["a", ""]},
            {"type": "string", "enum": ["a"], "description": "Or empty text."},
            id="empty text among them",
        ),
        pytest.param({"const": "x"}, {"type": "string", "enum": ["x"]}, id="one value"),
        pytest.param({"enum": [True]}, {"type": "boolean", "description": "One of true."}, id="no value but a flag"),
        pytest.param({"type": ["string", "null"]}, TEXT, id="a type or null"),
        pytest.param({"type": ["integer", "number"]}, NUMBER, id="two kinds of numbers"),
        pytest.param({"type": "array"}, {"type": "array", "items": {"type": "string", "description": ANY}}, id="items"),
        pytest.param({}, {"type": "string", "description": ANY}, id="anything"),
        pytest.param(
            {"type": "object"},
            {"type": "string", "description": "A JSON object as text."},
            id="an object of no members",
        ),
        pytest.param(
            {"type": "object", "additionalProperties": {"type": "integer"}},
            {"type": "string", "description": "A JSON object as text. Each value is a number."},
            id="a map",
        ),
        pytest.param(
            {"type": "integer", "minimum": 1, "default": 5, "format": "int32", "description": "How many."},
            {"type": "integer", "description": "How many. (≥ 1, default 5)"},
            id="limits in words",
        ),
        pytest.param(
            {"type": "string", "format": "uuid"}, {"type": "string", "description": "Format: uuid."}, id="a format"
        ),
        pytest.param(
            {"anyOf": [{"type": "string"}, {"type": "array", "items": TEXT}]},
            {"type": "array", "items": TEXT, "description": "Or text."},
            id="alternatives of other types",
        ),
        pytest.param(
            {"oneOf": [{"const": "a"}, {"enum": ["b", "c"]}]},
            {"type": "string", "enum": ["a", "b", "c"]},
            id="alternatives of values",
        ),
        pytest.param(
            {
                "anyOf": [
                    {"type": "object", "properties": {"k": {"const": "x"}, "n": NUMBER}, "required": ["k", "n"]},
                    {"type": "object", "properties": {"k": {"const": "y"}}, "required": ["k"]},
                ]
            },
            {
                "type": "object",
                "properties": {"k": {"type": "string", "enum": ["x", "y"]}, "n": NUMBER},
                "required": ["k"],
            },
            id="alternatives of objects",
        ),
        pytest.param(
            {"allOf": [{"properties": {"b": TEXT}}, {"properties": {"c": NUMBER}, "required": ["c"]}]},
            {"type": "object", "properties": {"b": TEXT, "c": NUMBER}, "required": ["c"]},
            id="what is combined",
        ),
        pytest.param(
            {"type": "array", "prefixItems": [TEXT, TEXT], "items": False},
            {"type": "array", "items": TEXT},
            id="a tuple",
        ),
    ],
)
def test_a_schema_is_told_in_six_keywords(value: Any, expected: Any) -> None:
    assert listed(value) == expected


def test_references_are_put_in_place_and_recursion_ends() -> None:
    node = {"type": "object", "properties": {"id": {"type": "integer"}, "next": {"$ref": "#/$defs/Node"}}}
    value = listed({"$ref": "#/$defs/Node"}, Node=node)
    assert value["properties"]["id"] == {"type": "integer"}
    assert value["properties"]["next"]["type"] == "string"


def test_definitions_that_double_stay_within_the_limit() -> None:
    """Each refers twice to the next one: put in place, there would be a million."""
    doubled = {
        f"D{level}": {"properties": {name: {"$ref": f"#/$defs/D{level + 1}"} for name in "ab"}} for level in range(20)
    }
    only = made({"$ref": "#/$defs/D0"}, **doubled, D20=TEXT)
    assert refusals(only.entry) == []
    assert len(msgspec.json.encode(told(only))) <= LISTED_BYTES


def test_alternatives_that_double_are_told_as_far_as_they_go() -> None:
    doubled = {f"D{level}": {"anyOf": [{"$ref": f"#/$defs/D{level + 1}"}] * 3} for level in range(12)}
    assert refusals(made({"$ref": "#/$defs/D0"}, **doubled, D12=TEXT).entry) == []


@pytest.mark.parametrize(
    ("value", "given", "meant"),
    [
        ({"type": "integer", "enum": [1, 2]}, '"1"', 1),
        ({"type": "integer", "enum": [1, 2]}, "1", 1),
        ({"enum": [1, "1"]}, '"1"', "1"),
        ({"enum": [1, "x"]}, '"1"', 1),
        ({"type": "array", "items": {"enum": [1, 2]}}, '["1",2]', [1, 2]),
        ({"type": "object"}, '"{\\"b\\":1}"', {"b": 1}),
        ({"type": "object"}, '{"b":1}', {"b": 1}),
        ({}, '"[1]"', [1]),
        ({}, '"5"', "5"),
        ({}, '"{no JSON"', "{no JSON"),
        ({"properties": {"b": {}}}, '{"b":"[1]"}', {"b": [1]}),
        ({"type": "object", "properties": {"b": {}}}, '"{\\"b\\":[1]}"', {"b": [1]}),
        ({"anyOf": [{"type": "string"}, {"type": "array", "items": TEXT}]}, '"x"', "x"),
    ],
)
def test_a_call_by_the_listed_schema_means_what_the_whole_one_says(value: Any, given: str, meant: Any) -> None:
    assert read(made(value), f'{{"a":{given}}}') == {"a": meant}


def test_every_number_that_is_listed_as_text_is_read_as_that_number() -> None:
    numbers = [5, 1.5, -1.034e-20, 1e20, 1e300]
    only = made({"type": "number", "enum": numbers})
    texts = told(only)["properties"]["a"]["enum"]
    assert [float(read(only, msgspec.json.encode({"a": text}).decode())["a"]) for text in texts] == numbers


def test_what_the_list_does_not_say_is_still_checked() -> None:
    only = made({"type": "integer", "minimum": 1})
    with pytest.raises(ArgumentError, match="at least 1"):
        check(only, msgspec.Raw(b'{"a":0}'))


def test_names_with_other_characters_are_told_otherwise_and_sent_as_they_are() -> None:
    own = (parameter("X-Rate.Limit", "header"), parameter("X_Rate_Limit", "header"), parameter("2fa"))
    only = tool(operation(parameters=own), portable=True)
    assert refusals(only.entry) == []
    assert [*told(only)["properties"]] == ["X_Rate_Limit_2", "X_Rate_Limit", "_2fa"]
    given = '{"X_Rate_Limit_2":"a","X_Rate_Limit":"b","_2fa":"c"}'
    assert read(only, given) == {"X-Rate.Limit": "a", "X_Rate_Limit": "b", "2fa": "c"}
    assert read(only, '{"2fa":"d","X-Rate.Limit":"a"}') == {"2fa": "d", "X-Rate.Limit": "a"}


def test_a_tool_without_arguments_has_no_properties() -> None:
    only = tool(operation(), portable=True)
    assert refusals(only.entry) == []
    assert told(only) == {"type": "object", "properties": {}}


def test_no_tool_says_what_it_answers() -> None:
    response = answer("200", media(JSON, {"type": "object", "properties": {"id": NUMBER}}))
    assert tool(operation(responses=(response,))).output is not None
    [only] = catalog(operation(responses=(response,)), portable=True).tools.values()
    assert only.output is None
    assert "outputSchema" not in msgspec.json.decode(only.entry)


# Any schema

leaves = st.sampled_from(
    [
        {}, TEXT, {"type": "integer"}, {"type": "boolean"}, {"type": ["string", "null"]}, {"type": "object"},
        {"type": "integer", "enum": [1, 3]}, {"enum": ["a", "", None, 2]}, {"const": 5}, {"type": "array"},
        {"type": "string", "pattern": "^a"}, {"type": "number", "minimum": 0, "default": 1},
        {"type": "object", "additionalProperties": {"enum": [1]}},
    ]
)  # fmt: skip
names = st.sampled_from(["a", "b-c", "@type", "d.e", "1f"])


whole_schemas = any_schema.schemas(leaves, names, 8, combined("anyOf"), combined("allOf"))
values = any_schema.values(st.none() | st.booleans() | st.integers(0, 5) | st.sampled_from(["a", "", "1"]), names)


@given(st.dictionaries(names, whole_schemas, min_size=1, max_size=3))
def test_every_schema_is_one_that_every_api_takes(properties: dict[str, Any]) -> None:
    only = tool(operation("POST", body=body(media(JSON, {"type": "object", "properties": properties}))), portable=True)
    assert refusals(only.entry) == []
    jsonschema_rs.Draft202012Validator(told(only), offline=True)


@given(whole_schemas, values)
def test_whatever_the_whole_schema_takes_is_taken_however_it_is_spelt(value: Any, given_value: Any) -> None:
    only = made(value)
    if not jsonschema_rs.is_valid(msgspec.json.decode(only.input.schema), {"a": given_value}):
        return
    written = proof.as_listed(given_value, told(only)["properties"]["a"])
    for each in (given_value, written):
        check(only, msgspec.Raw(msgspec.json.encode({"a": each})))


# Published documents


@pytest.mark.parametrize("document", ["openai.yaml", "guru__asana.com.json", "discord-api-spec__specs__openapi.json"])
def test_no_tool_of_a_published_document_is_refused(specs_dir, document) -> None:
    """`scripts/sweep --portable` looks at all of them."""
    description = describe(parse((specs_dir / "specs" / document).read_bytes()))
    source = ApiSource(name="api", base=base_url("https://api.example.com"), description=description)
    tools = build([source], ToolForm(response_filter=True, portable=True)).tools
    assert [(name, found) for name, each in tools.items() if (found := refusals(each.entry))] == []


def test_a_reported_document_is_taken_by_every_api() -> None:
    description = describe(parse((CASES / "refused-by-model-apis.json").read_bytes()))
    source = ApiSource(name="api", base=base_url("https://api.example.com"), description=description)
    [only] = build([source], ToolForm(portable=True)).tools.values()
    assert refusals(only.entry) == []
    assert read(only, '{"phase":"3","rows":[{"a":"x"}],"any":"y"}') == {"phase": 3, "rows": [{"a": "x"}], "any": "y"}


def test_hundreds_of_names_that_become_one_are_told_apart_in_linear_time() -> None:
    def made(length: int) -> bytes:
        names = ("".join(each) for each in islice(product(".-_", repeat=8), length // 8))
        return msgspec.json.encode({"type": "object", "properties": dict.fromkeys(names, TEXT)})

    assert is_linear(lambda schema: portable_schema(schema, "", 1_000_000), made)
