"""Objects in a place for another kind of object. They are reported where they are used, and accepted if they can have
only one meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from openapi_mcp_server.openapi.pointers import tokens
from openapi_mcp_server.openapi.reading.objects import NOTHING, is_there
from openapi_mcp_server.openapi.references.resolve import Located, opened

SECTIONS: Mapping[str, str] = {
    "schemas": "schema",
    "definitions": "schema",
    "parameters": "parameter",
    "requestBodies": "request body",
    "responses": "response",
    "headers": "header",
    "pathItems": "path item",
    "mediaTypes": "media type",
    "securitySchemes": "security scheme",
    "examples": "example",
    "links": "link",
    "callbacks": "callback",
}
"""The kinds of objects in each section of ``components``, and those of Swagger 2.0 at the document's root."""
_SCHEMA_KEYWORDS = frozenset(
    {"type", "properties", "items", "allOf", "anyOf", "oneOf", "enum", "const", "additionalProperties", "format"}
)


def stray(at: Located, target: Located, wanted: str) -> str | None:
    """The fault of a reference at ``at`` that leads to another section than that of ``wanted``; None if it has none.

    Targets outside of sections have no known kind, and are not judged.
    """
    if target.pointer == at.pointer:
        return None
    found = SECTIONS.get(_section(target.pointer), wanted)
    return None if found == wanted else f"refers to the {found} {target.pointer}, which is no {wanted}"


@lru_cache(1_024)
def _section(pointer: str) -> str:
    """The section that a value stands in; empty if none. The result is cached, since operations refer to the same
    few."""
    path = tokens(pointer)
    return path[1] if path[0] == "components" and len(path) == 3 else path[0] if len(path) == 2 else ""


def misplaced_schema(at: Located) -> Located | None:
    """The schema that stands, as the object itself or as its ``schema``, in the place of a map of media types."""
    members = opened(at.json)
    if not isinstance(members, dict):
        return None
    if is_there(inner := members.get("schema", NOTHING)):
        return at.member(inner, "schema")
    return at if _SCHEMA_KEYWORDS & members.keys() else None
