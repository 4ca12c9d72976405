"""Describes one operation so that a model can call it: a line for every argument, then the types, then the answer."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from openapi_mcp_server.bridge import text
from openapi_mcp_server.bridge.model import RESPONSE_FILTER, Tool
from openapi_mcp_server.bridge.schemas.edits import decode
from openapi_mcp_server.bridge.search.hits import answers, needed
from openapi_mcp_server.bridge.search.notation import Contract, Types, contract, definition, line
from openapi_mcp_server.errors import ArgumentError

TYPES_CHARACTERS = 6_000
ARGUMENTS_CHARACTERS = 12_000
"""The most characters of all arguments; further arguments are only named."""
_NAMES_SHOWN = 60


def described(tool: Tool, type_name: str = "") -> str:
    """The description of an operation, or of one of its arguments or types. Raises ArgumentError for an unknown
    type."""
    within = contract(tool.input.schema)
    if type_name:
        return "\n".join(_one(tool, within, type_name))
    return "\n".join([*_head(tool), *_arguments(tool, within), *_answer(tool)])


def argument_lines(tool: Tool, names: list[str]) -> str:
    """The lines of some arguments, for a call with errors in them."""
    within = contract(tool.input.schema)
    types, first = Types(), needed(tool)
    told = [
        line(name, within.argument(name), types, required=name in first) for name in names if name in within.properties
    ]
    return "\n".join([*told, *_types(types, within)])


def _head(tool: Tool) -> Iterator[str]:
    yield f"{tool.name}: {tool.method} {text.visible(tool.template)}"
    said = decode(bytes(tool.entry)).get("description")
    if said:
        yield said


def _arguments(tool: Tool, within: Contract) -> Iterator[str]:
    names = [name for name in tool.input.names if name != RESPONSE_FILTER]
    if not names:
        yield "It takes no arguments."
        return
    first, types, size = needed(tool), Types(), 0
    ordered = [*first, *(name for name in names if name not in first)]
    yield "Arguments:"
    for position, name in enumerate(ordered):
        told = line(name, within.argument(name), types, required=name in first).replace("\n", "\n  ")
        told = text.shorten(told, ARGUMENTS_CHARACTERS)
        size += len(told)
        if size > ARGUMENTS_CHARACTERS and position:
            yield f"And {_named(ordered[position:])}: ask with type=NAME."
            break
        yield f"  {told}"
    yield from _types(types, within)


def _types(types: Types, within: Contract) -> Iterator[str]:
    """The types that were mentioned, and those that they refer to, the nearest first."""
    size = 0
    done: set[str] = set()
    while waiting := [name for name in types.met if name not in done]:
        name = waiting[0]
        done.add(name)
        before = len(types.met)
        told = text.shorten(definition(name, within.definition(name), types), 2 * TYPES_CHARACTERS)
        size += len(told)
        if size > TYPES_CHARACTERS and len(done) > 1:
            untold = [name, *(each for each in list(types.met)[:before] if each not in done)]
            yield f"Further types, ask with type=NAME: {_named(untold)}"
            return
        yield told


def _one(tool: Tool, within: Contract, name: str) -> Iterator[str]:
    types = Types()
    if name in within.properties:
        yield line(name, within.argument(name), types, required=name in needed(tool))
    elif name in within.definitions:
        types.met[name] = None
    else:
        known = [*within.properties, *within.definitions]
        near = difflib.get_close_matches(name[:_NAMES_SHOWN], known, 3) or known[:10]
        raise ArgumentError(f"{tool.name} has no argument or type {name[:_NAMES_SHOWN]!r}; there are {', '.join(near)}")
    yield from _types(types, within)


def _answer(tool: Tool) -> Iterator[str]:
    told = answers(tool)
    if told:
        yield f"Answers {told}"
    if tool.filterable:
        yield f"Select parts of a long answer with {RESPONSE_FILTER} (JMESPath), beside arguments."
    if tool.access.kind == "unmet":
        yield f"Credentials: {tool.access.reason}"


def _named(names: list[str]) -> str:
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
