"""A tool's output schema: promised only where every success is known."""

from __future__ import annotations

import msgspec
import pytest

from descriptions import BIG, JSON, OBJECT, answer, catalog, kinds, media, operation, outputs, schema, schemas, tool
from openapi_mcp_server.bridge.tools.api import SchemaLimits

# Outputs


def test_a_documented_object_is_the_output_schema():
    assert outputs(answer("200", media(JSON, OBJECT))) == OBJECT


def test_an_object_behind_a_reference_says_that_it_is_one():
    named = schemas(Pet={"allOf": [OBJECT]}, Other={})
    assert outputs(answer("200", media(JSON, {"$ref": "#/$defs/Pet"})), response_schemas=named) == {
        "type": "object",
        "$ref": "#/$defs/Pet",
        "$defs": {"Pet": {"allOf": [OBJECT]}},
    }


def test_what_is_no_object_goes_under_result():
    made = tool(operation(responses=(answer("200", media(JSON, {"type": "array"})),)))
    assert made.output.wrapped
    assert msgspec.json.decode(made.output.schema) == {
        "type": "object",
        "properties": {"result": {"type": "array"}},
        "x-fastmcp-wrap-result": True,
        "anyOf": [{"required": ["result"]}, {"required": ["undocumented"]}],
    }


def test_several_successes_are_alternatives():
    other = {"type": "object", "properties": {"id": {"type": "integer"}}}
    given = outputs(
        answer("200", media(JSON, OBJECT)), answer("201", media(JSON, other)), answer("202", media(JSON, other))
    )
    assert given == {"type": "object", "anyOf": [OBJECT, other]}


@pytest.mark.parametrize(
    "responses",
    [
        pytest.param((), id="nothing documented"),
        pytest.param((answer("200"),), id="no content"),
        pytest.param((answer("200", media(JSON, OBJECT)), answer("204")), id="content or none"),
        pytest.param((answer("200", media(JSON)),), id="no schema"),
        pytest.param((answer("200", media(JSON, OBJECT), media("text/csv", {})),), id="JSON or something else"),
        pytest.param((answer("204"), answer("default", media(JSON, OBJECT))), id="default beside a success"),
        pytest.param((answer("302"), answer("default", media(JSON, OBJECT))), id="default beside a redirect"),
        pytest.param((answer("404", media(JSON, OBJECT)),), id="errors only"),
    ],
)
def test_there_is_no_output_schema_unless_every_success_is_known_json(responses):
    assert outputs(*responses) is None


@pytest.mark.parametrize("status", ["204", "205"])
def test_an_answer_that_can_have_no_content_promises_none_and_has_nothing_to_filter(status):
    described = answer(status, media(JSON, OBJECT))
    made = tool(operation(responses=(described,)), response_filter=True)
    assert (made.output, made.filterable) == (None, False)
    beside = tool(operation(responses=(answer("200", media(JSON, OBJECT)), described)), response_filter=True)
    assert (beside.output, beside.filterable) == (None, True)


@pytest.mark.parametrize("value", [OBJECT, {"type": "array", "items": OBJECT}, {"$ref": "#/$defs/Pet"}])
@pytest.mark.parametrize("other", ["text/plain", "application/xml", "application/vnd.acme+xml", "text/xml"])
def test_what_says_again_what_json_says_is_not_asked_for(other, value):
    named = schemas(Pet=OBJECT)
    alone = outputs(answer("200", media(JSON, value)), response_schemas=named)
    for several in ([media(other, value), media(JSON, value)], [media(JSON, value), media(other, value)]):
        assert outputs(answer("200", *several), response_schemas=named) == alone != None  # noqa: E711 - a chain


@pytest.mark.parametrize(
    "others",
    [
        pytest.param([media(JSON, {"type": "string"}), media("text/plain", {"type": "string"})], id="a text"),
        pytest.param([media(JSON, OBJECT), media("application/xml", {"type": "object"})], id="another schema"),
        pytest.param([media(JSON, OBJECT), media("application/xml")], id="no schema"),
        pytest.param([media(JSON, OBJECT), media("application/yaml", OBJECT)], id="a type that is asked for by name"),
        pytest.param([media("application/xml", OBJECT), media("text/plain", OBJECT)], id="without JSON"),
    ],
)
def test_another_answer_than_that_of_json_promises_nothing(others):
    assert outputs(answer("200", *others)) is None


@pytest.mark.parametrize("others", [(), (answer("404"), answer("5XX", media(JSON, {"type": "object"})))])
def test_the_default_is_the_success_where_no_other_is_documented(others):
    assert outputs(*others, answer("default", media(JSON, OBJECT))) == OBJECT


@pytest.mark.parametrize("name", ["*/*", "application/*", "*/*;charset=UTF-8"])
@pytest.mark.parametrize(
    ("value", "is_promised"),
    [
        (OBJECT, True),
        ({"$ref": "#/$defs/Pet"}, True),
        ({"type": "array", "items": {"$ref": "#/$defs/Pet"}}, True),
        ({"type": "string"}, False),
        ({}, False),
    ],
)
def test_what_has_no_named_type_is_json_if_it_is_an_object_or_a_list(name, value, is_promised):
    responses = (answer("200", media(name, value)),)
    made = tool(operation(responses=responses), response_schemas=schemas(Pet=OBJECT), response_filter=True)
    assert (made.output is not None, made.filterable) == (is_promised, is_promised)


