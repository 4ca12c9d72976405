"""The input schema that a list carries in place of one that is too long for it: as many of its parts as fit.

What is required comes first, then the outermost; what is left out is an open value that says so. Descriptions of
arguments are shortened last. Definitions stand where they are referred to, so that a part costs what it takes there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from heapq import heappop, heappush
from itertools import count
from typing import Any, NamedTuple, Protocol

from openapi_mcp_server.bridge import text
from openapi_mcp_server.bridge.schemas.edits import (
    NEEDED,
    SHORT_PROSE,
    STRICT,
    JsonSchema,
    bare,
    decode,
    encode,
    holds_schemas,
    parts_within,
    short_prose,
    unrestricted,
)
from openapi_mcp_server.bridge.schemas.limits import value_shown

LISTED_BYTES = 8_000
"""The most bytes of one input schema: with this bound 336 of 4,618 tools of fifteen published documents are shortened,
and a list of Kubernetes' takes half. Models see the whole of a tool that they ask for."""
MOST_VALUES, VALUES_TOLD = 40, 20
"""How long an enumeration in a list may be, and how much is told of a longer one: it is told by its beginning."""
SHORTENED = "(shortened)"
"""Stands in the description of what was made an open value."""
_PROSE = (text.ARGUMENT_LIMIT, SHORT_PROSE, 0)
"""Characters of an argument's description, tried in this order; what lies deeper has SHORT_PROSE."""
_REFERENCE = "#/$defs/"
_LEAST_COST = 16
"""Bytes with less than which no part is worth a look."""
_LONG_ENUM = re.compile(rb'"enum":\[(?:[^\[\],]{0,200},){%d}' % MOST_VALUES)
_UNTOLD = STRICT | {"$defs", "title", "description", "example", "examples"}
"""Keywords that a level leaves out, and its description, which is told last."""
_ALWAYS_TOLD = frozenset({"type", "description"})
"""All that there is to most values, which are told as soon as their object is."""
_MEMBERS = frozenset({"properties", "patternProperties", "additionalProperties"})


class Inner(NamedTuple):
    """A schema within another one, and where it goes: ``holder[key]``."""

    holder: Any
    key: Any
    schema: JsonSchema
    is_needed: bool
    is_deeper: bool  # a member, which is told after what stands beside its object
    is_leaf: bool  # nothing is below it
    says_more: bool  # than it does without what is below it


class Level(NamedTuple):
    """A schema without those in it."""

    keywords: dict[str, Any]
    parts: list[Inner]


class Reader(Protocol):
    """How schemas are told, and how many objects may be within each other."""

    levels: int

    def level(self, schema: JsonSchema, prose: int) -> Level:
        """The outermost level, its description in ``prose`` characters."""

    def opened(self, schema: JsonSchema, prose: int) -> dict[str, Any]:
        """The same without what is below it."""

    def members(self, schema: JsonSchema) -> int:
        """How many members its values have, as far as is known."""


class InFull:
    """Schemas in all keywords that shortened ones can have. Those within a level are no references any more."""

    levels = LISTED_BYTES

    def __init__(self, definitions: Mapping[str, JsonSchema]) -> None:
        self._definitions = definitions

    def level(self, schema: JsonSchema, prose: int) -> Level:
        if isinstance(schema, bool):
            return Level({} if schema else {"not": {}}, [])
        told = _with_few_values(_with_prose(unrestricted(schema, _UNTOLD), schema, prose))
        required = schema.get("required", ())
        parts = []
        for keyword, holder, key, part in parts_within(told):
            is_needed = keyword != "properties" or key in required or says_needed(part)
            own = part if isinstance(part, bool) else self._resolved(part)
            is_leaf = isinstance(own, bool) or not holds_schemas(own)
            says_more = not isinstance(own, bool) and not own.keys() <= _ALWAYS_TOLD
            parts.append(Inner(holder, key, own, is_needed, keyword in _MEMBERS, is_leaf, says_more))
        return Level(told, parts)

    def opened(self, schema: JsonSchema, prose: int) -> dict[str, Any]:
        if isinstance(schema, bool):
            return self.level(schema, prose).keywords
        kept = bare(schema)
        if "required" in schema:
            kept["required"] = schema["required"]
        return _with_prose(kept, schema, prose)

    def members(self, schema: JsonSchema) -> int:
        return 0 if isinstance(schema, bool) else len(schema.get("properties", ()))

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        """A reference as what it refers to; none leads back to itself."""
        while isinstance(reference := schema.get("$ref"), str):
            found = self._definitions.get(reference.removeprefix(_REFERENCE))
            target = found if isinstance(found, dict) else {}
            beside = {key: value for key, value in schema.items() if key != "$ref"} if len(schema) > 1 else None
            schema = {**target, **beside} if beside else target
        return schema


def _with_few_values(told: dict[str, Any]) -> dict[str, Any]:
    """A long list of values in words, as far as a model needs it to know their kind."""
    values = told.get("enum", ())
    if len(values) <= MOST_VALUES:
        return told
    rest = {key: value for key, value in told.items() if key != "enum"}
    some = ", ".join(map(value_shown, values[:VALUES_TOLD]))
    said = f"One of {some} and {len(values) - VALUES_TOLD} more. {SHORTENED}"
    return rest | {"description": f"{told['description']} {said}" if "description" in told else said}


