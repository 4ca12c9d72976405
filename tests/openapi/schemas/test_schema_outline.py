"""The outermost level of a schema as one object."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from growth import is_linear
from openapi_mcp_server.openapi.model import Schema
from openapi_mcp_server.openapi.schemas.merging import top_level

OLD = {"type": "string", "nullable": True}


def outline(schema: Any, **definitions: Any) -> Any:
    encoded = {name: Schema(msgspec.Raw(msgspec.json.encode(each))) for name, each in definitions.items()}
    return top_level(Schema(msgspec.Raw(msgspec.json.encode(schema))), encoded)


A_REF = {"$ref": "#/$defs/A"}


@pytest.mark.parametrize(
    ("schema", "definitions", "level"),
    [
        pytest.param({}, {}, {}, id="anything"),
        pytest.param({"type": "string"}, {}, {"type": "string"}, id="plain"),
        pytest.param(A_REF, {"A": {"$ref": "#/$defs/B"}, "B": {"type": "string"}}, {"type": "string"}, id="references"),
        pytest.param(
            A_REF | {"title": "t"},
            {"A": {"title": "u", "type": "null"}},
            {"title": "t", "type": "null"},
            id="siblings first",
        ),
        pytest.param(
            {"allOf": [A_REF, {"properties": {"b": {"type": "integer"}}, "required": ["b"]}], "required": ["a"]},
            {"A": {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "required": ["a"]}},
            {"type": "object", "properties": {"a": A_REF, "b": {"type": "integer"}}, "required": ["a", "b"]},
            id="allOf",
        ),
        pytest.param(
            {"allOf": [{"properties": {"a": {"type": "string"}}}, {"properties": {"a": {"minLength": 1}}}]},
            {},
            {"properties": {"a": {"allOf": [{"type": "string"}, {"minLength": 1}]}}},
            id="one property twice",
        ),
        pytest.param(
            {"allOf": [{"properties": {"a": {"minLength": each}}} for each in (1, 2, 3)]},
            {},
            {"properties": {"a": {"allOf": [{"minLength": 1}, {"minLength": 2}, {"minLength": 3}]}}},
            id="one property three times",
        ),
        pytest.param(A_REF, {"A": {"allOf": [A_REF, {"type": "object"}]}}, {"type": "object"}, id="cycle"),
        pytest.param(
            {"allOf": [{"additionalProperties": False, "properties": {"a": {}}}, {"properties": {"b": {}}}]},
            {},
            {"additionalProperties": False, "properties": {"a": {}, "b": {}}},
            id="closed as a whole",
        ),
        pytest.param(
            {"allOf": [{"type": "number"}, {"type": ["integer", "null"]}]}, {}, {"type": "integer"}, id="common type"
        ),
        pytest.param(
            {"allOf": [{"type": "string"}, {"type": "object"}]},
            {},
            {"type": "string", "allOf": [{"type": "object"}]},
            id="no common type",
        ),
        pytest.param(
            {"minLength": 1, "allOf": [{"minLength": 2}]},
            {},
            {"minLength": 1, "allOf": [{"minLength": 2}]},
            id="two limits",
        ),
        pytest.param(
            {"if": {"required": ["a"]}, "allOf": [{"then": {"required": ["b"]}}]},
            {},
            {"if": {"required": ["a"]}, "allOf": [{"then": {"required": ["b"]}}]},
            id="conditions stay apart",
        ),
        pytest.param({"allOf": [{"oneOf": [{}]}]}, {}, {"oneOf": [{}]}, id="one choice"),
        pytest.param({"anyOf": [A_REF]}, {"A": {"type": "object"}}, {"anyOf": [A_REF]}, id="choices are not merged"),
    ],
)
def test_the_outermost_level_is_one_object(schema, definitions, level):
    assert outline(schema, **definitions) == level


def test_the_outermost_level_of_doubling_combinations_is_quick():
    definitions = {f"A{n}": {"allOf": [{"$ref": f"#/$defs/A{n + 1}"}] * 2} for n in range(60)} | {
        "A60": {"type": "object"}
    }
    assert outline({"$ref": "#/$defs/A0"}, **definitions) == {"type": "object"}


@pytest.mark.parametrize(
    "part",
    [
        pytest.param(lambda number: {"properties": {f"a{number}": {}}}, id="other properties"),
        pytest.param(lambda number: {"properties": {"a": {"minLength": number}}}, id="one property"),
        pytest.param(lambda number: {"required": [f"a{number}"]}, id="required"),
    ],
)
def test_a_combination_of_thousands_is_put_together_in_linear_time(part: Callable[[int], Any]) -> None:
    def made(parts: int) -> Schema:
        return Schema(msgspec.Raw(msgspec.json.encode({"allOf": [part(number) for number in range(parts)]})))

    assert is_linear(lambda schema: msgspec.json.encode(top_level(schema, {})), made)
