"""Hostile schemas: nesting, rows, circles and combinations without end."""

from __future__ import annotations

import time
from typing import Any

import pytest

from documents import compiles, notes, of_schemas, sent, sent_schema, skips
from openapi_mcp_server.openapi.schemas.conversion import MAX_DEPTH
from openapi_mcp_server.openapi.schemas.directions import MAX_IN_PLACE
from openapi_mcp_server.openapi.schemas.keywords import MAX_VALUE_DEPTH

ONE = "not checked: more than 1,000 ways lead from here to other schemas"
ALL = "not checked: more than 40,000 ways lead from such places to other schemas"
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


def open_ladder(keyword: str, count: int) -> dict[str, Any]:
    """Each leads to the next one twice."""
    link = lambda target: {keyword: [{"$ref": target}, {"$ref": target}], "unevaluatedItems": False}  # noqa: E731
    return chain_of(count, link)


def open_fan(keyword: str, count: int) -> dict[str, Any]:
    """Many that each lead to such a one: 47 kB took 10 s to compile."""
    begin = {"$ref": "#/components/schemas/A0"}
    fan = {f"B{index}": {"title": "x", keyword: [begin], "unevaluatedProperties": False} for index in range(300)}
    whole = {"properties": {name: {"$ref": f"#/components/schemas/{name}"} for name in fan}}
    return {"Whole": whole, **fan, **open_ladder(keyword, count)}


@pytest.mark.parametrize("keyword", ["allOf", "anyOf", "oneOf"])
@pytest.mark.parametrize(
    ("made", "count", "problem"), [(open_ladder, 12, ONE), (open_fan, 12, ONE), (open_fan, 7, ALL)]
)
def test_ways_to_other_schemas_are_not_all_gone_for_what_is_left_over(made, count, problem, keyword):
    schemas = made(keyword, count)
    description = of_schemas({"$ref": f"#/components/schemas/{next(iter(schemas))}"}, **schemas)
    began = time.process_time()
    compiles(sent_schema(description), description.request_schemas)
    assert time.process_time() - began < 0.5
    told = [note for note in description.notes if note.message == problem]
    assert told
    assert {(note.kind, note.pointer.rpartition("/")[2]) for note in told} <= {
        ("keyword_dropped", "unevaluatedProperties"),
        ("keyword_dropped", "unevaluatedItems"),
    }


def test_properties_may_be_called_as_keywords_where_one_needs_another():
    needed = {"$ref": ["a"], "unevaluatedProperties": ["b"], "allOf": ["c"]}
    whole = {"properties": {"a": {}}, "dependentRequired": needed, "unevaluatedProperties": False}
    description = of_schemas(whole)
    assert sent(description)["dependentRequired"] == needed
    assert not compiles(sent_schema(description), {}).is_valid({"x": 1})


def test_what_is_left_over_is_still_checked_where_few_ways_lead_on():
    schemas = {f"A{index}": {"properties": {f"p{index}": {}}} for index in range(300)}
    whole = {"allOf": [{"$ref": f"#/components/schemas/{name}"} for name in schemas], "unevaluatedProperties": False}
    description = of_schemas(whole, **schemas)
    validator = compiles(sent_schema(description), description.request_schemas)
    assert validator.is_valid({"p0": 1, "p299": 1})
    assert not validator.is_valid({"p300": 1})


def test_what_is_left_over_below_not_goes_with_it():
    schemas = open_ladder("anyOf", 12)
    around = {
        "properties": {"a": {"not": {"$ref": "#/components/schemas/A0"}}, "b": {"if": schemas["A1"], "then": False}}
    }
    description = of_schemas(around, **schemas)
    validator = compiles(sent_schema(description), description.request_schemas)
    assert validator.is_valid({"a": "text", "b": "text"})


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
