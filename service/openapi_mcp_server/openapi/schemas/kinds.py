"""The kinds of a base with a ``discriminator``: the schemas that extend it with ``allOf``.

By the specification (Discriminator Object, "When using the discriminator …") the base alone describes any of them. The
value of one property selects the kind: the name of its schema, unless ``mapping`` gives another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.openapi.model import Schema
from openapi_mcp_server.openapi.pointers import DEFS, tokens
from openapi_mcp_server.openapi.references.resolve import Located, References, opened
from openapi_mcp_server.openapi.schemas import discriminators
from openapi_mcp_server.openapi.schemas.keywords import SELECTING
from openapi_mcp_server.openapi.text import numbers

_EXTENSION = b'"x-ms-discriminator-value"'
MAX_KINDS = 20
"""The most kinds of one base that are described; if there are more, only their values are listed."""
MAX_PAIRS = 100_000
"""The most pairs of a base and a derived schema in a document. 2,000 bases that each extend the one before would make
two million."""


class _Reference(msgspec.Struct, frozen=True):
    ref: str = msgspec.field(default="", name="$ref")


class _Child(msgspec.Struct, frozen=True):
    all_of: tuple[_Reference | bool | None, ...] = msgspec.field(default=(), name="allOf")


class _Named(msgspec.Struct, frozen=True):
    """Azure's extension for the value that selects a schema (AutoRest, "x-ms-discriminator-value")."""

    value: str = msgspec.field(default="", name="x-ms-discriminator-value")


class _Base(msgspec.Struct, frozen=True):
    discriminator: msgspec.Raw = msgspec.Raw(b"null")
    one_of: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="oneOf")
    any_of: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="anyOf")


_child = msgspec.json.Decoder(_Child).decode
_base = msgspec.json.Decoder(_Base).decode
_named = msgspec.json.Decoder(_Named).decode


class Kinds(msgspec.Struct, frozen=True):
    """The kinds that the values of ``property_name`` select; ``made_of_it`` has the pointers of all schemas that extend
    the base."""

    property_name: str
    values: Mapping[str, Located]
    made_of_it: frozenset[str]


