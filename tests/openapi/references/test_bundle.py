"""Documents in several files: which references lead where once they are one document."""

from __future__ import annotations

import posixpath
from typing import Any

import msgspec
import pytest

from documents import compiles, document, got, named, sent, sent_schema, skips, the_operation
from growth import is_linear
from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.openapi.model import ApiDescription, DialectName
from openapi_mcp_server.openapi.operations import describe
from openapi_mcp_server.openapi.references.bundle import bundle, is_needed
from openapi_mcp_server.openapi.text.document import Document

PET = {"type": "object", "properties": {"name": {"type": "string"}}}
OWNER = {"type": "object", "properties": {"pet": {"$ref": "pet.yaml"}}}


def bundled(root: dict[str, Any], files: dict[str, Any], dialect: DialectName = "3.1") -> Document:
    """The root is /api/root.yaml; ``files`` by their paths from there."""

    def read(path: str) -> bytes:
        name = posixpath.relpath(path, "/api")
        if name not in files:
            raise SpecError("", f"there is no {name}")
        return msgspec.json.encode(files[name])

    return bundle(document(dialect, **root), "/api/root.yaml", read)


def decoded(root: dict[str, Any], files: dict[str, Any], dialect: DialectName = "3.1") -> Any:
    return msgspec.json.decode(bundled(root, files, dialect).json)


def of_body(schema: Any, files: dict[str, Any], dialect: DialectName = "3.1", **schemas: Any) -> ApiDescription:
    """What becomes of one operation that sends and gets ``schema``."""
    content = {"application/json": {"schema": schema}}
    operation: dict[str, Any] = {"requestBody": {"content": content}, "responses": {"200": {"content": content}}}
    home = {"components": {"schemas": schemas}}
    if dialect == "2.0":
        operation = {"parameters": [{"name": "b", "in": "body", "schema": schema}]}
        home = {"definitions": schemas}
    return describe(bundled({"paths": {"/x": {"post": operation}}, **home}, files, dialect))


# Names


@pytest.mark.parametrize(
    ("reference", "files", "name"),
    [
        ("pet.yaml", {"pet.yaml": PET}, "pet"),
        ("./schemas/Pet.json", {"schemas/Pet.json": PET}, "Pet"),
        ("../shared/Pet.yaml#", {"../shared/Pet.yaml": PET}, "Pet"),
        ("../shared/Pet.yaml#/", {"../shared/Pet.yaml": PET}, "Pet"),
        ("my%20pet.yaml", {"my pet.yaml": PET}, "my_pet"),
        ("a.yaml#/Pet", {"a.yaml": {"Pet": PET}}, "Pet"),
        ("a.yaml#/a~1b", {"a.yaml": {"a/b": PET}}, "a_b"),
        ("a.yaml#/%7Bp%7D", {"a.yaml": {"{p}": PET}}, "_p_"),
        ("a.yaml#/definitions/Pet", {"a.yaml": {"definitions": {"Pet": PET}}}, "Pet"),
        ("a.yaml#/components/schemas/Pet", {"a.yaml": {"components": {"schemas": {"Pet": PET}}}}, "Pet"),
        ("a.yaml#/Pet", {"a.yaml": {"Pet": {"$ref": "b/dog.yaml"}}, "b/dog.yaml": PET}, "dog"),
        ("a.yaml#pet", {"a.yaml": {"$defs": {"Pet": PET | {"$anchor": "pet"}}}}, "Pet"),
        ("a.yaml#Pet", {"a.yaml": {"Pet": PET}}, "Pet"),
        ("a.yaml#definitions/Pet", {"a.yaml": {"definitions": {"Pet": PET}}}, "Pet"),
        ("a.yaml#Pet", {"a.yaml": {"Pet": {"type": "null"}, "$defs": {"Dog": PET | {"$anchor": "Pet"}}}}, "Dog"),
    ],
)
def test_a_schema_of_another_file_has_its_own_name(reference, files, name):
    description = of_body({"$ref": reference}, files)
    assert sent(description)["$ref"] == f"#/$defs/{name}"
    assert named(description.request_schemas)[name]["properties"] == PET["properties"]


