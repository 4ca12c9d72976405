"""Schemas of every dialect to JSON Schema 2020-12, as requests and as answers are told by them."""

from __future__ import annotations

import string
from typing import Any

import msgspec
import pytest

from documents import (
    compiles,
    described,
    got,
    named,
    notes,
    of_operation,
    of_schemas,
    sent,
    sent_schema,
    skips,
    the_operation,
    value,
)
from openapi_mcp_server.openapi.model import ApiDescription
from openapi_mcp_server.openapi.schemas.patterns import Patterns
from openapi_mcp_server.openapi.schemas.responses import SHORT_PROSE

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
            {"type": ["object", "null"], "description": "d"},
            id="nullable allOf of one",
        ),
        pytest.param(
            {"nullable": True, "type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
            {
                "anyOf": [
                    {
                        "type": "object",
                        "oneOf": [{"type": "object", "required": ["a"]}, {"type": "object", "required": ["b"]}],
                    },
                    {"type": "null"},
                ]
            },
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
            {
                "type": "object",
                "xml": {"name": "a"},
                "externalDocs": {"url": "u"},
                "x-a": 1,
            },
            {"type": "object"},
            id="what asserts nothing",
        ),
        pytest.param(
            {
                "oneOf": [{"type": "object"}],
                "discriminator": {"propertyName": "kind", "mapping": {"cat": "#/components/schemas/Cat", "dog": "Dog"}},
            },
            {"type": "object", "description": "kind selects the schema: cat → Cat, dog → Dog."},
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
            {"type": "object", "additionalProperties": False, "properties": {"a": {"type": ["integer", "null"]}}},
            id="object",
        ),
        pytest.param({"additionalProperties": True}, {"additionalProperties": {}}, id="open map"),
        pytest.param({"required": ["a", "a", "b"]}, {"required": ["a", "b"]}, id="required twice"),
        pytest.param({"required": []}, {}, id="nothing required"),
        pytest.param({"type": None, "items": None, "minimum": None, "enum": None}, {}, id="keys without a value"),
        pytest.param({}, {}, id="empty"),
    ],
)
def test_a_schema_of_3_0_is_told_in_2020_12(written, emitted):
    description = of_schemas(written, dialect="3.0")
    assert sent(description) == emitted
    assert notes(description) == []


CAT = {"type": "object", "properties": {"meow": {"type": "boolean"}}}
DOG = {"type": "object", "properties": {"bark": {"type": "boolean"}}}


@pytest.mark.parametrize(
    "choices",
    [
        pytest.param([{"type": "string"}, {"type": "integer"}, {"type": ["array", "null"]}], id="types differ"),
        pytest.param([{"required": ["a"]}, {"required": ["b"]}], id="either this member or that"),
    ],
)
def test_one_of_stays_where_only_one_can_fit_or_only_one_is_meant(choices):
    assert sent(of_schemas({"oneOf": choices})) == {"oneOf": choices}


@pytest.mark.parametrize(
    "choices",
    [
        pytest.param([{"type": "integer"}, {"type": "number"}], id="an integer is a number"),
        pytest.param([{"type": "string", "format": "uuid"}, {"type": "string"}], id="formats assert nothing"),
        pytest.param([CAT, DOG], id="objects that differ by what is optional"),
        pytest.param([{"type": "string"}, {"enum": ["a"]}], id="a choice without a type"),
    ],
)
def test_one_of_admits_several_where_two_may_fit_by_accident(choices):
    assert sent(of_schemas({"oneOf": choices})) == {"anyOf": choices}


def test_one_of_that_admits_several_stands_beside_an_any_of():
    given = sent(of_schemas({"anyOf": [{"type": "object"}], "oneOf": [CAT, DOG]}))
    assert given == {"anyOf": [{"type": "object"}], "allOf": [{"anyOf": [CAT, DOG]}]}


