"""The outermost level of a schema as one object."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import any_schema
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


TYPES = st.sampled_from(["string", "integer", "number", "object"])
OPEN = st.recursive(
    st.one_of(
        st.builds(lambda name: {"type": name}, TYPES),
        st.builds(lambda names: {"type": names}, st.lists(TYPES, min_size=1, max_size=3, unique=True)),
        st.sampled_from([{}, {"minLength": 2}, {"minimum": 1}, {"enum": [1, "xx"]}, {"minProperties": 1}]),
    ),
    lambda inner: st.one_of(
        any_schema.combined("allOf")(inner),
        any_schema.combined("anyOf")(inner),
        st.builds(
            lambda parts, needed: {"properties": parts, "required": needed},
            st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
            st.lists(st.sampled_from("ab"), max_size=1),
        ),
    ),
    max_leaves=10,
)
VALUES = any_schema.values(st.sampled_from(["", "xx", 1, 1.5, 0]), st.sampled_from("abc"))


@settings(max_examples=300)
@given(st.lists(OPEN, min_size=1, max_size=4), st.lists(VALUES, min_size=1, max_size=10))
def test_one_object_takes_exactly_what_all_parts_take(parts: list[Any], values: list[Any]) -> None:
    """Unless a part closes itself, which is meant for the whole."""
    whole = jsonschema_rs.Draft202012Validator({"allOf": parts}).is_valid
    merged = jsonschema_rs.Draft202012Validator(outline({"allOf": parts})).is_valid
    assert [merged(value) for value in values] == [whole(value) for value in values]


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
