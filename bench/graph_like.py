"""A document of the kind that Microsoft Graph's is: OData, 950 entity types, 11,400 operations, some 15 MB.

``python graph_like.py`` prints it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import msgspec

TYPES = 950
PROPERTIES = 20
_TOP = ("top", "skip", "search", "filter", "count")
_ERROR = {"$ref": "#/components/responses/error"}


def document(types: int = TYPES) -> bytes:
    paths: dict[str, Any] = {}
    for number in range(types):
        paths |= dict(_paths(number))
    parameters = {name: {"name": f"${name}", "in": "query", "schema": {"type": "string"}} for name in _TOP}
    schemas = {f"graph.kind{number}": _entity(number, types) for number in range(types)}
    schemas["graph.entity"] = _object({"id": {"type": "string", "description": "Read-only.", "nullable": True}})
    error = {"description": "error", "content": _json({"$ref": "#/components/schemas/graph.entity"})}
    components = {"schemas": schemas, "parameters": parameters, "responses": {"error": error}}
    about = {"title": "Like Graph", "version": "v1.0"}
    servers = [{"url": "https://graph.example.com/v1.0"}]
    whole = {"openapi": "3.0.4", "info": about, "servers": servers, "paths": paths, "components": components}
    return msgspec.json.encode(whole)


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"title": "entity", "type": "object", "properties": properties}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _names(number: int) -> list[str]:
    return [f"property{number % 7}{place}" for place in range(PROPERTIES)]


def _entity(number: int, types: int) -> dict[str, Any]:
    """Most properties are plain; of every other kind two lead to other kinds, as navigation does."""
    said = "Tells something of the kind that it belongs to, and may be null. Supports $filter (eq, ne, not, in)."
    plain: dict[str, Any] = {"type": "string", "description": said, "nullable": True}
    properties = dict.fromkeys(_names(number), plain)
    if number % 2:
        properties["children"] = {"type": "array", "items": _ref((7 * number + 1) % types)}
        properties["owner"] = {"anyOf": [_ref(number // 2), {"type": "object", "nullable": True}]}
    return {"allOf": [{"$ref": "#/components/schemas/graph.entity"}, _object(properties)]}


def _paths(number: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Twelve operations: two collections with their members, and how many there are of each."""
    for parent, kind in (
        (f"/kinds{number}", f"kinds{number}"),
        (f"/kinds{number}/{{kind-id}}/children", f"kinds{number}.children"),
    ):
        own = [_in_path("kind-id")] if "{" in parent else []
        yield parent, {"parameters": own, "get": _get(kind, "List", number), "post": _write(kind, "Create", number)}
        member = f"{parent}/{{{'child' if own else 'kind'}-id}}"
        ids = [*own, _in_path("child-id" if own else "kind-id")]
        changes = {"patch": _write(kind, "Update", number), "delete": _delete(kind)}
        yield member, {"parameters": ids, "get": _get(kind, "Get", number), **changes}
        yield f"{parent}/$count", {"parameters": own, "get": _count(kind)}


def _in_path(name: str) -> dict[str, Any]:
    said = f"The unique identifier of {name.removesuffix('-id')}"
    return {"name": name, "in": "path", "description": said, "required": True, "schema": {"type": "string"}}


def _operation(kind: str, does: str, answer: dict[str, Any], **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    said = (
        f"{does} what there is in {kind}, with the properties and relationships that the caller may see and asks for."
    )
    docs = {"description": "Find more info here", "url": f"https://learn.example.com/graph/api/{kind}-{does}"}
    return {
        "tags": [kind],
        "summary": f"{does} {kind}",
        "description": said,
        "externalDocs": docs,
        "operationId": f"{kind}.{does}{kind.capitalize()}",
        **more,
        "responses": {"2XX": answer, "4XX": _ERROR, "5XX": _ERROR},
    }


def _ref(number: int) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/graph.kind{number}"}


def _get(kind: str, does: str, number: int) -> dict[str, Any]:
    names = _names(number)
    chosen = {
        "$orderby": [*names, *(f"{name} desc" for name in names)],
        "$select": ["id", *names],
        "$expand": ["*", "owner"],
    }
    of_lists = [{"$ref": f"#/components/parameters/{name}"} for name in _TOP] if does == "List" else []
    parameters = [_choice(name, words) for name, words in chosen.items() if of_lists or name != "$orderby"]
    many = _object(
        {"value": {"type": "array", "items": _ref(number)}, "@odata.nextLink": {"type": "string", "nullable": True}}
    )
    answer = {"description": "Retrieved", "content": _json(many if of_lists else _ref(number))}
    return _operation(kind, does, answer, parameters=[*of_lists, *parameters])


def _choice(name: str, words: list[str]) -> dict[str, Any]:
    schema = {"uniqueItems": True, "type": "array", "items": {"enum": words, "type": "string"}}
    return {"name": name, "in": "query", "style": "form", "explode": False, "schema": schema}


def _write(kind: str, does: str, number: int) -> dict[str, Any]:
    body = {"description": "New values", "content": _json(_ref(number)), "required": True}
    return _operation(kind, does, {"description": "Success", "content": _json(_ref(number))}, requestBody=body)


def _delete(kind: str) -> dict[str, Any]:
    match = {"name": "If-Match", "in": "header", "description": "ETag", "schema": {"type": "string"}}
    return _operation(kind, "Delete", {"description": "Success"}, parameters=[match])


def _count(kind: str) -> dict[str, Any]:
    answer = {"description": "The count", "content": {"text/plain": {"schema": {"type": "integer", "format": "int32"}}}}
    return _operation(
        kind, "GetCount", answer, parameters=[{"$ref": f"#/components/parameters/{name}"} for name in _TOP[2:4]]
    )


if __name__ == "__main__":
    sys.stdout.buffer.write(document())
