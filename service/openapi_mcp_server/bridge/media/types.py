"""The media type of a request: the way to write the body, and the exact Content-Type."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import get_args

import msgspec

from openapi_mcp_server.bridge.media import charsets
from openapi_mcp_server.bridge.media.table import Kind, is_binary, is_signed, row
from openapi_mcp_server.bridge.schemas.shapes import Outline, alternatives, are_files, may_be, say_bytes
from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.grammar import TOKEN, essence
from openapi_mcp_server.openapi.model import MediaType, Schema

KINDS: tuple[Kind, ...] = get_args(Kind)
"""All kinds, in the order of preference if an operation accepts several."""

_NAME = re.compile(rf'{TOKEN}/{TOKEN}(\s*;\s*+({TOKEN}(=({TOKEN}|"[ !#-\[\]-~]*"))?)?)*')
"""A media type by RFC 9110 section 8.3.1. Quoted strings have no escapes; parameters without a value are allowed, since
documents have them (``text/plain; utf-8``). A range (``image/*``) has this form, too. White space after a semicolon is
possessive: otherwise 40 semicolons in a row would take exponential time."""
_RANGE = re.compile(r"application/\*\+(json|xml)")

_RANGES = {"text/*": "text/plain", "multipart/*": "multipart/form-data"}
_SEVERAL_PARTS: frozenset[Kind | None] = frozenset({"form", "multipart"})
_SEQUENCES: frozenset[Kind | None] = frozenset({"lines", "multipart"})


class WrittenAs(msgspec.Struct, frozen=True):
    """``content_type`` is None if the value can have its own: ``image/*`` with a ``data:`` URI. ``otherwise`` is the
    type of a value without one.
    """

    kind: Kind
    content_type: str | None
    otherwise: str | None = None


def is_media_type(name: str) -> bool:
    """Whether it is valid in a Content-Type header as it is."""
    return _NAME.fullmatch(name) is not None


def charset(media: MediaType) -> str:
    """The declared charset, which has the same name in Python; empty if none is declared.

    Raises SpecError for a charset that is not supported.
    """
    found = charsets.declared(media.name)
    if found and not charsets.is_known(found):
        raise SpecError(media.pointer, f"the charset {found} is not supported; use utf-8")
    return found


def way(media: MediaType, outline: Outline, definitions: Mapping[str, Schema]) -> WrittenAs:
    """The way to write a body of this type; ``outline`` is the outermost level of its schema.

    Raises SpecError for an invalid media type, and for a type that cannot carry its schema.
    """
    if not is_media_type(media.name):
        raise SpecError(media.pointer, f"{media.name!r} is no media type (RFC 9110 section 8.3.1)")
    name = essence(media.name)
    if "*" in name:
        return _way_of_range(media, name, outline, definitions)
    return WrittenAs(_kind(media, name, outline, definitions), media.name)


def _way_of_range(media: MediaType, name: str, outline: Outline, definitions: Mapping[str, Schema]) -> WrittenAs:
    """The way to write a range: the schema's value in the plainest type of the range."""
    if name in {"*/*", "application/*"}:
        return _any_way(name, outline, definitions)
    if suffix := _RANGE.fullmatch(name):
        return WrittenAs(_kind(media, name, outline, definitions), f"application/{suffix[1]}")
    if name == "multipart/*" and (media.is_stream or not may_be(outline, "object")):
        return WrittenAs(_kind(media, "multipart/mixed", outline, definitions), "multipart/mixed")
    if name in _RANGES:
        return WrittenAs(_kind(media, _RANGES[name], outline, definitions), _RANGES[name])
    if not is_binary(name):
        raise SpecError(media.pointer, f"the range {media.name} names no type that could be sent")
    return WrittenAs(_kind(media, name, outline, definitions), None)


def _any_way(name: str, outline: Outline, definitions: Mapping[str, Schema]) -> WrittenAs:
    if outline and are_files(alternatives(outline, definitions)):
        return WrittenAs("binary", None, otherwise="application/octet-stream")
    if name == "*/*" and outline.get("type") == "string":
        return WrittenAs("text", "text/plain")
    return WrittenAs("json", "application/json")


def _kind(media: MediaType, name: str, outline: Outline, definitions: Mapping[str, Schema]) -> Kind:
    if is_signed(name):
        return "text"
    known = _known(name)
    if _is_written_whole(media, known) and not may_be(outline, "object") and may_be(outline, "string"):
        return "text"
    if media.is_stream and known not in _SEQUENCES:
        raise SpecError(media.pointer, f"{name} is not written item by item (itemSchema)")
    carried = _carried(media, name, known)
    if carried and not media.is_stream and not any(may_be(outline, needed) for needed in carried):
        kind = outline["type"]
        said = kind if isinstance(kind, str) else " or ".join(kind)
        raise SpecError(media.pointer, f"{name} cannot carry a JSON {said}, only a JSON {carried[0]}")
    is_whole = known not in _SEVERAL_PARTS and not media.is_stream
    if is_whole and outline and say_bytes(alternatives(outline, definitions)):
        return "binary"
    if known is not None:
        return known
    is_bytes = row(name).read != "text" and are_files(alternatives(outline, definitions))
    return "binary" if is_bytes or is_binary(name) else "text"


def _is_written_whole(media: MediaType, known: Kind | None) -> bool:
    """Whether a text of this type may be the whole body: a form, or parts between boundaries that the type names. All
    documents describe OData's ``$batch`` like this."""
    return known == "form" or (known == "multipart" and "boundary=" in media.name.lower())


def _carried(media: MediaType, name: str, kind: Kind | None) -> tuple[str, ...]:
    """The JSON types that a body can be made from; empty if all are accepted."""
    match kind:
        case None:
            return ("string",)
        case "form":
            return ("object",)
        case "multipart":
            has_positions = name != "multipart/form-data" or media.prefix_encoding or media.item_encoding is not None
            return ("object", "array") if has_positions else ("object",)
        case _:
            return ()


def _known(name: str) -> Kind | None:
    """The way to write a type, by its name alone; None for text and bytes, which are given as text."""
    written = row(name).written
    return None if written == "binary" else written