@pytest.mark.parametrize("discriminator", [{"propertyName": "kind"}, "kind"])
def test_a_schema_that_others_are_made_of_takes_their_members(discriminator):
    pet = {"type": "object", "properties": {"kind": {"type": "string"}}}
    given = sent(of_schemas(pet | {"discriminator": discriminator}, dialect="2.0"))
    assert given == pet | {"additionalProperties": {}}
    closed = pet | {"discriminator": discriminator, "additionalProperties": False}
    assert sent(of_schemas(closed, dialect="2.0")) == pet | {"additionalProperties": False}


@pytest.mark.parametrize("keyword", ["oneOf", "anyOf"])
def test_without_a_mapping_the_names_of_the_schemas_are_the_kinds(keyword):
    choices = [{"$ref": "#/components/schemas/Cat"}, {"$ref": "#/components/schemas/Dog"}]
    schema = {keyword: choices, "discriminator": {"propertyName": "kind"}}
    given = sent(of_schemas(schema, Cat=CAT, Dog=DOG))
    assert given["description"] == "kind selects the schema: Cat, Dog."


@pytest.mark.parametrize(
    ("written", "emitted"),
    [
        pytest.param({"type": ["string", "null"]}, {"type": ["string", "null"]}, id="types"),
        pytest.param({"type": ["string"]}, {"type": "string"}, id="one type"),
        pytest.param({"type": ["string", None]}, {"type": ["string", "null"]}, id="null unquoted in YAML"),
        pytest.param({"const": None}, {"const": None}, id="const null"),
        pytest.param(
            {"prefixItems": [{"type": "string"}], "items": False},
            {"type": "array", "prefixItems": [{"type": "string"}], "items": False},
            id="tuple",
        ),
        pytest.param(
            {"if": {"required": ["a"]}, "then": {"required": ["b"]}, "else": False, "not": {"type": "null"}},
            {"if": {"required": ["a"]}, "then": {"required": ["b"]}, "else": False, "not": {"type": "null"}},
            id="conditions",
        ),
        pytest.param(
            {"type": "object", "properties": {"a": True, "b": False}},
            {"type": "object", "properties": {"a": {}, "b": {"not": {}}}},
            id="booleans",
        ),
        pytest.param(
            {"contentEncoding": "base64", "contentMediaType": "image/png"},
            {"contentEncoding": "base64", "contentMediaType": "image/png"},
            id="content",
        ),
        pytest.param(
            {"contentMediaType": "application/json", "contentSchema": {"type": "integer", "$comment": "c"}},
            {"contentMediaType": "application/json", "contentSchema": {"type": "integer"}},
            id="schema of content",
        ),
        pytest.param({"examples": [1, 2, 3, 4, "x" * 500]}, {"examples": [1, 2, 3]}, id="examples"),
        pytest.param(
            {
                "dependentRequired": {"a": ["b"]},
                "dependentSchemas": {"a": {"minProperties": 2}},
                "propertyNames": {"maxLength": 3},
            },
            {
                "dependentRequired": {"a": ["b"]},
                "dependentSchemas": {"a": {"minProperties": 2}},
                "propertyNames": {"maxLength": 3},
            },
            id="dependencies",
        ),
        pytest.param(
            {
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "$comment": "c",
                "$defs": {"a": {}},
                "type": "null",
            },
            {"type": "null"},
            id="what means nothing here",
        ),
        pytest.param(
            {"patternProperties": {"^x": {"type": "string"}}, "additionalProperties": False},
            {"type": "object", "patternProperties": {"^x": {"type": "string"}}, "additionalProperties": False},
            id="patterns",
        ),
    ],
)
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
    ("title", [5], {}),
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
    ("nullable", "yes", {}),
    ("x-nullable", 1, {}),
    ("readOnly", "yes", {}),
    ("writeOnly", {}, {}),
    ("exclusiveMaximum", "yes", {}),
    ("enum", "a", {}),
    ("enum", [], {}),
    ("enum", {"a": 1}, {}),
    ("required", True, {}),
    ("required", "a", {}),
    ("required", [[1]], {}),
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
    ("pattern", [5], {}),
]


