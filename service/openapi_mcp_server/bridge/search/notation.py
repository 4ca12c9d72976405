"""Schemas in TypeScript's notation, which every model knows, and which takes a third to four fifths of the tokens of
JSON Schema.

Definitions keep their names and follow at the end. References are not replaced, so the time is linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from openapi_mcp_server.bridge import text
from openapi_mcp_server.bridge.schemas.edits import decode
from openapi_mcp_server.bridge.schemas.limits import limits, value_shown
from openapi_mcp_server.openapi.pointers import DEFS

ENUM_SHOWN, ENUM_IN_SHORT = 40, 6
"""The most values that are listed in a description of a tool, and in a line about it."""
SMALL_MEMBERS = 4
"""The most members of an object that is written in one line, if they are simple."""
_DEPTH = 4
"""The levels of members that are written in place; deeper ones are separate types in all known documents."""
_LINED = 2
"""The levels of objects with a line for each member."""
_SHORT_DEPTH = 3
_VALUE_SHOWN = 60
_PROSE_SHOWN = 240
_TYPES = {"integer": "int", "boolean": "bool"}
_FORMATS = frozenset({"date", "date-time", "time", "email", "uri", "uuid", "ipv4", "ipv6", "duration", "hostname"})
_DATES = frozenset({"date", "date-time", "time"})
_BYTES = frozenset({"binary", "byte"})
_WORD = re.compile(r"[A-Za-z_][\w.-]{0,40}")

_JOINED = {"anyOf": " | ", "oneOf": " | ", "allOf": " & "}

Schema = Any
"""A decoded schema: an object or a boolean."""


class Contract(msgspec.Struct, frozen=True, omit_defaults=True):
    """The outermost level of a tool's schema with undecoded parts, since a line needs few of them."""

    properties: dict[str, msgspec.Raw] = {}
    required: tuple[str, ...] = ()
    definitions: dict[str, msgspec.Raw] = msgspec.field(default={}, name="$defs")
    branches: tuple[msgspec.Raw, ...] = msgspec.field(default=(), name="anyOf")

    def argument(self, name: str) -> Schema:
        return decode(self.properties[name])

    def definition(self, name: str) -> Schema:
        return decode(self.definitions[name]) if name in self.definitions else True


contract = msgspec.json.Decoder(Contract).decode


def resolved(schema: Schema, within: Contract) -> Schema:
    """A schema, or its target if it is only a reference; keywords beside the reference are kept."""
    for _ in range(_DEPTH):
        if not isinstance(schema, dict) or not str(schema.get("$ref", "")).startswith(DEFS):
            break
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        found = within.definition(schema["$ref"].removeprefix(DEFS))
        schema = found | beside if isinstance(found, dict) else beside or found
    return schema


def short(schema: Schema, within: Contract, depth: int = _SHORT_DEPTH) -> str:
    """A short form of a schema for a line; empty for a plain string."""
    if depth < 0:
        return "{…}"
    schema = resolved(schema, within)
    if not isinstance(schema, dict):
        return "any"
    if isinstance(values := schema.get("enum"), list):
        return _choice(values, ENUM_IN_SHORT, shown_bare)
    branches = [each for key in ("anyOf", "oneOf") for each in schema.get(key, ())]
    if branches and "type" not in schema and "properties" not in schema:
        return _short_choice(branches, within, depth - 1)
    return _short_kind(schema, within, depth)


def _short_kind(schema: Mapping[str, Any], within: Contract, depth: int) -> str:
    match _types(schema):
        case ["string"]:
            return _short_string(schema)
        case ["array"]:
            return f"{_grouped(short(schema.get('items', True), within, depth - 1) or 'string')}[]"
        case ["object"]:
            return _short_object(schema, within, depth - 1)
        case []:
            return "{…}" if "allOf" in schema or "properties" in schema else "any"
        case types:
            return "|".join(_TYPES.get(each, each) for each in types)


