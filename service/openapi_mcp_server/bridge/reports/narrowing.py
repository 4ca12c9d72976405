"""Compares two JSON Schemas of the same value: what the newer one no longer accepts, and other differences.

The rules are conservative: a schema counts as narrowed unless it certainly accepts everything that the older one did.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from openapi_mcp_server.bridge.schemas.edits import decode, encode
from openapi_mcp_server.openapi.pointers import DEFS
from openapi_mcp_server.openapi.schemas.keywords import as_list

DEPTH = 32
"""Levels that are compared in detail; deeper parts are compared as a whole."""
_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains")
_ANY_CHANGE = (
    "pattern",
    "format",
    "multipleOf",
    "contentEncoding",
    "contentMediaType",
    "dependentRequired",
)
_AS_A_WHOLE = (
    "not",
    "if",
    "then",
    "else",
    "contains",
    "propertyNames",
    "dependentSchemas",
    "unevaluatedItems",
    "unevaluatedProperties",
    "contentSchema",
)
"""Keywords with schemas of which it is not said in which part they differ."""
_CHOICES = ("oneOf", "anyOf")
_ANNOTATIONS = frozenset({"title", "description", "default", "deprecated", "examples", "$defs"})
_REFERENCE = re.compile(rb'"\$ref":"#/\$defs/([^"]*)"')
_TYPES = frozenset({"null", "boolean", "object", "array", "number", "string"})
"""All types (JSON Schema 2020-12, section 4.2.1); ``integer`` is a part of ``number``."""

Schema = Mapping[str, Any] | bool


class Difference(NamedTuple):
    """One difference. ``place`` is the argument and the path below it; ``breaks``: a formerly right value is now
    refused or missing."""

    place: str
    what: str
    breaks: bool


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Difference]:
    """The differences of two input schemas of a tool, from the whole to its parts, in the order of the document."""
    return list(dict.fromkeys(_Comparison(old.get("$defs", {}), new.get("$defs", {})).level(old, new, "", 0)))


class _Comparison:
    def __init__(self, old: Mapping[str, Schema], new: Mapping[str, Schema]) -> None:
        self._old = old
        self._new = new
        self._other = _differing(old, new)
        self._entered: set[tuple[str, str]] = set()

    def level(self, old: Schema, new: Schema, place: str, depth: int) -> Iterator[Difference]:
        pair = (_name(old), _name(new))
        if all(pair) and pair in self._entered:
            return
        self._entered.add(pair)
        before, after = _object(old, self._old), _object(new, self._new)
        if depth > DEPTH:
            if encode(before) != encode(after):
                yield Difference(place, "is described differently", breaks=True)
            return
        if _is_only_choice(before) or _is_only_choice(after):
            yield from self._alternatives(_branches(old, before), _branches(new, after), place, depth)
            if "anyOf" in before and "oneOf" in after:
                yield Difference(place, "takes only what fits one of its alternatives now", breaks=True)
            return
        yield from _types(before, after, place)
        yield from _values(before, after, place)
        yield from _bounds(before, after, place)
        yield from self._members(before, after, place, depth)
        yield from self._items(before, after, place, depth)
        yield from self._choices(before, after, place, depth)
        yield from self._wholes(before, after, place)

    def _members(self, old: Mapping[str, Any], new: Mapping[str, Any], place: str, depth: int) -> Iterator[Difference]:
        before, after = old.get("properties", {}), new.get("properties", {})
        was, needed = set(old.get("required", ())), set(new.get("required", ()))
        others = old.get("additionalProperties", True)
        for name in before:
            if name not in after:
                yield Difference(_below(place, name), "is gone", breaks=True)
        for name in after:
            inner = _below(place, name)
            if name not in before:
                yield Difference(inner, "is new and required" if name in needed else "is new", breaks=name in needed)
                if isinstance(others, Mapping):
                    yield from self.level(others, after[name], inner, depth + 1)
                continue
            if (name in needed) != (name in was):
                told = "is required now" if name in needed else "is optional now"
                yield Difference(inner, told, breaks=name in needed)
            yield from self.level(before[name], after[name], inner, depth + 1)
        for name in sorted(needed - was - after.keys()):
            yield Difference(_below(place, name), "is required now", breaks=True)
        yield from self._others(old, new, place, depth)

    def _others(self, old: Mapping[str, Any], new: Mapping[str, Any], place: str, depth: int) -> Iterator[Difference]:
        """The differences in the schemas of unnamed members."""
        before, after = old.get("additionalProperties", True), new.get("additionalProperties", True)
        if before is False and after is not False:
            yield Difference(place, "takes other members now", breaks=False)
        elif after is False and before is not False:
            yield Difference(place, "takes no other members any more", breaks=True)
        elif isinstance(before, Mapping) or isinstance(after, Mapping):
            yield from self.level(before, after, _below(place, "*"), depth + 1)
        patterns, others = old.get("patternProperties", {}), new.get("patternProperties", {})
        for pattern in patterns:
            if pattern in others:
                yield from self.level(patterns[pattern], others[pattern], _below(place, pattern), depth + 1)
            else:
                yield Difference(_below(place, pattern), "is gone", breaks=after is not True)
        for pattern in others.keys() - patterns.keys():
            yield Difference(_below(place, pattern), "is bound to conditions now", breaks=True)

    def _items(self, old: Mapping[str, Any], new: Mapping[str, Any], place: str, depth: int) -> Iterator[Difference]:
        if "items" in old or "items" in new:
            yield from self.level(old.get("items", True), new.get("items", True), f"{place}[]", depth + 1)
        before, after = old.get("prefixItems", []), new.get("prefixItems", [])
        if len(before) != len(after):
            yield Difference(place, "has other first items", breaks=True)
        else:
            for index, (one, other) in enumerate(zip(before, after, strict=True)):
                yield from self.level(one, other, f"{place}[{index}]", depth + 1)
        if new.get("uniqueItems") and not old.get("uniqueItems"):
            yield Difference(place, "takes no item twice any more", breaks=True)

    def _choices(self, old: Mapping[str, Any], new: Mapping[str, Any], place: str, depth: int) -> Iterator[Difference]:
        for key in _CHOICES:
            yield from self._parts(old.get(key), new.get(key), place, depth, alternatives=True)
        yield from self._parts(old.get("allOf"), new.get("allOf"), place, depth, alternatives=False)

    def _parts(
        self, old: Sequence[Schema] | None, new: Sequence[Schema] | None, place: str, depth: int, *, alternatives: bool
    ) -> Iterator[Difference]:
        """The differences of schemas that are parts of one."""
        if old is None and new is None:
            return
        if old is None or new is None:
            what = "is bound to conditions now" if old is None else "is bound to fewer conditions"
            yield Difference(place, what, breaks=old is None)
            return
        if alternatives:
            yield from self._alternatives(old, new, place, depth)
            return
        pairs, gone, came = self._paired(old, new)
        for before, after in pairs:
            yield from self.level(before, after, place, depth + 1)
        if gone:
            yield Difference(place, "is bound to fewer conditions", breaks=False)
        elif came:
            yield Difference(place, "is bound to more conditions", breaks=True)

    def _alternatives(
        self, old: Sequence[Schema], new: Sequence[Schema], place: str, depth: int
    ) -> Iterator[Difference]:
        """The differences of alternatives. A schema without any is the only one."""
        pairs, gone, came = self._paired(old, new)
        for before, after in pairs:
            yield from self.level(before, after, place, depth + 1)
        if gone and all(_object(each, self._new).keys() - _ANNOTATIONS for each in new):  # none takes everything
            what = "no longer takes null" if all(map(_is_null, gone)) else "has fewer alternatives"
            yield Difference(place, what, breaks=True)
        elif came:
            what = "takes null too" if all(map(_is_null, came)) else "has more alternatives"
            yield Difference(place, what, breaks=False)

    def _paired(
        self, old: Sequence[Schema], new: Sequence[Schema]
    ) -> tuple[list[tuple[Schema, Schema]], list[Schema], list[Schema]]:
        """Pairs of schemas: those that are spelt alike, then those of the same types, then the others by position. The
        rest is what one of the sides has more. What is spelt alike may differ in what it refers to."""
        pairs: list[tuple[Schema, Schema]] = []
        gone, came = [*old], [*new]
        for key in (encode, _kinds):
            keys = [key(_object(each, self._old)) for each in gone], [key(_object(each, self._new)) for each in came]
            found, gone, came = _matching(gone, came, *keys)
            pairs += found
        pairs += zip(gone, came, strict=False)
        return pairs, gone[len(came) :], came[len(gone) :]

    def _wholes(self, old: Mapping[str, Any], new: Mapping[str, Any], place: str) -> Iterator[Difference]:
        for key in _AS_A_WHOLE:
            if old.get(key) != new.get(key):
                yield Difference(place, _changed(key, old.get(key), new.get(key)), breaks=key in new)
            elif key in new and not self._other.isdisjoint(_references(new[key])):
                yield Difference(place, f"has another {key}", breaks=True)


def _differing(old: Mapping[str, Schema], new: Mapping[str, Schema]) -> set[str]:
    """The definitions that differ, or refer to one that does."""
    users: dict[str, set[str]] = {}
    for definitions in (old, new):
        for name, schema in definitions.items():
            for target in _references(schema):
                users.setdefault(target, set()).add(name)
    waiting = [name for name in old.keys() | new.keys() if encode(old.get(name)) != encode(new.get(name))]
    found = set(waiting)
    while waiting:
        others = users.get(waiting.pop(), set()) - found
        found |= others
        waiting += others
    return found


def _references(schema: object) -> list[str]:
    return [name.decode() for name in _REFERENCE.findall(encode(schema))]


def _matching(
    old: Sequence[Schema], new: Sequence[Schema], old_keys: Sequence[object], new_keys: Sequence[object]
) -> tuple[list[tuple[Schema, Schema]], list[Schema], list[Schema]]:
    """Pairs of schemas with the same key, in their order, and what is left of both sides."""
    free: dict[object, deque[int]] = {}
    for index, key in enumerate(new_keys):
        free.setdefault(key, deque()).append(index)
    pairs: list[tuple[Schema, Schema]] = []
    left: list[Schema] = []
    taken: set[int] = set()
    for schema, key in zip(old, old_keys, strict=True):
        if fitting := free.get(key):
            taken.add(index := fitting.popleft())
            pairs.append((schema, new[index]))
        else:
            left.append(schema)
    return pairs, left, [schema for index, schema in enumerate(new) if index not in taken]


def _is_only_choice(schema: Mapping[str, Any]) -> bool:
    """Whether a schema says nothing but its alternatives."""
    said = schema.keys() - _ANNOTATIONS
    return len(said) == 1 and not said.isdisjoint(_CHOICES)


def _branches(schema: Schema, followed: Mapping[str, Any]) -> Sequence[Schema]:
    """The alternatives of a schema; ``followed`` is the same without a reference."""
    return next(followed[key] for key in _CHOICES if key in followed) if _is_only_choice(followed) else [schema]


def _is_null(schema: Schema) -> bool:
    return isinstance(schema, Mapping) and schema.get("type") == "null"


def _kinds(schema: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(_listed_types(schema))


def _types(old: Mapping[str, Any], new: Mapping[str, Any], place: str) -> Iterator[Difference]:
    before, after = _listed_types(old), _listed_types(new)
    if before == after:
        return
    if (values := _listed_values(old)) is not None:  # these alone matter, and not what else the type would take
        still = _listed_values(new)
        lost = [each for each in values if not _is_one_of(decode(each), after) and (still is None or each in still)]
        if lost:
            yield Difference(place, f"no longer takes {_some(lost)}", breaks=True)
        return
    lost = [kind for kind in before if kind not in after and not (kind == "integer" and "number" in after)]
    yield Difference(place, f"is {_told(after)}, was {_told(before)}", breaks=bool(lost))


def _is_one_of(value: object, kinds: Sequence[str]) -> bool:
    """Whether a value is of one of these types."""
    match value:
        case None:
            return "null" in kinds
        case bool():
            return "boolean" in kinds
        case int() | Decimal():
            return "number" in kinds or ("integer" in kinds and value == int(value))
        case str():
            return "string" in kinds
        case _:
            return ("array" if isinstance(value, list) else "object") in kinds


def _listed_types(schema: Mapping[str, Any]) -> list[str]:
    return sorted(as_list(schema["type"]) if "type" in schema else _TYPES)


def _told(kinds: Sequence[str]) -> str:
    return "anything" if set(kinds) == _TYPES else " or ".join(kinds)


def _values(old: Mapping[str, Any], new: Mapping[str, Any], place: str) -> Iterator[Difference]:
    before, after = _listed_values(old), _listed_values(new)
    if before is None and after is not None:
        yield Difference(place, f"takes only {_some(list(after))} now", breaks=True)
    elif before is not None and after is None:
        yield Difference(place, "takes more than the listed values", breaks=False)
    elif before is not None and after is not None:
        if gone := [each for each in before if each not in after]:
            yield Difference(place, f"no longer takes {_some(gone)}", breaks=True)
        if came := [each for each in after if each not in before]:
            yield Difference(place, f"takes {_some(came)} too", breaks=False)


def _listed_values(schema: Mapping[str, Any]) -> dict[str, None] | None:
    """The values that a schema lists, as JSON texts, so that 1 and true differ; None if it lists none."""
    if "const" in schema:
        return {encode(schema["const"]).decode(): None}
    return {encode(each).decode(): None for each in schema["enum"]} if "enum" in schema else None


_SHOWN = 5


def _some(values: Sequence[str]) -> str:
    shown = ", ".join(value if len(value) <= 60 else f"{value[:59]}…" for value in values[:_SHOWN])
    return shown + (f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else "")


def _bounds(old: Mapping[str, Any], new: Mapping[str, Any], place: str) -> Iterator[Difference]:
    for keys, sign in ((_LOWER, 1), (_UPPER, -1)):
        for key in keys:
            before, after = old.get(key), new.get(key)
            if before != after:
                breaks = after is not None and (before is None or (after - before) * sign > 0)
                yield Difference(place, _changed(key, before, after), breaks)
    for key in _ANY_CHANGE:
        if old.get(key) != new.get(key):
            yield Difference(place, _changed(key, old.get(key), new.get(key)), breaks=key in new and key != "format")


def _changed(key: str, before: object, after: object) -> str:
    if after is None:
        return f"has no {key} any more"
    told = f"has {key} {_some([encode(after).decode()])}"
    return told if before is None else f"{told}, was {_some([encode(before).decode()])}"


def _object(schema: Schema, definitions: Mapping[str, Schema]) -> Mapping[str, Any]:
    """The schema as an object, with its reference followed; ``true`` accepts and ``false`` refuses everything."""
    for _ in range(DEPTH):
        if isinstance(schema, bool):
            return {} if schema else {"not": {}}
        if "$ref" not in schema:
            break
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        target = definitions.get(_name(schema), True)
        schema = {**target, **beside} if isinstance(target, Mapping) else target
    return schema if isinstance(schema, Mapping) else {}


def _name(schema: Schema) -> str:
    return "" if isinstance(schema, bool) else str(schema.get("$ref", "")).removeprefix(DEFS)


def _below(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name