def says_needed(schema: JsonSchema) -> bool:
    return isinstance(schema, dict) and str(schema.get("description", "")).endswith(NEEDED)


def _with_prose(told: dict[str, Any], own: Mapping[str, Any], prose: int) -> dict[str, Any]:
    """Adds the description of ``own`` in so many characters."""
    said = own.get("description")
    if isinstance(said, str) and (shown := _line(said, prose)):
        told["description"] = shown
    return told


_line = lru_cache(1_024)(short_prose)  # tools share definitions, and it takes more time than all the rest


class Shortening(NamedTuple):
    schema: dict[str, Any]
    is_shortened: bool


class _Waiting(NamedTuple):
    """A part that is open so far, in the order in which parts are told."""

    is_optional: bool
    depth: int
    members: int  # the small ones first
    number: int
    part: Inner


class _Growing:
    """The parts of a schema that fit into a limit, one after another."""

    def __init__(self, reader: Reader, root: JsonSchema, limit: int, prose: int) -> None:
        self._reader, self._prose = reader, prose
        self._costs: dict[tuple[int, bool], tuple[int, JsonSchema]] = {}  # with the schema, whose id stays its own so
        self._numbers = count()
        self._waiting: list[_Waiting] = []
        self.left_out: list[dict[str, Any]] = []
        self.lacks_needed = False
        level = reader.level(root, 0)
        self._open(level, 0)
        self.schema = level.keywords
        self._room = limit - len(encode(self.schema))
        self._offer(level, 0, is_needed=True)
        while self._waiting:
            self._tell(heappop(self._waiting))

    def _open(self, level: Level, depth: int) -> None:
        for part in level.parts:
            part.holder[part.key] = self._opened(part, depth)

    def _opened(self, part: Inner, depth: int) -> dict[str, Any]:
        opened = self._reader.opened(part.schema, self._prose if self._is_argument(part, depth) else SHORT_PROSE)
        if not part.is_leaf:
            opened["description"] = f"{opened.get('description', '')} {SHORTENED}".lstrip()
        return opened

    def _is_argument(self, part: Inner, depth: int) -> bool:
        return depth == 0 and part.is_deeper

    def _level(self, part: Inner, depth: int) -> Level:
        return self._reader.level(part.schema, self._prose if self._is_argument(part, depth) else SHORT_PROSE)

    def _offer(self, level: Level, depth: int, *, is_needed: bool) -> None:
        for part in level.parts:
            if part.says_more:
                below = depth + part.is_deeper
                optional = not (is_needed and part.is_needed)
                members = self._reader.members(part.schema)
                heappush(self._waiting, _Waiting(optional, below, members, next(self._numbers), part))

    def _tell(self, waiting: _Waiting) -> None:
        part, depth = waiting.part, waiting.depth - waiting.part.is_deeper
        opened = part.holder[part.key]
        level = self._within_room(part, depth, waiting.depth)
        if level is None:
            if not part.is_leaf:
                self.left_out.append(opened)
                self.lacks_needed |= not waiting.is_optional
            return
        part.holder[part.key] = level.keywords
        self._offer(level, waiting.depth, is_needed=not waiting.is_optional)

    def _within_room(self, part: Inner, depth: int, below: int) -> Level | None:
        """The level of a part, if there is room for it; what has none is found out once for each schema."""
        key = id(part.schema), self._is_argument(part, depth)
        known, _ = self._costs.get(key, (_LEAST_COST, {}))
        if below >= self._reader.levels or known > self._room:
            return None
        level = self._level(part, depth)
        self._open(level, below)
        cost = len(encode(level.keywords)) - len(encode(part.holder[part.key]))
        self._costs[key] = cost, part.schema
        if cost > self._room:
            return None
        self._room -= cost
        return level

    @property
    def fits(self) -> bool:
        return self._room >= 0 and not self.lacks_needed


def shortened(schema: bytes, where: str, limit: int = LISTED_BYTES) -> bytes:
    """An encoded schema in at most ``limit`` bytes, if its arguments fit at all. ``where`` says in words where the rest
    is told."""
    root = decode(schema)
    return encode(listing(root, InFull(root.get("$defs", {})), where, limit).schema)


def is_long(schema: bytes, limit: int) -> bool:
    """Whether a list tells an encoded schema shortened."""
    return len(schema) > limit or (b'"enum":[' in schema and _LONG_ENUM.search(schema) is not None)


def listing(root: JsonSchema, reader: Reader, where: str, limit: int) -> Shortening:
    """A schema as ``reader`` tells it, likewise."""
    where = f"(Shortened; {where}.)"
    tried = (_Growing(reader, root, limit - len(where), prose) for prose in _PROSE)
    for growing in tried:
        if growing.fits:
            break
    is_shortened = any(_point(each, where) for each in (*growing.left_out, growing.schema))
    return Shortening(growing.schema, is_shortened)


def _point(schema: Any, where: str) -> bool:  # noqa: ANN401 - any JSON value
    """Says at the first mark where the rest is; false where nothing was left out."""
    if isinstance(schema, list):
        return any(_point(each, where) for each in schema)
    if not isinstance(schema, dict):
        return False
    if SHORTENED in str(schema.get("description", "")):
        schema["description"] = schema["description"].replace(SHORTENED, where)
        return True
    return any(_point(each, where) for each in schema.values())
