"""Compiles the texts of documents to the catalog of their tools. A start that finds a compiled catalog imports none of
this."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from openapi_mcp_server.bridge import catalog
from openapi_mcp_server.bridge.catalog import ApiSource
from openapi_mcp_server.bridge.model import SkippedTool, ToolCatalog
from openapi_mcp_server.bridge.tools import overrides
from openapi_mcp_server.documents import source
from openapi_mcp_server.documents.options import ApiOptions, CompileOptions, Texts
from openapi_mcp_server.documents.other_files import Parts
from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.openapi import operations
from openapi_mcp_server.openapi.model import ApiDescription, Note
from openapi_mcp_server.openapi.text.document import Document, parse

_LOADING_THRESHOLD = 1_000_000
"""How many new objects start the garbage collector while documents are read. Hardly anything of a reading is in a
cycle, so that the collector finds nothing; if all of them were garbage, it would be some 100 MB."""


def compiled(
    options: CompileOptions, texts: list[Texts], parts: list[Parts], *, only_to_show: bool = False
) -> ToolCatalog:
    """The catalog. ``texts`` are used up; ``parts`` become those of each document. Raises SpecError."""
    exact = only_to_show or options.strict
    shown = {api.name: each.document for api, each in zip(options.apis, texts, strict=True)} if exact else {}
    with _collecting_less():
        tools = catalog.build(
            [_source(options, api, texts.pop(0), parts) for api in options.apis],
            options.form,
            only_to_show=only_to_show,
        )
    if exact and tools.skipped:
        tools = msgspec.structs.replace(tools, skipped=_placed(tools.skipped, shown))
    if options.strict and not only_to_show:
        _require_whole(tools)
    return tools


def described(options: CompileOptions, texts: Iterable[Texts]) -> list[tuple[Document, ApiDescription]]:
    """Each document as it was read, and its operations with all that is said of answers. Raises SpecError."""
    found = []
    for api, each in zip(options.apis, texts, strict=True):
        document, _ = _document(options, api, each, [])
        with _named(api.location, each.document):
            found.append((document, operations.describe(document, exact_answers=True)))
    return found


def _source(options: CompileOptions, api: ApiOptions, texts: Texts, parts: list[Parts]) -> ApiSource:
    document, notes = _document(options, api, texts, parts)
    with _named(api.location, texts.document):
        description = operations.describe(document)
    with _named(api.overrides, texts.overrides, "TOOL_OVERRIDES: "):
        told = overrides.read(texts.overrides) if api.overrides else {}
    return ApiSource(
        name=api.name,
        base=api.base,
        location=api.location if "://" in api.location else "",
        allowed_origins=api.allowed_origins,
        description=msgspec.structs.replace(description, notes=(*notes, *description.notes)),
        include_tags=options.include_tags,
        exclude_tags=options.exclude_tags,
        prefix=len(options.apis) > 1,
        identity=api.identity,
        strict_auth=options.strict_auth,
        overrides=told,
        rule=options.rule,
    )


def _document(
    options: CompileOptions, api: ApiOptions, texts: Texts, parts: list[Parts]
) -> tuple[Document, list[Note]]:
    """The document of an API with its overlays and its other files."""
    with _named(api.location, texts.document):
        document = parse(texts.document)
    document, notes = _overlaid(document, api, texts.overlays)
    parts.append(Parts(api.location, [Path(folder) for folder in options.folders]))
    with _named(api.location, texts.document):  # after the overlays: they see the root document as it was written
        return parts[-1].bundled(document), notes


def _require_whole(tools: ToolCatalog) -> None:
    for skipped in tools.skipped[:1]:
        several = f" ({len(tools.skipped)} operations in all; inspect lists them)" if len(tools.skipped) > 1 else ""
        problem = f"cannot be served: {skipped.operation.reason}{several}; without STRICT it is left out"
        place = ", ".join(filter(None, (skipped.api, skipped.operation.place, skipped.operation.pointer)))
        raise SpecError(place, problem)


@contextmanager
def _collecting_less() -> Iterator[None]:
    """Makes the garbage collector run less often. The parts of a catalog stay, so it would find nothing, and take a
    tenth of the start."""
    usual = gc.get_threshold()
    gc.set_threshold(_LOADING_THRESHOLD)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def _overlaid(document: Document, api: ApiOptions, texts: Iterable[bytes]) -> tuple[Document, list[Note]]:
    if not api.overlays:
        return document, []
    from openapi_mcp_server.openapi.text import overlay  # noqa: PLC0415 - for those who have one

    notes: list[Note] = []
    for location, text in zip(api.overlays, texts, strict=True):
        with _named(location, text, "API_OVERLAYS: "):
            changed = overlay.apply(document, text, name=source.shown(location))
        document = changed.document
        notes += changed.notes
    return document, notes


@contextmanager
def _named(location: str, text: bytes, setting: str = "") -> Iterator[None]:
    """Errors in a document say which it is, and show the line; in another file also the setting that it is for."""
    try:
        yield
    except SpecError as error:
        from openapi_mcp_server.openapi.text import places  # noqa: PLC0415 - for what cannot be read

        found = places.of_error(text, error.pointer)
        parts = [
            setting + source.shown(location),
            *([found.at] if found and found.at != error.pointer else []),
            error.pointer,
        ]
        shown = f" (here: {found.line})" if found and found.line else ""
        raise SpecError(", ".join(filter(None, parts)), error.problem + shown) from error


def _placed(skipped: Iterable[SkippedTool], texts: Mapping[str, bytes]) -> tuple[SkippedTool, ...]:
    """Skipped operations with the lines of their faults, which cost a second look at the documents ``texts``."""
    from openapi_mcp_server.openapi.text import places  # noqa: PLC0415 - for those who want to know

    known = {api: places.Places(text) for api, text in texts.items()}
    placed = []
    for each in skipped:
        found = known[each.api].of(each.operation.pointer)
        operation = msgspec.structs.replace(each.operation, place=found.at) if found else each.operation
        placed.append(msgspec.structs.replace(each, operation=operation))
    return tuple(placed)
