"""The common base of both conversions of a schema: place, references and the limit of depth.

The input is a schema of any dialect as decoded JSON. The output is JSON Schema 2020-12 in which every keyword has a
valid value, so it always compiles.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.openapi.model import DialectName, NoteKind
from openapi_mcp_server.openapi.notes import Notes
from openapi_mcp_server.openapi.pointers import DEFS, child
from openapi_mcp_server.openapi.references.resolve import Located
from openapi_mcp_server.openapi.schemas.discriminators import Discriminator
from openapi_mcp_server.openapi.schemas.dynamic import NO_SCOPE, Scope
from openapi_mcp_server.openapi.schemas.keywords import as_flag
from openapi_mcp_server.openapi.schemas.patterns import Patterns
from openapi_mcp_server.openapi.schemas.visibility import Visibility

JsonSchema = dict[str, Any]
"""A decoded schema of 2020-12."""

MAX_DEPTH = 100
"""The most levels of objects and arrays in one schema. jsonschema-rs stops at 255, and nullable schemas become deeper
here. The deepest of 124 published documents has 21."""

_SCHEMAS = (dict, bool)
_REFERRING = frozenset({"$ref", "$dynamicRef", "$recursiveRef"})
NEGATING = frozenset({"not", "if"})
"""Keywords that refuse more if their schema accepts more."""
NOT_EXACT = "a part of it is not checked as it is written, and would refuse what it was not meant to"

TYPES = frozenset({"null", "boolean", "object", "array", "number", "integer", "string"})
# By 2.0 and 3.0 (Schema Object, Reference Object) everything beside $ref is ignored. Authors write these keywords
# nevertheless; they assert no more than the target.
_KEPT_BESIDE_REFERENCE = frozenset(
    {
        "$ref", "title", "description", "default", "deprecated", "readOnly", "writeOnly", "example", "nullable",
        "x-nullable",
    }
)  # fmt: skip


class Names(Protocol):
    """Gives definitions their names."""

    def name_of(
        self, reference: str, base: str, where: Callable[[], str], *, within: str, scope: Scope, is_dynamic: bool
    ) -> str:
        """The name in ``#/$defs/`` of a reference's target; raises SpecError if there is no target.

        ``where`` gives the pointer of the object with the reference, for that error only. ``within`` is the pointer of
        the schema that is made of the target; empty if the target describes another value. ``scope`` has the meaning of
        anchors for a dynamic reference.
        """
        ...

    def refused(self, said: Discriminator, choices: Sequence[str | None], base: str) -> Sequence[dict[str, Any] | None]:
        """For each choice, a schema of the values that it must refuse because the discriminator names another
        choice."""
        ...


class ConversionContext(msgspec.Struct, frozen=True, kw_only=True):
    """The facts about the document and the direction that a conversion needs."""

    dialect: DialectName
    names: Names
    visibility: Visibility
    notes: Notes
    patterns: Patterns
    keeps_xml: bool


class Conversion:
    """The conversion of one schema. ``refs`` are the definitions that it refers to. ``in_place`` are those that check
    its own value again (through ``allOf`` and the like, not through properties or items), repeated as often as they do.
    ``is_unsettled``: its meaning depends on its references. ``scope``: the meaning of anchors in it.
    """

    scope: Scope = NO_SCOPE
    loosened = 0  # how often something was left out that the document asserts

    def __init__(self, setting: ConversionContext, at: Located) -> None:
        self.refs: dict[str, None] = {}
        self.in_place: list[str] = []
        self.is_unsettled = False
        self._setting = setting
        self._at = at
        self._is_old = setting.dialect in {"2.0", "3.0"}
        self._path: list[str | int] = []
        self._base = at.base
        self._recursive: str | None = None  # the schema around that $recursiveRef of 2019-09 means
        self._is_in_place = True  # the current schema sees the value that the root sees
        self._stays = True  # it sees the value that the schema around it sees

    def root(self, schema: object) -> JsonSchema:
        """Converts the schema; raises SpecError if it is invalid, or if the target of a reference is missing."""
        if schema is None:
            return {}
        if not isinstance(schema, dict | bool):
            raise SpecError(self._at.pointer, f"expected a schema (an object), got {kind_of(schema)}")
        return self._schema(schema)

    def _schema(self, schema: JsonSchema | bool) -> JsonSchema:  # noqa: FBT001 - true and false are schemas
        """Converts the schema at the current path. Booleans become objects, since some clients accept only objects."""
        if isinstance(schema, bool):
            return {} if schema else {"not": {}}
        if len(self._path) > MAX_DEPTH:
            raise SpecError(self._pointer(), f"schema nested deeper than {MAX_DEPTH} levels")
        if self._is_old:
            if len(schema) > 1 and isinstance(schema.get("$ref"), str):
                schema = {key: value for key, value in schema.items() if key in _KEPT_BESIDE_REFERENCE}
            return self._converted(schema)
        outer = self._base, self._recursive
        if isinstance(schema.get("$id"), str):
            self._base = self._pointer()  # for the references below (2020-12 core, section 8.2.1)
        if schema.get("$recursiveAnchor") is True:
            self._recursive = self._pointer()
        converted = self._converted(schema)
        self._base, self._recursive = outer
        return converted

    def _converted(self, schema: dict[str, Any]) -> JsonSchema:
        """Converts a schema object for this direction."""
        raise NotImplementedError

    def _below(self, value: object, *path: str | int, stays: bool = False) -> JsonSchema | None:
        """Converts a subschema; None if it is not a schema."""
        if isinstance(value, str):
            value = value if (flag := as_flag(value)) is None else flag
        if not isinstance(value, _SCHEMAS):
            if value is not None:
                self._note("keyword_dropped", f"expected a schema, got {kind_of(value)}", *path)
            return None
        outer = self._is_in_place
        self._is_in_place, self._stays = outer and stays, stays
        self._path += path
        converted = self._schema(value)
        del self._path[-len(path) :]
        self._is_in_place = outer
        return converted

    def _reference(self, schema: dict[str, Any]) -> str | None:
        """The replacement for a schema object's reference, if it has one; raises SpecError if there is no target."""
        if _REFERRING.isdisjoint(schema):
            return None
        keyword, reference = self._referred(schema)
        return None if reference is None else self._named(keyword, reference)

    def _named(self, keyword: str, reference: str) -> str:
        within = self._at.pointer if self._is_in_place and self._path else ""
        try:
            name = self._setting.names.name_of(
                reference,
                self._base,
                self._pointer,
                within=within,
                scope=self.scope,
                is_dynamic=keyword != "$ref",
            )
        except SpecError as error:
            if keyword == "$ref":
                raise
            raise SpecError(self._pointer(keyword), error.problem) from error
        self.refs[name] = None
        if self._is_in_place:
            self.in_place.append(name)
        return DEFS + name

    def _referred(self, schema: dict[str, Any]) -> tuple[str, str | None]:
        """The keyword of a schema's reference, and the reference as written."""
        if isinstance(reference := schema.get("$ref"), str):
            return "$ref", reference
        return self._dynamically(schema) if self._is_dynamic(schema) else ("", None)

    def _is_dynamic(self, schema: dict[str, Any]) -> bool:
        return ("$dynamicRef" in schema or "$recursiveRef" in schema) and not self._is_old

    def _dynamically(self, schema: dict[str, Any]) -> tuple[str, str | None]:
        """The keyword and the text of a dynamic reference. If no schema around it gives another target, its target is
        the one that the document itself has."""
        keyword = "$dynamicRef" if "$dynamicRef" in schema else "$recursiveRef"
        dynamic = schema.get(keyword)
        if keyword == "$recursiveRef":
            dynamic = (self.scope.get("") or self._recursive) if dynamic == "#" else None
        if not isinstance(dynamic, str):
            return keyword, None
        if dynamic.partition("#")[2] not in self.scope:
            self._note("reference_static", f"resolved to {dynamic!r} of this document")
        return keyword, dynamic

    def _other_reference(self, schema: dict[str, Any]) -> str | None:
        """The replacement for a dynamic reference beside a static one."""
        if not self._is_dynamic(schema) or "$ref" not in schema:
            return None
        keyword, reference = self._dynamically(schema)
        return None if reference is None else self._named(keyword, reference)

    def _pointer(self, *path: str | int) -> str:
        return child(self._at.pointer, *self._path, *path)

    def _note(self, kind: NoteKind, message: str, *path: str | int) -> None:
        self._setting.notes.add(self._pointer(*path), kind, message)

    def _note_wrong(self, keyword: str, expected: str, value: object) -> None:
        if value is not None:
            self._note("keyword_dropped", f"expected {expected}, got {kind_of(value)}", keyword)


def needs_settling(schema: JsonSchema) -> bool:
    """Whether a schema may contradict its references or combined parts (`settling`)."""
    if (
        "allOf" in schema
        or not NEGATING.isdisjoint(schema)
        or ("$ref" in schema and ("default" in schema or "type" in schema))
    ):
        return True
    return "type" in schema and ("anyOf" in schema or "oneOf" in schema)


def kind_of(value: object) -> str:
    """A decoded JSON value's kind, in words."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"