def test_a_schema_that_the_root_names_has_that_name():
    files = {"pet.yaml": PET, "owner.yaml": OWNER}
    description = of_body({"$ref": "owner.yaml"}, files, Animal={"$ref": "pet.yaml"})
    assert set(description.request_schemas) == {"owner", "Animal"}


def test_names_that_clash_are_told_apart_by_their_files():
    files = {"a.yaml": {"Pet": PET}, "b.yaml": {"Pet": {"type": "string"}}, "c/b.yaml": {"Pet": {"type": "null"}}}
    schema = {"anyOf": [{"$ref": f"{file}#/Pet"} for file in files] + [{"$ref": "#/components/schemas/Pet"}]}
    description = of_body(schema, files, Pet={"type": "boolean"})
    assert set(description.request_schemas) == {"Pet", "Pet_a", "Pet_b", "Pet_2"}
    assert named(description.request_schemas)["Pet"]["type"] == "boolean"


def test_a_schema_that_the_root_lacks_is_not_taken_from_another_file():
    files = {"a.yaml": {"Pet": PET}}
    description = of_body({"anyOf": [{"$ref": "a.yaml#/Pet"}, {"$ref": "#/components/schemas/Pet"}]}, files)
    assert skips(description)[0][1] == "refers to '#/components/schemas/Pet', which is not in the document"


# Where references lead


def test_the_schema_of_json_in_a_text_may_be_a_file():
    description = of_body(
        {"contentMediaType": "application/json", "contentSchema": {"$ref": "pet.yaml"}}, {"pet.yaml": PET}
    )
    assert sent(description)["contentSchema"] == {"$ref": "#/$defs/pet"}


def test_references_are_relative_to_the_file_that_they_are_in():
    files = {
        "a/owner.yaml": {"properties": {"pet": {"$ref": "../b/pet.yaml"}, "self": {"$ref": "#/$defs/Self"}}}
        | {"$defs": {"Self": {"type": "integer"}}},
        "b/pet.yaml": {"properties": {"food": {"$ref": "food.yaml"}, "root": {"$ref": "../root.yaml#/components/x"}}},
        "b/food.yaml": {"type": "string"},
    }
    root = {"components": {"schemas": {"Owner": {"$ref": "a/owner.yaml"}}, "x": {"type": "null"}}}
    schemas = decoded(root, files)["components"]["schemas"]
    assert {name: schema.get("properties") for name, schema in schemas.items()} == {
        "Owner": {"pet": {"$ref": "#/components/schemas/pet"}, "self": {"$ref": "#/components/schemas/Self"}},
        "pet": {"food": {"$ref": "#/components/schemas/food"}, "root": {"$ref": "#/components/x"}},
        "food": None,
        "Self": None,
    }


def test_path_items_parameters_bodies_and_responses_may_be_files():
    files = {
        "paths/pet.yaml": {
            "parameters": [{"$ref": "../parts.yaml#/parameters/id"}],
            "put": {
                "requestBody": {"$ref": "../parts.yaml#/bodies/pet"},
                "responses": {"default": {"$ref": "../error.yaml"}},
            },
        },
        "parts.yaml": {
            "parameters": {"id": {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}},
            "bodies": {"pet": {"content": {"application/json": {"schema": {"$ref": "pet.yaml"}}}}},
        },
        "pet.yaml": PET,
        "error.yaml": {"description": "", "content": {"application/json": {"schema": {"$ref": "#/x"}}}, "x": PET},
    }
    root = {"paths": {"/pets/{id}": {"$ref": "paths/pet.yaml"}}}
    operation = the_operation(describe(bundled(root, files)))
    assert [parameter.name for parameter in operation.parameters] == ["id"]
    assert operation.body is not None
    assert operation.responses[0].media[0].schema is not None
    assert operation.pointer == "#/paths/~1pets~1%7Bid%7D/put"


