"""Estimates the work of a schema on a value, which multiplies if several schemas and patterns apply to the same text.

jsonschema-rs visits a value once for each schema at its place (12 ns), and keeps a copy of the value for each error of
each alternative (7 µs and the copy). A pattern costs by its size: 0.03 to 0.1 ns for each byte of text times each byte
of its compiled form, if the text visits every state.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from openapi_mcp_server.grammar import IN_STRING, any_number_of
from openapi_mcp_server.openapi import json_schema
from openapi_mcp_server.openapi.pointers import DEFS
from openapi_mcp_server.openapi.schemas.keywords import SCHEMAS_BY_NAME, is_number

KEPT = 2_048
"""The number of schemas whose weight is remembered, the same as of compiled ones."""
PATTERN_SIZES = tuple(1_000 << doubled for doubled in range(9))
"""Sizes in bytes that are tried as limits of a pattern's compiled form. Of 182 in published documents, 176 fit into
8,000."""

_REFERENCE = re.compile(rb'"\$ref":"#/\$defs/([^"]+)"')
_AT_THE_SAME_PLACE = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas")
_BELOW = (
    "properties", "prefixItems", "items", "additionalProperties", "patternProperties", "propertyNames", "contains",
    "unevaluatedItems", "unevaluatedProperties",
)  # fmt: skip
_CHOOSES = re.compile(rb'"(?:enum|const)":')
_NO_NUMBERS = any_number_of(rf'(?:"{IN_STRING}"|true|false|null),')
_HAS_NUMBERS = re.compile(rf'"(?:enum":\[{_NO_NUMBERS}|const":)-?[0-9]'.encode())
_ONE_OF_THEM = frozenset({"properties", "prefixItems"})
"""Keywords whose schemas apply to different places."""
BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
OPTIONS_OF_AN_ERROR = 16
"""The number of values to choose from that take as much memory as an error, since each error has a copy of all: 100
bytes each."""

JsonSchema = Mapping[str, Any]


class Weight(NamedTuple):
    """The most schemas, bytes of compiled patterns, and values to choose from, at one place. ``all_patterns`` are the
    bytes of all patterns."""

    schemas: int
    patterns: int = 0
    all_patterns: int = 0
    options: int = 0

    @property
    def errors(self) -> int:
        """The work of the errors of one value."""
        return self.schemas + self.options // OPTIONS_OF_AN_ERROR


class Numbers(NamedTuple):
    """The numbers of a schema that one number is compared with at most: those to choose from, those of them that are no
    integers, and bounds."""

    options: int
    fractions: int
    bounds: int


class _Places(NamedTuple):
    """A schema's weight at its own place, and the largest of any place below."""

    here: int
    below: int

    @property
    def most(self) -> int:
        return max(self)


@lru_cache(KEPT)
def of(schema: bytes) -> Weight:
    """The weight of an encoded schema with its definitions in ``$defs``."""
    decoded = msgspec.json.decode(schema)
    if not isinstance(decoded, dict):
        return Weight(1)
    sizes = {pattern: _size(pattern) for pattern in _patterns(decoded)} if b'"pattern' in schema else {}
    return Weight(
        schemas=_heaviest(decoded, lambda _: 1),
        patterns=_heaviest(decoded, lambda part: sum(sizes.get(each, 0) for each in _own(part))) if sizes else 0,
        all_patterns=sum(sizes.values()),
        options=_heaviest(decoded, lambda part: len(own_options(part))) if _CHOOSES.search(schema) else 0,
    )


@lru_cache(KEPT)
def numbers_to_choose_from(schema: bytes) -> Numbers:
    """The numbers that an encoded schema leaves to choose from; its bounds are not counted."""
    if not _HAS_NUMBERS.search(schema):  # as nearly all
        return Numbers(0, 0, 0)
    decoded = msgspec.json.decode(schema)
    return Numbers(
        _heaviest(decoded, lambda part: sum(map(is_number, own_options(part)))),
        _heaviest(decoded, lambda part: sum(isinstance(each, float) for each in own_options(part))),
        0,
    )


