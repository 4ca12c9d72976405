"""Finds the targets of references: JSON Pointers, anchors and identifiers, all within one document.

The document is decoded level by level (``msgspec.Raw``), since 13 MB of JSON would be 90 MB of Python objects.

Nothing is fetched or read here. The files that a document refers to are already part of it (`bundle`). Any other
reference out of the document is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TypeVar
from urllib.parse import urljoin

import msgspec

from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.openapi.model import Body, Parameter, Response
from openapi_mcp_server.openapi.pointers import ROOT, child, step, tokens
from openapi_mcp_server.openapi.text.document import Document

MAX_CHAIN = 100
"""The most references in a chain; the longest in 124 published documents has 3."""

_OUTSIDE = "outside the document; only references within it (#/…) are followed"
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_STRING = msgspec.json.Decoder(str)
REFERENCE_BYTES = 200
"""The most bytes of a Reference Object that is remembered, since many places may repeat it with the same meaning."""
_INDEX = re.compile("0|[1-9][0-9]{0,8}")
_NAMING = frozenset({"$id", "$anchor", "$dynamicAnchor", "$recursiveAnchor"})
_IDENTIFYING = tuple(f'"{keyword}"'.encode() for keyword in sorted(_NAMING))
_NO_ANCHORS: dict[str, str] = {}
_Container = dict[str, msgspec.Raw] | list[msgspec.Raw]

Described = TypeVar("Described", Parameter, Body, Response)


class Located(msgspec.Struct, frozen=True, gc=False):
    """A value of the document, still encoded, and its place.

    ``base`` is the pointer of the schema whose ``$id`` is the base of its references; the document's root for most.
    """

    pointer: str
    json: msgspec.Raw
    base: str = ROOT

    def member(self, value: msgspec.Raw, *path: str | int) -> Located:
        """A value further down, by its keys and indexes."""
        pointer = self.pointer
        for token in path:  # as `child` does: 25,000 times for GitHub's
            pointer = f"{pointer}/{step(token)}"
        return Located(pointer, value, self.base)


class Resolved(msgspec.Struct, frozen=True, gc=False):
    """The target of a Reference Object, and the description that replaces the target's own."""

    target: Located
    description: str | None

    def described(self, value: Described) -> Described:
        """The target's value with this description."""
        return value if self.description is None else msgspec.structs.replace(value, description=self.description)


class _Reference(msgspec.Struct, frozen=True, gc=False):
    ref: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="$ref")
    description: msgspec.Raw = msgspec.Raw()


class _Resource(msgspec.Struct, frozen=True):
    id: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="$id")
    self_uri: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="$self")


_peek = msgspec.json.Decoder(_Reference).decode
_peek_resource = msgspec.json.Decoder(_Resource).decode


