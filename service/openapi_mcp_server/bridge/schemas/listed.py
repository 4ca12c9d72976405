"""Shortens an input schema that is too long for a list to as many parts as fit.

Required parts come first, then the outermost; a part that is left out becomes an open value with a note. Descriptions
of arguments are shortened last. If the required parts do not fit, arguments that are no objects come before them.
References are replaced by their targets, so that each part has its full cost.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from heapq import heappop, heappush
from itertools import count
from typing import Any, NamedTuple, Protocol

import msgspec

from openapi_mcp_server.bridge import text
from openapi_mcp_server.bridge.schemas.edits import (
    NEEDED,
    SHORT_PROSE,
    STRICT,
    JsonSchema,
    bare,
    bare_argument,
    decode,
    encode,
    holds_schemas,
    parts_within,
    short_prose,
    unrestricted,
    with_words,
)
from openapi_mcp_server.bridge.schemas.inputs import Pieces
from openapi_mcp_server.bridge.schemas.limits import value_shown
from openapi_mcp_server.openapi.pointers import DEFS

LISTED_BYTES = 8_000
"""The most bytes of one input schema in a list. It shortens 336 of 4,618 tools of fifteen published documents, and
halves the list of Kubernetes. Models can ask for the whole schema of a tool."""
MOST_VALUES, VALUES_TOLD = 40, 20
"""The most values of an enumeration in a list, and the number of first values that are shown of a longer one."""
SHORTENED = "(shortened)"
"""The mark in the description of a part that was replaced by an open value."""
_MARK = SHORTENED.encode()
_HOLE = msgspec.Raw(b"\0")
"""The placeholder for a part while a level is encoded; no JSON text has this byte."""
_LEVELS_KEPT = 512
"""The number of levels that are kept for the next tools. With 4,096 a start with 11,400 tools would take up to 18 MiB
more, and 3 % less CPU."""
_PROSE = (text.ARGUMENT_LIMIT, SHORT_PROSE, 0)
"""The most characters of an argument's description, tried in this order; deeper descriptions have SHORT_PROSE."""
_LEAST_COST = 16
"""With less room than this, no part is tried."""
_LONG_ENUM = re.compile(rb'"enum":\[(?:[^\[\],]{0,200},){%d}' % MOST_VALUES)
_UNTOLD = STRICT | {"$defs", "title", "description", "example", "examples"}
"""Keywords that a level leaves out, and its description, which is added last."""
_ALWAYS_TOLD = frozenset({"type", "description"})
"""Values with only these keywords, as most have, are listed together with their object."""
_MEMBERS = frozenset({"properties", "patternProperties", "additionalProperties"})


class Inner(msgspec.Struct, gc=False):
    """A schema within another one, and its place: ``holder[key]``."""

    holder: Any
    key: Any
    schema: JsonSchema
    is_needed: bool
    is_deeper: bool  # a member, which is added after the siblings of its object
    is_leaf: bool  # nothing is below it
    says_more: bool  # than it does without what is below it


class Level(msgspec.Struct, gc=False):
    """A schema without its inner schemas. ``followed`` has the definitions, by name, that its parts refer to."""

    keywords: dict[str, Any]
    parts: list[Inner]
    followed: Mapping[str, JsonSchema | None] = {}


class Reader(Protocol):
    """The way to list schemas, and the most objects within each other."""

    levels: int

    def level(self, schema: JsonSchema, prose: int) -> Level:
        """The outermost level, with a description of at most ``prose`` characters."""

    def opened(self, schema: JsonSchema, prose: int, *, is_argument: bool) -> dict[str, Any]:
        """The level without its properties, items and other schemas below it."""

    def members(self, schema: JsonSchema) -> int:
        """The known number of members of its values."""


