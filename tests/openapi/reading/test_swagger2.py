"""Swagger 2.0 to the same operations."""

from __future__ import annotations

from typing import Any

import pytest

from documents import (
    described,
    got,
    named,
    notes,
    of_operation,
    of_schemas,
    parameter,
    sent,
    skips,
    the_operation,
    value,
)
from openapi_mcp_server.openapi.model import ApiDescription, Body, Encoding, SecurityScheme

GET = "#/paths/~1x/get"
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"


def of(*parameters: Any, path: str = "/x", **operation: Any) -> ApiDescription:
    return of_operation({"parameters": list(parameters), **operation}, path=path, dialect="2.0")


def body(description: ApiDescription) -> Body:
    found = the_operation(description).body
    assert found is not None
    return found


# Where it is served


@pytest.mark.parametrize(
    ("root", "urls"),
    [
        ({"host": "a.example.com", "schemes": ["http", "https"]}, ("https://a.example.com",)),
        ({"host": "a.example.com:81", "basePath": "/v1/", "schemes": ["http"]}, ("http://a.example.com:81/v1",)),
        ({"host": "a.example.com", "basePath": "v1", "schemes": ["wss", "https"]}, ("https://a.example.com/v1",)),
        ({"host": "a.example.com", "basePath": "/"}, ("//a.example.com",)),
        ({"host": "https://a.example.com/", "schemes": ["https"]}, ("https://a.example.com",)),
        ({"host": "a.example.com", "schemes": ["HTTP", "Https"]}, ("https://a.example.com",)),
        ({"host": "a.example.com", "schemes": ["wss"]}, ()),
        ({"basePath": "/v1", "schemes": ["https"]}, ("/v1",)),
        ({"basePath": "/"}, ()),
        ({}, ()),
    ],
)
def test_host_base_path_and_schemes_are_one_url(root, urls):
    assert described({}, dialect="2.0", **root).servers == urls


@pytest.mark.parametrize(
    ("schemes", "urls"),
    [(["HTTP"], ("http://a.example.com",)), (["https", "wss"], ("https://a.example.com",)), ([], ()), (None, ())],
)
def test_an_operation_may_have_schemes_of_its_own(schemes, urls):
    description = of_operation({"schemes": schemes}, dialect="2.0", host="a.example.com", schemes=["https"])
    assert the_operation(description).servers == urls


def test_an_operation_over_web_sockets_only_is_skipped():
    assert skips(of(schemes=["ws"])) == [(f"{GET}/schemes", "is served neither over https nor over http")]


# Parameters


@pytest.mark.parametrize(
    ("location", "collection", "style", "explode"),
    [
        ("query", None, "form", False),
        ("query", "csv", "form", False),
        ("query", "ssv", "spaceDelimited", False),
        ("query", "tsv", "tsv", False),
        ("query", "pipes", "pipeDelimited", False),
        ("query", "multi", "form", True),
        ("header", None, "simple", False),
        ("header", "csv", "simple", False),
        ("path", None, "simple", False),
        ("path", "csv", "simple", False),
    ],
)
def test_collection_formats_are_styles(location, collection, style, explode):
    declared = {"name": "a", "in": location, "required": True, "type": "array", "items": {"type": "string"}}
    description = of(
        declared | ({"collectionFormat": collection} if collection else {}),
        path="/x/{a}" if location == "path" else "/x",
    )
    assert (parameter(description).style, parameter(description).explode) == (style, explode)
    assert notes(description) == []


@pytest.mark.parametrize(
    ("location", "collection"), [("path", "multi"), ("header", "multi"), ("query", "odd"), ("query", 5)]
)
def test_a_collection_format_that_its_location_cannot_have_is_csv_and_noted(location, collection):
    declared = {"name": "a", "in": location, "required": True, "type": "array", "collectionFormat": collection}
    description = of(declared, path="/x/{a}" if location == "path" else "/x")
    assert parameter(description).explode is False
    assert [kind for kind, _ in notes(description)] == ["parameter_repaired"]


NESTED = {"type": "array", "collectionFormat": "pipes", "items": {"type": "array", "items": {"type": "string"}}}


