"""OpenAPI's objects, decoded one level deep; fields that are not needed are skipped.

The depth is one level so that the place of a fault is exact: msgspec names the field or the index, never the key of a
map. Every field may be null and then counts as absent, since YAML turns a key without a value into null.
"""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import msgspec
from msgspec import Raw, field

from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.openapi.pointers import child
from openapi_mcp_server.openapi.references.resolve import Located
from openapi_mcp_server.openapi.schemas.keywords import as_flag
from openapi_mcp_server.openapi.text import numbers

Text = str | int | bool | None
"""Prose and names: people leave ``version: 1.0`` and ``operationId: 404`` unquoted. `read` keeps the text of a number
with a fraction, since 1.10 is not 1.1."""
Flag = bool | None
Raws = list[Raw] | None
RawMap = dict[str, Raw] | None
Texts = list[Text] | None

NOTHING = Raw()
"""An absent field."""
_NULL = b"null"

_STEP = re.compile(r"\.([^.\[\]]+)|\[([0-9]+)\]|\[\.\.\.\]")
_EXPECTED = re.compile(r"^Expected `(?P<expected>[^`]*)`, got `(?P<got>[^`]*)`$")
_FLAG = "bool | null"
_WORDS = {"str": "string", "int": "integer", "float": "number", "bool": "boolean"}

T = TypeVar("T")


class Info(msgspec.Struct, frozen=True):
    title: Text = None
    version: Text = None
    summary: Text = None
    description: Text = None


class Tag(msgspec.Struct, frozen=True):
    name: Text = None
    parent: Text = None


