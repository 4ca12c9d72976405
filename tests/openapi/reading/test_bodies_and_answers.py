"""Request bodies and answers of OpenAPI 3.x by media type."""

from __future__ import annotations

from typing import Any

import pytest

from documents import described, notes, of_operation, the_operation, value
from openapi_mcp_server.openapi.model import ApiDescription

GET = "#/paths/~1x/get"


# Bodies


def of_body(body: Any, **root: Any) -> ApiDescription:
    return of_operation({"requestBody": body}, **root)


def test_a_body_has_its_media_types_as_written():
    description = of_body(
        {
            "required": True,
            "description": "d",
            "content": {
                "application/json; charset=utf-8": {"schema": {"type": "object"}},
                "text/*": {},
            },
        }
    )
    body = the_operation(description).body
    assert body is not None
    assert (body.pointer, body.required, body.description) == (f"{GET}/requestBody", True, "d")
    assert [(media.name, media.schema and value(media.schema)) for media in body.media] == [
        ("application/json; charset=utf-8", {"type": "object"}),
        ("text/*", None),
    ]
    assert body.media[1].pointer == f"{GET}/requestBody/content/text~1*"


@pytest.mark.parametrize("body", [{}, {"content": {}}, {"required": True}])
def test_a_body_without_a_media_type_is_none_and_noted(body):
    description = of_body(body)
    assert the_operation(description).body is None
    assert notes(description) == [("body_dropped", f"{GET}/requestBody")]


def test_a_key_of_yaml_without_a_value_is_an_object_without_anything():
    """``application/pdf:`` is null in YAML."""
    parts = {"schema": {}, "encoding": {"a": None, "b": {"headers": {"X-Part": None}}}}
    description = of_operation(
        {
            "parameters": [
                {"name": place, "in": place, "content": {"application/json": None}} for place in ("query", "header")
            ],
            "requestBody": {"content": {"application/json": None, "text/plain": {}, "multipart/form-data": parts}},
            "responses": {"200": {"description": "ok", "content": {"application/pdf": None}}, "204": None},
        }
    )
    operation = the_operation(description)
    assert operation.body is not None
    assert [(each.content_type, value(each.schema)) for each in operation.parameters] == [("application/json", {})] * 2
    *media, form = operation.body.media
    assert [(each.name, each.schema) for each in media] == [("application/json", None), ("text/plain", None)]
    assert [header.name for header in form.encoding["b"].headers] == ["X-Part"]
    assert [(each.status, [media.name for media in each.media]) for each in operation.responses] == [
        ("200", ["application/pdf"]),
        ("204", []),
    ]
    assert [(kind, pointer.rpartition("/")[2]) for kind, pointer in notes(description)] == [
        ("parameter_repaired", "X-Part")  # it has neither a schema nor content
    ]


def test_an_encoding_is_read_and_silence_stays_silence():
    encoding = {
        "a": {"contentType": "image/png", "style": "deepObject", "explode": True, "allowReserved": True},
        "b": {},
        "c": {"headers": {"X-Part": {"schema": {"const": 1}}, "Content-Type": {"schema": {}}}, "style": "odd"},
    }
    description = of_body({"content": {"multipart/form-data": {"schema": {}, "encoding": encoding}}})
    body = the_operation(description).body
    assert body is not None
    a, b, c = body.media[0].encoding.values()
    assert (a.content_type, a.style, a.explode, a.allow_reserved) == ("image/png", "deepObject", True, True)
    assert (b.content_type, b.style, b.explode, b.allow_reserved, b.headers) == (None, None, None, False, ())
    assert [(header.name, header.location, value(header.schema)) for header in c.headers] == [
        ("X-Part", "header", {"const": 1})
    ]
    assert c.style == "form"
    assert [kind for kind, _ in notes(description)] == ["parameter_repaired"]


def test_an_item_schema_of_3_2_describes_a_stream():
    content = {"application/jsonl": {"itemSchema": {"type": "object"}}}
    operation = the_operation(
        of_operation({"requestBody": {"content": content}, "responses": {"200": {"content": content}}}, dialect="3.2")
    )
    assert operation.body is not None
    for media in (operation.body.media[0], operation.responses[0].media[0]):
        assert media.is_stream
        assert media.schema is not None
        assert "object" in value(media.schema)["type"]


def test_media_types_of_3_2_may_be_references():
    components = {"mediaTypes": {"J": {"schema": {"type": "string"}}}}
    description = of_body(
        {"content": {"application/json": {"$ref": "#/components/mediaTypes/J"}}}, dialect="3.2", components=components
    )
    body = the_operation(description).body
    assert body is not None
    assert body.media[0].pointer == "#/components/mediaTypes/J"
    assert body.media[0].name == "application/json"