def test_an_answer_to_head_has_no_output_schema():
    assert outputs(answer("200", media(JSON, OBJECT)), method="HEAD") is None


def test_an_output_schema_over_its_budget_loses_examples_then_is_left_out():
    limits = SchemaLimits(output_bytes=2_000)
    made = catalog(
        operation(responses=(answer("200", media(JSON, {"$ref": "#/$defs/Examples"})),)),
        response_schemas=BIG,
        limits=limits,
    )
    assert made.tools["get_pets"].output is not None
    made = catalog(
        operation(responses=(answer("200", media(JSON, {"$ref": "#/$defs/Deep"})),)),
        response_schemas=BIG,
        limits=limits,
    )
    assert (made.tools["get_pets"].output, kinds(made)) == (None, ["output_dropped"])


def test_choices_that_double_at_every_step_are_followed_once_each():
    named = {
        f"S{n}": schema({"anyOf": [{"$ref": f"#/$defs/S{n + 1}"}, {"$ref": f"#/$defs/S{n + 1}"}]}) for n in range(40)
    }
    named["S40"] = schema(OBJECT)
    given = outputs(answer("200", media(JSON, {"$ref": "#/$defs/S0"})), response_schemas=named)
    assert (given["type"], given["$ref"], len(given["$defs"])) == ("object", "#/$defs/S0", 41)


def test_a_choice_that_leads_to_itself_is_not_taken_for_an_object():
    named = schemas(Loop={"anyOf": [{"$ref": "#/$defs/Loop"}, OBJECT]})
    made = tool(operation(responses=(answer("200", media(JSON, {"$ref": "#/$defs/Loop"})),)), response_schemas=named)
    assert made.output.wrapped


@pytest.mark.parametrize(
    ("response_filter", "others"),
    [(True, [{"required": ["filtered"]}, {"required": ["undocumented"]}]), (False, [{"required": ["undocumented"]}])],
)
def test_filtered_and_undocumented_answers_are_promised_beside_the_documented_one(response_filter, others):
    named = schemas(Pet={"oneOf": [OBJECT, OBJECT]})
    responses = (answer("200", media(JSON, {"$ref": "#/$defs/Pet"})),)
    made = tool(operation(responses=responses), response_schemas=named, response_filter=response_filter)
    assert msgspec.json.decode(made.output.schema) == {
        "type": "object",
        "anyOf": [{"type": "object", "$ref": "#/$defs/Pet"}, *others],
        "$defs": {"Pet": {"oneOf": [OBJECT, OBJECT]}},
    }


def promised(value, **definitions):
    made = tool(operation(responses=(answer("200", media(JSON, value)),)), response_schemas=schemas(**definitions))
    return msgspec.json.decode(made.output.schema)


UNDOCUMENTED = {"required": ["undocumented"]}
AGE = {"age": {"type": "integer"}}


@pytest.mark.parametrize(
    ("value", "root"),
    [
        ({"type": "object", "properties": AGE}, {"properties": AGE}),
        ({"type": ["object", "null"], "properties": AGE}, {"properties": AGE}),
        ({"properties": AGE, "required": []}, {"properties": AGE}),
        (
            {"type": "object", "properties": AGE, "required": ["age"]},
            {"properties": AGE, "anyOf": [{"required": ["age"]}, UNDOCUMENTED]},
        ),
        ({"type": "object", "properties": AGE, "additionalProperties": False}, {"properties": AGE}),
        ({"type": "object", "properties": AGE, "title": "A", "description": "An age."},
         {"properties": AGE, "title": "A", "description": "An age."}),
    ],
)  # fmt: skip
def test_the_properties_of_an_object_are_at_the_root_where_clients_look_for_them(value, root):
    assert promised(value) == {"type": "object", **root}


def test_an_object_behind_a_reference_is_told_at_the_root():
    pet = {"type": "object", "properties": {"owner": {"$ref": "#/$defs/Owner"}}}
    assert promised({"$ref": "#/$defs/Pet"}, Pet=pet, Owner=OBJECT) == {**pet, "$defs": {"Owner": OBJECT}}


@pytest.mark.parametrize(
    "pet",
    [
        pytest.param({"type": "object", "properties": {"mother": {"$ref": "#/$defs/Pet"}}}, id="leads to itself"),
        pytest.param({"type": "object", "properties": AGE, "additionalProperties": {"type": "integer"}}, id="a map"),
        pytest.param({"type": "object", "properties": AGE, "minProperties": 1}, id="another keyword"),
        pytest.param({"type": "object", "properties": {"undocumented": {"type": "integer"}}}, id="the same name"),
        pytest.param({"type": "object", "properties": {"_note": {"type": "integer"}}}, id="the name of notes"),
    ],
)
def test_an_object_that_is_more_than_its_properties_is_one_of_the_alternatives(pet):
    assert promised({"$ref": "#/$defs/Pet"}, Pet=pet) == {
        "type": "object",
        "anyOf": [{"type": "object", "$ref": "#/$defs/Pet"}, UNDOCUMENTED],
        "$defs": {"Pet": pet},
    }


def test_what_is_an_object_or_something_else_goes_under_result_with_its_properties():
    either = {"type": ["object", "string"], "properties": AGE}
    assert promised(either) == {
        "type": "object",
        "properties": {"result": either},
        "x-fastmcp-wrap-result": True,
        "anyOf": [{"required": ["result"]}, UNDOCUMENTED],
    }
