"""Makes the writer of a request's body, at load: it turns a JSON value into bytes of the media type.

There are JSON, forms, multipart bodies, text, bytes (from base64 or a ``data:`` URI), XML and JSON lines. A range is
written in the plainest type that it allows for its schema. A body that cannot be written is a SpecError, so that the
operation can use another media type or be listed with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any, TypeVar, assert_never, cast

import msgspec

from openapi_mcp_server.bridge import sizes
from openapi_mcp_server.bridge.bodies import files, forms, multipart, xml_documents
from openapi_mcp_server.bridge.bodies.multipart import Described
from openapi_mcp_server.bridge.media import charsets
from openapi_mcp_server.bridge.media.exact_json import encode as encode_json
from openapi_mcp_server.bridge.media.exact_json import encode_by_parts
from openapi_mcp_server.bridge.media.table import Kind, is_form, is_json, is_multipart, row
from openapi_mcp_server.bridge.media.types import WrittenAs, charset, way
from openapi_mcp_server.bridge.model import BodyRecipe, BodyWriter, Deferred
from openapi_mcp_server.bridge.parameters import percent, styles
from openapi_mcp_server.bridge.schemas.shapes import Outline, is_base64, is_base64url, outline_of
from openapi_mcp_server.errors import ArgumentError
from openapi_mcp_server.grammar import essence
from openapi_mcp_server.openapi.model import MediaType, Schema

_BY_NAME = frozenset({"json", "form", "text", "lines"})
"""Kinds of bodies that are written without a schema, if the kind was also chosen without it."""
_SHORT = 2_000
"""A schema of bytes, with a description, is not longer than this."""
_KEPT = 1_000
"""The number of media types of one document that are remembered."""
_SCHEMAS_KEPT = 16
"""The number of schemas of bodies whose outlines are remembered, for their arguments and the next operations."""

T = TypeVar("T")
_Find = Callable[[MediaType, Mapping[str, Schema], Outline], T]
"""Finds something out about a media type; the arguments after it are the definitions and the outline of its schema."""


class Bodies:
    """The kinds and writers of the bodies of one document, with a cache. Every property of a form is examined, and many
    operations may share a schema: 670 operations with 670 properties took 6 s."""

    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self.definitions = definitions
        self.outline = lru_cache(_SCHEMAS_KEPT)(partial(_decoded, definitions))
        self._known: dict[tuple[object, ...], Any] = {}

    def kind_and_writer(self, media: MediaType) -> tuple[Kind, BodyWriter]:
        """The kind (`KINDS`) of a body of this type, and its writer, which is made at the first call. Raises SpecError
        now; the writer raises ArgumentError."""
        return self._once(_kind_and_writer, media)

    def file_properties(self, media: MediaType) -> frozenset[str]:
        """Properties of a multipart form that take a file: base64 text or a ``data:`` URI. Empty for other types."""
        return self._once(_file_properties, media)

    def takes_files(self, media: MediaType) -> bool:
        """Whether base64 text or a ``data:`` URI stands for bytes anywhere in a body of this type."""
        return self._once(_takes_files, media)

    def _once(self, find: _Find[T], media: MediaType) -> T:
        """Reads Encoding Objects once for each place in the document. JSON is not remembered, since finding it is
        faster."""
        if is_json(media.name):
            return self._found(find, media)
        place = media.pointer if media.encoding or media.prefix_encoding or media.item_encoding else ""
        schema = (bytes(media.schema.json), media.schema.refs) if media.schema else None
        key = (find, place, media.name, media.is_stream, schema)
        if key not in self._known:
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[key] = self._found(find, media)
        return cast("T", self._known[key])

    def _found(self, find: _Find[T], media: MediaType) -> T:
        schema = None if _goes_without_schema(media, self.definitions) else media.schema
        return find(media, self.definitions, {} if schema is None else self.outline(bytes(schema.json)))


def _decoded(definitions: Mapping[str, Schema], json: bytes) -> Outline:
    return outline_of(Schema(msgspec.Raw(json), ()), definitions)


def _file_properties(media: MediaType, definitions: Mapping[str, Schema], outline: Outline) -> frozenset[str]:
    body = _multipart(media, definitions, outline)
    return frozenset() if body is None else multipart.file_names(body)


def _takes_files(media: MediaType, definitions: Mapping[str, Schema], outline: Outline) -> bool:
    body = _multipart(media, definitions, outline)
    return way(media, outline, definitions).kind == "binary" if body is None else multipart.has_files(body)


def _kind_and_writer(media: MediaType, definitions: Mapping[str, Schema], outline: Outline) -> tuple[Kind, BodyWriter]:
    chosen = way(media, outline, definitions)
    _writer(media, definitions, outline, chosen)
    return chosen.kind, Deferred(made, _recipe(media, definitions, chosen))


def _recipe(media: MediaType, definitions: Mapping[str, Schema], chosen: WrittenAs) -> BodyRecipe:
    """The recipe of a writer. Most media types do not depend on the schema, which is then left out."""
    media = msgspec.structs.replace(media, examples=())
    bare = msgspec.structs.replace(media, schema=None)
    is_alike = chosen.kind in _BY_NAME and way(bare, {}, {}) == chosen
    if is_alike:
        return BodyRecipe(bare)
    refers = media.encoding or media.prefix_encoding or media.item_encoding or (media.schema and media.schema.refs)
    return BodyRecipe(media, definitions if refers else {})


def made(recipe: BodyRecipe) -> BodyWriter:
    """The writer of a body. Raises SpecError; the writer raises ArgumentError."""
    media, definitions = recipe.media, recipe.definitions
    outline = _outline(media, definitions)
    write = _writer(media, definitions, outline, way(media, outline, definitions))

    def checked(value: object) -> tuple[str, bytes]:
        try:
            content_type, data = write(value)
            sizes.require(len(data))
        except ArgumentError as error:
            raise ArgumentError(f"body: {error}") from error
        except UnicodeEncodeError as error:
            raise ArgumentError(f"body: {error.object[error.start]!r} cannot be written in {error.encoding}") from error
        except RecursionError as error:
            raise ArgumentError("body: is nested too deeply") from error
        return content_type, data

    return checked


def _writer(
    media: MediaType,
    definitions: Mapping[str, Schema],
    outline: Outline,
    chosen: WrittenAs,
    property_name: str | None = None,
) -> BodyWriter:
    """Makes a writer; ``property_name`` is set for a part of a multipart body."""
    name = chosen.content_type or media.name
    write: BodyWriter
    match chosen.kind:
        case "json":
            write = _json(name)
        case "form":
            write = _form(media, name)
        case "multipart":
            body = multipart.described(media, name, outline, definitions)
            write = multipart.writer(body, partial(_part, definitions))
        case "text":
            write = _written_form(name) if is_form(name) else _text(media, name)
        case "binary":
            is_text = row(essence(name)).read in {"json", "text"}
            write = _binary(chosen, outline, text_in=charsets.of_text(name) if is_text else "")
        case "xml":
            write = xml_documents.writer(media, name, outline, definitions, property_name)
        case "lines":
            write = _lines(name)
        case unknown:
            assert_never(unknown)
    return write


def _outline(media: MediaType, definitions: Mapping[str, Schema]) -> Outline:
    """The outermost level of a schema; empty if it does not matter."""
    return {} if _goes_without_schema(media, definitions) else outline_of(media.schema, definitions)


def _goes_without_schema(media: MediaType, definitions: Mapping[str, Schema]) -> bool:
    """Whether a body is JSON, as most are, and its schema is not one of bytes. It is then written without the
    schema."""
    return is_json(media.name) and not _mentions_bytes(media.schema, definitions)


def _mentions_bytes(schema: Schema | None, definitions: Mapping[str, Schema]) -> bool:
    """Whether a schema may be one of bytes, found without decoding: such a schema is short and has a certain word."""
    if schema is None or memoryview(schema.json).nbytes > _SHORT:
        return False
    reached = (schema, *(definitions[name] for name in schema.refs))
    return any(b'"binary"' in bytes(each.json) for each in reached)


def _multipart(media: MediaType, definitions: Mapping[str, Schema], outline: Outline) -> Described | None:
    if not is_multipart(media.name):
        return None
    name = way(media, outline, definitions).content_type or media.name
    return multipart.described(media, name, outline, definitions)


def _part(definitions: Mapping[str, Schema], media: MediaType, property_name: str) -> BodyWriter:
    outline = _outline(media, definitions)
    return _writer(media, definitions, outline, way(media, outline, definitions), property_name)


def _json(name: str) -> BodyWriter:
    written_in = charsets.declared(name)
    if charsets.is_utf8(written_in):
        return lambda value: (name, encode_by_parts(value))
    return lambda value: (name, charsets.json_in(written_in, encode_by_parts(value)))


def _form(media: MediaType, name: str) -> BodyWriter:
    written_in, fields = charset(media), forms.fields(media)
    if charsets.is_utf8(written_in):
        return lambda value: (name, forms.text(value, fields).encode())
    return lambda value: (name, charsets.form_in(written_in, forms.text(value, fields)).encode())


def _written_form(name: str) -> BodyWriter:
    """The writer of a form that is given as text: delimiters and percent-encoded characters stay as they are."""
    escape = percent.reserved(percent.KEPT_IN_QUERY + "&=+")
    return lambda value: (name, escape(styles.spell(value)).encode())


def _text(media: MediaType, name: str) -> BodyWriter:
    """The writer of text in the declared charset. Without one it is UTF-8, which is declared if it is more than ASCII.

    The default of text/plain is US-ASCII (RFC 2046 section 4.1.2).
    """
    declared = charset(media)

    def write(value: object) -> tuple[str, bytes]:
        if declared and isinstance(value, dict | list):
            return name, charsets.json_in(declared, encode_json(value))
        text = "" if value is None else styles.spell(value)
        says_charset = declared or text.isascii() or not name.startswith("text/")
        return name if says_charset else f"{name}; charset=utf-8", text.encode(declared or "utf-8")

    return write


def _binary(chosen: WrittenAs, outline: Outline, *, text_in: str) -> BodyWriter:
    """The writer of bytes; base64 text stays base64 if the schema says that it is sent so.

    ``text_in`` is the charset of a type that is text. For such a type, a value that is no base64 is the file's text,
    and an object or a list becomes a file of JSON.
    """
    if is_base64(outline) and chosen.content_type is not None:
        name = chosen.content_type
        url_safe = is_base64url(outline)
        return lambda value: (name, files.base64_text(value, url_safe=url_safe).encode())

    def write(value: object) -> tuple[str, bytes]:
        file = files.read_text(value, text_in) if text_in else files.read(value)
        content_type = chosen.content_type or file.media_type or chosen.otherwise
        if content_type is None:
            raise ArgumentError("give a data: URI with a media type, such as data:image/png;base64,…")
        return content_type, file.data

    return write


def _lines(name: str) -> BodyWriter:
    """The writer of a list as one JSON text in each line. In JSON text sequences each begins with a record separator
    (RFC 7464)."""
    start = b"\x1e" if essence(name).endswith("json-seq") else b""
    written_in = charsets.declared(name)

    def write(value: object) -> tuple[str, bytes]:
        items = value if isinstance(value, list) else [value]
        lines = b"".join([start + encode_json(item) + b"\n" for item in items])
        return name, lines if charsets.is_utf8(written_in) else charsets.json_in(written_in, lines)

    return write
