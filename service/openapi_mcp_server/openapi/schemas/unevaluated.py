"""Drops ``unevaluatedProperties`` and ``unevaluatedItems`` from schemas that would take too long to compile.

For each of them jsonschema-rs walks all paths through ``$ref``, ``allOf``, ``anyOf``, ``oneOf`` and the like from its
schema to others, 7 to 40 µs a step. Definitions that name the next one twice double the paths at each level. Nine that
each name all nine (2.7 kB) took 38 s. Without these two keywords they compile in a millisecond.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from openapi_mcp_server.openapi.model import Schema
from openapi_mcp_server.openapi.pointers import DEFS
from openapi_mcp_server.openapi.schemas.conversion import NEGATING, NOT_EXACT
from openapi_mcp_server.openapi.schemas.keywords import SCHEMAS_BY_NAME, WITHOUT_SCHEMAS

MAX_STEPS_OF_ONE = 1_000
"""The most steps on all paths from one schema; beyond it, its two keywords are left out."""
MAX_STEPS = 40_000
"""The most steps of all definitions of a direction, since one tool may compile any of them, and of each other schema.
They take 0.3 to 1.5 s in a document that was made for this."""

_MARK = b'"unevaluated'
_KEYWORDS = ("unevaluatedProperties", "unevaluatedItems")
_LISTS = ("allOf", "anyOf", "oneOf")
_ONE = ("not", "if", "then", "else")
_WAYS = "not checked: more than {:,} ways lead from here to other schemas"
_ALL_WAYS = "not checked: more than {:,} ways lead from such places to other schemas"

Path = tuple[str | int, ...]
Tell = Callable[[Path, str], None]


class Unevaluated:
    """The definitions of one direction."""

    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self._definitions = definitions
        self._next: dict[str, list[str]] = {}
        self._ways: dict[tuple[str, ...], int] = {}
        self._left_of_definitions = MAX_STEPS
        self._left = 0  # of the current schema

    def bounded(self, schema: Schema, tell: Tell, *, is_definition: bool) -> Schema:
        """The schema without the keywords that would take too long. ``tell`` gets the place of each."""
        if _MARK not in bytes(schema.json):
            return schema
        self._left = self._left_of_definitions if is_definition else MAX_STEPS
        after, is_loosened = self._bounded(msgspec.json.decode(schema.json), (), tell)
        if is_definition:
            self._left_of_definitions = self._left
        return Schema(msgspec.Raw(msgspec.json.encode(after)), schema.refs) if is_loosened else schema

    def _bounded(self, value: Any, path: Path, tell: Tell) -> tuple[Any, bool]:  # noqa: ANN401 - any JSON value
        """Bounds a schema or a container of schemas, and says whether anything was left out."""
        if isinstance(value, list):
            made = [self._bounded(each, (*path, index), tell) for index, each in enumerate(value)]
            return [each for each, _ in made], any(is_loosened for _, is_loosened in made)
        if not isinstance(value, dict):
            return value, False
        kept, was_loosened = {}, False
        for keyword, each in self._affordable(value, path, tell).items():
            kept[keyword], is_loosened = self._member(keyword, each, (*path, keyword), tell)
            was_loosened = was_loosened or is_loosened
            if is_loosened and keyword in NEGATING:
                tell((*path, keyword), NOT_EXACT)
                del kept[keyword]
        return kept, was_loosened or len(kept) < len(value)

    def _member(self, keyword: str, value: Any, path: Path, tell: Tell) -> tuple[Any, bool]:  # noqa: ANN401 - any JSON value
        if keyword in WITHOUT_SCHEMAS:
            return value, False
        if keyword not in SCHEMAS_BY_NAME or not isinstance(value, dict):
            return self._bounded(value, path, tell)
        made = {name: self._bounded(each, (*path, name), tell) for name, each in value.items()}
        return {name: each for name, (each, _) in made.items()}, any(is_loosened for _, is_loosened in made.values())

    def _affordable(self, schema: dict[str, Any], path: Path, tell: Tell) -> dict[str, Any]:
        """A schema, without its two keywords if there are too many paths."""
        present = [keyword for keyword in _KEYWORDS if keyword in schema]
        if not present:
            return schema
        names = tuple(_in_place(schema))
        if names not in self._ways:
            self._ways[names] = self._steps(names, MAX_STEPS_OF_ONE)
        steps = len(present) * self._ways[names]
        if steps <= MAX_STEPS_OF_ONE and steps <= self._left:
            self._left -= steps
            return schema
        too_many = _WAYS.format(MAX_STEPS_OF_ONE) if steps > MAX_STEPS_OF_ONE else _ALL_WAYS.format(MAX_STEPS)
        for keyword in present:
            tell((*path, keyword), too_many)
        return {keyword: each for keyword, each in schema.items() if keyword not in present}

    def _steps(self, names: Sequence[str], most: int) -> int:
        """The steps on all paths from some definitions that visit none twice. Counting stops soon after ``most``."""
        count, on_way = 0, dict[str, None]()
        ahead = [iter(names)]
        while ahead and count <= most:
            name = next(ahead[-1], None)
            if name is None:
                ahead.pop()
                if on_way:
                    on_way.popitem()
                continue
            count += 1
            if name not in on_way:
                on_way[name] = None
                ahead.append(iter(self._led_to(name)))
        return count

    def _led_to(self, name: str) -> list[str]:
        if name not in self._next:
            definition = self._definitions.get(name)
            schema = msgspec.json.decode(definition.json) if definition else {}
            self._next[name] = list(_in_place(schema))
        return self._next[name]


def _in_place(schema: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON value
    """The definitions that check the value of a schema, repeated as often as they do."""
    if not isinstance(schema, dict):
        return
    if "$ref" in schema:
        yield schema["$ref"].removeprefix(DEFS)
    parts = [part for keyword in _LISTS for part in schema.get(keyword, ())]
    parts += [schema[keyword] for keyword in _ONE if keyword in schema]
    for part in (*parts, *schema.get("dependentSchemas", {}).values()):
        yield from _in_place(part)
