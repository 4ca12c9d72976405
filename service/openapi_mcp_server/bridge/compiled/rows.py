"""The rows of a compiled catalog as data, which `kept` writes and reads.

Rows are arrays without the names of their members, and refer to bytes and shared values by their places. They may
change with every version of the program, since the key of a kept catalog names its version.
"""

from __future__ import annotations

import msgspec

from openapi_mcp_server.bridge.model import Access, ApiSummary, Paging, SkippedTool, Subject, Withheld
from openapi_mcp_server.bridge.origins import Origin
from openapi_mcp_server.openapi.model import MediaType, Parameter, Schema

Span = tuple[int, int]
"""The beginning and the end of a piece among all bytes."""


class _Row(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    pass


class SlotRow(_Row, frozen=True):
    argument: str
    name: str
    location: str
    required: bool
    spans_segments: bool
    recipe: Parameter


class BodyRow(_Row, frozen=True):
    """``writers`` and ``by_type`` have the indexes of their media types in the catalog."""

    required: bool
    whole: str | None
    properties: dict[str, str]
    writers: dict[str, int]
    by_type: dict[str, int]
    chooser: str | None
    needed: tuple[str, ...]
    open: bool


class InputRow(_Row, frozen=True):
    """``head`` and ``tail`` are the bytes before and after the definitions in the schema for the check of arguments.
    ``definitions`` are indexes among those of all tools."""

    head: Span
    definitions: tuple[int, ...]
    tail: str
    names: tuple[str, ...]
    required: tuple[str, ...]
    spelling: tuple[dict[str, str], msgspec.Raw] | None
    is_shortened: bool


class OutputRow(_Row, frozen=True):
    schema: Span
    wrapped: bool


class ToolRow(_Row, frozen=True):
    """``origin``, ``access`` and ``slots`` are indexes among those of all tools."""

    name: str
    api: str
    method: str
    pointer: str
    template: str
    origin: int
    path: tuple[str | int, ...]
    fixed_query: str
    slots: tuple[int, ...]
    body: BodyRow | None
    accept: str
    access: int
    entry: Span
    input: InputRow
    output: OutputRow | None
    answers: OutputRow | None
    paging: Paging | None
    digest: str
    filterable: bool
    headers: dict[str, str]
    title: str
    summary: str
    deprecated: bool
    seen_bytes: int
    fixed: msgspec.Raw
    withheld: Withheld | None
    operation_id: str
    tags: tuple[str, ...]
    scopes: tuple[str, ...]
    written: str


class CatalogRow(_Row, frozen=True):
    """``listed`` are the bytes of all entries, ``checked`` the definitions for the check of arguments, ``definitions``
    those for writing bodies, by API."""

    apis: tuple[ApiSummary, ...]
    skipped: tuple[SkippedTool, ...]
    closed: tuple[Subject, ...]
    listed: Span | None
    origins: tuple[Origin, ...]
    accesses: tuple[Access, ...]
    slots: tuple[SlotRow, ...]
    media: tuple[MediaType, ...]
    checked: tuple[Span, ...]
    definitions: dict[str, dict[str, Schema]]
    tools: tuple[ToolRow, ...]
