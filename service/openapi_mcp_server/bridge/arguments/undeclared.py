"""Arguments that a tool does not name, where its body is an object that the document leaves open.

A property that the schema neither declares nor forbids is a property like any other (JSON Schema 2020-12 core, section
10.3.2.3): of 4,637 request examples in published documents 331 have one. A name that is nearly that of an argument
which was not given is more likely a slip, and is asked about.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from openapi_mcp_server.bridge.model import Tool

_NEAR = 0.85
"""One letter in six or so differs."""
_LONGEST = 64
"""Characters of a name that may be a slip; arguments have no longer ones."""
_MOST_SLIPS = 10
"""Undeclared names beyond which none is taken for a slip, since each is compared with every argument."""
_SEPARATORS = re.compile(r"[^a-z0-9]+")


def by_arguments(tool: Tool, values: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The values by the names of the tool's arguments, and those that were given by what the document calls them.

    A name that model APIs refuse (``filter[x]``) is what the API's own pages say, and its argument is called otherwise.
    """
    unknown = values.keys() - {*tool.input.names}
    called = [(slot.name, slot.argument) for slot in tool.slots]
    called += [] if tool.body is None else [(name, argument) for argument, name in tool.body.properties.items()]
    counts = Counter(name for name, _ in called)
    meant = {
        name: argument
        for name, argument in called
        if name in unknown and counts[name] == 1 and argument in tool.input.names and argument not in values
    }
    return {meant.get(name, name): value for name, value in values.items()}, tuple(sorted(meant.values()))


def taken(tool: Tool, values: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that go into the body as properties of their own names."""
    if tool.body is None or not tool.body.open:
        return {}
    known = {*tool.input.names, *tool.body.properties.values(), *(slot.name for slot in tool.slots)}
    others = [name for name in values if name not in known and not _is_withheld(tool, name)]
    mistaken = slips(tool, values, others)
    return {name: values[name] for name in others if name not in mistaken}


def slips(tool: Tool, values: Mapping[str, Any], names: Sequence[str]) -> frozenset[str]:
    """Those of the names that are nearly those of arguments which were not given."""
    if len(names) > _MOST_SLIPS:
        return frozenset()
    free = [name for name in tool.input.names if name not in values]
    return frozenset([name for name in names if _is_slip(name, free)])


def _is_withheld(tool: Tool, name: str) -> bool:
    return tool.withheld is not None and ("body", key(name)) in tool.withheld.names


def _is_slip(name: str, known: Sequence[str]) -> bool:
    """Whether a name is written like a known one, or nearly so."""
    if len(name) > _LONGEST:
        return False
    return any(plain(name) == plain(each) for each in known) or bool(difflib.get_close_matches(name, known, 1, _NEAR))


def plain(name: str) -> str:
    """A name without what is only spelling: ``sortBy`` and ``Sort-By`` are ``sort_by``."""
    return _SEPARATORS.sub("", name.casefold())


def key(name: str) -> str:
    """Equal for names that differ in spelling only, in every alphabet."""
    return plain(name) or name.casefold()
