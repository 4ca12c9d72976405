"""Choices with a ``discriminator``: a value is checked against the schema that it names, not against any other one.

By OpenAPI 3.0.4, 3.1.1 and 3.2.0 (Discriminator Object, "Options for Mapping Values to Schemas") a value names a schema
by ``mapping`` or by the schema's own name, which stays valid beside ``mapping``. A schema does not have a name that its
own list for the property lacks. Some authors write other values (``cat`` for ``Cat``). By the specification a value
that names nothing SHOULD fail. Here it fails only if ``mapping`` has every schema and there is no ``defaultMapping``. A
value that is absent, or no text, names nothing and never fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.openapi.pointers import child, tokens
from openapi_mcp_server.openapi.references.resolve import Located, References, decoded
from openapi_mcp_server.openapi.schemas.choices import PRESENCE
from openapi_mcp_server.openapi.schemas.keywords import as_text

MOST_NAMES = 2_500
"""The most names of one choice beyond those of ``mapping``, since each schema lists the names of the others."""
_MOST_NESTED = 20
"""The most references and combinations that are followed to find a schema's names for the property."""
_DIGITS = 18
"""The greatest length of a name that may be meant as a number."""

Names = dict[str, None]
"""Names in the order of the document."""


class Discriminator(msgspec.Struct, frozen=True, kw_only=True):
    property_name: str
    mapping: Mapping[str, str] = {}
    has_default: bool = False


class _Choice(msgspec.Struct, kw_only=True):
    """``mapped`` are the names from ``mapping``, ``listed`` those from the schema; None if it accepts any. ``is_open``:
    names may select schemas within this one, so it may be right for all names."""

    target: Located
    listed: frozenset[str] | None
    mapped: Names
    names: Names
    is_open: bool


Refused = Callable[[Discriminator, Sequence[str | None]], Sequence[dict[str, Any] | None]]
"""See `Discriminators.refused`, for schemas at one place."""


def read(value: object) -> Discriminator | None:
    """Reads a Discriminator Object, or the name of its property alone, as Swagger 2.0 has it; None if it names no
    property. A name that YAML has read as a number is text."""
    if isinstance(value, str):
        value = {"propertyName": value}
    if not isinstance(value, Mapping) or not (name := _name(value.get("propertyName"))):
        return None
    declared = value.get("mapping")
    targets = {key: _name(target) for key, target in declared.items()} if isinstance(declared, Mapping) else {}
    return Discriminator(
        property_name=name,
        mapping={key: target for key, target in targets.items() if target is not None},
        has_default=isinstance(value.get("defaultMapping"), str),
    )


def _name(value: object) -> str | None:
    return value if isinstance(value, str) else as_text(value) if isinstance(value, int | float) else None


def has_numbers(value: Mapping[str, Any]) -> bool:
    """Whether YAML has read a name in a Discriminator Object as a number."""
    mapping = value.get("mapping")
    names = [value.get("propertyName"), *(mapping.values() if isinstance(mapping, dict) else ())]
    return any(isinstance(name, int | float) for name in names)


def mapped_references(target: str, home: str) -> tuple[str, ...]:
    """The references that a target of ``mapping`` may mean, the likeliest first: it is the name of a schema at ``home``
    or a reference. If the schema was in another file, the target is its name there."""
    last = target.rpartition("/")[2]
    return child(home, target), target, child(home, last), child(home, last.partition(".")[0])


def tell_apart(said: Discriminator, schema: Mapping[str, Any], strict: Mapping[str, Any], refused: Refused) -> None:
    """Makes each converted choice of ``strict`` refuse values that name another one."""
    for keyword in ("oneOf", "anyOf"):
        declared, converted = schema.get(keyword, ()), strict.get(keyword, ())
        if not isinstance(declared, list) or len(declared) != len(converted) or len(converted) < 2:
            continue
        choices = [_lone_reference(each) for each in declared]
        for choice, others in zip(converted, refused(said, choices), strict=True):
            if others is not None and "$ref" in choice and "not" not in choice:
                choice["not"] = others


def _lone_reference(choice: object) -> str | None:
    """The reference that a choice consists of, also as the only part of ``allOf``."""
    while isinstance(choice, dict) and "$ref" not in choice:
        parts = choice.get("allOf")
        choice = parts[0] if isinstance(parts, list) and len(parts) == 1 else None
    reference = choice.get("$ref") if isinstance(choice, dict) else None
    return reference if isinstance(reference, str) else None


class Discriminators:
    """The discriminators of one document, whose schemas have their names at ``home``."""

    def __init__(self, references: References, home: str) -> None:
        self._references = references
        self._home = home
        self._known: dict[tuple[str, str], tuple[frozenset[str] | None, bool]] = {}  # by pointer and property

    def refused(self, said: Discriminator, choices: Sequence[str | None], base: str) -> list[dict[str, Any] | None]:
        """For each choice, a schema of the values that name another one; None if there is nothing to refuse.

        ``choices`` are references as written, None for a choice that is no reference.
        """
        by_pointer: dict[str, _Choice] = {}
        known = [None if each is None else self._choice(said, each, base, by_pointer) for each in choices]
        named = [each for each in known if each is not None]
        elsewhere = _map(said, by_pointer, self._references, self._home, base)
        for each in by_pointer.values():
            _add_own_name(each, said, self._home)
        is_whole = len(named) == len(choices) and all(each.mapped and not each.is_open for each in named)
        is_strict = is_whole and not said.has_default
        own = sum(len(each.names) for each in named)
        again = own + len(named) * len(elsewhere) - len(said.mapping) - len(named) if is_strict else own * len(named)
        if again > MOST_NAMES:
            return [None] * len(choices)
        if is_strict:
            return [_named_otherwise_or_nothing(said, each, elsewhere) for each in named]
        return [None if each is None or each.is_open else _named_otherwise(said, each, named) for each in known]

    def _choice(self, said: Discriminator, reference: str, base: str, by_pointer: dict[str, _Choice]) -> _Choice | None:
        """One choice for each schema, which may be there twice."""
        target = _found(reference, self._references, base)
        if target is None:
            return None
        key = target.pointer, said.property_name
        if key not in self._known:
            whole = _Whole(self._references, target)
            self._known[key] = whole.listed(said.property_name), whole.is_choice()
        listed, is_open = self._known[key]
        choice = _Choice(target=target, listed=listed, mapped={}, names={}, is_open=is_open)
        return by_pointer.setdefault(target.pointer, choice)


