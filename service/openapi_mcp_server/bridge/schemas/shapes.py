"""The bytes that a request's value becomes, as its schema says: a file, base64 text, or what JSON has.

OpenAPI 3.0 says it by ``format`` (``binary``, ``byte``), 3.1 by ``contentEncoding``, ``contentMediaType`` and the
absence of ``type`` (sections "Working With Binary Data" and "Considerations for File Uploads").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from openapi_mcp_server.bridge.media.table import row
from openapi_mcp_server.grammar import essence
from openapi_mcp_server.openapi.model import Schema
from openapi_mcp_server.openapi.schemas.merging import top_level

_ANNOTATIONS = frozenset(
    {"title", "description", "example", "examples", "deprecated", "maxLength", "$comment", "writeOnly"}
)
"""Keywords that leave a schema without a type as unconstrained as an empty one: raw bytes, in 3.1."""

Outline = Mapping[str, Any]
"""The outermost level of a schema, see `top_level`."""


def outline_of(schema: Schema | None, definitions: Mapping[str, Schema]) -> Outline:
    """The outermost level; empty where there is no schema."""
    return {} if schema is None else top_level(schema, definitions)


def part_of(outline: Outline, keyword: str, definitions: Mapping[str, Schema]) -> Outline:
    """The outermost level of the schema at ``outline[keyword]``; empty where there is none."""
    part = outline.get(keyword)
    return top_level(schema_from(part), definitions) if isinstance(part, dict) else {}


def schema_from(decoded: object, refs: tuple[str, ...] = ()) -> Schema:
    """A decoded subschema as a schema of its own."""
    return Schema(msgspec.Raw(msgspec.json.encode(decoded)), refs)


def may_be(outline: Outline, json_type: str) -> bool:
    """Whether the schema's own ``type`` admits it; silence admits everything."""
    declared = outline.get("type")
    return declared is None or json_type == declared or (isinstance(declared, list) and json_type in declared)


def alternatives(outline: Outline, definitions: Mapping[str, Schema]) -> list[Outline]:
    """The branches of ``anyOf`` and ``oneOf``; the schema itself where it has none."""
    branches = [*outline.get("anyOf", ()), *outline.get("oneOf", ())]
    outlines: list[Outline] = [
        top_level(schema_from(branch), definitions) for branch in branches if isinstance(branch, dict)
    ]
    return outlines or [outline]


def without_parts(outline: Outline) -> Outline:
    """One level of a schema, kept for the functions below: many properties may refer to one large schema."""
    return {key: None if key != "type" and isinstance(value, dict | list) else value for key, value in outline.items()}


def are_files(outlines: Iterable[Outline]) -> bool:
    """Whether a string value stands for bytes that travel raw.

    Every alternative that is a string must say so: else text and base64 could not be told apart.
    """
    strings = [outline for outline in outlines if may_be(outline, "string")]
    return bool(strings) and all(map(_is_raw, strings))


def say_bytes(outlines: Iterable[Outline]) -> bool:
    """Whether a value can only be a string that stands for raw bytes, in so many words."""
    others = [outline for outline in outlines if outline.get("type") != "null"]
    return bool(others) and all(
        _is_only_string(outline) and "binary" in (outline.get("format"), outline.get("contentEncoding"))
        for outline in others
    )


def _is_only_string(outline: Outline) -> bool:
    declared = outline.get("type")
    return declared == "string" or (isinstance(declared, list) and {"string"} == {*declared} - {"null"})


def is_open(outline: Outline) -> bool:
    """Whether the schema constrains nothing."""
    return outline.keys() <= _ANNOTATIONS


def is_base64(outline: Outline) -> bool:
    """Whether the value is base64 text that travels as it is."""
    return outline.get("format") == "byte" or outline.get("contentEncoding") == "base64" or is_base64url(outline)


def is_base64url(outline: Outline) -> bool:
    """Whether that base64 is of the alphabet for URLs (RFC 4648 section 5)."""
    return outline.get("contentEncoding") == "base64url"


def _is_raw(outline: Outline) -> bool:
    if not may_be(outline, "string") or is_base64(outline):
        return False
    if outline.get("format") == "binary" or outline.get("contentEncoding") == "binary":
        return True
    if isinstance(media_type := outline.get("contentMediaType"), str):
        return row(essence(media_type)).read not in {"json", "text"}
    return is_open(outline)
