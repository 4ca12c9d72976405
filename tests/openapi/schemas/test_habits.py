"""What people leave out of schemas, or write around them, is put into the words that every reader understands."""

from __future__ import annotations

from typing import Any

import pytest

from documents import named, notes, of_operation, of_schemas, parameter, sent, value

DIALECTS = ["2.0", "3.0", "3.1", "3.2"]
TEXT = {"type": "string"}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ({"properties": {"a": TEXT}}, "object"),
        ({"properties": {}}, "object"),
        ({"additionalProperties": TEXT}, "object"),
        ({"additionalProperties": False}, "object"),
        ({"patternProperties": {"^x": TEXT}}, "object"),
        ({"items": TEXT}, "array"),
        ({"items": {}}, "array"),
        ({"prefixItems": [TEXT]}, "array"),
        ({"properties": {"a": TEXT}, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]}, "object"),
        ({"properties": {"a": TEXT}, "allOf": [{"required": ["a"]}, {"maxProperties": 2}]}, "object"),
    ],
)
def test_what_has_properties_is_an_object_and_what_has_items_a_list(dialect: Any, written: Any, kind: str) -> None:
    assert sent(of_schemas(written, dialect=dialect))["type"] == kind
    inner = sent(of_schemas({"type": "object", "properties": {"v": written}}, dialect=dialect))["properties"]["v"]
    assert inner["type"] == kind


@pytest.mark.parametrize(
    "written",
    [
        {"properties": {"a": TEXT}, "items": TEXT},
        {"additionalProperties": True},
        {"additionalProperties": {}},
        {"required": ["a"]},
        {"properties": {"a": TEXT}, "anyOf": [TEXT, {"type": "object"}]},
        {"properties": {"a": TEXT}, "enum": ["x"]},
        {"minLength": 1},
    ],
)
def test_what_may_be_of_another_type_says_none(written: Any) -> None:
    assert "type" not in sent(of_schemas(written))


def test_an_object_without_a_type_may_be_null() -> None:
    assert sent(of_schemas({"properties": {}, "nullable": True}, dialect="3.0"))["type"] == ["object", "null"]


@pytest.mark.parametrize("keyword", ["anyOf", "oneOf"])
def test_what_an_object_may_be_beside_its_properties_is_an_object(keyword: str) -> None:
    choices = [{"required": ["a"]}, {"required": ["b"]}, {"$ref": "#/components/schemas/A"}]
    written = {"type": "object", "properties": {"a": {}, "b": {}}, keyword: choices[:2]}
    assert sent(of_schemas(written))[keyword] == [
        {"type": "object", "required": ["a"]},
        {"type": "object", "required": ["b"]},
    ]
    mixed = sent(of_schemas({**written, "anyOf": choices}, A={"type": "object"}))
    assert mixed["anyOf"][2] == {"$ref": "#/$defs/A"}


@pytest.mark.parametrize("keyword", ["allOf", "anyOf", "oneOf"])
@pytest.mark.parametrize(
    ("beside", "flat"),
    [
        ({}, {"type": "string", "minLength": 1}),
        ({"description": "d", "default": "x"}, {"type": "string", "minLength": 1, "description": "d", "default": "x"}),
        ({"type": "string"}, {"type": "string", "minLength": 1}),
        ({"maxLength": 2}, None),
    ],
)
def test_a_combination_of_one_is_that_one(keyword: str, beside: Any, flat: Any) -> None:
    one = {"type": "string", "minLength": 1}
    assert sent(of_schemas({keyword: [one], **beside})) == (flat or {keyword: [one], **beside})
    assert sent(of_schemas({keyword: [{keyword: [one]}], **beside})) == (flat or {keyword: [one], **beside})


def test_a_reference_alone_in_a_combination_is_that_reference() -> None:
    written = {"allOf": [{"$ref": "#/components/schemas/A"}], "description": "d"}
    assert sent(of_schemas(written, A=TEXT)) == {"$ref": "#/$defs/A", "description": "d"}
    titled = {"allOf": [{"$ref": "#/components/schemas/A"}], "title": "T"}
    assert sent(of_schemas(titled, A=TEXT)) == {"allOf": [{"$ref": "#/$defs/A"}], "title": "T"}


def test_values_are_listed_once_in_their_order() -> None:
    assert sent(of_schemas({"enum": ["b", "a", "b", 1, 1.0, True, "1"]}))["enum"] == ["b", "a", 1, True, "1"]
    assert sent(of_schemas({"type": "string", "enum": ["b", "a", "b"]}))["enum"] == ["b", "a"]
    assert sent(of_schemas({"type": ["string", "string", "null"]}))["type"] == ["string", "null"]
    assert notes(of_schemas({"type": ["string", "string"]})) == []