class Kinship:
    """The schemas of a document that extend others by ``allOf``, with these others."""

    def __init__(self, references: References, home: str) -> None:
        self._references = references
        self._home = home
        self._kinds: dict[str, Kinds | None] = {}
        self._selecting: dict[str, dict[str, str]] = {}  # by the pointer of a kind
        self._children: dict[str, list[Located]] | None = None
        self._left = MAX_PAIRS

    def kinds(self, base: Located) -> Kinds | None:
        """The kinds that a schema stands for; None if it stands only for itself. Raises SpecError if all bases of the
        document together stand for too many."""
        if base.pointer not in self._kinds:
            self._kinds[base.pointer] = self._read(base)
        return self._kinds[base.pointer]

    def selecting(self, kind: Located) -> Mapping[str, str]:
        """The value of each property that selects this kind, by the bases that `kinds` was asked for."""
        return self._selecting.get(kind.pointer, {})

    def _read(self, base: Located) -> Kinds | None:
        try:
            declared = _base(base.json)
            said = discriminators.read(numbers.decode(declared.discriminator))
        except msgspec.ValidationError:
            return None
        if said is None or bytes(declared.one_of) or bytes(declared.any_of):
            return None
        mapped = dict(self._mapped(said.mapping, base))
        made = {each.pointer: each for each in self._descendants(base)}
        named = {target.pointer for target in mapped.values()}
        implicit = {_name(each): each for each in made.values() if each.pointer not in named}
        selected = {**mapped, **implicit}
        for kind, each in selected.items():
            self._selecting.setdefault(each.pointer, {}).setdefault(said.property_name, kind)
        values = {kind: each for kind, each in selected.items() if each.pointer != base.pointer}
        return Kinds(said.property_name, values, frozenset(made)) if values else None

    def _mapped(self, mapping: Mapping[str, str], base: Located) -> Iterator[tuple[str, Located]]:
        """The schemas that a mapping names or refers to. An entry without a target selects nothing."""
        for kind, target in mapping.items():
            for reference in discriminators.mapped_references(target, self._home):
                try:
                    found = self._references.beyond_aliases(self._references.find(reference, base))
                except SpecError:
                    continue
                yield kind, found
                break

    def _descendants(self, base: Located) -> list[Located]:
        found: dict[str, Located] = {}
        waiting = [base.pointer]
        for pointer in waiting:  # grows while it is walked
            for each in self._all_children().get(pointer, ()):
                if each.pointer not in found:
                    self._left -= 1
                    found[each.pointer] = each
                    waiting.append(each.pointer)
            if self._left < 0:
                raise SpecError(base.pointer, f"more than {MAX_PAIRS:,} schemas are made of bases with a discriminator")
        return list(found.values())

    def _all_children(self) -> dict[str, list[Located]]:
        if self._children is None:
            self._children = {}
            for each, reference in self._extending():
                try:
                    parent = self._references.beyond_aliases(self._references.find(reference, each)).pointer
                except SpecError:
                    continue
                self._children.setdefault(parent, []).append(each)
        return self._children

    def _extending(self) -> Iterator[tuple[Located, str]]:
        """Every named schema with ``allOf``, and its references there."""
        home = self._references.find(self._home, Located("", msgspec.Raw()))
        members: Any = opened(home.json)
        for name, json in members.items() if isinstance(members, dict) else ():
            try:
                parts = _child(json).all_of if b'"allOf"' in bytes(json) else ()
            except msgspec.ValidationError:
                continue
            at = home.member(json, name)
            yield from ((at, part.ref) for part in parts if isinstance(part, _Reference) and part.ref)


def _name(schema: Located) -> str:
    """The value that selects a schema without a mapping."""
    try:
        said = _named(schema.json).value if _EXTENSION in bytes(schema.json) else ""
    except msgspec.ValidationError:
        said = ""
    return said or tokens(schema.pointer)[-1]


def described(base: str, kinds: Kinds, names: Mapping[str, str]) -> Schema:
    """The schema of a base with its kinds; ``base`` and ``names`` (by kind) are names of definitions.

    A value of another kind needs to fit only the base, since the API may have more kinds.
    """
    if len(kinds.values) > MAX_KINDS:
        told = f"{kinds.property_name} selects what else is in it: {', '.join(list(kinds.values)[:MAX_KINDS])}, …"
        return _encoded({"$ref": DEFS + base, "description": told}, {base})
    of_kind: dict[str, list[str]] = {}
    for kind, name in names.items():
        of_kind.setdefault(name, []).append(kind)
    choices: list[dict[str, Any]] = [
        {"allOf": [{"$ref": DEFS + name}, _with(kinds.property_name, values)]} for name, values in of_kind.items()
    ]
    if not choices:
        return _encoded({"$ref": DEFS + base}, {base})
    others = {**_with(kinds.property_name, list(names)), "required": [kinds.property_name]}
    return _encoded({"anyOf": [*choices, {"$ref": DEFS + base, "not": others}]}, {base, *of_kind})


def annotated(schema: Schema, selecting: Mapping[str, str]) -> Schema:
    """A kind's schema with the values that select it as annotations, for who makes values."""
    if not selecting:
        return schema
    told = msgspec.json.encode({"properties": {name: {SELECTING: kind} for name, kind in selecting.items()}})
    return msgspec.structs.replace(schema, json=msgspec.Raw(b'{"allOf":[' + bytes(schema.json) + b"," + told + b"]}"))


def _with(name: str, values: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": {name: {"type": "string", "enum": values}}}


def _encoded(schema: dict[str, Any], refs: set[str]) -> Schema:
    return Schema(msgspec.Raw(msgspec.json.encode(schema)), tuple(sorted(refs)))
