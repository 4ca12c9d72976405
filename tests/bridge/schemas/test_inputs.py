"""A tool's arguments: what the model is told of them, and that it fits into a budget."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import msgspec
import pytest

from descriptions import (
    BIG,
    FORM,
    JSON,
    MULTIPART,
    OBJECT,
    answer,
    body,
    catalog,
    inputs,
    kinds,
    media,
    operation,
    parameter,
    reasons,
    schemas,
    told,
    tool,
    wide,
)
from openapi_mcp_server.bridge.model import CheckedSchema, Tool, ToolCatalog
from openapi_mcp_server.bridge.request import build
from openapi_mcp_server.bridge.schemas.edits import LEFT_OUT
from openapi_mcp_server.bridge.tools.api import SchemaLimits
from openapi_mcp_server.errors import ArgumentError
from openapi_mcp_server.settings.auth import AuthShape, Identity

# Arguments


def test_the_input_schema_is_an_object_of_the_arguments():
    given = inputs(
        operation(path="/{id}", parameters=(parameter("id", "path"), parameter("limit", description="At most.")))
    )
    assert given == {
        "type": "object",
        "properties": {"id": {"type": "string"}, "limit": {"type": "string", "description": "At most."}},
        "required": ["id"],
    }


def test_an_operation_without_arguments_takes_none():
    assert inputs(operation()) == {"type": "object", "properties": {}}


@pytest.mark.parametrize(
    ("value", "fields", "expected"),
    [
        pytest.param({"type": "string", "description": "S"}, {}, {"type": "string", "description": "S"}, id="schema's"),
        pytest.param(
            {"type": "string", "description": "S"},
            {"description": "P"},
            {"type": "string", "description": "P"},
            id="the parameter's comes first",
        ),
        pytest.param({}, {"description": "P"}, {"description": "P"}, id="empty schema"),
        pytest.param(
            {"description": "<b>S</b>\n\n[more](https://e.com)", "type": "string"},
            {},
            {"description": "S more", "type": "string"},
            id="the schema's is cleaned too",
        ),
        pytest.param({"type": "string"}, {"deprecated": True}, {"type": "string", "deprecated": True}, id="deprecated"),
        pytest.param(
            {"properties": {"description": {}}},
            {"description": "P"},
            {"properties": {"description": {}}, "description": "P"},
            id="a property named description",
        ),
    ],
)
def test_an_argument_is_described_in_its_schema(value, fields, expected):
    made = operation(parameters=(parameter("a", value=value, **fields),))
    assert inputs(made)["properties"]["a"] == expected


@pytest.mark.parametrize("content_type", ["application/xml", "text/csv", "multipart/form-data"])
def test_a_parameter_of_a_type_that_only_text_can_say_is_text(content_type):
    value = {"type": "array", "items": {"$ref": "#/$defs/Row"}, "description": "Rows."}
    only = tool(
        operation(parameters=(parameter("rows", value=value, content_type=content_type),)),
        request_schemas=schemas(Row=OBJECT),
    )
    assert told(only)["properties"]["rows"] == {
        "type": "string",
        "description": f"Rows. Text in the format {content_type}.",
    }
    assert build(only, {"rows": "a,b"}).query == "rows=a%2Cb"


def test_how_xml_is_written_is_not_told():
    xml = {"name": "pet", "attribute": True}
    value = {"type": "object", "properties": {"xml": {"type": "string", "xml": xml}}, "xml": xml}
    made = operation(
        "POST", body=body(media(JSON, {"$ref": "#/$defs/Pet"}), media("application/xml", {"$ref": "#/$defs/Pet"}))
    )
    given = inputs(made, request_schemas=schemas(Pet=value))
    assert given["properties"]["xml"] == {"type": "string"}


def test_a_mapped_name_is_told_with_the_real_one():
    made = tool(operation(parameters=(parameter("filter[x]"),)))
    assert [(slot.argument, slot.name) for slot in made.slots] == [("filter_x", "filter[x]")]
    assert told(made)["properties"]["filter_x"]["description"] == "Sent as 'filter[x]'."


def test_a_parameter_and_a_property_of_one_name_are_both_arguments():
    made = tool(operation("PUT", "/{name}", parameters=(parameter("name", "path"),), body=body(media(JSON, OBJECT))))
    assert made.input.names == ("name__path", "name", "age")
    assert [(slot.argument, slot.name) for slot in made.slots] == [("name__path", "name")]
    assert made.body.properties == {"name": "name", "age": "age"}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        pytest.param({"type": "string"}, {"type": "string"}, id="text may be empty as it is"),
        pytest.param({"type": "boolean"}, {"anyOf": [{"type": "boolean"}, {"const": ""}]}, id="a flag"),
        pytest.param({"enum": ["a"]}, {"anyOf": [{"enum": ["a"]}, {"const": ""}]}, id="an enumeration"),
        pytest.param({}, {}, id="anything"),
    ],
)
def test_a_parameter_that_may_be_empty_takes_the_empty_text(value, told):
    made = operation(parameters=(parameter("a", value=value, allow_empty_value=True),))
    assert inputs(made)["properties"]["a"] == told


def test_a_parameter_that_the_credentials_fill_is_not_asked_for():
    own = (parameter("X-Key", "header", required=True), parameter("X-Key"), parameter("a"))
    auth = AuthShape(kind="api_key", api_key_name="x-key", api_key_in="header")
    made = catalog(operation(parameters=own), identity=Identity(auth=auth))
    assert [(slot.name, slot.location) for slot in made.tools["get_pets"].slots] == [("X-Key", "query"), ("a", "query")]
    assert kinds(made) == ["parameter_dropped"]


def test_an_optional_parameter_that_cannot_be_sent_is_left_out_and_noted():
    made = catalog(operation(parameters=(parameter("Host", "header"), parameter("a"))))
    assert made.tools["get_pets"].input.names == ("a",)
    assert kinds(made) == ["parameter_dropped"]


def test_a_required_parameter_that_cannot_be_sent_costs_the_operation():
    made = catalog(operation(parameters=(parameter("X-HTTP-Method-Override", "header", required=True),)))
    assert made.tools == {}
    assert made.skipped[0].operation.pointer == "#/p/X-HTTP-Method-Override"


@pytest.mark.parametrize(
    "name",
    ["Host", "content-length", "Transfer-Encoding", "Accept-Encoding", "Content-Encoding", "Connection", "Cookie"],
)
@pytest.mark.parametrize("required", [True, False])
def test_a_header_that_every_request_has_by_itself_is_left_out_and_noted(name, required):
    made = catalog(operation(parameters=(parameter(name, "header", required=required), parameter("a"))))
    assert made.tools["get_pets"].input.names == ("a",)
    assert kinds(made) == ["parameter_dropped"]


def test_a_path_parameter_that_is_not_in_the_path_is_left_out_and_noted():
    made = catalog(operation(parameters=(parameter("id", "path"),)))
    assert (made.tools["get_pets"].slots, kinds(made)) == ((), ["parameter_dropped"])


# Bodies


@pytest.mark.parametrize("name", [JSON, "application/vnd.api+json", FORM, MULTIPART])
def test_a_plain_object_becomes_arguments_beside_each_other(name):
    made = tool(operation("POST", body=body(media(name, OBJECT))))
    assert (made.body.whole, made.body.properties) == (None, {"name": "name", "age": "age"})
    assert list(made.body.writers) == [name]
    given = told(made)
    assert (given["properties"], given["required"]) == (OBJECT["properties"], ["name"])


def test_in_a_merge_patch_null_removes_what_is_not_required():
    named = schemas(Kind={"enum": ["cat"]})
    properties = {
        "name": {"type": "string"},
        "age": {"type": "integer", "minimum": 0},
        "kind": {"$ref": "#/$defs/Kind"},
        "note": {"type": ["string", "null"]},
        "any": {},
    }
    value = {"type": "object", "properties": properties, "required": ["name"]}
    made = operation("PATCH", body=body(media("application/merge-patch+json", value)))
    assert inputs(made, request_schemas=named)["properties"] == properties | {
        "age": {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}]},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "kind": {"anyOf": [{"$ref": "#/$defs/Kind"}, {"type": "null"}]},
    }


def test_a_closed_object_that_is_composed_becomes_arguments():
    value = {"allOf": [OBJECT], "unevaluatedProperties": False}
    assert inputs(operation("POST", body=body(media(JSON, value))))["properties"] == OBJECT["properties"]


@pytest.mark.parametrize("open_to", [True, {}])
def test_that_other_properties_are_taken_says_as_much_as_nothing(open_to):
    made = tool(operation("POST", body=body(media(JSON, OBJECT | {"additionalProperties": open_to}))))
    assert (made.body.whole, made.body.open) == (None, True)


def test_a_plain_object_behind_references_becomes_arguments():
    named = schemas(
        New={"allOf": [{"$ref": "#/$defs/Base"}, {"type": "object", "properties": {"kind": {"$ref": "#/$defs/Kind"}}}]},
        Base={"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]},
        Kind={"enum": ["cat", "dog"]},
    )
    made = operation("POST", body=body(media(JSON, {"$ref": "#/$defs/New"})))
    given = inputs(made, request_schemas=named)
    assert given["properties"] == {"id": {"type": "integer"}, "kind": {"$ref": "#/$defs/Kind"}}
    assert given["$defs"] == {"Kind": {"enum": ["cat", "dog"]}}


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"type": "array", "items": {"type": "string"}}, id="array"),
        pytest.param({"type": "string"}, id="scalar"),
        pytest.param({"oneOf": [OBJECT, {"type": "string"}]}, id="oneOf"),
        pytest.param(OBJECT | {"anyOf": [{"required": ["name"]}, {"required": ["age"]}]}, id="anyOf beside properties"),
        pytest.param({"type": "object", "additionalProperties": {"type": "string"}}, id="open map"),
        pytest.param(OBJECT | {"minProperties": 1}, id="constrained as a whole"),
        pytest.param({"type": "object"}, id="object of nothing known"),
    ],
)
def test_any_other_body_is_one_argument(value):
    made = tool(operation("POST", body=body(media(JSON, value))))
    assert (made.body.whole, made.body.properties, made.input.names) == ("body", {}, ("body",))
    given = told(made)
    assert (given["properties"]["body"], given["required"]) == (value, ["body"])


def test_a_plain_object_that_may_be_null_becomes_arguments():
    made = tool(operation("POST", body=body(media(JSON, OBJECT | {"type": ["object", "null"]}))))
    assert made.body.properties == {"name": "name", "age": "age"}


@pytest.mark.parametrize(("required", "sent"), [(False, None), (True, b"{}")])
def test_a_closed_empty_object_asks_for_nothing(required, sent):
    empty = {"type": "object", "properties": {}, "additionalProperties": False}
    made = tool(operation("POST", body=body(media(JSON, empty), required=required)))
    assert made.input.names == ()
    assert build(made, {}).body == sent


def test_an_optional_body_needs_none_of_its_properties():
    given = inputs(operation("POST", body=body(media(JSON, OBJECT), required=False)))
    assert "required" not in given
    assert given["properties"]["name"]["description"] == "Required if a body is sent."


def test_a_part_of_an_optional_body_is_not_sent_without_what_the_body_needs():
    made = tool(operation("POST", body=body(media(JSON, OBJECT), required=False)))
    assert build(made, {}).body is None
    assert build(made, {"name": "Mia"}).body == b'{"name":"Mia"}'
    with pytest.raises(ArgumentError, match="name: missing; it is needed as soon as a part of the body"):
        build(made, {"age": 3})


def test_a_file_in_a_form_says_how_to_give_it():
    value = {"type": "object", "properties": {"photo": {"type": "string", "format": "binary", "description": "Face."}}}
    given = inputs(operation("POST", body=body(media(MULTIPART, value))))
    assert given["properties"]["photo"]["description"].startswith("Face. Base64 text, or a data: URI")


def test_a_file_that_is_described_by_its_media_type_alone_is_text_for_a_model():
    """OpenAPI 3.1 has raw bytes without ``type``, since they are no JSON."""
    picture = {"contentMediaType": "image/png"}
    value = {"type": "object", "properties": {"photo": picture, "photos": {"type": "array", "items": picture}}}
    given = inputs(operation("POST", body=body(media(MULTIPART, value))))["properties"]
    assert [given["photo"]["type"], given["photos"]["items"]["type"]] == ["string", "string"]


def test_a_binary_body_says_how_to_give_it():
    given = inputs(operation("PUT", body=body(media("application/octet-stream"), description="The image.")))
    assert given["properties"]["body"]["type"] == "string"
    assert given["properties"]["body"]["description"].startswith("The image. Base64 text, or a data: URI")


def test_several_media_types_are_an_argument_with_json_as_the_default():
    made = tool(operation("POST", body=body(media(FORM, OBJECT), media(JSON, OBJECT))))
    assert (list(made.body.writers), made.body.chooser) == ([JSON, FORM], "content_type")
    chooser = told(made)["properties"]["content_type"]
    assert (chooser["enum"], chooser["default"]) == ([JSON, FORM], JSON)


def test_the_choice_of_a_media_type_yields_to_an_argument_of_that_name():
    made = operation(
        "POST", parameters=(parameter("content_type"),), body=body(media(FORM, OBJECT), media(JSON, OBJECT))
    )
    assert tool(made).body.chooser == "content_type__body"


def test_media_types_of_different_schemas_share_one_argument():
    made = operation("POST", body=body(media(JSON, OBJECT), media("text/plain", {"type": "string"})))
    assert inputs(made)["properties"]["body"] == {"anyOf": [OBJECT, {"type": "string"}]}


def test_a_media_type_that_cannot_be_written_is_left_out_and_noted_while_others_can():
    made = catalog(operation("POST", body=body(media("not a type", OBJECT), media(JSON, OBJECT))))
    assert list(made.tools["post_pets"].body.writers) == [JSON]
    assert kinds(made) == ["body_dropped"]


def test_a_body_that_cannot_be_written_costs_the_operation():
    assert "no media type" in reasons(catalog(operation("POST", body=body(media("nonsense", OBJECT)))))[0]


# Definitions and budgets


def test_definitions_are_those_that_are_reached_recursion_included():
    named = schemas(
        Node={"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}, "leaf": {"$ref": "#/$defs/Leaf"}}},
        Leaf={"type": "string"},
        Other={"type": "integer"},
    )
    given = inputs(operation(parameters=(parameter("a", value={"$ref": "#/$defs/Node"}),)), request_schemas=named)
    assert sorted(given["$defs"]) == ["Leaf", "Node"]


def shortened(name: str) -> tuple[dict[str, Any], ToolCatalog]:
    made = catalog(
        operation(parameters=(parameter("a", value={"$ref": f"#/$defs/{name}"}),)),
        request_schemas=BIG,
        limits=SchemaLimits(input_bytes=4_000),
    )
    text = made.tools["get_pets"].input.schema
    assert len(text) <= 4_000
    jsonschema_rs.meta.validate(msgspec.json.decode(text))
    return msgspec.json.decode(text), made


def test_examples_go_first_from_a_schema_over_its_budget():
    given, made = shortened("Examples")
    assert given["$defs"]["Examples"]["properties"]["p0"] == {"type": "string"}
    assert made.apis[0].notes[0].message.endswith("left out: examples")


def test_long_descriptions_go_next():
    given, made = shortened("Prose")
    prose = given["$defs"]["Prose"]["properties"]["p0"]["description"]
    assert (len(prose) <= 120, prose[-1]) == (True, "…")
    assert made.apis[0].notes[0].message.endswith("left out: examples and long descriptions")


def test_the_deepest_definitions_become_open_values_that_say_so():
    given, made = shortened("Deep")
    assert given["$defs"]["Near"] == msgspec.json.decode(BIG["Near"].json)
    assert given["$defs"]["Far"] == {"type": "object", "description": LEFT_OUT}
    assert kinds(made) == ["input_shortened"]


def test_a_schema_is_never_a_byte_over_its_budget():
    made = operation(parameters=(parameter("a", value={"$ref": "#/$defs/Deep"}),))
    whole = len(msgspec.json.encode(inputs(made, request_schemas=BIG)))
    for size in range(whole - 30, whole + 30):
        told_in = inputs(made, request_schemas=BIG, limits=SchemaLimits(input_bytes=size))
        assert len(msgspec.json.encode(told_in)) <= size


def test_a_schema_that_leads_to_itself_keeps_its_nearest_levels_at_every_budget():
    """What stands in place of a cycle is longer than the reference, by which a full budget would be passed."""
    far = {f"Far{index}": wide(3, description=f"far {index}") for index in range(20)}
    node = {"inner": {"$ref": "#/$defs/Node"}} | {name: {"$ref": f"#/$defs/{name}"} for name in far}
    definitions = schemas(Node={"type": "object", "properties": node}, **far)
    made = operation(parameters=(parameter("a", value={"$ref": "#/$defs/Node"}, description="Where to begin."),))
    for size in range(3_800, 4_600, 5):
        given = inputs(made, request_schemas=definitions, limits=SchemaLimits(input_bytes=size))
        assert len(msgspec.json.encode(given)) <= size
        assert given["properties"]["a"] == {"$ref": "#/$defs/Node", "description": "Where to begin."}
        assert "Another Node" in given["$defs"]["Node"]["properties"]["inner"]["description"]


@pytest.mark.parametrize(
    "strict",
    [
        pytest.param({"oneOf": [{"$ref": "#/$defs/Near"}, {"$ref": "#/$defs/Far"}]}, id="oneOf"),
        pytest.param({"anyOf": [{}], "oneOf": [{"$ref": "#/$defs/Near"}, {"$ref": "#/$defs/Far"}]}, id="beside anyOf"),
        pytest.param({"not": {"required": ["p1"], "$ref": "#/$defs/Far"}}, id="not"),
        pytest.param({"if": {"$ref": "#/$defs/Far"}, "then": {"required": ["p1"]}}, id="if"),
        pytest.param({"allOf": [{"$ref": "#/$defs/Far"}], "unevaluatedProperties": False}, id="unevaluated"),
    ],
)
def test_what_fits_the_whole_schema_fits_the_shortened_one(strict):
    named = schemas(
        Near={"type": "object", "properties": {"p0": {"type": "string"}}, "required": ["p0"]},
        Far=wide(300) | {"required": ["p1"]},
    )
    given = operation(parameters=(parameter("a", value=strict),))
    short, whole = (
        tool(given, request_schemas=named, limits=SchemaLimits(input_bytes=size)) for size in (2_000, 32_000)
    )
    assert len(short.input.schema) <= 2_000 < len(whole.input.schema)
    fitting = [value for value in ({"p0": "x"}, {"p1": "x"}) if fits(whole, value)]
    assert fitting
    assert all(fits(short, value) for value in fitting)


def fits(made: Tool, value: object) -> bool:
    return jsonschema_rs.is_valid(told(made), {"a": value})


def test_a_deep_schema_without_names_keeps_its_nearest_levels():
    value = {"type": "object", "properties": {"near": {"type": "object", "properties": {"far": wide(200)}}}}
    given = msgspec.json.decode(
        tool(operation(parameters=(parameter("a", value=value),)), limits=SchemaLimits(input_bytes=2_000)).input.schema
    )
    assert given["properties"]["a"]["properties"]["near"]["properties"]["far"] == {
        "type": "object",
        "description": LEFT_OUT,
    }


def test_far_too_many_arguments_keep_their_types():
    parameters = tuple(parameter(f"a{index}", description="word " * 50) for index in range(100))
    made = tool(operation(parameters=parameters), limits=SchemaLimits(input_bytes=4_000))
    assert told(made)["properties"]["a0"] == {"type": "string"}


def test_arguments_that_do_not_fit_by_name_cost_the_operation():
    made = catalog(
        operation(parameters=tuple(parameter(f"a{index}") for index in range(100))),
        limits=SchemaLimits(input_bytes=500),
    )
    assert reasons(made) == ["100 arguments are over the limit by their names alone"]


def test_a_body_of_very_many_properties_is_one_argument():
    assert tool(operation("POST", body=body(media(JSON, wide(300))))).body.whole == "body"


def test_of_very_many_media_types_the_preferred_are_offered():
    made = catalog(operation("POST", body=body(*(media(f"text/x{index}") for index in range(50)), media(JSON, OBJECT))))
    assert list(made.tools["post_pets"].body.writers) == [JSON, *(f"text/x{index}" for index in range(15))]
    assert kinds(made) == ["body_dropped"]


def test_a_choice_of_media_types_survives_every_shortening():
    parameters = tuple(parameter(f"a{index}", description="word " * 50) for index in range(100))
    writable = body(media(JSON, OBJECT), media(FORM, OBJECT))
    made = tool(operation("POST", parameters=parameters, body=writable), limits=SchemaLimits(input_bytes=4_000))
    chooser = told(made)["properties"]["content_type"]
    assert chooser == {"type": "string", "enum": [JSON, FORM]}


def test_a_property_named_example_is_no_example():
    value = {"type": "object", "properties": {"example": {"type": "string", "example": "x" * 3_000}}}
    made = tool(operation(parameters=(parameter("a", value=value),)), limits=SchemaLimits(input_bytes=1_000))
    given = told(made)
    assert given["properties"]["a"]["properties"] == {"example": {"type": "string"}}


def test_invisible_characters_leave_the_prose_of_a_schema_and_are_spelt_in_its_values():
    value = {"type": "string", "description": "a\u202eb", "enum": ["x\u200by"]}
    given = inputs(operation(parameters=(parameter("a", value=value),)))
    assert given["properties"]["a"] == {"type": "string", "description": r'ab One of "x\u200by".'}


def test_a_name_of_a_megabyte_makes_a_short_argument():
    made = tool(operation(parameters=(parameter("$" * 1_000_000),)))
    assert (len(made.input.names[0]) <= 64, len(made.entry) < 1_000) == (True, True)


# The filter for answers


def offered(*responses, method="GET", **fields):
    return tool(operation(method, responses=responses, **fields), response_filter=True)


@pytest.mark.parametrize(
    ("made", "is_offered"),
    [
        (lambda: offered(answer("200", media(JSON, OBJECT))), True),
        (lambda: offered(answer("200", media("application/problem+json"), media("text/csv"))), True),
        (lambda: offered(answer("200", media("text/csv"))), False),
        (lambda: offered(answer("204")), False),
        (lambda: offered(answer("200", media(JSON)), method="HEAD"), False),
        (lambda: offered(answer("404", media(JSON))), False),
        (lambda: tool(operation(responses=(answer("200", media(JSON)),))), False),
    ],
    ids=["JSON", "JSON among others", "text", "nothing", "HEAD", "only as an error", "turned off"],
)
def test_a_filter_is_offered_where_an_answer_is_json(made, is_offered):
    made = made()
    assert made.filterable is is_offered
    assert ("response_filter" in told(made)["properties"]) is is_offered


def test_an_argument_of_the_operations_own_of_that_name_stays_what_it_is():
    own = parameter("response_filter", value={"type": "integer"})
    made = offered(answer("200", media(JSON, OBJECT)), parameters=(own,))
    assert not made.filterable
    assert told(made)["properties"] == {"response_filter": {"type": "integer"}}
    assert {"required": ["filtered"]} not in msgspec.json.decode(made.output.schema)["anyOf"]


@pytest.mark.parametrize("name", ["application/jwt", "application/secevent+jwt; charset=utf-8"])
def test_a_signed_token_is_text_whatever_its_schema_says_of_what_is_in_it(name):
    made = tool(operation("POST", body=body(media(name, OBJECT))))
    assert told(made)["properties"] == {"body": {"type": "string"}}
    assert build(made, {"body": "a.b.c"}).body == b"a.b.c"


@pytest.mark.parametrize("definitions", [(), (b'"A":{}',), (b'"A":{}', b'"B":{"type":"string"}')])
def test_the_size_of_a_schema_in_pieces_is_that_of_the_whole(definitions):
    schema = CheckedSchema(b'{"type":"object"', definitions, b"}")
    assert len(schema) == len(schema.whole)
    assert list(msgspec.json.decode(schema.whole).get("$defs", {})) == ["A", "B"][: len(definitions)]


def test_tools_share_the_definitions_that_their_arguments_are_checked_by():
    value = {"$ref": "#/$defs/Near"}
    given = [operation(path=path, parameters=(parameter("a", value=value),)) for path in ("/a", "/b")]
    [[one], [other]] = [
        each.input.checked.definitions for each in catalog(*given, request_schemas=schemas(Near={})).tools.values()
    ]
    assert one is other
