"""multipart/form-data (RFC 7578): an object's properties as parts.

What a property becomes (OpenAPI 3.1.1 and 3.2, Encoding Object):

* a list: one part per item, all with the property's name; so several files are one list.
* a file: its bytes with a file name and a Content-Type; given as base64 text or a ``data:`` URI.
* an object: JSON, or what ``contentType`` says.
* text, numbers, booleans: plain text without a Content-Type; null: an empty part, but no file.
* with ``style`` or ``explode``: the pairs of that style, unescaped (appendix C).

Header values of a part come from the document alone (``const``, one ``enum`` value, ``default``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from service.bridge import files, forms, styles
from service.bridge.media_types import is_binary, is_media_type
from service.bridge.model import BodyWriter
from service.bridge.parameters import is_field_value, require_settable
from service.bridge.schema_shapes import Outline, alternatives, are_files, is_base64, is_open, part_of, schema_from
from service.errors import ArgumentError, SpecError
from service.openapi.model import Encoding, MediaType, Parameter, Schema

_PART_OWN = frozenset({"content-type", "content-disposition"})
Headers = tuple[tuple[str, str], ...]
WriterOf = Callable[[MediaType, str], BodyWriter]
"""How a part with a content type of its own is written: as a body of that type; the text names an XML root."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One part; ``headers`` are those beside Content-Disposition and Content-Type."""

    name: str
    data: bytes
    content_type: str | None = None
    filename: str | None = None
    headers: Headers = ()


class _Property(msgspec.Struct, frozen=True, kw_only=True):
    """What the document says of a property: ``items`` is what one part is, by alternatives, ``schema`` the first.

    Nothing of either where only the Encoding Object names the property. ``content_type`` may be empty or a range.
    """

    name: str
    items: tuple[Outline, ...] = ()
    schema: Schema | None = None
    content_type: str = ""
    headers: Headers = ()

    @property
    def is_file(self) -> bool:
        """By the schema, unless that says nothing and the content type is one that is not of bytes."""
        if is_binary(self.content_type):
            return True
        says_nothing = all(map(is_open, self.items)) and self.content_type != "" and "*" not in self.content_type
        return are_files(self.items) and not says_nothing


PartWriter = Callable[[Any], Part | None]
Field = Callable[[Any], list[Part]]
"""A property's value to its parts; raises ArgumentError."""


def writer(media: MediaType, outline: Outline, definitions: Mapping[str, Schema], writer_of: WriterOf) -> BodyWriter:
    """From an object to the body. Raises SpecError."""
    names = [*outline.get("properties", ()), *media.encoding]
    fields = {name: _field(media, name, outline, definitions, writer_of) for name in names}

    def write(value: object) -> tuple[str, bytes]:
        if not isinstance(value, dict):
            raise ArgumentError("must be an object")
        parts: list[Part] = []
        for name, member in value.items():
            try:
                parts += fields[name](member) if name in fields else _each(member, _plain(_Property(name=name)))
            except ArgumentError as error:
                raise ArgumentError(f"property {name[: styles.EXCERPT]!r}: {error}") from error
        return encode(parts)

    return write


def file_names(media: MediaType, outline: Outline, definitions: Mapping[str, Schema]) -> frozenset[str]:
    """The properties whose strings are files, so that their descriptions can say how to give them."""
    return frozenset(
        name
        for name in outline.get("properties", ())
        if not forms.is_styled(media.encoding.get(name, Encoding()))
        and _property(media, name, outline, definitions).is_file
    )


def encode(parts: Sequence[Part]) -> tuple[str, bytes]:
    """Content-Type and body (RFC 2046 section 5.1.1). The boundary is a hash of the parts: the same body each time."""
    blocks = [_head(part) + part.data + b"\r\n" for part in parts]
    boundary = hashlib.sha256(b"".join(blocks)).hexdigest()[:40].encode()
    while any(boundary in block for block in blocks):
        boundary = hashlib.sha256(boundary).hexdigest()[:40].encode()
    body = b"".join([b"--" + boundary + b"\r\n" + block for block in blocks]) + b"--" + boundary + b"--\r\n"
    return f"multipart/form-data; boundary={boundary.decode()}", body


def _head(part: Part) -> bytes:
    lines = [f'Content-Disposition: form-data; name="{_quoted(part.name)}"']
    if part.filename is not None:
        lines[0] += f'; filename="{_quoted(part.filename)}"'
    if part.content_type is not None:
        lines.append(f"Content-Type: {part.content_type}")
    lines += [f"{name}: {value}" for name, value in part.headers]
    return "\r\n".join([*lines, "", ""]).encode()


