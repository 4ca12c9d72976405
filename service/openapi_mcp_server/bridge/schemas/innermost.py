"""Finds the innermost part of a value that fits none of its possible schemas.

Errors are made for every alternative of every level, and so multiply (`visits`), while the test whether a value fits is
fast. So the search goes down from the whole value to a member that fits none of the possible schemas at its place, and
continues from there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache, reduce
from operator import getitem
from typing import Any, NamedTuple

import msgspec

from openapi_mcp_server.openapi import json_schema
from openapi_mcp_server.openapi.pointers import DEFS

WORK = 20_000
"""The most tests of one search, about 0.1 s; a test of a large value counts as several. If the search ends early, its
last part does not fit, either."""
VALUES_OF_A_QUESTION = 20
PART_BYTES = 2_000_000
"""The most bytes of schemas that are compiled in one search, since each part of a schema may lead to all of it."""
PARTS_KEPT = 128
"""The number of compiled parts of schemas that are remembered."""

_LISTS = ("allOf", "anyOf", "oneOf")
_ONE = ("then", "else")

Step = str | int
Path = tuple[Step, ...]


class Subschema(NamedTuple):
    """A schema within another one, and its place."""

    path: Path
    schema: Any


class Wrong(NamedTuple):
    """A ``value`` at ``place`` that fits none of ``parts``."""

    place: Path
    value: Any
    parts: tuple[Subschema, ...]


def innermost(value: Any, schema: bytes, work: int = WORK) -> Wrong:  # noqa: ANN401 - any JSON value
    """The innermost wrong part of ``value``, which does not fit ``schema``; its definitions are in ``$defs``."""
    whole = msgspec.json.decode(schema)
    wrong = Wrong((), value, (Subschema((), whole),))
    way = _Way(whole, schema, work)
    while (below := way.below(wrong)) is not None:
        wrong = below
    return wrong


class _Way:
    """One search through a schema, and the cost that is left."""

    def __init__(self, whole: Any, encoded: bytes, work: int) -> None:  # noqa: ANN401 - any JSON value
        self._encoded = encoded
        self._definitions: Mapping[str, Any] = whole.get("$defs", {}) if isinstance(whole, dict) else {}
        self._work = work
        self._asked: set[Path] = set()

    def below(self, wrong: Wrong) -> Wrong | None:
        """The first member that fits none of its schemas; None if there is none, or if the limit of work is reached."""
        applied = list(self._at_one_place(wrong.parts))
        for step, member in _members(wrong.value):
            if self._work <= 0:
                break
            found = (self._referred(inner) for part in applied for inner in _of_member(part, step))
            parts = {_key(part): part for part in found}
            if parts and all(self._is_wrong(part, member) for part in parts.values()):
                return Wrong((*wrong.place, step), member, tuple(parts.values()))
        return None

    def _is_wrong(self, part: Subschema, value: Any) -> bool:  # noqa: ANN401 - any JSON value
        self._asked.add(part.path)
        self._work -= 1 + values_within(value, self._work * VALUES_OF_A_QUESTION) // VALUES_OF_A_QUESTION
        if len(self._asked) * len(self._encoded) > PART_BYTES:
            self._work = 0
        if self._work <= 0:
            return False
        return not compiled(self._encoded, part.path).is_valid(value)

    def _at_one_place(self, parts: Iterable[Subschema]) -> Iterator[Subschema]:
        """These schemas, and all others that they apply to the same value."""
        seen: set[int] = set()
        left = list(parts)
        while left:
            part = left.pop()
            if isinstance(part.schema, dict) and id(part.schema) not in seen:
                seen.add(id(part.schema))
                yield part
                left += _beside(part)
                if "$ref" in part.schema:
                    left.append(self._target(part))

    def _referred(self, part: Subschema) -> Subschema:
        """The target of a schema that is only a reference, so that all such references share it."""
        for _ in self._definitions:
            if not isinstance(part.schema, dict) or list(part.schema) != ["$ref"]:
                break
            part = self._target(part)
        return part

    def _target(self, part: Subschema) -> Subschema:
        name = part.schema["$ref"].removeprefix(DEFS)
        return Subschema(("$defs", name), self._definitions.get(name, True))


@lru_cache(maxsize=PARTS_KEPT)
def compiled(schema: bytes, path: Path) -> json_schema.Validator:
    """The validator of a part of an encoded schema; the part becomes the only member of ``allOf``."""
    whole = msgspec.json.decode(schema)
    return json_schema.compiled({"allOf": [reduce(getitem, path, whole)], "$defs": whole.get("$defs", {})})


def _key(part: Subschema) -> object:
    """A key that is equal for equal schemas, such as those that two alternatives share."""
    return part.path[-1] if part.path[:1] == ("$defs",) and len(part.path) == 2 else msgspec.json.encode(part.schema)


def _beside(part: Subschema) -> Iterator[Subschema]:
    """The schemas within one that apply to the same value and can refuse it."""
    path, schema = part
    for keyword in _LISTS:
        yield from (Subschema((*path, keyword, index), each) for index, each in enumerate(schema.get(keyword, ())))
    yield from (Subschema((*path, keyword), schema[keyword]) for keyword in _ONE if keyword in schema)
    dependent = schema.get("dependentSchemas", {})
    yield from (Subschema((*path, "dependentSchemas", name), each) for name, each in dependent.items())


def _of_member(part: Subschema, step: Step) -> Iterator[Subschema]:
    """The schemas within one that apply to a member of its value."""
    path, schema = part
    if isinstance(step, int):
        first = schema.get("prefixItems", ())
        if step < len(first):
            yield Subschema((*path, "prefixItems", step), first[step])
        elif "items" in schema:
            yield Subschema((*path, "items"), schema["items"])
    elif step in schema.get("properties", {}):
        yield Subschema((*path, "properties", step), schema["properties"][step])
    elif "patternProperties" not in schema and "additionalProperties" in schema:
        yield Subschema((*path, "additionalProperties"), schema["additionalProperties"])


def _members(value: Any) -> Iterable[tuple[Step, Any]]:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, list) else ()


def values_within(value: Any, most: int) -> int:  # noqa: ANN401 - any JSON value
    """The number of values within a value. Counting stops soon after ``most``."""
    count, left = 1, [value]
    while left and count <= most:
        inside = [member for _, member in _members(left.pop())]
        count += len(inside)
        left += [member for member in inside if isinstance(member, dict | list)]
    return count