def _short_string(schema: Mapping[str, Any]) -> str:
    """The short form of a string; empty unless a plain word would be refused, as for files and dates."""
    if _is_of_bytes(schema):
        return "base64"
    return schema["format"] if schema.get("format") in _DATES else ""


def _short_choice(branches: Sequence[Schema], within: Contract, depth: int) -> str:
    kinds = dict.fromkeys(short(each, within, depth) or "string" for each in branches[:ENUM_IN_SHORT])
    kinds.pop('""', None)
    kinds.pop("null", None)
    return "|".join(kinds) if len(kinds) > 1 else next((kind if kind != "string" else "" for kind in kinds), "any")


def _short_object(schema: Mapping[str, Any], within: Contract, depth: int) -> str:
    members = schema.get("properties", {})
    if not 0 < len(members) <= SMALL_MEMBERS:
        return "{…}"
    required = schema.get("required", ())
    told = []
    for name, each in members.items():
        kind = short(each, within, depth)
        if "{" in kind:
            return "{…}"
        told.append(_member(name, kind, required))
    return f"{{{', '.join(told)}}}"


def _member(name: str, kind: str, required: Sequence[str]) -> str:
    shown = text.visible(name[:_VALUE_SHOWN]) + ("" if name in required else "?")
    return f"{shown}: {kind}" if kind else shown


def is_simple(schema: Schema, within: Contract) -> bool:
    """Whether a schema fits into one line."""
    kind = short(schema, within)
    return "{" not in kind and kind not in {"any", "any[]"}


class Types:
    """Writes schemas in full; ``met`` are the definitions that they refer to, in order."""

    def __init__(self) -> None:
        self.met: dict[str, None] = {}

    def told(self, schema: Schema, depth: int = _DEPTH) -> str:
        if not isinstance(schema, dict):
            return "never" if schema is False else "any"
        if isinstance(reference := schema.get("$ref"), str) and reference.startswith(DEFS):
            name = reference.removeprefix(DEFS)
            self.met.setdefault(name)
            return name
        if depth < 0:
            return "…"
        values = [schema["const"]] if "const" in schema else schema.get("enum")
        return _choice(values, ENUM_SHOWN, value_shown) if isinstance(values, list) else self._by_form(schema, depth)

    def _by_form(self, schema: Mapping[str, Any], depth: int) -> str:
        for keyword, sign in _JOINED.items():
            if branches := schema.get(keyword):
                return self._joined(branches, sign, schema, depth)
        kinds = [self._kind(name, schema, depth) for name in _types(schema)] or [self._untyped(schema, depth)]
        return " | ".join(dict.fromkeys(kinds))

    def _joined(self, branches: Sequence[Schema], sign: str, schema: Mapping[str, Any], depth: int) -> str:
        told = self._choices(branches, sign, depth)
        if "properties" not in schema:
            return told
        own = self._object(schema, depth)
        return own if told == "any" else f"{own} & {_grouped(told) if sign == ' | ' else told}"

    def _choices(self, branches: Sequence[Schema], sign: str, depth: int) -> str:
        kinds = [_grouped(self.told(each, depth - 1)) for each in branches]
        told = [kind for kind in dict.fromkeys(kinds) if kind != "any" or sign == " | "]
        return sign.join(told) or "any"

    def beside(self, schema: Mapping[str, Any]) -> str:
        """The alternatives that an object must fit beside its members: ``& A & (B | C)``."""
        parts = [
            self._choices(branches, sign, _DEPTH)
            for keyword, sign in _JOINED.items()
            if (branches := schema.get(keyword))
        ]
        return "".join(f" & {_grouped(part) if ' | ' in part else part}" for part in parts if part != "any")

    def _untyped(self, schema: Mapping[str, Any], depth: int) -> str:
        return "any" if {"properties", "required"}.isdisjoint(schema) else self._object(schema, depth)

    def _kind(self, name: str, schema: Mapping[str, Any], depth: int) -> str:
        match name:
            case "object":
                return self._object(schema, depth)
            case "array":
                return f"{_grouped(self.told(schema.get('items', True), depth - 1))}[]"
            case "string":
                return _string(schema)
            case _:
                return _TYPES.get(name, name)

    def _object(self, schema: Mapping[str, Any], depth: int) -> str:
        required = schema.get("required", ())
        told = []
        for name, each in schema.get("properties", {}).items():
            about = limits(each)
            kind = self.told(each, depth - 1)
            told.append(f"{_member(name, kind, required)}{f' /* {about} */' if about else ''}")
        told += [_member(name, "any", required) for name in required if name not in schema.get("properties", {})]
        others = schema.get("additionalProperties")
        if isinstance(others, dict) or (not told and others is not False):
            told.append(f"[name]: {self.told(others if isinstance(others, dict) else True, depth - 1)}")
        return f"{{{'; '.join(told)}}}"


