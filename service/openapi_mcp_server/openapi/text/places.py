"""Finds places in a document's text, only after an error.

Reading keeps no positions, since that would slow down every start. Instead the text is read again, and JSON only along
the path to the place: 5 ms for the last operation of 13 MB.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.openapi import pointers
from openapi_mcp_server.openapi.text import yaml
from openapi_mcp_server.openapi.text.document import is_json
from openapi_mcp_server.openapi.text.source import DocumentLimits, checked, place

_AT = re.compile("line ([0-9]+), column ([0-9]+)")
_BREAK = re.compile(rb"\r\n?")
_SHOWN = 80  # characters of a line, in a message of one line
_BEFORE = 20  # of them before the place, where the line is longer
_KEY = re.compile(rb'(?<!\s)\s*+[,{]\s*+(?P<key>"[^"\\]*+(?>(?:\\.[^"\\]*+)*)")\s*+:\s*+', re.DOTALL)
_COMMA = re.compile(rb"(?<!\s)\s*+[,\[]\s*+")

_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_elements = msgspec.json.Decoder(list[msgspec.Raw])


class Place(NamedTuple):
    """``at`` is a place such as ``line 3, column 7``, ``line`` has 80 characters of the text around it."""

    at: str
    line: str


class _Span(NamedTuple):
    """A value of a JSON text: the offset of its key (or of the value), the offset of the value, and its text."""

    named: int
    start: int
    text: bytes


class Places:
    """The places of one document. ``data`` has its original bytes, which may be invalid."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._text = b""
        self._opened: dict[tuple[str, ...], dict[str, _Span]] = {}
        self._marks: yaml.Marks | None = None

    def of(self, pointer: str) -> Place | None:
        """The place of a JSON Pointer such as ``#/info/title``; None if the text does not have it (overlays and other
        files add to a document) or cannot be read."""
        try:
            self._text = self._text or checked(self._data)
            path = pointers.tokens(pointer)
            offset = self._in_json(path) if is_json(self._text) else self._in_yaml(path)
        except (SpecError, msgspec.DecodeError, RecursionError):
            return None
        return None if offset is None else Place(place(self._text, offset), _around(self._text, offset))

    def _in_yaml(self, path: Sequence[str]) -> int | None:
        if self._marks is None:
            self._text, self._marks = yaml.marked(self._text, DocumentLimits())
        return self._marks.find(path)

    def _in_json(self, path: tuple[str, ...]) -> int | None:
        span: _Span | None = _Span(0, 0, self._text)
        for length, token in enumerate(path):
            if span is None:
                return None
            inner = self._opened.get(path[:length])
            if inner is None:
                inner = self._opened[path[:length]] = _within(span)
            span = inner.get(token)
        return None if span is None else span.named


def of_error(data: bytes, pointer: str) -> Place | None:
    """The place of an error at ``pointer`` in the document; see `SpecError` for the two kinds of pointers."""
    if pointer.startswith(pointers.ROOT):
        return Places(data).of(pointer)
    found = _AT.fullmatch(pointer)
    if found is None:
        return None
    number, column = int(found[1]), int(found[2])
    lines = _BREAK.sub(b"\n", data.removeprefix(codecs.BOM_UTF8)).split(b"\n", number)
    line = lines[number - 1] if number <= len(lines) else b""
    return Place(pointer, _shown(line.decode(errors="replace"), column - 1))


def _within(span: _Span) -> dict[str, _Span]:
    """The members of an object by name, or the elements of an array by number; empty for any other value."""
    opening = span.text.lstrip()[:1]
    if opening == b"{":
        return _spans(span, _KEY, _members.decode(span.text))
    if opening == b"[":
        return _spans(span, _COMMA, {str(index): raw for index, raw in enumerate(_elements.decode(span.text))})
    return {}


def _spans(span: _Span, before: re.Pattern[bytes], values: dict[str, msgspec.Raw]) -> dict[str, _Span]:
    """The places of values. msgspec gives their order and text; the text between them gives their offsets."""
    found, at = dict[str, _Span](), 0
    for name, raw in values.items():
        match = before.match(span.text, at)
        if match is None:  # a key twice: the order is another
            return found
        text = bytes(raw)
        named = match.start("key") if before is _KEY else match.end()
        found[name] = _Span(span.start + named, span.start + match.end(), text)
        at = match.end() + len(text)
    return found


def _around(text: bytes, offset: int) -> str:
    start = text.rfind(b"\n", 0, offset) + 1
    end = text.find(b"\n", offset)
    # Only the part of a long line that is shown is decoded; a character has four bytes at most.
    first = max(start, offset - 4 * _SHOWN)
    last = min(len(text) if end < 0 else end, offset + 4 * _SHOWN)
    return _shown(text[first:last].decode(errors="replace"), len(text[first:offset].decode(errors="replace")))


def _shown(line: str, column: int) -> str:
    line = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in line.replace("\t", " "))
    first = max(0, column - _BEFORE) if len(line.strip()) > _SHOWN else 0
    shown = line[first : first + _SHOWN].strip()
    return f"{'…' if first else ''}{shown}{'…' if len(line) > first + _SHOWN else ''}"