def _quoted(text: str) -> str:
    """Names as browsers write them: UTF-8, three characters escaped (HTML Standard, multipart/form-data encoding)."""
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def _field(
    media: MediaType, name: str, outline: Outline, definitions: Mapping[str, Schema], writer_of: WriterOf
) -> Field:
    encoding = media.encoding.get(name, Encoding())
    if forms.is_styled(encoding):
        pairs, headers = forms.style_of(media, name, encoding, styles.RAW), _headers(encoding)
        return lambda value: [Part(name=key, data=text.encode(), headers=headers) for key, text in pairs(value)]
    part = _part_writer(media, _property(media, name, outline, definitions), writer_of)
    return lambda value: _each(value, part)


def _property(media: MediaType, name: str, outline: Outline, definitions: Mapping[str, Schema]) -> _Property:
    encoding = media.encoding.get(name, Encoding())
    content_type = (encoding.content_type or "").partition(",")[0].strip()  # a data: URI chooses another
    if content_type and not is_media_type(content_type):
        raise SpecError(media.pointer, f"the content type {content_type!r} of {name!r} is no media type")
    headers = _headers(encoding)
    properties = outline.get("properties", {})
    if name not in properties:
        return _Property(name=name, content_type=content_type, headers=headers)
    described = part_of(properties, name, definitions)
    items = tuple(
        part_of(schema, "items", definitions) if "items" in schema else schema
        for schema in alternatives(described, definitions)
    )
    schema = schema_from(described.get("items", properties[name]), () if media.schema is None else media.schema.refs)
    return _Property(name=name, items=items, schema=schema, content_type=content_type, headers=headers)


def _part_writer(media: MediaType, of: _Property, writer_of: WriterOf) -> PartWriter:
    """By the content type of the Encoding Object, else by the schema (the table of the Encoding Object)."""
    if of.is_file:
        return _file(of)
    if any(map(is_base64, of.items)):
        return _base64(of)
    if of.content_type:
        part = MediaType(pointer=media.pointer, name=of.content_type, schema=of.schema)
        return _typed(of, writer_of(part, of.name))
    return _plain(of)


def _each(value: object, part: PartWriter) -> list[Part]:
    """RFC 7578 section 4.3: several values are several parts of the same name."""
    parts = map(part, value if isinstance(value, list) else (value,))
    return [written for written in parts if written is not None]


def _plain(of: _Property) -> PartWriter:
    """text/plain is what a part without a Content-Type is (RFC 7578 section 4.4); objects and lists are JSON."""

    def part(value: object) -> Part:
        content_type = "application/json" if isinstance(value, dict | list) else None
        data = b"" if value is None else styles.spell(value).encode()
        return Part(name=of.name, data=data, content_type=content_type, headers=of.headers)

    return part


def _typed(of: _Property, write: BodyWriter) -> PartWriter:
    def part(value: object) -> Part:
        content_type, data = write(value)
        return Part(name=of.name, data=data, content_type=content_type, headers=of.headers)

    return part


def _file(of: _Property) -> PartWriter:
    """The type is the data: URI's, else the documented one, else that of unknown bytes. A name makes it a file."""
    documented = "" if "*" in of.content_type else of.content_type

    def part(value: object) -> Part | None:
        if value is None:
            return None
        file = files.read(value)
        content_type = file.media_type or documented or "application/octet-stream"
        filename = file.name or of.name
        return Part(name=of.name, data=file.data, content_type=content_type, filename=filename, headers=of.headers)

    return part


def _base64(of: _Property) -> PartWriter:
    """Base64 stays base64; ``contentEncoding`` is said as OpenAPI 3.1 has it ("Content-Transfer-Encoding")."""
    content_type = of.content_type or "application/octet-stream"
    is_said = any(item.get("contentEncoding") == "base64" for item in of.items)
    headers = (*of.headers, ("Content-Transfer-Encoding", "base64")) if is_said else of.headers

    def part(value: object) -> Part | None:
        if value is None:
            return None
        data = files.base64_text(value).encode()
        return Part(name=of.name, data=data, content_type=content_type, headers=headers)

    return part


def _headers(encoding: Encoding) -> Headers:
    """The headers that have one value by their schema. Content-Type is ignored there (Encoding Object)."""
    described = [header for header in encoding.headers if header.name.lower() not in _PART_OWN]
    valued = [(header, _constant(header)) for header in described]
    return tuple((header.name, value) for header, value in valued if value is not None)


def _constant(header: Parameter) -> str | None:
    require_settable(header)
    schema = msgspec.json.decode(header.schema.json)
    values = schema.get("enum", []) if isinstance(schema, dict) else []
    if isinstance(schema, dict) and len(values) != 1:
        values = [schema[key] for key in ("const", "default") if key in schema][:1]
    if values and is_field_value(value := styles.spell(values[0])):
        return value
    if values or header.required:
        raise SpecError(header.pointer, f"the header {header.name} of a part has no fixed value that could be sent")
    return None
