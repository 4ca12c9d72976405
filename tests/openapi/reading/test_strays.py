"""Objects of one kind where another belongs: told at the operation, taken for what can only be meant."""

from __future__ import annotations

from typing import Any

import pytest

from documents import described, notes, of_operation, the_operation, value

PET = {"type": "object", "properties": {"a": {"type": "integer"}}}
JSON = {"application/json": {"schema": PET}}
COMPONENTS = {
    "schemas": {"Pet": PET},
    "parameters": {"P": {"name": "x", "in": "query", "schema": {"type": "string"}}},
    "requestBodies": {"B": {"content": JSON}},
    "responses": {"R": {"description": "ok", "content": JSON}},
    "headers": {"H": {"schema": {"type": "string"}}},
}
GET = "#/paths/~1x/get"


def to(section: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{section}/{name}"}


@pytest.mark.parametrize("dialect", ["3.0", "3.1", "3.2"])
@pytest.mark.parametrize(
    ("body", "told"),
    [
        (to("schemas", "Pet"), "refers to the schema #/components/schemas/Pet, which is no request body; JSON of"),
        ({"schema": PET}, "describes a schema and no media type; JSON of that schema was taken"),
        ({"schema": to("schemas", "Pet")}, "describes a schema and no media type; JSON of that schema was taken"),
        (PET, "describes a schema and no media type; JSON of that schema was taken"),
        ({"content": {"application/json": to("schemas", "Pet")}}, "is a schema where a media type belongs"),
        ({"content": {"application/json": PET}}, "is a schema where a media type belongs"),
    ],
)
def test_a_schema_where_a_body_or_a_media_type_belongs_is_the_bodys(dialect: Any, body: Any, told: str) -> None:
    description = of_operation({"requestBody": body}, dialect=dialect, components=COMPONENTS)
    (media,) = the_operation(description).body.media
    found = value(media.schema)
    if "$ref" in found:
        found = value(description.request_schemas[found["$ref"].rpartition("/")[2]])
    assert (media.name, found["properties"]["a"]["type"]) == ("application/json", "integer")
    assert [note.message for note in description.notes if note.message.startswith(told)]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "the body has no media type; none is sent"),
        ({"required": True}, "the body has no media type; none is sent"),
        ({"content": {}}, "the body has no media type; none is sent"),
        (to("responses", "R2"), "refers to the response #/components/responses/R2, which is no request body; none"),
    ],
)
def test_a_body_that_says_nothing_is_noted_at_its_operation(body: Any, told: str) -> None:
    components = {**COMPONENTS, "responses": {"R2": {"description": "ok"}}}
    description = of_operation({"requestBody": body}, components=components)
    assert the_operation(description).body is None
    assert [(note.pointer, note.message.startswith(told)) for note in description.notes] == [
        (f"{GET}/requestBody", True)
    ]


@pytest.mark.parametrize(("section", "name"), [("schemas", "Pet"), ("responses", "R"), ("headers", "H")])
def test_a_parameter_that_is_none_costs_its_operation_by_its_own_place(section: str, name: str) -> None:
    description = of_operation({"parameters": [to(section, name)]}, components=COMPONENTS)
    (skipped,) = description.skipped
    assert skipped.pointer == f"{GET}/parameters/0"
    assert f"#/components/{section}/{name}, which is no parameter" in skipped.reason


@pytest.mark.parametrize("section", ["schemas", "requestBodies", "parameters"])
def test_a_response_that_is_none_costs_itself_only(section: str) -> None:
    name = next(iter(COMPONENTS[section]))
    description = of_operation({"responses": {"200": to(section, name)}}, components=COMPONENTS)
    assert the_operation(description).responses == ()
    assert notes(description) == [("response_dropped", f"{GET}/responses/200")]


def test_a_path_item_that_is_none_is_skipped_by_its_own_place() -> None:
    description = described({"/x": to("schemas", "Pet")}, components=COMPONENTS)
    (skipped,) = description.skipped
    assert (skipped.pointer, "which is no path item" in skipped.reason) == ("#/paths/~1x", True)


@pytest.mark.parametrize("where", ["definitions", "responses"])
def test_swagger_2_is_told_likewise(where: str) -> None:
    root = {"definitions": {"Pet": PET}, "responses": {"Pet": {"description": "ok"}}}
    stray = {"$ref": f"#/{where}/Pet"}
    description = of_operation({"parameters": [stray]}, dialect="2.0", **root)
    assert f"#/{where}/Pet, which is no parameter" in description.skipped[0].reason


def test_a_reference_into_the_middle_of_the_document_is_taken_at_its_word() -> None:
    there = {"$ref": "#/paths/~1y/get/parameters/0"}
    paths = {
        "/x": {"get": {"parameters": [there], "responses": {}}},
        "/y": {"get": {"parameters": [COMPONENTS["parameters"]["P"]], "responses": {}}},
    }
    description = described(paths)
    assert [parameter.name for operation in description.operations for parameter in operation.parameters] == ["x", "x"]
