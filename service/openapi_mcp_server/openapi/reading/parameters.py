"""Parameters of OpenAPI 3.x, with every default of the specification filled in."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import get_args

import msgspec

from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.openapi.model import Encoding, Location, Parameter, Schema, Style
from openapi_mcp_server.openapi.notes import Notes
from openapi_mcp_server.openapi.reading.encodings import FORM_STYLES, EncodingReader, known_style
from openapi_mcp_server.openapi.reading.examples import examples
from openapi_mcp_server.openapi.reading.objects import (
    MediaTypeObject,
    ParameterObject,
    as_known,
    is_there,
    read,
    reader,
    reader_or_empty,
    without,
    written,
)
from openapi_mcp_server.openapi.reading.strays import misplaced_schema, stray
from openapi_mcp_server.openapi.references.resolve import Located, References
from openapi_mcp_server.openapi.schemas import habits
from openapi_mcp_server.openapi.schemas.directions import Schemas
from openapi_mcp_server.openapi.text import numbers

ANY_TEXT = Schema(msgspec.Raw(b'{"type":"string"}'))
ANYTHING = Schema(msgspec.Raw(b"{}"))
RESERVED_HEADERS = frozenset({"accept", "content-type", "authorization"})
"""Parameter Object, ``name``: definitions of these headers are ignored; they belong to media types and security."""

_STYLES: Mapping[Location, tuple[Style, ...]] = {
    "path": ("simple", "label", "matrix"),
    "query": FORM_STYLES,
    "header": ("simple",),
    "cookie": ("form", "cookie"),
    "querystring": ("form",),
}
"""Parameter Object, Style Values: what each location can have, its default first."""
_EXPLODED = frozenset({"form", "cookie"})
"""Styles whose default for ``explode`` is true."""

_BESIDE_SCHEMA = frozenset(
    {"name", "in", "required", "description", "deprecated", "style", "explode", "allowReserved", "allowEmptyValue"}
    | {"example", "examples", "collectionFormat"}
)
"""Fields that are no part of the schema if a parameter is its own schema."""

_Value = tuple[Schema, str | None, Mapping[str, Encoding], tuple[msgspec.Raw, ...]]
_parameter = reader(ParameterObject)
_header = reader_or_empty(ParameterObject)
_media_type = reader_or_empty(MediaTypeObject)


class ParameterReader:
    """Reads Parameter and Header Objects, each parameter of the document once."""

    def __init__(self, references: References, schemas: Schemas, notes: Notes) -> None:
        self._references = references
        self._schemas = schemas
        self._notes = notes
        own = weakref.proxy(self)  # in a cycle, it would keep the document
        self._encodings = EncodingReader(lambda at, name: own.header(at, name), notes)  # noqa: PLW0108 - its method would hold it
        self._known: dict[str, Parameter] = {}

    def parameter(self, at: Located) -> Parameter:
        """The parameter at ``at``, or behind a reference there. Raises SpecError."""
        resolved = self._references.resolve(at)
        place = resolved.target
        if wrong := stray(at, place, "parameter"):
            raise SpecError(at.pointer, wrong)
        known = self._known.get(place.pointer)
        if known is None:
            declared = read(_parameter, place)
            known = self._known[place.pointer] = self._read(place, declared, written(declared.name))
        return resolved.described(known)

    def header(self, at: Located, name: str) -> Parameter:
        """A Header Object, whose name is its key in the document. Raises SpecError."""
        place = self._references.resolve(at).target
        return self._read(place, msgspec.structs.replace(_header(place), location="header"), name)

    def _read(self, at: Located, declared: ParameterObject, name: str) -> Parameter:
        if not name:
            raise SpecError(at.pointer, "the parameter has no name")
        location = _location(at, declared)
        style, explode = self._style(at, declared, location)
        schema, content_type, encoding, shown = self._value(at, declared, location)
        if location == "path" and declared.required is not True:
            self._notes.add(at.pointer, "parameter_repaired", "a path parameter is always required")
        return Parameter(
            pointer=at.pointer,
            name=name,
            location=location,
            required=declared.required is True or location == "path",
            schema=_without_repeated_title(schema, name),
            style=style,
            explode=explode,
            allow_reserved=declared.allow_reserved is True,
            allow_empty_value=declared.allow_empty_value is True and location == "query",
            spans_segments=location == "path" and bytes(declared.spans_segments) == b"true",
            content_type=content_type,
            encoding=encoding,
            description=written(declared.description),
            deprecated=declared.deprecated is True,
            examples=examples(at, declared.example, declared.examples, self._references) or shown,
        )

    def _style(self, at: Located, declared: ParameterObject, location: Location) -> tuple[Style, bool]:
        style = known_style(declared.style, _STYLES[location])
        if style is None:
            style = _STYLES[location][0]
            if declared.style is not None:
                message = f"style {declared.style!r} is not for {location}; {style!r} was taken"
                self._notes.add(f"{at.pointer}/style", "parameter_repaired", message)
        return style, style in _EXPLODED if declared.explode is None else declared.explode

    def _value(self, at: Located, declared: ParameterObject, location: Location) -> _Value:
        """The schema, and media type, encoding and examples of a parameter that is described by ``content``."""
        if is_there(declared.schema) and location != "querystring":
            if declared.content:
                self._notes.add(at.pointer, "parameter_repaired", "has both schema and content; schema was taken")
            return self._schemas.read(at.member(declared.schema, "schema")), None, {}, ()
        if declared.content:
            return self._content(at, declared.content)
        if location == "querystring":
            raise SpecError(at.pointer, "a querystring parameter needs content")
        if declared.type is not None:
            message = "has its type beside its name, as in Swagger 2.0; that was taken for its schema"
            self._notes.add(at.pointer, "parameter_repaired", message)
            return self._schemas.read(without(at, _BESIDE_SCHEMA)), None, {}, ()
        self._notes.add(at.pointer, "parameter_repaired", "has neither schema nor content; any value was taken")
        return ANYTHING, None, {}, ()

    def _content(self, at: Located, content: dict[str, msgspec.Raw]) -> _Value:
        name, value = next(iter(content.items()))
        if len(content) > 1:
            self._notes.add(at.pointer, "parameter_repaired", f"has several media types; {name!r} was taken")
        place = self._references.resolve(at.member(value, "content", name)).target
        media = _media_type(place)
        encoding = self._encodings.by_name(place, media)
        shown = examples(place, media.example, media.examples, self._references)
        if is_there(media.schema):
            return self._schemas.read(place.member(media.schema, "schema")), name, encoding, shown
        if (schema := misplaced_schema(place)) is None:
            return ANYTHING, name, encoding, shown
        message = "is a schema where a media type belongs; it was taken for the one of the parameter"
        self._notes.add(place.pointer, "parameter_repaired", message)
        return self._schemas.read(schema), name, encoding, shown


def _location(at: Located, declared: ParameterObject) -> Location:
    word = as_known(declared.location or "", get_args(Location))
    for location in get_args(Location):
        if location == word:
            return location  # type: ignore[no-any-return]  # one of the literal's values
    known = ", ".join(get_args(Location))
    if not declared.location:
        raise SpecError(at.pointer, f"'in' is missing; it must be one of {known}")
    hint = "; a body is the operation's requestBody" if declared.location in {"body", "formData"} else ""
    place = at.member(msgspec.Raw(), "in").pointer
    raise SpecError(place, f"'in' must be one of {known}, not {declared.location!r}{hint}")


def _without_repeated_title(schema: Schema, name: str) -> Schema:
    json = bytes(schema.json)
    if b'"title":' not in json:
        return schema
    value = numbers.decode(json)
    habits.drop_repeated_title(value, name)
    return msgspec.structs.replace(schema, json=msgspec.Raw(numbers.encode(value)))
