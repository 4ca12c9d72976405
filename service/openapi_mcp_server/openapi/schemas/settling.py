"""Resolves contradictions between a schema and its references, after all of them are converted.

An ``allOf`` admits nothing if one part lists its properties and closes itself while another part has further properties
(2020-12 core, section 10.3.2.3; 115 places in 13 of 2,630 published documents). Its authors mean the properties of all
parts, so it becomes one object with all of them.

A ``type`` beside a combination without values of that type admits nothing, either. Generators write ``type: object``
beside ``oneOf`` of an enumeration and null (springdoc), or beside ``allOf`` of one. The combination is meant.

An ``allOf`` may be part of its own reference (a cat whose mother is a cat with a rank). If it would be merged into
itself, it is listed by its other parts (an object with a rank).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec

from openapi_mcp_server.openapi.model import Schema
from openapi_mcp_server.openapi.pointers import DEFS
from openapi_mcp_server.openapi.schemas import habits
from openapi_mcp_server.openapi.schemas.choices import types_named
from openapi_mcp_server.openapi.schemas.conversion import NEGATING, NOT_EXACT
from openapi_mcp_server.openapi.schemas.keywords import SCHEMAS_BY_NAME, WITHOUT_SCHEMAS
from openapi_mcp_server.openapi.schemas.merging import top_level

_REF = re.compile(rb'"\$ref":"#/\$defs/([A-Za-z0-9._-]+)"')
_OPEN: tuple[object, ...] = (None, True, {})
_COMBINED = ("allOf", "anyOf", "oneOf")
_MERGED = "a part of allOf closes itself against the properties of another; all parts were taken for one object"
_OF_OTHER_TYPE = "no value is of this type and of what is combined beside it; the type was left out"
_ALL = frozenset({"object", "array", "string", "number", "boolean", "null"})
_NULL = frozenset({"null"})

MAX_WITHIN = 3
"""The most merged objects within each other; deeper ones are listed as any object."""
MAX_STEPS = 40
"""The most references in a chain that are followed to classify a schema, far below the limit of Python's stack."""
MAX_MERGED_BYTES = 4 << 20
"""The most bytes of JSON of all merged objects of a direction, since they repeat their references; later ones are
listed as any object."""
_ANY_OBJECT = {"type": "object"}
_CLOSING = frozenset({"additionalProperties", "unevaluatedProperties"})
_TOO_MUCH = f"all parts of such allOf before this one take over {MAX_MERGED_BYTES:,} bytes; any object is taken here"

Path = tuple[str | int, ...]
Tell = Callable[[Path, str], None]


class Outline(msgspec.Struct, frozen=True, gc=False):
    """``names`` are the properties of an object, ``is_closed`` says whether it accepts no others, or none at all;
    ``made_of`` has the definitions that it combines."""

    names: frozenset[str] = frozenset()
    is_closed: bool = False
    made_of: frozenset[str] = frozenset()


