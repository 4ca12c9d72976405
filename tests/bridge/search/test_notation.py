"""Schemas in TypeScript's notation."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from openapi_mcp_server.bridge.search.notation import Types, contract, line, members, short


def told(schema: Any, **definitions: Any) -> str:
    return short(schema, contract(msgspec.json.encode({"$defs": definitions})))


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "string"}, ""),
        ({"type": "integer"}, "int"),
        ({"type": ["string", "null"]}, ""),
        ({"type": "string", "format": "date"}, "date"),
        ({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}, "date-time"),
        ({"type": "array", "items": {"type": "string", "format": "date"}}, "date[]"),
        ({"type": "string", "format": "uuid"}, ""),
        ({"type": "string", "contentEncoding": "base64"}, "base64"),
        ({"type": "string", "format": "binary"}, "base64"),
        ({"type": "string", "format": "byte"}, "base64"),
        ({"type": ["integer", "null"]}, "int"),
        ({"type": ["integer", "string"]}, "int|string"),
        ({"enum": ["open", "closed", None]}, "open|closed"),
        ({"enum": ["a b", 1, "", "no"]}, '"a b"|1|""|no'),
        ({"enum": list("abcdefgh")}, "a|b|c|d|e|f|…2 more"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "int"),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, "string|int"),
        ({"anyOf": [{"type": "string"}, {"const": ""}]}, "string|any"),
        ({"type": "array", "items": {"type": "string"}}, "string[]"),
        ({"type": "array", "items": {"enum": ["a", "b"]}}, "(a|b)[]"),
        ({"type": "array"}, "any[]"),
        ({"type": "object"}, "{…}"),
        ({"type": "object", "properties": {"a": {"type": "integer"}, "b": {}}, "required": ["a"]}, "{a: int, b?: any}"),
        ({"type": "object", "properties": {name: {} for name in "abcde"}}, "{…}"),
        ({"type": "object", "properties": {"a": {"type": "object"}}}, "{…}"),
        ({"$ref": "#/$defs/Colour"}, "red|blue"),
        ({"$ref": "#/$defs/Loop"}, "{…}[][][][]"),
        ({"$ref": "#/$defs/Nothing"}, "any"),
        (True, "any"),
        ({}, "any"),
    ],
)
def test_a_schema_is_told_in_a_line(schema: Any, words: str) -> None:
    loop = {"type": "array", "items": {"$ref": "#/$defs/Loop"}}
    found = told(schema, Colour={"enum": ["red", "blue"]}, Loop=loop)
    assert found == words


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "string", "format": "date-time"}, "string(date-time)"),
        ({"type": "string", "contentEncoding": "base64"}, "base64"),
        ({"const": "x"}, '"x"'),
        ({"$ref": "#/$defs/Pet"}, "Pet"),
        ({"allOf": [{"$ref": "#/$defs/Pet"}, {"properties": {"a": {"type": "integer"}}}]}, "Pet & {a?: int}"),
        ({"oneOf": [{"$ref": "#/$defs/Pet"}, {"type": "null"}]}, "Pet | null"),
        ({"type": "array", "items": {"type": ["integer", "null"]}}, "int[]"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "{[name]: string}"),
        ({"type": "object", "additionalProperties": False}, "{}"),
        (
            {"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}}, "required": ["a"]},
            "{a: int /* ≥ 1 */}",
        ),
        (
            {"properties": {"a": {}, "b": {}}, "oneOf": [{"required": ["a"]}, {"type": "object", "required": ["b"]}]},
            "{a?: any; b?: any} & ({a: any} | {b: any})",
        ),
        (
            {"properties": {"a": {}}, "anyOf": [{"properties": {"b": {}}}, {"properties": {"c": {}}}]},
            "{a?: any} & ({b?: any} | {c?: any})",
        ),
        ({"properties": {"a": {}}, "allOf": [{"$ref": "#/$defs/Pet"}]}, "{a?: any} & Pet"),
        ({"type": "object", "required": ["a"]}, "{a: any}"),
        (False, "never"),
    ],
)
def test_a_schema_is_told_in_full(schema: Any, words: str) -> None:
    assert Types().told(schema) == words


def test_an_argument_is_told_with_its_limits_and_its_prose() -> None:
    schema = {"type": "integer", "minimum": 1, "maximum": 9, "default": 3, "description": "How many.\n\n**Not** all"}
    assert line("limit", schema, Types(), required=False) == "limit?: int (≥ 1, ≤ 9, default 3) — How many. Not all"


def test_a_definition_has_a_line_for_each_member() -> None:
    schema = {"properties": {"a": {"type": "string"}, "b": {"$ref": "#/$defs/B"}}, "required": ["a"]}
    types = Types()
    assert list(members(types, schema)) == ["{", "  a: string", "  b?: B", "}"]
    assert list(types.met) == ["B"]


@pytest.mark.parametrize(
    ("least", "most", "words"),
    [
        (None, None, "a?: string"),
        (1, None, "a?: string (not empty)"),
        (2, None, "a?: string (at least 2 characters)"),
        (0, 50, "a?: string (at most 50 characters)"),
        (1, 50, "a?: string (1 to 50 characters)"),
        (None, 65_535, "a?: string"),
    ],
)
def test_a_texts_length_is_told_as_a_person_would(least: int | None, most: int | None, words: str) -> None:
    bounds = {"minLength": least, "maxLength": most}
    schema = {"type": "string"} | {key: value for key, value in bounds.items() if value is not None}
    assert line("a", schema, Types(), required=False) == words


def test_members_that_have_something_to_say_have_lines_of_their_own_two_levels_deep() -> None:
    deepest = {"type": "object", "properties": {"d": {"type": "integer", "description": "Deep"}}}
    row = {"type": "object", "properties": {"c": {"description": "Row"}, "e": deepest}}
    schema = {
        "type": "object",
        "description": "All",
        "properties": {"a": {"type": "string", "description": "A"}, "b": {"type": "array", "items": row}},
        "required": ["a"],
        "oneOf": [{"required": ["b"]}, {"properties": {"f": {}}}],
    }
    assert line("body", schema, Types(), required=True).splitlines() == [
        "body: {",
        "  a: string — A",
        "  b?: {",
        "    c?: any — Row",
        "    e?: {d?: int}",
        "  }[]",
        "} & ({b: any} | {f?: any}) — All",
    ]


def test_a_schema_without_an_end_is_told_in_few_words() -> None:
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(90):
        deep = {"type": "object", "properties": {"a": deep, "b": {"type": "array", "items": deep}}}
        if len(msgspec.json.encode(deep)) > 100_000:
            break
    assert len(Types().told(deep)) < 2_000
    assert told(deep) == "{…}"
