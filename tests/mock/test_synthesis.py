"""Arguments made up from schemas: what the sweep over real documents proves rests on them."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest

from openapi_mcp_server.bridge.schemas.edits import decode, encode
from openapi_mcp_server.mock import patterns, synthesis
from openapi_mcp_server.mock.levels import NoValueError

TREE = {"type": "object", "properties": {"name": {"type": "string"}, "next": {"$ref": "#/$defs/Tree"}}}
NEEDED = {"$ref": "#/$defs/Needed"}

SATISFIABLE: dict[str, Any] = {
    "anything": True,
    "nothing is said": {},
    "constant": {"const": {"a": None}},
    "enumeration, its null last": {"enum": [None, "", "b"]},
    "default": {"type": "string", "default": "asc", "pattern": "^(asc|desc)$"},
    "default that does not fit": {"type": "integer", "default": 0, "minimum": 1},
    "short text": {"type": "string", "maxLength": 2},
    "long text": {"type": "string", "minLength": 1_000},
    "pattern": {"type": "string", "pattern": "^[A-Z]{3}-[0-9]{4,}(_x)?$"},
    "pattern and length": {"type": "string", "pattern": r"^\w+$", "minLength": 30, "maxLength": 32},
    "pattern of alternatives": {"type": "string", "pattern": "^(a|bcd)$", "minLength": 2},
    "pattern of names of characters": {"type": "string", "pattern": r"^\p{Lu}\p{L}\p{Nd}$"},
    "pattern with a flag": {"type": "string", "pattern": r"^a(?i)\.(PDF)$"},
    "two patterns": {"allOf": [{"pattern": "^[ab]+$"}, {"pattern": "..."}], "type": "string"},
    "minimum": {"type": "integer", "minimum": 7},
    "exclusive bounds": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.25},
    "multiple": {"type": "integer", "multipleOf": 12, "minimum": 25},
    "multiple of next to nothing": {"type": "number", "multipleOf": 1e-100, "minimum": 25},
    "negative": {"type": "number", "maximum": -1.5},
    "number beyond a double": {"type": "integer", "minimum": 2**70},
    "items that differ": {"type": "array", "items": {"type": "string"}, "minItems": 5, "uniqueItems": True},
    "items of an enumeration that differ": {"items": {"enum": [1, 2, 3]}, "minItems": 3, "uniqueItems": True},
    "items by place": {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "minItems": 2},
    "items among others": {"type": "array", "contains": {"const": "x"}, "minItems": 2},
    "no items": {"type": "array", "maxItems": 0},
    "required beside properties": {"type": "object", "required": ["a"], "additionalProperties": {"type": "integer"}},
    "properties that need others": {"properties": {"a": {}, "b": {}}, "dependentRequired": {"a": ["b"]}},
    "few properties": {"properties": {"a": {}, "b": {}, "c": {}}, "maxProperties": 2, "type": "object"},
    "names by pattern": {
        "type": "object", "patternProperties": {"^x-": {"type": "integer"}}, "additionalProperties": False,
        "minProperties": 1,
    },
    "allOf": {"allOf": [{"properties": {"a": {"type": "integer"}}, "required": ["a"]}, {"required": ["b"]}]},
    "type of two": {"allOf": [{"type": ["string", "integer"]}, {"type": ["integer", "null"]}]},
    "whole number among numbers": {"allOf": [{"type": "number"}, {"type": "integer", "minimum": 3}]},
    "anyOf, the first impossible": {"anyOf": [False, {"type": "integer"}]},
    "oneOf that all may fit": {
        "oneOf": [{"properties": {"a": {"enum": ["x"]}}}, {"properties": {"a": {"enum": ["y"]}}}], "type": "object",
    },
    "oneOf that needs fewer": {
        "type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
        "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
    },
    "not": {"enum": ["a", "b"], "not": {"const": "a"}},
    "recursive": {"$ref": "#/$defs/Tree"},
    "recursive unless null": {"$ref": "#/$defs/OrNull"},
    "recursive in a list": {"type": "array", "items": {"$ref": "#/$defs/Tree"}},
}  # fmt: skip
DEFINITIONS = {
    "Tree": TREE,
    "OrNull": {"type": "object", "properties": {"n": {"anyOf": [{"$ref": "#/$defs/OrNull"}, {"type": "null"}]}},
               "required": ["n"]},
    "Needed": {"type": "object", "properties": {"n": NEEDED}, "required": ["n"]},
}  # fmt: skip


def of(part: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": part}, "required": ["a"], "$defs": DEFINITIONS}


@pytest.mark.parametrize("whole", [False, True], ids=["required", "all"])
@pytest.mark.parametrize("name", SATISFIABLE)
def test_a_value_is_made_that_the_schema_admits(name, whole):
    schema = decode(encode(of(SATISFIABLE[name])))
    made = synthesis.arguments(schema, whole=whole)
    assert jsonschema_rs.Draft202012Validator(schema).is_valid(made), made


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (False, "nothing is allowed"),
        (NEEDED, "it never ends"),
        ({"allOf": [{"type": "string"}, {"type": "integer"}]}, "no type is left"),
        ({"type": "string", "pattern": "a^"}, "no text found for the pattern a^"),
        ({"oneOf": [{"type": "object"}, {"type": "object"}]}, "nothing that was tried fits"),
        ({"type": "integer", "minimum": 5, "maximum": 4}, "no number found between the bounds"),
    ],
)
def test_what_no_value_satisfies_is_said(schema, reason):
    with pytest.raises(NoValueError) as caught:
        synthesis.arguments(of(schema), whole=True)
    assert str(caught.value) == f"a: {reason}"


def test_a_search_without_end_is_given_up():
    doubled: Any = {"type": "object", "minProperties": 9, "maxProperties": 1}
    for _ in range(20):
        doubled = {"oneOf": [doubled, doubled]}
    with pytest.raises(synthesis.EndlessError):
        synthesis.arguments(of(doubled), whole=True)


def test_only_what_is_required_or_everything_is_given():
    schema = {"properties": {"a": {}, "b": {}, "c": {"properties": {"d": {}, "e": {}}}}, "required": ["a"]}
    assert synthesis.arguments(schema, whole=False) == {"a": "text"}
    assert synthesis.arguments(schema, whole=True) == {"a": "text", "b": "text", "c": {"d": "text", "e": "text"}}


def test_what_the_tool_calls_a_file_is_given_as_one():
    schema = {"properties": {"a": {"type": "string", "description": "Base64 text, or a data: URI"}}}
    assert synthesis.arguments(schema, whole=True)["a"].startswith("data:image/png;")


@pytest.mark.parametrize("pattern", ["(", "(?<=a)b(?<!c)", "[", "a{99999999999}", r"\i\c*"])
def test_an_expression_that_cannot_be_read_has_few_candidates_or_none(pattern):
    assert len(set(patterns.texts(pattern))) <= 1
