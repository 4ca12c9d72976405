"""Swagger 2.0, read directly into the same model.

Parameters of 2.0 are schemas themselves and include the body: ``in: body`` and ``in: formData`` become a body of the
media types in ``consumes``; ``collectionFormat`` becomes a style.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Literal

import msgspec

from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.grammar import essence
from openapi_mcp_server.openapi.model import Body, Encoding, MediaType, Parameter, Response, Schema, Style
from openapi_mcp_server.openapi.pointers import child
from openapi_mcp_server.openapi.reading import security, servers
from openapi_mcp_server.openapi.reading.dialect import OperationParts, Source, request_schemas, response_schemas
from openapi_mcp_server.openapi.reading.fields import METHODS
from openapi_mcp_server.openapi.reading.media import by_status, header_names
from openapi_mcp_server.openapi.reading.objects import (
    NOTHING,
    OperationObject,
    ParameterObject2,
    ResponseObject,
    as_known,
    is_there,
    read,
    read_map,
    read_texts,
    reader,
    reader_or_empty,
    written,
    written_each,
)
from openapi_mcp_server.openapi.reading.strays import stray
from openapi_mcp_server.openapi.references.resolve import Located, opened, text_in

_JSON = "application/json"
_BINARY = "application/octet-stream"
_URLENCODED = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data"
_FORMS = (_URLENCODED, _MULTIPART)

# Parameter Object and Items Object, ``collectionFormat``: the style of a list, and whether the name is repeated.
_COLLECTIONS: Mapping[str, tuple[Style, bool]] = {
    "csv": ("form", False),
    "ssv": ("spaceDelimited", False),
    "tsv": ("tsv", False),
    "pipes": ("pipeDelimited", False),
    "multi": ("form", True),
}
# What a parameter's object says beside its schema.
_NOT_SCHEMA = frozenset({"name", "in", "required", "collectionFormat", "allowEmptyValue", "x-multi-segment"})
_LOCATIONS = ("query", "header", "path", "formData", "body")
_FILE = "file"
_EXAMPLE = "x-example"

ANSWER_TYPES = 100_000
"""Media types of all answers of one operation, each of which has all of ``produces``: 5,000 of them for 400 answers,
60 kB, took 2.7 s. No operation of 124 published documents has more than 12."""
_REPEATED_BYTES = 1_000
"""The most bytes of a parameter that is remembered, since many operations may repeat it."""

_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_parameter = reader(ParameterObject2)
_response = reader_or_empty(ResponseObject)


class BodyParameter(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A parameter that is the whole body, or one field of a form."""

    pointer: str
    name: str
    location: Literal["body", "formData"]
    required: bool
    description: str
    schema: Schema | None
    is_file: bool
    encoding: Encoding | None
    examples: tuple[msgspec.Raw, ...] = ()


