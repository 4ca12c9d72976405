"""Documents of attackers, and of the well-behaved API beside theirs."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

Operation = tuple[str, str, dict[str, Any]]
"""Path, method, and the Operation Object."""
JSON_ANSWER = {"200": {"description": "JSON", "content": {"application/json": {}}}}
TEXT = {"type": "string"}
DEFINITION_CHARACTERS = 350
"""Of each definition's description: 60 of them fit into what one tool may have."""


def operation(name: str, path: str, method: str = "get", **keywords: object) -> Operation:
    return path, method, {"operationId": name, "responses": JSON_ANSWER, **keywords}


def parameter(place: str, schema: object, **keywords: object) -> dict[str, Any]:
    """``v``, in this place."""
    return {"name": "v", "in": place, "required": True, "schema": schema, **keywords}


def body(media_type: str, schema: object, **keywords: object) -> dict[str, Any]:
    return {"required": True, "content": {media_type: {"schema": schema, **keywords}}}


def value(schema: object, **keywords: object) -> dict[str, Any]:
    """An object with the one property ``v``."""
    return {"type": "object", "properties": {"v": schema}, **keywords}


def document(*operations: Operation, components: Mapping[str, object] | None = None) -> bytes:
    paths: dict[str, dict[str, Any]] = {}
    for path, method, described in operations:
        paths.setdefault(path, {})[method] = described
    whole = {"openapi": "3.1.0", "info": {"title": "Attack", "version": "1"}, "paths": paths}
    return msgspec.json.encode(whole | ({"components": components} if components else {}))


def quiet(path: str) -> bytes:
    """The API that the well-behaved client calls."""
    return document(operation("pet", path))


def hostile_text(length: int) -> str:
    """Of two letters in no order: a pattern such as ``a[ab]{100}c`` has as many states in it as letters."""
    return "".join(random.Random(1).choices("ab", k=length))  # the same each time


def numbers(count: int) -> msgspec.Raw:
    """A list as it is written, so that no attacker has to hold it as objects."""
    return msgspec.Raw(b"[" + b"1," * (count - 1) + b"1]")


def large(operations: int, description_bytes: int) -> bytes:
    """A document whose list of tools is long, as GitHub's with 4.4 MB."""
    arguments = {f"argument_{n}": {"type": "string", "description": "d" * 150} for n in range(description_bytes // 200)}
    schema = {"type": "object", "properties": arguments}
    return document(*(_posting(n, schema) for n in range(operations)))


def _posting(number: int, schema: object) -> Operation:
    return operation(f"tool{number}", f"/t/{number}", "post", requestBody=body("application/json", schema))


def copies(operations: int, definitions: int) -> bytes:
    """Every operation refers to a schema that refers to all the others: each tool gets a copy of them."""
    schemas: dict[str, object] = {
        f"Part{n}": {
            "type": "object",
            "description": f"{n} " + "d" * DEFINITION_CHARACTERS,
            "properties": {"next": _reference((n + 1) % definitions), "name": TEXT},
        }
        for n in range(definitions)
    }
    described: Iterable[Operation] = (_posting(n, _reference(0)) for n in range(operations))
    return document(*described, components={"schemas": schemas})


def _reference(number: int) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/Part{number}"}


def shared_parameters(paths: int, parameters: int) -> bytes:
    """Parameters of components that every operation refers to."""
    described = {
        f"P{n}": {"name": f"p{n}", "in": "query", "description": "d" * 500, "schema": TEXT} for n in range(parameters)
    }
    references = [{"$ref": f"#/components/parameters/P{n}"} for n in range(parameters)]
    operations = (operation(f"tool{n}", f"/t/{n}", parameters=references) for n in range(paths))
    return document(*operations, components={"parameters": described})
