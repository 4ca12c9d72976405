"""Habits of authors: what people leave out of a schema, or write around one, put into the words that every reader
understands.

Each function edits one converted schema object whose parts are edited already. ``properties`` without ``type`` admits
a text by the letter (2020-12 core, section 10.3.2), and no author means that; a combination of one is lost
on frameworks that make classes of tools.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from openapi_mcp_server.openapi import json_schema
from openapi_mcp_server.openapi.schemas.keywords import are_texts, as_list, as_text, fits

_KINDS = (
    ("object", ("properties", "patternProperties", "additionalProperties", "unevaluatedProperties")),
    ("array", ("items", "prefixItems")),
)
"""Which keywords say which type."""
_OF_OTHERS = ("additionalProperties", "unevaluatedProperties")
_FREE: Sequence[Any] = ({}, True)
"""Schemas that say nothing of other properties: some write it beside a schema of anything."""
_COMBINED = ("allOf", "anyOf", "oneOf")
_SAYING_TYPES = frozenset({"type", "$ref", "enum", "const", "not", *_COMBINED})
_ANNOTATIONS = frozenset({"title", "description", "default", "deprecated", "examples", "xml"})
_BESIDE_REFERENCE = frozenset({"description", "default"})
"""Keywords that many readers take beside ``$ref``."""
_SIMPLE = _ANNOTATIONS | {"type", "enum", "format"}
_DEFAULT_CHARACTERS = 120
_VALUE_CHARACTERS = 60
"""A text of more that has spaces is prose."""
_SEEING_OTHERS = frozenset({"$ref", "if", "dependentSchemas", *_COMBINED})
"""Keywords whose schemas may evaluate properties for ``unevaluatedProperties`` (2020-12 core, section 11.3)."""


def flat(schema: dict[str, Any]) -> dict[str, Any]:
    """A combination of one schema as that schema, as far as what is beside it allows."""
    for keyword in _COMBINED:
        members = schema.get(keyword, ())
        if len(members) == 1:
            beside = {key: value for key, value in schema.items() if key != keyword}
            if _may_join(members[0], beside):
                return flat(members[0] | beside)
    return schema


def _may_join(member: dict[str, Any], beside: dict[str, Any]) -> bool:
    if "$ref" in member:
        return (beside.keys() | member.keys() - {"$ref"}) <= _BESIDE_REFERENCE
    asserted = beside.keys() - _ANNOTATIONS
    return not asserted or (asserted == {"type"} and member.get("type", beside["type"]) == beside["type"])


def tell_rest(schema: dict[str, Any]) -> None:
    """``unevaluatedProperties`` is ``additionalProperties`` where no other schema sees the same object."""
    if "unevaluatedProperties" in schema and "additionalProperties" not in schema and _SEEING_OTHERS.isdisjoint(schema):
        schema["additionalProperties"] = schema.pop("unevaluatedProperties")


def tell_type(schema: dict[str, Any]) -> dict[str, Any]:
    """Adds ``type`` where only one is meant: what has properties is an object, what has items is a list."""
    if "type" in schema or "enum" in schema or "const" in schema:
        return schema
    kinds = [kind for kind, keywords in _KINDS if any(_says_something(schema, keyword) for keyword in keywords)]
    if len(kinds) != 1 or not _all_admit(schema, kinds[0]):
        return schema
    return {"type": kinds[0], **schema}


def _says_something(schema: dict[str, Any], keyword: str) -> bool:
    return keyword in schema and (keyword not in _OF_OTHERS or schema[keyword] not in _FREE)


def _all_admit(schema: dict[str, Any], kind: str) -> bool:
    """Whether what is chosen from or combined beside does not say another type."""
    parts = [part for keyword in _COMBINED for part in schema.get(keyword, ())]
    return all(kind in part.get("type", (kind,)) for part in parts)


def tell_types_of_choices(schema: dict[str, Any]) -> None:
    """Tells that what an object may be beside its properties ("either this member or that") is an object too."""
    if schema.get("type") != "object":
        return
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            schema[keyword] = [
                {"type": "object", **part} if _SAYING_TYPES.isdisjoint(part) else part for part in schema[keyword]
            ]


def unique(values: list[Any]) -> list[Any]:
    """The values once each, by what JSON takes them for."""
    if are_texts(values):
        return list(dict.fromkeys(values))
    seen: dict[bytes, Any] = {}
    for value in values:
        seen.setdefault(as_json(value), value)
    return list(seen.values())


def as_json(value: object) -> bytes:
    return msgspec.json.encode(int(value) if isinstance(value, float) and value.is_integer() else value)


def refuses_default(schema: dict[str, Any]) -> bool:
    """Whether a schema does not take its own ``default``, as far as it can tell without the schemas it refers to."""
    default = schema["default"]
    if not fits(default, as_list(schema.get("type", []))):
        return True
    if "enum" in schema and as_json(default) not in map(as_json, schema["enum"]):
        return True
    if schema.keys() <= _SIMPLE or b'"$ref"' in msgspec.json.encode(schema):
        return False
    return not json_schema.compiled(schema).is_valid(default)


def tell_prose(schema: dict[str, Any]) -> None:
    """A sentence in ``default`` is a description that stands in the wrong place (202 tools of SendGrid's)."""
    default = schema.get("default")
    if isinstance(default, str) and len(default) > _VALUE_CHARACTERS and " " in default and "enum" not in schema:
        del schema["default"]
        schema.setdefault("description", default)


def tell_default(schema: dict[str, Any]) -> None:
    """Tells a default in words. Null and empty text are none."""
    default = schema.pop("default")
    if default not in (None, ""):
        tell(schema, f"Default: {as_text(default)[:_DEFAULT_CHARACTERS]}.")


def tell(schema: dict[str, Any], sentence: str) -> None:
    """Adds a sentence to the description."""
    schema["description"] = f"{schema['description']} {sentence}" if "description" in schema else sentence
