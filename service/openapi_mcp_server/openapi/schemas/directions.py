"""One direction's schemas: each converted once, on demand, and named by where it is in the document.

A schema that cannot be used (a reference out of the document, nesting without end) spoils all that lead to it and
nothing else.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.openapi.model import Schema
from openapi_mcp_server.openapi.pointers import tokens
from openapi_mcp_server.openapi.references.resolve import Located, References, decoded
from openapi_mcp_server.openapi.schemas.conversion import Conversion

MAX_IN_PLACE = 10_000
"""Schemas that one value may have to be checked against, references followed: an ``allOf`` that names the next one
twice is 2²⁰ of them after twenty steps. jsonschema-rs takes 36 ns for each."""
MAX_INNER_BYTES = 32 * 1024 * 1024
"""Bytes of definitions inside others (``#/components/schemas/Tag/allOf/0``), each of which is converted again."""

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_HASHED = re.compile(r"-[0-9a-f]{10}$")
_NOT_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_NAME_CHARACTERS = 60


class Schemas:
    """The schemas of requests or of answers.

    ``conversion`` makes one from where it stands; ``home`` is where the dialect keeps the named ones.
    """

    def __init__(self, references: References, conversion: Callable[[Located], Conversion], home: str) -> None:
        self._references = references
        self._home = home
        self._conversion = conversion
        self._names: dict[tuple[str, str], str] = {}  # (base, reference) → name
        self._targets: dict[str, Located] = {}
        self._pending: list[str] = []
        self._converted: dict[str, Schema] = {}
        self._referrers: dict[str, list[str]] = {}
        self._in_place: dict[str, list[str]] = {}
        self._weights: dict[str, int] = {}
        self._faults: dict[str, SpecError] = {}
        self._inner_bytes = 0

    def read(self, at: Located) -> Schema:
        """The schema at a place; raises SpecError if it or one that it leads to cannot be used."""
        self._references.index(at)
        conversion = self._conversion(at)
        schema = _encoded(conversion, at)
        self._convert_pending()
        for name in conversion.refs:
            self._refuse_spoilt(name)
        if 1 + sum(map(self._weigh, conversion.in_place)) > MAX_IN_PLACE:
            raise _too_heavy(at)
        return schema

    def definitions(self) -> dict[str, Schema]:
        """What the schemas that were read lead to, by name."""
        return {name: schema for name, schema in self._converted.items() if name not in self._faults}

    def name_of(self, reference: str, base: str, where: Callable[[], str]) -> str:
        """See `openapi_mcp_server.openapi.schemas.conversion.Names`."""
        name = self._names.get((base, reference))
        if name is None:
            origin = Located(where(), msgspec.Raw(), base)
            target = self._references.beyond_aliases(self._references.find(reference, origin))
            name = self._names[base, reference] = definition_name(target.pointer, self._home)
            if name not in self._targets:
                self._targets[name] = target
                self._pending.append(name)
        return name

    def _convert_pending(self) -> None:
        """Convert what references have led to since; a list, not recursion, since they may be 10,000 in a row."""
        fresh = []
        while self._pending:
            name = self._pending.pop()
            fresh.append(name)
            try:
                self._convert(name)
            except SpecError as error:
                self._fail(name, error)
        for name in fresh:
            if name not in self._faults and self._weigh(name) > MAX_IN_PLACE:
                self._fail(name, _too_heavy(self._targets[name]))

    def _convert(self, name: str) -> None:
        target = self._targets[name]
        if target.pointer.rpartition("/")[0] != self._home:
            self._inner_bytes += memoryview(target.json).nbytes
            if self._inner_bytes > MAX_INNER_BYTES:
                raise SpecError(target.pointer, f"more than {MAX_INNER_BYTES:,} bytes of schemas inside others")
        conversion = self._conversion(target)
        self._converted[name] = _encoded(conversion, target)
        self._in_place[name] = conversion.in_place
        for ref in conversion.refs:
            self._referrers.setdefault(ref, []).append(name)
        for ref in conversion.refs:
            self._refuse_spoilt(ref)

    def _refuse_spoilt(self, name: str) -> None:
        if error := self._faults.get(name):
            raise SpecError(error.pointer, error.problem) from error

    def _fail(self, name: str, error: SpecError) -> None:
        """Give up a definition and all that lead to it."""
        waiting = [name]
        while waiting:
            each = waiting.pop()
            if each not in self._faults:
                self._faults[each] = error.kept()
                waiting += self._referrers.get(each, ())

    def _weigh(self, name: str) -> int:
        """How many schemas a value is checked against by a definition. A way back to where one is counts as one."""
        stack = [name]
        while stack:
            current = stack[-1]
            members = self._in_place.get(current, ())
            if current not in self._weights:
                self._weights[current] = 1  # while its own cycles are walked
                stack += [each for each in members if each not in self._weights]
            else:
                stack.pop()
                self._weights[current] = min(1 + sum(self._weights[each] for each in members), MAX_IN_PLACE + 1)
        return self._weights[name]


def definition_name(pointer: str, home: str) -> str:
    """The name in ``$defs`` of a schema: its own below ``home``, anywhere else its place in words and a hash.

    It depends on the place alone, and two places never share one: a component whose own name looks as if it were
    hashed is hashed too.
    """
    own = pointer.removeprefix(f"{home}/")
    if own != pointer and _NAME.fullmatch(own) and not _HASHED.search(own):
        return own
    words = _NOT_NAME.sub("_", ".".join(tokens(pointer)[-3:]))[-_NAME_CHARACTERS:]
    return f"{words}-{hashlib.blake2b(pointer.encode(), digest_size=5).hexdigest()}"


def _encoded(conversion: Conversion, at: Located) -> Schema:
    json = msgspec.json.encode(conversion.root(decoded(at)))
    return Schema(msgspec.Raw(json), tuple(sorted(conversion.refs)))


def _too_heavy(at: Located) -> SpecError:
    return SpecError(at.pointer, f"combines more than {MAX_IN_PLACE:,} schemas for one value")


def top_level(schema: Schema, definitions: Mapping[str, Schema]) -> dict[str, Any]:
    """The outermost level of a schema as one object: references and ``allOf`` at its root followed and merged.

    What is below stays as it is and may hold ``$ref: "#/$defs/NAME"``. What cannot be merged stays in ``allOf``.
    ``{}`` where anything goes. Each definition counts once, so that cycles and repetitions end.
    """
    root = msgspec.json.decode(schema.json)
    if not _MERGED.isdisjoint(root):
        return _Merge(definitions).merged(root)
    level: dict[str, Any] = root
    return level


_MERGED = frozenset({"$ref", "allOf"})
_FIRST_COUNTS = frozenset({"title", "description", "default", "deprecated", "examples", "xml"})
_LINKED = frozenset(
    {
        "if", "then", "else", "items", "prefixItems", "contains", "minContains", "maxContains", "patternProperties",
        "unevaluatedItems", "unevaluatedProperties",
    }
)  # fmt: skip
"""Keywords that mean nothing without each other (2020-12 core, sections 10.2.2 and 10.3, and section 11)."""


class _Merge:
    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self._definitions = definitions
        self._level: dict[str, Any] = {}
        self._rest: list[dict[str, Any]] = []

    def merged(self, root: dict[str, Any]) -> dict[str, Any]:
        waiting = [root]
        seen = set()
        while waiting:
            part = dict(waiting.pop())
            reference, members = part.pop("$ref", None), part.pop("allOf", [])
            self._add(part)
            waiting += reversed(members)
            if reference is not None and reference not in seen:
                seen.add(reference)
                waiting.append(msgspec.json.decode(self._definitions[reference.removeprefix("#/$defs/")].json))
        return self._level | ({"allOf": self._rest} if self._rest else {})

    def _add(self, part: dict[str, Any]) -> None:
        clashing = self._clashing(part)
        for keyword, value in part.items():
            if keyword not in clashing:
                self._level[keyword] = self._united(keyword, self._level.get(keyword), value)
        if clashing:
            self._rest.append({keyword: part[keyword] for keyword in clashing})

    def _clashing(self, part: dict[str, Any]) -> list[str]:
        """The keywords of a part that cannot join the level."""
        linked = not _LINKED.isdisjoint(part) and not _LINKED.isdisjoint(self._level)
        return [
            keyword
            for keyword, value in part.items()
            if (linked and keyword in _LINKED)
            or (keyword in self._level and self._united(keyword, self._level[keyword], value) is None)
        ]

    def _united(self, keyword: str, one: Any, other: Any) -> Any:  # noqa: ANN401 - values of any keyword
        """The value that says what both say; None if there is none."""
        if one is None or one == other or keyword in _FIRST_COUNTS:
            return other if one is None else one
        match keyword:
            case "properties":
                return one | {name: _both(one.get(name), value) for name, value in other.items()}
            case "required":
                return list(dict.fromkeys([*one, *other]))
            case "type":
                return _common_type(one, other)
            case "additionalProperties":
                return _common_rest(one, other)
            case _:
                return None


def _both(one: dict[str, Any] | None, other: dict[str, Any]) -> dict[str, Any]:
    return other if one is None or one == other else {"allOf": [one, other]}


def _common_rest(one: Any, other: Any) -> dict[str, Any] | bool:  # noqa: ANN401 - a schema or false
    """What the unnamed properties of the whole may be: each part alone would speak of the other's properties too."""
    if one is False or other is False:
        return False
    return _both(one, other) if one and other else {}


def _common_type(one: str | list[str], other: str | list[str]) -> str | list[str] | None:
    """The types that both admit; a whole number is a number."""
    first, second = ([each] if isinstance(each, str) else each for each in (one, other))
    common = [name for name in first if name in second or (name == "integer" and "number" in second)]
    common += [name for name in second if name == "integer" and name not in common and "number" in first]
    return (common[0] if len(common) == 1 else common) or None
