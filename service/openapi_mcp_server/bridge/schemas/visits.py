"""Counts the visits of a schema's parts when errors are made: the product of the alternatives on the path, since
jsonschema-rs makes the errors of every alternative of every level.

Two recursive alternatives double at each level: 488 bytes of arguments, 18 levels deep, took longer than half a minute.
(`is_valid` visits each pair of schema and value once, and is fast.) Here each pair is computed once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from openapi_mcp_server.openapi.pointers import DEFS

_LISTS = ("allOf", "anyOf", "oneOf")
_ONE = ("not", "if", "then", "else", "propertyNames")
PAIRS = 100_000
"""The most pairs of a schema and a value that are counted, with 5 µs and 400 bytes each; beyond it there are too many
visits."""
_OTHERS = ("additionalProperties", "unevaluatedProperties")
_REST = ("items", "contains", "unevaluatedItems")


class Visits:
    """The visits of an encoded schema with its definitions in ``$defs``, up to ``most``."""

    def __init__(self, schema: bytes, most: int) -> None:
        self._schema = msgspec.json.decode(schema)
        self._definitions: Mapping[str, Any] = self._schema.get("$defs", {}) if isinstance(self._schema, dict) else {}
        self._most = most
        self._known: dict[tuple[int, int, int], int] = {}

    def of(self, value: Any, levels: int) -> int:  # noqa: ANN401 - any JSON value
        """The visits of a value, down to so many levels; ``most`` if there are more, or if counting takes too long."""
        self._known.clear()
        try:
            return self._of(self._schema, value, levels)
        except RecursionError:  # a row of some hundred definitions, each in the one before
            return self._most

    def _of(self, schema: Any, value: Any, levels: int) -> int:  # noqa: ANN401 - any JSON value
        if not isinstance(schema, dict):
            return 1
        pair = (id(schema), id(value), levels)
        if pair not in self._known:
            if len(self._known) >= PAIRS:
                return self._most
            self._known[pair] = 0  # where a circle leads back to the same value
            found = self._own(schema, value)
            for part, below in self._parts(schema, value, levels):
                found += self._of(part, *below)
                if found >= self._most:
                    break
            self._known[pair] = min(found, self._most)
        return self._known[pair]

    def _own(self, schema: dict[str, Any], value: Any) -> int:  # noqa: ANN401, ARG002 - any JSON value
        """Counts a value by the keywords of a schema itself, without those of its parts."""
        return 1

    def _parts(self, schema: dict[str, Any], value: Any, levels: int) -> Iterator[tuple[Any, tuple[Any, int]]]:  # noqa: ANN401 - any JSON value
        """The schemas that a schema leads to, each with its value and the levels that are left."""
        same = (value, levels)
        if isinstance(name := schema.get("$ref"), str):
            yield self._definitions.get(name.removeprefix(DEFS)), same
        yield from ((part, same) for keyword in _LISTS for part in schema.get(keyword, ()))
        yield from ((schema[keyword], same) for keyword in _ONE if keyword in schema)
        yield from ((part, same) for part in schema.get("dependentSchemas", {}).values())
        if levels and isinstance(value, dict):
            for name, member in value.items():
                yield from ((part, (member, levels - 1)) for part in _of_member(schema, name))
        elif levels and isinstance(value, list):
            for index, item in enumerate(value):
                yield from ((part, (item, levels - 1)) for part in _of_item(schema, index))


def _of_member(schema: dict[str, Any], name: str) -> Iterator[Any]:
    properties = schema.get("properties", {})
    if name in properties:
        yield properties[name]
    yield from schema.get("patternProperties", {}).values()
    if name not in properties:
        yield from (schema[keyword] for keyword in _OTHERS if keyword in schema)


def _of_item(schema: dict[str, Any], index: int) -> Iterator[Any]:
    first = schema.get("prefixItems", ())
    yield from first[index : index + 1]
    yield from (schema[keyword] for keyword in _REST if keyword in schema)
