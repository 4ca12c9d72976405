"""The call that goes on exactly where an answer was cut, so that no row is missed and none comes twice."""

from __future__ import annotations

import re
from collections.abc import Mapping

from openapi_mcp_server.bridge.model import Tool

_PUNCTUATION = re.compile(r"[^a-z0-9]")
_OFFSETS = {"offset": 0, "skip": 0, "startat": 0, "startindex": 1}
"""Names of arguments that count rows, and what the first row has."""
_PAGES = frozenset({"page", "pageno", "pagenumber"})
"""Of arguments that count pages, from 1."""
_SIZES = frozenset({"perpage", "pagesize", "limit", "size", "count", "maxresults", "pagelimit", "top", "rows"})
_SMALLEST_SHARE = 4
"""Pages of less than a fourth of what was shown are not worth their calls."""


def following(tool: Tool, asked: Mapping[str, object], kept: int, total: int) -> str | None:
    """Arguments for the rows after the first ``kept`` of ``total``; None where it cannot be said.

    ``asked`` are those of the call.
    """
    if not kept:
        return None
    names = _names(tool)
    for name, first in _OFFSETS.items():
        if (argument := names.get(name)) is not None:
            begun = asked.get(argument, first)
            return f"{argument}={begun + kept}" if isinstance(begun, int) else None
    page = next((names[name] for name in names if name in _PAGES), None)
    size = next((names[name] for name in names if name in _SIZES), None)
    return None if page is None or size is None else _page(page, size, asked, kept, total)


def _names(tool: Tool) -> dict[str, str]:
    """Arguments by their names without punctuation."""
    wires = {slot.argument: slot.name for slot in tool.slots if slot.location != "path"}
    if tool.body is not None:
        wires.update(tool.body.properties)
    return {
        _PUNCTUATION.sub("", name.lower()): argument for argument, name in wires.items() if argument not in tool.fixed
    }


def _page(page: str, size: str, asked: Mapping[str, object], kept: int, total: int) -> str | None:
    """A page of another size, if there is one that begins after the last row that was shown."""
    number, rows = asked.get(page, 1), asked.get(size, total)
    if not isinstance(number, int) or not isinstance(rows, int) or number < 1 or (number > 1 and size not in asked):
        return None
    seen = (number - 1) * rows + kept
    each = next(each for each in range(kept, 0, -1) if seen % each == 0)
    return f"{size}={each}, {page}={seen // each + 1}" if each * _SMALLEST_SHARE >= kept else None
