"""YAML 1.2 (core schema) to JSON text, in pure Python.

This is a reader of our own, because no available one is fast, exact and safe. rapidyaml 0.15 crashes the process on
thirty bytes of malformed tags, prints its errors, and refuses closing brackets below their key, which one document in
twenty has. Its JSON loses ``True``, ``~`` and the precedence of merges. The parsers written in Rust round numbers, and
most silently keep the last of two equal keys. PyYAML takes 2 s for a document of 4 MB, this reader 0.2 s.

Keys are always text, as JSON requires: ``200``, ``on`` and ``null`` keep their spelling, and so does a scalar that a
document uses as a name (`names`). ``<<`` merges. Tags are those of the core schema; any other is refused. For documents
with a looser layout than the specification allows, this reader follows libyaml, which most authors use.
"""

from __future__ import annotations

import re

import msgspec

from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.grammar import any_number_of
from openapi_mcp_server.openapi.text.source import JSON_SEPARATORS, DocumentLimits, bound_values, place, too_deep
from openapi_mcp_server.openapi.text.yaml import names
from openapi_mcp_server.openapi.text.yaml.anchors import Value
from openapi_mcp_server.openapi.text.yaml.blocks import Blocks
from openapi_mcp_server.openapi.text.yaml.marks import Marks
from openapi_mcp_server.openapi.text.yaml.scalars import enc_hook

__all__ = ["Marks", "marked", "to_json"]

_SEPARATORS = (b"\n", b",", b"[", b"{", b"- ")
_PROLOGUE = re.compile(any_number_of(r"[ \t]*(?:#[^\n]*)?\n|%[^\n]*\n").encode() + rb"(?P<mark>---(?=[ \t\n]))?")
_DIRECTIVE = re.compile(rb"^%", re.MULTILINE)
_TAG_DIRECTIVE = re.compile(rb"^%TAG", re.MULTILINE)
_EMPTY_DOCUMENTS = re.compile(any_number_of(r"(?:---|\.\.\.)(?=\s)|#[^\n]*|\s").encode())


def to_json(text: bytes, limits: DocumentLimits) -> bytes:
    """The JSON of the one YAML document in ``text`` (UTF-8, no byte order mark); raises SpecError with the place."""
    text, value = _read(text, limits, None)
    json = _encoded(value)
    bound_values(json, JSON_SEPARATORS, limits)  # once more: aliases add to them
    return json


def _encoded(value: Value) -> bytes:
    """The value as JSON, in which names keep their spelling."""
    is_respelt = False

    def hook(scalar: object) -> msgspec.Raw:
        nonlocal is_respelt
        is_respelt = True
        return enc_hook(scalar)

    encode = msgspec.json.Encoder(enc_hook=hook).encode
    json = encode(value)
    if not is_respelt:  # as in nearly all documents
        return json
    names.kept(value)
    return encode(value)


def marked(text: bytes, limits: DocumentLimits) -> tuple[bytes, Marks]:
    """Reads the text again for places: returns the text that the marks refer to, and the marks. Raises SpecError."""
    marks = Marks()
    text, marks.root = _read(text, limits, marks)
    return text, marks


def _read(text: bytes, limits: DocumentLimits, marks: Marks | None) -> tuple[bytes, Value]:
    bound_values(text, _SEPARATORS, limits)
    text = _without_prologue(_with_line_feeds(text))
    try:
        blocks = Blocks(text, limits, marks)
        value = blocks.document()
    except RecursionError as error:  # called from deep within something else
        raise too_deep(limits) from error
    if not _EMPTY_DOCUMENTS.fullmatch(text, blocks.end):
        raise SpecError(place(text, blocks.end), "a second YAML document begins here; only one can be read")
    return text, value


def _with_line_feeds(text: bytes) -> bytes:
    """The text with a line feed at the end of every line (YAML 1.2.2 section 5.4), also the last one."""
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return text if text.endswith(b"\n") else text + b"\n"


def _without_prologue(text: bytes) -> bytes:
    """The text with directives as comments and the first ``---`` as spaces, so that offsets do not change."""
    found = _PROLOGUE.match(text)
    if found is None or not found[0].strip():
        return text
    if directive := _TAG_DIRECTIVE.search(found[0]):
        raise SpecError(place(text, directive.start()), "the directive %TAG is not supported")
    mark = b"   " if found["mark"] else b""
    return _DIRECTIVE.sub(b"#", found[0].removesuffix(b"---")) + mark + text[found.end() :]
