"""YAML between quotes and brackets (YAML 1.2.2 sections 7.3 and 7.4), on one line or on several.

Continuation lines may have any indentation. The specification requires a deeper one than that of their parent, but
every widely used parser accepts a closing bracket below its key, and documents have it.
"""

from __future__ import annotations

import re

import msgspec

from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.grammar import IN_STRING, any_number_of
from openapi_mcp_server.openapi.text.source import duplicate_key, place
from openapi_mcp_server.openapi.text.yaml.anchors import Anchors, Value
from openapi_mcp_server.openapi.text.yaml.marks import Marks
from openapi_mcp_server.openapi.text.yaml.scalars import (
    Scalar,
    double_quoted,
    folded,
    resolve,
    resolve_as,
    single_quoted,
)

_SPACE = re.compile(any_number_of(r"[ \t\n]++|#[^\n]*+").encode())
_DOUBLE_QUOTED = re.compile(rf'"({IN_STRING})"'.encode(), re.DOTALL)
_SINGLE_QUOTED = re.compile(b"'(%b)'" % any_number_of(r"[^']++|''").encode())
_PLAIN = re.compile(
    rb"""
    (?:[^\s\-?:,\[\]{}#&*!|>'"%%@`] | [\-?:](?=[^\s,\[\]{}]))
    %b
    """
    % any_number_of(
        r"[^\s:#,\[\]{}]++ | :(?=[^\s,\[\]{}]) | (?<=[^\s])\# | [ \t\n]++(?=[^\s:#,\[\]{}]|:[^\s,\[\]{}])"
    ).encode(),
    re.VERBOSE,
)
_ALIAS = re.compile(rb"\*([^\s,\[\]{}]+)")
MERGE_TAG = b"!!merge"
"""The tag of ``<<``, which Go's writer adds (https://yaml.org/type/merge.html)."""
_CORE = rb"str|int|float|bool|null|map|seq|merge"
_TAG = re.compile(
    rb"!(?:<tag:yaml\.org,2002:(?P<verbatim>%b)>|!(?P<core>%b)|)(?![^\s,\[\]{}])" % (_CORE, _CORE)
)  # `!` alone is that of a string
_ANCHOR = re.compile(rb"&([^\s,\[\]{}]+)(?![^\s,\[\]{}])")

SCALAR_TAGS = frozenset({"str", "int", "float", "bool", "null"})


class Properties(msgspec.Struct, frozen=True):
    """The anchor and the tag before a value; the tag is a name of the core schema."""

    anchor: str | None = None
    tag: str | None = None


NO_PROPERTIES = Properties()