@pytest.mark.parametrize(
    ("location", "inner"), [("query", ("pipeDelimited", "form")), ("path", ("pipeDelimited", "simple"))]
)
def test_a_list_in_a_list_has_a_collection_format_of_its_own(location, inner):
    declared = {"name": "a", "in": location, "required": True, "type": "array", "items": NESTED}
    description = of(declared, path="/x/{a}" if location == "path" else "/x")
    assert parameter(description).inner == inner
    assert notes(description) == []


def test_a_list_in_a_list_cannot_repeat_the_name():
    description = of({"name": "a", "in": "query", "type": "array", "items": NESTED | {"collectionFormat": "multi"}})
    assert parameter(description).inner == ("form", "form")
    assert [kind for kind, _ in notes(description)] == ["parameter_repaired"]


@pytest.mark.parametrize("place", ["query", "path", "header", "formData"])
@pytest.mark.parametrize("schema", [NESTED, {"$ref": "#/definitions/Listed"}], ids=["own", "named"])
def test_a_schema_of_a_parameter_as_in_3_is_its_type(place, schema):
    declared = {"name": "a", "in": place, "required": True, "description": "d", "collectionFormat": "pipes"}
    path = "/x/{a}" if place == "path" else "/x"
    operations = [{"parameters": [declared | own], "consumes": [FORM]} for own in (NESTED, {"schema": schema})]
    descriptions = [of_operation(each, path=path, dialect="2.0", definitions={"Listed": NESTED}) for each in operations]
    right, mended = [
        body(each).media[0].encoding["a"] if place == "formData" else parameter(each) for each in descriptions
    ]
    assert (mended.style, mended.explode, mended.inner) == (right.style, right.explode, right.inner)
    assert [kind for kind, _ in notes(descriptions[1])] == ["parameter_repaired"]


def test_a_file_may_be_said_by_a_schema_as_in_3():
    description = of({"name": "a", "in": "formData", "description": "d", "schema": {"type": "file"}})
    (media,) = body(description).media
    assert media.name == MULTIPART
    assert sent(description)["properties"] == {"a": {"type": "string", "format": "binary", "description": "d"}}


def test_a_parameter_is_its_own_schema():
    declared = {
        "name": "a",
        "in": "query",
        "description": "d",
        "required": True,
        "allowEmptyValue": True,
        "type": "integer",
        "format": "int32",
        "minimum": 1,
        "exclusiveMinimum": True,
        "default": 5,
        "enum": [5, 6],
        "x-example": 5,
    }
    found = parameter(of(declared))
    assert value(found.schema) == {
        "type": "integer",
        "format": "int32",
        "exclusiveMinimum": 1,
        "default": 5,
        "enum": [5, 6],
        "examples": [5],
    }
    assert (found.description, found.required, found.allow_empty_value) == ("d", True, True)


def test_parameters_may_be_references():
    shared = {"limit": {"name": "limit", "in": "query", "type": "integer"}}
    description = of_operation({"parameters": [{"$ref": "#/parameters/limit"}]}, dialect="2.0", parameters=shared)
    assert parameter(description).pointer == "#/parameters/limit"


@pytest.mark.parametrize(
    ("declared", "place", "reason"),
    [
        ({"in": "query", "type": "string"}, "", "the parameter has no name"),
        ({"name": "a", "type": "string"}, "", "'in' must be one of query, header, path, formData, body, not None"),
        ({"name": "a", "in": "cookie"}, "/in", "'in' must be one of query, header, path, formData, body, not 'cookie'"),
        ({"name": "a", "in": "query", "required": "yes"}, "/required", "expected boolean, got string"),
        (
            {"$ref": "other.json#/a"},
            "/$ref",
            "refers to 'other.json#/a', outside the document; only references within it (#/…) are followed",
        ),
    ],
)
def test_a_parameter_that_cannot_be_read_skips_the_operation(declared, place, reason):
    assert skips(of(declared)) == [(f"{GET}/parameters/0{place}", reason)]


