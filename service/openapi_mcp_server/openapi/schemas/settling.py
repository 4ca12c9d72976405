"""The facts that only a schema together with those that it refers to can tell, settled once all of them are converted.

An ``allOf`` one of whose parts names its properties and closes itself, while another part names others, admits nothing
(2020-12 core, section 10.3.2.3; 115 places in 13 of 2,630 published documents). Its authors mean the properties of all
parts, so that it becomes one object with them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from openapi_mcp_server.openapi.model import Schema
from openapi_mcp_server.openapi.schemas import habits
from openapi_mcp_server.openapi.schemas.merging import top_level

MOST_WITHIN = 3
"""Objects that were made of ``allOf`` within each other: what is made brings more of the same where a schema leads to
itself."""
MOST_MADE = 200
"""Objects that are made in one schema: each brings copies of the schemas that it is made of."""
_REF = re.compile(rb'"\$ref":"#/\$defs/([A-Za-z0-9._-]+)"')
_HOME = "#/$defs/"
_OPEN: tuple[object, ...] = (None, True, {})
_COMBINED = ("allOf", "anyOf", "oneOf")

Path = tuple[str | int, ...]


class Outline(msgspec.Struct, frozen=True):
    """``names`` are the properties of an object, ``is_closed`` says whether it takes no others, or none of any kind."""

    names: frozenset[str] = frozenset()
    is_closed: bool = False


class Settling:
    """The definitions of one direction; ``tell`` gets the place of each ``allOf`` that became one object."""

    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self._definitions = definitions
        self._outlines: dict[str, Outline] = {}
        self._left = MOST_MADE

    def settled(self, schema: Schema, tell: Callable[[Path], None]) -> Schema:
        """The schema with what contradicts itself taken for what it means."""
        before = msgspec.json.decode(schema.json)
        self._left = MOST_MADE
        after = self._settled(before, (), tell, MOST_WITHIN)
        if after == before:
            return schema
        json = msgspec.json.encode(after)
        refs = {name.decode() for name in _REF.findall(json)}
        return Schema(msgspec.Raw(json), tuple(sorted(refs & self._definitions.keys())))

    def _settled(self, value: Any, path: Path, tell: Callable[[Path], None], left: int) -> Any:  # noqa: ANN401 - any JSON value
        """A schema, or what holds some, with all below it."""
        if isinstance(value, list):
            return [self._settled(each, (*path, index), tell, left) for index, each in enumerate(value)]
        if not isinstance(value, dict):
            return value
        if left and self._left and isinstance(value.get("allOf"), list) and self._contradicts_itself(value):
            tell(path)
            value = self._merged(value)
            left -= 1
            self._left -= 1
        if "default" in value and self._refuses_default(value):
            value = dict(value)
            habits.tell_default(value)
        return {key: self._settled(each, (*path, key), tell, left) for key, each in value.items()}

    def _contradicts_itself(self, schema: dict[str, Any]) -> bool:
        own = {key: value for key, value in schema.items() if key != "allOf"}
        parts = [self._outline(part) for part in (own, *schema["allOf"])]
        names = frozenset[str]().union(*(part.names for part in parts))
        return any(part.is_closed and part.names != names for part in parts)

    def _outline(self, schema: dict[str, Any]) -> Outline:
        properties = schema.get("properties", {})
        parts = [self._outline(part) for part in schema.get("allOf", ())]
        if isinstance(reference := schema.get("$ref"), str):
            parts.append(self._named(reference.removeprefix(_HOME)))
        is_closed = schema.get("additionalProperties") not in _OPEN or schema.get("unevaluatedProperties") is False
        return Outline(
            frozenset(properties).union(*(part.names for part in parts)),
            (is_closed and "patternProperties" not in schema) or any(part.is_closed for part in parts),
        )

    def _named(self, name: str) -> Outline:
        if name not in self._outlines:
            self._outlines[name] = Outline()  # while a cycle is walked
            self._outlines[name] = self._outline(msgspec.json.decode(self._definitions[name].json))
        return self._outlines[name]

    def _merged(self, schema: dict[str, Any]) -> dict[str, Any]:
        """One object; what is still beside it may name properties too."""
        merged = top_level(Schema(msgspec.Raw(msgspec.json.encode(schema))), self._definitions)
        if "additionalProperties" in merged and any(keyword in merged for keyword in _COMBINED):
            merged["unevaluatedProperties"] = merged.pop("additionalProperties")
        return merged

    def _refuses_default(self, schema: dict[str, Any]) -> bool:
        if "$ref" not in schema and "allOf" not in schema:
            return False
        level = top_level(Schema(msgspec.Raw(msgspec.json.encode(schema))), self._definitions)
        return habits.refuses_default({key: level[key] for key in ("type", "enum", "default") if key in level})
