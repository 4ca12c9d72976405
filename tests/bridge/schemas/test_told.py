"""What clients list of a schema that arguments are checked by as it is."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from descriptions import catalog, inputs, operation, parameter, schemas, tool
from descriptions import told as listed
from openapi_mcp_server.bridge.arguments.check import check
from openapi_mcp_server.bridge.schemas.told import reads_everywhere
from openapi_mcp_server.bridge.text import ARGUMENT_LIMIT
from openapi_mcp_server.errors import ArgumentError


def as_told(value: Any, **definitions: Any) -> Any:
    made = inputs(operation(parameters=(parameter("a", value=value),)), request_schemas=schemas(**definitions))
    return made["properties"]["a"]


TEXT, NULL = {"type": "string"}, {"type": "null"}


@pytest.mark.parametrize(
    ("exact", "told"),
    [
        pytest.param({"type": ["string", "null"]}, {"anyOf": [TEXT, NULL]}, id="or null"),
        pytest.param(
            {"type": ["string", "null"], "minLength": 1, "description": "d", "default": None},
            {"anyOf": [{"type": "string", "minLength": 1}, NULL], "description": "d", "default": None},
            id="what is said of text goes with it",
        ),
        pytest.param(
            {"type": ["string", "null"], "enum": ["a", None]},
            {"anyOf": [{"type": "string", "enum": ["a"]}, NULL]},
            id="null among the values",
        ),
        pytest.param({"enum": ["a", None]}, {"anyOf": [{"enum": ["a"]}, NULL]}, id="null among values without a type"),
        pytest.param(
            {"type": "string", "enum": ["a", None]}, {"type": "string", "enum": ["a"]}, id="a null that never fits"
        ),
        pytest.param(
            {"type": ["string", "null"], "enum": ["a"]}, {"type": "string", "enum": ["a"]}, id="null not listed"
        ),
        pytest.param({"enum": [None]}, NULL, id="null alone"),
        pytest.param(
            {"type": ["string", "integer", "null"]},
            {"anyOf": [TEXT, {"type": "integer"}, NULL]},
            id="several types",
        ),
        pytest.param(
            {"type": "array", "items": {"type": ["integer", "null"]}},
            {"type": "array", "items": {"anyOf": [{"type": "integer"}, NULL]}},
            id="further down",
        ),
        pytest.param({"type": "array"}, {"type": "array", "items": {}}, id="a list of anything"),
        pytest.param(
            {"type": "string", "format": "binary"}, {"contentEncoding": "base64", "type": "string"}, id="binary"
        ),
        pytest.param({"type": "string", "format": "byte"}, {"contentEncoding": "base64", "type": "string"}, id="byte"),
        pytest.param({"type": "string", "format": "date"}, {"type": "string", "format": "date"}, id="a known format"),
        pytest.param(
            {"type": "string", "format": "iso-week", "description": "The week."},
            {"type": "string", "description": "The week. Format: iso-week."},
            id="another format is told in words",
        ),
        pytest.param({"type": "string", "format": "String"}, TEXT, id="a format that is the type"),
        pytest.param(
            {"type": "string", "pattern": "^[a-z]+$"}, {"type": "string", "pattern": "^[a-z]+$"}, id="pattern"
        ),
        pytest.param(
            {"type": "string", "pattern": r"^\p{L}+$"},
            {"type": "string", "description": r"Pattern: ^\p{L}+$"},
            id="a pattern of some engines",
        ),
        pytest.param(
            {"type": "object", "patternProperties": {r"\p{L}": TEXT}, "additionalProperties": False},
            {"type": "object"},
            id="a pattern of names",
        ),
    ],
)
def test_what_not_every_client_reads_is_told_otherwise(exact: Any, told: Any) -> None:
    assert as_told(exact) == told
    assert as_told({"$ref": "#/$defs/A"}, A=exact) == {"$ref": "#/$defs/A"}


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"$ref": "#/$defs/A", "description": "d"}, {"$ref": "#/$defs/A", "description": "d"}),
        ({"$ref": "#/$defs/A", "default": "x"}, {"$ref": "#/$defs/A", "default": "x"}),
        (
            {"$ref": "#/$defs/A", "title": "T"},
            {"title": "T", "type": "object", "properties": {"n": {"$ref": "#/$defs/B"}}},
        ),
        (
            {"$ref": "#/$defs/A", "required": ["n"]},
            {"required": ["n"], "type": "object", "properties": {"n": {"$ref": "#/$defs/B"}}},
        ),
    ],
)
def test_a_reference_with_more_beside_it_is_put_in_place(schema: Any, told: Any) -> None:
    definitions = schemas(A={"type": "object", "properties": {"n": {"$ref": "#/$defs/B"}}}, B=TEXT)
    made = inputs(operation(parameters=(parameter("a", value=schema),)), request_schemas=definitions)
    assert made["properties"]["a"] == told
    assert "B" in made["$defs"]


@pytest.mark.parametrize("beside", [{}, {"type": ["string", "null"]}], ids=["plain", "told in other words"])
def test_long_prose_further_down_is_cut(beside: Any) -> None:
    value = {"type": "object", "properties": {"n": {"description": "word " * 200, **beside}}}
    inner = as_told(value)["properties"]["n"]
    assert inner["description"].endswith("word…")
    assert len(inner["description"]) <= ARGUMENT_LIMIT


def test_references_that_add_more_than_they_may_are_told_bare_and_noted_once() -> None:
    large = {"type": "object", "properties": {f"p{n}": {"description": "x" * 100} for n in range(1_000)}}
    beside = {f"q{n}": {"$ref": "#/$defs/A", "minProperties": 1} for n in range(40)}
    asked = operation(parameters=(parameter("a", value={"type": "object", "properties": beside}),))
    other = operation(path="/other", operation_id="other")
    made = catalog(asked, other, request_schemas=schemas(A=large))
    limit = "with it references add over 2,097,152 bytes; what stands beside those that follow is not listed"
    assert [note.message for note in made.apis[0].notes].count(limit) == 1


@pytest.mark.parametrize(
    "beside",
    [
        {"title": "T"},
        {"deprecated": True},
        {"minProperties": 1},
        {"required": ["next"]},
        {"properties": {"more": {"type": "string"}}},
        {"type": "object"},
        {"examples": [{}]},
        {"allOf": [{"minProperties": 1}]},
        {"unevaluatedProperties": {"type": "string"}},
    ],
)
def test_a_schema_that_leads_to_itself_with_more_beside_the_reference_is_told_to_its_second_level(beside: Any) -> None:
    named = {"type": "object", "properties": {"name": {"type": "string"}, "next": {"$ref": "#/$defs/Node", **beside}}}
    inner = as_told({"$ref": "#/$defs/Node", **beside}, Node=named)
    assert inner["properties"]["next"] == {"$ref": "#/$defs/Node"}


def test_a_deprecated_parameter_behind_a_reference_is_put_in_place() -> None:
    own = parameter("a", value={"$ref": "#/$defs/A"}, deprecated=True, description="d")
    made = inputs(operation(parameters=(own,)), request_schemas=schemas(A=TEXT))
    assert made["properties"]["a"] == {"description": "d", "deprecated": True, "type": "string"}


@pytest.mark.parametrize(
    ("pattern", "is_read"),
    [
        (r"^[a-zA-Z0-9_.-]{1,64}$", True),
        (r"^\d{4}-\d{2}-\d{2}$", True),
        (r"^(?:a|b)*?$", True),
        (r"^[\w.-]+@[^@\s]+$", True),
        (r"^\/v[1-9]\/x\.y$", True),
        ("", True),
        (r"\p{L}", False),
        (r"(?i)abc", False),
        (r"a(?i)b", False),
        (r"(?i:abc)", False),
        (r"(?<year>\d+)", False),
        (r"(?P<year>\d+)", False),
        (r"\Aabc\z", False),
        (r"^\-x$", False),
        (r"^[\w-.]+$", False),
        (r"[[:alpha:]]", False),
        (r"[a&&b]", False),
        (r"a**", False),
        (r"x{,5}", False),
        (r"^{a}$", False),
        (r"\h", False),
        (r"\x{1F600}", False),
    ],
)
def test_patterns_are_told_where_every_engine_reads_them(pattern: str, is_read: bool) -> None:
    assert reads_everywhere(pattern) is is_read


def test_a_pattern_that_is_not_told_is_checked() -> None:
    made = tool(operation(parameters=(parameter("a", value={"type": "string", "pattern": r"^\p{L}+$"}),)))
    assert "pattern" not in listed(made)["properties"]["a"]
    check(made, msgspec.Raw('{"a":"é"}'.encode()))
    with pytest.raises(ArgumentError, match="expected text that matches"):
        check(made, msgspec.Raw(b'{"a":"5-"}'))


# Schemas that lead to themselves

NODE = {"type": "object", "properties": {"id": {"type": "integer"}, "next": {"$ref": "#/$defs/Node"}}}


def endless(value: Any, seen: tuple[str, ...] = ()) -> bool:
    """Whether a listed schema leads to itself."""
    definitions = value.get("$defs", {})

    def leads_back(part: Any, way: tuple[str, ...]) -> bool:
        if isinstance(part, list):
            return any(leads_back(each, way) for each in part)
        if not isinstance(part, dict):
            return False
        name = part.get("$ref", "").removeprefix("#/$defs/") if isinstance(part.get("$ref"), str) else ""
        if name and (name in way or leads_back(definitions[name], (*way, name))):
            return True
        return any(leads_back(each, way) for key, each in part.items() if key != "$defs")

    return leads_back(value, seen)


def test_the_way_back_is_an_open_object_that_says_so_and_is_checked() -> None:
    made = tool(
        operation(parameters=(parameter("a", value={"$ref": "#/$defs/Node"}),)), request_schemas=schemas(Node=NODE)
    )
    assert listed(made)["$defs"]["Node"]["properties"]["next"] == {
        "type": "object",
        "description": "Another Node, made like the one that it is in.",
    }
    check(made, msgspec.Raw(b'{"a":{"next":{"next":{"id":1}}}}'))
    with pytest.raises(ArgumentError, match="/a/next/next/id: expected integer"):
        check(made, msgspec.Raw(b'{"a":{"next":{"next":{"id":"x"}}}}'))


NAMES = ["A", "B", "C", "D"]
references = st.lists(st.sampled_from(NAMES), max_size=3)


@given(
    st.fixed_dictionaries(dict.fromkeys(NAMES, references)), st.lists(st.sampled_from(NAMES), min_size=1, max_size=2)
)
def test_no_listed_schema_leads_to_itself(graph: dict[str, list[str]], roots: list[str]) -> None:
    definitions = {
        name: {
            "type": "object",
            "properties": {f"p{index}": {"$ref": f"#/$defs/{ref}"} for index, ref in enumerate(refs)},
        }
        for name, refs in graph.items()
    }
    own = tuple(parameter(f"a{index}", value={"$ref": f"#/$defs/{root}"}) for index, root in enumerate(roots))
    made = inputs(operation(parameters=own), request_schemas=schemas(**definitions))
    assert not endless(made)
    jsonschema_rs.Draft202012Validator(made, offline=True)


json_values = st.none() | st.integers(-2, 2) | st.sampled_from(["", "a", "b"]) | st.lists(st.integers(0, 1), max_size=2)
types = st.sampled_from(["string", "integer", "null", "array"])


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.lists(types, min_size=1, max_size=3, unique=True) | types,
            "enum": st.lists(json_values, min_size=1, max_size=3),
            "minLength": st.just(1),
            "maximum": st.just(1),
            "pattern": st.sampled_from(["^a", r"^\p{L}"]),
            "items": st.just({"type": ["integer", "null"]}),
            "format": st.sampled_from(["binary", "date", "x"]),
        },
    ),
    json_values,
)
def test_what_is_told_admits_whatever_is_taken(schema: Any, value: Any) -> None:
    if jsonschema_rs.is_valid(schema, value):
        assert jsonschema_rs.is_valid(as_told(schema), value)
