"""The named schemas of a document in the schemas of tools: encoded, only those that are reached, within a budget.

A definition is inserted as its bytes. Definitions are decoded and made smaller only if a tool's schema would be too
large, each at most once for each level of detail in a document.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence

import msgspec

from openapi_mcp_server.bridge.schemas.edits import Detail, cleaned, decode, encode, opened, reduced
from openapi_mcp_server.openapi.model import Schema
from openapi_mcp_server.openapi.pointers import DEFS

_REF = re.compile(rb'"\$ref":"#/\$defs/([A-Za-z0-9._-]+)"')
"""Names of definitions have no characters that a JSON Pointer or a URI would escape."""
_ONLY_REF = re.compile(rb'\{(?:"type":(?:"object"|\["object","null"\]),)?"\$ref":"#/\$defs/([A-Za-z0-9._-]+)"\}')


class _Root(msgspec.Struct, frozen=True, gc=False):
    """The keywords that say whether a value is an object; other keywords are skipped."""

    type: msgspec.Raw = msgspec.Raw(b"")
    ref: str = msgspec.field(default="", name="$ref")
    properties: msgspec.Raw = msgspec.Raw(b"")
    all_of: tuple[msgspec.Raw, ...] = msgspec.field(default=(), name="allOf")
    any_of: tuple[msgspec.Raw, ...] = msgspec.field(default=(), name="anyOf")
    one_of: tuple[msgspec.Raw, ...] = msgspec.field(default=(), name="oneOf")


_OBJECT = b'"object"'
OBJECT_OR_NULL = b'["object","null"]'
_OBJECTS = frozenset({_OBJECT, OBJECT_OR_NULL})
_LISTS = frozenset({b'"array"', b'["array","null"]'})
"""The types of an object and of a list; schemas of answers allow null everywhere."""
_root = msgspec.json.Decoder(_Root | bool).decode


class Edited(Mapping[str, Schema]):
    """Named schemas, each edited at its first use."""

    def __init__(self, schemas: Mapping[str, Schema], edit: Callable[[bytes], bytes]) -> None:
        self._schemas = schemas
        self._edit = edit
        self._edited: dict[str, Schema] = {}

    def __getitem__(self, name: str) -> Schema:
        if name not in self._edited:
            schema = self._schemas[name]
            json = self._edit(bytes(schema.json))
            if json != schema.json:
                schema = Schema(msgspec.Raw(json), refs_in(json, self._schemas))
            self._edited[name] = schema
        return self._edited[name]

    def __contains__(self, name: object) -> bool:
        return name in self._schemas  # without an edit, unlike a mapping's own

    def is_changed(self, name: str) -> bool:
        """Whether the edit changes this schema."""
        return self[name] is not self._schemas[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._schemas)

    def __len__(self) -> int:
        return len(self._schemas)


class Definitions:
    """The named schemas of one direction, with a cache of facts about them while a catalog is built."""

    def __init__(self, schemas: Mapping[str, Schema]) -> None:
        self._schemas = schemas
        self._endless: frozenset[str] | None = None
        self._members: dict[tuple[str, Detail], bytes] = {}
        self._stubs: dict[str, bytes] = {}
        self._objects: dict[str, bool] = {}

    def member(self, name: str, detail: Detail) -> bytes:
        """``"NAME":{…}`` at a level of detail."""
        known = self._members.get((name, detail))
        if known is None:
            body = reduced(cleaned(bytes(self._schemas[name].json)), detail)
            known = self._members[name, detail] = encode(name) + b":" + body
        return known

    def body(self, name: str, detail: Detail) -> bytes:
        """The schema of a member without its name."""
        return self.member(name, detail)[len(encode(name)) + 1 :]

    def refs(self, name: str) -> tuple[str, ...]:
        """The definitions that a definition refers to."""
        return self._schemas[name].refs

    def named(self, schema: bytes) -> str | None:
        """The definition that an encoded schema refers to, if it is only a reference."""
        found = _ONLY_REF.fullmatch(schema)
        name = found[1].decode() if found else ""
        return name if name in self._schemas else None

    def stub(self, name: str) -> bytes:
        """``"NAME":{…}`` with the schema left out."""
        known = self._stubs.get(name)
        if known is None:
            schema = decode(self._schemas[name].json)
            known = self._stubs[name] = encode(name) + b":" + encode(opened(schema))
        return known

    def refs_in(self, schema: bytes) -> tuple[str, ...]:
        """See `refs_in`."""
        return refs_in(schema, self._schemas)

    def reached(self, refs: Sequence[str], room: int, detail: Detail) -> dict[str, bytes] | None:
        """All members that ``refs`` lead to, by name, nearest first; None if they take more than ``room`` bytes."""
        queue = list(dict.fromkeys(refs))
        names = set(queue)
        members = {}
        for name in queue:  # grows while it is walked
            member = self.member(name, detail)
            room -= len(member) + 1
            if room < 0:
                return None
            members[name] = member
            for ref in self._schemas[name].refs:
                if ref not in names:
                    names.add(ref)
                    queue.append(ref)
        return members

    def is_endless(self, names: Iterable[str]) -> bool:
        """Whether any of these leads to a definition within a cycle."""
        if self._endless is None:
            self._endless = _endless({name: set(schema.refs) for name, schema in self._schemas.items()})
        return not self._endless.isdisjoint(names)

    def nearest(self, refs: Sequence[str], room: int) -> dict[str, bytes]:
        """The members by name: as many as fit into ``room`` bytes, nearest first, stubs for the others."""
        names = dict.fromkeys(refs)
        queue = list(names)
        room -= sum(len(self.stub(name)) + 1 for name in queue)
        members = {}
        for name in queue:
            fresh = [ref for ref in self._schemas[name].refs if ref not in names]
            member = self.member(name, Detail.LOOSE)
            cost = len(member) - len(self.stub(name)) + sum(len(self.stub(ref)) + 1 for ref in fresh)
            if cost > room:
                members[name] = self.stub(name)
                continue
            room -= cost
            members[name] = member
            names.update(dict.fromkeys(fresh))
            queue.extend(fresh)
        return members

    def is_object(self, schema: bytes | msgspec.Raw) -> bool:
        """Whether every value of an encoded schema must be an object."""
        root = _root(schema)
        if isinstance(root, bool):
            return False
        if root.type:
            return bytes(root.type) in _OBJECTS
        if root.properties:
            return True
        if root.ref:
            return self._names_object(root.ref.removeprefix(DEFS))
        choices = root.any_of or root.one_of
        return any(map(self.is_object, root.all_of)) or (bool(choices) and all(map(self.is_object, choices)))

    def is_list(self, schema: bytes | msgspec.Raw) -> bool:
        """Whether an encoded schema itself has the type of lists."""
        root = _root(schema)
        return isinstance(root, _Root) and bytes(root.type) in _LISTS

    def _names_object(self, name: str) -> bool:
        """Whether a definition names an object. It works without recursion, since hundreds of definitions may be
        nested."""
        waiting = [] if name in self._objects else [name]
        while waiting:
            schema = self._schemas[waiting[-1]].json
            if waiting[-1] in self._objects:
                self._objects[waiting.pop()] = self.is_object(schema)
            else:
                self._objects[waiting[-1]] = False  # the value while a cycle is walked
                waiting += [each for each in _in_place(schema) if each not in self._objects]
        return self._objects[name]


def _in_place(schema: bytes | msgspec.Raw) -> Iterator[str]:
    """The definitions that `Definitions.is_object` must look at."""
    root = _root(schema)
    if not isinstance(root, _Root) or root.type or root.properties:
        return
    if root.ref:
        yield root.ref.removeprefix(DEFS)
        return
    for part in (*root.all_of, *root.any_of, *root.one_of):
        yield from _in_place(part)


def refs_in(schema: bytes, names: Container[str]) -> tuple[str, ...]:
    """The definitions that an encoded schema refers to, found in the bytes; the schema must be compact.

    A quote inside a JSON string is always escaped, so only a member ``$ref`` matches. A ``$ref`` in data (in an
    example, say) matches, too, and adds a needless definition.
    """
    found = (token.decode() for token in dict.fromkeys(_REF.findall(schema)))
    return tuple(name for name in found if name in names)


def _endless(waiting: dict[str, set[str]]) -> frozenset[str]:
    """The names that remain after repeatedly removing names without references; the sets are used up."""
    referrers: dict[str, list[str]] = {}
    for name, refs in waiting.items():
        for ref in refs:
            referrers.setdefault(ref, []).append(name)
    ending = [name for name, refs in waiting.items() if not refs]
    for name in ending:  # grows while it is walked
        for referrer in referrers.get(name, ()):
            waiting[referrer].discard(name)
            if not waiting[referrer]:
                ending.append(referrer)
    return frozenset(name for name, refs in waiting.items() if refs)


def says_object(schema: bytes) -> bool:
    """Whether an encoded schema has exactly ``"type":"object"`` at its root."""
    root = _root(schema)
    return isinstance(root, _Root) and bytes(root.type) == _OBJECT
