"""The answers of a mock to an operation: a documented status, an example, or a value made from the schema."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from http import HTTPStatus
from typing import Any, NamedTuple

import msgspec

from openapi_mcp_server.bridge.bodies.writers import Bodies
from openapi_mcp_server.bridge.media.exact_json import encode as encode_json
from openapi_mcp_server.bridge.media.table import is_json, row
from openapi_mcp_server.bridge.media.types import is_media_type
from openapi_mcp_server.bridge.schemas.edits import decode
from openapi_mcp_server.errors import ArgumentError, SpecError
from openapi_mcp_server.grammar import essence
from openapi_mcp_server.mock import synthesis
from openapi_mcp_server.mock.levels import NoValueError, Schema
from openapi_mcp_server.openapi.model import ApiDescription, MediaType, Operation, Response
from openapi_mcp_server.openapi.pointers import tokens
from openapi_mcp_server.openapi.text.document import Document

PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
"""One pixel."""
FILE = b"mock\n"
NO_BODY = frozenset({204, 205, 304})
"""Statuses whose answers have no content (RFC 9110 sections 15.3.5, 15.3.6, 15.4.5)."""
_JSON, _PROBLEM = "application/json", "application/problem+json"
_NOTHING = object()
_OF_RANGES = {
    "image": "image/png",
    "audio": "audio/mpeg",
    "video": "video/mp4",
    "font": "font/ttf",
    "text": "text/plain",
}


class Answer(NamedTuple):
    """``allow``: the methods that there are instead, for 405 (RFC 9110 section 15.5.6)."""

    status: int
    content_type: str = ""
    body: bytes = b""
    allow: str = ""


class Answers:
    """The answers of one document. The same request gets the same answer, which depends on ``seed`` alone."""

    def __init__(self, document: Document, description: ApiDescription, seed: int = 0) -> None:
        self._document = document
        self._schemas = description.response_schemas
        self._bodies = Bodies(self._schemas)
        self._seed = seed
        self._decoded: dict[str, Schema] = {}
        self._made: dict[tuple[str, str], tuple[str, bytes]] = {}

    def answer(self, operation: Operation, accept: str = "", code: int | None = None) -> Answer:
        """``code``: the status that is wanted; without one, the first success that is documented."""
        status, response = _success(operation.responses) if code is None else (code, _of(operation.responses, code))
        if operation.method == "HEAD" or status in NO_BODY or (response is not None and not response.media):
            return Answer(status) if status < 400 else problem(status, response.description if response else "")
        if response is None:
            return problem(status, f"the document says nothing of {status}") if status >= 400 else Answer(status)
        media = preferred(response.media, accept)
        try:
            return Answer(status, *self._content(media))
        except NoValueError as error:
            return problem(501, f"no value was found for the schema at {media.pointer}: {error}; give it an example")

    def definitions(self, media: MediaType) -> Mapping[str, Schema]:
        """The schemas that the schema of an answer leads to."""
        queue = list(media.schema.refs if media.schema else ())
        found: dict[str, Schema] = {}
        for name in queue:  # grows while it is walked
            if name not in found:
                if name not in self._decoded:
                    self._decoded[name] = decode(self._schemas[name].json)
                found[name] = self._decoded[name]
                queue += self._schemas[name].refs
        return found

    def _content(self, media: MediaType) -> tuple[str, bytes]:
        key = (media.pointer, media.name)
        if key not in self._made:
            self._made[key] = self._written(media)
        return self._made[key]

    def _written(self, media: MediaType) -> tuple[str, bytes]:
        """The content type and the bytes of a value. A type that the service cannot write is text."""
        example = self._example(media)
        text = example if isinstance(example, str) else None
        if is_json(media.name) and not media.is_stream:
            return media.name, encode_json(self._value(media, example))
        try:
            kind, write = self._bodies.kind_and_writer(media)
            if text is not None and kind != "binary":
                return media.name, text.encode()
            if kind == "binary":
                return self._file(media, text)
            value = self._value(media, example)
            return write([value] if media.is_stream else value)
        except (SpecError, ArgumentError):
            return self._otherwise(media, self._value(media, example))

    @staticmethod
    def _file(media: MediaType, text: str | None) -> tuple[str, bytes]:
        """An example of a file is most often its text; a picture is one, whatever its example says."""
        family = essence(media.name).partition("/")[0]
        data = PICTURE if family == "image" else FILE if text is None else text.encode()
        return _OF_RANGES.get(family, "application/octet-stream") if "*" in media.name else media.name, data

    def _otherwise(self, media: MediaType, value: object) -> tuple[str, bytes]:
        """Writes a type that could not be sent to an API, as events are, or one whose schema says something else."""
        if "*" in media.name or not is_media_type(media.name):
            return _JSON, encode_json(value)
        if essence(media.name) == "text/event-stream":
            return media.name, b"data: " + encode_json(value) + b"\n\n"
        if isinstance(value, str):
            return media.name, value.encode()
        return (media.name, encode_json(value)) if row(essence(media.name)).read == "text" else self._file(media, None)

    def _value(self, media: MediaType, example: object) -> Any:  # noqa: ANN401 - any JSON value
        """The example if the schema takes it, else a value made from the schema."""
        if media.schema is None:
            return "text" if example is _NOTHING else example
        schema, definitions = decode(media.schema.json), self.definitions(media)
        if example is not _NOTHING and synthesis.fits(schema, definitions, example):
            return example
        return synthesis.value(schema, definitions, seed=self._seed)

    def _example(self, media: MediaType) -> object:
        """The example at the place of an answer, in the words of any dialect."""
        found = list(_examples(self._at(media.pointer), media.name, self._at))
        return found[self._seed % len(found)] if found else _NOTHING

    def _at(self, pointer: str) -> object:
        place: object = self._root
        for token in tokens(pointer):
            if isinstance(place, list):
                place = place[int(token)] if token.isdigit() and int(token) < len(place) else None
            else:
                place = place.get(token) if isinstance(place, dict) else None
        return place

    @cached_property
    def _root(self) -> object:
        return decode(self._document.json)


def problem(status: int, detail: str) -> Answer:
    """An answer that tells a problem (RFC 9457)."""
    title = HTTPStatus(status).phrase if status in HTTPStatus.__members__.values() else "Error"
    return Answer(status, _PROBLEM, msgspec.json.encode({"status": status, "title": title, "detail": detail}))


def preferred(media: Sequence[MediaType], accept: str) -> MediaType:
    """The one that the client wants most (RFC 9110 section 12.5.1); JSON among equals, then the document's order."""
    wanted = [_range(each) for each in accept.split(",") if each.strip()]

    def quality(each: MediaType) -> float:
        name = essence(each.name)
        matching = [(len(wish.replace("*", "")), weight) for wish, weight in wanted if _matches(name, wish)]
        return max(matching)[1] if matching else 0.0

    return max(media, key=lambda each: (quality(each), is_json(each.name)))