class Flow:
    """The values of one document without block layout. Methods take an offset and return (value, offset after it)."""

    def __init__(self, text: bytes, anchors: Anchors, marks: Marks | None = None) -> None:
        self._text = text
        self._marks = marks
        self._anchors = anchors

    def properties(self, offset: int) -> tuple[Properties, int]:
        """``&name`` and ``!!tag`` in any order, and the offset of the text after them on the same line."""
        anchor = tag = None
        while (start := self._text[offset : offset + 1]) in {b"&", b"!"}:
            found = (_ANCHOR if start == b"&" else _TAG).match(self._text, offset)
            if found is None:
                name = self._text[offset : offset + 80].split(maxsplit=1)[0].decode(errors="replace")
                raise self._error(offset, f"the tag {name} is not supported; only those of YAML's core schema are")
            if start == b"&":
                anchor = found[1].decode()
            else:
                tag = (found["verbatim"] or found["core"] or b"str").decode()
            offset = found.end()
            while self._text[offset : offset + 1] in {b" ", b"\t"}:
                offset += 1
        return Properties(anchor, tag), offset

    def value(self, offset: int, depth: int) -> tuple[Value, int]:
        """The value at ``offset``: quoted text, brackets, an alias, or (within brackets) plain text."""
        start = self._text[offset : offset + 1]
        if start in {b"&", b"!"}:
            properties, content = self.properties(offset)
            return self.with_properties(properties, self._skip(content), depth)
        if start in {b'"', b"'"}:
            return self.quoted(offset)
        if start == b"[":
            return self._sequence(offset, depth)
        if start == b"{":
            return self._mapping(offset, depth)
        if start == b"*":
            return self.alias(offset, depth)
        text, end = self._plain(offset)
        return resolve(text), end

    def with_properties(self, properties: Properties, offset: int, depth: int) -> tuple[Value, int]:
        """The value at ``offset`` with these ``properties``; it may be empty, before a comma."""
        start = self._text[offset : offset + 1]
        opening = self._anchors.open(properties.anchor, depth, offset) if properties.anchor else None
        value: Value
        if properties.tag in SCALAR_TAGS and start not in {b"[", b"{"}:
            value, end = self._tagged(properties.tag, offset)
        elif start in {b",", b"]", b"}", b":"}:
            value, end = None, offset
        else:
            value, end = self.value(offset, depth)
            self.check_tag(properties.tag, value, offset)
        if opening:
            self._anchors.close(opening, value, depth, end)
        return value, end

    def _tagged(self, tag: str, offset: int) -> tuple[Scalar, int]:
        start = self._text[offset : offset + 1]
        if start in {b'"', b"'"}:
            text, end = self.quoted(offset)
        elif start in {b",", b"]", b"}", b":"}:
            text, end = "", offset
        else:
            text, end = self._plain(offset)
        return self.scalar(tag, text, offset), end

    def scalar(self, tag: str | None, text: str, offset: int) -> Scalar:
        """The value of ``text`` with a tag; raises SpecError with the place if the text does not fit the tag."""
        try:
            return resolve_as(tag or "str", text)
        except ValueError as error:
            raise self._error(offset, str(error)) from error

    def check_tag(self, tag: str | None, value: Value, offset: int) -> None:
        """Refuses a collection's tag on other values, and any other tag on a collection."""
        fits: dict[str, type | tuple[()]] = {"map": dict, "seq": list, "merge": ()}
        is_misplaced = isinstance(value, dict | list) and tag not in {None, "map", "seq"}
        if is_misplaced or not isinstance(value, fits.get(tag or "", object)):
            raise self._error(offset, f"!!{tag} cannot be put on this")

    def quoted(self, offset: int) -> tuple[str, int]:
        """Quoted text; raises SpecError with the place of its beginning if it does not end."""
        double = self._text[offset : offset + 1] == b'"'
        found = (_DOUBLE_QUOTED if double else _SINGLE_QUOTED).match(self._text, offset)
        if found is None:
            raise self._error(offset, "the quoted text that begins here does not end")
        text = found[1].decode()
        if not double:
            return single_quoted(text), found.end()
        try:
            return double_quoted(text), found.end()
        except UnicodeDecodeError as error:
            raise self._error(offset, "an escape in this text is half a character") from error
        except ValueError as error:
            raise self._error(offset, str(error)) from error

    def alias(self, offset: int, depth: int) -> tuple[Value, int]:
        """The value of ``*name``."""
        found = _ALIAS.match(self._text, offset)
        if found is None:
            raise self._error(offset, "an alias has no name")
        return self._anchors.value(found[1].decode(), depth, offset), found.end()

    def _plain(self, offset: int) -> tuple[str, int]:
        found = _PLAIN.match(self._text, offset)
        if found is None:
            ended = offset == len(self._text)
            problem = "the document ends within brackets" if ended else "text that begins with this must be quoted"
            raise self._error(offset, problem)
        return folded(found[0].decode()), found.end()

    def _sequence(self, offset: int, depth: int) -> tuple[list[Value], int]:
        self._anchors.enter(depth, offset)
        result: list[Value] = []
        at = self._skip(offset + 1)
        while self._text[at : at + 1] != b"]":
            if self._marks is not None:
                self._marks.add(result, len(result), at)
            value, end = self.value(at, depth + 1)
            end = self._skip(end)
            if self._text[end : end + 1] == b":":
                value, end = self._pair(at, depth + 1)
            result.append(value)
            at = self._separator(end, b"]", offset)
        return result, at + 1

    def _pair(self, offset: int, depth: int) -> tuple[dict[str, Value], int]:
        """``[key: value]``: a mapping of one entry without its braces."""
        self._anchors.enter(depth, offset)
        key, at = self._key(offset)
        value, at = self._entry(at, depth + 1)
        return {key: value}, at

    def _mapping(self, offset: int, depth: int) -> tuple[dict[str, Value], int]:
        self._anchors.enter(depth, offset)
        result: dict[str, Value] = {}
        merged = False
        at = self._skip(offset + 1)
        while self._text[at : at + 1] != b"}":
            start = at
            key, at = self._key(at)
            if key in result:
                raise self._error(start, duplicate_key(key))
            if self._marks is not None:
                self._marks.add(result, key, start)
            merged = merged or self._text.startswith((b"<<", MERGE_TAG), start)
            result[key], at = self._entry(at, depth + 1)
            at = self._separator(at, b"}", offset)
        return self.merged(result, offset) if merged else result, at + 1

    def _key(self, offset: int) -> tuple[str, int]:
        """A key, and the offset of its colon or of the text after it."""
        if self._text[offset : offset + 2] in {b"? ", b"?\n"}:
            offset = self._skip(offset + 1)
        properties, offset = self.properties(offset)
        start = self._text[offset : offset + 1]
        if start in {b"[", b"{", b"*"}:
            raise self._error(offset, "a key must be plain or quoted text")
        if start == b":":
            return "", offset
        key, end = self.quoted(offset) if start in {b'"', b"'"} else self._plain(offset)
        if properties.anchor:
            self._anchors.close(self._anchors.open(properties.anchor, 0, offset), key, 0, end)
        return key, self._skip(end)

    def _entry(self, offset: int, depth: int) -> tuple[Value, int]:
        """The value after a key, from the colon on. A key without a colon has no value: ``{a, b: 1}``."""
        if self._text[offset : offset + 1] != b":":
            return None, offset
        at = self._skip(offset + 1)
        if self._text[at : at + 1] in {b",", b"}", b"]"}:
            return None, at
        value, at = self.value(at, depth)
        return value, self._skip(at)

    def merged(self, mapping: dict[str, Value], offset: int) -> dict[str, Value]:
        """The mapping with ``<<`` merged: own keys win, then the first mapping (https://yaml.org/type/merge.html)."""
        named = mapping.pop("<<", [])
        for source in named if isinstance(named, list) else [named]:
            if not isinstance(source, dict):
                raise self._error(offset, "`<<` must name a mapping or a list of mappings")
            for key, value in source.items():
                mapping.setdefault(key, value)
        return mapping

    def _separator(self, offset: int, closing: bytes, opened: int) -> int:
        """The offset after the comma at ``offset``, or that of the closing bracket."""
        found = self._text[offset : offset + 1]
        if found == b",":
            return self._skip(offset + 1)
        if not found:
            raise self._error(opened, "the bracket that opens here is not closed")
        if found != closing:
            raise self._error(offset, f"expected a comma or {closing.decode()}")
        return offset

    def _skip(self, offset: int) -> int:
        found = _SPACE.match(self._text, offset)
        return found.end() if found else offset

    def _error(self, offset: int, problem: str) -> SpecError:
        return SpecError(place(self._text, offset), problem)
