"""Turns the bytes of an OpenAPI document into one strict JSON text and its dialect."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.openapi.model import DialectName
from openapi_mcp_server.openapi.text import json_text
from openapi_mcp_server.openapi.text.source import DocumentLimits, checked

__all__ = ["Document", "DocumentLimits", "is_json", "parse", "read"]


_JSON_START = re.compile(rb'\s*\{\s*["}]')
_MARKUP_START = re.compile(rb"\s*<")
_OF_PAGE = (
    "this is HTML or XML, not an OpenAPI document in JSON or YAML; "
    "the document of such a page is often at /openapi.json, /swagger.json or /v3/api-docs"
)
# Any patch release, and what follows a hyphen: `3.0.0-rc2` is in documents to this day.
_DIALECTS: dict[str, tuple[tuple[re.Pattern[str], DialectName], ...]] = {
    "openapi": (
        (re.compile(r"3\.0(\.[0-9]+)?(-.*)?"), "3.0"),
        (re.compile(r"3\.1(\.[0-9]+)?(-.*)?"), "3.1"),
        (re.compile(r"3\.2(\.[0-9]+)?(-.*)?"), "3.2"),
    ),
    "swagger": ((re.compile(r"2(\.0(\.[0-9]+)?)?"), "2.0"),),
}
_EXAMPLE = {"openapi": "3.1.0", "swagger": "2.0"}
_OTHER_KINDS = {
    "asyncapi": "an AsyncAPI document",
    "arazzo": "an Arazzo document",
    "overlay": "an overlay, which belongs into API_OVERLAYS beside its document",
    "swaggerVersion": "a Swagger 1 document",
    "item": "a Postman collection",
    "$schema": "a JSON Schema",
}
"""Other kinds of documents that people give by mistake, by a key at their top."""
_ACCEPTED = "accepted are swagger 2.0 and openapi 3.0, 3.1 and 3.2"


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """``json`` is the whole document as JSON without white space: UTF-8, no key twice in an object, numbers and strings
    with their spelling, nesting and size within `DocumentLimits`, an object at the root. ``unread`` has the references
    to files that could not be used, each with the reason. ``files_at`` is the key of the root that has other files by
    their paths; empty if there are none. ``root`` has the root's members if they are decoded already.
    """

    json: bytes
    dialect: DialectName
    root: Mapping[str, msgspec.Raw] = {}
    unread: Mapping[str, str] = {}
    files_at: str = ""


def parse(data: bytes, *, limits: DocumentLimits = DocumentLimits()) -> Document:  # noqa: B008 - immutable
    """Parses an OpenAPI document in JSON or YAML; raises SpecError like `read`, and if it is no such document."""
    json = read(data, limits=limits)
    if not json.startswith(b"{"):
        raise SpecError("", "not an OpenAPI document: its root is not an object")
    root = msgspec.json.decode(json, type=dict[str, msgspec.Raw])
    return Document(json=json, dialect=_dialect(root), root=root)


def read(data: bytes, *, limits: DocumentLimits = DocumentLimits()) -> bytes:  # noqa: B008 - immutable
    """Turns any JSON or YAML into JSON in the form of `Document.json`, with any kind of root.

    Raises SpecError; its pointer is ``line 3, column 7`` if the text itself is at fault. A text that begins with ``{"``
    is read as JSON only, any other as YAML.
    """
    text = checked(data)
    if _MARKUP_START.match(text):
        raise SpecError("", _OF_PAGE)
    if is_json(text):
        return json_text.compact(text, limits)
    from openapi_mcp_server.openapi.text import yaml  # noqa: PLC0415 - 3 ms, for documents in YAML

    return yaml.to_json(text, limits)


def is_json(text: bytes) -> bool:
    """Whether a text is read as JSON, decided by its beginning."""
    return _JSON_START.match(text) is not None


def _dialect(root: Mapping[str, msgspec.Raw]) -> DialectName:
    named = [key for key in _DIALECTS if key in root]
    if not named:
        other = next((f"this is {kind}, " for key, kind in _OTHER_KINDS.items() if key in root), "")
        raise SpecError("", f"{other}not an OpenAPI document: no `openapi` or `swagger` key at the top")
    if len(named) > 1:
        raise SpecError("", "both `openapi` and `swagger` at the top; keep the one that the document follows")
    key = named[0]
    version = _version(key, bytes(root[key]))
    for pattern, dialect in _DIALECTS[key]:
        if pattern.fullmatch(version):
            return dialect
    raise SpecError(f"#/{key}", f"version {version!r} is not supported; {_ACCEPTED}")


def _version(key: str, value: bytes) -> str:
    """The text of a version. Without quotes ``3.1`` and ``2.0`` are numbers."""
    decoded = msgspec.json.decode(value)
    if isinstance(decoded, str):
        return decoded
    if isinstance(decoded, int | float) and not isinstance(decoded, bool):
        return value.decode()
    raise SpecError(f"#/{key}", f"must be a version such as {_EXAMPLE[key]!r}")