class InFull:
    """Lists schemas in all keywords that shortened ones can have. Inner schemas are no references any more."""

    levels = LISTED_BYTES

    def __init__(self, definitions: Mapping[str, JsonSchema]) -> None:
        self._definitions = definitions

    def level(self, schema: JsonSchema, prose: int) -> Level:
        if isinstance(schema, bool):
            return Level({} if schema else {"not": {}}, [])
        told = _with_few_values(_with_prose(unrestricted(schema, _UNTOLD), schema, prose))
        required = frozenset(schema.get("required", ()))
        parts = []
        followed: dict[str, JsonSchema | None] = {}
        for keyword, holder, key, part in parts_within(told):
            is_needed = keyword != "properties" or key in required or says_needed(part)
            own = part if isinstance(part, bool) else self._resolved(part, followed)
            is_leaf = isinstance(own, bool) or not holds_schemas(own)
            says_more = not isinstance(own, bool) and not own.keys() <= _ALWAYS_TOLD
            parts.append(Inner(holder, key, own, is_needed, keyword in _MEMBERS, is_leaf, says_more))
        return Level(told, parts, followed)

    def opened(self, schema: JsonSchema, prose: int, *, is_argument: bool) -> dict[str, Any]:
        if isinstance(schema, bool):
            return self.level(schema, prose).keywords
        kept = bare_argument(schema) if is_argument else bare(schema)
        if "required" in schema:
            kept["required"] = schema["required"]
        return _with_prose(kept, schema, prose)

    def members(self, schema: JsonSchema) -> int:
        return 0 if isinstance(schema, bool) else len(schema.get("properties", ()))

    def _resolved(self, schema: dict[str, Any], followed: dict[str, JsonSchema | None]) -> dict[str, Any]:
        """The target in place of a reference; references here have no cycles."""
        while isinstance(reference := schema.get("$ref"), str):
            name = reference.removeprefix(DEFS)
            found = followed[name] = self._definitions.get(name)
            target = found if isinstance(found, dict) else {}
            beside = {key: value for key, value in schema.items() if key != "$ref"} if len(schema) > 1 else None
            schema = {**target, **beside} if beside else target
        return schema


def _with_few_values(told: dict[str, Any]) -> dict[str, Any]:
    """A long enumeration in words, as far as a model needs it to know the kind of values."""
    values = told.get("enum", ())
    if len(values) <= MOST_VALUES:
        return told
    rest = {key: value for key, value in told.items() if key != "enum"}
    some = ", ".join(map(value_shown, values[:VALUES_TOLD]))
    return with_words(rest, f"One of {some} and {len(values) - VALUES_TOLD} more. {SHORTENED}")


def says_needed(schema: JsonSchema) -> bool:
    return isinstance(schema, dict) and str(schema.get("description", "")).endswith(NEEDED)


def _with_prose(told: dict[str, Any], own: Mapping[str, Any], prose: int) -> dict[str, Any]:
    """Adds the description of ``own`` with at most ``prose`` characters."""
    said = own.get("description")
    if isinstance(said, str) and (shown := _line(said, prose)):
        told["description"] = shown
    return told


_line = lru_cache(1_024)(short_prose)  # tools share definitions, and it takes more time than all the rest


class Shortening(NamedTuple):
    schema: bytes
    is_shortened: bool


class _Text(msgspec.Struct, gc=False):
    """A level in bytes: the text before, between and after its parts, and each part as an open value. Many listings
    share one."""

    between: list[bytes]
    parts: list[Inner]
    opened: list[bytes]
    size: int


class _Told(msgspec.Struct, gc=False):
    """A level and the current state of its parts: bytes while they are open, levels after that."""

    text: _Text
    parts: list[Any]
    has_levels: bool = False

    def tell(self, place: int, text: _Text) -> _Told:
        told = self.parts[place] = _Told(text, [*text.opened])
        self.has_levels = True
        return told

    def whole(self) -> bytes:
        pieces: list[bytes] = []
        waiting: list[bytes | _Told] = [self]
        while waiting:
            each = waiting.pop()
            if isinstance(each, bytes):
                pieces.append(each)
            else:
                inner: list[Any] = [*each.text.between, *each.parts]
                inner[::2], inner[1::2] = each.text.between, each.parts
                if each.has_levels:
                    waiting += reversed(inner)
                else:
                    pieces += inner
        return b"".join(pieces)


