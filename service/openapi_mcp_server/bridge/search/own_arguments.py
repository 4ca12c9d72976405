"""Finds the arguments of an operation within those of ``call_operation``, in all forms that models and frameworks
write: as text, twice, under another name, or beside the operation's name."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from openapi_mcp_server.bridge.arguments.check import check
from openapi_mcp_server.bridge.model import RESPONSE_FILTER, Tool
from openapi_mcp_server.errors import ArgumentError

_WRITTEN_AGAIN = 2
"""The most times that an object may be encoded as text."""
_WITHIN = 2
"""The most wrappers around an argument that are opened."""
_EMPTY = frozenset({b"", b"null", b"{}"})
_OF_CALL = frozenset({"name", "arguments", RESPONSE_FILTER})
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


def own_arguments(tool: Tool, asked: str, given: msgspec.Raw, beside: Mapping[str, msgspec.Raw]) -> bytes:
    """The arguments as one JSON object, if they can be read as one. ``asked`` is the operation's name as given.
    ``beside`` are members that are no arguments of ``call_operation``; they count if they are arguments of the
    operation, or if nothing else is given."""
    own = as_object(given)
    if own in _EMPTY:
        return _opened(tool, asked, msgspec.json.encode(beside)) if beside else b"{}"
    own = _opened(tool, asked, own)
    known = {name: each for name, each in beside.items() if name in tool.input.names}
    members = _members_of(own) if known else None
    return own if members is None else msgspec.json.encode(known | members)


def as_object(given: bytes) -> bytes:
    """Decodes an object that was written as text, also within a code block."""
    own = bytes(given).strip()
    for _ in range(_WRITTEN_AGAIN):
        if not own.startswith(b'"'):
            break
        try:
            own = _unfenced(msgspec.json.decode(own, type=str)).encode()
        except (msgspec.DecodeError, UnicodeError):  # half of a character
            break  # refused as every other that is no object
    return own


def _unfenced(said: str) -> str:
    said = said.strip()
    if not said.startswith("```"):
        return said
    return said.partition("\n")[2].removesuffix("```").strip()


def _opened(tool: Tool, asked: str, own: bytes) -> bytes:
    """The arguments without objects around them. Semantic Kernel gives the whole call to a parameter named
    ``arguments``. Models separate path, query and body; these are joined if the call would be refused otherwise."""
    members = _members_of(own)
    if members is None or all(name in tool.input.names for name in members if name != "name"):
        return own
    name = msgspec.json.encode(asked)
    is_call = members.keys() <= _OF_CALL and bytes(members.get("name", b"")) == name
    if is_call and "arguments" in members and "arguments" not in tool.input.names:
        return as_object(members["arguments"])
    plain = _plain(tool, name, members, _WITHIN)
    return own if plain is None or _is_taken(tool, own) else msgspec.json.encode(plain)


def _is_taken(tool: Tool, own: bytes) -> bool:
    """Whether the arguments fit as they are, since some bodies accept members of any name."""
    try:
        return not check(tool, msgspec.Raw(own)).coerced
    except ArgumentError:
        return False


def _plain(tool: Tool, asked: bytes, members: Mapping[str, msgspec.Raw], within: int) -> dict[str, msgspec.Raw] | None:
    """The arguments in an object and in its members that are no arguments; None if there is anything else."""
    found: dict[str, msgspec.Raw] = {}
    for name, each in members.items():
        if name in tool.input.names:
            inner: dict[str, msgspec.Raw] | None = {name: each}
        elif name == "name" and bytes(each) == asked:
            continue
        else:
            held = _members_of(as_object(each)) if within else None
            inner = None if held is None else _plain(tool, asked, held, within - 1)
        if inner is None or not found.keys().isdisjoint(inner):
            return None
        found |= inner
    return found


def _members_of(own: bytes) -> dict[str, msgspec.Raw] | None:
    if not own.startswith(b"{"):
        return None
    try:
        return _members.decode(own)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
