"""Compares two JSON Schemas of the same value: what the newer one no longer accepts, and other differences.

The rules are conservative: a schema counts as narrowed unless it certainly accepts everything that the older one did.
"""

from __future__ import annotations

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
    "not",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "propertyNames",
    "contains",
)
_CHOICES = ("oneOf", "anyOf")
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
        yield from _types(before, after, place)
        yield from _values(before, after, place)
        yield from _bounds(before, after, place)
        yield from self._members(before, after, place, depth)
        yield from self._items(before, after, place, depth)
        yield from self._choices(before, after, place, depth)

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
        elif before != after:
            yield from self.level(before, after, _below(place, "*"), depth + 1)

    def _items(self, old: Mapping[str, Any], new: Mapping[str, Any], place: str, depth: int) -> Iterator[Difference]:
        if "items" in old or "items" in new:
            yield from self.level(old.get("items", True), new.get("items", True), f"{place}[]", depth + 1)
        if old.get("prefixItems", []) != new.get("prefixItems", []):
            yield Difference(place, "has other first items", breaks=True)
        if new.get("uniqueItems") and not old.get("uniqueItems"):
            yield Difference(place, "takes no item twice any more", breaks=True)

    def _choices(self, old: Mapping[str, Any], new: Mapping[str, Any], place: str, depth: int) -> Iterator[Difference]:
        for key in _CHOICES:
            yield from self._parts(old.get(key), new.get(key), place, depth, alternatives=True)
        yield from self._parts(old.get("allOf"), new.get("allOf"), place, depth, alternatives=False)

    def _parts(
        self, old: Sequence[Schema] | None, new: Sequence[Schema] | None, place: str, depth: int, *, alternatives: bool
    ) -> Iterator[Difference]:
        """The differences of parts: equal ones are paired, the others are paired by position."""
        if old is None and new is None:
            return
        if old is None or new is None:
            what = "is bound to conditions now" if old is None else "is bound to fewer conditions"
            yield Difference(place, what, breaks=old is None)
            return
        gone, came = _left(old, new), _left(new, old)
        for before, after in zip(gone, came, strict=False):
            yield from self.level(before, after, place, depth + 1)
        if len(gone) > len(came):
            what = "has fewer alternatives" if alternatives else "is bound to fewer conditions"
            yield Difference(place, what, breaks=alternatives)
        elif len(came) > len(gone):
            what = "has more alternatives" if alternatives else "is bound to more conditions"
            yield Difference(place, what, breaks=not alternatives)


def _left(these: Sequence[Schema], others: Sequence[Schema]) -> list[Schema]:
    """The schemas without an equal one among the others."""
    known = {encode(each) for each in others}
    return [each for each in these if encode(each) not in known]


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