class References:
    """The values of one document by reference.

    Decoded values are kept: at most one entry for every value of the document, and in practice only the entries of
    ``components``.
    """

    def __init__(self, document: Document, root: dict[str, msgspec.Raw] | None = None) -> None:
        """``root``: the members of the document's root, if they are decoded already."""
        self._document = Located(ROOT, msgspec.Raw(document.json))
        self._unread = document.unread
        self._is_json_schema = document.dialect in {"3.1", "3.2"}
        self._open: dict[str, _Container] = {} if root is None else {ROOT: root}
        self._found: dict[tuple[str, str], Located] = {}
        self._resolved: dict[tuple[str, bytes], Resolved] = {}  # by base and text
        self._resources: dict[str, str] = {}  # absolute URI → pointer
        self._uris: dict[str, str] = {ROOT: ""}
        self._has_identifiers = False
        self._anchors: dict[tuple[str, str], str] = {}  # (base, name) → pointer
        self._dynamic: dict[str, dict[str, str]] = {}  # of the schemas that hold dynamic anchors: name → pointer
        if self._is_json_schema:
            self._index_document(document.json)

    def find(self, reference: str, origin: Located) -> Located:
        """The target of a ``reference`` at ``origin``; raises SpecError with the origin's pointer."""
        known = self._found.get((origin.base, reference))
        if known is None:
            try:
                known = self._located(reference, origin.base)
            except SpecError as error:
                raise SpecError(child(origin.pointer, "$ref"), error.problem) from error
            self._found[origin.base, reference] = known
        return known

    def resolve(self, at: Located) -> Resolved:
        """Follows Reference Objects from ``at`` to a value that is none; raises SpecError.

        Only ``description`` of the fields beside the first ``$ref`` counts, and only since 3.1 (Reference Object).
        """
        place = at.base, bytes(at.json) if len(at.json) <= REFERENCE_BYTES else b""
        if known := self._resolved.get(place):
            return known
        reference = _reference_at(at)
        if reference is None:
            return Resolved(at, None)
        resolved = self._resolved_by(at, reference)
        if place[1]:
            self._resolved[place] = resolved
        return resolved

    def _resolved_by(self, at: Located, reference: str) -> Resolved:
        description = text_in(_peek(at.json).description) if self._is_json_schema else None
        return Resolved(self._end(at, reference, only_lone=False), description)

    def beyond_aliases(self, schema: Located) -> Located:
        """The schema itself, or the end of its references if it is only a ``$ref``."""
        return self._end(schema, _reference_at(schema), only_lone=True)

    def dynamic_anchors(self, schema: Located) -> Mapping[str, str]:
        """The targets of the dynamic anchors of a schema's resource. Without ``$id`` they are those of the named schema
        around it, since two schemas of one document with the same anchor are meant as two resources."""
        if not self._dynamic:
            return _NO_ANCHORS
        holder = schema.base if schema.base != ROOT else "/".join(schema.pointer.split("/", 4)[:4])
        return self._dynamic.get(holder, self._dynamic.get(schema.pointer, _NO_ANCHORS))

    def _end(self, at: Located, reference: str | None, *, only_lone: bool) -> Located:
        seen = {at.pointer}
        while reference is not None and not (only_lone and len(self._opened(at)) > 1):
            at = self._next(at, reference, seen)
            reference = _reference_at(at)
        return at

    def _next(self, at: Located, reference: str, seen: set[str]) -> Located:
        target = self.find(reference, at)
        if target.pointer in seen:
            raise SpecError(child(at.pointer, "$ref"), f"leads back to itself through {reference!r}")
        if len(seen) >= MAX_CHAIN:
            raise SpecError(child(at.pointer, "$ref"), f"more than {MAX_CHAIN} references in a row")
        seen.add(target.pointer)
        return target

    def _located(self, reference: str, base: str) -> Located:
        uri, _, fragment = reference.partition("#")
        if uri:
            base = self._resource(_joined(self._uris.get(base, ""), uri), reference)
        is_pointer = not fragment or fragment.startswith("/")
        if not is_pointer and (anchor := self._anchors.get((base, fragment))):
            found = self.at(anchor)
        else:
            # Authors use the document's own pointers below an $id, too, although $id changes their meaning, and forget
            # the slash at the beginning, which cannot be meant as an anchor if there is none of that name.
            pointer = fragment if is_pointer else f"/{fragment}"
            found = self.at(base + pointer) or (None if uri else self.at(ROOT + pointer))
        if found is None:
            raise SpecError("", f"refers to {reference!r}, which is not in the document")
        if found.pointer == ROOT:
            raise SpecError("", f"refers to {reference!r}, the document itself")
        return found

    def _resource(self, uri: str, reference: str) -> str:
        pointer = self._resources.get(uri)
        if pointer is None:
            why = self._unread.get(reference)
            problem = f"which cannot be used: {why}" if why else _OUTSIDE
            raise SpecError("", f"refers to {reference!r}, {problem}")
        return pointer

    def at(self, pointer: str) -> Located | None:
        """The value at a pointer, in any spelling of it; None if there is none."""
        at = self._document
        for token in tokens(pointer):
            value = _entry(self._opened(at), token)
            if value is None:
                return None
            at = at.member(value, token)
            if at.pointer in self._uris:
                at = Located(at.pointer, at.json, at.pointer)
        return at

    def _opened(self, at: Located) -> _Container:
        container = self._open.get(at.pointer)
        if container is None:
            container = self._open[at.pointer] = opened(at.json)
        return container

    def index(self, schema: Located) -> None:
        """Finds the identifiers and anchors in a schema, so that references can use them."""
        if self._has_identifiers and _identifies(schema.json):
            for pointer, base, found in _identified(schema):
                self._identify(pointer, base, found)
                self._identify_dynamic(pointer, schema.pointer if base == ROOT else base, found)

    def _index_document(self, json: bytes) -> None:
        """Finds the identifiers and anchors of component schemas, if the document has any."""
        if b'"$self"' in json and (uri := text_in(_peek_resource(self._document.json).self_uri)):
            self._uris[ROOT] = uri.partition("#")[0]
            self._resources[self._uris[ROOT]] = ROOT
        self._has_identifiers = _identifies(json)
        schemas = self.at("#/components/schemas") if self._has_identifiers else None
        if schemas is not None and isinstance(entries := self._opened(schemas), dict):
            for name, schema in entries.items():
                self.index(schemas.member(schema, name))

    def _identify_dynamic(self, pointer: str, holder: str, schema: dict[str, object]) -> None:
        holder = pointer if isinstance(schema.get("$id"), str) else holder
        if isinstance(anchor := schema.get("$dynamicAnchor"), str):
            self._dynamic.setdefault(holder, {}).setdefault(anchor, pointer)
        if schema.get("$recursiveAnchor") is True and pointer == holder:
            self._dynamic.setdefault(holder, {}).setdefault("", pointer)

    def _identify(self, pointer: str, base: str, schema: dict[str, object]) -> None:
        if isinstance(identifier := schema.get("$id"), str):
            self._uris[pointer] = _joined(self._uris.get(base, ""), identifier).partition("#")[0]
            self._resources.setdefault(self._uris[pointer], pointer)
            base = pointer
        for keyword in ("$anchor", "$dynamicAnchor"):
            if isinstance(anchor := schema.get(keyword), str):
                self._anchors.setdefault((base, anchor), pointer)