@pytest.mark.parametrize(("said", "meant"), [("Query", "query"), ("PATH", "path"), ("header ", "header")])
def test_a_place_and_a_collection_format_count_in_any_case(said, meant):
    declared = {"name": "a", "in": said, "type": "array", "items": {"type": "string"}, "collectionFormat": "Pipes"}
    description = of_operation({"parameters": [declared]}, dialect="2.0", path="/{a}" if meant == "path" else "/x")
    found = parameter(description)
    assert (found.location, found.style) == (meant, "pipeDelimited")


@pytest.mark.parametrize("said", ["Body", "formdata", " formData"])
def test_the_place_of_a_body_counts_in_any_case(said):
    declared = {"name": "a", "in": said, "type": "string", "schema": {"type": "string"}}
    assert the_operation(of(declared)).body is not None


# Bodies

BODY = {"name": "pet", "in": "body", "required": True, "description": "A pet", "schema": {"type": "object"}}


@pytest.mark.parametrize(
    ("consumes", "names"),
    [
        (None, [JSON]),
        ([], [JSON]),
        ([JSON, "application/xml"], [JSON, "application/xml"]),
        ([JSON, FORM, MULTIPART], [JSON]),
        ([FORM], [FORM]),
    ],
)
def test_a_body_has_the_media_types_that_are_consumed(consumes, names):
    found = body(of(BODY, consumes=consumes))
    assert [media.name for media in found.media] == names
    assert (found.required, found.description, found.pointer) == (True, "A pet", f"{GET}/parameters/0")
    assert {bytes(media.schema.json) for media in found.media if media.schema} == {b'{"type":"object"}'}


def test_media_types_are_the_operations_or_the_documents():
    paths = {"/a": {"post": {"parameters": [BODY]}}, "/b": {"post": {"parameters": [BODY], "consumes": ["b/b"]}}}
    description = described(paths, dialect="2.0", consumes=["a/a"])
    assert [operation.body and operation.body.media[0].name for operation in description.operations] == ["a/a", "b/b"]


FIELD = {"name": "n", "in": "formData", "type": "string", "required": True, "description": "Its name"}
FILE = {"name": "f", "in": "formData", "type": "file"}
LIST = {"name": "l", "in": "formData", "type": "array", "items": {"type": "integer"}, "collectionFormat": "pipes"}


@pytest.mark.parametrize(
    ("fields", "consumes", "names"),
    [
        ([FIELD], None, [FORM]),
        ([FIELD], [MULTIPART], [MULTIPART]),
        ([FIELD], [FORM, MULTIPART, JSON], [FORM, MULTIPART]),
        ([FIELD], ["multipart/form-data; charset=utf-8"], ["multipart/form-data; charset=utf-8"]),
        ([FIELD, FILE], None, [MULTIPART]),
        ([FILE], [FORM, MULTIPART], [MULTIPART]),
        ([FILE], [FORM], [MULTIPART]),
    ],
)
def test_form_fields_are_one_form(fields, consumes, names):
    description = of(*fields, consumes=consumes)
    assert [media.name for media in body(description).media] == names
    assert notes(description) == []


@pytest.mark.parametrize("collection", [None, "csv", "multi", "pipes", "odd"])
@pytest.mark.parametrize("consumes", [None, [FORM], [MULTIPART]])
def test_a_list_of_files_is_a_part_for_each(collection, consumes):
    field = {"name": "l", "in": "formData", "type": "array", "items": {"type": "file"}}
    description = of(field | ({"collectionFormat": collection} if collection else {}), consumes=consumes)
    (media,) = body(description).media
    assert media.schema is not None
    assert (media.name, media.encoding) == (MULTIPART, {})
    assert value(media.schema)["properties"]["l"]["items"] == {"type": "string", "format": "binary"}


def test_form_fields_keep_their_schema_text_and_collection_format():
    (media,) = body(of(FIELD, FILE, LIST)).media
    assert media.schema is not None
    assert value(media.schema) == {
        "type": "object",
        "properties": {
            "n": {"type": "string", "description": "Its name"},
            "f": {"type": "string", "format": "binary"},
            "l": {"type": "array", "items": {"type": "integer"}},
        },
        "required": ["n"],
    }
    assert media.encoding == {"l": Encoding(style="pipeDelimited", explode=False)}


