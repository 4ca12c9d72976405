"""References: where they lead, and what one that leads nowhere costs."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from documents import described, got, named, notes, of_operation, of_schemas, sent, skips, the_operation, value
from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.openapi.pointers import ROOT, child, tokens
from openapi_mcp_server.openapi.references.resolve import MAX_CHAIN, Located, References
from openapi_mcp_server.openapi.schemas.directions import definition_name
from openapi_mcp_server.openapi.text.document import Document

# JSON Pointers


@pytest.mark.parametrize(
    ("pointer", "path"),
    [
        # RFC 6901 section 6
        ("#", ()),
        ("#/foo/0", ("foo", "0")),
        ("#/", ("",)),
        ("#/a~1b", ("a/b",)),
        ("#/c%25d", ("c%d",)),
        ("#/e%5Ef", ("e^f",)),
        ("#/i%5Cj", ("i\\j",)),
        ("#/k%22l", ('k"l',)),
        ("#/%20", (" ",)),
        ("#/m~0n", ("m~n",)),
    ],
)
def test_a_pointer_is_the_path_of_the_rfc_and_back(pointer, path):
    assert tokens(pointer) == path
    assert child(ROOT, *path) == pointer


@pytest.mark.parametrize(
    "spelling",
    ["#/paths/~1pets~1{id}", "#/paths/~1pets~1%7Bid%7D", "#/paths/%7E1pets%7E1%7bid%7d", "#/%70aths/~1pets~1{id}"],
)
def test_every_spelling_of_a_pointer_leads_to_the_same_place(spelling):
    found = find({"paths": {"/pets/{id}": 1}}, spelling)
    assert found.pointer == "#/paths/~1pets~1%7Bid%7D"


@pytest.mark.parametrize("key", ["a~1b", "a%2Fb", "~", "%", "", "é", "a b", "#", "😀"])
def test_every_key_can_be_pointed_to(key):
    assert (
        msgspec.json.decode(find({"components": {"schemas": {key: 7}}}, child("#/components/schemas", key)).json) == 7
    )


def find(root: dict[str, Any], reference: str) -> Located:
    references = References(Document(json=msgspec.json.encode(root), dialect="3.1"))
    return references.find(reference, Located("#/here", msgspec.Raw()))


@pytest.mark.parametrize(
    ("reference", "problem"),
    [
        ("#/components/missing", "is not in the document"),
        ("#/list/2", "is not in the document"),
        ("#/list/01", "is not in the document"),
        ("#/list/-", "is not in the document"),
        ("#/list/" + "9" * 5000, "is not in the document"),
        ("#/text/0", "is not in the document"),
        ("#/list/~2", "not a JSON Pointer"),
        ("#anchor", "is not in the document"),
        ("#", "the document itself"),
        ("", "the document itself"),
        ("http://example.com/a.json", "outside the document"),
        ("https://example.com/a.json#/b", "outside the document"),
        ("file:///etc/passwd", "outside the document"),
        ("//host/a.json", "outside the document"),
        ("../a.yaml", "outside the document"),
        ("a.yaml#/components/schemas/A", "outside the document"),
        ("http://[::1", "outside the document"),
    ],
)
def test_a_reference_that_leads_nowhere_is_refused_with_its_place(reference, problem):
    with pytest.raises(SpecError, match=problem) as refused:
        find({"list": [1, 2], "text": "abc"}, reference)
    assert refused.value.pointer == "#/here/$ref"


@pytest.mark.parametrize("reference", ["#components/schemas/Pet", "#list/0", "#list"])
def test_a_pointer_without_its_slash_is_found_where_no_anchor_has_that_name(reference):
    root = {"components": {"schemas": {"Pet": {"type": "integer"}}}, "list": [1]}
    assert find(root, reference).pointer == f"#/{reference[1:]}"


# Reference Objects


def test_parameters_bodies_responses_and_path_items_may_be_references():
    description = described(
        {"/x": {"$ref": "#/components/pathItems/X"}},
        components={
            "pathItems": {
                "X": {
                    "post": {
                        "parameters": [{"$ref": "#/components/parameters/P"}],
                        "requestBody": {"$ref": "#/components/requestBodies/B"},
                        "responses": {"200": {"$ref": "#/components/responses/R"}},
                    }
                }
            },
            "parameters": {"P": {"name": "p", "in": "query", "schema": {"type": "integer"}}},
            "requestBodies": {"B": {"content": {"application/json": {"schema": {"type": "string"}}}}},
            "responses": {"R": {"description": "ok", "content": {"application/json": {"schema": {"type": "null"}}}}},
        },
    )
    operation = the_operation(description)
    assert operation.pointer == "#/paths/~1x/post"
    assert operation.parameters[0].pointer == "#/components/parameters/P"
    assert operation.body is not None
    assert operation.body.pointer == "#/components/requestBodies/B"
    assert [(response.status, response.pointer) for response in operation.responses] == [
        ("200", "#/components/responses/R")
    ]


@pytest.mark.parametrize(("dialect", "text"), [("3.1", "mine"), ("3.0", "theirs")])
def test_a_description_beside_a_reference_counts_since_3_1(dialect, text):
    parameter = {"name": "p", "in": "query", "schema": {}, "description": "theirs"}
    operation = {
        "parameters": [{"$ref": "#/components/parameters/P", "description": "mine", "name": "ignored"}],
        "responses": {"200": {"$ref": "#/components/responses/R", "description": "mine"}},
    }
    components = {"parameters": {"P": parameter}, "responses": {"R": {"description": "theirs"}}}
    found = the_operation(of_operation(operation, dialect=dialect, components=components))
    assert (found.parameters[0].name, found.parameters[0].description) == ("p", text)
    assert found.responses[0].description == text


def test_what_is_beside_the_reference_of_a_path_item_counts_more_than_its_target():
    description = described(
        {"/x": {"$ref": "#/components/pathItems/X", "get": {"summary": "mine"}}},
        components={"pathItems": {"X": {"get": {"summary": "theirs"}, "put": {"summary": "put"}}}},
    )
    assert {(each.method, each.summary) for each in description.operations} == {("GET", "mine"), ("PUT", "put")}


def test_a_reference_into_another_operation_is_followed():
    description = described(
        {
            "/a": {"get": {"parameters": [{"name": "p", "in": "query", "schema": {"type": "integer"}}]}},
            "/b": {"get": {"parameters": [{"$ref": "#/paths/~1a/get/parameters/0"}]}},
        }
    )
    assert [operation.parameters[0].name for operation in description.operations] == ["p", "p"]


def test_references_in_a_row_are_followed_to_the_limit_and_no_further():
    def chain(length: int) -> Any:
        links = {f"P{index}": {"$ref": f"#/components/parameters/P{index + 1}"} for index in range(length - 1)}
        last = {f"P{length - 1}": {"name": "p", "in": "query", "schema": {}}}
        operation = {"parameters": [{"$ref": "#/components/parameters/P0"}]}
        return of_operation(operation, components={"parameters": links | last})

    assert the_operation(chain(MAX_CHAIN - 1)).parameters[0].name == "p"
    ((pointer, reason),) = skips(chain(10_000))
    assert reason == "more than 100 references in a row"
    assert pointer.startswith("#/components/parameters/P")


@pytest.mark.parametrize("last", [0, 1, 2])
def test_a_circle_of_references_is_refused(last):
    links = {f"P{index}": {"$ref": f"#/components/parameters/P{index + 1}"} for index in range(2)}
    links["P2"] = {"$ref": f"#/components/parameters/P{last}"}
    operation = {"parameters": [{"$ref": "#/components/parameters/P0"}]}
    ((pointer, reason),) = skips(of_operation(operation, components={"parameters": links}))
    assert pointer == "#/components/parameters/P2/$ref"
    assert "leads back to itself" in reason


def test_a_bad_reference_costs_its_own_operation_only():
    description = described(
        {
            "/a": {"get": {"parameters": [{"$ref": "https://example.com/p.json"}]}, "put": {}},
            "/b": {"get": {}, "post": {"requestBody": {"$ref": "b.yaml"}}},
            "/c": {"$ref": "c.yaml"},
        }
    )
    assert [operation.pointer for operation in description.operations] == ["#/paths/~1a/put", "#/paths/~1b/get"]
    assert [(each.method, each.path, each.pointer) for each in description.skipped] == [
        ("GET", "/a", "#/paths/~1a/get/parameters/0/$ref"),
        ("POST", "/b", "#/paths/~1b/post/requestBody/$ref"),
        ("*", "/c", "#/paths/~1c/$ref"),
    ]


# References of schemas


def test_a_schema_is_named_after_its_component_and_carries_what_it_refers_to():
    description = of_schemas(
        {"$ref": "#/components/schemas/Pet"},
        Pet={"properties": {"tag": {"$ref": "#/components/schemas/a.B-c_1"}}},
        **{"a.B-c_1": {"type": "string"}},
    )
    assert sent(description) == {"$ref": "#/$defs/Pet"}
    assert named(description.request_schemas) == {
        "Pet": {"type": "object", "properties": {"tag": {"$ref": "#/$defs/a.B-c_1"}}},
        "a.B-c_1": {"type": "string"},
    }
    assert description.request_schemas["Pet"].refs == ("a.B-c_1",)


def test_only_what_operations_reach_is_converted():
    description = of_schemas({"$ref": "#/components/schemas/A"}, A={"type": "string"}, B={"type": "string"})
    assert list(description.request_schemas) == ["A"]
    assert list(description.response_schemas) == ["A"]


@pytest.mark.parametrize(
    "reference",
    [
        "#/components/schemas/Tag/allOf/0",
        "#/components/schemas/Tag/properties/a~1b",
        "#/components/schemas/with%20space",
        "#/components/schemas/Tag-0123456789",
        "#/paths/~1x/post/requestBody/content/application~1json/schema/properties/p",
        "#/x-schemas/Tag",
    ],
)
def test_a_schema_anywhere_in_the_document_has_a_legal_name_of_its_own(reference):
    leaf = {"type": "string", "title": reference}
    tree: dict[str, Any] = {
        "Tag": {"allOf": [leaf], "properties": {"a/b": leaf}},
        "with space": leaf,
        "Tag-0123456789": leaf,
    }
    description = described(
        {
            "/x": {
                "post": {
                    "requestBody": {
                        "content": {
                            "application/json": {
                                "schema": {"properties": {"p": leaf, "q": {"$ref": reference}}},
                            }
                        }
                    }
                }
            }
        },
        components={"schemas": tree},
        **{"x-schemas": {"Tag": leaf}},
    )
    ((name, found),) = named(description.request_schemas).items()
    assert found == leaf
    assert sent(description)["properties"]["q"] == {"$ref": f"#/$defs/{name}"}
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


def test_names_of_definitions_do_not_collide():
    home = "#/components/schemas"
    places = ["A", "A/allOf/0", "A.allOf.0", "A%20B", "A_B", "A~1B", "schemas.A.allOf-0123456789"]
    names = [definition_name(f"{home}/{place}", home) for place in places]
    names += [definition_name("#/definitions/A", home), definition_name("#/x/A", home)]
    assert len(set(names)) == len(names)
    # not even with a component that is named like the hash of another place
    hashed = definition_name(f"{home}/A/allOf/0", home)
    assert definition_name(f"{home}/{hashed}", home) != hashed


def test_a_schema_that_is_only_a_reference_is_skipped_over():
    description = of_schemas(
        {"$ref": "#/components/schemas/A"},
        A={"$ref": "#/components/schemas/B"},
        B={"$ref": "#/components/schemas/C"},
        C={"type": "integer"},
    )
    assert sent(description) == {"$ref": "#/$defs/C"}
    assert list(description.request_schemas) == ["C"]


def test_recursive_schemas_stay_recursive():
    tree = {"type": "object", "properties": {"left": {"$ref": "#/components/schemas/Tree"}}}
    description = of_schemas({"$ref": "#/components/schemas/Tree"}, Tree=tree)
    assert named(description.request_schemas) == {
        "Tree": {"type": "object", "properties": {"left": {"$ref": "#/$defs/Tree"}}}
    }


@pytest.mark.parametrize(("dialect", "kept"), [("3.0", {"description"}), ("3.1", {"description", "minLength"})])
def test_what_is_beside_the_reference_of_a_schema_counts_since_3_1(dialect, kept):
    schema = {"$ref": "#/components/schemas/A", "description": "d", "minLength": 3}
    assert sent(of_schemas(schema, dialect=dialect, A={"type": "string"})).keys() == {"$ref", *kept}


def test_a_missing_schema_costs_the_request_and_only_the_output_of_an_answer():
    missing = {"$ref": "#/components/schemas/Missing"}
    description = described(
        {
            "/send": {"post": {"requestBody": {"content": {"application/json": {"schema": missing}}}}},
            "/ask": {"get": {"parameters": [{"name": "p", "in": "query", "schema": {"items": missing}}]}},
            "/get": {"get": {"responses": {"200": {"content": {"application/json": {"schema": missing}}}}}},
        }
    )
    (operation,) = description.operations
    assert operation.path == "/get"
    assert operation.responses[0].media[0].schema is None
    assert notes(description) == [
        ("output_dropped", "#/paths/~1get/get/responses/200/content/application~1json/schema/$ref")
    ]
    assert [pointer for pointer, _ in skips(description)] == [
        "#/paths/~1send/post/requestBody/content/application~1json/schema/$ref",
        "#/paths/~1ask/get/parameters/0/schema/items/$ref",
    ]


def test_a_missing_schema_costs_all_that_lead_to_it_however_far():
    schemas: dict[str, Any] = {
        "A": {"properties": {"b": {"$ref": "#/components/schemas/B"}}},
        "B": {"properties": {"a": {"$ref": "#/components/schemas/A"}, "c": {"$ref": "#/components/schemas/C"}}},
        "C": {"items": {"$ref": "elsewhere.yaml"}},
        "D": {"type": "string"},
    }
    description = described(
        {
            f"/{name}": {
                "post": {
                    "requestBody": {
                        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
                    }
                }
            }
            for name in schemas
        },
        components={"schemas": schemas},
    )
    assert [operation.path for operation in description.operations] == ["/D"]
    assert {pointer for pointer, _ in skips(description)} == {"#/components/schemas/C/items/$ref"}
    assert list(description.request_schemas) == ["D"]


# Identifiers and anchors (3.1)


@pytest.mark.parametrize("reference", ["https://example.com/schemas/pet", "https://example.com/schemas/pet#"])
def test_a_schema_is_found_by_its_identifier(reference):
    pet = {"$id": "https://example.com/schemas/pet", "type": "object"}
    assert sent(of_schemas({"$ref": reference}, Pet=pet)) == {"$ref": "#/$defs/Pet"}


def test_references_below_an_identifier_start_from_it():
    pet = {
        "$id": "https://example.com/schemas/pet",
        "$defs": {"name": {"type": "string"}, "tag": {"$anchor": "tag", "type": "integer"}},
        "properties": {
            "name": {"$ref": "#/$defs/name"},
            "tag": {"$ref": "#tag"},
            "other": {"$ref": "other"},
            "own": {"$ref": "#/components/schemas/Other"},
        },
    }
    other = {"$id": "/schemas/other", "type": "boolean"}
    base = {"$id": "https://example.com/schemas/other", "type": "boolean"}
    description = of_schemas({"$ref": "#/components/schemas/Pet"}, Pet=pet, Other=base, Relative=other)
    definitions = named(description.request_schemas)
    targets = {
        name: definitions[value["$ref"].removeprefix("#/$defs/")]["type"]
        for name, value in definitions["Pet"]["properties"].items()
    }
    assert targets == {"name": "string", "tag": "integer", "other": "boolean", "own": "boolean"}


def test_an_anchor_is_found_and_a_dynamic_reference_is_resolved_here():
    tree = {"$dynamicAnchor": "node", "properties": {"child": {"$dynamicRef": "#node"}}}
    description = of_schemas({"$ref": "#leaf"}, Tree=tree, Leaf={"$anchor": "leaf", "items": {"$ref": "#node"}})
    assert named(description.request_schemas) == {
        "Leaf": {"type": "array", "items": {"$ref": "#/$defs/Tree"}},
        "Tree": {"type": "object", "properties": {"child": {"$ref": "#/$defs/Tree"}}},
    }
    assert notes(description) == []


def test_a_dynamic_reference_without_a_dynamic_anchor_is_one_as_any_other():
    tree = {"$anchor": "node", "properties": {"child": {"$dynamicRef": "#node"}}}
    description = of_schemas({"$ref": "#node"}, Tree=tree)
    assert named(description.request_schemas)["Tree"]["properties"] == {"child": {"$ref": "#/$defs/Tree"}}
    assert notes(description) == [("reference_static", "#/components/schemas/Tree/properties/child")]


def test_a_recursive_reference_of_2019_09_means_the_schema_around_it():
    filters = {"$recursiveAnchor": True, "properties": {"any": {"items": {"$recursiveRef": "#"}}}}
    description = of_schemas({"$ref": "#/components/schemas/Filter"}, Filter=filters)
    assert named(description.request_schemas) == {
        "Filter": {
            "type": "object",
            "properties": {"any": {"type": "array", "items": {"$ref": "#/$defs/Filter"}}},
        }
    }


def test_the_document_is_known_by_its_own_uri():
    description = described(
        {"/x": {"get": {"parameters": [{"$ref": "https://example.com/api.json#/components/parameters/P"}]}}},
        dialect="3.2",
        **{"$self": "https://example.com/api.json"},
        components={"parameters": {"P": {"name": "p", "in": "query", "schema": {}}}},
    )
    assert the_operation(description).parameters[0].name == "p"


def test_definitions_inside_a_schema_are_reached_by_their_pointer():
    schema = {"$defs": {"A": {"type": "string"}}, "items": {"$ref": "#/components/schemas/S/$defs/A"}}
    description = of_schemas({"$ref": "#/components/schemas/S"}, S=schema)
    definitions = named(description.request_schemas)
    (name,) = definitions.keys() - {"S"}
    assert definitions["S"] == {"type": "array", "items": {"$ref": f"#/$defs/{name}"}}
    assert got(description) == {"$ref": "#/$defs/S"}
    assert value(description.response_schemas[name]) == {"type": ["string", "null"]}