@pytest.mark.parametrize(("keyword", "wrong", "emitted"), WRONG, ids=lambda value: str(value)[:20])
def test_a_keyword_with_a_value_that_it_cannot_have_is_left_out_and_noted(keyword, wrong, emitted):
    description = of_schemas({keyword: wrong})
    assert sent(description) == emitted
    pointer = f"#/paths/~1x/post/requestBody/content/application~1json/schema/{keyword}"
    assert notes(description) == [("keyword_dropped", pointer)]


FLAGGED: list[tuple[str, dict[str, Any]]] = [
    ("nullable", {"type": "string"}),
    ("x-nullable", {"$ref": "#/components/schemas/A"}),
    ("deprecated", {"type": "string"}),
    ("uniqueItems", {"type": "array", "items": {"type": "string"}}),
    ("exclusiveMinimum", {"minimum": 1}),
    ("exclusiveMaximum", {"maximum": 1}),
    ("additionalProperties", {"type": "object"}),
    ("items", {"type": "array"}),
    ("readOnly", {"type": "string"}),
    ("writeOnly", {"type": "string"}),
]


@pytest.mark.parametrize(("quoted", "meant"), [("true", True), ("True", True), ("false", False), ("FALSE", False)])
@pytest.mark.parametrize(("keyword", "beside"), FLAGGED, ids=[keyword for keyword, _ in FLAGGED])
def test_a_flag_in_quotes_is_the_flag(keyword, beside, quoted, meant):
    def read(flag: object) -> ApiDescription:
        return of_schemas({"type": "object", "properties": {"a": {**beside, keyword: flag}, "b": {}}}, A={})

    assert (sent(read(quoted)), got(read(quoted))) == (sent(read(meant)), got(read(meant)))
    assert notes(read(quoted)) == []


@pytest.mark.parametrize("field", ["attribute", "wrapped"])
@pytest.mark.parametrize(("written", "kept"), [("true", True), ("False", False), ("yes", None)])
def test_a_flag_of_xml_in_quotes_is_the_flag(field, written, kept):
    schema = {"type": "string", "xml": {"name": "n", field: written}}
    content = {"application/xml": {"schema": schema}}
    description = described({"/x": {"post": {"requestBody": {"content": content}}}})
    assert sent(description)["xml"] == {"name": "n"} | ({} if kept is None else {field: kept})
    place = f"#/paths/~1x/post/requestBody/content/application~1xml/schema/xml/{field}"
    assert notes(description) == ([("keyword_dropped", place)] if kept is None else [])


def test_a_fault_that_stands_in_several_places_is_noted_at_each():
    fields = [{"name": name, "in": "query", "schema": {"minLength": "x"}} for name in "abc"]
    plain = [{"name": name, "in": "query", "schema": {"minLength": 1}} for name in "de"]
    description = of_operation({"parameters": [*fields, *plain], "responses": {}})
    places = [f"#/paths/~1x/get/parameters/{index}/schema/minLength" for index in range(3)]
    assert notes(description) == [("keyword_dropped", place) for place in places]
    assert [value(each.schema) for each in the_operation(description).parameters] == [{}] * 3 + [{"minLength": 1}] * 2


@pytest.mark.parametrize(
    ("schema", "emitted", "place"),
    [
        (
            {"properties": {"a": "string", "b": {}}},
            {"type": "object", "properties": {"a": {}, "b": {}}},
            "/properties/a",
        ),
        ({"allOf": [{"type": "object"}, 7]}, {"type": "object"}, "/allOf/1"),
        ({"allOf": [7]}, {}, "/allOf/0"),
        (
            {"items": {"properties": {"a/b": {"minLength": "x"}}}},
            {"type": "array", "items": {"type": "object", "properties": {"a/b": {}}}},
            "/items/properties/a~1b/minLength",
        ),
    ],
)
def test_what_is_wrong_further_down_is_noted_where_it_is(schema, emitted, place):
    description = of_schemas({"$ref": "#/components/schemas/S"}, S=schema)
    assert named(description.request_schemas) == {"S": emitted}
    assert notes(description) == [("keyword_dropped", f"#/components/schemas/S{place}")]


