"""The rules by which model APIs take or refuse a tool, from their published pages, and what they say of a tool.

An MCP client hands a tool's name, description and input schema on to the API of its model; one that is refused costs
the whole request. Each rule has the page it is from.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

Schema = dict[str, Any]

_TYPES = {"string", "number", "integer", "boolean", "array", "object"}
_OF_GEMINI = {
    "type", "format", "title", "description", "nullable", "enum", "maxItems", "minItems", "properties", "required",
    "minProperties", "maxProperties", "minLength", "maxLength", "pattern", "example", "anyOf", "propertyOrdering",
    "default", "items", "minimum", "maximum",
}  # fmt: skip
_COMBINED = {"oneOf", "allOf", "anyOf"}
_NOT_IN_STRICT = {"allOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas"}


class Seen(NamedTuple):
    """What a model's API is given of a tool."""

    name: str
    description: str
    root: Schema
    levels: list[tuple[str, Schema]]  # every schema with its place, the root first


class Rule(NamedTuple):
    api: str
    page: str
    says: str
    broken: Callable[[Seen], Iterator[str]]  # places


def _matches(pattern: str) -> Callable[[Seen], Iterator[str]]:
    return lambda seen: iter([] if re.fullmatch(pattern, seen.name) else ["name"])


def _keys_match(pattern: str) -> Callable[[Seen], Iterator[str]]:
    return lambda seen: (name for name in seen.root.get("properties", {}) if not re.fullmatch(pattern, name))


def _at_root(is_right: Callable[[Schema], bool]) -> Callable[[Seen], Iterator[str]]:
    return lambda seen: iter([] if is_right(seen.root) else ["root"])


def _everywhere(is_right: Callable[[Schema], bool]) -> Callable[[Seen], Iterator[str]]:
    return lambda seen: (place for place, schema in seen.levels if not is_right(schema))


def _below(is_right: Callable[[Schema], bool]) -> Callable[[Seen], Iterator[str]]:
    """Not at the root: clients leave ``parameters`` out where a tool has none, MCP wants an object."""
    return lambda seen: (place for place, schema in seen.levels[1:] if not is_right(schema))


def _at_most(count: Callable[[Seen], int], limit: int) -> Callable[[Seen], Iterator[str]]:
    return lambda seen: iter([] if count(seen) <= limit else ["the whole"])


def _depth(schema: Any) -> int:  # noqa: ANN401 - any JSON value
    if not isinstance(schema, dict):
        return 0
    below = max((_depth(part) for part in _parts(schema).values()), default=0)
    return below + ("properties" in schema)


def _parts(schema: Schema) -> dict[str, Any]:
    """Subschemas by their places, in every keyword that has some."""
    found: dict[str, Any] = {}
    for key, value in schema.items():
        if key in {"properties", "patternProperties", "$defs", "dependentSchemas"} and isinstance(value, dict):
            found |= {f"{key}/{name}": part for name, part in value.items()}
        elif key in {*_COMBINED, "prefixItems"} and isinstance(value, list):
            found |= {f"{key}/{index}": part for index, part in enumerate(value)}
        elif key in {"items", "additionalProperties", "not", "contains", "propertyNames", "if", "then", "else"}:
            found[key] = value
    return found


def _values(seen: Seen) -> list[Any]:
    return [value for _, schema in seen.levels for value in schema.get("enum", ())]


def _characters(seen: Seen) -> int:
    names = [name for _, schema in seen.levels for name in schema.get("properties", {})]
    return sum(map(len, [*names, *(value for value in _values(seen) if isinstance(value, str))]))


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


_FUNCTIONS = "OpenAI, API reference, Function object"
_SCHEMAS = "OpenAI, Structured model outputs, Supported schemas"
_GEMINI_SCHEMA = "Gemini API, Caching, Schema"
_DECLARATION = "Vertex AI, REST reference, FunctionDeclaration"
_BEDROCK = "Amazon Bedrock, API reference, ToolSpecification"
_NOVA = "Amazon Nova, Tool use, Defining a tool"
_ANTHROPIC = "Anthropic, Tool use, Define tools"

