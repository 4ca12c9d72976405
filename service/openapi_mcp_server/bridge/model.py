"""The values that pass between the catalog, the path of a call and other rooms: immutable, compiled once at load."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, Literal, TypeVar

import msgspec

from openapi_mcp_server.bridge.http_messages import IDEMPOTENT_METHODS, SAFE_METHODS
from openapi_mcp_server.bridge.origins import BaseUrl, Origin
from openapi_mcp_server.openapi.model import MediaType, Note, Schema, SecurityScheme, SkippedOperation
from openapi_mcp_server.settings.auth import Identity, KeyLocation

NAME_LENGTH = 64
"""The most characters of a name; several model APIs refuse longer ones."""
RESPONSE_FILTER = "response_filter"
"""The only argument of our own; see `openapi_mcp_server.bridge.results.response_filter`."""

Encoder = Callable[[Any], str]
"""Turns an argument's JSON value into the exact text on the wire; raises `ArgumentError` if it cannot be sent.

The text's meaning depends on the slot's location: path: the text of the hole (with the style's prefix);
query: whole pieces such as ``a=1&a=2`` (empty: nothing is sent); header: the field value;
cookie: whole pieces such as ``a=1; b=2``; querystring: the whole query.
"""

BodyWriter = Callable[[Any], tuple[str, bytes]]
"""Turns a body's JSON value into (value of Content-Type, bytes); raises `ArgumentError`."""


Recipe = TypeVar("Recipe")
Result = TypeVar("Result")


Encoded = bytes | memoryview


class Deferred(Generic[Recipe, Result]):
    """A function that is made from its recipe at the first call. A recipe is data that can be kept in a file."""

    __slots__ = ("_made", "_make", "recipe")

    def __init__(self, make: Callable[[Recipe], Callable[[Any], Result]], recipe: Recipe) -> None:
        self.recipe = recipe
        self._make = make
        self._made: Callable[[Any], Result] | None = None

    def __call__(self, value: Any) -> Result:  # noqa: ANN401 - a JSON value
        made = self._made
        if made is None:
            made = self._made = self._make(self.recipe)
        return made(value)


class BodyRecipe(msgspec.Struct, frozen=True, gc=False):
    """The recipe for the writer of a body: its media type, and the definitions of that type's schema."""

    media: MediaType
    definitions: Mapping[str, Schema] = {}


class Slot(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The place of one argument in a request."""

    argument: str  # its name in the tool's input schema
    name: str  # its name on the wire
    location: str  # path, query, header, cookie, querystring
    required: bool
    encode: Encoder
    spans_segments: bool = False  # of a path: its text may hold slashes


class BodyPlan(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How the body is made: from one argument ``whole``, or from the flat arguments ``properties``.

    ``properties`` maps argument to property name. ``writers`` maps each usable media type, as documented, to its
    writer, the default first. ``by_type`` has the writers for values that the default does not accept, by the value's
    type. ``chooser`` is the argument that selects one of several writers. ``needed`` are the arguments that an optional
    body requires. ``open``: the body accepts properties that are no arguments.
    """

    required: bool
    whole: str | None
    properties: Mapping[str, str]
    writers: Mapping[str, BodyWriter]
    by_type: Mapping[type, BodyWriter] = {}
    chooser: str | None = None
    needed: tuple[str, ...] = ()
    open: bool = False


class ToolForm(msgspec.Struct, frozen=True, kw_only=True):
    """The settings for listing tools; they are the same for all APIs.

    ``response_filter``: tools that answer JSON offer that argument. ``output_schemas``: tools have output schemas.
    ``portable``: schemas have the form that every model API accepts. ``name_length``: the most characters of a tool's
    name. ``result_bytes``: the most bytes of a result, 0 without a limit.
    """

    response_filter: bool = False
    output_schemas: bool = True
    portable: bool = False
    name_length: int = NAME_LENGTH
    result_bytes: int = 1


class KeyPlace(msgspec.Struct, frozen=True, kw_only=True):
    """The place of an API key."""

    name: str
    location: KeyLocation


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the configured credentials meet the document's requirements; ``reason`` says why they do not.

    ``credentials`` are those that are sent: names in AUTH_SCHEMES, or the empty name for the API's own.
    """

    kind: Literal["met", "anonymous", "unmet"]
    reason: str = ""
    credentials: tuple[str, ...] = ()
    advice: str = ""  # what its operator can do about it


ANONYMOUS = Access(kind="anonymous")
"""The document requires nothing, or allows calls without credentials."""


TextOf = Literal["json", "values"]
"""Arguments that are listed as text: objects, lists or any value ("json"), or numbers of an enumeration ("values")."""
Texts = TextOf | dict[str, "Texts"] | list["Texts"] | None
"""The places that are listed as text: by names of members, and one for all items of a list."""


class Spelling(msgspec.Struct, frozen=True, kw_only=True):
    """The differences between listed and real arguments. ``names`` maps listed names to real ones."""

    names: Mapping[str, str] = {}
    texts: Texts = None


class CheckedSchema:
    """An encoded schema in pieces. Most pieces are definitions that many tools share; separate copies would take 160 MB
    for Microsoft Graph. The whole is put together at the first use, and then kept."""

    __slots__ = ("_whole", "definitions", "head", "tail")

    def __init__(self, head: Encoded, definitions: tuple[Encoded, ...] = (), tail: bytes = b"") -> None:
        """``definitions`` have their names, and stand between ``head`` and ``tail``."""
        self.head = head
        self.definitions = definitions
        self.tail = tail
        self._whole: bytes | None = None

    @property
    def whole(self) -> bytes:
        """Self-contained JSON."""
        if self._whole is None:
            definitions = b',"$defs":{%b}' % b",".join(self.definitions) if self.definitions else b""
            self._whole = b"".join((self.head, definitions, self.tail))
        return self._whole

    def __len__(self) -> int:
        """The number of bytes, without putting them together."""
        inner = sum(map(len, self.definitions)) + len(self.definitions) - 1 + len(b',"$defs":{}')
        return len(self.head) + (inner if self.definitions else 0) + len(self.tail)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CheckedSchema) and self.whole == other.whole

    def __hash__(self) -> int:
        return hash(self.whole)


class InputContract(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The contract that arguments must meet; `openapi_mcp_server.bridge.arguments.check.check` applies it.

    ``schema`` is self-contained JSON with everything in the tool's inputSchema, and more. It is bytes and not Raw
    because bytes remember their hash, by which each call looks up the compiled validator. If ``spelling`` is None,
    arguments are listed as they are. ``is_shortened``: the list leaves out some of them.
    """

    checked: CheckedSchema
    names: tuple[str, ...]  # every argument
    required: tuple[str, ...] = ()
    spelling: Spelling | None = None
    is_shortened: bool = False

    @property
    def schema(self) -> bytes:
        return self.checked.whole


class OutputContract(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The tool's outputSchema. ``wrapped``: an answer that is no object goes under the key ``result``.

    The schema also accepts an answer that is not as documented, under the key ``undocumented``, and for a
    ``filterable`` tool a filtered answer, under the key ``filtered``.
    """

    schema: msgspec.Raw
    wrapped: bool


class Paging(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The arguments by which an operation pages, empty if there is none: the number of rows or pages (from ``first``),
    the size of a page, a token of the last answer, the id of the last row. ``is_forward``: ids certainly lead to later
    rows.
    """

    offset: str = ""
    first: int = 0
    page: str = ""
    first_page: int = 1
    size: str = ""
    token: str = ""
    after: str = ""
    is_forward: bool = True


class Subject(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The facts of an operation for rules. ``written`` is the key of its path in the document, if it differs from
    ``path``. ``scopes`` (``x-mcp-scopes``) are all required."""

    api: str
    method: str
    path: str
    operation_id: str = ""
    tags: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    written: str = ""


SEEN_BYTES_PER_TOKEN = 4.3
"""Bytes of names, descriptions and schemas in a list for each token of o200k: 4.09 to 4.70 in fifteen published
documents."""


class Withheld(msgspec.Struct, frozen=True):
    """Arguments that an override fixes or hides: their names in the tool's schema, and their normalized names on the
    wire by place (``query``, ``cookie``, ``body``)."""

    arguments: frozenset[str]
    names: frozenset[tuple[str, str]]


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """One compiled operation: its list entry is bytes, and its request only has holes to fill.

    ``path`` is literal text (percent-encoded) and indexes into ``slots`` (int), base path included. ``accept`` is the
    value of the Accept header. ``entry`` is the encoded element of tools/list. ``digest`` is a hash of everything in
    it, and changes when a model would see another tool.
    """

    name: str
    api: str
    method: str
    pointer: str
    template: str  # the document's path, for logs and metrics
    origin: Origin
    path: tuple[str | int, ...]
    fixed_query: str
    slots: tuple[Slot, ...]
    body: BodyPlan | None
    accept: str
    access: Access = ANONYMOUS
    input: InputContract
    output: OutputContract | None
    answers: OutputContract | None = None  # what its document says of answers, where that is not declared to clients
    entry: msgspec.Raw
    digest: str = ""
    filterable: bool = False  # whether it has the argument RESPONSE_FILTER
    paging: Paging | None = None
    headers: Mapping[str, str] = {}  # that its document describes of answers: as written, by name in lower case
    title: str
    summary: str
    deprecated: bool = False
    seen_bytes: int = 0  # of its list entry, what clients show to a model: name, description, arguments
    fixed: Mapping[str, Any] = {}  # values of arguments that no model sees or chooses
    withheld: Withheld | None = None  # fixed and hidden arguments; None if there are none
    subject: Subject = Subject(api="", method="", path="")  # as the rules of `openapi_mcp_server.bridge.policy` see it

    @property
    def operation(self) -> str:
        """The operation as written in its document: ``GET /pets/{id}``."""
        return f"{self.method} {self.template}"

    @property
    def tokens(self) -> int:
        """The approximate number of tokens that a model pays for the tool in a list."""
        return int(self.seen_bytes / SEEN_BYTES_PER_TOKEN)

    @property
    def is_safe(self) -> bool:
        return self.method in SAFE_METHODS

    @property
    def is_idempotent(self) -> bool:
        return self.method in IDEMPOTENT_METHODS


class SkippedTool(msgspec.Struct, frozen=True, kw_only=True):
    """An operation of one API that became no tool. ``subject`` is None if no caller may know of it, since it is hidden,
    or too little of it could be read to know who may see it."""

    api: str
    operation: SkippedOperation
    subject: Subject | None = None


class ApiSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A summary of one API after its tools are made."""

    name: str
    title: str
    version: str
    dialect: str
    base: BaseUrl
    origins: frozenset[Origin]  # its base's, and those of its other servers that the operator allows
    tools: int
    filtered: int  # left out by INCLUDE_TAGS, ALLOW_OPERATIONS and the like
    notes: tuple[Note, ...]
    security_schemes: Mapping[str, SecurityScheme]
    key_places: Mapping[str, KeyPlace]  # of the configured keys, by scheme; empty for the API's own
    identity: Identity = Identity()
    unmet: int  # tools whose credentials are not configured


class ToolCatalog(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is served, as one immutable value that is replaced as a whole.

    ``listed`` has the entries of all tools with commas between them; the tools' own entries may be slices of it.
    ``closed`` are operations closed to everybody that a call of a tool could name.
    """

    apis: tuple[ApiSummary, ...]
    tools: Mapping[str, Tool]  # by name, in the order of the documents
    skipped: tuple[SkippedTool, ...]
    listed: memoryview | None = None
    closed: tuple[Subject, ...] = ()

    @property
    def list_bytes(self) -> int:
        """The number of bytes of all elements of tools/list."""
        return sum(len(bytes(tool.entry)) for tool in self.tools.values())