class _Texts:
    """Levels in bytes, each made once for all listings."""

    def __init__(self, reader: Reader, definitions: Mapping[str, JsonSchema]) -> None:
        """``definitions`` are those that the reader follows."""
        self._reader = reader
        self._definitions = definitions
        self._known: dict[tuple[int, int, int, bool], tuple[_Text, JsonSchema, Level]] = {}
        self.levels, self.members = reader.levels, reader.members

    def __len__(self) -> int:
        return len(self._known)

    def of(self, schema: JsonSchema, prose: int, inner: int, *, is_root: bool = False) -> _Text:
        """A level with its description in at most ``prose`` characters, and those of its members in at most
        ``inner``."""
        key = id(schema), prose, inner, is_root
        known = self._known.get(key)
        if known is not None and self._still_leads_to(known[2].followed):
            return known[0]
        level = self._reader.level(schema, prose)
        text = self._text(level, inner, is_root=is_root)
        self._known[key] = text, schema, level  # the schema is kept, so that its id stays its own
        return text

    def _still_leads_to(self, followed: Mapping[str, JsonSchema | None]) -> bool:
        return not followed or all(self._definitions.get(name) is schema for name, schema in followed.items())

    def _text(self, level: Level, inner: int, *, is_root: bool) -> _Text:
        for part in level.parts:
            part.holder[part.key] = _HOLE
        between = encode(level.keywords).split(bytes(_HOLE))
        opened = [
            self._opened(part, inner if part.is_deeper else SHORT_PROSE, is_argument=is_root and part.is_deeper)
            for part in level.parts
        ]
        return _Text(between, level.parts, opened, sum(map(len, between)) + sum(map(len, opened)))

    def _opened(self, part: Inner, prose: int, *, is_argument: bool) -> bytes:
        opened = self._reader.opened(part.schema, prose, is_argument=is_argument)
        if not part.is_leaf:
            opened["description"] = f"{opened.get('description', '')} {SHORTENED}".lstrip()
        return encode(opened)


_Waiting = tuple[bool, bool, int, int, int, Inner, _Told, int]
"""An open part. It sorts by whether simple arguments come first, whether it is optional, its depth, the number of its
members (small ones first) and a running number. The part, its level and its place in that level follow. It is a tuple,
since making objects of a class would double the time: there are 100,000 for 11,400 tools."""


class _Growing:
    """Adds parts of a schema one after another as long as they fit into a limit."""

    def __init__(self, texts: _Texts, root: JsonSchema, limit: int, prose: int, *, simple_first: bool = False) -> None:
        """``simple_first``: arguments that are no objects come before the contents of the others."""
        self._texts, self._prose, self._simple_first = texts, prose, simple_first
        self._costs: dict[tuple[int, bool], int] = {}  # by the id of a schema, which ``texts`` keeps
        self._numbers = count()
        self._waiting: list[_Waiting] = []
        self._left_out: list[tuple[_Told, int]] = []
        self._lacks_needed = False
        text = texts.of(root, 0, prose, is_root=True)
        self._root = _Told(text, [*text.opened])
        self._room = limit - text.size
        self._offer(self._root, 0, is_needed=True)
        while self._waiting:
            self._tell(heappop(self._waiting))

    def _offer(self, told: _Told, depth: int, *, is_needed: bool) -> None:
        for index, part in enumerate(told.text.parts):
            if part.says_more:
                optional = not (is_needed and part.is_needed)
                members = self._texts.members(part.schema)
                below = depth + part.is_deeper
                waits = self._simple_first and (below > 1 or members > 0)
                heappush(self._waiting, (waits, optional, below, members, next(self._numbers), part, told, index))

    def _tell(self, waiting: _Waiting) -> None:
        _, is_optional, depth, _, _, part, within, place = waiting
        text = self._within_room(part, depth, len(within.text.opened[place]))
        if text is not None:
            self._offer(within.tell(place, text), depth, is_needed=not is_optional)
        elif not part.is_leaf:
            self._left_out.append((within, place))
            self._lacks_needed |= not is_optional

    def _within_room(self, part: Inner, depth: int, size: int) -> _Text | None:
        """The level of a part, if there is room for it. Schemas that are too large are remembered. ``size`` is the size
        of the open part."""
        is_argument = depth == 1 and part.is_deeper
        key = id(part.schema), is_argument
        if depth >= self._texts.levels or self._costs.get(key, _LEAST_COST) > self._room:
            return None
        text = self._texts.of(
            part.schema, self._prose if is_argument else SHORT_PROSE, SHORT_PROSE if depth else self._prose
        )
        cost = self._costs[key] = text.size - size
        if cost > self._room:
            return None
        self._room -= cost
        return text

    def fits(self, *, partly: bool = False) -> bool:
        """Whether it is in the limit, with all required parts unless ``partly``."""
        return self._room >= 0 and (partly or not self._lacks_needed)

    def whole(self, where: str) -> Shortening:
        """The schema. The first part that was left out says where the rest is."""
        for within, place in self._left_out[:1]:
            before, _, after = within.text.opened[place].rpartition(_MARK)
            within.parts[place] = before + encode(where)[1:-1] + after
        schema = self._root.whole()
        if self._left_out or _MARK not in schema:
            return Shortening(schema, bool(self._left_out))
        decoded = decode(schema)
        is_shortened = _point(decoded, where)
        return Shortening(encode(decoded) if is_shortened else schema, is_shortened)


