"""Decides by its schema how a value becomes bytes: as a file, as base64 text or as JSON.

OpenAPI 3.0 uses ``format`` (``binary``, ``byte``), 3.1 ``contentEncoding``, ``contentMediaType`` and the absence of
``type`` (sections "Working With Binary Data" and "Considerations for File Uploads").
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
"""Keywords that do not constrain a schema without a type, which means raw bytes in 3.1."""

Outline = Mapping[str, Any]
"""The outermost level of a schema, see `top_level`."""


def outline_of(schema: Schema | None, definitions: Mapping[str, Schema]) -> Outline:
    """The outermost level; empty if there is no schema."""
    return {} if schema is None else top_level(schema, definitions)


def part_of(outline: Outline, keyword: str, definitions: Mapping[str, Schema]) -> Outline:
    """The outermost level of the schema at ``outline[keyword]``; empty if there is none."""
    part = outline.get(keyword)
    return top_level(schema_from(part), definitions) if isinstance(part, dict) else {}


def schema_from(decoded: object, refs: tuple[str, ...] = ()) -> Schema:
    """A decoded subschema as a schema of its own."""
    return Schema(msgspec.Raw(msgspec.json.encode(decoded)), refs)


def may_be(outline: Outline, json_type: str) -> bool:
    """Whether the schema's own ``type`` admits it; a schema without a type admits everything."""
    declared = outline.get("type")
    return declared is None or json_type == declared or (isinstance(declared, list) and json_type in declared)


def alternatives(outline: Outline, definitions: Mapping[str, Schema]) -> list[Outline]:
    """The branches of ``anyOf`` and ``oneOf``; the schema itself if it has none."""
    branches = [*outline.get("anyOf", ()), *outline.get("oneOf", ())]
    outlines: list[Outline] = [
        top_level(schema_from(branch), definitions) for branch in branches if isinstance(branch, dict)
    ]
    return outlines or [outline]


def without_parts(outline: Outline) -> Outline:
    """One level of a schema for the functions below, without its parts, since many properties may share a large
    schema."""
    return {key: None if key != "type" and isinstance(value, dict | list) else value for key, value in outline.items()}


def are_files(outlines: Iterable[Outline]) -> bool:
    """Whether a string value stands for raw bytes.

    Every string alternative must say so; otherwise text and base64 could not be distinguished.
    """
    strings = [outline for outline in outlines if may_be(outline, "string")]
    return bool(strings) and all(map(_is_raw, strings))


def say_bytes(outlines: Iterable[Outline]) -> bool:
    """Whether a value is explicitly a string that stands for raw bytes, and nothing else."""
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
    """Whether the value is base64 text that is sent as it is."""
    return outline.get("format") == "byte" or outline.get("contentEncoding") == "base64" or is_base64url(outline)


def is_base64url(outline: Outline) -> bool:
    """Whether this base64 has the alphabet for URLs (RFC 4648 section 5)."""
    return outline.get("contentEncoding") == "base64url"


def _is_raw(outline: Outline) -> bool:
    if not may_be(outline, "string") or is_base64(outline):
        return False
    if outline.get("format") == "binary" or outline.get("contentEncoding") == "binary":
        return True
    if isinstance(media_type := outline.get("contentMediaType"), str):
        return row(essence(media_type)).read not in {"json", "text"}
    return is_open(outline)