class OperationObject(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """``consumes``, ``produces`` and ``schemes`` belong to 2.0, ``requestBody`` and ``servers`` to 3.x."""

    operation_id: Text = None
    summary: Text = None
    description: Text = None
    tags: Texts = None
    deprecated: Flag = None
    parameters: Raws = None
    request_body: Raw = NOTHING
    responses: RawMap = None
    security: Raws = None
    servers: Raws = None
    callbacks: RawMap = None
    consumes: Texts = None
    produces: Texts = None
    schemes: Texts = None
    overrides: Raw = field(default=NOTHING, name="x-mcp")
    scopes: Raw = field(default=NOTHING, name="x-mcp-scopes")


class ParameterObject(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """Also the Header Object, whose name is its key."""

    name: Text = None
    location: str | None = field(default=None, name="in")
    description: Text = None
    required: Flag = None
    deprecated: Flag = None
    allow_empty_value: Flag = None
    allow_reserved: Flag = None
    style: Text = None
    explode: Flag = None
    schema: Raw = NOTHING
    content: RawMap = None
    spans_segments: Raw = field(default=NOTHING, name="x-multi-segment")
    example: Raw = NOTHING
    examples: Raw = NOTHING
    type: Text = None  # of Swagger 2.0, by mistake


class ParameterObject2(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """A parameter of 2.0; its schema is the object itself unless it is the body."""

    name: Text = None
    location: str | None = field(default=None, name="in")
    description: Text = None
    required: Flag = None
    allow_empty_value: Flag = None
    type: Text = None
    format: Text = None
    collection_format: Text = None
    items: Raw = NOTHING
    schema: Raw = NOTHING
    spans_segments: Raw = field(default=NOTHING, name="x-multi-segment")
    example: Raw = field(default=NOTHING, name="x-example")


class RequestBody(msgspec.Struct, frozen=True, gc=False):
    description: Text = None
    required: Flag = None
    content: RawMap = None


class ResponseObject(msgspec.Struct, frozen=True, gc=False):
    """``schema`` belongs to 2.0."""

    description: Text = None
    headers: Raw = NOTHING
    content: RawMap = None
    schema: Raw = NOTHING


class Encodings(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """The members that the Media Type Object and the Encoding Object have in common; by position since 3.2."""

    encoding: RawMap = None
    prefix_encoding: Raws = None
    item_encoding: Raw = NOTHING


class MediaTypeObject(Encodings, frozen=True, rename="camel", gc=False):
    schema: Raw = NOTHING
    example: Raw = NOTHING
    examples: Raw = NOTHING
    item_schema: Raw = NOTHING


class EncodingObject(Encodings, frozen=True, rename="camel"):
    content_type: Text = None
    headers: RawMap = None
    style: Text = None
    explode: Flag = None
    allow_reserved: Flag = None


class ServerObject(msgspec.Struct, frozen=True):
    url: Text = None
    variables: RawMap = None


class ServerVariable(msgspec.Struct, frozen=True):
    default: Text = None


class SecuritySchemeObject(msgspec.Struct, frozen=True):
    type: Text = None
    name: Text = None
    location: Text = field(default=None, name="in")
    scheme: Text = None


def reader(shape: type[T]) -> msgspec.json.Decoder[T]:
    """The decoder that `read` uses; made once for each shape."""
    return msgspec.json.Decoder(shape)


def reader_or_empty(shape: type[T]) -> Callable[[Located], T]:
    """A function that reads an object without required fields; see `read`. Null is one without fields, since YAML turns
    a key without a value into null."""
    decoder: msgspec.json.Decoder[T | None] = msgspec.json.Decoder(shape | None)
    return lambda at: read(decoder, at) or shape()


def read(decoder: msgspec.json.Decoder[T], at: Located) -> T:
    """Decodes the value at a place; raises SpecError with the exact pointer of the part that does not fit."""
    json = at.json
    while True:
        try:
            return decoder.decode(json)
        except msgspec.ValidationError as error:
            repaired = _with_text(json, error) or _with_flag(json, error)
            if repaired is None:
                raise fault(error, at.pointer) from error
            json = repaired


def _with_text(json: Raw, error: msgspec.ValidationError) -> Raw | None:
    """The value with text in place of a number where text is expected, and of all other numbers in the same list."""
    problem, _, path = str(error).partition(" - at `$")
    expected = _EXPECTED.match(problem)
    if expected is None or expected["got"] != "float" or "str" not in expected["expected"].split(" | "):
        return None
    whole, holder, last = _decoded_to(json, path)
    for key in range(len(holder)) if isinstance(holder, list) else (last,):
        if isinstance(holder[key], numbers.Number):
            holder[key] = holder[key].spelt
    return Raw(numbers.encode(whole[0]))


def _with_flag(json: Raw, error: msgspec.ValidationError) -> Raw | None:
    """The value with true or false in place of their text in quotes."""
    problem, _, path = str(error).partition(" - at `$")
    expected = _EXPECTED.match(problem)
    if expected is None or expected["got"] != "str" or expected["expected"] != _FLAG:
        return None
    whole, holder, last = _decoded_to(json, path)
    if (flag := as_flag(holder[last])) is None:
        return None
    holder[last] = flag
    return Raw(numbers.encode(whole[0]))


def _decoded_to(json: Raw, path: str) -> tuple[Any, Any, Any]:
    """A value, decoded, in a list of its own; what in it holds the part at a path of msgspec's; the part's key."""
    whole: Any = [numbers.decode(json)]
    *steps, last = [0, *(name or int(index) for name, index in _STEP.findall(path.rstrip("`")))]
    return whole, functools.reduce(operator.getitem, steps, whole), last


def fault(error: msgspec.ValidationError, pointer: str) -> SpecError:
    """The fault that msgspec found, in words and with its pointer; ``pointer`` is that of the whole value."""
    problem, _, path = str(error).partition(" - at `$")
    steps = [name or int(index) for name, index in _STEP.findall(path.rstrip("`")) if name or index]
    expected = _EXPECTED.match(problem)
    problem = problem[:1].lower() + problem[1:]
    if expected:
        kinds = [_WORDS.get(kind, kind) for kind in expected["expected"].split(" | ") if kind != "null"]
        kinds = ["string"] if "string" in kinds else kinds
        problem = f"expected {' or '.join(kinds)}, got {_WORDS.get(expected['got'], expected['got'])}"
    return SpecError(child(pointer, *steps) if steps else pointer, problem)


_MAP: msgspec.json.Decoder[RawMap] = msgspec.json.Decoder(RawMap)
_LIST: msgspec.json.Decoder[Raws] = msgspec.json.Decoder(Raws)
_TEXT: msgspec.json.Decoder[Text] = msgspec.json.Decoder(Text)
_TEXTS: msgspec.json.Decoder[Texts] = msgspec.json.Decoder(Texts)


def read_text(at: Located) -> str:
    """Prose or a name; empty if it is null or absent. Raises SpecError."""
    return written(read(_TEXT, at)) if is_there(at.json) else ""


def read_texts(at: Located) -> list[str]:
    """An array of prose or names, without those that are null. Raises SpecError."""
    return written_each(read(_TEXTS, at)) if is_there(at.json) else []


def without(at: Located, keys: frozenset[str]) -> Located:
    """An object without some of its members, at the same place."""
    members = {name: value for name, value in read_map(at).items() if name not in keys}
    return Located(at.pointer, msgspec.Raw(msgspec.json.encode(members)), at.base)


def read_map(at: Located) -> dict[str, Raw]:
    """An object's members; empty if it is null or absent. Raises SpecError."""
    members = read(_MAP, at) if is_there(at.json) else None
    return members or {}


def read_list(at: Located) -> list[Raw]:
    """An array's elements; empty if it is null or absent. Raises SpecError."""
    elements = read(_LIST, at) if is_there(at.json) else None
    return elements or []


def is_there(value: Raw) -> bool:
    """Whether a field was given; null counts as absent."""
    return len(value) > 0 and (len(value) != len(_NULL) or bytes(value) != _NULL)


def written(value: Text) -> str:
    """Prose or a name as text; a number or a boolean as JSON spells it."""
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def as_known(word: str, known: Iterable[str]) -> str:
    """The word of the specification that equals this one without case and outer spaces; else the word itself."""
    plain = word.strip().lower()
    return next((each for each in known if each.lower() == plain), word)


def written_each(values: Texts) -> list[str]:
    """The texts of an array, without those that are null."""
    return [written(each) for each in values or () if each is not None]