class Swagger2:
    """See `openapi_mcp_server.openapi.reading.dialect.Dialect`."""

    def __init__(self, source: Source) -> None:
        self.methods = METHODS
        self.request = request_schemas(source, "#/definitions")
        self.response = response_schemas(source, "#/definitions")
        self._address = servers.base_address(source)
        self.servers = self._address.urls()
        self.security_schemes = security.schemes(source.at("securityDefinitions"), source)
        self._produces = source.spared(read_texts, source.at("produces"), "response_dropped") or []
        self._consumes = _or_fault(source.at("consumes"))
        self._references = source.references
        self._notes = source.notes
        self._exact = source.exact_answers
        self._known: dict[str, Parameter | BodyParameter] = {}

    def declaration(self, at: Located) -> Parameter | BodyParameter:
        place = self._references.resolve(at).target
        if wrong := stray(at, place, "parameter"):
            raise SpecError(at.pointer, wrong)
        known = self._known.get(place.pointer)
        if known is None:
            known = self._known[place.pointer] = self._declared(place, _declaration(place))
        return known

    def parts(
        self, operation: OperationObject, at: Located, declarations: Sequence[Parameter | BodyParameter]
    ) -> OperationParts:
        produced = self._produces if operation.produces is None else written_each(operation.produces)

        def response(place: Located, status: str, is_success: bool) -> Response:  # noqa: FBT001 - see by_status
            return self._response(place, status, produced, is_success=is_success)

        responses = at.member(NOTHING, "responses")
        if (count := len(produced) * len(operation.responses or {})) > ANSWER_TYPES:
            raise SpecError(responses.pointer, f"has {count:,} media types of answers; {ANSWER_TYPES:,} are read")
        return OperationParts(
            parameters=tuple(each for each in declarations if isinstance(each, Parameter)),
            body=self._body(operation, at, [each for each in declarations if isinstance(each, BodyParameter)]),
            responses=by_status(operation.responses or {}, responses, response, self._notes),
            servers=self._address.of_operation(written_each(operation.schemes), at),
        )

    def _declared(self, at: Located, declared: ParameterObject2) -> Parameter | BodyParameter:
        if not (name := written(declared.name)):
            if declared.location != "body":
                raise SpecError(at.pointer, "the parameter has no name")
            name = "body"  # which documents it and no more (2.0, Parameter Object, name)
            self._notes.add(at.pointer, "parameter_repaired", "the body has no name; it needs none to be sent")
        match declared.location:
            case "body":
                return self._whole_body(at, declared, name)
            case "formData":
                return self._form_field(at, declared, name)
            case "query" | "header" | "path":
                return self._parameter(at, declared, name, declared.location)
            case other:
                problem = f"'in' must be one of {', '.join(_LOCATIONS)}, not {other!r}"
                raise SpecError(at.pointer if other is None else child(at.pointer, "in"), problem)

    def _parameter(
        self, at: Located, declared: ParameterObject2, name: str, location: Literal["query", "header", "path"]
    ) -> Parameter:
        if location == "path" and declared.required is not True:
            self._notes.add(at.pointer, "parameter_repaired", "a path parameter is always required")
        schema, declared = self._schema(at, declared, _NOT_SCHEMA | {"description"})
        style, explode = self._collection(at, declared)
        if location != "query" and style == "form":
            style, explode = "simple", False
        return Parameter(
            pointer=at.pointer,
            name=name,
            location=location,
            required=declared.required is True or location == "path",
            schema=schema,
            style=style,
            explode=explode,
            inner=tuple(self._inner(at, declared)),
            allow_empty_value=declared.allow_empty_value is True and location == "query",
            spans_segments=location == "path" and bytes(declared.spans_segments) == b"true",
            description=written(declared.description),
        )

    def _whole_body(self, at: Located, declared: ParameterObject2, name: str) -> BodyParameter:
        has_schema = is_there(declared.schema)
        return BodyParameter(
            pointer=at.pointer,
            name=name,
            location="body",
            required=declared.required is True,
            description=written(declared.description),
            schema=self.request.read(at.member(declared.schema, "schema")) if has_schema else None,
            is_file=False,
            encoding=None,
            examples=(declared.example,) if is_there(declared.example) else (),
        )

    def _schema(
        self, at: Located, declared: ParameterObject2, beside: frozenset[str]
    ) -> tuple[Schema, ParameterObject2]:
        """A parameter's schema, which is the parameter itself without what is ``beside`` it, and the parameter with the
        schema's type. By mistake, as in 3.x, a part of it may be the parameter's ``schema``."""
        if declared.type is not None or not is_there(declared.schema):
            return self.request.read(_without(at, beside)), declared
        self._notes.add(at.pointer, "parameter_repaired", "has a schema, as in OpenAPI 3; that was taken for its type")
        own = at.member(declared.schema, "schema")
        said = read(_parameter, self._references.beyond_aliases(own))
        whole = read_map(_without(at, beside | {"schema"})) | read_map(own)
        schema = self.request.read(Located(own.pointer, msgspec.Raw(msgspec.json.encode(whole)), own.base))
        return schema, msgspec.structs.replace(declared, type=said.type, format=said.format, items=said.items)

    def _form_field(self, at: Located, declared: ParameterObject2, name: str) -> BodyParameter:
        schema, declared = self._schema(at, declared, _NOT_SCHEMA)
        items = read(_parameter, at.member(declared.items, "items")) if is_there(declared.items) else None
        return BodyParameter(
            pointer=at.pointer,
            name=name,
            location="formData",
            required=declared.required is True,
            description=written(declared.description),
            schema=schema,
            is_file=_FILE in (declared.type, items and items.type),
            encoding=self._encoding(at, declared) if declared.type == "array" and not _is_bytes(items) else None,
        )

    def _encoding(self, at: Located, declared: ParameterObject2) -> Encoding:
        style, explode = self._collection(at, declared)
        return Encoding(style=style, explode=explode, inner=tuple(self._inner(at, declared)))

    def _collection(self, at: Located, declared: ParameterObject2) -> tuple[Style, bool]:
        if declared.collection_format is None:
            return _COLLECTIONS["csv"]
        known = _COLLECTIONS.get(as_known(written(declared.collection_format), _COLLECTIONS))
        if known is None or (known[1] and declared.location in {"path", "header"}):
            message = f"collectionFormat {declared.collection_format!r} is not for {declared.location}; csv was taken"
            self._notes.add(child(at.pointer, "collectionFormat"), "parameter_repaired", message)
            return _COLLECTIONS["csv"]
        return known

    def _inner(self, at: Located, declared: ParameterObject2) -> Iterator[Style]:
        """The styles of the lists within a list, which have formats of their own (Items Object)."""
        is_plain = declared.location in {"path", "header"}
        items = declared.items
        while is_there(items):
            at = at.member(items, "items")
            inner = read(_parameter, at)
            if inner.type != "array":
                return
            style, repeats = self._collection(at, inner)
            if repeats:
                message = "collectionFormat 'multi' is not for a list within a list; csv was taken"
                self._notes.add(child(at.pointer, "collectionFormat"), "parameter_repaired", message)
            yield "simple" if is_plain and style == "form" else style
            items = inner.items

    def _body(self, operation: OperationObject, at: Located, fields: Sequence[BodyParameter]) -> Body | None:
        if not fields:
            return None
        if len({field.location for field in fields}) > 1:
            raise SpecError(at.pointer, "has both a body and form fields; only one of them can be sent")
        consumed = self._consumed(operation)
        if fields[0].location == "formData":
            return self._form(fields, consumed, at)
        if len(fields) > 1:
            self._notes.add(fields[-1].pointer, "parameter_repeated", "a second body; the last one counts")
        return _plain_body(fields[-1], consumed)

    def _consumed(self, operation: OperationObject) -> list[str]:
        if operation.consumes is not None:
            return written_each(operation.consumes)
        if isinstance(self._consumes, SpecError):
            raise self._consumes.kept() from self._consumes
        return self._consumes

    def _form(self, fields: Sequence[BodyParameter], consumed: Sequence[str], at: Located) -> Body:
        forms = [name for name in consumed if essence(name) in _FORMS]
        if consumed and not forms:
            self._notes.add(
                at.pointer,
                "parameter_repaired",
                f"form fields cannot be {', '.join(map(repr, consumed))}; a form was taken",
            )
        has_file = any(field.is_file for field in fields)
        if has_file:
            forms = [name for name in forms if essence(name) == _MULTIPART] or [_MULTIPART]
        schema = _form_schema(fields)
        encoding = {field.name: field.encoding for field in fields if field.encoding is not None}
        return Body(
            pointer=at.pointer,
            required=any(field.required for field in fields),
            description="",
            media=tuple(
                MediaType(pointer=at.pointer, name=name, schema=schema, encoding=encoding)
                for name in forms or [_URLENCODED]
            ),
        )

    def _response(self, at: Located, status: str, produced: Sequence[str], *, is_success: bool) -> Response:
        place = self._references.resolve(at).target
        if wrong := stray(at, place, "response"):
            raise SpecError(at.pointer, wrong)
        declared = _response(place)
        media: tuple[MediaType, ...] = ()
        if is_there(declared.schema):
            schema, default = (
                self._answer(place.member(declared.schema, "schema")) if is_success or self._exact else (None, _JSON)
            )
            media = tuple(MediaType(pointer=place.pointer, name=name, schema=schema) for name in produced or (default,))
        return Response(
            pointer=place.pointer,
            status=status,
            description=written(declared.description),
            media=media,
            headers=header_names(place.member(declared.headers, "headers"), self._notes),
        )

    def _answer(self, at: Located) -> tuple[Schema | None, str]:
        """An answer's schema, and its media type where ``produces`` is silent. A file has no schema."""
        try:
            if self._is_file(at):
                return None, _BINARY
            return self.response.read(at), _JSON
        except SpecError as error:
            self._notes.add(error.pointer, "output_dropped", error.problem)
            return None, _JSON

    def _is_file(self, schema: Located) -> bool:
        members = opened(self._references.beyond_aliases(schema).json)
        return isinstance(members, dict) and _FILE in {text_in(members.get(key, NOTHING)) for key in ("type", "format")}


