"""Overrides by which authors and operators choose what a model sees of an operation: ``x-mcp`` in the document,
TOOL_OVERRIDES beside it.

Mistakes in a document are notes, since its author is a stranger, but they never show an operation that should be
hidden. The file of TOOL_OVERRIDES is the operator's own, so a mistake in it stops the start.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from openapi_mcp_server.bridge import text
from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.grammar import plain_route
from openapi_mcp_server.mcp.messages import Annotations
from openapi_mcp_server.openapi.model import ApiDescription, Note, Operation
from openapi_mcp_server.openapi.pointers import ROOT, child
from openapi_mcp_server.openapi.reading.objects import fault, read_map
from openapi_mcp_server.openapi.references.resolve import Located
from openapi_mcp_server.openapi.text import document

Entries = Mapping[str, Mapping[str, msgspec.Raw]]
"""The fields of each entry, by operationId or by method and path: ``GET /pets/{id}``."""

_KEYS_SHOWN = 200
"""The most characters of unread keys in a note."""


class Fixed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An argument that a model neither sees nor chooses: it has this value, or is left out."""

    value: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    hidden: bool = False


class Overrides(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Values that replace those of the document; ``multi_segment`` are parameters of the path whose slashes stay."""

    name: str | None = None
    title: str | None = None
    description: str | None = None
    hidden: bool = False
    annotations: Annotations = Annotations()
    tags: tuple[str, ...] | None = None
    arguments: Mapping[str, Fixed] = {}
    scopes: tuple[str, ...] | None = None  # `x-mcp-scopes` in the document
    multi_segment: tuple[str, ...] = ()


class Presentation(msgspec.Struct, frozen=True):
    """The overrides of one operation. ``hidden_by`` says in words who hides it, ``fault`` why it cannot be shown."""

    overrides: Overrides = Overrides()
    notes: tuple[Note, ...] = ()
    hidden_by: str = ""
    fault: SpecError | None = None

    @property
    def may_be_hidden(self) -> bool:
        """Whether it is hidden, or the override for that cannot be read."""
        return bool(self.hidden_by) or self.fault is not None


_AS_DOCUMENTED = Presentation()
_GUARDING = frozenset({"hidden", "scopes", "arguments"})
_NOTHING_WRITTEN = msgspec.Raw(b"{}")
_KNOWN = Overrides.__struct_fields__
_decode = msgspec.json.Decoder(Overrides).decode
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def read(data: bytes) -> Entries:
    """Reads the file of TOOL_OVERRIDES, JSON or YAML. Raises SpecError with the place of a fault."""
    root = Located(ROOT, msgspec.Raw(document.read(data)))
    return {key: _entry(root.member(value, key)) for key, value in read_map(root).items()}


def _entry(at: Located) -> dict[str, msgspec.Raw]:
    fields = _given(read_map(at))
    for name, value in fields.items():
        try:
            _decode(_one(name, value))
        except msgspec.ValidationError as error:
            raise fault(error, at.pointer) from error
    if unknown := _unknown(fields):
        raise SpecError(at.pointer, f"has keys that mean nothing here: {unknown}; known are {', '.join(_KNOWN)}")
    return fields


def of(operation: Operation, entries: Entries) -> Presentation:
    """The document's overrides, with those of the matching entries over them."""
    own = {} if operation.overrides == _NOTHING_WRITTEN else _given(_fields(operation.overrides))
    selected: dict[str, msgspec.Raw] = {}
    for key in _keys(operation):
        selected |= entries.get(key, {})
    if not own and not selected:
        return _AS_DOCUMENTED
    usable, notes, problem = _sorted_out(own, operation.pointer, frozenset(selected))
    overrides = _decode(msgspec.json.encode(usable | selected))
    is_ours = "hidden" in selected
    hidden_by = "TOOL_OVERRIDES" if is_ours else "x-mcp in the document"
    return Presentation(overrides, notes, hidden_by if overrides.hidden else "", problem)


def by_own_keys(entries: Entries, operations: Sequence[Operation]) -> Entries:
    """The entries by the keys of the operations that they select. An entry without an exact operation selects by its
    route, see `_route`."""
    if not entries:
        return entries
    own = {key: _route(key) for operation in operations for key in _keys(operation)}
    found = {key: entry for key, entry in entries.items() if key in own}
    by_route: dict[str, dict[str, msgspec.Raw]] = {}
    for key, entry in entries.items():
        if key not in own:
            by_route.setdefault(_route(key), {}).update(entry)
    loosely = {key: by_route[route] for key, route in own.items() if route in by_route}
    return found | {key: {**entry, **found.get(key, {})} for key, entry in loosely.items()}


def unused(entries: Entries, description: ApiDescription) -> tuple[Note, ...]:
    """A note for each entry that selects no operation."""
    found = {key for operation in description.operations for key in _keys(operation)}
    found.update(f"{skipped.method} {skipped.path}" for skipped in description.skipped)
    routes = {_route(key) for key in found}
    message = "TOOL_OVERRIDES: {} selects no operation; expected an operationId, or method and path as in 'GET /pets'"
    return tuple(
        Note(
            pointer=child(ROOT, key), kind="override_unused", message=message.format(text.line(repr(key), _KEYS_SHOWN))
        )
        for key in entries
        if _route(key) not in routes
    )


def _route(key: str) -> str:
    """A key's normal form, equal for the same method and path. Names of variables and the method's case are ignored."""
    method, space, path = plain_route(key).partition(" ")
    return f"{method.upper() if path.startswith('/') else method}{space}{path}"


def _keys(operation: Operation) -> tuple[str, ...]:
    """The keys that select an operation; the last one wins."""
    by_place = f"{operation.method} {operation.path}"
    keys = (by_place, f"{operation.method} {operation.written}") if operation.written else (by_place,)
    return keys if operation.operation_id is None else (operation.operation_id, *keys)


def _sorted_out(
    written: Mapping[str, msgspec.Raw], pointer: str, ours: frozenset[str]
) -> tuple[dict[str, msgspec.Raw], tuple[Note, ...], SpecError | None]:
    """The usable members, notes on the others, and the fault of an operation if it is unknown whether, or from whom, it
    is hidden. ``ours`` are the names that the operator overrides."""
    usable, problems, problem = {}, [], None
    for name, value in written.items():
        try:
            _decode(_one(name, value))
        except msgspec.ValidationError as error:
            problems.append(f"x-mcp cannot be used: {fault(error, f'{pointer}/x-mcp')}")
            if name in _GUARDING - ours:
                problem = SpecError(pointer, problems[-1])
        else:
            usable[name] = value
    if unknown := _unknown(written):
        problems.append(f"x-mcp has keys that mean nothing here: {unknown}")
    notes = (Note(pointer=pointer, kind="extension_ignored", message=each) for each in problems)
    return usable, tuple(notes), problem


def _given(fields: Mapping[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    """The fields without those that are null, which count as absent."""
    return {name: value for name, value in fields.items() if value != msgspec.Raw(b"null")}


def _one(name: str, value: msgspec.Raw) -> bytes:
    return msgspec.json.encode({name: value})


def _unknown(fields: Mapping[str, msgspec.Raw]) -> str:
    """The unknown keys; empty if there are none."""
    unknown = sorted(fields.keys() - set(_KNOWN))
    if "annotations" in fields and bytes(fields["annotations"]).startswith(b"{"):
        inner: Iterable[str] = _fields(fields["annotations"]).keys() - set(Annotations.__struct_fields__)
        unknown += [f"annotations.{name}" for name in sorted(inner)]
    return text.line(", ".join(unknown), _KEYS_SHOWN)
