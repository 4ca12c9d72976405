"""A tool's inputSchema: all arguments, followed by their definitions, within a budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import product

import msgspec

from openapi_mcp_server.bridge import text
from openapi_mcp_server.bridge.model import CheckedSchema
from openapi_mcp_server.bridge.schemas import unseen
from openapi_mcp_server.bridge.schemas.definitions import Definitions, Edited
from openapi_mcp_server.bridge.schemas.edits import (
    WHOLE,
    Detail,
    bare_argument,
    decode,
    encode,
    reduced,
    shallow,
    with_words,
)
from openapi_mcp_server.bridge.schemas.told import Telling, ended
from openapi_mcp_server.openapi.model import Schema

_TOLD = {Detail.FULL: "", Detail.NO_EXAMPLES: "examples", Detail.SHORT: "examples and long descriptions"}
_EXAMPLES = 2
_EXAMPLE_BYTES = 56
"""The most bytes of one example. With these limits, the lists of 132 published documents become as much longer by
examples as they become shorter without ``additionalProperties`` at each root."""
_SAYING_VALUES = frozenset({"examples", "const"})
_NUMBER_STARTS = tuple(bytes([each]) for each in b"-0123456789")
CLOSED = b',"additionalProperties":false}'
"""The end of every schema for the check of arguments; undeclared arguments are handled separately. Lists do not have
it, since some model APIs refuse every tool with it at the root."""
_UNLIMITED = 1 << 40
_ARGUMENTS_TOLD = 1_024
"""The number of listed arguments that are remembered, since neighbouring operations share them. Microsoft Graph has
130,000, most of them used once."""
_DEPTHS = (5, 4, 3, 2, 1, 0)
"""Levels of an argument's own schema that are kept if the whole is too large, tried in this order."""
_SHARES = (10, 9, 5, 2)
"""Definitions get so many tenths of their room before their cycles are ended, tried in this order: an open object takes
more than the reference in its place."""