def test_form_fields_that_are_consumed_as_something_else_are_a_form_and_noted():
    description = of(FIELD, consumes=[JSON])
    assert [media.name for media in body(description).media] == [FORM]
    assert notes(description) == [("parameter_repaired", GET)]


def test_a_body_beside_form_fields_skips_the_operation():
    assert skips(of(BODY, FIELD)) == [(GET, "has both a body and form fields; only one of them can be sent")]


def test_of_two_bodies_the_last_counts():
    description = of(BODY, BODY | {"name": "other", "description": "last"})
    assert body(description).description == "last"
    assert notes(description) == [("parameter_repeated", f"{GET}/parameters/1")]


# Answers


def answers(produces: Any, answer: Any, **root: Any) -> Any:
    description = of_operation({"produces": produces, "responses": {"200": answer}}, dialect="2.0", **root)
    (found,) = the_operation(description).responses
    return [(media.name, media.schema and value(media.schema)) for media in found.media]


@pytest.mark.parametrize(
    ("produces", "answer", "media"),
    [
        (None, {"schema": {"type": "string"}}, [(JSON, {"type": ["string", "null"]})]),
        (["a/a"], {"schema": {"type": "string"}}, [("a/a", {"type": ["string", "null"]})]),
        ([JSON], {"description": "nothing"}, []),
        (["image/png"], {"schema": {"type": "file"}}, [("image/png", None)]),
        (["application/zip"], {"schema": {"type": "object", "format": "file"}}, [("application/zip", None)]),
        (None, {"schema": {"type": "file"}}, [("application/octet-stream", None)]),
        (None, {"schema": {"$ref": "missing.json"}}, [(JSON, None)]),
        (None, {"schema": {"type": ["string", "null"]}}, [(JSON, {"type": ["string", "null"]})]),
        (None, {"schema": True}, [(JSON, {})]),
    ],
)
def test_an_answer_has_the_media_types_that_are_produced(produces, answer, media):
    assert answers(produces, answer) == media


def test_answers_may_be_references():
    shared = {"ok": {"description": "ok", "schema": {"type": "integer"}}}
    assert answers(None, {"$ref": "#/responses/ok"}, responses=shared) == [(JSON, {"type": ["integer", "null"]})]


@pytest.mark.parametrize(("types", "is_read"), [(250, True), (251, False)])
def test_media_types_that_all_answers_of_an_operation_have_are_bounded(types, is_read):
    """250 for each of 400 answers are 100,000."""
    responses = {str(status): {"$ref": "#/responses/R"} for status in range(200, 600)}
    produces = [f"a/x{number}" for number in range(types)]
    shared = {"R": {"description": "", "schema": {"type": "string"}}}
    description = of_operation({"responses": responses}, dialect="2.0", produces=produces, responses=shared)
    if is_read:
        assert len(the_operation(description).responses) == 400
    else:
        reason = "has 100,400 media types of answers; 100,000 are read"
        assert skips(description) == [(f"{GET}/responses", reason)]


# Schemas and security


def test_definitions_are_named_after_themselves():
    schema = {"$ref": "#/definitions/Pet"}
    description = of_schemas(
        schema, dialect="2.0", Pet={"type": "object", "x-nullable": True, "properties": {"id": {"readOnly": True}}}
    )
    assert sent(description) == got(description) == {"$ref": "#/$defs/Pet"}
    assert named(description.request_schemas) == {"Pet": {"type": ["object", "null"], "properties": {}}}


def test_security_definitions_are_schemes():
    definitions = {
        "basic": {"type": "basic"},
        "key": {"type": "apiKey", "in": "query", "name": "k"},
        "oauth": {"type": "oauth2", "flow": "application", "tokenUrl": "https://example.com"},
    }
    assert described(dialect="2.0", securityDefinitions=definitions).security_schemes == {
        "basic": SecurityScheme(name="basic", kind="http", http_scheme="basic"),
        "key": SecurityScheme(name="key", kind="apiKey", location="query", parameter="k"),
        "oauth": SecurityScheme(name="oauth", kind="oauth2"),
    }


def test_methods_of_later_versions_are_no_operations():
    assert described({"/x": {"trace": {}, "query": {}, "head": {}}}, dialect="2.0").operations[0].method == "HEAD"