def _declaration(at: Located) -> ParameterObject2:
    declared = read(_parameter, at)
    if declared.location is None or declared.location in _LOCATIONS:
        return declared
    return msgspec.structs.replace(declared, location=as_known(declared.location, _LOCATIONS))


def _or_fault(at: Located) -> list[str] | SpecError:
    """Media types, or the fault of each operation that needs them and has none of its own."""
    try:
        return read_texts(at)
    except SpecError as error:
        return error.kept()


def _plain_body(field: BodyParameter, consumed: Sequence[str]) -> Body:
    others = [name for name in consumed if essence(name) not in _FORMS]
    names = others or consumed or (_JSON,)
    return Body(
        pointer=field.pointer,
        required=field.required,
        description=field.description,
        media=tuple(
            MediaType(pointer=field.pointer, name=name, schema=field.schema, examples=field.examples) for name in names
        ),
    )


def _form_schema(fields: Sequence[BodyParameter]) -> Schema:
    schema: dict[str, object] = {
        "type": "object",
        "properties": {field.name: field.schema.json for field in fields if field.schema is not None},
    }
    if required := [field.name for field in fields if field.required]:
        schema["required"] = required
    refs = {ref for field in fields if field.schema is not None for ref in field.schema.refs}
    return Schema(msgspec.Raw(msgspec.json.encode(schema)), tuple(sorted(refs)))


def _is_bytes(items: ParameterObject2 | None) -> bool:
    """Whether a list has files as items. Each is a part of its own, whatever the list's format is."""
    return items is not None and (_FILE in {items.type, items.format} or items.format == "binary")


def _without(at: Located, keys: frozenset[str]) -> Located:
    """The schema among a parameter's members, with an example under the name that 2.0 leaves for it."""
    rest = _known_rest if len(at.json) <= _REPEATED_BYTES else _rest
    return Located(at.pointer, rest(bytes(at.json), keys), at.base)


def _rest(parameter: bytes, keys: frozenset[str]) -> msgspec.Raw:
    members = {name: value for name, value in _members(parameter).items() if name not in keys}
    if _EXAMPLE in members:
        members.setdefault("example", members.pop(_EXAMPLE))
    return msgspec.Raw(msgspec.json.encode(members))


_known_rest = lru_cache(256)(_rest)  # of Kubernetes' 5,056 parameters, 207 are different
