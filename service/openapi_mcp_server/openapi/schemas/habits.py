"""Habits of authors, such as missing or redundant parts of a schema, put into words that every reader understands.

Each function edits one converted schema object whose parts are edited already. Formally, ``properties`` without
``type`` admits a text (2020-12 core, section 10.3.2), but no author means that. Frameworks that turn tools into classes
lose a combination of one schema.
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
"""The keywords that imply each type."""
_OF_OTHERS = ("additionalProperties", "unevaluatedProperties")
_FREE: Sequence[Any] = ({}, True)
"""Schemas that allow any other property; some authors write them beside a schema of anything."""
_COMBINED = ("allOf", "anyOf", "oneOf")
_SAYING_TYPES = frozenset({"type", "$ref", "enum", "const", "not", *_COMBINED})
_ANNOTATIONS = frozenset({"title", "description", "default", "deprecated", "examples", "xml"})
_BESIDE_REFERENCE = frozenset({"description", "default"})
"""Keywords that many readers accept beside ``$ref``."""
_SIMPLE = _ANNOTATIONS | {"type", "enum", "format"}
_DEFAULT_CHARACTERS = 120
_VALUE_CHARACTERS = 60
"""A longer text with spaces is prose."""
_SEEING_OTHERS = frozenset({"$ref", "if", "dependentSchemas", *_COMBINED})
"""Keywords whose schemas may evaluate properties for ``unevaluatedProperties`` (2020-12 core, section 11.3)."""


def flat(schema: dict[str, Any]) -> dict[str, Any]:
    """Replaces a combination of one schema by that schema, if the keywords beside it allow it."""
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


def drop_repeated_title(schema: dict[str, Any], name: str) -> None:
    """Drops a title that only repeats the name of a property, a parameter or a definition. Pydantic writes one at each:
    they are 6.7 % of the bytes of tools for FastAPI's examples, and tell a model nothing."""
    title = schema.get("title")
    if isinstance(title, str) and _letters(title) == _letters(name):
        del schema["title"]


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold()


def tell_rest(schema: dict[str, Any]) -> None:
    """Turns ``unevaluatedProperties`` into ``additionalProperties`` if no other schema sees the same object."""
    if "unevaluatedProperties" in schema and "additionalProperties" not in schema and _SEEING_OTHERS.isdisjoint(schema):
        schema["additionalProperties"] = schema.pop("unevaluatedProperties")


def tell_type(schema: dict[str, Any]) -> dict[str, Any]:
    """Adds ``type`` if only one can be meant: a schema with properties is an object, one with items a list."""
    if "type" in schema or "enum" in schema or "const" in schema:
        return schema
    kinds = [kind for kind, keywords in _KINDS if any(_says_something(schema, keyword) for keyword in keywords)]
    if len(kinds) != 1 or not _all_admit(schema, kinds[0]):
        return schema
    return {"type": kinds[0], **schema}


def _says_something(schema: dict[str, Any], keyword: str) -> bool:
    return keyword in schema and (keyword not in _OF_OTHERS or schema[keyword] not in _FREE)


def _all_admit(schema: dict[str, Any], kind: str) -> bool:
    """Whether no alternative or combined part has another type."""
    parts = [part for keyword in _COMBINED for part in schema.get(keyword, ())]
    return all(kind in part.get("type", (kind,)) for part in parts)


def tell_types_of_choices(schema: dict[str, Any]) -> None:
    """Adds the type object to alternatives beside an object's properties ("either this member or that")."""
    if schema.get("type") != "object":
        return
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            schema[keyword] = [
                {"type": "object", **part} if _SAYING_TYPES.isdisjoint(part) else part for part in schema[keyword]
            ]


def unique(values: list[Any]) -> list[Any]:
    """The values without repetitions, compared as JSON."""
    if are_texts(values):
        return list(dict.fromkeys(values))
    seen: dict[bytes, Any] = {}
    for value in values:
        seen.setdefault(as_json(value), value)
    return list(seen.values())


def as_json(value: object) -> bytes:
    return msgspec.json.encode(int(value) if isinstance(value, float) and value.is_integer() else value)


def refuses_default(schema: dict[str, Any]) -> bool:
    """Whether a schema refuses its own ``default``, as far as can be told without its references."""
    default = schema["default"]
    if not fits(default, as_list(schema.get("type", []))):
        return True
    if "enum" in schema and as_json(default) not in map(as_json, schema["enum"]):
        return True
    if schema.keys() <= _SIMPLE or b'"$ref"' in msgspec.json.encode(schema):
        return False
    return not json_schema.compiled(schema).is_valid(default)


def tell_prose(schema: dict[str, Any]) -> None:
    """Moves a sentence in ``default`` to the description, where it belongs (202 tools of SendGrid)."""
    default = schema.get("default")
    if isinstance(default, str) and len(default) > _VALUE_CHARACTERS and " " in default and "enum" not in schema:
        del schema["default"]
        schema.setdefault("description", default)


def tell_default(schema: dict[str, Any]) -> None:
    """Writes a default in words. Null and empty text do not count as defaults."""
    default = schema.pop("default")
    if default not in (None, ""):
        tell(schema, f"Default: {as_text(default)[:_DEFAULT_CHARACTERS]}.")


def tell(schema: dict[str, Any], sentence: str) -> None:
    """Adds a sentence to the description."""
    schema["description"] = f"{schema['description']} {sentence}" if "description" in schema else sentence
