"""Accepts arguments in groups by their place in a request, although the tool lists them beside each other, and the
members of a body or a parameter beside each other, although the tool has one argument for it.

Many other servers expect ``{"path": {"id": 1}, "body": {"name": "x"}}``, and models write it out of habit. With an open
body, such a group would be sent to the API as an unknown property. Other servers list the members of every body. The
members of a parameter stand in the query by their own names (``page=1``, ``filter[status]=open``), and so in an API's
pages: Spring lists its ``Pageable`` as one parameter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from openapi_mcp_server.bridge.arguments.declared import declared_members
from openapi_mcp_server.bridge.arguments.undeclared import plain, slips
from openapi_mcp_server.bridge.media import exact_json
from openapi_mcp_server.bridge.model import Tool
from openapi_mcp_server.bridge.schemas.edits import decode

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
"""The places of a group's members, by the group's normalized name."""
_ANYWHERE = ("path", "query", "header", "cookie", "body")
"""The places of the members of any other group, if it stands alone: ``input``, ``data``, the name of a type."""


def ungrouped(tool: Tool, values: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The ungrouped arguments, and the names of those that were in a group. A group with an unknown member, or one that
    is also given outside, stays, so that the error asks the model."""
    found: dict[str, Any] = {}
    read: list[str] = []
    is_refused = tool.body is None or not tool.body.open or bool(tool.input.required)  # as an undeclared argument
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
    """Moves the members of a body into the argument for it, if that is missing and needs some of them.

    Nothing is moved if a name is nearly that of another argument. Returns the arguments, and the names that were moved.
    """
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


def assembled(tool: Tool, values: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Moves the members of parameters into the arguments for these, if nothing else has their names.

    Returns the arguments, and the names that were moved.
    """
    unknown = values.keys() - {*tool.input.names}
    places = _places(tool) if unknown else {}
    moved = {name: places[name] for name in values if name in unknown and name in places}
    found = {name: value for name, value in values.items() if name not in moved}
    for name, (argument, member) in moved.items():
        whole = found.get(argument, {})
        if not isinstance(whole, dict) or member in whole:
            return values, ()
        found[argument] = whole | {member: values[name]}
    return found, tuple(moved)


def _places(tool: Tool) -> dict[str, tuple[str, str]]:
    """The argument and the member in it, by the names that members of parameters have in a query. A name that several
    have, or a member of the whole body, is not among them."""
    schema = decode(tool.input.schema)
    taken = Counter(declared_members(_schema_of(tool.body.whole, schema), schema) if tool.body is not None else ())
    found: dict[str, tuple[str, str]] = {}
    for slot in tool.slots:
        for member in declared_members(_schema_of(slot.argument, schema), schema):
            taken[member] += 1
            found[member] = found[f"{slot.name}[{member}]"] = (slot.argument, member)
    return {name: place for name, place in found.items() if taken[name] < 2}


def _schema_of(argument: str | None, schema: Any) -> object:  # noqa: ANN401 - a decoded schema
    return schema.get("properties", {}).get(argument)


def _members(tool: Tool, name: str, value: object, *, alone: bool) -> dict[str, Any]:
    """The members of a group by the names of their arguments; empty if it is no group. ``alone``: it stands alone."""
    by_name = _GROUPS.get(plain(name), ())
    places = () if name in tool.input.names else by_name or (_ANYWHERE if alone else ())
    given = _object(value) if places else {}
    known = _arguments(tool, places) if given else {}
    is_open = tool.body is not None and tool.body.open and "body" in by_name
    others = given.keys() - known.keys()  # of an open body, unless an argument that goes elsewhere has the name
    is_known = not others or (is_open and others < given.keys() and others.isdisjoint(tool.input.names))
    return {known.get(each, each): member for each, member in given.items()} if is_known else {}


def _object(value: object) -> dict[str, Any]:
    """An object, also from JSON text."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = exact_json.decode(value.encode())
        except ValueError:
            return {}
    return value if isinstance(value, dict) else {}


def _arguments(tool: Tool, places: tuple[str, ...]) -> dict[str, str]:
    """The arguments with these places, by the document's names and by their own."""
    called = [(slot.name, slot.argument) for slot in tool.slots if slot.location in places]
    if tool.body is not None and "body" in places:
        called += [(name, argument) for argument, name in tool.body.properties.items()]
    called += [(argument, argument) for _, argument in called]
    return {name: argument for name, argument in called if argument in tool.input.names}