def test_maps_of_the_root_may_be_files_of_their_own():
    files = {
        "paths.yaml": {"/x": {"get": {"responses": {"200": {"$ref": "parts.yaml#/responses/Ok"}}}}},
        "parts.yaml": {"schemas": {"$ref": "schemas.yaml"}, "responses": {"Ok": {"$ref": "#/responses/Fine"}}}
        | {"responses": {"Ok": {"content": {"application/json": {"schema": {"$ref": "schemas.yaml#/Pet"}}}}}},
        "schemas.yaml": {"Pet": PET},
    }
    root = {"paths": {"$ref": "paths.yaml"}, "components": {"schemas": {"$ref": "schemas.yaml"}}}
    description = describe(bundled(root, files))
    assert got(description)["$ref"] == "#/$defs/Pet"
    assert list(decoded(root, files)["components"]["schemas"]) == ["Pet"]


def test_a_map_of_the_root_may_be_a_file_that_names_another():
    files = {"a/index.yaml": {"$ref": "../b/my paths.yaml#/items"}, "b/my paths.yaml": {"items": {"/x": {"get": {}}}}}
    assert the_operation(describe(bundled({"paths": {"$ref": "a/index.yaml"}}, files))).path == "/x"


@pytest.mark.parametrize("reference", ["pet.yaml", "./pet.yaml#/properties/name", "../v1/pet.yaml"])
def test_what_the_root_identifies_itself_is_no_file(reference):
    own = PET | {"$id": "https://example.com/v1/pet.yaml"}
    root = {"$self": "https://example.com/v1/", "components": {"schemas": {"P": own, "Q": {"$ref": reference}}}}
    assert decoded(root, {"pet.yaml": {"type": "null"}, "../v1/pet.yaml": {}}, "3.2") == root


@pytest.mark.parametrize(
    ("files", "names"),
    [
        ({"pet.yaml": {"properties": {"mother": {"$ref": "#"}}}}, {"pet"}),
        ({"pet.yaml": {"properties": {"o": {"$ref": "o.yaml"}}}, "o.yaml": OWNER}, {"pet", "o"}),
        ({"pet.yaml": {"properties": {"r": {"$ref": "root.yaml#/components/schemas/R"}}}}, {"pet", "R"}),
    ],
    ids=["itself", "two files", "through the root"],
)
def test_files_may_lead_to_each_other(files, names):
    description = of_body({"$ref": "pet.yaml"}, files, R={"properties": {"pet": {"$ref": "pet.yaml"}}})
    assert skips(description) == []
    assert set(description.request_schemas) == names


@pytest.mark.parametrize(
    "files",
    [{"a.yaml": {"$ref": "a.yaml"}}, {"a.yaml": {"$ref": "b.yaml"}, "b.yaml": {"$ref": "a.yaml"}}],
    ids=["one", "two"],
)
def test_references_in_a_circle_cost_their_users(files):
    ((_, reason),) = skips(of_body({"$ref": "a.yaml"}, files))
    assert reason.startswith("leads back to itself")


@pytest.mark.parametrize("dialect", ["2.0", "3.0"])
def test_other_files_are_of_the_dialect_of_the_root(dialect):
    nullable = "x-nullable" if dialect == "2.0" else "nullable"
    files = {"a.yaml": {"Pet": {"type": "number", "minimum": 0, "exclusiveMinimum": True, nullable: True}}}
    description = of_body({"$ref": "a.yaml#/Pet"}, files, dialect)
    assert named(description.request_schemas) == {"Pet": {"type": ["number", "null"], "exclusiveMinimum": 0}}


# What is no reference, or leads nowhere


