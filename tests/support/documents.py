"""OpenAPI documents as Python objects, and what the service makes of them."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import msgspec

from openapi_mcp_server.openapi.model import ApiDescription, DialectName, Operation, Parameter, Schema
from openapi_mcp_server.openapi.operations import describe
from openapi_mcp_server.openapi.text.document import Document


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def document(dialect: DialectName, **root: Any) -> Document:
    return Document(json=msgspec.json.encode(root), dialect=dialect)


def described(paths: Any = None, *, dialect: DialectName = "3.1", **root: Any) -> ApiDescription:
    return describe(document(dialect, **({} if paths is None else {"paths": paths}), **root))


def of_operation(operation: Any, *, path: str = "/x", dialect: DialectName = "3.1", **root: Any) -> ApiDescription:
    """A document of one GET operation."""
    return described({path: {"get": operation}}, dialect=dialect, **root)


def the_operation(description: ApiDescription) -> Operation:
    assert [skipped.reason for skipped in description.skipped] == []
    (operation,) = description.operations
    return operation


def parameter(description: ApiDescription) -> Parameter:
    (found,) = the_operation(description).parameters
    return found


def of_schemas(schema: Any, *, dialect: DialectName = "3.1", **schemas: Any) -> ApiDescription:
    """A document whose one operation sends and gets ``schema``, with named schemas beside it."""
    home = {"definitions": schemas} if dialect == "2.0" else {"components": {"schemas": schemas}}
    content = {"application/json": {"schema": schema}}
    sent = {"parameters": [{"name": "b", "in": "body", "schema": schema}]}
    got: dict[str, Any] = {"schema": schema}
    if dialect != "2.0":
        sent, got = {"requestBody": {"content": content}}, {"content": content}
    return described({"/x": {"post": sent | {"responses": {"200": got}}}}, dialect=dialect, **home)


def sent(description: ApiDescription) -> Any:
    """What the one operation sends, decoded."""
    return value(sent_schema(description))


def sent_schema(description: ApiDescription) -> Schema:
    body = the_operation(description).body
    assert body is not None
    schema = body.media[0].schema
    assert schema is not None
    return schema


def got(description: ApiDescription) -> Any:
    """What the one operation gets, decoded."""
    return value(the_answer(description))


def the_answer(description: ApiDescription) -> Schema:
    schema = the_operation(description).responses[0].media[0].schema
    assert schema is not None
    return schema


def value(schema: Schema) -> Any:
    return msgspec.json.decode(schema.json)


def named(schemas: Any) -> dict[str, Any]:
    """Definitions by name, decoded."""
    return {name: value(schema) for name, schema in schemas.items()}


def notes(description: ApiDescription) -> list[tuple[str, str]]:
    return [(note.kind, note.pointer) for note in description.notes]


def skips(description: ApiDescription) -> list[tuple[str, str]]:
    return [(skipped.pointer, skipped.reason) for skipped in description.skipped]


def compiles(schema: Schema, definitions: Any) -> jsonschema_rs.Draft202012Validator:
    """The schema with its definitions, compiled as the service compiles it; fetches nothing."""
    whole = value(schema) | {"$defs": named(definitions)}
    return jsonschema_rs.Draft202012Validator(whole, pattern_options=jsonschema_rs.RegexOptions(), offline=True)