def _identifies(json: bytes | msgspec.Raw) -> bool:
    text = bytes(json)
    return any(word in text for word in _IDENTIFYING)


def opened(value: msgspec.Raw) -> _Container:
    """An object's members or an array's elements, each still encoded; a scalar has none."""
    first = bytes(memoryview(value)[:1])
    if first == b"{":
        return _OBJECT.decode(value)
    return _ARRAY.decode(value) if first == b"[" else []


def decoded(at: Located) -> object:
    """The decoded value; raises SpecError for a number that does not fit into a double."""
    try:
        return msgspec.json.decode(at.json)
    except msgspec.ValidationError as error:
        raise SpecError(at.pointer, "holds a number beyond the range of a double (±1.8e308)") from error


def text_in(value: msgspec.Raw) -> str | None:
    """The decoded string; None if the value is anything else."""
    return _STRING.decode(value) if bytes(memoryview(value)[:1]) == b'"' else None


def _reference_at(at: Located) -> str | None:
    try:
        reference = _peek(at.json).ref
    except msgspec.DecodeError:  # no object, or nothing
        return None
    if not reference:
        return None
    text = text_in(reference)
    if text is None:
        raise SpecError(child(at.pointer, "$ref"), "expected a string")
    return text


def _entry(container: _Container, token: str) -> msgspec.Raw | None:
    if isinstance(container, dict):
        return container.get(token)
    return container[int(token)] if _INDEX.fullmatch(token) and int(token) < len(container) else None


def _joined(base: str, reference: str) -> str:
    """A reference resolved against a base (RFC 3986 section 5). A text that is no URI stays as it is."""
    try:
        return urljoin(base, reference)
    except ValueError:
        return reference


def _identified(at: Located) -> Iterator[tuple[str, str, dict[str, object]]]:
    """Every object with a name of its own below a schema, outermost first: (pointer, base around it, the object)."""
    waiting: list[tuple[object, str, str]] = [(decoded(at), at.pointer, at.base)]
    while waiting:
        value, pointer, base = waiting.pop()
        if isinstance(value, dict):
            if not _NAMING.isdisjoint(value):
                yield pointer, base, value
            inner = pointer if isinstance(value.get("$id"), str) else base
            waiting += [
                (each, child(pointer, key), inner) for key, each in value.items() if isinstance(each, dict | list)
            ]
        elif isinstance(value, list):
            waiting += [(each, child(pointer, index), base) for index, each in enumerate(value)]