def test_what_is_not_named_is_additional_where_nothing_else_sees_it() -> None:
    record = {"type": "object", "unevaluatedProperties": {"type": "integer"}}
    assert sent(of_schemas(record)) == {"type": "object", "additionalProperties": {"type": "integer"}}
    closed = {"type": "object", "unevaluatedProperties": {"not": {}}}
    assert sent(of_schemas(closed)) == {"type": "object", "additionalProperties": False}
    combined = {**record, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]}
    assert "unevaluatedProperties" in sent(of_schemas(combined))


FITTING = [
    ("3.1", {"type": "integer", "default": 5}),
    ("3.1", {"type": "string", "enum": ["a"], "default": "a"}),
    ("3.1", {"type": ["string", "null"], "default": None}),
    ("3.0", {"type": "string", "nullable": True, "default": None}),
    ("3.0", {"type": "string", "enum": ["a"], "nullable": True, "default": None}),
    ("2.0", {"type": "string", "x-nullable": True, "default": None}),
    ("3.1", {"default": 5}),
    ("3.1", {"type": "number", "minimum": 1, "default": 1}),
    ("3.1", {"anyOf": [TEXT, {"type": "null"}], "default": None}),
    ("3.1", {"type": "array", "items": TEXT, "default": ["a"]}),
]
REFUSED = [
    ({"type": "integer", "default": "5"}, "Default: 5."),
    ({"type": "integer", "default": "none of them"}, "Default: none of them."),
    ({"type": "string", "enum": ["a"], "default": "A"}, "Default: A."),
    ({"type": "integer", "minimum": 1, "default": 0}, "Default: 0."),
    ({"type": "string", "pattern": "^a", "default": "b"}, "Default: b."),
    ({"type": "array", "items": TEXT, "default": [1]}, "Default: [1]."),
    ({"type": "array", "items": TEXT, "default": {}}, "Default: {}."),
    ({"anyOf": [TEXT, {"type": "boolean"}], "default": 5}, "Default: 5."),
    ({"type": "boolean", "default": None}, None),
    ({"type": "integer", "default": ""}, None),
    ({"$ref": "#/components/schemas/E", "default": "z"}, "Default: z."),
    ({"allOf": [{"$ref": "#/components/schemas/E"}], "default": "z"}, "Default: z."),
    ({"allOf": [{"type": "integer"}], "default": "z"}, "Default: z."),
]


@pytest.mark.parametrize(("dialect", "written"), FITTING)
def test_a_default_that_fits_is_kept(dialect: Any, written: Any) -> None:
    assert sent(of_schemas(written, dialect=dialect))["default"] == written["default"]


@pytest.mark.parametrize(("written", "said"), REFUSED)
@pytest.mark.parametrize("dialect", ["3.0", "3.1", "3.2"])
def test_a_default_that_its_own_schema_refuses_is_told_in_words(dialect: Any, written: Any, said: str | None) -> None:
    definition = {"type": "string", "enum": ["e"]}
    told = sent(of_schemas(written, dialect=dialect, E=definition))
    assert "default" not in told
    assert told.get("description") == said
    nested = of_schemas(
        {"$ref": "#/components/schemas/S"}, dialect=dialect, S={"properties": {"v": written}}, E=definition
    )
    assert "default" not in named(nested.request_schemas)["S"]["properties"]["v"]


def test_words_about_a_default_follow_the_description() -> None:
    written = {"type": "integer", "default": "x", "description": "How many."}
    assert sent(of_schemas(written))["description"] == "How many. Default: x."


ECHOES = [
    ("item_id", "Item Id"), ("Item", "Item"), ("pageSize", "Pagesize"), ("x-rate-limit", "X-Rate-Limit")
]  # fmt: skip
SAYING = [("item_id", "The order"), ("id", "Item Id"), ("item", "Items"), ("a", "")]


def listed_as(name: str, written: Any) -> list[Any]:
    """One schema as a property, a definition and a parameter of this name."""
    of_object = of_schemas({"type": "object", "properties": {name: written}})
    of_definition = of_schemas({"$ref": f"#/components/schemas/{name}"}, **{name: written})
    of_parameter = of_operation({"parameters": [{"name": name, "in": "query", "schema": written}]})
    return [
        sent(of_object)["properties"][name],
        named(of_definition.request_schemas)[name],
        value(parameter(of_parameter).schema),
    ]


@pytest.mark.parametrize(("name", "title"), ECHOES)
def test_a_title_that_repeats_the_name_is_left_out(name: str, title: str) -> None:
    written = TEXT | {"maximum": 1.10}
    assert listed_as(name, written | {"title": title}) == [written] * 3


@pytest.mark.parametrize(("name", "title"), SAYING)
def test_a_title_that_says_more_than_the_name_stays(name: str, title: str) -> None:
    written = TEXT | {"title": title}
    assert listed_as(name, written) == [written] * 3