@pytest.mark.parametrize(
    "reference",
    [
        "http://example.com/pet.yaml",
        "https:pet.yaml",
        "file:///api/pet.yaml",
        "//example.com/pet.yaml",
        "/api/pet.yaml",
        "C:/pet.yaml",
        "?pet.yaml",
    ],
)
def test_what_is_no_path_from_the_file_is_never_read(reference):
    def read(path: str) -> bytes:
        raise AssertionError(path)

    root = document("3.1", paths={"/x": {"$ref": reference}})
    assert bundle(root, "/api/root.yaml", read).json == root.json


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("missing.yaml#/Pet", "refers to 'missing.yaml#/Pet', which cannot be used: there is no missing.yaml"),
        ("a/../missing.yaml", "refers to 'a/../missing.yaml', which cannot be used: there is no missing.yaml"),
        ("a.yaml#/Nope", "refers to 'a.yaml#/Nope', which cannot be used: nothing is there in that file"),
        ("a.yaml#nope", "refers to 'a.yaml#nope', which cannot be used: nothing is there in that file"),
        ("a.yaml#/Pet/", "refers to 'a.yaml#/Pet/', which cannot be used: nothing is there in that file"),
        ("a.yaml#/~2", "refers to 'a.yaml#/~2', which cannot be used: nothing is there in that file"),
    ],
)
def test_what_is_not_there_costs_its_users(reference, reason):
    root = {"paths": {"/a": {"get": {"parameters": [{"$ref": reference}]}}, "/b": {"get": {}}}}
    description = describe(bundled(root, {"a.yaml": {"Pet": PET}}))
    ((pointer, found),) = skips(description)
    assert pointer == "#/paths/~1a/get/parameters/0/$ref"
    assert found.startswith(reason)
    assert len(description.operations) == 1


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("gone.yaml#/x", "refers to 'sub/gone.yaml#/x', which cannot be used: there is no sub/gone.yaml"),
        ("../gone.yaml", "refers to 'gone.yaml', which cannot be used: there is no gone.yaml"),
        ("https://example.com/x", "refers to 'https://example.com/x', outside the document; "),
    ],
)
def test_what_a_file_refers_to_is_named_from_the_roots_folder(reference, reason):
    root = {"paths": {"/a": {"get": {"parameters": [{"$ref": "sub/b.yaml#/Pet"}]}}, "/b": {"get": {}}}}
    description = describe(bundled(root, {"sub/b.yaml": {"Pet": {"$ref": reference}}}))
    ((pointer, found),) = skips(description)
    assert pointer == "sub/b.yaml#/Pet/$ref"
    assert found.startswith(reason)


@pytest.mark.parametrize("value", [{"x-topics": [{"$ref": "intro.md"}]}, {"info": {"x-logo": {"$ref": "logo.yaml"}}}])
def test_what_extensions_refer_to_is_nobodys_concern(value):
    read: list[str] = []
    root = document("3.1", paths={"/x": {"$ref": "x.yaml"}}, **value)

    def file(path: str) -> bytes:
        read.append(path)
        return b"{}"

    bundle(root, "/api/root.yaml", file)
    assert read == ["/api/x.yaml"]


def test_extensions_that_are_referred_to_like_components_are_followed():
    root = {"paths": {"/x": {"$ref": "#/x-paths/x"}}, "x-paths": {"x": {"$ref": "x.yaml"}}}
    description = describe(bundled(root, {"x.yaml": {"get": {"operationId": "there"}}}))
    assert [(each.method, each.path) for each in description.operations] == [("GET", "/x")]


@pytest.mark.parametrize(
    "value",
    [
        {"example": {"$ref": "pet.yaml"}},
        {"schema": {"default": {"$ref": "pet.yaml"}}},
        {"schema": {"enum": [{"$ref": "pet.yaml"}]}},
        {"properties": {"$ref": {"type": "string"}, "a": {"const": {"$ref": "pet.yaml"}}}},
        {"x$ref": "pet.yaml"},
    ],
)
def test_the_word_in_values_is_no_reference(value):
    assert decoded({"x": value}, {"pet.yaml": PET}) == {"x": value}