@pytest.mark.parametrize(
    ("schema", "emitted"),
    [
        ({"type": "string", "enum": [1, "a", True]}, {"type": "string", "enum": ["1", "a", "true"]}),
        ({"type": "integer", "enum": ["1", 2]}, {"type": "integer", "enum": [2]}),
        ({"type": "array", "enum": ["a"]}, {"type": "array", "items": {"enum": ["a"]}}),
        ({"type": "object", "enum": ["a"]}, {"type": "object"}),
        (
            {"items": [{"type": "string"}]},
            {"type": "array", "prefixItems": [{"type": "string"}]},
        ),
    ],
)
def test_a_schema_that_contradicts_itself_is_repaired_and_noted(schema, emitted):
    description = of_schemas(schema)
    assert sent(description) == emitted
    assert [kind for kind, _ in notes(description)] == ["schema_repaired"]


def spelt(*numbers: str) -> list[msgspec.Raw]:
    return [msgspec.Raw(number.encode()) for number in numbers]


@pytest.mark.parametrize("dialect", ["2.0", "3.0", "3.1", "3.2"])
@pytest.mark.parametrize(
    "around",
    [
        lambda schema: schema,
        lambda schema: {"type": "array", "items": schema},
        lambda schema: {"type": "object", "properties": {"a/b~": {"type": "object", "properties": {"c": schema}}}},
        lambda schema: {"type": "object", "additionalProperties": schema},
        lambda schema: {"allOf": [{"type": "object"}, {"type": "object", "properties": {"v": schema}}]},
    ],
)
@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"enum": spelt("1.0", "1.1", "1.10", "1e3", "true")}, {"enum": ["1.0", "1.1", "1.10", "1e3", "true"]}),
        ({"enum": ["2.0", *spelt("2.0", "12345678901234567890.10")]}, {"enum": ["2.0", "12345678901234567890.10"]}),
        ({"default": spelt("2.10")[0]}, {"default": "2.10"}),
        ({"const": spelt("1.50")[0]}, {"const": "1.50"}),
    ],
)
def test_numbers_where_text_is_asked_for_are_the_text_that_is_written(dialect, around, schema, text):
    dialect = "3.1" if "const" in schema else dialect  # the others have no such keyword
    description = of_schemas(around({"type": "string", **schema}), dialect=dialect)
    assert sent(description) == sent(of_schemas(around({"type": "string", **text}), dialect=dialect))
    assert {kind for kind, _ in notes(description)} == {"schema_repaired"}


def test_of_several_types_the_values_that_fit_stay_what_they_are():
    schema = {"type": ["string", "number", "array"], "enum": [True, *spelt("1.50", "[2.50]"), "a", "true"]}
    assert sent(of_schemas(schema))["enum"] == ["true", 1.5, [2.5], "a"]


@pytest.mark.parametrize("schema", [5, "string", [1]])
def test_what_is_no_schema_at_all_costs_the_operation(schema):
    ((pointer, reason),) = skips(of_schemas(schema))
    assert pointer == "#/paths/~1x/post/requestBody/content/application~1json/schema"
    assert reason.startswith("expected a schema (an object), got ")