class Settling:
    """The definitions of one direction."""

    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self._definitions = definitions
        self._outlines: dict[str, Outline] = {}
        self.loosened: set[str] = set()  # definitions that take more than the document says
        self._leads: dict[str, bool] = {}
        self._types: dict[str, frozenset[str]] = {}
        self._within: list[frozenset[str]] = []  # what each merged object around this place is made of
        self._steps = 0
        self._left = MAX_MERGED_BYTES

    def settled(self, schema: Schema, tell: Tell) -> Schema:
        """The schema without contradictions, as its author meant it. ``tell`` gets the place and the text of each
        repair."""
        before = msgspec.json.decode(schema.json)
        after = self._settled(before, (), tell)
        if after == before:
            return schema
        json = msgspec.json.encode(after)
        refs = {name.decode() for name in _REF.findall(json)}
        return Schema(msgspec.Raw(json), tuple(sorted(refs & self._definitions.keys())))

    def _settled(self, value: Any, path: Path, tell: Tell) -> Any:  # noqa: ANN401 - any JSON value
        """Settles a schema, or a container of schemas, with everything below it."""
        if isinstance(value, list):
            return [self._settled(each, (*path, index), tell) for index, each in enumerate(value)]
        if not isinstance(value, dict):
            return value
        if "allOf" in value and self._contradicts_itself(value):
            tell(path, _MERGED if self._left >= 0 else _TOO_MUCH)
            return self._merged(value, path)
        return self._repaired(value, path, tell)

    def _repaired(self, value: dict[str, Any], path: Path, tell: Tell) -> dict[str, Any]:
        """Settles the ``allOf`` of a schema, and everything below it."""
        for keyword in NEGATING & value.keys():
            if self._is_loosened(value[keyword]):
                tell((*path, keyword), NOT_EXACT)
                value = {key: each for key, each in value.items() if key != keyword}
        if "type" in value and self._is_of_other_type(value):
            tell((*path, "type"), _OF_OTHER_TYPE)
            value = self._without_type(value)
        if "default" in value and self._refuses_default(value):
            value = dict(value)
            habits.tell_default(value)
        settled = NEGATING & value.keys()  # as they are, since none is left that would change
        return {
            key: each if key in settled else self._member(key, each, (*path, key), tell) for key, each in value.items()
        }

    def _is_loosened(self, part: Any) -> bool:  # noqa: ANN401 - a schema
        """Whether a schema accepts more than the document says, itself or through its references."""
        return (bool(self.loosened) and self._leads_to_loosened(part)) or self._settled(part, (), _silent) != part

    def _leads_to_loosened(self, part: Any) -> bool:  # noqa: ANN401 - a schema
        names = {name.decode() for name in _REF.findall(msgspec.json.encode(part))}
        return any(map(self._reaches_loosened, names & self._definitions.keys()))

    def _reaches_loosened(self, name: str) -> bool:
        """Whether a definition leads to a loosened one. All reachable definitions are decided together, so that each is
        visited once."""
        if name not in self._leads:
            below, referrers = self._below(name)
            waiting = [each for each in {*below, *referrers} if each in self.loosened or self._leads.get(each)]
            found = set(waiting)
            while waiting:
                fresh = {each for each in referrers.get(waiting.pop(), ()) if each not in found}
                found |= fresh
                waiting += fresh
            self._leads |= {each: each in found for each in below}
        return self._leads[name]

    def _below(self, name: str) -> tuple[set[str], dict[str, list[str]]]:
        """The undecided definitions that one leads to, and the referrers of each."""
        below, waiting = {name}, [name]
        referrers: dict[str, list[str]] = {}
        while waiting:
            each = waiting.pop()
            for ref in self._definitions[each].refs:
                referrers.setdefault(ref, []).append(each)
                if ref in self._definitions and ref not in self._leads and ref not in below:
                    below.add(ref)
                    waiting.append(ref)
        return below, referrers

    @contextmanager
    def _step(self) -> Iterator[bool]:
        """Goes one reference further; yields whether its target may still be followed."""
        self._steps += 1
        try:
            yield self._steps <= MAX_STEPS
        finally:
            self._steps -= 1

    def _member(self, keyword: str, value: Any, path: Path, tell: Tell) -> Any:  # noqa: ANN401 - any JSON value
        if keyword in SCHEMAS_BY_NAME and isinstance(value, dict):
            return {name: self._settled(each, (*path, name), tell) for name, each in value.items()}
        return value if keyword in WITHOUT_SCHEMAS else self._settled(value, path, tell)

    def _contradicts_itself(self, schema: dict[str, Any]) -> bool:
        own = {key: value for key, value in schema.items() if key != "allOf"}
        parts = [self._outline(part) for part in (own, *schema["allOf"])]
        names = frozenset[str]().union(*(part.names for part in parts))
        return any(part.is_closed and part.names != names for part in parts)

    def _is_of_other_type(self, schema: dict[str, Any]) -> bool:
        own = types_named(schema) - _NULL
        others = self._types_of({key: schema[key] for key in ("$ref", *_COMBINED) if key in schema}) - _NULL
        return bool(own) and bool(others) and own.isdisjoint(others)

    def _without_type(self, schema: dict[str, Any]) -> dict[str, Any]:
        rest = {key: value for key, value in schema.items() if key != "type"}
        return {"anyOf": [rest, {"type": "null"}]} if types_named(schema) - self._types_of(rest) >= _NULL else rest

    def _types_of(self, schema: dict[str, Any]) -> frozenset[str]:
        """The types that its values may have, as far as they are declared; an integer is a number."""
        types = types_named(schema) if "type" in schema else _ALL
        if "$ref" in schema:
            types &= self._types_named(schema["$ref"].removeprefix(DEFS))
        for part in schema.get("allOf", ()):
            types &= self._types_of(part)
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                types &= frozenset[str]().union(*map(self._types_of, schema[keyword]))
        return types

    def _types_named(self, name: str) -> frozenset[str]:
        if name not in self._types:
            self._types[name] = _ALL  # while a cycle is walked
            with self._step() as is_near:
                if is_near:
                    self._types[name] = self._types_of(msgspec.json.decode(self._definitions[name].json))
        return self._types[name]

    def _outline(self, schema: dict[str, Any]) -> Outline:
        properties = schema.get("properties", {})
        parts = [self._outline(part) for part in schema.get("allOf", ())]
        named = [schema["$ref"].removeprefix(DEFS)] if "$ref" in schema else []
        parts += map(self._named, named)
        is_closed = schema.get("additionalProperties") not in _OPEN or schema.get("unevaluatedProperties") is False
        return Outline(
            frozenset(properties).union(*(part.names for part in parts)),
            (is_closed and "patternProperties" not in schema) or any(part.is_closed for part in parts),
            frozenset(named).union(*(part.made_of for part in parts)),
        )

    def _named(self, name: str) -> Outline:
        if name not in self._outlines:
            self._outlines[name] = Outline()  # while a cycle is walked
            with self._step() as is_near:
                if is_near:
                    self._outlines[name] = self._outline(msgspec.json.decode(self._definitions[name].json))
        return self._outlines[name]

    def _merged(self, schema: dict[str, Any], path: Path) -> dict[str, Any]:
        """Merges to one object; keywords that stay beside it may have properties, too."""
        rest = self._without_itself(schema)
        if not rest or len(self._within) == MAX_WITHIN or self._left < 0:
            return _ANY_OBJECT
        made_of = self._outline(rest).made_of
        merged = top_level(Schema(msgspec.Raw(msgspec.json.encode(rest))), self._definitions)
        if rest is not schema:  # other properties may be those of what was left out
            merged = _ANY_OBJECT | {key: each for key, each in merged.items() if key not in _CLOSING}
        self._left -= len(msgspec.json.encode(merged))
        self._within.append(made_of)
        try:
            merged = self._repaired(merged, path, _silent)  # parts below have their own places, and are reported there
        finally:  # after a RecursionError, which costs one schema, others are settled
            self._within.pop()
        if "additionalProperties" in merged and any(keyword in merged for keyword in _COMBINED):
            merged["unevaluatedProperties"] = merged.pop("additionalProperties")
        return merged

    def _without_itself(self, schema: dict[str, Any]) -> dict[str, Any]:
        """A combination without the parts that it would be merged into; empty if nothing is left."""
        around = frozenset[str]().union(*self._within)
        if around.isdisjoint(self._outline(schema).made_of):
            return schema
        own = {key: value for key, value in schema.items() if key not in {"$ref", "allOf"}}
        named = [{"$ref": schema["$ref"]}] if "$ref" in schema else []
        parts = [part for part in (*named, *schema["allOf"]) if around.isdisjoint(self._outline(part).made_of)]
        return own | ({"allOf": parts} if parts else {})

    def _refuses_default(self, schema: dict[str, Any]) -> bool:
        if "$ref" not in schema and "allOf" not in schema:
            return False
        level = top_level(Schema(msgspec.Raw(msgspec.json.encode(schema))), self._definitions)
        return habits.refuses_default({key: level[key] for key in ("type", "enum", "default") if key in level})


def _silent(_path: Path, _repair: str) -> None:
    """Tells nobody."""
