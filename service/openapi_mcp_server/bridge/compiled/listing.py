"""Collects the entries of all tools in one text, in the form of a list, from the first tool on.

Separate entries beside the text would double the memory, and memory that is freed in many small pieces is not returned
to the system.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from openapi_mcp_server.bridge.model import OutputContract, Tool

_LATER = msgspec.Raw(b"{}")
_OUTPUT = b'"outputSchema":'


class _Spans(NamedTuple):
    """The spans of a tool's entry in the text, and of its outputSchema if that is in it."""

    entry: slice
    output: slice | None


class Listing:
    """Takes the entries of tools while they are made, and returns them as slices."""

    def __init__(self) -> None:
        self._text = bytearray()
        self._spans: dict[str, _Spans] = {}

    def take(self, tool: Tool) -> Tool:
        """The tool without its entry, until all tools are made."""
        entry, output = bytes(tool.entry), tool.output
        start = len(self._text) + (1 if self._spans else 0)
        self._text += b"," + entry if self._spans else entry
        schema = None if output is None else bytes(output.schema)
        found = -1 if schema is None else _place(entry, schema)
        within = slice(start + found, start + found + len(schema)) if schema is not None and found >= 0 else None
        self._spans[tool.name] = _Spans(slice(start, start + len(entry)), within)
        if output is not None and within is not None:
            output = OutputContract(schema=_LATER, wrapped=output.wrapped)
        return msgspec.structs.replace(tool, entry=_LATER, output=output)

    def given_back(self, tools: Mapping[str, Tool]) -> dict[str, Tool]:
        """All tools that were taken, in that order, with their entries. Nothing can be taken afterwards."""
        whole = memoryview(self._text).toreadonly()
        return {name: _with_slices(tool, self._spans[name], whole) for name, tool in tools.items()}

    def whole(self) -> memoryview | None:
        """The entries with commas between them; None if they have a line end, which ours never have."""
        if b"\n" in self._text or b"\r" in self._text:
            return None
        return memoryview(self._text).toreadonly()


def _place(entry: bytes, schema: bytes) -> int:
    """The offset of the outputSchema in an entry; -1 if it has none. Only the key is searched, and the schema is
    compared once; searching the long text itself would compare it twice."""
    after = entry.find(_OUTPUT) + len(_OUTPUT)
    return after if entry.startswith(schema, after) else entry.find(schema)


def _with_slices(tool: Tool, spans: _Spans, whole: memoryview) -> Tool:
    output = tool.output
    if output is not None and spans.output is not None:
        output = OutputContract(schema=msgspec.Raw(whole[spans.output]), wrapped=output.wrapped)
    return msgspec.structs.replace(tool, entry=msgspec.Raw(whole[spans.entry]), output=output)
