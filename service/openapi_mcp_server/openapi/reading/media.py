"""Bodies and answers by media type: the ``content`` maps of OpenAPI 3.x."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

import msgspec

from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.grammar import is_token
from openapi_mcp_server.openapi.model import Body, MediaType, Response, Schema, is_default_success
from openapi_mcp_server.openapi.notes import Notes
from openapi_mcp_server.openapi.reading.encodings import EncodingReader
from openapi_mcp_server.openapi.reading.examples import examples
from openapi_mcp_server.openapi.reading.objects import (
    MediaTypeObject,
    RequestBody,
    ResponseObject,
    is_there,
    read,
    read_map,
    reader,
    reader_or_empty,
    written,
)
from openapi_mcp_server.openapi.reading.parameters import ParameterReader
from openapi_mcp_server.openapi.reading.strays import misplaced_schema, stray
from openapi_mcp_server.openapi.references.resolve import REFERENCE_BYTES, Located, References, Resolved
from openapi_mcp_server.openapi.schemas.directions import Schemas

_body = reader(RequestBody)
_response = reader_or_empty(ResponseObject)
_media_type = reader_or_empty(MediaTypeObject)
_JSON = "application/json"
_is_status = lru_cache(64)(re.compile(r"[1-5](?:[0-9]{2}|[xX]{2})").fullmatch)


class BodyReader:
    """Reads Request Body Objects, each place of the document once."""

    def __init__(self, references: References, schemas: Schemas, parameters: ParameterReader, notes: Notes) -> None:
        self._references = references
        self._schemas = schemas
        self._encodings = EncodingReader(parameters.header, notes)
        self._notes = notes
        self._known: dict[str, Body] = {}
        self._taken: set[str] = set()  # pointers of schemas in the place of bodies

    def body(self, at: Located) -> Body | None:
        """The body at ``at``; None if nothing can be sent in it. Raises SpecError."""
        resolved = self._references.resolve(at)
        place = resolved.target
        known = self._known.get(place.pointer)
        if known is None:
            known = self._known[place.pointer] = self._read(place)
        wrong = stray(at, place, "request body")
        if not known.media:
            self._notes.add(at.pointer, "body_dropped", f"{wrong or 'the body has no media type'}; none is sent")
            return None
        if place.pointer in self._taken:
            meant = wrong or "describes a schema and no media type"
            self._notes.add(at.pointer, "body_repaired", f"{meant}; JSON of that schema was taken")
        return resolved.described(known)

    def _read(self, at: Located) -> Body:
        declared = read(_body, at)
        content = declared.content or {}
        media = tuple(self._media(at.member(value, "content", name), name) for name, value in content.items())
        if not media and (schema := misplaced_schema(at)) is not None:
            self._taken.add(at.pointer)
            media = (MediaType(pointer=at.pointer, name=_JSON, schema=self._schemas.read(schema)),)
        return Body(
            pointer=at.pointer,
            required=declared.required is True,
            description=written(declared.description),
            media=media,
        )

    def _media(self, at: Located, name: str) -> MediaType:
        place = self._references.resolve(at).target
        declared = _media_type(place)
        schema, is_stream = self._schema(place, declared)
        return MediaType(
            pointer=place.pointer,
            name=name,
            schema=schema,
            encoding=self._encodings.by_name(place, declared),
            prefix_encoding=self._encodings.by_position(place, declared),
            item_encoding=self._encodings.of_the_rest(place, declared),
            is_stream=is_stream,
            examples=examples(place, declared.example, declared.examples, self._references),
        )

    def _schema(self, at: Located, declared: MediaTypeObject) -> tuple[Schema | None, bool]:
        """The schema of what is sent. It is sent as a whole, so ``schema`` is preferred to ``itemSchema``."""
        if is_there(declared.schema):
            return self._schemas.read(at.member(declared.schema, "schema")), False
        if not is_there(declared.item_schema) and (schema := misplaced_schema(at)) is not None:
            message = "is a schema where a media type belongs; it was taken for the one of the body"
            self._notes.add(at.pointer, "body_repaired", message)
            return self._schemas.read(schema), False
        return described_schema(at, declared, self._schemas)


class ResponseReader:
    """Reads Response Objects, each place of the document once."""

    def __init__(self, references: References, schemas: Schemas, notes: Notes, *, exact: bool) -> None:
        self._references = references
        self._schemas = schemas
        self._notes = notes
        self._exact = exact
        self._known: dict[tuple[str, bool], Response] = {}
        self._referred: dict[tuple[str, bytes, str, bool], Response] = {}  # by base and text of the reference

    def responses(self, declared: dict[str, msgspec.Raw], at: Located) -> tuple[Response, ...]:
        """The answers of one operation."""
        return by_status(declared, at, self._response, self._notes)

    def _response(self, at: Located, status: str, is_success: bool) -> Response:  # noqa: FBT001 - see by_status
        place = at.base, bytes(at.json) if len(at.json) <= REFERENCE_BYTES else b"", status, is_success
        if known := self._referred.get(place):  # more than half of GitHub's answers
            return known
        resolved = self._references.resolve(at)
        response = msgspec.structs.replace(self._resolved(at, resolved, is_success=is_success), status=status)
        if resolved.target is not at and place[1]:
            self._referred[place] = response
        return response

    def _resolved(self, at: Located, resolved: Resolved, *, is_success: bool) -> Response:
        place = resolved.target
        if wrong := stray(at, place, "response"):
            raise SpecError(at.pointer, wrong)
        known = self._known.get((place.pointer, is_success))
        if known is None:
            declared = _response(place)
            content = (declared.content or {}).items()
            members = [(name, place.member(value, "content", name)) for name, value in content]
            known = self._known[place.pointer, is_success] = Response(
                pointer=place.pointer,
                status="",
                description=written(declared.description),
                media=tuple(self._media(member, name, is_success=is_success) for name, member in members),
                headers=header_names(place.member(declared.headers, "headers"), self._notes),
            )
        return resolved.described(known)

    def _media(self, at: Located, name: str, *, is_success: bool) -> MediaType:
        place = self._references.resolve(at).target
        if not is_success and not self._exact:
            return MediaType(pointer=place.pointer, name=name, schema=None)
        declared = _media_type(place)
        try:
            schema, is_stream = described_schema(place, declared, self._schemas)
        except SpecError as error:
            self._notes.add(error.pointer, "output_dropped", error.problem)
            schema, is_stream = None, is_there(declared.item_schema)
        return MediaType(pointer=place.pointer, name=name, schema=schema, is_stream=is_stream)


def header_names(at: Located, notes: Notes) -> tuple[str, ...]:
    """The names in a ``headers`` map of an answer; Content-Type is ignored there (Response Object)."""
    try:
        names = read_map(at)
    except SpecError as error:
        notes.add(error.pointer, "response_dropped", error.problem)
        return ()
    return tuple(name for name in names if is_token(name) and name.lower() != "content-type")


def by_status(
    declared: dict[str, msgspec.Raw], at: Located, read_one: Callable[[Located, str, bool], Response], notes: Notes
) -> tuple[Response, ...]:
    """The answers in the map at ``at``. ``read_one`` gets the status, and whether the answer is a success.

    Errors have no schemas, since they are shown as they come. An operation can be called without knowing its answers,
    so a faulty one is left out with a note.
    """
    is_default_good = is_default_success(declared)
    found = []
    for key, value in declared.items():
        if key.startswith("x-"):
            continue
        place = at.member(value, key)
        try:
            status = _status(key, place)
            is_success = status.startswith("2") or (status == "default" and is_default_good)
            found.append(read_one(place, status, is_success))
        except SpecError as error:
            notes.add(error.pointer, "response_dropped", error.problem)
    return tuple(found)


def _status(key: str, at: Located) -> str:
    if key == "default":
        return key
    if not _is_status(key):
        raise SpecError(at.pointer, f"{key!r} is no status: expected one such as 200, a range such as 2XX, or default")
    return key.upper()


def described_schema(at: Located, declared: MediaTypeObject, schemas: Schemas) -> tuple[Schema | None, bool]:
    """A media type's schema, and whether it describes each item of a stream (3.2, ``itemSchema``)."""
    if is_there(declared.item_schema):
        return schemas.read(at.member(declared.item_schema, "itemSchema")), True
    if is_there(declared.schema):
        return schemas.read(at.member(declared.schema, "schema")), False
    return None, False
