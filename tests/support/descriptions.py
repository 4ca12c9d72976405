"""API descriptions made by hand, and what the catalog makes of them."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from openapi_mcp_server.bridge.catalog import ApiSource, build
from openapi_mcp_server.bridge.model import Tool, ToolCatalog, ToolForm
from openapi_mcp_server.bridge.origins import base_url
from openapi_mcp_server.bridge.tools.api import SchemaLimits
from openapi_mcp_server.openapi.model import ApiDescription, Body, MediaType, Operation, Parameter, Response, Schema

_OF_SOURCE = (
    "include_tags", "exclude_tags", "prefix", "location", "allowed_origins", "identity", "strict_auth", "overrides",
    "rule",
)  # fmt: skip
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
OBJECT = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name"],
}


def schema(value: Any) -> Schema:
    text = msgspec.json.encode(value)
    return Schema(msgspec.Raw(text), tuple(sorted(set(re.findall(r'"#/\$defs/([^"]+)"', text.decode())))))


def schemas(**named: Any) -> dict[str, Schema]:
    return {name: schema(value) for name, value in named.items()}


def parameter(name: str, location: Any = "query", value: Any = None, **fields: Any) -> Parameter:
    style = {"query": "form", "cookie": "form"}.get(location, "simple")
    fields = {"required": location == "path", "style": style, "explode": style == "form"} | fields
    return Parameter(
        pointer=f"#/p/{name}",
        name=name,
        location=location,
        schema=schema({"type": "string"} if value is None else value),
        **fields,
    )


def body(*media: MediaType, required: bool = True, description: str = "") -> Body:
    return Body(pointer="#/b", required=required, description=description, media=media)


def media(name: str, value: Any = None) -> MediaType:
    return MediaType(pointer=f"#/b/{name}", name=name, schema=None if value is None else schema(value))


def answer(status: str, *media_types: MediaType) -> Response:
    return Response(pointer=f"#/r/{status}", status=status, description="", media=media_types)


def operation(method: str = "GET", path: str = "/pets", **fields: Any) -> Operation:
    pointer = f"#/paths/{path.replace('/', '~1')}/{method.lower()}"
    return Operation(pointer=pointer, method=method, path=path, **fields)


def describe(*operations: Operation, **fields: Any) -> ApiDescription:
    return ApiDescription(
        **{
            "dialect": "3.1",
            "title": "Pets",
            "version": "1",
            "summary": "",
            "servers": ("https://api.example.com/v1",),
            "operations": operations,
            "skipped": (),
            "notes": (),
            "request_schemas": {},
            "response_schemas": {},
            "security_schemes": {},
            **fields,
        }
    )


def source(*operations: Operation, name: str = "pets", base: str | None = None, **fields: Any) -> ApiSource:
    options = {key: fields.pop(key) for key in _OF_SOURCE if key in fields}
    return ApiSource(
        name=name, base=base_url(base) if base else None, description=describe(*operations, **fields), **options
    )


def catalog(
    *operations: Operation,
    limits: SchemaLimits | None = None,
    response_filter: bool = False,
    portable: bool = False,
    **fields: Any,
) -> ToolCatalog:
    own = [source(*operations, **fields)]
    form = ToolForm(response_filter=response_filter, portable=portable)
    return build(own, form, limits=limits or SchemaLimits())


def tool(*operations: Operation, **fields: Any) -> Tool:
    made = catalog(*operations, **fields)
    assert made.skipped == ()
    [only] = made.tools.values()
    return only


def inputs(*operations: Operation, **fields: Any) -> dict[str, Any]:
    """What clients are told of the arguments of the one tool."""
    return told(tool(*operations, **fields))


def told(made: Tool) -> dict[str, Any]:
    return msgspec.json.decode(made.entry)["inputSchema"]


def outputs(*responses: Response, method: str = "GET", **fields: Any) -> Any:
    """The part of the output schema that describes a documented answer, with the definitions; None if there is none."""
    contract = tool(operation(method, responses=responses), **fields).output
    if contract is None:
        return None
    whole = msgspec.json.decode(contract.schema)
    documented, *_ = whole.pop("anyOf", [{}])
    return whole | documented


def filterable(method: str = "GET") -> Tool:
    """``list_pets``, which promises an object with an integer ``id`` and takes a filter."""
    value = {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]}
    responses = (answer("200", media(JSON, value)),)
    return tool(operation(method, operation_id="list_pets", responses=responses), response_filter=True)


def reasons(made: ToolCatalog) -> list[str]:
    return [skipped.operation.reason for skipped in made.skipped]


def kinds(made: ToolCatalog) -> list[str]:
    return [note.kind for api in made.apis for note in api.notes]


def wide(count: int, description: str = "", **fields: Any) -> dict[str, Any]:
    texts = {"type": "string", "description": description} if description else {"type": "string"}
    return {"type": "object", "properties": {f"p{index}": texts | fields for index in range(count)}}


BIG = schemas(
    Examples=wide(20, example="e" * 200),
    Prose=wide(20, description="word " * 60),
    Deep={"type": "object", "properties": {"near": {"$ref": "#/$defs/Near"}}},
    Near={"type": "object", "properties": {"id": {"type": "integer"}, "far": {"$ref": "#/$defs/Far"}}},
    Far=wide(200),
)
