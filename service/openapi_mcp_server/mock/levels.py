"""One level of a JSON Schema: all that several schemas together say of one value, as one object.

Beside the keywords of JSON Schema it has ``patterns``, since a text may have to match more than one.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from openapi_mcp_server.openapi.json_schema import Validator, compiled
from openapi_mcp_server.openapi.schemas.keywords import as_list

Schema = dict[str, Any] | bool

_SMALLEST = frozenset({"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"})
_LARGEST = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains"})
_BOTH = frozenset({"items", "additionalProperties", "contains", "propertyNames", "unevaluatedProperties"})
_TYPES = (
    ("object", ("properties", "required", "additionalProperties", "minProperties", "patternProperties")),
    ("array", ("items", "prefixItems", "minItems", "uniqueItems", "contains")),
    ("string", ("pattern", "minLength", "maxLength", "format")),
    ("number", ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")),
)
"""The type that a schema without one seems to mean."""


class NoValueError(Exception):
    """No value was found, and why."""


def merge(level: dict[str, Any], part: dict[str, Any]) -> None:
    """Adds to a level what one more schema says; references and combinations are for the caller to follow."""
    for key, value in part.items():
        match key:
            case "$ref" | "$defs" | "allOf" | "anyOf" | "oneOf":
                pass
            case "properties":
                own = level.get(key, {})
                level[key] = own | {
                    name: {"allOf": [own[name], each]} if name in own else each for name, each in value.items()
                }
            case "required":
                level[key] = list(dict.fromkeys([*level.get(key, ()), *value]))
            case "type":
                both = types({key: as_list(value)})
                level[key] = [each for each in types(level) if each in both] if key in level else both
            case "enum":
                level[key] = [each for each in level.get(key, value) if each in value]
            case "pattern" | "patterns":
                level["patterns"] = level.get("patterns", []) + as_list(value)
            case _ if key in _SMALLEST | _LARGEST:
                level[key] = (min if key in _SMALLEST else max)(level.get(key, value), value)
            case _ if key in _BOTH and key in level:
                level[key] = {"allOf": [level[key], value]}
            case _:
                level.setdefault(key, value)


def told_apart(choices: list[Schema]) -> list[Schema]:
    """The choices of a ``oneOf`` or ``anyOf``: first those that a discriminator names, with their names, then as they
    are.

    What `openapi_mcp_server.openapi.schemas.discriminators` writes of a choice is what it refuses: every value but its
    own, or the values of the others. Its own are then those that only the others refuse.
    """
    refused = [_refused(each) for each in choices]
    names = [value for _, values, is_own in filter(None, refused) if not is_own for value in values]
    told: list[Schema] = []
    for choice, found in zip(choices, refused, strict=True):
        if found is None:
            told.append(choice)
            continue
        name, values, is_own = found
        own = values if is_own else [each for each in dict.fromkeys(names) if each not in values]
        if own:
            told.append({"allOf": [choice, {"properties": {name: {"anyOf": [{"const": each} for each in own]}}}]})
    return told if told == choices else [*told, *choices]


def _refused(choice: Schema) -> tuple[str, list[Any], bool] | None:
    """The property by whose value a choice refuses, the values, and whether they are those that it does not refuse."""
    match choice:
        case {"not": {"properties": dict() as members, "required": [str() as name]}}:
            match members.get(name):
                case {"not": {"enum": list() as values}}:
                    return name, _scalars(values), True
                case {"enum": list() as values}:
                    return name, _scalars(values), False
    return None


def _scalars(values: list[Any]) -> list[Any]:
    return [each for each in values if not isinstance(each, dict | list)]


def types(level: dict[str, Any]) -> list[str]:
    """The types that a value may have, null as the last; a number may be whole."""
    if "type" in level:
        listed = [each for kind in level["type"] for each in ([kind, "integer"] if kind == "number" else [kind])]
        if not listed:
            raise NoValueError("no type is left")
        return sorted(listed, key=lambda kind: kind == "null")
    return [next((kind for kind, keys in _TYPES if not level.keys().isdisjoint(keys)), "string")]


def property_of(level: dict[str, Any], name: str) -> Schema:
    """All that a level says of one property."""
    parts = [level["properties"][name]] if name in level.get("properties", {}) else []
    parts += [part for pattern, part in level.get("patternProperties", {}).items() if _matches(pattern, name)]
    if not parts:
        rest: Schema = level.get("additionalProperties", True)
        return rest
    return parts[0] if len(parts) == 1 else {"allOf": parts}


def _matches(pattern: str, name: str) -> bool:
    """Whether a pattern matches, found in linear time: a document may hold any expression."""
    validator = _compiled(pattern)
    return validator is not None and validator.is_valid(name)


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Validator | None:
    try:
        return compiled({"pattern": pattern})
    except ValueError:
        return None