@lru_cache(KEPT)
def bounds(schema: bytes) -> int:
    """The most bounds of numbers that an encoded schema has at one place."""
    return _heaviest(msgspec.json.decode(schema), lambda part: sum(keyword in part for keyword in BOUNDS))


def own_options(schema: JsonSchema) -> Sequence[Any]:
    """The values that a schema itself leaves to choose from."""
    options = schema.get("enum", ())
    return options if isinstance(options, list) else (schema["const"],) if "const" in schema else ()


def _heaviest(schema: JsonSchema, own: Callable[[JsonSchema], int]) -> int:
    definitions: Mapping[str, Any] = schema.get("$defs", {})
    known: dict[str, _Places] = {}
    for name in _leaves_first(definitions):
        known[name] = _places(definitions[name], own, known)
    return _places(schema, own, known).most


def _places(schema: Any, own: Callable[[JsonSchema], int], known: Mapping[str, _Places]) -> _Places:  # noqa: ANN401 - any JSON value
    """The places of a schema. A definition that is not ``known`` closes a cycle, so it adds nothing here."""
    if not isinstance(schema, dict):
        return _Places(1, 0)
    here = own(schema)
    below = 0
    beside = [
        _places(part, own, known)
        for keyword in _AT_THE_SAME_PLACE
        if keyword in schema
        for part in _parts(schema, keyword)
    ]
    if isinstance(name := schema.get("$ref"), str):
        beside.append(known.get(name.removeprefix(DEFS), _Places(0, 0)))
    for keyword in filter(schema.__contains__, _BELOW):
        inner = [_places(part, own, known).most for part in _parts(schema, keyword)]
        below += max(inner, default=0) if keyword in _ONE_OF_THEM else sum(inner)
    return _Places(here + sum(part.here for part in beside), below + sum(part.below for part in beside))


def _parts(schema: JsonSchema, keyword: str) -> Iterable[Any]:
    value = schema.get(keyword)
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        return value.values() if keyword in SCHEMAS_BY_NAME else (value,)
    return ()


def _leaves_first(definitions: Mapping[str, Any]) -> list[str]:
    """The definitions, each after those that it refers to, except for cycles. It works without recursion, since a tool
    can have chains of 800."""
    refs = {name: references(part) for name, part in definitions.items()}
    ordered: dict[str, None] = {}
    entered: set[str] = set()
    stack = list(refs)
    while stack:
        name = stack[-1]
        if name in entered:
            ordered[stack.pop()] = None
        else:
            entered.add(name)
            stack += [each for each in refs[name] if each in refs and each not in entered]
    return list(ordered)


def references(schema: object) -> Sequence[str]:
    return [name.decode() for name in _REFERENCE.findall(msgspec.json.encode(schema))]


def _own(schema: JsonSchema) -> list[str]:
    """The patterns that a schema itself applies to its value or to names."""
    pattern, named = schema.get("pattern"), schema.get("patternProperties")
    return [*([pattern] if isinstance(pattern, str) else []), *(named if isinstance(named, dict) else ())]


def _patterns(schema: object) -> set[str]:
    """All patterns in a schema, and some texts that only look like one."""
    found: set[str] = set()
    parts = [schema]
    while parts:
        part = parts.pop()
        if isinstance(part, dict):
            found.update(_own(part))
            parts += part.values()
        elif isinstance(part, list):
            parts += part
    return found


@lru_cache(4_096)
def _size(pattern: str) -> int:
    """The smallest limit that its compiled form fits into, or the last one if it fits into none."""
    for limit in PATTERN_SIZES:
        if json_schema.is_pattern(pattern, pattern_bytes=limit):
            return limit
    return PATTERN_SIZES[-1]
