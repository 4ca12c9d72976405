"""Turns a compiled catalog into data and back, so that another process need not read the documents.

The data has only text, numbers and the bytes of schemas; functions that write requests are made from their recipes at
the first call. The bytes of lists and schemas follow the rest, which has the beginning and end of each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

import msgspec

from openapi_mcp_server.bridge.compiled.rows import BodyRow, CatalogRow, InputRow, OutputRow, SlotRow, Span, ToolRow
from openapi_mcp_server.bridge.media import exact_json
from openapi_mcp_server.bridge.model import (
    Access,
    BodyPlan,
    BodyRecipe,
    BodyWriter,
    CheckedSchema,
    Deferred,
    Encoded,
    Encoder,
    InputContract,
    OutputContract,
    Slot,
    Spelling,
    Subject,
    Tool,
    ToolCatalog,
)
from openapi_mcp_server.bridge.origins import Origin
from openapi_mcp_server.openapi.model import Parameter, Schema

_TYPES: Mapping[str, type] = {"object": dict, "array": list, "string": str}
_NAMES = {kind: name for name, kind in _TYPES.items()}


class Kept(NamedTuple):
    """A catalog as data: its description, and the bytes that this refers to, in pieces."""

    about: bytes
    pieces: Sequence[bytes | memoryview]


_decode = msgspec.json.Decoder(CatalogRow).decode


def encode(catalog: ToolCatalog) -> Kept:
    """The catalog as data. Raises ValueError or TypeError if it does not fit into JSON."""
    writing = _Writing(catalog.listed)
    tools = tuple([writing.tool(tool) for tool in catalog.tools.values()])
    about = CatalogRow(
        apis=catalog.apis,
        skipped=catalog.skipped,
        closed=catalog.closed,
        listed=None if catalog.listed is None else (0, len(catalog.listed)),
        origins=tuple(writing.origins),
        accesses=tuple(writing.accesses),
        slots=tuple(map(_kept_slot, writing.slots)),
        media=tuple([cast("Deferred[BodyRecipe, Any]", each).recipe.media for each in writing.writers]),
        checked=tuple(map(writing.added, writing.checked)),
        definitions=writing.definitions,
        tools=tools,
    )
    return Kept(msgspec.json.encode(about), writing.pieces)


def decode(about: bytes | memoryview, content: memoryview) -> ToolCatalog:
    """The catalog; its bytes are slices of ``content``. Raises ValueError for data that `encode` has not made."""
    try:
        kept = _decode(about)
        reading = _Reading(kept, content)
        tools = {tool.name: reading.tool(tool) for tool in kept.tools}
        listed = None if kept.listed is None else reading.cut(kept.listed)
    except (msgspec.MsgspecError, LookupError) as error:
        raise ValueError(f"is not what this version writes: {error}") from error
    return ToolCatalog(apis=kept.apis, tools=tools, skipped=kept.skipped, listed=listed, closed=kept.closed)


class _Writing:
    """The shared values of tools, by index, and the bytes so far."""

    def __init__(self, listed: memoryview | None) -> None:
        self.origins: dict[Origin, int] = {}
        self.accesses: dict[Access, int] = {}
        self.slots: dict[Slot, int] = {}
        self.writers: dict[BodyWriter, int] = {}
        self.checked: dict[Encoded, int] = {}
        self.definitions: dict[str, dict[str, Schema]] = {}
        self.pieces: list[bytes | memoryview] = [] if listed is None else [listed]
        self._size = 0 if listed is None else len(listed)
        self._entries = None if listed is None else 0  # the offset of the next one

    def tool(self, tool: Tool) -> ToolRow:
        entry = bytes(tool.entry)
        at = self._entry(entry)
        return ToolRow(
            name=tool.name,
            api=tool.api,
            method=tool.method,
            pointer=tool.pointer,
            template=tool.template,
            origin=_place(self.origins, tool.origin),
            path=tool.path,
            fixed_query=tool.fixed_query,
            slots=tuple([_place(self.slots, slot) for slot in tool.slots]),
            body=None if tool.body is None else self._body(tool.body, tool.api),
            accept=tool.accept,
            access=_place(self.accesses, tool.access),
            entry=at,
            input=self._input(tool.input, entry, at),
            output=self._output(tool.output, entry, at),
            answers=self._output(tool.answers, entry, at),
            paging=tool.paging,
            digest=tool.digest,
            filterable=tool.filterable,
            headers=dict(tool.headers),
            title=tool.title,
            summary=tool.summary,
            deprecated=tool.deprecated,
            seen_bytes=tool.seen_bytes,
            fixed=msgspec.Raw(exact_json.encode(tool.fixed)),
            withheld=tool.withheld,
            operation_id=tool.subject.operation_id,
            tags=tool.subject.tags,
            scopes=tool.subject.scopes,
            written=tool.subject.written,
        )

    def _input(self, contract: InputContract, entry: bytes, at: Span) -> InputRow:
        checked = contract.checked
        return InputRow(
            head=self._within(bytes(checked.head), entry, at),
            definitions=tuple([_place(self.checked, each) for each in checked.definitions]),
            tail=checked.tail.decode(),
            names=contract.names,
            required=contract.required,
            spelling=_kept_spelling(contract.spelling),
            is_shortened=contract.is_shortened,
        )

    def _output(self, contract: OutputContract | None, entry: bytes, at: Span) -> OutputRow | None:
        if contract is None:
            return None
        return OutputRow(self._within(bytes(contract.schema), entry, at), contract.wrapped)

    def _body(self, plan: BodyPlan, api: str) -> BodyRow:
        writers = {name: _place(self.writers, writer) for name, writer in plan.writers.items()}
        by_type = {_NAMES[kind]: _place(self.writers, writer) for kind, writer in plan.by_type.items()}
        for writer in (*plan.writers.values(), *plan.by_type.values()):
            recipe = cast("Deferred[BodyRecipe, Any]", writer).recipe
            if recipe.definitions and api not in self.definitions:  # shared by all of an API
                self.definitions[api] = dict(recipe.definitions)
        return BodyRow(
            required=plan.required,
            whole=plan.whole,
            properties=dict(plan.properties),
            writers=writers,
            by_type=by_type,
            chooser=plan.chooser,
            needed=plan.needed,
            open=plan.open,
        )

    def _entry(self, entry: bytes) -> Span:
        if self._entries is None:
            return self.added(entry)
        start, end = self._entries, self._entries + len(entry)
        self._entries = end + 1  # a comma
        return start, end

    def added(self, piece: Encoded) -> Span:
        start = self._size
        self._size += len(piece)
        self.pieces.append(piece)
        return start, self._size

    def _within(self, part: bytes, entry: bytes, at: Span) -> Span:
        """The span of a part of an entry; a new one if it is no part of it."""
        found = entry.find(part)
        return self.added(part) if found < 0 else (at[0] + found, at[0] + found + len(part))


def _place(places: dict[Any, int], value: object) -> int:
    return places.setdefault(value, len(places))


def _kept_slot(slot: Slot) -> SlotRow:
    return SlotRow(
        argument=slot.argument,
        name=slot.name,
        location=slot.location,
        required=slot.required,
        spans_segments=slot.spans_segments,
        recipe=cast("Deferred[Parameter, str]", slot.encode).recipe,
    )


class _Reading:
    def __init__(self, kept: CatalogRow, content: memoryview) -> None:
        self._kept = kept
        self._content = content
        self._slots = [_slot(each) for each in kept.slots]
        self._writers: dict[int, BodyWriter] = {}
        self._checked = [self.cut(span) for span in kept.checked]

    def tool(self, kept: ToolRow) -> Tool:
        return Tool(
            name=kept.name,
            api=kept.api,
            method=kept.method,
            pointer=kept.pointer,
            template=kept.template,
            origin=self._kept.origins[kept.origin],
            path=kept.path,
            fixed_query=kept.fixed_query,
            slots=tuple([self._slots[place] for place in kept.slots]),
            body=None if kept.body is None else self._body(kept.body, kept.api),
            accept=kept.accept,
            access=self._kept.accesses[kept.access],
            input=self._input(kept.input),
            output=self._output(kept.output),
            answers=self._output(kept.answers),
            paging=kept.paging,
            entry=self._raw(kept.entry),
            digest=kept.digest,
            filterable=kept.filterable,
            headers=kept.headers,
            title=kept.title,
            summary=kept.summary,
            deprecated=kept.deprecated,
            seen_bytes=kept.seen_bytes,
            fixed=_fixed(kept.fixed),
            withheld=kept.withheld,
            subject=Subject(
                api=kept.api,
                method=kept.method,
                path=kept.template,
                operation_id=kept.operation_id,
                tags=kept.tags,
                scopes=kept.scopes,
                written=kept.written,
            ),
        )

    def _input(self, kept: InputRow) -> InputContract:
        definitions = tuple([self._checked[place] for place in kept.definitions])
        return InputContract(
            checked=CheckedSchema(self.cut(kept.head), definitions, kept.tail.encode()),
            names=kept.names,
            required=kept.required,
            spelling=_spelling(kept.spelling),
            is_shortened=kept.is_shortened,
        )

    def _output(self, kept: OutputRow | None) -> OutputContract | None:
        return None if kept is None else OutputContract(schema=self._raw(kept.schema), wrapped=kept.wrapped)

    def _body(self, kept: BodyRow, api: str) -> BodyPlan:
        definitions = self._kept.definitions.get(api, {})
        for place in {*kept.writers.values(), *kept.by_type.values()} - self._writers.keys():
            self._writers[place] = Deferred(_writer, BodyRecipe(self._kept.media[place], definitions))
        return BodyPlan(
            required=kept.required,
            whole=kept.whole,
            properties=kept.properties,
            writers={name: self._writers[place] for name, place in kept.writers.items()},
            by_type={_TYPES[name]: self._writers[place] for name, place in kept.by_type.items()},
            chooser=kept.chooser,
            needed=kept.needed,
            open=kept.open,
        )

    def _raw(self, span: Span) -> msgspec.Raw:
        return msgspec.Raw(self.cut(span))

    def cut(self, span: Span) -> memoryview:
        start, end = span
        if not 0 <= start <= end <= len(self._content):
            raise IndexError("bytes that are not there")
        return self._content[start:end]


def _slot(kept: SlotRow) -> Slot:
    return Slot(
        argument=kept.argument,
        name=kept.name,
        location=kept.location,
        required=kept.required,
        encode=Deferred(_encoder, kept.recipe),
        spans_segments=kept.spans_segments,
    )


def _kept_spelling(spelling: Spelling | None) -> tuple[dict[str, str], msgspec.Raw] | None:
    return None if spelling is None else (dict(spelling.names), msgspec.Raw(msgspec.json.encode(spelling.texts)))


def _spelling(kept: tuple[dict[str, str], msgspec.Raw] | None) -> Spelling | None:
    return None if kept is None else Spelling(names=kept[0], texts=msgspec.json.decode(kept[1]))


def _fixed(encoded: msgspec.Raw) -> Mapping[str, Any]:
    return exact_json.decode(bytes(encoded)) if bytes(encoded) != b"{}" else {}


def _encoder(recipe: Parameter) -> Encoder:
    from openapi_mcp_server.bridge.parameters import encoders  # noqa: PLC0415 - at the first call

    return encoders.encoder(recipe)


def _writer(recipe: BodyRecipe) -> BodyWriter:
    from openapi_mcp_server.bridge.bodies import writers  # noqa: PLC0415 - at the first call

    return writers.made(recipe)
