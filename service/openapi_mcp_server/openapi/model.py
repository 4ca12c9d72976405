"""The model of an OpenAPI description for the rest of the service: resolved, independent of dialects, immutable.

The readers of Swagger 2.0 and of 3.x both make it. Every value has its place in the document (``pointer``, a JSON
Pointer as a URI fragment, RFC 6901 section 6).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

Location = Literal["path", "query", "header", "cookie", "querystring"]
Style = Literal["simple", "label", "matrix", "form", "spaceDelimited", "pipeDelimited", "deepObject", "cookie", "tsv"]
DialectName = Literal["2.0", "3.0", "3.1", "3.2"]
NoteKind = Literal[
    "path_repaired",  # a faulty path key, or a method in capitals, was read by its likely meaning
    "variable_undeclared",  # a variable of the path has no parameter; it became a required string
    "parameter_dropped",  # a parameter that cannot be sent or must not be set was left out
    "parameter_repeated",  # a parameter is declared twice in one place; the last one counts
    "parameter_repaired",  # a parameter lacks something or contradicts itself; the default was taken
    "body_repaired",  # a request body is invalid, or its type cannot carry its schema; the message says what is sent
    "body_dropped",  # a request body or media type that describes nothing was left out
    "keyword_dropped",  # a schema keyword has a value that it cannot have and was left out
    "pattern_dropped",  # a regular expression cannot run in linear time and is not checked
    "schema_repaired",  # a schema contradicts itself or uses another dialect; its likely meaning was used
    "reference_static",  # a dynamic reference was resolved to the one target that the document itself has
    "response_dropped",  # a response cannot be read; calls are not affected
    "output_dropped",  # the schema of an answer cannot be used; the tool declares no output for it
    "input_shortened",  # the input schema of a tool is over its limit; the message says what was left out
    "security_dropped",  # a security scheme is missing or of an unknown kind
    "server_dropped",  # a server entry cannot be used
    "server_repaired",  # the host of a document of Swagger 2.0 is more than a host; its likely meaning was used
    "name_repeated",  # an operationId stands at several operations; the names of their tools end in a hash of each
    "base_url_unknown",  # the document does not say where the API is; serving it needs API_BASE_URL
    "base_url_doubtful",  # API_BASE_URL is an origin alone, and the servers of the document have a path
    "info_dropped",  # the document's info cannot be read
    "field_unknown",  # an object does not have this field in this version of the specification; it was ignored
    "extension_ignored",  # x-mcp, or a key of it, is unknown to this service
    "overlay_unused",  # an overlay's action selects nothing in the document, or changes nothing
    "override_unused",  # an entry of TOOL_OVERRIDES selects no operation
    "notes_left_out",  # there are more notes than are kept
]
"""Kinds of notes, each with what it means."""


SPANNING = "+"
"""Marks a variable of a path that may be several segments: ``{+name}``, ``{name+}``."""


class Schema(msgspec.Struct, frozen=True, gc=False):
    """A JSON Schema 2020-12, already encoded, with references only of the form ``#/$defs/NAME``.

    ``refs`` are the names it refers to directly, sorted; each is a key of the definitions of the same direction
    in `ApiDescription`. Encoded bytes are kept instead of objects: they are spliced into tool lists as they are,
    their size is known, and a large document stays small in memory.
    """

    json: msgspec.Raw
    refs: tuple[str, ...] = ()


class Note(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A repair or an oddity for which no operation was skipped."""

    pointer: str
    kind: NoteKind
    message: str


class SkippedOperation(msgspec.Struct, frozen=True, kw_only=True):
    """An operation that is no tool, with the reason, in words that help an operator.

    ``pointer`` leads to the fault, ``place`` is its line and column if they were looked up. ``method`` is ``*`` if a
    whole path item cannot be read.
    """

    pointer: str
    method: str
    path: str  # the key in the document
    reason: str
    place: str = ""