class Listings:
    """Shortened schemas of the tools of a document, which share definitions and arguments. In Microsoft Graph, tools
    that create or change the same kind share most levels."""

    def __init__(self) -> None:
        self._definitions: dict[str, JsonSchema] = {}
        self._decoded: dict[bytes, dict[str, JsonSchema]] = {}
        self._texts = self._no_texts()

    def _no_texts(self) -> _Texts:
        return _Texts(InFull(self._definitions), self._definitions)

    def shortened(self, schema: Pieces, where: str, limit: int = LISTED_BYTES) -> bytes:
        """The schema in at most ``limit`` bytes, if its arguments fit at all. ``where`` says in words where the rest
        is."""
        if len(self._texts) > _LEVELS_KEPT:
            self._decoded, self._texts = {}, self._no_texts()
        self._definitions.clear()
        self._definitions |= self._named(schema.definitions)
        root: dict[str, Any] = {"type": "object", "properties": self._named(schema.properties)}
        if schema.required != b"[]":
            root["required"] = decode(schema.required)
        return _listing(root, self._texts, where, limit).schema

    def _named(self, members: Iterable[bytes]) -> dict[str, JsonSchema]:
        """Schemas by name; equal ones are the same objects in each call."""
        named: dict[str, JsonSchema] = {}
        for member in members:
            if (known := self._decoded.get(member)) is None:
                known = self._decoded[member] = decode(b"{%b}" % member)
            named |= known
        return named


def is_long(schema: Pieces, limit: int) -> bool:
    """Whether a list must shorten a schema."""
    return len(schema) > limit or _LONG_ENUM.search(schema.whole) is not None


def listing(root: JsonSchema, reader: Reader, where: str, limit: int) -> Shortening:
    """A shortened schema in the form of ``reader``."""
    return _listing(root, _Texts(reader, {}), where, limit)


def _listing(root: JsonSchema, texts: _Texts, where: str, limit: int) -> Shortening:
    where = f"(Shortened; {where}.)"
    room = limit - len(where)
    for prose in _PROSE:
        growing = _Growing(texts, root, room, prose)
        if growing.fits():
            return growing.whole(where)
    for prose in _PROSE[1:]:
        growing = _Growing(texts, root, room, prose, simple_first=True)
        if growing.fits(partly=True):
            break
    return growing.whole(where)


def _point(schema: Any, where: str) -> bool:  # noqa: ANN401 - any JSON value
    """Adds to the first mark where the rest is; returns False if nothing was left out."""
    if isinstance(schema, list):
        return any(_point(each, where) for each in schema)
    if not isinstance(schema, dict):
        return False
    if isinstance(said := schema.get("description"), str) and SHORTENED in said:  # or a property of this name
        schema["description"] = said.replace(SHORTENED, where)
        return True
    return any(_point(each, where) for each in schema.values())
