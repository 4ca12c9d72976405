"""A document to its operations: every one of them is described, or listed with the reason why not."""

from __future__ import annotations

import re

import msgspec

from openapi_mcp_server.openapi.model import ApiDescription
from openapi_mcp_server.openapi.notes import Notes
from openapi_mcp_server.openapi.pointers import ROOT, tokens
from openapi_mcp_server.openapi.reading import fields
from openapi_mcp_server.openapi.reading.dialect import D, Dialect, Source
from openapi_mcp_server.openapi.reading.objects import Info, is_there, read, read_map, reader, written
from openapi_mcp_server.openapi.reading.openapi3 import OpenApi3
from openapi_mcp_server.openapi.reading.paths import MAX_OPERATIONS, PathReader
from openapi_mcp_server.openapi.reading.swagger2 import Swagger2
from openapi_mcp_server.openapi.references.resolve import Located, References, opened
from openapi_mcp_server.openapi.text.document import Document

_info = reader(Info)
_MORE_PATHS = "x-ms-paths"
"""Azure's documents keep paths with a query here, since their tools do not accept them among the others."""
_FILE = re.compile(r"^[^/\s',;)]+")


def describe(
    document: Document, *, max_operations: int = MAX_OPERATIONS, exact_answers: bool = False
) -> ApiDescription:
    """The description of a whole document. Raises SpecError if nothing of it can be used.

    ``exact_answers``: for callers that make answers and do not check them; see
    `openapi_mcp_server.openapi.reading.dialect`.
    """
    root = dict(document.root) or read_map(Located(ROOT, msgspec.Raw(document.json)))
    references = References(document, root)
    source = Source(document=document, root=root, references=references, notes=Notes(), exact_answers=exact_answers)
    if document.dialect == "2.0":
        description = _described(Swagger2(source), source, max_operations)
    else:
        description = _described(OpenApi3(source), source, max_operations)
    return _in_its_authors_words(description, document.files_at) if document.files_at else description


def _in_its_authors_words(description: ApiDescription, files_at: str) -> ApiDescription:
    """Replaces places in the bundled document, which no author knows, by places in the files:
    ``sub/pets.yaml#/Pet``."""

    def told(text: str) -> str:
        first, *others = text.split(f"#/{files_at}/")
        return first + "".join([_FILE.sub(_of_file, each, count=1) for each in others])

    return msgspec.structs.replace(
        description,
        notes=tuple(
            msgspec.structs.replace(note, pointer=told(note.pointer), message=told(note.message))
            for note in description.notes
        ),
        skipped=tuple(
            msgspec.structs.replace(each, pointer=told(each.pointer), reason=told(each.reason))
            for each in description.skipped
        ),
    )


def _of_file(found: re.Match[str]) -> str:
    return f"{tokens(f'#/{found[0]}')[0]}#"


def _described(dialect: Dialect[D], source: Source, max_operations: int) -> ApiDescription:
    fields.note(source.root, fields.DOCUMENT, source.document.dialect, ROOT, source.notes)
    info = source.spared(_read_info, source.at("info"), "info_dropped") or Info()
    paths = PathReader(dialect, source, max_operations)
    paths.read(read_map(source.at("paths")))
    paths.read(source.spared(read_map, source.at(_MORE_PATHS), "extension_ignored") or {}, _MORE_PATHS)
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
        webhooks=_count(source.at("webhooks").json),
        callbacks=paths.callbacks,
    )


def _read_info(at: Located) -> Info:
    return read(_info, at) if is_there(at.json) else Info()


def _count(value: msgspec.Raw) -> int:
    """The number of entries of an object without extensions."""
    entries = opened(value) if is_there(value) else {}
    return sum(not str(name).startswith("x-") for name in entries)
