"""Arguments in groups by where they go in a request, although the tool lists them beside each other, and the other way
round.

Many other servers ask for ``{"path": {"id": 1}, "body": {"name": "x"}}``, and models write it out of habit. Where the
body is open, such a group would go to the API as a property that it does not know. Other servers take the members of
every body beside each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from openapi_mcp_server.bridge.arguments.undeclared import plain, slips
from openapi_mcp_server.bridge.media import exact_json
from openapi_mcp_server.bridge.model import Tool

_GROUPS: Mapping[str, tuple[str, ...]] = {
    "body": ("body",),
    "requestbody": ("body",),
    "path": ("path",),
    "pathparams": ("path",),
    "pathparameters": ("path",),
    "query": ("query",),
    "queryparams": ("query",),
    "queryparameters": ("query",),
    "header": ("header",),
    "headers": ("header",),
    "cookies": ("cookie",),
    "params": ("path", "query"),
    "parameters": ("path", "query", "header", "cookie"),
}
"""Where the members of a group go, by its name without what is only spelling."""
_ANYWHERE = ("path", "query", "header", "cookie", "body")
"""Where those of another group go if it stands alone: ``input``, ``data``, the name of a type."""


def ungrouped(tool: Tool, values: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The arguments beside each other, and those that were in a group. A group of which something is not known, or
    stands outside as well, stays, so that its author is asked."""
    found: dict[str, Any] = {}
    read: list[str] = []
    is_refused = tool.body is None or not tool.body.open or bool(tool.input.required)  # as something undeclared
    is_alone = len(values) == 1 and is_refused
    for name, value in values.items():
        members = _members(tool, name, value, alone=is_alone)
        if members and members.keys().isdisjoint((*values, *found)):
            found |= members
            read += members
        else:
            found[name] = value
    return found, tuple(sorted(read))


def gathered(
    tool: Tool, values: dict[str, Any], is_valid: Callable[[dict[str, Any]], bool]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The members of a body that is one argument, in that argument, and their names. Only of a body that is missing and
    needs some of them, and none that is nearly the name of another argument."""
    whole = tool.body.whole if tool.body is not None else None
    if whole is None or whole in values:
        return values, ()
    known = {name: value for name, value in values.items() if name in tool.input.names}
    members = {name: value for name, value in values.items() if name not in known}
    if not members or is_valid(known | {whole: {}}) or not is_valid(known | {whole: members}):
        return values, ()
    if slips(tool, values, [*members]):
        return values, ()
    return known | {whole: members}, tuple(members)


def _members(tool: Tool, name: str, value: object, *, alone: bool) -> dict[str, Any]:
    """The members of a group by the names of their arguments; none if it is no group. ``alone``: nothing is beside."""
    by_name = _GROUPS.get(plain(name), ())
    places = () if name in tool.input.names else by_name or (_ANYWHERE if alone else ())
    given = _object(value) if places else {}
    known = _arguments(tool, places) if given else {}
    is_open = tool.body is not None and tool.body.open and "body" in by_name
    others = given.keys() - known.keys()  # of an open body, unless an argument that goes elsewhere has the name
    is_known = not others or (is_open and others < given.keys() and others.isdisjoint(tool.input.names))
    return {known.get(each, each): member for each, member in given.items()} if is_known else {}


def _object(value: object) -> dict[str, Any]:
    """An object, or the one that a text says."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = exact_json.decode(value.encode())
        except ValueError:
            return {}
    return value if isinstance(value, dict) else {}


def _arguments(tool: Tool, places: tuple[str, ...]) -> dict[str, str]:
    """The arguments that go there, by the document's names for them and by their own."""
    called = [(slot.name, slot.argument) for slot in tool.slots if slot.location in places]
    if tool.body is not None and "body" in places:
        called += [(name, argument) for argument, name in tool.body.properties.items()]
    called += [(argument, argument) for _, argument in called]
    return {name: argument for name, argument in called if argument in tool.input.names}