def test_names_that_are_keywords_elsewhere_are_names():
    properties = {"example": {"$ref": "pet.yaml"}, "default": {"$ref": "pet.yaml"}, "properties": {"$ref": "pet.yaml"}}
    root = decoded({"x": {"properties": properties}}, {"pet.yaml": PET})
    assert root["x"]["properties"] == {key: {"$ref": "#/components/schemas/pet"} for key in properties}


def test_a_file_of_responses_may_have_a_default():
    files = {
        "responses.yaml": {"default": {"content": {"text/json": {"schema": {"$ref": "pet.yaml"}}}}},
        "pet.yaml": PET,
    }
    root = {"paths": {"/x": {"get": {"responses": {"default": {"$ref": "responses.yaml#/default"}}}}}}
    assert got(describe(bundled(root, files)))["$ref"] == "#/$defs/pet"


def test_numbers_stay_as_they_were_spelt():
    pet = b'{"multipleOf":1.10,"maximum":123456789012345678901234567890,"items":{"$ref":"#/a"},"a":{}}'
    root = Document(json=b'{"x":1.50,"components":{"y":2.0,"schemas":{"P":{"$ref":"pet.yaml"}}}}', dialect="3.1")
    json = bundle(root, "/api/root.yaml", lambda _: pet).json
    assert b'"x":1.50' in json
    assert b'"y":2.0' in json
    assert b'"multipleOf":1.10,"maximum":123456789012345678901234567890' in json


def test_a_key_of_the_root_is_not_taken():
    root = {"x-bundled": 1, "paths": {"/x": {"$ref": "x.yaml"}}}
    assert decoded(root, {"x.yaml": {}}) == {
        "x-bundled": 1,
        "paths": {"/x": {"$ref": "#/x-bundled-/x.yaml"}},
        "x-bundled-": {"x.yaml": {}},
    }


# Cost


@pytest.mark.parametrize(
    ("value", "needed"),
    [({"$ref": "#/a"}, False), ({"$ref": "a.yaml"}, True), ({"$ref": {"type": "string"}}, False)],
)
def test_only_documents_with_outward_references_are_opened(value, needed):
    assert is_needed(document("3.1", x=value)) is needed


def test_each_file_is_asked_for_once():
    asked = []

    def read(path: str) -> bytes:
        asked.append(path)
        if path == "/api/c.yaml":
            raise SpecError("", "there is none")
        return b'{"a":{"$ref":"b.yaml#/x"},"b":{"$ref":"c.yaml"}}'

    root = document("3.1", paths={f"/{n}": {"$ref": f"a.yaml#/{'ab'[n % 2]}"} for n in range(10)})
    bundle(root, "/api/root.yaml", read)
    assert sorted(asked) == ["/api/a.yaml", "/api/b.yaml", "/api/c.yaml"]


def test_the_deepest_document_is_followed():
    deep: Any = {"$ref": "pet.yaml"}
    for _ in range(120):
        deep = {"items": deep}
    result = decoded({"x": {"$ref": "deep.yaml"}}, {"deep.yaml": deep, "pet.yaml": PET})
    assert set(result) == {"x", "x-bundled", "components"}


def test_copies_do_not_multiply():
    """Every level of a schema is referred to; only the file and the key of its root may be copied."""
    deep: Any = {"description": "x" * 10_000}
    for _ in range(100):
        deep = {"items": deep}
    references = [{"$ref": "deep.yaml#" + "/items" * depth} for depth in range(101)]
    assert bundled({"x": {"allOf": references}}, {"deep.yaml": deep}).json.count(b"x" * 10_000) == 3


def test_identifiers_are_looked_for_in_linear_time() -> None:
    def made(length: int) -> dict[str, Any]:
        count = length // 2
        own = {f"A{number}": {"$id": f"https://x/{number}.json"} for number in range(count)}
        others = {f"B{number}": {"$ref": f"b{number}.yaml"} for number in range(count)}
        return {"components": {"schemas": own | others}}

    assert is_linear(lambda root: bundled(root, {}), made)


