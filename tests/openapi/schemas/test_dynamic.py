"""Dynamic references: the schemas that led to one say what it means, and what it evaluates counts as evaluated."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from documents import compiles, named, notes, of_schemas, sent_schema
from openapi_mcp_server.openapi.schemas.dynamic import MOST_COPIES

NUMBER, TEXT = {"type": "number"}, {"type": "string"}
HOME = "#/components/schemas/"


def accepts(schemas: dict[str, Any], root: str, value: Any, dialect: Any = "3.1") -> bool:
    description = of_schemas({"$ref": f"{HOME}{root}"}, dialect=dialect, **schemas)
    valid: bool = compiles(sent_schema(description), description.request_schemas).is_valid(value)
    return valid


def identified(schemas: dict[str, Any]) -> dict[str, Any]:
    """The same with an ``$id`` for each schema, by which they refer to each other."""
    text = msgspec.json.encode(schemas).replace(f'"{HOME}'.encode(), b'"https://example.com/')
    found: dict[str, Any] = msgspec.json.decode(text)
    return {name: {"$id": f"https://example.com/{name}", **schema} for name, schema in found.items()}


def of_any(default: Any) -> dict[str, Any]:
    """A list of whatever the schemas that use it say."""
    return {
        "type": "object",
        "properties": {"items": {"type": "array", "items": {"$dynamicRef": "#T"}}},
        "$defs": {"any": {"$dynamicAnchor": "T", **default}},
    }


def of(schema: Any, **more: Any) -> dict[str, Any]:
    return {"$ref": f"{HOME}List", "$defs": {"T": {"$dynamicAnchor": "T", **schema}}, **more}


GENERIC: dict[str, Any] = {
    "List": of_any({"not": {}}),
    "Free": of_any({}),
    "Numbers": of(NUMBER),
    "Texts": of(TEXT, unevaluatedProperties=False),
    "Pets": of({"$ref": f"{HOME}Pet"}),
    "Pet": {"type": "object", "required": ["name"], "properties": {"name": TEXT, "young": {"$ref": f"{HOME}Pets"}}},
    "Either": {"anyOf": [{"$ref": f"{HOME}Numbers"}, {"$ref": f"{HOME}Texts"}]},
}
TREE: dict[str, Any] = {
    "Tree": {
        "$dynamicAnchor": "node",
        "type": "object",
        "properties": {"data": {}, "children": {"type": "array", "items": {"$dynamicRef": "#node"}}},
    },
    "Strict": {"$dynamicAnchor": "node", "$ref": f"{HOME}Tree", "unevaluatedProperties": False},
    "Named": {
        "$dynamicAnchor": "node",
        "allOf": [{"$ref": f"{HOME}Tree"}],
        "properties": {"name": TEXT},
        "unevaluatedProperties": False,
    },
}
BESIDE: dict[str, Any] = {
    "Open": {"$dynamicAnchor": "ext", "properties": {"z": TEXT}},
    "Closed": {"$dynamicRef": "#ext", "properties": {"q": TEXT}, "unevaluatedProperties": False},
    "Both": {"$ref": f"{HOME}Plain", "$dynamicRef": "#ext", "unevaluatedProperties": False},
    "Plain": {"properties": {"p": TEXT}},
}


@pytest.mark.parametrize("change", [dict, identified], ids=["by place", "by identifier"])
@pytest.mark.parametrize(
    ("schemas", "root", "value", "is_taken"),
    [
        (GENERIC, "Numbers", {"items": [1]}, True),
        (GENERIC, "Numbers", {"items": ["x"]}, False),
        (GENERIC, "Numbers", {"items": [1], "more": 1}, True),
        (GENERIC, "Texts", {"items": ["x"]}, True),
        (GENERIC, "Texts", {"items": [1]}, False),
        (GENERIC, "Texts", {"items": ["x"], "more": 1}, False),
        (GENERIC, "List", {"items": []}, True),
        (GENERIC, "List", {"items": [1]}, False),
        (GENERIC, "Free", {"items": [1, "x"]}, True),
        (GENERIC, "Pets", {"items": [{"name": "x", "young": {"items": [{"name": "y"}]}}]}, True),
        (GENERIC, "Pets", {"items": [{"name": "x", "young": {"items": [{"nam": "y"}]}}]}, False),
        (GENERIC, "Either", {"items": [1]}, True),
        (GENERIC, "Either", {"items": ["x"]}, True),
        (GENERIC, "Either", {"items": [1, "x"]}, False),
        (TREE, "Tree", {"children": [{"dat": 1}]}, True),
        (TREE, "Strict", {"data": 1, "children": [{"data": 2, "children": []}]}, True),
        (TREE, "Strict", {"dat": 1}, False),
        (TREE, "Strict", {"children": [{"dat": 1}]}, False),
        (TREE, "Named", {"name": "a", "data": 1, "children": [{"name": "b"}]}, True),
        (TREE, "Named", {"name": "a", "children": [{"name": 1}]}, False),
        (TREE, "Named", {"name": "a", "children": [{"title": "b"}]}, False),
    ],
)
@pytest.mark.parametrize("dialect", ["3.1", "3.2"])
def test_the_outermost_anchor_says_what_is_meant(
    change: Any, schemas: dict[str, Any], root: str, value: Any, is_taken: bool, dialect: str
) -> None:
    assert accepts(change(schemas), root, value, dialect) is is_taken


@pytest.mark.parametrize(
    ("root", "value", "is_taken"),
    [
        ("Closed", {"q": "1", "z": "2"}, True),
        ("Closed", {"q": "1", "z": 2}, False),
        ("Closed", {"q": "1", "y": "2"}, False),
        ("Both", {"p": "1", "z": "2"}, True),
        ("Both", {"p": "1", "z": 2}, False),
        ("Both", {"p": "1", "q": "2"}, False),
    ],
)
def test_what_a_dynamic_reference_evaluates_is_evaluated(root: str, value: Any, is_taken: bool) -> None:
    assert accepts(BESIDE, root, value) is is_taken


@pytest.mark.parametrize(
    ("root", "value", "is_taken"),
    [
        ("Tree", {"children": [{"dat": 1}]}, True),
        ("Strict", {"data": 1, "children": [{"data": 2}]}, True),
        ("Strict", {"children": [{"dat": 1}]}, False),
    ],
)
def test_recursive_references_of_2019_are_meant_in_the_same_way(root: str, value: Any, is_taken: bool) -> None:
    text = msgspec.json.encode(TREE).replace(b'"$dynamicAnchor":"node"', b'"$recursiveAnchor":true')
    schemas = msgspec.json.decode(text.replace(b'"$dynamicRef":"#node"', b'"$recursiveRef":"#"'))
    assert accepts(schemas, root, value) is is_taken


def test_what_leads_to_no_dynamic_reference_is_one_definition_however_it_is_reached() -> None:
    description = of_schemas({"$ref": f"{HOME}Numbers"}, **GENERIC, Whole={"$ref": f"{HOME}List", "x": 1})
    names = {name.partition(".")[0] for name in named(description.request_schemas)}
    assert names == {"Numbers", "List"}
    assert notes(description) == []
    shared = {"Alone": NUMBER, "Of": of({"$ref": f"{HOME}Alone"})}
    described = of_schemas({"$ref": f"{HOME}Of"}, List=of_any({}), **shared)
    assert "Alone" in named(described.request_schemas)


def test_copies_of_definitions_are_bounded() -> None:
    """Each step has an anchor of its own and can be reached with or without those before it."""
    steps: dict[str, Any] = {
        f"S{step}": {
            "$dynamicAnchor": f"a{step % 40}",
            "properties": {
                "one": {"$ref": f"{HOME}S{(step * 7 + 1) % 120}"},
                "two": {"$ref": f"{HOME}S{(step * 5 + 3) % 120}"},
                "end": {"$dynamicRef": f"#a{step % 40}"},
            },
        }
        for step in range(120)
    }
    description = of_schemas({"$ref": f"{HOME}S0"}, **steps)
    assert len(description.request_schemas) <= MOST_COPIES + len(steps)