class Argument(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One property of the input schema; ``refs`` are the definitions that ``schema`` refers to."""

    name: str
    schema: bytes
    refs: tuple[str, ...]
    required: bool


class Pieces(CheckedSchema):
    """An encoded schema of arguments for lists: properties and definitions, each with its name, and the names of
    required ones. The root has the type object, since MCP requires ``type``."""

    __slots__ = ("properties", "required")
    head: bytes
    definitions: tuple[bytes, ...]

    def __init__(
        self, properties: Sequence[bytes], required: bytes, definitions: tuple[bytes, ...] = (), head: bytes = b""
    ) -> None:
        """``head``: all before the definitions, if it is put together already."""
        super().__init__(head or _head(properties, required), definitions, b"}")
        self.properties = properties
        self.required = required

    def leading_to(self, members: Mapping[str, bytes]) -> Pieces:
        """The same with definitions."""
        return Pieces(self.properties, self.required, tuple(members.values()), self.head)

    def room(self, limit: int) -> int:
        """The bytes that are left for definitions."""
        return limit - len(self) - len(b',"$defs":{}')


class InputSchema(msgspec.Struct, frozen=True, gc=False):
    """The listed schema (``told``), and the one for the check of arguments, which is closed and has parts that not
    every client understands. ``left_out`` says in words what did not fit; empty if everything did."""

    told: Pieces
    checked: CheckedSchema
    left_out: str


class SchemaSource(msgspec.Struct, frozen=True):
    """The definitions of arguments, in exact and in listed form; most are equal in both. ``graph`` knows which of them
    are in cycles."""

    graph: Definitions
    exact: Definitions
    told: Definitions
    telling: Telling
    tell: Callable[[bytes], bytes]
    reduce: Callable[[bytes, Detail], bytes]
    is_changed: Callable[[str], bool]


def source(schemas: Mapping[str, Schema], graph: Definitions) -> SchemaSource:
    """The source of definitions; ``graph`` has the same definitions, or those that they were made from."""
    telling = Telling(schemas)
    tell = lru_cache(_ARGUMENTS_TOLD)(telling.told)
    edited = Edited(schemas, tell)
    reduce = lru_cache(_ARGUMENTS_TOLD)(reduced)
    return SchemaSource(graph, Definitions(schemas), Definitions(edited), telling, tell, reduce, edited.is_changed)


def described(schema: bytes, prose: str, *, deprecated: bool = False) -> bytes:
    """An encoded schema with our description instead of its own, and with ``deprecated``."""
    extra = (b'"description":' + encode(prose) if prose else b"") + (b',"deprecated":true' if deprecated else b"")
    if not extra:
        return schema
    if schema in {b"true", b"{}"}:
        return b"{" + extra.lstrip(b",") + b"}"
    if schema.startswith(b"{") and b'"description"' not in schema and b'"deprecated"' not in schema:
        return b"{" + extra.lstrip(b",") + b"," + schema[1:]
    decoded = decode(schema)
    if isinstance(decoded, bool):  # false: it can have no description
        return schema
    own = {"description": prose} if prose else {}
    return encode(decoded | own | ({"deprecated": True} if deprecated else {}))


def exemplified(schema: bytes, examples: Sequence[bytes | msgspec.Raw]) -> bytes:
    """An encoded schema with the examples beside it, unless it has its own or lists its values.

    Beside a reference an example is written in words, since clients accept little else there.
    """
    small = [msgspec.Raw(bytes(each)) for each in examples if _is_shown(bytes(each))][:_EXAMPLES]
    if not small:
        return schema
    decoded = decode(schema)
    if isinstance(decoded, bool) or not _SAYING_VALUES.isdisjoint(decoded):
        return schema
    if decoded.get("type") == "string":
        small = [_as_text(each) for each in small]
    if "$ref" not in decoded:
        return encode(decoded | {"examples": small})
    return encode(with_words(decoded, f"Example: {text.line(bytes(small[0]).decode(), _EXAMPLE_BYTES)}"))


def _as_text(example: msgspec.Raw) -> msgspec.Raw:
    """An example as text, also if it is a number: an unquoted version is a number in YAML."""
    spelt = bytes(example)
    return msgspec.Raw(b'"' + spelt + b'"') if spelt[:1] in _NUMBER_STARTS else example


def _is_shown(example: bytes) -> bool:
    if len(example) > _EXAMPLE_BYTES:
        return False
    return (example.isascii() and b"\\u" not in example) or not unseen.hides(decode(example))


def build(arguments: Sequence[Argument], definitions: SchemaSource, limit: int) -> InputSchema:
    """The schema of an object with exactly these arguments, in at most ``limit`` bytes if their names fit at all.

    Over the limit, these are left out in this order: examples, long descriptions, the deepest parts.
    """
    required = encode([argument.name for argument in arguments if argument.required])
    listed = [_told(each, definitions.tell) for each in arguments]
    refs = definitions.told.refs_in(b"".join([argument.schema for argument in listed]))
    before: tuple[Sequence[bytes], Mapping[str, bytes]] | None = None
    for detail in WHOLE:
        alone = Pieces(_properties(listed, detail, definitions), required)
        members = definitions.told.reached(refs, alone.room(limit), detail)
        if members is None or (alone.properties, members) == before:  # nothing was left out
            continue
        before = alone.properties, members
        ending = _ending(members, refs, definitions, alone.room(limit))
        if ending is None:
            continue
        whole = alone.leading_to(ending)
        if len(whole) <= limit:
            is_exact = ending is members and listed == [*arguments] and not any(map(definitions.is_changed, members))
            checked = _checked(alone, members) if is_exact else _exact(arguments, required, definitions, detail)
            return InputSchema(whole, checked, _TOLD[detail])
    return _pruned(listed, required, definitions, limit)


def _told(argument: Argument, tell: Callable[[bytes], bytes]) -> Argument:
    told = tell(argument.schema)
    return argument if told is argument.schema else msgspec.structs.replace(argument, schema=told)


def _ending(
    members: Mapping[str, bytes], refs: Sequence[str], definitions: SchemaSource, room: int
) -> Mapping[str, bytes] | None:
    """The definitions without cycles, since some clients lose the whole list of tools by one cycle. None if they become
    too large."""
    return ended(members, refs, definitions.told, room) if definitions.graph.is_endless(members) else members


def _exact(arguments: Sequence[Argument], required: bytes, definitions: SchemaSource, detail: Detail) -> CheckedSchema:
    """The exact schema for the check, with cycles."""
    refs = [ref for argument in arguments for ref in argument.refs]
    members = definitions.exact.reached(refs, _UNLIMITED, detail) or {}
    return _checked(Pieces(_properties(arguments, detail, definitions), required), members)


def _pruned(arguments: Sequence[Argument], required: bytes, definitions: SchemaSource, limit: int) -> InputSchema:
    """The outer levels that fit; in the last resort only the type of each argument."""
    decoded = {argument.name: decode(definitions.reduce(argument.schema, Detail.LOOSE)) for argument in arguments}
    levels = (
        tuple([_property(name, encode(shallow(schema, depth))) for name, schema in decoded.items()])
        for depth in _DEPTHS
    )
    cuts = [Pieces(properties, required) for properties in dict.fromkeys(levels)]  # most have less than six levels
    for share, alone in product(_SHARES, cuts):
        refs = definitions.told.refs_in(b"".join(alone.properties))
        room = alone.room(limit)
        members = _ending(definitions.told.nearest(refs, room * share // 10), refs, definitions, room)
        if members is None:
            continue
        pruned = alone.leading_to(members)
        if len(pruned) <= limit:
            checked = _checked(alone, members)
            return InputSchema(pruned, checked, "examples, long descriptions and the deepest parts")
    barest = Pieces([_property(name, encode(bare_argument(schema))) for name, schema in decoded.items()], required)
    return InputSchema(barest, _checked(barest, {}), "everything but the arguments' types")


def _properties(arguments: Sequence[Argument], detail: Detail, definitions: SchemaSource) -> list[bytes]:
    if detail is Detail.FULL:  # the usual case, which is not remembered
        return [_property(argument.name, argument.schema) for argument in arguments]
    return [_property(argument.name, definitions.reduce(argument.schema, detail)) for argument in arguments]


def _property(name: str, schema: bytes) -> bytes:
    return encode(name) + b":" + schema


def _checked(told: Pieces, members: Mapping[str, bytes]) -> CheckedSchema:
    return CheckedSchema(told.head, tuple(members.values()), CLOSED)


def _head(properties: Sequence[bytes], required: bytes) -> bytes:
    """The text before the definitions."""
    head = b'{"type":"object","properties":{%b}' % b",".join(properties)
    return head if required == b"[]" else b'%b,"required":%b' % (head, required)
