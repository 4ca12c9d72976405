"""Values of aliases, and the limits for them: the depth and the size of a document count expanded aliases."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.openapi.text.source import DocumentLimits, place, too_deep
from openapi_mcp_server.openapi.text.yaml.scalars import Scalar

Value: TypeAlias = "Scalar | list[Value] | dict[str, Value]"


class _Anchored(msgspec.Struct, frozen=True):
    """A value that aliases share, the levels of nesting in it, and the bytes that each copy of it adds."""

    value: Value
    levels: int
    size: int


class Opening(msgspec.Struct, frozen=True):
    """An anchor whose value is being read."""

    name: str
    offset: int
    added: int
    deepest: int


class Anchors:
    """The anchors of one document, and the nesting and expansion that its limits allow."""

    def __init__(self, text: bytes, limits: DocumentLimits) -> None:
        self._text = text
        self._limits = limits
        self._anchored: dict[str, _Anchored | None] = {}  # None while the value is being read
        self._added = 0  # bytes, by aliases
        self._deepest = 0

    def enter(self, depth: int, offset: int) -> None:
        """A container begins at nesting level ``depth``; the root's level is 1."""
        if depth > self._limits.depth:
            raise too_deep(self._limits, place(self._text, offset))
        if depth > self._deepest:  # noqa: PLR1730 - max() costs three times as much, 35,000 times a document
            self._deepest = depth

    def open(self, name: str, depth: int, offset: int) -> Opening:
        """The value of ``&name`` begins at ``offset``. If it is a container, its level is ``depth``."""
        opening = Opening(name, offset, self._added, self._deepest)
        self._anchored[name] = None
        self._deepest = depth - 1
        return opening

    def close(self, opening: Opening, value: Value, depth: int, offset: int) -> None:
        """The value of an anchor has been read, up to ``offset``."""
        size = offset - opening.offset + self._added - opening.added
        self._anchored[opening.name] = _Anchored(value, self._deepest - depth + 1, size)
        self._deepest = max(self._deepest, opening.deepest)

    def value(self, name: str, depth: int, offset: int) -> Value:
        """The value of ``*name``; raises SpecError with the place if it is unknown or over the limits."""
        where = place(self._text, offset) if name not in self._anchored or self._anchored[name] is None else ""
        if name not in self._anchored:
            raise SpecError(where, f"the alias *{name} has no anchor before it")
        anchored = self._anchored[name]
        if anchored is None:
            raise SpecError(where, f"the anchor &{name} contains its own alias")
        self._added += anchored.size
        self._deepest = max(self._deepest, depth - 1 + anchored.levels)
        if self._deepest > self._limits.depth:
            raise too_deep(self._limits, place(self._text, offset))
        if len(self._text) + self._added > self._limits.expanded_bytes:
            limit = self._limits.expanded_bytes
            raise SpecError(place(self._text, offset), f"aliases expand the document to more than {limit} bytes")
        return anchored.value