def _found(reference: str, references: References, base: str) -> Located | None:
    try:
        return references.beyond_aliases(references.find(reference, Located("", msgspec.Raw(), base)))
    except SpecError:
        return None


def _map(said: Discriminator, choices: Mapping[str, _Choice], known: References, home: str, base: str) -> list[str]:
    """Gives the choices their names from ``mapping``; returns the names for other schemas."""
    elsewhere = []
    for name, target in said.mapping.items():
        tried = (_found(each, known, base) for each in mapped_references(target, home))
        found = next((at for at in tried if at is not None), None)
        choice = None if found is None else choices.get(found.pointer)
        if choice is None:
            elsewhere.append(name)
        else:
            choice.mapped[name] = None
    return elsewhere


def _add_own_name(choice: _Choice, said: Discriminator, home: str) -> None:
    place, own = choice.target.pointer.rpartition("/")[0], tokens(choice.target.pointer)[-1]
    names = {**choice.mapped, **({own: None} if place == home and own not in said.mapping else {})}
    choice.names = {name: None for name in names if choice.listed is None or name in choice.listed}


def _named_otherwise_or_nothing(
    said: Discriminator, choice: _Choice, elsewhere: Sequence[str]
) -> dict[str, Any] | None:
    if choice.listed is not None and (not choice.names or choice.listed <= choice.names.keys()):
        return None
    names = [*choice.names, *elsewhere]
    values = _spelt(names)
    judged = "string" if len(values) == len(names) else ["string", "number", "boolean"]
    return _property(said, {"type": judged, "not": {"enum": values}})


def _named_otherwise(said: Discriminator, choice: _Choice, named: Sequence[_Choice]) -> dict[str, Any] | None:
    others = {name: None for each in named if each is not choice for name in each.names if name not in choice.names}
    if choice.listed is not None and choice.listed.isdisjoint(others):
        return None
    return _property(said, {"enum": _spelt([*others])}) if others else None


def _property(said: Discriminator, schema: dict[str, Any]) -> dict[str, Any]:
    return {"properties": {said.property_name: schema}, "required": [said.property_name]}


def _spelt(names: Sequence[str]) -> list[Any]:
    """The names, and the numbers and booleans that some of them spell, since tools may compare them as text."""
    return [value for name in names for value in (name, *_scalar(name))]


def _scalar(name: str) -> Iterator[int | bool]:
    if name in {"true", "false"}:
        yield name == "true"
    elif len(name) <= _DIGITS and name.removeprefix("-").isdecimal() and str(int(name)) == name:
        yield int(name)


class _Whole:
    """A schema with its references and the parts of its ``allOf``."""

    def __init__(self, references: References, at: Located) -> None:
        self._references = references
        self._own = _decoded(at)
        self._parts = [*self._reached(self._own, at.base)]

    def is_choice(self) -> bool:
        """Whether other schemas stand for it: its alternatives, or the schemas that extend it."""
        is_base = isinstance(self._own, Mapping) and "discriminator" in self._own
        return is_base or any(_is_choice(part) for part, _ in self._parts)

    def listed(self, name: str) -> frozenset[str] | None:
        """The texts that it lists for a property; None if it seems to accept any."""
        found = None
        for part, base in self._parts:
            properties = part.get("properties")
            own = properties.get(name) if isinstance(properties, Mapping) else None
            for value, _ in self._reached(own, base):
                if (listed := _values(value)) is not None:
                    found = listed if found is None else found & listed
        return found

    def _reached(self, schema: object, base: str) -> Iterator[tuple[Mapping[str, Any], str]]:
        waiting, left = [(schema, base)], _MOST_NESTED
        while waiting and left:
            left -= 1
            each, inner = waiting.pop()
            if not isinstance(each, Mapping):
                continue
            yield each, inner
            parts = each.get("allOf")
            waiting += [(part, inner) for part in parts] if isinstance(parts, list) else []
            if isinstance(reference := each.get("$ref"), str):
                target = _found(reference, self._references, inner)
                if target is not None:
                    waiting.append((_decoded(target), target.base))


def _is_choice(schema: Mapping[str, Any]) -> bool:
    """Whether it has alternatives, other than a choice of which member must be present."""
    choices = [schema.get(keyword) for keyword in ("oneOf", "anyOf")]
    within = [each for listed in choices if isinstance(listed, list) for each in listed if isinstance(each, Mapping)]
    return any(not each.keys() <= PRESENCE for each in within)


def _decoded(at: Located) -> object:
    try:
        return decoded(at)
    except SpecError:  # the user of the schema reports it
        return None


def _values(schema: Mapping[str, Any]) -> frozenset[str] | None:
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    return frozenset(value for value in values if isinstance(value, str)) if isinstance(values, list) else None
