"""The OpenAPI document of what a caller may call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from descriptions import JSON, OBJECT, answer, body, catalog, media, operation, parameter, schemas
from openapi_mcp_server.bridge.catalog import ApiSource, build
from openapi_mcp_server.bridge.model import ToolCatalog
from openapi_mcp_server.bridge.origins import base_url
from openapi_mcp_server.bridge.search.document import DOCUMENT_BYTES, document, with_document
from openapi_mcp_server.bridge.tools import overrides
from openapi_mcp_server.openapi.operations import describe
from openapi_mcp_server.openapi.text.document import parse
from search_questions import catalogs

GET_PET = operation(
    "GET",
    "/pets/{id}",
    operation_id="getPet",
    summary="Get a pet",
    tags=("pets",),
    parameters=(parameter("id", "path"), parameter("X-Trace", "header"), parameter("kind", required=True)),
    responses=(answer("200", media(JSON, {"$ref": "#/$defs/Pet"})),),
)
MAKE_PET = operation("POST", operation_id="makePet", body=body(media(JSON, {"$ref": "#/$defs/Pet"})), deprecated=True)
LIST_PETS = operation(
    operation_id="listPets",
    responses=(answer("200", media(JSON, {"type": "array", "items": {"$ref": "#/$defs/Pet"}})),),
)
PET = {"type": "object", "properties": {"owner": {"$ref": "#/$defs/Owner"}}}
NAMED = {
    "request_schemas": schemas(
        Pet={"type": "object", "properties": {"owner": {"$ref": "#/$defs/Owner"}}}, Owner=OBJECT
    ),
    "response_schemas": schemas(
        Pet={"type": "object", "properties": {"owner": {"$ref": "#/$defs/Owner"}}},
        Owner={**OBJECT, "properties": {**OBJECT["properties"], "born": {"type": "string"}}},
    ),
}


def made(tools: ToolCatalog, *names: str) -> Any:
    return msgspec.json.decode(document(tools.apis[0], [tools.tools[name] for name in names or tools.tools]))


def references(value: Any) -> set[str]:
    match value:
        case {"$ref": str(target)}:
            return {target}
        case dict():
            return {each for inner in value.values() for each in references(inner)}
        case list():
            return {each for inner in value for each in references(inner)}
        case _:
            return set()


def test_an_operation_is_told_as_its_tool_takes_it() -> None:
    told = made(catalog(GET_PET, MAKE_PET, **NAMED))
    got = told["paths"]["/pets/{id}"]["get"]
    assert (got["operationId"], got["summary"], got["tags"]) == ("getPet", "Get a pet", ["pets"])
    assert [(each["name"], each["in"], each.get("required", False)) for each in got["parameters"]] == [
        ("id", "path", True), ("X-Trace", "header", False), ("kind", "query", True),
    ]  # fmt: skip
    posted = told["paths"]["/pets"]["post"]
    assert posted["deprecated"] is True
    assert posted["requestBody"]["required"] is True
    assert "owner" in posted["requestBody"]["content"][JSON]["schema"]["properties"]


def test_no_address_and_no_credential_is_in_it() -> None:
    told = made(catalog(GET_PET, **NAMED))
    assert "servers" not in told
    assert "example.com" not in str(told)
    assert "securitySchemes" not in told.get("components", {})


def test_only_what_is_offered_and_what_it_refers_to_is_in_it() -> None:
    tools = catalog(GET_PET, MAKE_PET, LIST_PETS, **NAMED)
    told = made(tools, "makePet")
    assert [*told["paths"]] == ["/pets"]
    assert [*told["paths"]["/pets"]] == ["post"]
    assert "born" not in str(told)


def test_a_name_that_means_two_things_is_two_components() -> None:
    told = made(catalog(GET_PET, MAKE_PET, **NAMED))
    found = told["components"]["schemas"]
    assert "born" in str(found["Owner"]) or "born" in str(found["Owner_2"])
    assert found["Owner"] != found["Owner_2"]
    assert references(told) <= {f"#/components/schemas/{name}" for name in found}


def test_a_list_that_a_tool_wraps_is_told_as_the_api_answers_it() -> None:
    told = made(catalog(LIST_PETS, **NAMED))
    schema = told["paths"]["/pets"]["get"]["responses"]["2XX"]["content"][JSON]["schema"]
    assert "array" in schema["type"]


def test_what_an_override_fixes_or_hides_is_not_in_it() -> None:
    entries = overrides.read(b"getPet: {arguments: {kind: {value: cat}, X-Trace: {hidden: true}}}")
    told = made(catalog(GET_PET, **NAMED, overrides=entries))
    assert [each["name"] for each in told["paths"]["/pets/{id}"]["get"]["parameters"]] == ["id"]


@pytest.mark.parametrize(("method", "place"), [("QUERY", "query"), ("LINK", "additionalOperations")])
def test_every_method_has_a_place(method: str, place: str) -> None:
    told = made(catalog(operation(method, operation_id="other")))
    assert place in told["paths"]["/pets"]


def test_a_large_document_is_none() -> None:
    few = catalog(GET_PET, **NAMED)
    assert with_document(few.apis, few.tools) == ["pets"]
    many = catalog(*(operation(path=f"/p{number}") for number in range(DOCUMENT_BYTES // 500)))
    assert with_document(many.apis, many.tools) == []


@pytest.mark.parametrize("name", ["moby__api__docs__v1.29.yaml", "guru__apache.org__airflow", "guru__anchore.io"])
def test_the_tools_made_of_it_are_the_same_again(specs_dir: Path, name: str) -> None:
    [(_, tools)] = catalogs(specs_dir, [name])
    text = document(tools.apis[0], tools.tools.values())
    source = ApiSource(name="api", base=base_url("https://api.example.com"), description=describe(parse(text.encode())))
    again = build([source]).tools
    assert {name: set(tool.input.names) for name, tool in again.items()} == {
        name: set(tool.input.names) for name, tool in tools.tools.items()
    }