def _range(text: str) -> tuple[str, float]:
    name, *parameters = (part.strip().lower() for part in text.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return name, float(parameter[2:])
            except ValueError:
                return name, 0.0
    return name, 1.0


def _matches(name: str, wish: str) -> bool:
    return wish in {"*/*", name} or (wish.endswith("/*") and name.startswith(wish[:-1]))


def _success(responses: Sequence[Response]) -> tuple[int, Response | None]:
    by_status = {response.status: response for response in responses}
    numbers = sorted(int(status) for status in by_status if status.startswith("2") and status.isdigit())
    if numbers:
        return numbers[0], by_status[str(numbers[0])]
    found = by_status.get("2XX") or by_status.get("default")
    return (204, None) if found is None else (200, found)


def _of(responses: Sequence[Response], code: int) -> Response | None:
    by_status = {response.status: response for response in responses}
    return by_status.get(str(code)) or by_status.get(f"{code // 100}XX") or by_status.get("default")


def _examples(place: object, name: str, at: Any) -> Iterator[object]:  # noqa: ANN401 - the document's own lookup
    """``example``, and ``examples`` by name (3.x) or by media type (2.0)."""
    if not isinstance(place, dict):
        return
    if "example" in place:
        yield place["example"]
    several = place.get("examples")
    if not isinstance(several, dict):
        return
    if name in several and "schema" in place:
        yield several[name]
        return
    for each in several.values():
        told = at(each["$ref"]) if isinstance(each, dict) and str(each.get("$ref", "")).startswith("#/") else each
        if isinstance(told, dict):
            yield from (told[key] for key in ("dataValue", "value", "serializedValue") if key in told)
