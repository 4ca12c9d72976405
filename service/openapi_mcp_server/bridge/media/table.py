"""The table of media types: a row for each name, suffix or family says how bodies are written and answers are read.

One row serves both directions. The first match decides: the name itself, the structured syntax suffix (RFC 6838 section
4.2.8), the beginning.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple

from openapi_mcp_server.grammar import essence

Kind = Literal["json", "form", "multipart", "text", "binary", "xml", "lines"]
"""Ways to write a body."""
Reading = Literal["json", "text", "image", "audio", "binary"]
"""Kinds of content that an answer is read as."""


class Row(NamedTuple):
    """If ``written`` is None, the schema decides between text and bytes. ``is_stream``: the type is read while it
    arrives."""

    written: Kind | None
    read: Reading
    is_stream: bool = False


_JSON, _XML, _YAML = Row("json", "json"), Row("xml", "text"), Row("text", "text")
_LINES, _EVENTS = Row("lines", "text", is_stream=True), Row(None, "text", is_stream=True)
_TEXT, _BYTES, _UNKNOWN = Row(None, "text"), Row("binary", "binary"), Row(None, "binary")

TYPES: dict[str, Row] = {
    "application/json": _JSON,
    "text/json": _JSON,
    "application/xml": _XML,
    "text/xml": _XML,
    "application/x-www-form-urlencoded": Row("form", "text"),
    "text/plain": Row("text", "text"),  # of anything: JSON is the only plain text that an object has, and YAML 1.2
    "application/yaml": _YAML,
    "application/x-yaml": _YAML,
    "text/yaml": _YAML,
    "text/x-yaml": _YAML,
    "text/vnd.yaml": _YAML,
    "application/x-ndjson": _LINES,
    "application/ndjson": _LINES,
    "application/jsonl": _LINES,
    "application/x-jsonl": _LINES,
    "application/jsonlines": _LINES,
    "application/x-jsonlines": _LINES,
    "application/stream+json": _LINES,
    "application/x-json-stream": _LINES,
    "application/json-seq": _LINES,
    "text/event-stream": _EVENTS,
    "application/toml": _TEXT,
    "application/csv": _TEXT,
    "application/graphql": _TEXT,
    "application/javascript": _TEXT,
    "application/x-javascript": _TEXT,
    "application/ecmascript": _TEXT,
    "application/jwt": _TEXT,
    "application/n-triples": _TEXT,
    "application/n-quads": _TEXT,
    "application/trig": _TEXT,
    "application/sparql-query": _TEXT,
    "application/sql": _TEXT,
    "application/x-sh": _TEXT,
    "application/x-pem-file": _TEXT,
    "application/pem-certificate-chain": _TEXT,
    "application/x-subrip": _TEXT,
    "application/vnd.apple.mpegurl": _TEXT,
    "application/octet-stream": _BYTES,
    "application/pdf": _BYTES,
    "application/zip": _BYTES,
    "application/gzip": _BYTES,
    "application/x-gzip": _BYTES,
    "application/x-tar": _BYTES,
    "application/x-zip-compressed": _BYTES,
    "application/x-7z-compressed": _BYTES,
    "application/wasm": _BYTES,
    "application/protobuf": _BYTES,
    "application/x-protobuf": _BYTES,
    "application/msword": _BYTES,
}
SUFFIXES: dict[str, Row] = {"+json": _JSON, "+xml": _XML, "+yaml": _YAML, "+json-seq": _LINES}
"""RFC 6839, RFC 9512, RFC 8091."""
FAMILIES: dict[str, Row] = {
    "text/": _TEXT,
    "image/": Row("binary", "image"),
    "audio/": Row("binary", "audio"),
    "video/": _BYTES,
    "font/": _BYTES,
    "multipart/": Row("multipart", "binary"),
    "application/vnd.openxmlformats": _BYTES,
    "application/vnd.ms-": _BYTES,
    "application/vnd.oasis": _BYTES,
}


@lru_cache(1_024)
def row(name: str) -> Row:
    """The row of a type without parameters. A range has the row of its family or suffix (``image/*``,
    ``application/*+json``)."""
    return TYPES.get(name) or _by_suffix(name) or _by_family(name)


def is_json(content_type: str) -> bool:
    """Whether a type is JSON or has its suffix."""
    return row(essence(content_type)).written == "json"


def is_form(content_type: str) -> bool:
    return row(essence(content_type)).written == "form"


def is_multipart(content_type: str) -> bool:
    return row(essence(content_type)).written == "multipart"


def is_xml(content_type: str) -> bool:
    return row(essence(content_type)).written == "xml"


def is_html(content_type: str) -> bool:
    return essence(content_type) in {"text/html", "application/xhtml+xml"}


def is_binary(content_type: str) -> bool:
    """Whether it is never text, whatever the schema says. A picture in XML counts as binary, too."""
    name = essence(content_type)
    return (TYPES.get(name) or _by_family(name)).written == "binary"


def is_stream(content_type: str) -> bool:
    """Whether a type is a stream, which may never end, and of which a part is useful."""
    return row(essence(content_type)).is_stream


def _by_suffix(name: str) -> Row | None:
    _, plus, suffix = name.rpartition("+")
    return SUFFIXES.get(f"+{suffix}") if plus else None


def _by_family(name: str) -> Row:
    return next((row for start, row in FAMILIES.items() if name.startswith(start)), _UNKNOWN)


def is_signed(name: str) -> bool:
    """Whether a type is a signed text. Its schema describes the content, but only the signer can write it (RFC 7519
    section 10.3.1, RFC 8417 section 7.2)."""
    return name == "application/jwt" or name.endswith("+jwt")
