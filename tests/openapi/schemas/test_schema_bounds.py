"""Hostile schemas: nesting, rows, circles and combinations without end."""

from __future__ import annotations

import time
from typing import Any

import pytest

from documents import compiles, notes, of_schemas, sent, sent_schema, skips
from openapi_mcp_server.openapi.schemas.conversion import MAX_DEPTH
from openapi_mcp_server.openapi.schemas.directions import MAX_IN_PLACE
from openapi_mcp_server.openapi.schemas.keywords import MAX_VALUE_DEPTH

OLD = {"type": "string", "nullable": True}


def nested(levels: int, leaf: Any) -> Any:
    for _ in range(levels // 2):
        leaf = {"properties": {"a": leaf}}
    return leaf


def test_nesting_is_followed_to_the_limit_and_no_further():
    assert skips(of_schemas(nested(MAX_DEPTH, {"type": "string"}))) == []
    ((pointer, reason),) = skips(of_schemas(nested(MAX_DEPTH + 2, {"type": "string"})))
    assert reason == "schema nested deeper than 100 levels"
    assert pointer.endswith("/properties/a" * (MAX_DEPTH // 2 + 1))


def test_the_deepest_schema_compiles_even_if_every_level_may_be_null():
    leaf: Any = {"type": "string", "default": nested(MAX_VALUE_DEPTH - 2, {})}
    for _ in range(MAX_DEPTH // 2):
        leaf = {"properties": {"a": leaf}, "allOf": [{}], "nullable": True}
    description = of_schemas(leaf, dialect="3.0")
    compiles(sent_schema(description), {})


def test_a_value_that_is_nested_too_deeply_is_left_out():
    description = of_schemas({"default": nested(100, 1), "const": nested(100, 1), "enum": [nested(100, 1)]})
    assert sent(description) == {}
    assert [kind for kind, _ in notes(description)] == ["keyword_dropped"] * 3


def chain_of(length: int, link: Any) -> dict[str, Any]:
    return {f"A{index}": link(f"#/components/schemas/A{index + 1}") for index in range(length)} | {
        f"A{length}": {"type": "string"}
    }


@pytest.mark.parametrize(
    "link",
    [
        lambda target: {"properties": {"a": {"$ref": target}}},
        lambda target: {"items": {"$ref": target}, "nullable": True},
    ],
)
def test_ten_thousand_schemas_in_a_row_are_no_trouble(link):
    description = of_schemas({"$ref": "#/components/schemas/A0"}, **chain_of(10_000, link))
    assert len(description.request_schemas) == len(description.response_schemas) == 10_001


@pytest.mark.parametrize(
    "link",
    [
        lambda target: {"allOf": [{"$ref": target}, {"$ref": target}]},
        lambda target: {"anyOf": [{"$ref": target}, {"items": {}}, {"$ref": target}]},
        lambda target: {"if": {"$ref": target}, "then": {"$ref": target}},
    ],
)
def test_combinations_that_double_are_refused_before_they_cost_anything(link):
    started = time.process_time()
    description = of_schemas({"$ref": "#/components/schemas/A0"}, **chain_of(40, link))
    ((pointer, reason),) = skips(description)
    assert pointer.startswith("#/components/schemas/A")
    assert reason == f"combines more than {MAX_IN_PLACE:,} schemas for one value"
    assert time.process_time() - started < 1


def test_doubling_through_properties_is_no_trouble():
    link = lambda target: {"properties": {"a": {"$ref": target}, "b": {"$ref": target}}}  # noqa: E731
    assert skips(of_schemas({"$ref": "#/components/schemas/A0"}, **chain_of(40, link))) == []


@pytest.mark.parametrize(
    "schemas",
    [
        {"A": {"allOf": [{"$ref": "#/components/schemas/A"}], "type": "object"}},
        {
            "A": {"oneOf": [{"$ref": "#/components/schemas/B"}], "type": "object"},
            "B": {"allOf": [{"$ref": "#/components/schemas/A"}, {"required": ["x"]}]},
        },
    ],
)
def test_a_schema_combined_with_itself_still_checks(schemas):
    description = of_schemas({"$ref": "#/components/schemas/A"}, **schemas)
    validator = compiles(sent_schema(description), description.request_schemas)
    assert validator.is_valid({"x": 1})
    assert not validator.is_valid([])


def test_a_schema_that_is_nothing_but_itself_is_refused():
    ((pointer, reason),) = skips(of_schemas({"$ref": "#/components/schemas/A"}, A={"$ref": "#/components/schemas/A"}))
    assert pointer == "#/components/schemas/A/$ref"
    assert "leads back to itself" in reason


def test_references_into_schemas_within_schemas_are_bounded():
    levels = 90
    deep = nested(levels, {"description": "x" * 1_000_000})
    properties = {
        str(index): {"$ref": "#/components/schemas/Deep" + "/properties/a" * index} for index in range(1, levels // 2)
    }
    ((_, reason),) = skips(of_schemas({"properties": properties}, Deep=deep))
    assert reason == "more than 33,554,432 bytes of schemas inside others"