RULES = (
    Rule("OpenAI", _FUNCTIONS, "names have letters, digits, _ and -, 64 at most", _matches(r"[a-zA-Z0-9_-]{1,64}")),
    Rule("OpenAI", _FUNCTIONS, "1,024 characters of description", _at_most(lambda seen: len(seen.description), 1_024)),
    Rule("OpenAI", _SCHEMAS, "the root is an object with properties", _at_root(
        lambda root: root.get("type") == "object" and isinstance(root.get("properties"), dict))),
    Rule("OpenAI", _SCHEMAS, "the root is no choice", _at_root(_COMBINED.isdisjoint)),
    Rule("OpenAI", _SCHEMAS, "a list has items", _everywhere(
        lambda schema: schema.get("type") != "array" or isinstance(schema.get("items"), dict))),
    Rule("OpenAI", _SCHEMAS, "10 objects within each other", _at_most(lambda seen: _depth(seen.root), 10)),
    Rule("OpenAI", _SCHEMAS, "5,000 properties", _at_most(
        lambda seen: sum(len(schema.get("properties", {})) for _, schema in seen.levels), 5_000)),
    Rule("OpenAI", _SCHEMAS, "1,000 values in enumerations", _at_most(lambda seen: len(_values(seen)), 1_000)),
    Rule("OpenAI", _SCHEMAS, "120,000 characters in names and values", _at_most(_characters, 120_000)),
    Rule("OpenAI", _SCHEMAS, "15,000 characters in an enumeration of more than 250 values", _everywhere(
        lambda schema: len(schema.get("enum", ())) <= 250 or sum(map(len, map(str, schema["enum"]))) <= 15_000)),
    Rule("OpenAI", _SCHEMAS, "no allOf, not, if, dependentRequired", _everywhere(_NOT_IN_STRICT.isdisjoint)),
    Rule("Gemini", _DECLARATION, "names begin with a letter or _", _matches(r"[a-zA-Z_][a-zA-Z0-9_.-]{0,63}")),
    Rule("Gemini", _DECLARATION, "so do arguments, without dots and dashes", _keys_match(
        r"[a-zA-Z_][a-zA-Z0-9_]{0,63}")),
    Rule("Gemini", _GEMINI_SCHEMA, "no other keywords", _everywhere(lambda schema: schema.keys() <= _OF_GEMINI)),
    Rule("Gemini", _GEMINI_SCHEMA, "one type everywhere", _everywhere(lambda schema: schema.get("type") in _TYPES)),
    Rule("Gemini", _GEMINI_SCHEMA, "enumerations of text that is not empty, in strings", _everywhere(
        lambda schema: "enum" not in schema or (
            schema.get("type") == "string" and bool(schema["enum"]) and all(map(_is_text, schema["enum"]))))),
    Rule("Gemini", _GEMINI_SCHEMA, "no value twice", _everywhere(
        lambda schema: len(set(map(str, schema.get("enum", ())))) == len(schema.get("enum", ())))),
    Rule("Gemini", _GEMINI_SCHEMA, "text has no format but enum and date-time", _everywhere(
        lambda schema: schema.get("type") != "string" or schema.get("format", "enum") in {"enum", "date-time"})),
    Rule("Gemini", _GEMINI_SCHEMA, "anyOf stands alone", _everywhere(
        lambda schema: "anyOf" not in schema or schema.keys() == {"anyOf"})),
    Rule("Gemini", _GEMINI_SCHEMA, "an object has properties", _below(
        lambda schema: schema.get("type") != "object" or bool(schema.get("properties")))),
    Rule("Gemini", _GEMINI_SCHEMA, "what is required is a property of an object", _everywhere(
        lambda schema: set(schema.get("required", ())) <= set(schema.get("properties", ())))),
    Rule("Gemini", _GEMINI_SCHEMA, "a list has items of a type", _everywhere(
        lambda schema: schema.get("type") != "array" or "type" in schema.get("items", {}))),
    Rule("Bedrock", _BEDROCK, "names have letters, digits, _ and -, 64 at most", _matches(r"[a-zA-Z0-9_-]{1,64}")),
    Rule("Bedrock", _BEDROCK, "there is a description", _at_most(lambda seen: not seen.description, 0)),
    Rule("Bedrock", _NOVA, "the root has type, properties and required only", _at_root(
        lambda root: root.keys() <= {"type", "properties", "required"} and root.get("type") == "object")),
    Rule("Anthropic", _ANTHROPIC, "names have letters, digits, _ and -, 64 at most", _matches(r"[a-zA-Z0-9_-]{1,64}")),
    Rule("Anthropic", _ANTHROPIC, "the root is an object", _at_root(lambda root: root.get("type") == "object")),
    Rule("Anthropic", _ANTHROPIC, "no oneOf, allOf, anyOf at the root", _at_root(_COMBINED.isdisjoint)),
    Rule("Anthropic", _ANTHROPIC, "arguments have letters, digits, _, . and -", _keys_match(r"[a-zA-Z0-9_.-]{1,64}")),
)  # fmt: skip
"""The bounds of OpenAI's schemas are those of its strict mode: others are not published."""


def refusals(entry: bytes | msgspec.Raw) -> list[str]:
    """Why an element of tools/list would be refused, a rule and a place each; empty if every API takes it."""
    told: Mapping[str, Any] = msgspec.json.decode(entry)
    root = told["inputSchema"]
    seen = Seen(told["name"], told.get("description", ""), root, [*_levels("", root)])
    return [f"{rule.api}, {rule.says}: {place}" for rule in RULES for place in rule.broken(seen)]


def _levels(place: str, schema: Any) -> Iterator[tuple[str, Schema]]:  # noqa: ANN401 - any JSON value
    schema = schema if isinstance(schema, dict) else {"a boolean schema": schema}
    yield place or "root", schema
    for name, part in _parts(schema).items():
        yield from _levels(f"{place}/{name}", part)
