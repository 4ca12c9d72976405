"""A document to its operations: every one of them is described, or listed with the reason why not."""

from __future__ import annotations

import msgspec

from service.errors import SpecError
from service.openapi.dialect import D, Dialect, Source
from service.openapi.document import Document
from service.openapi.model import ApiDescription
from service.openapi.notes import Notes
from service.openapi.objects import Info, Root, is_there, read, reader, written
from service.openapi.openapi3 import OpenApi3
from service.openapi.paths import MAX_OPERATIONS, PathReader
from service.openapi.pointers import ROOT, child
from service.openapi.references import Located, References, opened
from service.openapi.swagger2 import Swagger2

_root = reader(Root)
_info = reader(Info)


def describe(document: Document, *, max_operations: int = MAX_OPERATIONS) -> ApiDescription:
    """All that the service has to know of a document. Raises SpecError if it is the whole that cannot be used."""
    root = read(_root, Located(ROOT, msgspec.Raw(document.json)))
    source = Source(document=document, root=root, references=References(document), notes=Notes())
    if document.dialect == "2.0":
        return _described(Swagger2(source), source, max_operations)
    return _described(OpenApi3(source), source, max_operations)


def _described(dialect: Dialect[D], source: Source, max_operations: int) -> ApiDescription:
    info = _read_info(source.root, source.notes)
    paths = PathReader(dialect, source, max_operations)
    paths.read(source.root.paths or {})
    return ApiDescription(
        dialect=source.document.dialect,
        title=written(info.title),
        version=written(info.version),
        summary=written(info.summary) or written(info.description),
        servers=dialect.servers,
        operations=tuple(paths.operations),
        skipped=tuple(paths.skipped),
        notes=source.notes.all(),
        request_schemas=dialect.request.definitions(),
        response_schemas=dialect.response.definitions(),
        security_schemes=dialect.security_schemes,
        webhooks=_count(source.root.webhooks),
        callbacks=paths.callbacks,
    )


def _read_info(root: Root, notes: Notes) -> Info:
    try:
        return read(_info, Located(child(ROOT, "info"), root.info)) if is_there(root.info) else Info()
    except SpecError as error:
        notes.add(error.pointer, "info_dropped", error.problem)
        return Info()


def _count(value: msgspec.Raw) -> int:
    """The entries of an object, extensions apart."""
    entries = opened(value) if is_there(value) else {}
    return sum(not str(name).startswith("x-") for name in entries)
