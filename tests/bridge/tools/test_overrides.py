"""x-mcp in the document and the operator's file beside it: what a model sees instead."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from descriptions import catalog, operation, parameter, reasons, tool
from documents import described
from openapi_mcp_server.bridge.policy import Rule, selector
from openapi_mcp_server.bridge.tools import overrides
from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.openapi.model import Operation, SkippedOperation


def overridden(**override: Any) -> Operation:
    return operation(tags=("a",), summary="List", overrides=msgspec.Raw(msgspec.json.encode(override)))


def entries(text: str) -> overrides.Entries:
    return overrides.read(text.encode())


def said(made: Any) -> list[tuple[str, str]]:
    return [(note.kind, note.message) for note in made.apis[0].notes]


# In the document


def test_overrides_replace_what_the_document_says():
    made = tool(overridden(name="all_pets", title="T", description="D", annotations={"readOnlyHint": False}))
    entry = msgspec.json.decode(made.entry)
    assert (entry["name"], entry["title"], entry["description"]) == ("all_pets", "T", "D")
    assert entry["annotations"] == {"readOnlyHint": False, "openWorldHint": True}


def test_overridden_tags_are_the_ones_that_filter():
    assert list(catalog(overridden(tags=["b"]), include_tags=frozenset({"a"})).tools) == []


def test_a_hidden_operation_is_listed_as_hidden():
    assert reasons(catalog(overridden(hidden=True))) == ["hidden by x-mcp in the document"]


def test_keys_without_a_value_are_not_there():
    made = catalog(overridden(hidden=None, title=None, annotations=None))
    assert (list(made.tools), said(made)) == (["get_pets"], [])


def test_keys_that_are_none_of_ours_are_noted():
    made = catalog(overridden(enabled=False, name="x", annotations={"readOnly": True}))
    assert list(made.tools) == ["x"]
    assert said(made) == [("extension_ignored", "x-mcp has keys that mean nothing here: enabled, annotations.readOnly")]


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("title", 5, "expected string, got integer"),
        ("tags", "a", "expected array, got string"),
        ("tags", [5], "expected string, got integer"),
        ("annotations", {"readOnlyHint": "yes"}, "expected boolean, got string"),
    ],
)
def test_a_value_of_the_wrong_type_costs_only_itself(field: str, value: Any, problem: str) -> None:
    made = catalog(overridden(**{field: value, "name": "x"}))
    assert list(made.tools) == ["x"]
    [(kind, message)] = said(made)
    assert kind == "extension_ignored"
    assert message.startswith(f"x-mcp cannot be used: #/paths/~1pets/get/x-mcp/{field}")
    assert message.endswith(problem)


def test_what_may_have_been_hidden_is_not_shown():
    made = catalog(overridden(hidden="yes"), operation("PUT"))
    assert list(made.tools) == ["put_pets"]
    assert reasons(made) == ["x-mcp cannot be used: #/paths/~1pets/get/x-mcp/hidden: expected boolean, got string"]


# In the operator's file

PETS = (
    operation("GET", operation_id="listPets", tags=("pets",)),
    operation("DELETE", "/pets/{petId}", parameters=(parameter("petId", "path"),)),
)


@pytest.mark.parametrize("key", ["listPets", "GET /pets"])
def test_an_entry_selects_by_operation_id_or_by_method_and_path(key: str) -> None:
    made = catalog(*PETS, overrides=entries(f"{key}: {{name: find_pets, title: Find, description: Finds pets.}}"))
    assert list(made.tools) == ["find_pets", "delete_pets_petId"]
    entry = msgspec.json.decode(made.tools["find_pets"].entry)
    assert (entry["title"], entry["description"], entry["annotations"]["readOnlyHint"]) == ("Find", "Finds pets.", True)
    assert said(made) == []


ROUTES = [
    ("/users/{id:[0-9]+}", "id"),
    ("/users/{id}", "id"),
    ("/users/{user-id:[0-9]{3}}", "userId"),
    ("/users/:id", "id"),
    ("/users/<int:id>", "id"),
    ("/users/{*id}", "id"),
    ("/users/{id}?full=1", "id"),
    ("users/{id}", "id"),
    ("/users/{id}{?page,size}", "id"),
    ("/users/{id}#admin", "id"),
]


def in_document(route: str, name: str, **other: Any) -> Any:
    declared = {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
    description = described({route: {"delete": {"parameters": [declared], "responses": {}}}, **other})
    assert description.skipped == ()
    return description


@pytest.mark.parametrize(("route", "name"), ROUTES)
def test_an_entry_selects_by_the_path_as_the_document_writes_it_and_as_it_is_read(route: str, name: str) -> None:
    description = in_document(route, name)
    for path in (route, description.operations[0].path):
        hidden = overrides.read(msgspec.json.encode({f"DELETE {path}": {"hidden": True}}))
        made = catalog(*description.operations, overrides=hidden)
        assert (reasons(made), said(made)) == (["hidden by TOOL_OVERRIDES"], [])
        denied = catalog(*description.operations, rule=Rule(deny=(selector(f"DELETE /{path.lstrip('/')}"),)))
        assert list(denied.tools) == []
        assert [note for note in said(denied) if note[0] == "override_unused"] == []


@pytest.mark.parametrize(
    "key", ["DELETE /users/{id:int}", "DELETE /users/{id?}", "DELETE /users/{id}", "delete /users/{id}"]
)
def test_an_entry_that_is_no_path_of_the_document_selects_by_its_route(key: str) -> None:
    hidden = overrides.read(msgspec.json.encode({key: {"hidden": True}}))
    made = catalog(*in_document("/users/{id:[0-9]+}", "id").operations, overrides=hidden)
    assert (reasons(made), said(made)) == (["hidden by TOOL_OVERRIDES"], [])


def test_entries_of_one_route_count_all() -> None:
    written: list[tuple[str, Any]] = [("/users/{id:int}", {"hidden": True}), ("/users/{id?}", {"title": "One"})]
    for order in (written, written[::-1]):
        hidden = overrides.read(msgspec.json.encode({f"DELETE {key}": entry for key, entry in order}))
        made = catalog(*in_document("/users/{id:[0-9]+}", "id").operations, overrides=hidden)
        assert (reasons(made), said(made)) == (["hidden by TOOL_OVERRIDES"], [])


def test_an_entry_of_one_path_is_none_of_another_with_the_same_route() -> None:
    description = in_document("/a/{id}", "id", **{"/a/{id+}": {"delete": {"responses": {}}}})
    made = catalog(*description.operations, overrides=entries("DELETE /a/{id}: {title: One}"))
    assert [tool.title for tool in made.tools.values()].count("One") == 1


def test_the_place_counts_more_than_the_operation_id():
    text = "listPets: {name: a, title: A}\nGET /pets: {name: b}"
    made = catalog(*PETS, overrides=entries(text))
    assert made.tools["b"].title == "A"


def test_the_file_wins_over_the_document_key_by_key():
    made = tool(overridden(name="theirs", title="Theirs"), overrides=entries("GET /pets: {title: Ours}"))
    assert (made.name, made.title) == ("theirs", "Ours")


def test_the_file_hides_and_shows():
    text = "DELETE /pets/{petId}: {hidden: true}"
    assert reasons(catalog(*PETS, overrides=entries(text))) == ["hidden by TOOL_OVERRIDES"]
    for written in (True, "yes"):
        shown = catalog(overridden(hidden=written), overrides=entries("GET /pets: {hidden: false}"))
        assert list(shown.tools) == ["get_pets"]


def test_tags_of_the_file_filter():
    tagged = entries("DELETE /pets/{petId}: {tags: [keep]}")
    assert list(catalog(*PETS, overrides=tagged, include_tags=frozenset({"keep"})).tools) == ["delete_pets_petId"]


def test_an_entry_that_selects_nothing_is_noted():
    skipped = (SkippedOperation(pointer="#/x", method="PUT", path="/pets", reason="r"),)
    text = "listPet: {title: x}\nget /pet: {title: x}\nPUT /pets: {title: x}\nlistPets:"
    made = catalog(*PETS, overrides=entries(text), skipped=skipped)
    expected = "selects no operation; expected an operationId, or method and path as in 'GET /pets'"
    assert said(made) == [
        ("override_unused", f"TOOL_OVERRIDES: 'listPet' {expected}"),
        ("override_unused", f"TOOL_OVERRIDES: 'get /pet' {expected}"),
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[]", "#: expected object, got array"),
        ("listPets: hidden", "#/listPets: expected object, got string"),
        ("GET /pets: {hidden: 'yes'}", "#/GET%20~1pets/hidden: expected boolean, got string"),
        ("a: {annotations: {readOnlyHint: 1}}", "#/a/annotations/readOnlyHint: expected boolean, got integer"),
        (
            "a: {hiden: true}",
            "#/a: has keys that mean nothing here: hiden; known are name, title, description, hidden,",
        ),
        ("a: {annotations: {readOnly: true}}", "#/a: has keys that mean nothing here: annotations.readOnly; known are"),
        ("", "the document is empty"),
        ("a: {", "line 2, column 1: the document ends within brackets"),
        ("a: {}\na: {}", "line 2"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_the_place(text: str, problem: str) -> None:
    with pytest.raises(SpecError) as refused:
        entries(text)
    assert str(refused.value).startswith(problem)


@pytest.mark.parametrize("text", ["{}", "listPets: {}", "listPets:"])
def test_a_file_may_say_nothing(text: str) -> None:
    assert list(catalog(*PETS, overrides=entries(text)).tools) == ["listPets", "delete_pets_petId"]
