"""What the dialects differ in: how one operation's parameters, body and answers are told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

import msgspec

from service.openapi.conversion import Conversion, Setting
from service.openapi.document import Document
from service.openapi.model import Body, Parameter, Response, SecurityScheme
from service.openapi.notes import Notes
from service.openapi.objects import OperationObject
from service.openapi.patterns import Patterns
from service.openapi.references import Located, References
from service.openapi.request_schema import RequestConversion
from service.openapi.response_schema import ResponseConversion
from service.openapi.schemas import Schemas
from service.openapi.visibility import Visibility

_XML = (b'/xml"', b'+xml"')


class Declaration(Protocol):
    """A parameter as far as it is told from others: unique by name and location (Operation Object)."""

    @property
    def pointer(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def location(self) -> str: ...


D = TypeVar("D", bound=Declaration)


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What an operation sends and gets. ``servers`` is empty where it names none of its own."""

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
        """A parameter where it is declared, or where a reference there leads to. Raises SpecError."""
        ...

    def parts(self, operation: OperationObject, at: Located, declarations: Sequence[D]) -> Parts:
        """The operation that stands at ``at``, with all its parameters. Raises SpecError."""
        ...


def request_schemas(document: Document, references: References, notes: Notes, home: str) -> Schemas:
    """The schemas of what is sent."""

    def conversion(at: Located) -> Conversion:
        return RequestConversion(setting, at)

    schemas = Schemas(references, conversion, home)
    setting = Setting(
        dialect=document.dialect,
        names=schemas,
        visibility=Visibility(references, "readOnly", document.json),
        notes=notes,
        patterns=Patterns(),
        keeps_xml=any(word in document.json for word in _XML),
    )
    return schemas


def response_schemas(document: Document, references: References, notes: Notes, home: str) -> Schemas:
    """The schemas of what comes back."""

    def conversion(at: Located) -> Conversion:
        return ResponseConversion(setting, at)

    schemas = Schemas(references, conversion, home)
    setting = Setting(
        dialect=document.dialect,
        names=schemas,
        visibility=Visibility(references, "writeOnly", document.json),
        notes=notes,
        patterns=Patterns(),
        keeps_xml=False,
    )
    return schemas
