"""Examples that stand beside a schema reach the model, in small."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from descriptions import told
from documents import described
from openapi_mcp_server.bridge.catalog import ApiSource, build
from openapi_mcp_server.bridge.origins import base_url

TEXT = {"type": "string"}
NEWER = ["3.0", "3.1", "3.2"]


def properties(operation: Any, dialect: Any = "3.1", path: str = "/x", **root: Any) -> dict[str, Any]:
    description = described({path: {"post": {"operationId": "op", **operation}}}, dialect=dialect, **root)
    made = build([ApiSource(name="api", base=base_url("https://api.example.com"), description=description)])
    return told(made.tools["op"])["properties"]


def of_parameter(location: str = "query", dialect: Any = "3.1", schema: Any = TEXT, **fields: Any) -> Any:
    declared = {"name": "v", "in": location, "required": location == "path", "schema": schema, **fields}
    components = {"examples": {"E": {"value": "shared"}}, "schemas": {"T": TEXT}}
    path = "/{v}" if location == "path" else "/x"
    return properties({"parameters": [declared]}, dialect, path, components=components)["v"]


@pytest.mark.parametrize("dialect", NEWER)
@pytest.mark.parametrize("location", ["query", "path", "header", "cookie"])
def test_examples_of_a_parameter_are_told(location: str, dialect: Any) -> None:
    assert of_parameter(location, dialect, example="e") == {**TEXT, "examples": ["e"]}
    several = {"one": {"value": "a"}, "two": {"$ref": "#/components/examples/E"}, "three": {"value": "c"}}
    assert of_parameter(location, dialect, examples=several) == {**TEXT, "examples": ["a", "shared"]}


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"example": None}, None),
        ({"example": "x" * 500}, None),
        ({"examples": {"a": {"externalValue": "https://example.com/a"}}}, None),
        ({"examples": {"a": {"$ref": "#/components/examples/Nobody"}, "b": {"value": 1}}}, ["1"]),
        ({"examples": ["a"]}, None),
        ({"examples": {"a": {"dataValue": "d", "serializedValue": "v=d"}}}, ["d"]),
        ({"schema": {**TEXT, "examples": ["own"]}, "example": "e"}, ["own"]),
        ({"schema": {**TEXT, "enum": ["a", "b"]}, "example": "a"}, ["a"]),
    ],
)
def test_examples_are_told_as_far_as_they_can_be(fields: Any, shown: Any) -> None:
    assert of_parameter(**fields).get("examples") == shown


def test_beside_a_reference_an_example_is_told_in_words() -> None:
    reference = {"$ref": "#/components/schemas/T"}
    assert of_parameter(schema=reference, example="e") == {"$ref": "#/$defs/T", "description": 'Example: "e"'}
    described_too = of_parameter(schema=reference, example="e", description="D.")
    assert described_too == {"$ref": "#/$defs/T", "description": 'D. Example: "e"'}


def test_an_example_of_a_content_is_that_of_its_parameter() -> None:
    declared = {
        "name": "v",
        "in": "query",
        "content": {"application/json": {"schema": {"type": "object"}, "example": {"a": 1}}},
    }
    assert properties({"parameters": [declared]})["v"] == {"type": "object", "examples": [{"a": 1}]}


@pytest.mark.parametrize("name", ["example", "x-example"])
def test_examples_of_2_0_are_told(name: str) -> None:
    for location in ("query", "header", "formData"):
        declared = {"name": "v", "in": location, "type": "string", name: "e"}
        assert properties({"parameters": [declared]}, "2.0")["v"] == {**TEXT, "examples": ["e"]}


@pytest.mark.parametrize("dialect", NEWER)
@pytest.mark.parametrize("media", ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_an_example_of_a_body_is_told_by_its_properties(media: str, dialect: Any) -> None:
    schema = {"type": "object", "properties": {"a": TEXT, "b": {"type": "integer"}, "c": {**TEXT, "example": "own"}}}
    content = {
        media: {"schema": schema, "examples": {"one": {"value": {"a": "x", "c": "y"}}, "two": {"value": {"b": 2}}}}
    }
    told_of = properties({"requestBody": {"content": content}}, dialect)
    assert [told_of[name].get("examples") for name in "abc"] == [["x"], [2], ["own"]]


def test_an_example_of_a_whole_body_is_told_with_it() -> None:
    content = {"application/json": {"schema": {"type": "array", "items": TEXT}, "example": ["a"]}}
    assert properties({"requestBody": {"content": content}})["body"]["examples"] == [["a"]]
    whole = {"name": "b", "in": "body", "schema": {"type": "array", "items": TEXT}, "x-example": ["a"]}
    assert properties({"parameters": [whole]}, "2.0")["body"]["examples"] == [["a"]]


def test_numbers_keep_their_digits() -> None:
    declared = msgspec.Raw(b'{"name":"v","in":"query","schema":{"type":"number"},"example":1.10}')
    description = described({"/x": {"get": {"operationId": "op", "parameters": [declared]}}})
    made = build([ApiSource(name="api", base=base_url("https://api.example.com"), description=description)])
    assert b'"examples":[1.10]' in bytes(made.tools["op"].entry)