MANY = [f"N{number}" for number in range(30)]


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"enum": [0, 1], "x-enumNames": ["Low", "High"]}, "0: Low, 1: High."),
        ({"enum": [0, 1], "x-enum-varnames": ["Low", "High"], "description": "Level."}, "Level. 0: Low, 1: High."),
        ({"enum": [0, 1], "x-enumNames": ["Low", "High"], "description": "Low = 0, High = 1"}, "Low = 0, High = 1"),
        ({"enum": ["a", "b"], "x-enum-varnames": ["A", "B"]}, None),
        ({"enum": ["a", "b"], "x-enum-descriptions": ["the first", None]}, "a: the first."),
        ({"enum": ["a", "b"], "x-enumDescriptions": {"b": "the\nsecond"}}, "b: the second."),
        ({"enum": [1, 2], "x-ms-enum": {"values": [{"value": 2, "name": "Two"}, 5]}}, "2: Two."),
        ({"enum": [*range(30)], "x-enumNames": MANY}, f"{', '.join(f'{n}: N{n}' for n in range(20))}, …."),
        ({"enum": [*range(30)], "x-enumNames": MANY, "description": " ".join(MANY[:21])}, " ".join(MANY[:21])),
        ({"enum": [0, 1], "x-enumNames": ["Low"]}, None),
        ({"enum": [0, 1], "x-enumNames": 5, "x-ms-enum": {"name": "N"}}, None),
    ],
)
def test_what_values_mean_is_told_where_only_an_extension_says_it(schema, told):
    assert sent(of_schemas(schema)).get("description") == told


AZURE_OPEN = {"x-ms-enum": {"name": "Sku", "modelAsString": True}}


@pytest.mark.parametrize(
    ("schema", "made"),
    [
        ({"enum": ["a", "b"], **AZURE_OPEN}, {"description": "Known values: a, b."}),
        (
            {"enum": ["a", "b"], **AZURE_OPEN, "description": "The size."},
            {"description": "The size. Known values: a, b."},
        ),
        ({"enum": ["a", "b"], **AZURE_OPEN, "description": "Either a or b."}, {"description": "Either a or b."}),
        ({"enum": ["a", "b"], **AZURE_OPEN, "default": "c"}, {"description": "Known values: a, b.", "default": "c"}),
        ({"enum": ["a"], "x-ms-enum": {"modelAsString": False}}, {"enum": ["a"]}),
        ({"enum": ["a"], "x-ms-enum": {"modelAsString": "yes"}}, {"enum": ["a"]}),
        ({"enum": ["a"], "x-ms-enum": {"modelAsString": "true"}}, {"description": "Known values: a."}),
        ({"enum": ["a"], "x-ms-enum": {"name": "Sku"}}, {"enum": ["a"]}),
        ({"x-extensible-enum": ["a", "b"]}, {"description": "Known values: a, b."}),
        ({"x-extensible-enum": "a"}, {}),
        ({"enum": ["a"], "x-extensible-enum": ["a", "b"]}, {"enum": ["a"]}),
        ({"x-extensible-enum": MANY * 2}, {"description": f"Known values: {', '.join((MANY * 2)[:50])}, …."}),
        ({"enum": ["a"], "x-enum-open": True}, {"enum": ["a"]}),  # nobody's
    ],
)
def test_of_an_enumeration_that_is_open_the_known_values_are_told_and_others_taken(schema, made):
    assert sent(of_schemas({"type": "string", **schema})) == {"type": "string", **made}


def test_an_open_enumeration_of_texts_is_a_text():
    assert sent(of_schemas({"enum": ["a"], **AZURE_OPEN})) == {"type": "string", "description": "Known values: a."}


def test_the_known_values_of_azure_are_told_with_what_they_mean():
    meant = {"modelAsString": True, "values": [{"value": "a", "description": "the first"}]}
    made = sent(of_schemas({"type": "string", "enum": ["a"], "x-ms-enum": meant}))
    assert made == {"type": "string", "description": "a: the first."}


def test_what_is_not_to_be_a_value_of_an_open_enumeration_is_not_refused():
    made = sent(of_schemas({"type": "string", "not": {"enum": ["a"], **AZURE_OPEN}}))
    assert made == {"type": "string"}


