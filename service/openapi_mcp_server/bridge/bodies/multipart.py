"""multipart/form-data (RFC 7578) and every other multipart type: a JSON value as parts.

An object's properties are parts with names. Only forms define names; other types use the form's header for them
(OpenAPI 3.2, Encoding By Name). A list's items are parts without names, in order (Encoding By Position). Values are
written by these rules (OpenAPI 3.1.1 and 3.2, Encoding Object):

* a property is described by ``properties``, also of alternatives, else by ``additionalProperties``.
* a list as a property: one part for each item, all with the property's name; so several files are one list.
* a file: its bytes with a Content-Type and, as a property, a file name; given as base64 text or a ``data:`` URI.
* an object: JSON, or what ``contentType`` says, which may be multipart in turn. So is a list within a list.
* text, numbers, booleans: plain text, in a form without a Content-Type; null: an empty part, but no file.
* in a form with ``style`` or ``explode``: the pairs of that style, unescaped (appendix C).

Header values of a part come from the document alone (``const``, one ``enum`` value, ``default``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from openapi_mcp_server.bridge.bodies import files, forms
from openapi_mcp_server.bridge.bodies.parts import DISPOSITION, FORM_DATA, Headers, Part, encode
from openapi_mcp_server.bridge.media.table import is_binary
from openapi_mcp_server.bridge.media.types import is_media_type
from openapi_mcp_server.bridge.model import BodyWriter
from openapi_mcp_server.bridge.parameters import styles
from openapi_mcp_server.bridge.parameters.encoders import unsettable
from openapi_mcp_server.bridge.schemas.shapes import (
    Outline,
    alternatives,
    are_files,
    is_base64,
    is_base64url,
    is_open,
    part_of,
    schema_from,
    without_parts,
)
from openapi_mcp_server.errors import ArgumentError, SpecError
from openapi_mcp_server.grammar import essence, is_field_value
from openapi_mcp_server.openapi.model import Encoding, MediaType, Parameter, Schema

WriterOf = Callable[[MediaType, str], BodyWriter]
"""Makes the writer of a part with a content type of its own, as a body of that type; the text names an XML root."""
PartWriter = Callable[[Any], Part | None]
Field = Callable[[Any], Iterable[Part]]
"""Turns a property's value into its parts, one after the other; raises ArgumentError."""

_BY_DEFAULT = Encoding()
_OTHERS = "additionalProperties"
_CHOICES = frozenset({"anyOf", "oneOf"})
_ITEM = "item"
"""The XML root of a part without a name."""


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """A multipart body as its document describes it; ``outline`` is the outermost level of its schema.

    ``name`` is the type that is sent, which differs from ``media.name`` if the document has a range.
    """

    media: MediaType
    name: str
    outline: Outline
    definitions: Mapping[str, Schema]

    @property
    def is_form(self) -> bool:
        return essence(self.name) == FORM_DATA

    @property
    def has_positions(self) -> bool:
        """Whether it can be a list. In a form the document must say so, since its parts have names."""
        return not self.is_form or bool(self.media.prefix_encoding or self.media.item_encoding)


class _Value(msgspec.Struct, frozen=True, kw_only=True):
    """A part as the document describes it: ``shapes`` are the schemas of its alternatives, ``schema`` is the first.

    Neither is set if only the Encoding Object describes it. ``content_type`` may be empty or a range. ``name`` is None
    for a part by position; ``text_type`` is the Content-Type of plain text.
    """

    name: str | None = None
    encoding: Encoding = _BY_DEFAULT
    shapes: tuple[Outline, ...] = ()
    schema: Schema | None = None
    content_type: str = ""
    headers: Headers = ()
    text_type: str | None = None

    @property
    def is_file(self) -> bool:
        """Whether it is a file by its schema. If the schema is silent, it is a file unless the content type is not one
        of bytes."""
        if is_binary(self.content_type):
            return True
        says_nothing = all(map(is_open, self.shapes)) and self.content_type != "" and "*" not in self.content_type
        return are_files(self.shapes) and not says_nothing

    @property
    def says_bytes(self) -> bool:
        """Whether its schema says explicitly that it is a file."""
        return are_files(self.shapes) and not all(map(is_open, self.shapes))

    def part(self, data: bytes, content_type: str | None, filename: str | None = None) -> Part:
        return Part(name=self.name, data=data, content_type=content_type, filename=filename, headers=self.headers)


