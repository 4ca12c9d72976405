"""A tool's inputSchema: the arguments beside each other, what they refer to below them, within a budget."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from openapi_mcp_server.bridge.schemas.definitions import Definitions
from openapi_mcp_server.bridge.schemas.edits import WHOLE, Detail, bare, decode, encode, reduced, shallow

_TOLD = {Detail.FULL: "", Detail.NO_EXAMPLES: "examples", Detail.SHORT: "examples and long descriptions"}
_DEPTHS = (5, 4, 3, 2, 1, 0)
"""Levels of an argument's own schema that are kept when the whole is too large, tried in this order."""


class Argument(msgspec.Struct, frozen=True, kw_only=True):
    """One property of the input schema; ``refs`` are the definitions that ``schema`` refers to."""

    name: str
    schema: bytes
    refs: tuple[str, ...]
    required: bool


class InputSchema(msgspec.Struct, frozen=True):
    """``left_out`` says in words what did not fit; empty where everything did."""

    json: bytes
    left_out: str


def described(schema: bytes, prose: str, *, deprecated: bool = False) -> bytes:
    """An encoded schema with a description of ours in place of its own, and ``deprecated`` beside it."""
    extra = (b'"description":' + encode(prose) if prose else b"") + (b',"deprecated":true' if deprecated else b"")
    if not extra:
        return schema
    if schema in {b"true", b"{}"}:
        return b"{" + extra.lstrip(b",") + b"}"
    if schema.startswith(b"{") and b'"description"' not in schema and b'"deprecated"' not in schema:
        return b"{" + extra.lstrip(b",") + b"," + schema[1:]
    decoded = decode(schema)
    if isinstance(decoded, bool):  # false: nothing can be said to it
        return schema
    own = {"description": prose} if prose else {}
    return encode(decoded | own | ({"deprecated": True} if deprecated else {}))


def build(arguments: Sequence[Argument], definitions: Definitions, limit: int) -> InputSchema:
    """The schema of an object with exactly these arguments, in at most ``limit`` bytes if their names fit at all.

    Over the limit go, in this order: examples, long descriptions, then whatever is deepest.
    """
    required = encode([argument.name for argument in arguments if argument.required])
    refs = [ref for argument in arguments for ref in argument.refs]
    for detail in WHOLE:
        properties = [_property(argument.name, reduced(argument.schema, detail)) for argument in arguments]
        members = definitions.reached(refs, _room(properties, required, limit), detail)
        if members is not None and len(whole := _joined(properties, required, members)) <= limit:
            return InputSchema(whole, _TOLD[detail])
    return _pruned(arguments, required, definitions, limit)


def _pruned(arguments: Sequence[Argument], required: bytes, definitions: Definitions, limit: int) -> InputSchema:
    """The nearest levels that fit; at the last resort every argument is its type and no more."""
    decoded = {argument.name: decode(reduced(argument.schema, Detail.LOOSE)) for argument in arguments}
    for depth in _DEPTHS:
        properties = [_property(name, encode(shallow(schema, depth))) for name, schema in decoded.items()]
        refs = definitions.refs_in(b"".join(properties))
        members = definitions.nearest(refs, _room(properties, required, limit))
        pruned = _joined(properties, required, members)
        if len(pruned) <= limit:
            return InputSchema(pruned, "examples, long descriptions and the deepest parts")
    properties = [_property(name, encode(bare(schema))) for name, schema in decoded.items()]
    return InputSchema(_joined(properties, required, ()), "everything but the arguments' types")


def _room(properties: Sequence[bytes], required: bytes, limit: int) -> int:
    """Bytes that are left for definitions."""
    return limit - len(_joined(properties, required, ())) - len(b',"$defs":{}')


def _property(name: str, schema: bytes) -> bytes:
    return encode(name) + b":" + schema


def _joined(properties: Sequence[bytes], required: bytes, members: Sequence[bytes]) -> bytes:
    """The root is an object and says so: MCP requires ``type``, and arguments that are not named are refused."""
    parts = [b'{"type":"object","properties":{', b",".join(properties), b"}"]
    if required != b"[]":
        parts += [b',"required":', required]
    parts.append(b',"additionalProperties":false')
    if members:
        parts += [b',"$defs":{', b",".join(members), b"}"]
    parts.append(b"}")
    return b"".join(parts)