def prose(schema: Schema) -> str:
    said = schema.get("description") if isinstance(schema, dict) else None
    return text.line(said, _PROSE_SHOWN) if isinstance(said, str) else ""


def members(types: Types, schema: Schema, levels: int = _LINED) -> Iterator[str]:
    """The lines of a definition, one for each member of an object."""
    if not isinstance(schema, dict) or not schema.get("properties"):
        yield types.told(schema)
        return
    required = schema.get("required", ())
    yield "{"
    for name, each in schema["properties"].items():
        told = line(name, each, types, required=name in required, levels=levels - 1)
        yield "  " + told.replace("\n", "\n  ")
    yield "}" + types.beside(schema)


def definition(name: str, schema: Schema, types: Types) -> str:
    """A type such as ``Pet = Cat | Dog — kind selects the schema: …``. An object has that of its members."""
    told = f"{name} = " + "\n".join(members(types, schema))
    if not isinstance(schema, dict) or schema.get("properties"):
        return told
    return f"{told}{_remarks(schema)}"


def line(name: str, schema: Schema, types: Types, *, required: bool, levels: int = _LINED) -> str:
    """A line such as ``amount?: int (≥ 0) — How much to refund.`` Members with prose have lines of their own."""
    told = _member(name, _lined(schema, types, levels), (name,) if required else ())
    return f"{told}{_remarks(schema)}"


def _remarks(schema: Schema) -> str:
    """The limits of a schema, and its description."""
    about, said = limits(schema), prose(schema)
    return f"{f' ({about})' if about else ''}{f' — {said}' if said else ''}"


def _lined(schema: Schema, types: Types, levels: int) -> str:
    """A schema; an object or a list of objects has a line for each member, if any member has prose."""
    if levels > 0 and isinstance(schema, dict) and "$ref" not in schema:
        if any(map(prose, schema.get("properties", {}).values())):
            return "\n".join(members(types, schema, levels))
        if _types(schema) == ["array"] and "\n" in (items := _lined(schema.get("items"), types, levels)):
            return f"{items}[]" if items.endswith("}") else f"({items})[]"
    return types.told(schema)


def _types(schema: Mapping[str, Any]) -> list[str]:
    declared = schema.get("type", [])
    return [declared] if isinstance(declared, str) else [each for each in declared if each != "null"] or [*declared]


def _is_of_bytes(schema: Mapping[str, Any]) -> bool:
    return "contentEncoding" in schema or schema.get("format") in _BYTES


def _string(schema: Mapping[str, Any]) -> str:
    if _is_of_bytes(schema):
        return "base64"
    return f"string({schema['format']})" if schema.get("format") in _FORMATS else "string"


def _choice(values: Sequence[object], most: int, shown: Callable[[object], str]) -> str:
    more = f"|…{len(values) - most} more" if len(values) > most else ""
    return "|".join(shown(value) for value in values[:most] if value is not None) + more


def shown_bare(value: object) -> str:
    """A value without quotes, if the meaning stays clear."""
    return value if isinstance(value, str) and _WORD.fullmatch(value) else value_shown(value)


def _grouped(kind: str) -> str:
    return f"({kind})" if "|" in kind or " & " in kind else kind