def described(media: MediaType, name: str, outline: Outline, definitions: Mapping[str, Schema]) -> Described:
    """The body with the properties of all its alternatives."""
    if not _CHOICES.isdisjoint(outline):
        outline = {**outline, **_of_all([outline, *alternatives(outline, definitions)])}
    return Described(media=media, name=name, outline=outline, definitions=definitions)


def _of_all(levels: Sequence[Outline]) -> dict[str, Any]:
    """The properties of one object that is described by several schemas."""
    found: dict[str, dict[bytes, Any]] = {}  # by name and text, so that equal ones are one
    for name, schema in (pair for level in levels for pair in level.get("properties", {}).items()):
        found.setdefault(name, {})[msgspec.json.encode(schema)] = schema
    others = [level[_OTHERS] for level in levels if isinstance(level.get(_OTHERS), dict)]
    return {
        "properties": {name: _one_of([*known.values()]) for name, known in found.items()},
        _OTHERS: others[0] if others else True,
    }


def _one_of(schemas: list[Any]) -> Any:  # noqa: ANN401 - a schema
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def writer(body: Described, writer_of: WriterOf) -> BodyWriter:
    """The writer of a body from an object or a list. Raises SpecError."""
    names = () if body.media.is_stream else (*body.outline.get("properties", ()), *body.media.encoding)
    fields = {name: _field(body, name, writer_of) for name in names}
    other = _other(body)
    first, rest = _positions(body) if body.has_positions else ([], _Value())
    placed = [_part_writer(body, value, writer_of) for value in (*first, rest)]

    def write(value: object) -> tuple[str, bytes]:
        if isinstance(value, dict):
            return encode(body.name, _named(value, fields, lambda name: _part_writer(body, other(name), writer_of)))
        if isinstance(value, list) and body.has_positions:
            return encode(body.name, (_at(index, item, placed) for index, item in enumerate(value)))
        raise ArgumentError("must be an object" if body.is_form else "must be an object or a list")

    return write


def file_names(body: Described) -> frozenset[str]:
    """The properties whose strings are files, so that their descriptions can explain the notation."""
    if body.media.is_stream:
        return frozenset()
    return frozenset(
        name
        for name in body.outline.get("properties", ())
        if not _is_styled(body, name) and _property(body, name).is_file
    )


def has_files(body: Described) -> bool:
    """Whether any of its values is a file."""
    first, rest = _positions(body) if body.has_positions else ([], _Value())
    return bool(file_names(body)) or any(value.is_file for value in (*first, rest, _other(body)("")))


def _named(value: Mapping[str, Any], fields: Mapping[str, Field], other: Callable[[str], PartWriter]) -> Iterator[Part]:
    """The parts of an object in the order of the document, which multipart/related and some readers of forms
    require."""
    known = [name for name in fields if name in value]
    for name in (*known, *(name for name in value if name not in fields)):
        try:
            write = fields.get(name) or partial(_each, part=other(name))
            yield from write(value[name])
        except ArgumentError as error:
            raise ArgumentError(f"property {name[: styles.EXCERPT]!r}: {error}") from error


def _at(index: int, value: object, placed: Sequence[PartWriter]) -> Part:
    """The part at a position; the last of ``placed`` is for all further positions."""
    try:
        part = placed[min(index, len(placed) - 1)](value)
    except ArgumentError as error:
        raise ArgumentError(f"item {index}: {error}") from error
    if part is None:
        raise ArgumentError(f"item {index}: must not be null, or the parts after it would move")
    return part


def _field(body: Described, name: str, writer_of: WriterOf) -> Field:
    if _is_styled(body, name):
        encoding = _encoding(body, name)
        pairs, headers = forms.style_of(body.media, name, encoding, "part"), _headers(encoding)
        return lambda value: (Part(name=key, data=text.encode(), headers=headers) for key, text in pairs(value))
    part = _part_writer(body, _property(body, name), writer_of)
    return lambda value: _each(value, part)


