"""One document per dialect, each with every feature; every operation says itself what it must be read as."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from documents import compiles
from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.openapi.model import ApiDescription, MediaType, Operation, Parameter, SecurityChoice
from openapi_mcp_server.openapi.operations import describe
from openapi_mcp_server.openapi.pointers import tokens
from openapi_mcp_server.openapi.text.document import Document, parse

SPECS = Path(__file__).parents[1] / "specs"
FEATURES = ["swagger-2.0", "openapi-3.0", "openapi-3.1", "openapi-3.2"]
SILENT: dict[str, Any] = {"parameters": [], "body": [], "answers": [], "servers": [], "security": [], "notes": []}


def document(name: str) -> Document:
    return parse((SPECS / f"{name}.yaml").read_bytes())


@pytest.mark.parametrize("name", FEATURES)
def test_every_operation_is_read_as_it_says(name):
    whole = document(name)
    description = describe(whole)
    root = msgspec.json.decode(whole.json)
    operations = {operation.pointer: operation for operation in description.operations}
    reasons = {(skipped.method, skipped.path): skipped.reason for skipped in description.skipped}
    expected = dict(declared(root))
    for (key, method, pointer), expectation in expected.items():
        if "skipped" in expectation:
            assert reasons.pop((method, key)) == expectation["skipped"]
        else:
            told = as_told(operations.pop(pointer), description)
            assert {field: told[field] for field in SILENT | expectation} == SILENT | expectation
    assert not operations
    assert not reasons


def declared(root: dict[str, Any]) -> Iterator[tuple[tuple[str, str, str], dict[str, Any]]]:
    """(key of the path, method, pointer) and the expectation of every operation."""
    for key, item in root["paths"].items():
        at = "#/paths/" + key.replace("/", "~1").replace("{", "%7B").replace("}", "%7D").replace("#", "%23")
        while "$ref" in item:
            item = root["components"]["pathItems"][item["$ref"].rpartition("/")[2]]  # noqa: PLW2901 - followed
        for name, operation in item.items():
            if name == "additionalOperations":
                for method, other in operation.items():
                    yield (key, method, f"{at}/{name}/{method}"), other["x-expected"]
            elif isinstance(operation, dict):
                yield (key, name.upper(), f"{at}/{name}"), security_of(root, operation) | operation["x-expected"]


def security_of(root: dict[str, Any], operation: dict[str, Any]) -> dict[str, Any]:
    inherited = "security" not in operation and root.get("swagger") == "2.0"
    return {"security": ["key()"]} if inherited else {}


def as_told(operation: Operation, description: ApiDescription) -> dict[str, Any]:
    key = operation.pointer.rpartition("/")[0]
    places = {operation.pointer, key, *(parameter.pointer for parameter in operation.parameters)}
    return {
        "path": operation.path,
        "query": operation.query,
        "tags": list(operation.tags),
        "parameters": [of_parameter(parameter) for parameter in operation.parameters],
        "body": [of_media(media) for media in operation.body.media] if operation.body else [],
        "answers": [" ".join([each.status, *map(of_media, each.media)]) for each in operation.responses],
        "servers": list(operation.servers),
        "security": [of_choice(choice) for choice in operation.security],
        "notes": sorted(
            note.kind
            for note in description.notes
            if note.pointer in places or note.pointer.startswith(f"{operation.pointer}/")
        ),
    }


def of_parameter(parameter: Parameter) -> str:
    words = [parameter.name, parameter.location, parameter.style, "exploded" if parameter.explode else ""]
    words += ["required" if parameter.required else "", parameter.content_type or ""]
    return " ".join(word for word in words if word)


def of_media(media: MediaType) -> str:
    return f"{media.name} stream" if media.is_stream else media.name


def of_choice(choice: SecurityChoice) -> str:
    return " ".join(f"{name}({','.join(scopes)})" for name, scopes in choice.schemes)


# The same documents with one value replaced

ROOTS = {name: msgspec.json.decode(document(name).json) for name in FEATURES}
WHOLE = {name: describe(document(name)) for name in FEATURES}
anything = st.recursive(
    st.sampled_from([None, True, False, 0, -1, 1.5, "", "x", "#/components/schemas/Pet", "#/definitions/Pet", "//x"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["$ref", "type", "name", "in", "schema", "content", "x", ""]), inner, max_size=3
        )
    ),
    max_leaves=5,
)


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in entries:
        yield from places(each, (*path, key))


PLACES = [(name, path) for name, root in ROOTS.items() for path in places(root) if path and "x-expected" not in path]


@settings(max_examples=300)
@given(st.sampled_from(PLACES), anything)
def test_any_value_anywhere_is_read_or_refused_with_its_place(place, new):
    name, path = place
    root = replaced(ROOTS[name], path, new)
    whole = Document(json=msgspec.json.encode(root), dialect=WHOLE[name].dialect)
    description, refused_at = outcome(whole)
    if description is None:
        assert refused_at == "#/paths"
        assert path == ("paths",)
        return
    for definitions in (description.request_schemas, description.response_schemas):
        for schema in definitions.values():
            compiles(schema, definitions)
    if path[0] == "paths" and len(path) > 3:
        before, after = counts(WHOLE[name]), counts(description)
        assert {key for key in before if before[key] != after.get(key)} <= {path[1]}


def outcome(whole: Document) -> tuple[ApiDescription | None, str]:
    """The description, or the place for which the whole document is refused."""
    try:
        return describe(whole), ""
    except SpecError as error:
        return None, error.pointer


def counts(description: ApiDescription) -> dict[str, int]:
    """How many operations each key of ``paths`` has, skipped ones included."""
    found: dict[str, int] = {}
    for pointer in [each.pointer for each in description.operations]:
        key = tokens(pointer)[1]
        found[key] = found.get(key, 0) + 1
    for skipped in description.skipped:
        found[skipped.path] = found.get(skipped.path, 0) + 1
    return found