# Names of schemas, and examples


def animal(*, mapping: dict[str, str], **more: Any) -> dict[str, Any]:
    return {"discriminator": {"propertyName": "kind", "mapping": mapping}, **more}


def made_of(base: str) -> dict[str, Any]:
    return {"allOf": [{"$ref": base}, {"properties": {"n": {"type": "integer"}}}]}


BASE = "../root.yaml#/components/schemas/Animal"
MAPPINGS: dict[str, dict[str, str]] = {
    "by files": {"a cat": "./animals/cat.yaml", "a dog": "animals/all.yaml#/Dog"},
    "by names of the root": {"a cat": "#/components/schemas/cat", "a dog": "Dog"},
}


@pytest.mark.parametrize("mapping", MAPPINGS.values(), ids=MAPPINGS)
def test_a_mapping_gives_its_names_to_schemas_of_other_files(mapping: dict[str, str]) -> None:
    files = {"animals/cat.yaml": made_of(BASE), "animals/all.yaml": {"Dog": made_of(BASE)}}
    schemas = {"cat": {"$ref": "animals/cat.yaml"}, "Dog": {"$ref": "animals/all.yaml#/Dog"}}
    base = animal(mapping=mapping, type="object", properties={"kind": {"type": "string"}})
    description = of_body({"$ref": "#/components/schemas/Animal"}, files, Animal=base, **schemas)
    told = named(description.request_schemas)["Animal.any"]["anyOf"][:2]
    assert [each["allOf"][1]["properties"]["kind"]["enum"] for each in told] == [["a cat"], ["a dog"]]


def test_a_mapping_is_relative_to_the_file_that_it_is_in_and_tells_equal_names_apart() -> None:
    pets = {
        "oneOf": [{"$ref": "wild.yaml#/Cat"}, {"$ref": "tame.yaml#/Cat"}],
        **animal(mapping={"wild": "wild.yaml#/Cat", "tame": "./tame.yaml#/Cat", "no": "./none.yaml"}),
    }
    wild, tame = ({"Cat": {"required": ["kind", name], "properties": {"kind": {}}}} for name in ("claws", "name"))
    description = of_body(
        {"$ref": "pets/pet.yaml"}, {"pets/pet.yaml": pets, "pets/wild.yaml": wild, "pets/tame.yaml": tame}
    )
    pet = named(description.request_schemas)["pet"]
    assert pet["description"] == "kind selects the schema: wild → Cat, tame → Cat_tame, no → none.yaml."
    assert [each["$ref"] for each in pet["anyOf"]] == ["#/$defs/Cat", "#/$defs/Cat_tame"]
    checks = compiles(sent_schema(description), description.request_schemas)
    assert checks.is_valid({"kind": "tame", "name": "Tom"})
    assert not checks.is_valid({"kind": "tame", "claws": 20})


@pytest.mark.parametrize("place", ["parameter", "content", "component"])
def test_an_example_may_be_in_another_file_and_its_value_is_data(place: str) -> None:
    examples = {"one": {"$ref": "examples.yaml#/one"}, "two": {"value": {"$ref": "pet.yaml"}}}
    components: dict[str, Any] = {}
    if place == "component":
        components["examples"] = examples
        examples = {name: {"$ref": f"#/components/examples/{name}"} for name in examples}
    told = {"examples": examples, "schema": {}}
    parameter = {
        "name": "q",
        "in": "query",
        **(told if place != "content" else {"content": {"application/json": told}}),
    }
    root = {"paths": {"/x": {"get": {"parameters": [parameter]}}}, "components": components}
    (found,) = the_operation(describe(bundled(root, {"examples.yaml": {"one": {"value": "a"}}}))).parameters
    assert [msgspec.json.decode(each) for each in found.examples] == ["a", {"$ref": "pet.yaml"}]
