"""The schemas of one direction: each is converted once, on demand, and named by its place in the document.

A schema that cannot be used (a reference out of the document, endless nesting) makes only those schemas unusable that
lead to it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.openapi.model import Schema
from openapi_mcp_server.openapi.notes import Notes
from openapi_mcp_server.openapi.pointers import child, tokens
from openapi_mcp_server.openapi.references.resolve import Located, References, decoded
from openapi_mcp_server.openapi.schemas.conversion import Conversion
from openapi_mcp_server.openapi.schemas.discriminators import Discriminator, Discriminators
from openapi_mcp_server.openapi.schemas.dynamic import NO_SCOPE, DynamicScopes, Scope
from openapi_mcp_server.openapi.schemas.habits import drop_repeated_title
from openapi_mcp_server.openapi.schemas.kinds import MAX_KINDS, Kinds, Kinship, annotated, described
from openapi_mcp_server.openapi.schemas.settling import Path, Settling
from openapi_mcp_server.openapi.schemas.unevaluated import Unevaluated

MAX_IN_PLACE = 10_000
"""The most schemas that one value is checked against, references followed. If each of twenty ``allOf`` names the next
one twice, there are 2²⁰. jsonschema-rs takes 36 ns for each."""
MAX_INNER_BYTES = 32 * 1024 * 1024
"""The most bytes of definitions inside others (``#/components/schemas/Tag/allOf/0``), which are converted again."""

_REPEATED_BYTES = 1_000
"""The most bytes of a schema that is remembered, since many places may repeat it."""
_ALONE = re.compile(rb'\{"\$ref":"[^"\\]+"\}')
"""A schema that is only a reference, like most schemas of bodies and answers."""

_ROOT = Located("", msgspec.Raw())
_WITH_KINDS = ".any"
"""The end of the name of a base together with its kinds."""
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_HASHED = re.compile(r"-[0-9a-f]{10}$")
_NOT_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_NAME_CHARACTERS = 60


class Schemas:
    """The schemas of requests or of answers.

    ``conversion`` converts one schema, ``home`` is the dialect's place for named schemas, ``family`` knows which of
    them stand for others, too. ``names_kinds``: kinds are annotated with the values that select them.
    """

    def __init__(
        self,
        references: References,
        conversion: Callable[[Located], Conversion],
        home: str,
        notes: Notes,
        family: Kinship | None = None,
        *,
        names_kinds: bool = False,
    ) -> None:
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
        self._choices: list[tuple[str, str, Kinds]] = []
        self._unsettled: set[str] = set()
        self._settling = Settling(self._converted)
        self._unevaluated = Unevaluated(self._converted)
        self._notes = notes
        self._repeated: dict[tuple[str, bytes], Schema | None] = {}  # by base and text; None: each is to be noted
        self._family = family
        self._names_kinds = names_kinds
        self._discriminators = Discriminators(references, home)
        self._dynamic = DynamicScopes(references)
        self._scopes: dict[str, Scope] = {}

    def read(self, at: Located) -> Schema:
        """The schema at a place; raises SpecError if it or one of its references cannot be used.

        A schema without references means the same everywhere, and parameters repeat such schemas. Remembering them
        saves half the time for Kubernetes and Microsoft Graph. A schema that is only a reference means the same if its
        target is the same and no anchor is dynamic. It has no notes of its own; those of its target are made there.
        """
        text = bytes(at.json)
        is_alone = _ALONE.fullmatch(text) is not None and not self._dynamic.within(NO_SCOPE, at)
        if len(text) > _REPEATED_BYTES or (b"$" in text and not is_alone):
            return self._read(at)
        place = at.base, text
        if known := self._repeated.get(place):
            return known
        notes = len(self._notes)
        schema = self._read(at)
        is_same = is_alone or len(self._notes) == notes  # a note names its place
        self._repeated.setdefault(place, schema if is_same else None)
        return schema

    def _read(self, at: Located) -> Schema:
        self._references.index(at)
        conversion = self._conversion(at)
        conversion.scope = self._dynamic.within(NO_SCOPE, at)
        schema = _encoded(conversion, at)
        self._convert_pending()
        for name in conversion.refs:
            self._refuse_spoilt(name)
        if conversion.is_unsettled:
            schema = self._settled(schema, at)
        schema = self._bounded(schema, at, is_definition=False)
        if 1 + sum(map(self._weigh, conversion.in_place)) > MAX_IN_PLACE:
            raise _too_heavy(at)
        return schema

    def definitions(self) -> dict[str, Schema]:
        """The definitions that the schemas read so far refer to, by name."""
        return {name: schema for name, schema in self._converted.items() if name not in self._faults}

    def name_of(
        self, reference: str, base: str, where: Callable[[], str], *, within: str, scope: Scope, is_dynamic: bool
    ) -> str:
        """See `openapi_mcp_server.openapi.schemas.conversion.Names`."""
        name = None if scope else self._names.get((base, reference))
        if name is None:
            meant = self._dynamic.meant(reference, scope) if is_dynamic else None
            found = meant or self._references.find(reference, Located(where(), msgspec.Raw(), base))
            name = self._named(self._references.beyond_aliases(found), scope)
            if not scope:
                self._names[base, reference] = name
        kinds = self._family.kinds(self._targets[name]) if self._family else None
        return name if kinds is None or within in kinds.made_of_it else self._named_with_kinds(name, kinds)

    def refused(self, said: Discriminator, choices: Sequence[str | None], base: str) -> Sequence[dict[str, Any] | None]:
        """See `openapi_mcp_server.openapi.schemas.conversion.Names`."""
        return self._discriminators.refused(said, choices, base)

    def _named(self, target: Located, scope: Scope = NO_SCOPE) -> str:
        """The name of a schema, which is converted later."""
        name = definition_name(target.pointer, self._home)
        mark = self._dynamic.mark(scope, target)
        if name + mark not in self._targets:
            self._targets[name + mark] = target
            self._scopes[name + mark] = self._dynamic.within(scope if mark else NO_SCOPE, target)
            self._pending.append(name + mark)
        return name + mark

    def _named_with_kinds(self, base: str, kinds: Kinds) -> str:
        """The name of a base together with its kinds."""
        name = self._names.get((base, _WITH_KINDS))
        if name is None:
            name = f"{base}{_WITH_KINDS}"
            while self._is_taken(name):
                name += "_"
            self._names[base, _WITH_KINDS] = name
            self._targets[name] = self._targets[base]
            self._choices.append((name, base, kinds))
            for target in kinds.values.values() if len(kinds.values) <= MAX_KINDS else ():
                self._named(target)
        return name

    def _is_taken(self, name: str) -> bool:
        try:
            self._references.find(f"{self._home}/{name}", _ROOT)
        except SpecError:
            return False
        return True

    def _convert_pending(self) -> None:
        """Converts the waiting targets of references. It uses a list and no recursion, since a chain may have
        10,000."""
        fresh = []
        while self._pending:
            name = self._pending.pop()
            fresh.append(name)
            try:
                self._convert(name)
            except SpecError as error:
                self._fail(name, error)
        fresh += self._convert_choices()
        for name in fresh:
            if name not in self._faults and self._weigh(name) > MAX_IN_PLACE:
                self._fail(name, _too_heavy(self._targets[name]))
        usable = [name for name in fresh if name not in self._faults]
        for name in usable:
            self._bound(name)
        for name in filter(self._unsettled.__contains__, usable):
            self._settle(name)
        self._annotate_kinds(usable)

    def _settle(self, name: str) -> None:
        before = self._converted[name]
        try:
            self._converted[name] = self._settled(before, self._targets[name])
        except SpecError as error:
            self._fail(name, error)
        if self._converted[name] is not before:
            self._bound(name)

    def _annotate_kinds(self, names: Sequence[str]) -> None:
        if self._family and self._names_kinds:
            for name in names:
                self._converted[name] = annotated(self._converted[name], self._family.selecting(self._targets[name]))

    def _bound(self, name: str) -> None:
        before = self._converted[name]
        self._converted[name] = self._bounded(before, self._targets[name], is_definition=True)
        if self._converted[name] is not before:
            self._settling.loosened.add(name)

    def _bounded(self, schema: Schema, at: Located, *, is_definition: bool) -> Schema:
        def tell(path: Path, problem: str) -> None:
            self._notes.add(child(at.pointer, *path), "keyword_dropped", problem)

        return self._unevaluated.bounded(schema, tell, is_definition=is_definition)

    def _settled(self, schema: Schema, at: Located) -> Schema:
        def tell(path: Path, repair: str) -> None:
            self._notes.add(child(at.pointer, *path), "schema_repaired", repair)

        try:
            return self._settling.settled(schema, tell)
        except RecursionError:
            raise SpecError(at.pointer, "its schemas lead too deep into each other") from None

    def _convert_choices(self) -> list[str]:
        """The bases with their usable kinds."""
        made = []
        while self._choices:
            name, base, kinds = self._choices.pop()
            if error := self._faults.get(base):
                self._fail(name, error)
                continue
            named = {kind: definition_name(target.pointer, self._home) for kind, target in kinds.values.items()}
            usable = {
                kind: each for kind, each in named.items() if each in self._converted and each not in self._faults
            }
            self._converted[name] = schema = described(base, kinds, usable)
            self._in_place[name] = list(schema.refs)
            for ref in schema.refs:
                self._referrers.setdefault(ref, []).append(name)
            made.append(name)
        return made

    def _convert(self, name: str) -> None:
        target = self._targets[name]
        if target.pointer.rpartition("/")[0] != self._home:
            self._inner_bytes += memoryview(target.json).nbytes
            if self._inner_bytes > MAX_INNER_BYTES:
                raise SpecError(target.pointer, f"more than {MAX_INNER_BYTES:,} bytes of schemas inside others")
        conversion = self._conversion(target)
        conversion.scope = self._scopes[name]
        self._converted[name] = _encoded(conversion, target, name)
        self._in_place[name] = conversion.in_place
        if conversion.loosened:
            self._settling.loosened.add(name)
        if conversion.is_unsettled:
            self._unsettled.add(name)
        for ref in conversion.refs:
            self._referrers.setdefault(ref, []).append(name)
        for ref in conversion.refs:
            self._refuse_spoilt(ref)

    def _refuse_spoilt(self, name: str) -> None:
        if error := self._faults.get(name):
            raise SpecError(error.pointer, error.problem) from error

    def _fail(self, name: str, error: SpecError) -> None:
        """Gives up a definition and all that lead to it."""
        waiting = [name]
        while waiting:
            each = waiting.pop()
            if each not in self._faults:
                self._faults[each] = error.kept()
                waiting += self._referrers.get(each, ())

    def _weigh(self, name: str) -> int:
        """The number of schemas that a definition checks a value against. A cycle counts as one."""
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
    """The name of a schema in ``$defs``: its own below ``home``, elsewhere its place in words and a hash.

    The name depends only on the place, and two places never share one. A component's own name that looks like a hashed
    one is hashed, too.
    """
    own = pointer.removeprefix(f"{home}/")
    if own != pointer and _NAME.fullmatch(own) and not _HASHED.search(own):
        return own
    words = _NOT_NAME.sub("_", ".".join(tokens(pointer)[-3:]))[-_NAME_CHARACTERS:]
    return f"{words}-{hashlib.blake2b(pointer.encode(), digest_size=5).hexdigest()}"


def _encoded(conversion: Conversion, at: Located, name: str = "") -> Schema:
    converted = conversion.root(decoded(at))
    if name:
        drop_repeated_title(converted, name)
    return Schema(msgspec.Raw(msgspec.json.encode(converted)), tuple(sorted(conversion.refs)))


def _too_heavy(at: Located) -> SpecError:
    return SpecError(at.pointer, f"combines more than {MAX_IN_PLACE:,} schemas for one value")
