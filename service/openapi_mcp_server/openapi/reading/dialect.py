"""The differences between the dialects: how they describe an operation's parameters, body and answers."""

from __future__ import annotations

import re
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol, TypeVar

import msgspec

from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.openapi.model import Body, NoteKind, Parameter, Response, SecurityScheme
from openapi_mcp_server.openapi.notes import Notes
from openapi_mcp_server.openapi.pointers import ROOT, child
from openapi_mcp_server.openapi.reading.objects import NOTHING, OperationObject
from openapi_mcp_server.openapi.references.resolve import Located, References
from openapi_mcp_server.openapi.schemas.conversion import Conversion, ConversionContext
from openapi_mcp_server.openapi.schemas.directions import Schemas
from openapi_mcp_server.openapi.schemas.kinds import Kinship
from openapi_mcp_server.openapi.schemas.patterns import Patterns
from openapi_mcp_server.openapi.schemas.requests import RequestConversion
from openapi_mcp_server.openapi.schemas.responses import ResponseConversion
from openapi_mcp_server.openapi.schemas.visibility import Visibility
from openapi_mcp_server.openapi.text.document import Document

T = TypeVar("T")

_names_xml = re.compile(rb'[/+][Xx][Mm][Ll][ \t]*[";]').search
"""Whether a document has a media type of XML, with or without parameters."""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A document that is being read: its text, the members of its root, its references, the notes on it.

    ``exact_answers``: schemas of answers keep everything in the document, and errors have schemas, too.
    """

    document: Document
    root: Mapping[str, msgspec.Raw]
    references: References
    notes: Notes
    exact_answers: bool = False

    def at(self, name: str) -> Located:
        """A member of the root, which may be absent."""
        return Located(child(ROOT, name), self.root.get(name, NOTHING))

    def spared(self, read: Callable[[Located], T], at: Located, kind: NoteKind) -> T | None:
        """Reads a part that operations can do without. Returns None and adds a note if it cannot be read."""
        try:
            return read(at)
        except SpecError as error:
            self.notes.add(error.pointer, kind, error.problem)
            return None


class Declaration(Protocol):
    """The identity of a parameter: unique by name and location (Operation Object)."""

    @property
    def pointer(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def location(self) -> str: ...


D = TypeVar("D", bound=Declaration)


class OperationParts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The parts of an operation's request and answers. ``servers`` is empty if it has none of its own."""

    parameters: tuple[Parameter, ...]
    body: Body | None
    responses: tuple[Response, ...]
    servers: tuple[str, ...]


class Dialect(Protocol[D]):
    """The reader of one dialect, for one document."""

    methods: frozenset[str]
    request: Schemas
    response: Schemas
    servers: tuple[str, ...]
    security_schemes: dict[str, SecurityScheme]

    def declaration(self, at: Located) -> D:
        """A parameter that is declared here or behind a reference here. Raises SpecError."""
        ...

    def parts(self, operation: OperationObject, at: Located, declarations: Sequence[D]) -> OperationParts:
        """The parts of the operation at ``at``, with all its parameters. Raises SpecError."""
        ...


def request_schemas(source: Source, home: str) -> Schemas:
    """The reader of the schemas of requests."""
    return _schemas(source, home, RequestConversion, "readOnly")


def response_schemas(source: Source, home: str) -> Schemas:
    """The reader of the schemas of answers."""
    return _schemas(source, home, RequestConversion if source.exact_answers else ResponseConversion, "writeOnly")


def _schemas(
    source: Source, home: str, conversion: type[Conversion], hiding: Literal["readOnly", "writeOnly"]
) -> Schemas:
    json, is_exact = source.document.json, conversion is RequestConversion
    family = Kinship(source.references, home) if is_exact and b'"discriminator"' in json else None
    schemas = Schemas(
        source.references,
        lambda at: conversion(setting, at),
        home,
        source.notes,
        family,
        names_kinds=source.exact_answers and hiding == "writeOnly",
    )
    setting = ConversionContext(
        dialect=source.document.dialect,
        names=weakref.proxy(schemas),  # in a cycle, they would keep the document while tools are made
        visibility=Visibility(source.references, hiding, source.document.json),
        notes=source.notes,
        patterns=Patterns(),
        keeps_xml=is_exact and b'"xml"' in json and _names_xml(json) is not None,
    )
    return schemas