class Parameter(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One parameter with every default of its dialect filled in.

    ``content_type`` is set if the parameter is described by ``content`` (then ``style`` does not apply). ``encoding``
    is set if the content is a form whose properties are written in different ways. ``explode`` and ``style`` are the
    effective values. Collection formats of Swagger 2.0 are styles here; ``inner`` are the styles of the lists within a
    list. ``spans_segments``: a value in the path may have several segments with their slashes.
    """

    pointer: str
    name: str
    location: Location
    required: bool
    schema: Schema
    style: Style
    explode: bool
    allow_reserved: bool = False
    allow_empty_value: bool = False
    inner: tuple[Style, ...] = ()
    spans_segments: bool = False
    content_type: str | None = None
    encoding: Mapping[str, Encoding] = {}
    description: str = ""
    deprecated: bool = False
    examples: tuple[msgspec.Raw, ...] = ()


class Encoding(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The Encoding Object of one value in a form or multipart body; None where the document is silent.

    ``inner`` means the same as in a `Parameter`. The last three fields are for a value that is a multipart body itself
    (3.2), and mean the same as in a `MediaType`.
    """

    content_type: str | None = None
    style: Style | None = None
    explode: bool | None = None
    allow_reserved: bool = False
    inner: tuple[Style, ...] = ()
    headers: tuple[Parameter, ...] = ()
    encoding: Mapping[str, Encoding] = {}
    prefix_encoding: tuple[Encoding, ...] = ()
    item_encoding: Encoding | None = None


class MediaType(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One entry of a ``content`` map. ``name`` as written, for instance ``application/json; charset=utf-8``.

    ``encoding`` is by property. For lists (3.2), ``prefix_encoding`` is for the first items by position, and
    ``item_encoding`` for all others.
    """

    pointer: str
    name: str
    schema: Schema | None
    encoding: Mapping[str, Encoding] = {}
    prefix_encoding: tuple[Encoding, ...] = ()
    item_encoding: Encoding | None = None
    is_stream: bool = False  # 3.2: the schema is that of each item (itemSchema)
    examples: tuple[msgspec.Raw, ...] = ()  # of what is sent


class Body(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    pointer: str
    required: bool
    description: str
    media: tuple[MediaType, ...]


class Response(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """``status`` is ``"200"``, a range such as ``"2XX"``, or ``"default"``. Media types of errors have no schema.

    ``headers`` are the names of the headers that the document describes.
    """

    pointer: str
    status: str
    description: str
    media: tuple[MediaType, ...]
    headers: tuple[str, ...] = ()


def is_default_success(statuses: Iterable[str]) -> bool:
    """Whether ``default``, which covers all undocumented statuses (Responses Object), is the success: neither a success
    nor a redirect is among ``statuses``."""
    return not any(status[:1] in {"2", "3"} for status in statuses)


class SecurityChoice(msgspec.Struct, frozen=True, gc=False):
    """One alternative: every scheme named must be met. No scheme at all means anonymous access is allowed."""

    schemes: tuple[tuple[str, tuple[str, ...]], ...]  # (name of the scheme, scopes)


class SecurityScheme(msgspec.Struct, frozen=True, kw_only=True):
    """``kind`` is the document's ``type``; ``location``/``parameter`` for apiKey; ``http_scheme`` lower-case."""

    name: str
    kind: Literal["apiKey", "http", "oauth2", "openIdConnect", "mutualTLS"]
    location: Literal["header", "query", "cookie"] | None = None
    parameter: str | None = None
    http_scheme: str | None = None


class Operation(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One operation with path-level values merged in.

    ``path`` is the key in the document with a leading slash. ``query`` is the part of that key after ``?``, without its
    variables; a part after ``#`` is in the pointer only (real documents have both to distinguish operations).
    ``security``: the effective alternatives, or those of the document if the operation has none; empty if none are
    required. ``servers``: the effective URLs with variables replaced by their defaults, otherwise as written (they may
    be relative). Empty if only the document's own servers apply.
    """

    pointer: str
    method: str  # upper case
    path: str
    query: str = ""
    operation_id: str | None = None
    summary: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    deprecated: bool = False
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    responses: tuple[Response, ...] = ()
    security: tuple[SecurityChoice, ...] = ()
    servers: tuple[str, ...] = ()
    overrides: msgspec.Raw = msgspec.Raw(b"{}")  # the x-mcp object, as written
    written: str = ""  # the key of its path in the document, where that is another than ``path``

    @property
    def successes(self) -> list[Response]:
        """The answers to calls that succeed; see `is_default_success`."""
        good = [response for response in self.responses if response.status.startswith("2")]
        if good or not is_default_success(response.status for response in self.responses):
            return good
        return [response for response in self.responses if response.status == "default"]


class ApiDescription(msgspec.Struct, frozen=True, kw_only=True):
    """A whole description. ``request_schemas`` lack read-only properties, ``response_schemas`` write-only ones. The
    ``size`` is the document's, in bytes."""

    dialect: DialectName
    title: str
    version: str
    summary: str
    servers: tuple[str, ...]
    operations: tuple[Operation, ...]
    skipped: tuple[SkippedOperation, ...]
    notes: tuple[Note, ...]
    request_schemas: Mapping[str, Schema]
    response_schemas: Mapping[str, Schema]
    security_schemes: Mapping[str, SecurityScheme]
    webhooks: int = 0
    callbacks: int = 0
    size: int = 0
