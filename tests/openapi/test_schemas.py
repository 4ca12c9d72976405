"""Schemas of every dialect to JSON Schema 2020-12, as requests and as answers are told by them."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest
from documents import compiles, described, got, named, notes, of_schemas, sent, sent_schema, skips
from hypothesis import given
from hypothesis import strategies as st

from service.openapi.conversion import MAX_DEPTH
from service.openapi.keywords import MAX_VALUE_DEPTH
from service.openapi.model import Schema
from service.openapi.patterns import Patterns
from service.openapi.response_schema import SHORT_PROSE
from service.openapi.schemas import MAX_IN_PLACE, top_level

OLD = {"type": "string", "nullable": True}

# What requests are told by: (as written, as emitted)


@pytest.mark.parametrize(
    ("written", "emitted"),
    [
        pytest.param({"type": "string", "nullable": True}, {"type": ["string", "null"]}, id="nullable"),
        pytest.param({"type": "string", "nullable": False}, {"type": "string"}, id="not nullable"),
        pytest.param({"type": "string", "x-nullable": True}, {"type": ["string", "null"]}, id="x-nullable"),
        pytest.param({"nullable": True}, {}, id="nullable without a type says nothing"),
        pytest.param(
            {"type": "string", "enum": ["a"], "nullable": True},
            {"type": ["string", "null"], "enum": ["a", None]},
            id="nullable enum",
        ),
        pytest.param(
            {"nullable": True, "allOf": [{"type": "object"}], "description": "d"},
            {"anyOf": [{"allOf": [{"type": "object"}]}, {"type": "null"}], "description": "d"},
            id="nullable allOf",
        ),
        pytest.param(
            {"nullable": True, "type": "object", "oneOf": [{"required": ["a"]}]},
            {"anyOf": [{"type": "object", "oneOf": [{"required": ["a"]}]}, {"type": "null"}]},
            id="nullable oneOf beside a type",
        ),
        pytest.param({"minimum": 1, "exclusiveMinimum": True}, {"exclusiveMinimum": 1}, id="exclusive minimum"),
        pytest.param({"minimum": 1, "exclusiveMinimum": False}, {"minimum": 1}, id="inclusive minimum"),
        pytest.param({"exclusiveMaximum": True}, {}, id="exclusive without a maximum"),
        pytest.param({"maximum": 9, "exclusiveMaximum": True}, {"exclusiveMaximum": 9}, id="exclusive maximum"),
        pytest.param({"exclusiveMaximum": 9.5}, {"exclusiveMaximum": 9.5}, id="exclusive maximum of 3.1"),
        pytest.param({"example": "cat"}, {"examples": ["cat"]}, id="example"),
        pytest.param({"example": "c" * 500}, {}, id="long example"),
        pytest.param({"example": {"a": 1}}, {"examples": [{"a": 1}]}, id="example object"),
        pytest.param(
            {"type": "object", "xml": {"name": "a"}, "externalDocs": {"url": "u"}, "x-a": 1, "discriminator": {"propertyName": "k"}},
            {"type": "object"},
            id="what asserts nothing",
        ),
        pytest.param(
            {"oneOf": [{"type": "object"}], "discriminator": {"propertyName": "kind", "mapping": {"cat": "#/components/schemas/Cat", "dog": "Dog"}}},
            {"oneOf": [{"type": "object"}], "description": "kind selects the schema: cat → Cat, dog → Dog."},
            id="discriminator in words",
        ),
        pytest.param({"type": "string", "format": "binary"}, {"type": "string", "format": "binary"}, id="binary"),
        pytest.param({"type": "file"}, {"type": "string", "format": "binary"}, id="file"),
        pytest.param(
            {"type": "string", "default": "a", "enum": ["a"], "deprecated": True, "title": "T", "description": "d"},
            {"type": "string", "default": "a", "enum": ["a"], "deprecated": True, "title": "T", "description": "d"},
            id="kept",
        ),
        pytest.param(
            {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 2.0, "uniqueItems": True},
            {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 2.0, "uniqueItems": True},
            id="array",
        ),
        pytest.param(
            {"additionalProperties": False, "properties": {"a": {"nullable": True, "type": "integer"}}},
            {"additionalProperties": False, "properties": {"a": {"type": ["integer", "null"]}}},
            id="object",
        ),
        pytest.param({"additionalProperties": True}, {"additionalProperties": {}}, id="open map"),
        pytest.param({"required": ["a", "a", "b"]}, {"required": ["a", "b"]}, id="required twice"),
        pytest.param({"required": []}, {}, id="nothing required"),
        pytest.param({"type": None, "items": None, "minimum": None, "enum": None}, {}, id="keys without a value"),
        pytest.param({}, {}, id="empty"),
    ],
)  # fmt: skip
def test_a_schema_of_3_0_is_told_in_2020_12(written, emitted):
    description = of_schemas(written, dialect="3.0")
    assert sent(description) == emitted
    assert notes(description) == []


@pytest.mark.parametrize(
    ("written", "emitted"),
    [
        pytest.param({"type": ["string", "null"]}, {"type": ["string", "null"]}, id="types"),
        pytest.param({"type": ["string"]}, {"type": "string"}, id="one type"),
        pytest.param({"type": ["string", None]}, {"type": ["string", "null"]}, id="null unquoted in YAML"),
        pytest.param({"const": None}, {"const": None}, id="const null"),
        pytest.param(
            {"prefixItems": [{"type": "string"}], "items": False}, {"prefixItems": [{"type": "string"}], "items": False}, id="tuple"
        ),
        pytest.param(
            {"if": {"required": ["a"]}, "then": {"required": ["b"]}, "else": False, "not": {"type": "null"}},
            {"if": {"required": ["a"]}, "then": {"required": ["b"]}, "else": False, "not": {"type": "null"}},
            id="conditions",
        ),
        pytest.param({"properties": {"a": True, "b": False}}, {"properties": {"a": {}, "b": {"not": {}}}}, id="booleans"),
        pytest.param({"contentEncoding": "base64", "contentMediaType": "image/png"}, {"contentEncoding": "base64", "contentMediaType": "image/png"}, id="content"),
        pytest.param({"examples": [1, 2, 3, 4, "x" * 500]}, {"examples": [1, 2, 3]}, id="examples"),
        pytest.param(
            {"dependentRequired": {"a": ["b"]}, "dependentSchemas": {"a": {"minProperties": 2}}, "propertyNames": {"maxLength": 3}},
            {"dependentRequired": {"a": ["b"]}, "dependentSchemas": {"a": {"minProperties": 2}}, "propertyNames": {"maxLength": 3}},
            id="dependencies",
        ),
        pytest.param(
            {"$schema": "https://json-schema.org/draft/2020-12/schema", "$comment": "c", "$defs": {"a": {}}, "type": "null"},
            {"type": "null"},
            id="what means nothing here",
        ),
        pytest.param({"patternProperties": {"^x": {"type": "string"}}, "additionalProperties": False}, {"patternProperties": {"^x": {"type": "string"}}, "additionalProperties": False}, id="patterns"),
    ],
)  # fmt: skip
def test_a_schema_of_3_1_passes_through(written, emitted):
    description = of_schemas(written)
    assert sent(description) == emitted
    assert notes(description) == []


@pytest.mark.parametrize(("schema", "emitted"), [(True, {}), (False, {"not": {}}), (None, {})])
def test_a_whole_schema_may_be_a_boolean_or_nothing(schema, emitted):
    assert sent(of_schemas({"$ref": "#/components/schemas/A"}, A=schema)) == {"$ref": "#/$defs/A"}
    description = of_schemas({"$ref": "#/components/schemas/A"}, A=schema)
    assert named(description.request_schemas) == {"A": emitted}


# What cannot be, is left out and noted, and the rest still compiles

WRONG: list[tuple[str, Any, Any]] = [
    ("title", 5, {}),
    ("description", {}, {}),
    ("format", ["a"], {}),
    ("minimum", "0", {}),
    ("maximum", True, {}),
    ("exclusiveMinimum", "1", {}),
    ("multipleOf", 0, {}),
    ("multipleOf", -1, {}),
    ("minLength", -1, {}),
    ("maxLength", 1.5, {}),
    ("maxItems", "3", {}),
    ("uniqueItems", "yes", {}),
    ("deprecated", "yes", {}),
    ("enum", "a", {}),
    ("enum", [], {}),
    ("enum", {"a": 1}, {}),
    ("required", True, {}),
    ("required", "a", {}),
    ("required", [1], {}),
    ("properties", [], {}),
    ("patternProperties", [], {}),
    ("dependentRequired", {"a": "b"}, {}),
    ("dependentRequired", {"a": ["b", "b"]}, {}),
    ("items", "string", {}),
    ("not", 5, {}),
    ("allOf", {}, {}),
    ("anyOf", "a", {}),
    ("prefixItems", {}, {}),
    ("additionalProperties", "string", {}),
    ("examples", {"a": {"value": 1}}, {}),
    ("type", "int", {}),
    ("type", 5, {}),
    ("type", ["string", "text"], {"type": "string"}),
    ("type", {}, {}),
    ("pattern", 5, {}),
]


@pytest.mark.parametrize(("keyword", "wrong", "emitted"), WRONG, ids=lambda value: str(value)[:20])
def test_a_keyword_with_a_value_that_it_cannot_have_is_left_out_and_noted(keyword, wrong, emitted):
    description = of_schemas({keyword: wrong})
    assert sent(description) == emitted
    pointer = f"#/paths/~1x/post/requestBody/content/application~1json/schema/{keyword}"
    assert notes(description) == [("keyword_dropped", pointer)]


@pytest.mark.parametrize(
    ("schema", "emitted", "place"),
    [
        ({"properties": {"a": "string", "b": {}}}, {"properties": {"a": {}, "b": {}}}, "/properties/a"),
        ({"allOf": [{"type": "object"}, 7]}, {"allOf": [{"type": "object"}]}, "/allOf/1"),
        ({"allOf": [7]}, {}, "/allOf/0"),
        ({"items": {"properties": {"a/b": {"minLength": "x"}}}}, {"items": {"properties": {"a/b": {}}}}, "/items/properties/a~1b/minLength"),
    ],
)  # fmt: skip
def test_what_is_wrong_further_down_is_noted_where_it_is(schema, emitted, place):
    description = of_schemas({"$ref": "#/components/schemas/S"}, S=schema)
    assert named(description.request_schemas) == {"S": emitted}
    assert notes(description) == [("keyword_dropped", f"#/components/schemas/S{place}")]


@pytest.mark.parametrize(
    ("schema", "emitted"),
    [
        ({"type": "string", "enum": [1, "a", True]}, {"type": "string", "enum": ["1", "a", "true"]}),
        ({"type": "integer", "enum": ["1", 2]}, {"type": "integer", "enum": [2]}),
        ({"type": "array", "enum": ["a"]}, {"type": "array"}),
        ({"items": [{"type": "string"}]}, {"prefixItems": [{"type": "string"}]}),
    ],
)
def test_a_schema_that_contradicts_itself_is_repaired_and_noted(schema, emitted):
    description = of_schemas(schema)
    assert sent(description) == emitted
    assert [kind for kind, _ in notes(description)] == ["schema_repaired"]


@pytest.mark.parametrize("schema", [5, "string", [1]])
def test_what_is_no_schema_at_all_costs_the_operation(schema):
    ((pointer, reason),) = skips(of_schemas(schema))
    assert pointer == "#/paths/~1x/post/requestBody/content/application~1json/schema"
    assert reason.startswith("expected a schema (an object), got ")


# Regular expressions


@pytest.mark.parametrize(
    ("pattern", "runs"),
    [
        (r"^[a-z]+$", r"^[a-z]+$"),
        (r"^\p{L}+$", r"^\p{L}+$"),
        (r"^\d{3}\/\d$", r"^\d{3}\/\d$"),
        (r"\A[a-z]+\z", r"^[a-z]+$"),
        (r"\A[a-z]+\Z", r"^[a-z]+$"),
        (r"\\A", r"\\A"),
        (r"[^]", r"[\s\S]"),
        (r"/^[a-z]+$/", r"^[a-z]+$"),
        (r"/a/b", r"/a/b"),
        (r"^(?!\s)a", None),
        (r"(?<=a)b", None),
        (r"(a)\1", None),
        (r"(", None),
        (r"(a{1000}){1000}", None),
    ],
)
def test_a_pattern_runs_in_linear_time_or_not_at_all(pattern, runs):
    assert Patterns().linear(pattern) == runs


def test_a_pattern_that_cannot_run_is_left_out_and_noted():
    description = of_schemas({"type": "string", "pattern": "(?=a)"})
    assert sent(description) == {"type": "string"}
    assert [kind for kind, _ in notes(description)] == ["pattern_dropped"]


def test_names_are_not_checked_where_their_pattern_cannot_run():
    description = of_schemas({"patternProperties": {"(?=a)": {"type": "string"}}, "additionalProperties": False})
    validator = compiles(sent_schema(description), {})
    assert validator.is_valid({"anything": 1})


# Read-only and write-only

PET = {
    "type": "object",
    "required": ["id", "name", "secret"],
    "properties": {
        "id": {"type": "integer", "readOnly": True},
        "name": {"type": "string"},
        "secret": {"type": "string", "writeOnly": True},
    },
}


def test_requests_lack_read_only_properties_and_answers_write_only_ones():
    description = of_schemas(PET)
    assert list(sent(description)["properties"]) == ["name", "secret"]
    assert sent(description)["required"] == ["name", "secret"]
    assert list(got(description)["properties"]) == ["id", "name"]


@pytest.mark.parametrize(
    "hidden",
    [
        {"readOnly": True, "type": "string"},
        {"$ref": "#/components/schemas/Hidden"},
        {"$ref": "#/components/schemas/Alias"},
        {"allOf": [{"$ref": "#/components/schemas/Shown"}, {"readOnly": True}]},
        {"allOf": [{"$ref": "#/components/schemas/Hidden"}]},
        {"$ref": "#/components/schemas/Shown", "readOnly": True},
    ],
)
@pytest.mark.parametrize("dialect", ["3.0", "3.1"])
def test_a_property_is_read_only_however_that_is_said(hidden, dialect):
    schema = {"properties": {"a": hidden, "b": {"$ref": "#/components/schemas/Shown"}}, "required": ["a", "b"]}
    description = of_schemas(
        schema,
        dialect=dialect,
        Hidden={"type": "string", "readOnly": True},
        Alias={"$ref": "#/components/schemas/Hidden"},
        Shown={"type": "string"},
    )
    assert sent(description) == {"properties": {"b": {"$ref": "#/$defs/Shown"}}, "required": ["b"]}


@pytest.mark.parametrize(
    "schema",
    [
        {"allOf": [{"$ref": "#/components/schemas/Base"}, {"required": ["id", "name"]}]},
        {"allOf": [{"$ref": "#/components/schemas/Base"}], "required": ["id", "name"]},
        {"$ref": "#/components/schemas/Base", "required": ["id", "name"]},
        {"allOf": [{"allOf": [{"$ref": "#/components/schemas/Base"}]}, {"anyOf": [{"required": ["id", "name"]}]}]},
    ],
)
def test_a_read_only_property_is_not_required_by_what_it_is_combined_with(schema):
    base = {"type": "object", "properties": {"id": {"readOnly": True}, "name": {}}}
    description = of_schemas(schema, Base=base)
    assert compiles(sent_schema(description), description.request_schemas).is_valid({"name": "x"})
    assert not compiles(sent_schema(description), description.request_schemas).is_valid({})


# What answers are told by


@pytest.mark.parametrize(
    ("written", "emitted"),
    [
        ({"type": "string", "enum": ["a"], "pattern": "^a", "format": "date", "minLength": 1}, {"type": ["string", "null"]}),
        ({"type": ["integer", "null"], "const": 1, "default": 1, "examples": [1]}, {"type": ["integer", "null"]}),
        ({"type": "object", "required": ["a"], "additionalProperties": False, "properties": {"a": True}}, {"type": ["object", "null"], "properties": {"a": {}}}),
        ({"additionalProperties": {"type": "string"}}, {"additionalProperties": {"type": ["string", "null"]}}),
        ({"additionalProperties": {"type": "string"}, "patternProperties": {"^x": {}}}, {}),
        ({"oneOf": [{"type": "string"}, {"type": "number"}]}, {"anyOf": [{"type": ["string", "null"]}, {"type": ["number", "null"]}]}),
        ({"allOf": [{"type": "object"}]}, {"allOf": [{"type": ["object", "null"]}]}),
        ({"type": "array", "items": {"type": "string", "maxLength": 3}, "maxItems": 1}, {"type": ["array", "null"], "items": {"type": ["string", "null"]}}),
        ({"prefixItems": [{"type": "string"}, False], "items": False}, {"prefixItems": [{"type": ["string", "null"]}, {}]}),
        ({"not": {"type": "string"}, "if": {}, "then": False, "contains": {}, "propertyNames": False, "unevaluatedProperties": False}, {}),
        ({"type": "money"}, {}),
        ({"description": "  a\n b "}, {"description": "a b"}),
        ({"description": "x" * 1000}, {"description": "x" * (SHORT_PROSE - 1) + "…"}),
    ],
)  # fmt: skip
def test_answers_are_told_loosely(written, emitted):
    description = of_schemas(written)
    assert got(description) == emitted


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "b"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2),
    max_leaves=5,
)
schemas = st.recursive(
    st.sampled_from([True, False, {"type": "string"}, {"type": "integer"}, {"enum": ["a", 1]}, {"const": "b"}]),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["object", "array", ["string", "null"]]),
            "properties": st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2),
            "required": st.just(["a"]),
            "additionalProperties": inner,
            "items": inner,
            "prefixItems": st.lists(inner, min_size=1, max_size=2),
            "allOf": st.lists(inner, min_size=1, max_size=2),
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "oneOf": st.lists(inner, min_size=1, max_size=2),
            "not": inner,
            "minItems": st.just(1),
            "patternProperties": st.dictionaries(st.just("^a"), inner, max_size=1),
        },
    ),
    max_leaves=8,
)


@given(schemas.filter(lambda schema: isinstance(schema, dict)), json_values)
def test_a_request_is_checked_by_exactly_what_3_1_says(schema, instance):
    description = of_schemas(schema)
    as_written = Schema(msgspec.Raw(msgspec.json.encode(schema)))
    expected = compiles(as_written, {}).is_valid(instance)
    assert compiles(sent_schema(description), description.request_schemas).is_valid(instance) is expected


@given(schemas.filter(lambda schema: isinstance(schema, dict)), json_values)
def test_an_honest_answer_always_fits_its_loose_schema(schema, instance):
    as_written = Schema(msgspec.Raw(msgspec.json.encode(schema)))
    if compiles(as_written, {}).is_valid(instance):
        loose = Schema(msgspec.Raw(msgspec.json.encode(got(of_schemas(schema)))))
        assert compiles(loose, {}).is_valid(instance)
        assert compiles(loose, {}).is_valid(None)


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*(keyword for keyword, _, _ in WRONG), "$ref", "nullable", "$id"]), inner, max_size=4)
    ),
    max_leaves=12,
)  # fmt: skip


@given(anything, st.sampled_from(["2.0", "3.0", "3.1", "3.2"]))
def test_whatever_is_written_what_is_emitted_compiles(schema, dialect):
    description = of_schemas(schema, dialect=dialect)
    assert len(description.operations) + len(description.skipped) == 1
    for operation in description.operations:
        assert operation.body is not None
        for sent_as in operation.body.media:
            if sent_as.schema is not None:
                compiles(sent_as.schema, description.request_schemas)
        for got_as in operation.responses[0].media if operation.responses else ():
            if got_as.schema is not None:
                compiles(got_as.schema, description.response_schemas)


# Bounds


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


# The outermost level


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
        pytest.param(A_REF | {"title": "t"}, {"A": {"title": "u", "type": "null"}}, {"title": "t", "type": "null"}, id="siblings first"),
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
        pytest.param(A_REF, {"A": {"allOf": [A_REF, {"type": "object"}]}}, {"type": "object"}, id="cycle"),
        pytest.param(
            {"allOf": [{"additionalProperties": False, "properties": {"a": {}}}, {"properties": {"b": {}}}]},
            {},
            {"additionalProperties": False, "properties": {"a": {}, "b": {}}},
            id="closed as a whole",
        ),
        pytest.param({"allOf": [{"type": "number"}, {"type": ["integer", "null"]}]}, {}, {"type": "integer"}, id="common type"),
        pytest.param({"allOf": [{"type": "string"}, {"type": "object"}]}, {}, {"type": "string", "allOf": [{"type": "object"}]}, id="no common type"),
        pytest.param({"minLength": 1, "allOf": [{"minLength": 2}]}, {}, {"minLength": 1, "allOf": [{"minLength": 2}]}, id="two limits"),
        pytest.param(
            {"if": {"required": ["a"]}, "allOf": [{"then": {"required": ["b"]}}]},
            {},
            {"if": {"required": ["a"]}, "allOf": [{"then": {"required": ["b"]}}]},
            id="conditions stay apart",
        ),
        pytest.param({"allOf": [{"oneOf": [{}]}]}, {}, {"oneOf": [{}]}, id="one choice"),
        pytest.param({"anyOf": [A_REF]}, {"A": {"type": "object"}}, {"anyOf": [A_REF]}, id="choices are not merged"),
    ],
)  # fmt: skip
def test_the_outermost_level_is_one_object(schema, definitions, level):
    assert outline(schema, **definitions) == level


def test_the_outermost_level_of_doubling_combinations_is_quick():
    definitions = {f"A{n}": {"allOf": [{"$ref": f"#/$defs/A{n + 1}"}] * 2} for n in range(60)} | {
        "A60": {"type": "object"}
    }
    assert outline({"$ref": "#/$defs/A0"}, **definitions) == {"type": "object"}


@given(schemas.filter(lambda schema: isinstance(schema, dict)), json_values)
def test_merging_never_refuses_what_the_schema_admits(schema, instance):
    description = of_schemas(schema)
    whole = compiles(sent_schema(description), {})
    merged = Schema(msgspec.Raw(msgspec.json.encode(top_level(sent_schema(description), {}))))
    if whole.is_valid(instance):
        assert compiles(merged, {}).is_valid(instance)


def test_definitions_are_shared_between_operations_and_not_between_directions():
    body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/A"}}}}
    operation = {"requestBody": body, "responses": {"200": body}}
    description = described({f"/{n}": {"post": operation} for n in range(3)}, components={"schemas": {"A": {"type": "string", "enum": ["a"]}}})  # fmt: skip  # noqa: E501
    assert named(description.request_schemas) == {"A": {"type": "string", "enum": ["a"]}}
    assert named(description.response_schemas) == {"A": {"type": ["string", "null"]}}


@pytest.mark.parametrize(("media_type", "kept"), [("application/xml", True), ("application/json", False)])
def test_xml_names_are_kept_where_bodies_are_xml(media_type, kept):
    schema = {"type": "string", "xml": {"name": "n", "x-other": 1}}
    content = {media_type: {"schema": schema}}
    description = described({"/x": {"post": {"requestBody": {"content": content}}}})
    assert sent(description).get("xml") == ({"name": "n"} if kept else None)