def test_choices_that_an_open_enumeration_no_longer_tells_apart_may_both_hold():
    kinds = [
        {"properties": {"kind": {"type": "string", "enum": [one], **AZURE_OPEN}}, "required": ["kind"]} for one in "ab"
    ]
    made = sent(of_schemas({"oneOf": [{"type": "object", **each} for each in kinds]}))
    assert "oneOf" not in made
    assert len(made["anyOf"]) == 2


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
        (r"/^[a-z]+$/i", r"(?i)^[a-z]+$"),
        (r"/^[a-z]/gu", r"^[a-z]"),
        (r"/[a-z]+$/Dmis", r"(?ims)[a-z]+$"),
        (r"/^[a-z]+$/k", r"/^[a-z]+$/k"),
        (r"/v1/$", r"/v1/$"),
        (r"/a\$/", r"/a\$/"),
        (r"/^a", r"/^a"),
        ("/^", "/^"),
        (r"/a/b", r"/a/b"),
        (r"^[[:digit:]_]+$", r"^[0-9_]+$"),
        (r"^[_[:alpha:][:digit:]]$", r"^[_a-zA-Z0-9]$"),
        (r"^[:digit:]$", r"^[:digit:]$"),
        (r"\[[:digit:]\]", r"\[[:digit:]\]"),
        (r"[[:other:]]", r"[[:other:]]"),
        (r"^[a-z&&[^b]]+$", None),
        (r"^(?!\s)a", None),
        (r"(?<=a)b", None),
        (r"(a)\1", None),
        (r"(", None),
        (r"(a{1000}){1000}", None),
    ],
)
def test_a_pattern_runs_in_linear_time_or_not_at_all(pattern, runs):
    assert Patterns().linear(pattern) == runs


ASCII = {
    "alnum": str.isalnum,
    "alpha": str.isalpha,
    "blank": " \t".__contains__,
    "cntrl": lambda each: not each.isprintable(),
    "digit": str.isdigit,
    "graph": lambda each: each.isprintable() and each != " ",
    "lower": str.islower,
    "print": str.isprintable,
    "punct": string.punctuation.__contains__,
    "space": string.whitespace.__contains__,
    "upper": str.isupper,
    "word": lambda each: each.isalnum() or each == "_",
    "xdigit": string.hexdigits.__contains__,
}


@pytest.mark.parametrize("name", ASCII)
def test_a_class_of_posix_has_the_characters_of_its_name(name):
    description = of_schemas({"type": "string", "pattern": f"^[[:{name}:]]$"})
    others = of_schemas({"type": "string", "pattern": f"^[^[:{name}:]]$"})
    for each in map(chr, range(128)):
        assert compiles(sent_schema(description), {}).is_valid(each) is ASCII[name](each), each
        assert compiles(sent_schema(others), {}).is_valid(each) is not ASCII[name](each), each


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
    assert sent(description) == {
        "type": "object",
        "properties": {"b": {"$ref": "#/$defs/Shown"}},
        "required": ["b"],
    }


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


@pytest.mark.parametrize(("least", "left"), [(0, None), (1, None), (2, 1), (3, 2)])
@pytest.mark.parametrize("by_reference", [False, True])
def test_read_only_properties_are_none_of_those_that_must_be_given(least, left, by_reference):
    base = {"type": "object", "properties": {"id": {"readOnly": True}, "name": {}, "age": {}}}
    parts = {"allOf": [{"$ref": "#/components/schemas/Base"}]} if by_reference else base
    description = of_schemas({**parts, "minProperties": least}, Base=base)
    assert sent(description).get("minProperties") == left


# What answers are told by