def _encoding(body: Described, name: str) -> Encoding:
    return body.media.encoding.get(name, _BY_DEFAULT)


def _is_styled(body: Described, name: str) -> bool:
    """Whether a property has a style. Only forms have styles (Encoding Object, ``style``), and files have none,
    although ASP.NET's documents give every property of a form the style ``form``."""
    return body.is_form and forms.is_styled(_encoding(body, name)) and not _property(body, name).says_bytes


def _property(body: Described, name: str) -> _Value:
    """A property, or one item if it is a list."""
    properties = body.outline.get("properties", {})
    of = _value(body, _encoding(body, name), name)
    return _as_described(body, of, properties, name) if name in properties else of


def _other(body: Described) -> Callable[[str], _Value]:
    """The properties that the schema does not name: text, unless the schema describes them."""
    of = _Value(text_type=_text_type(body))
    if not is_open(part_of(body.outline, _OTHERS, body.definitions)):
        of = _as_described(body, of, body.outline, _OTHERS)
    return lambda name: msgspec.structs.replace(of, name=name)


def _as_described(body: Described, of: _Value, outline: Outline, keyword: str) -> _Value:
    described = part_of(outline, keyword, body.definitions)
    shapes = tuple(
        without_parts(part_of(schema, "items", body.definitions) if "items" in schema else schema)
        for schema in alternatives(described, body.definitions)
    )
    schema = schema_from(described.get("items", outline[keyword]), _refs(body))
    return msgspec.structs.replace(of, shapes=shapes, schema=schema)


def _positions(body: Described) -> tuple[list[_Value], _Value]:
    """The first items one by one, and all others (``prefixItems`` and ``items``, or ``itemSchema``)."""
    media = body.media
    first = [] if media.is_stream else body.outline.get("prefixItems", [])
    rest = msgspec.json.decode(media.schema.json) if media.is_stream and media.schema else body.outline.get("items")
    count = max(len(first), len(media.prefix_encoding))
    schemas = [*first, *[rest] * (count - len(first))]
    last = media.item_encoding or _BY_DEFAULT
    encodings = [*media.prefix_encoding, *[last] * (count - len(media.prefix_encoding))]
    return [_item(body, *each) for each in zip(schemas, encodings, strict=True)], _item(body, rest, last)


def _item(body: Described, schema: object, encoding: Encoding) -> _Value:
    of = _value(body, encoding, None)
    if body.is_form and not any(name.lower() == DISPOSITION for name, _ in of.headers):
        problem = "the parts of a form need names: Content-Disposition, in the headers of their Encoding Objects"
        raise SpecError(body.media.pointer, problem)
    if not isinstance(schema, dict):
        return of
    shapes = tuple(alternatives(part_of({_ITEM: schema}, _ITEM, body.definitions), body.definitions))
    return msgspec.structs.replace(of, shapes=shapes, schema=schema_from(schema, _refs(body)))


def _value(body: Described, encoding: Encoding, name: str | None) -> _Value:
    content_type = (encoding.content_type or "").partition(",")[0].strip()  # a data: URI chooses another
    if content_type and not is_media_type(content_type):
        called = "a part" if name is None else repr(name)
        raise SpecError(body.media.pointer, f"the content type {content_type!r} of {called} is no media type")
    headers = _headers(encoding, sets_disposition=name is None)
    return _Value(name=name, encoding=encoding, content_type=content_type, headers=headers, text_type=_text_type(body))


def _text_type(body: Described) -> str | None:
    """The Content-Type of plain text; None in a form, where a part without one is text/plain (RFC 7578 section 4.4)."""
    return None if body.is_form else "text/plain"


def _refs(body: Described) -> tuple[str, ...]:
    return () if body.media.schema is None else body.media.schema.refs


