"""Finds the operation of a name or a place in a model's spelling: other case, other punctuation, a path with values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from openapi_mcp_server.bridge import text
from openapi_mcp_server.bridge.model import Tool
from openapi_mcp_server.bridge.names import nearest
from openapi_mcp_server.bridge.search.names import NAMES, SEARCH
from openapi_mcp_server.bridge.search.words import of_identifier, stems
from openapi_mcp_server.errors import ArgumentError

SHOWN = 120
"""The most characters of an unknown name in a message."""
NAMES_KEPT = 16_384
"""The number of names of tools whose letters are remembered."""
_SEGMENTS = 40
"""The most segments of a path that is searched."""
_ALIKE, _NEAR = 0.5, 3
"""The share of words that two similar names must have in common, and the most names that are offered."""
_TELLING = 2
"""The fewest words of a name that identify an operation; a single word is in too many names."""
_PLACE = re.compile(r"^(?:(?P<method>[A-Za-z]+) )?(?:https?://[^/\s]+)?(?P<path>/\S*)$")
_SEPARATORS = re.compile(r"[\s,;]+")


def meant(tools: Mapping[str, Tool], name: str) -> Tool | None:
    """The operation that a name certainly means: equal except for case and punctuation, or the document's method and
    path with any names of variables."""
    own = _letters(name)
    same = [tool for each, tool in tools.items() if _letters_of_tool(each) == own] if own else []
    same = same or [tool for tool, values in by_place(tools, name) if not values]
    return same[0] if len(same) == 1 else None


def by_place(tools: Mapping[str, Tool], place: str) -> list[tuple[Tool, bool]]:
    """The operations of ``METHOD /path``, of a path alone or of an address, each with whether the path has values."""
    found = _PLACE.match(text.visible(place))
    if found is None:
        return []
    method = (found["method"] or "").upper()
    asked = [each for each in found["path"].partition("?")[0].split("/") if each][:_SEGMENTS]
    fits = [
        (fit, tool)
        for tool in tools.values()
        if (not method or tool.method == method) and (fit := _fit(text.visible(tool.template), asked)) is not None
    ]
    best = max((fit[:2] for fit, _ in fits), default=None)
    return [(tool, fit[2]) for fit, tool in fits if fit[:2] == best]


def _fit(template: str, asked: Sequence[str]) -> tuple[int, int, bool] | None:
    """How many segments a template has, how many of them are literal, and whether others have values. The path may
    begin with the base of the API's address."""
    segments = [each for each in template.split("/") if each]
    if not segments or len(segments) > len(asked):
        return None
    pairs = [*zip(segments, asked[len(asked) - len(segments) :], strict=True)]
    if any(own != other for own, other in pairs if "{" not in own):
        return None
    plain = sum("{" not in own for own, _ in pairs)
    return (len(segments), plain, any("{" in own and "{" not in other for own, other in pairs)) if plain else None


def named(tools: Mapping[str, Tool], query: str) -> list[str]:
    """The names of operations that are in a query word for word, or the name of the operation at a place."""
    told = [tool.name for tool, _ in by_place(tools, query.strip())]
    words = [each for each in _SEPARATORS.split(query) if each]
    is_name = len(words) == 1 and not (words[0].isalpha() and words[0].islower())
    if is_name and (tool := meant(tools, words[0])) is not None:
        told.append(tool.name)
    return [*dict.fromkeys([*told, *(each for each in words if each in tools)])]


def not_there(tools: Mapping[str, Tool], areas: Mapping[str, int], name: str) -> ArgumentError:
    """The error for an unknown name, with suggestions."""
    shown = name[:SHOWN]
    if name in NAMES:
        return ArgumentError(f"{name} is a tool of this server: call it itself; name is that of an operation")
    if at := [tool for tool, _ in by_place(tools, name)]:
        places = ", ".join(f"{tool.name} ({tool.method} {text.visible(tool.template)})" for tool in at[:_NEAR])
        return ArgumentError(f"{shown!r} is {places}: name is that of one, and the path's values are arguments")
    if several := named(tools, name):
        return ArgumentError(f"one operation at a time: name is {several[0]}, say, and not {shown!r}")
    if area := next((each for each in areas if text.caseless(each) == text.caseless(name)), None):
        there = f"{SEARCH} with tag={text.visible(area)!r} lists them"
        return ArgumentError(f"{shown!r} is an area of {areas[area]} operations: {there}")
    near = _near(tools, shown)
    hint = f"did you mean {', '.join(near)}?" if near else f"find it with {SEARCH} by what it does"
    return ArgumentError(f"there is no operation {shown!r}; {hint}")


def _near(tools: Mapping[str, Tool], name: str) -> list[str]:
    """The names with most of the same words, or with all words of the question, or else with similar letters; for a
    place, similar places. Frameworks add the path to a name: ``get_order_orders__order_id__get``."""
    if " /" in name:
        return nearest(name, [tool.operation for tool in tools.values()])
    own, asked = frozenset(of_identifier(name)), frozenset(stems(name))
    shares = [
        (share, each)
        for each in tools
        if (share := _shared(own, others := _words_of_tool(each))) >= _ALIKE
        or (len(asked) >= _TELLING and asked <= others)
    ]
    best = sorted(shares, key=lambda each: (-each[0], len(each[1]), each[1]))
    return [each for _, each in best[:_NEAR]] or nearest(name, tools)


def _shared(own: frozenset[str], other: frozenset[str]) -> float:
    return len(own & other) / len(own | other) if other else 0.0


@lru_cache(maxsize=NAMES_KEPT)
def _words_of_tool(name: str) -> frozenset[str]:
    """The words of a tool's name. For all of GitHub's this takes 7 ms the first time."""
    return frozenset(of_identifier(name))


def _letters(name: str) -> str:
    return "".join([letter for letter in name[:SHOWN].casefold() if letter.isalnum()])


_letters_of_tool = lru_cache(maxsize=NAMES_KEPT)(_letters)
"""The cached letters of a tool's name. For all of GitHub's this takes 4 ms the first time."""