@pytest.mark.parametrize(
    ("written", "emitted"),
    [
        (
            {"type": "string", "enum": ["a"], "pattern": "^a", "format": "date", "minLength": 1},
            {"type": ["string", "null"]},
        ),
        ({"type": ["integer", "null"], "const": 1, "default": 1, "examples": [1]}, {"type": ["integer", "null"]}),
        (
            {"type": "object", "required": ["a"], "additionalProperties": False, "properties": {"a": True}},
            {"type": ["object", "null"], "properties": {"a": {}}},
        ),
        ({"additionalProperties": {"type": "string"}}, {"additionalProperties": {"type": ["string", "null"]}}),
        ({"additionalProperties": {"type": "string"}, "patternProperties": {"^x": {}}}, {}),
        (
            {"oneOf": [{"type": "string"}, {"type": "number"}]},
            {"anyOf": [{"type": ["string", "null"]}, {"type": ["number", "null"]}]},
        ),
        ({"allOf": [{"type": "object"}]}, {"allOf": [{"type": ["object", "null"]}]}),
        (
            {"type": "array", "items": {"type": "string", "maxLength": 3}, "maxItems": 1},
            {"type": ["array", "null"], "items": {"type": ["string", "null"]}},
        ),
        (
            {"prefixItems": [{"type": "string"}, False], "items": False},
            {"prefixItems": [{"type": ["string", "null"]}, {}]},
        ),
        (
            {
                "not": {"type": "string"},
                "if": {},
                "then": False,
                "contains": {},
                "propertyNames": False,
                "unevaluatedProperties": False,
            },
            {},
        ),
        ({"type": "money"}, {}),
        ({"description": "  a\n b "}, {"description": "a b"}),
        ({"description": "x" * 1000}, {"description": "x" * (SHORT_PROSE - 1) + "…"}),
    ],
)
def test_answers_are_told_loosely(written, emitted):
    description = of_schemas(written)
    assert got(description) == emitted


# The definitions


def test_definitions_are_shared_between_operations_and_not_between_directions():
    body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/A"}}}}
    operation = {"requestBody": body, "responses": {"200": body}}
    description = described(
        {f"/{n}": {"post": operation} for n in range(3)},
        components={"schemas": {"A": {"type": "string", "enum": ["a"]}}},
    )
    assert named(description.request_schemas) == {"A": {"type": "string", "enum": ["a"]}}
    assert named(description.response_schemas) == {"A": {"type": ["string", "null"]}}


@pytest.mark.parametrize(("media_type", "kept"), [("application/xml", True), ("application/json", False)])
def test_xml_names_are_kept_where_bodies_are_xml(media_type, kept):
    schema = {"type": "string", "xml": {"name": "n", "x-other": 1}}
    content = {media_type: {"schema": schema}}
    description = described({"/x": {"post": {"requestBody": {"content": content}}}})
    assert sent(description).get("xml") == ({"name": "n"} if kept else None)


LOOKING_AHEAD = {"type": "string", "pattern": "^(?=admin)"}
TWO_KINDS = {"oneOf": [{"type": "integer"}, {"type": "number", "minimum": 5}]}
HIDDEN = {"type": "object", "properties": {"id": {"type": "integer", "readOnly": True}}, "required": ["id"]}


@pytest.mark.parametrize(
    "inner", [LOOKING_AHEAD, TWO_KINDS, HIDDEN, {"enum": []}, {"type": "object", "properties": {"a": LOOKING_AHEAD}}]
)
@pytest.mark.parametrize("by_reference", [False, True])
def test_what_is_not_checked_as_it_is_written_refuses_nothing(inner, by_reference):
    """A schema without its pattern takes more, so that ``not`` and ``if`` would refuse what they were not meant to."""
    part = {"allOf": [{"$ref": "#/components/schemas/A"}]} if by_reference else inner
    schemas = {"A": inner} if by_reference else {}
    for negating in ({"not": part}, {"if": part, "then": {"not": {}}}, {"prefixItems": [{"not": part}]}):
        description = of_schemas({"title": "t", **negating}, **schemas)
        checks = compiles(sent_schema(description), description.request_schemas)
        values = ["x", 1, 7, {}, []]
        assert all(checks.is_valid([each] if "prefixItems" in negating else each) for each in values)
        assert any("not meant to" in note.message for note in description.notes)


def test_what_is_checked_as_it_is_written_still_refuses():
    schemas = {"A": {"type": "string", "pattern": "^admin"}, "B": LOOKING_AHEAD}
    description = of_schemas({"not": {"$ref": "#/components/schemas/A"}, "title": "t"}, **schemas)
    checks = compiles(sent_schema(description), description.request_schemas)
    assert not checks.is_valid("admin")
    assert checks.is_valid("other")