def _part_writer(body: Described, of: _Value, writer_of: WriterOf) -> PartWriter:
    """The writer of a part, chosen by the content type of the Encoding Object, else by the schema (the table of the
    Encoding Object)."""
    if of.is_file:
        return _file(of)
    if any(map(is_base64, of.shapes)):
        return _base64(of)
    if not of.content_type:
        return _plain(of)
    part = MediaType(
        pointer=body.media.pointer,
        name=of.content_type,
        schema=of.schema,
        encoding=of.encoding.encoding,
        prefix_encoding=of.encoding.prefix_encoding,
        item_encoding=of.encoding.item_encoding,
    )
    return _typed(of, writer_of(part, of.name or _ITEM))


def _each(value: object, part: PartWriter) -> Iterator[Part]:
    """Several values become several parts of the same name (RFC 7578 section 4.3)."""
    parts = map(part, value if isinstance(value, list) else (value,))
    return (written for written in parts if written is not None)


def _plain(of: _Value) -> PartWriter:
    """The writer of text; objects and lists become JSON."""

    def part(value: object) -> Part:
        text = "" if value is None else styles.spell(value)
        content_type = "application/json" if isinstance(value, dict | list) else of.text_type
        if content_type == "text/plain" and not text.isascii():  # else it were US-ASCII (RFC 2046 section 4.1.2)
            content_type = "text/plain; charset=utf-8"
        return of.part(text.encode(), content_type)

    return part


def _typed(of: _Value, write: BodyWriter) -> PartWriter:
    def part(value: object) -> Part:
        content_type, data = write(value)
        return of.part(data, content_type)

    return part


def _file(of: _Value) -> PartWriter:
    """The writer of a file. Its type is that of the data: URI, else the Encoding Object's, else that of unknown bytes.
    It is never the schema's ``contentMediaType``, which the Encoding Object's defaults override (3.1.1). A name makes
    it a file.

    If the document does not describe the property, only text can be a file's bytes.
    """
    documented = "" if "*" in of.content_type else of.content_type
    may_be_data = not of.content_type and bool(of.shapes) and all(map(is_open, of.shapes))
    plain = _plain(of)

    def part(value: object) -> Part | None:
        if value is None:
            return None
        if may_be_data and not isinstance(value, str):
            return plain(value)
        file = files.read(value)
        content_type = file.media_type or documented or "application/octet-stream"
        return of.part(file.data, content_type, file.name or of.name)

    return part


def _base64(of: _Value) -> PartWriter:
    """The writer of base64, which stays base64; ``contentEncoding`` becomes "Content-Transfer-Encoding" (OpenAPI
    3.1)."""
    content_type = of.content_type or "application/octet-stream"
    is_said = any(shape.get("contentEncoding") == "base64" for shape in of.shapes)
    headers = (*of.headers, ("Content-Transfer-Encoding", "base64")) if is_said else of.headers
    url_safe = any(map(is_base64url, of.shapes))

    def part(value: object) -> Part | None:
        if value is None:
            return None
        data = files.base64_text(value, url_safe=url_safe).encode()
        return Part(name=of.name, data=data, content_type=content_type, headers=headers)

    return part


def _headers(encoding: Encoding, *, sets_disposition: bool = False) -> Headers:
    """The headers whose schema has exactly one value.

    Content-Type is ignored (Encoding Object), and no part is sent in a content coding.
    """
    own = {"content-type", "content-encoding", *(() if sets_disposition else (DISPOSITION,))}
    described = [header for header in encoding.headers if header.name.lower() not in own]
    valued = [(header, _constant(header)) for header in described]
    return tuple((header.name, value) for header, value in valued if value is not None)


def _constant(header: Parameter) -> str | None:
    if problem := unsettable(header):
        raise SpecError(header.pointer, problem)
    schema = msgspec.json.decode(header.schema.json)
    values = schema.get("enum", []) if isinstance(schema, dict) else []
    if isinstance(schema, dict) and len(values) != 1:
        values = [schema[key] for key in ("const", "default") if key in schema][:1]
    if values and is_field_value(value := styles.spell(values[0])):
        return value
    if values or header.required:
        raise SpecError(header.pointer, f"the header {header.name} of a part has no fixed value that could be sent")
    return None