# Answers


def test_answers_have_their_status_description_and_media_types():
    content = {"application/json": {"schema": {"type": "string"}}, "text/csv": {}}
    description = of_operation({"responses": {"200": {"description": "ok", "content": content}, "204": {}, "x-a": 1}})
    ok, empty = the_operation(description).responses
    assert (ok.status, ok.description, ok.pointer) == ("200", "ok", f"{GET}/responses/200")
    assert [media.name for media in ok.media] == ["application/json", "text/csv"]
    assert (empty.status, empty.media) == ("204", ())


@pytest.mark.parametrize(
    ("statuses", "told"),
    [
        (["200", "404"], ["200"]),
        (["2xx", "default"], ["2XX"]),
        (["404", "default"], ["default"]),
        (["200", "201", "default"], ["200", "201"]),
        (["302"], []),
    ],
)
def test_only_successes_have_schemas(statuses, told):
    answer = {"content": {"application/json": {"schema": {"type": "string"}}}}
    found = the_operation(of_operation({"responses": dict.fromkeys(statuses, answer)})).responses
    assert len(found) == len(statuses)
    assert [response.status for response in found if response.media[0].schema is not None] == told


@pytest.mark.parametrize(
    ("status", "answer", "place"),
    [
        ("200", 5, ""),
        ("200", {"content": []}, "/content"),
        ("200", {"content": {"a/b": 5}}, "/content/a~1b"),
        ("200", {"$ref": "#/missing"}, "/$ref"),
        ("200", {"$ref": "https://example.com/"}, "/$ref"),
        ("ok", {}, ""),
        ("600", {}, ""),
    ],
)
def test_an_answer_that_cannot_be_read_is_left_out_and_costs_nothing_else(status, answer, place):
    description = of_operation({"responses": {status: answer, "404": {}}})
    assert [response.status for response in the_operation(description).responses] == ["404"]
    assert notes(description) == [("response_dropped", f"{GET}/responses/{status}{place}")]


def test_an_answer_that_several_refer_to_has_the_status_of_each_and_a_schema_where_it_is_a_success():
    failed = {"$ref": "#/components/responses/Failed"}
    content = {"application/json": {"schema": {"type": "object"}}}
    paths = {
        "/x": {"get": {"responses": {"200": {}, "404": failed, "4XX": failed, "default": failed}}},
        "/y": {"get": {"responses": {"404": failed, "default": failed}}},
    }
    description = described(paths, components={"responses": {"Failed": {"description": "d", "content": content}}})
    first, second = description.operations
    told = [(each.status, each.description, bool(each.media and each.media[0].schema)) for each in first.responses]
    assert told == [("200", "", False), ("404", "d", False), ("4XX", "d", False), ("default", "d", False)]
    assert [bool(each.media[0].schema) for each in second.responses] == [False, True]


def test_a_reference_that_leads_nowhere_is_noted_wherever_it_stands():
    missing = {"$ref": "#/components/responses/Missing"}
    description = described({"/x": {"get": {"responses": {"404": missing, "500": missing}}}})
    places = [f"{GET}/responses/{status}/$ref" for status in ("404", "500")]
    assert notes(description) == [("response_dropped", place) for place in places]


def test_an_output_that_cannot_be_read_leaves_its_media_type():
    description = of_operation(
        {"responses": {"200": {"content": {"application/json": {"schema": {"items": {"$ref": "x"}}}}}}}
    )
    (media,) = the_operation(description).responses[0].media
    assert (media.name, media.schema) == ("application/json", None)
    assert [kind for kind, _ in notes(description)] == ["output_dropped"]


@pytest.mark.parametrize("dialect", ["2.0", "3.0", "3.1", "3.2"])
def test_an_answer_keeps_the_names_of_its_headers(dialect):
    headers = {"X-Next-Cursor": {"schema": {}}, "content-type": {}, "not a token": {}, "X-Other": {"$ref": "#/nowhere"}}
    description = of_operation({"responses": {"200": {"headers": headers}, "404": {"headers": None}}}, dialect=dialect)
    found = {response.status: response.headers for response in the_operation(description).responses}
    assert found == {"200": ("X-Next-Cursor", "X-Other"), "404": ()}


def test_headers_that_are_no_object_cost_nothing_but_a_note():
    description = of_operation({"responses": {"200": {"headers": ["X-A"]}}})
    assert the_operation(description).responses[0].headers == ()
    assert notes(description) == [("response_dropped", f"{GET}/responses/200/headers")]
