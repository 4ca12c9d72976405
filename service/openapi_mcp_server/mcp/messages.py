"""The MCP objects this server sends, spelt as the schema spells them, encoded by msgspec.

Sources: schema of revisions 2025-11-25 and 2026-07-28; tests hold these against ``mcp_types``.
Everything is encoded once: a tool's list entry at load, a result when its call ends. A response is spliced from
pieces that are JSON already, and is always one line: server-sent events and stdio end a message at a newline.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

RequestId = str | int
"""JSON-RPC's id of a request; MCP forbids null and fractions (2025-11-25, basic, Requests)."""

Pieces = tuple[bytes | memoryview, ...]
"""A message in pieces that are sent one after the other: a large one is not copied to be put together. A piece that is
a memoryview is of something that is kept anyway, however many clients it is sent to."""

ErrorData = dict[str, Any] | msgspec.UnsetType
"""``data`` of a JSON-RPC error."""

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
RESOURCE_NOT_FOUND = -32002
"""Revisions up to 2025-11-25 only; 2026-07-28 says INVALID_PARAMS and forbids this code."""
HEADER_MISMATCH = -32020
UNSUPPORTED_VERSION = -32022
"""These two are of 2026-07-28 (basic, Error Codes)."""

_SEPARATORS = {"\x85".encode(): rb"\u0085", "\u2028".encode(): rb"\u2028", "\u2029".encode(): rb"\u2029"}
"""Characters that end no line of server-sent events or of stdio (2026-07-28, stdio; WHATWG HTML section 9.2.6), but do
for clients that split by Python's ``str.splitlines`` (httpx-sse before 0.4.2) or by Node's ``readline``. Such a client
would lose the answer and wait for it. JSON may have them as they are (RFC 8259 section 7), and as escapes as well."""

SERVER_INFO = "io.modelcontextprotocol/serverInfo"
"""Key in a result's ``_meta`` by which a server of 2026-07-28 says who it is."""


class Annotations(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """ToolAnnotations: hints about what a tool does."""

    title: str | msgspec.UnsetType = msgspec.UNSET
    readOnlyHint: bool | msgspec.UnsetType = msgspec.UNSET  # noqa: N815 - wire name
    destructiveHint: bool | msgspec.UnsetType = msgspec.UNSET  # noqa: N815 - wire name
    idempotentHint: bool | msgspec.UnsetType = msgspec.UNSET  # noqa: N815 - wire name
    openWorldHint: bool | msgspec.UnsetType = msgspec.UNSET  # noqa: N815 - wire name


class ToolEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One element of ``tools/list``."""

    name: str
    title: str | msgspec.UnsetType = msgspec.UNSET
    description: str | msgspec.UnsetType = msgspec.UNSET
    inputSchema: msgspec.Raw  # noqa: N815 - wire name
    outputSchema: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET  # noqa: N815 - wire name
    annotations: Annotations | msgspec.UnsetType = msgspec.UNSET
    meta: dict[str, Any] | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="_meta")


class PromptArgument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    name: str
    description: str | msgspec.UnsetType = msgspec.UNSET
    required: bool = False


class PromptEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One element of ``prompts/list``."""

    name: str
    title: str | msgspec.UnsetType = msgspec.UNSET
    description: str | msgspec.UnsetType = msgspec.UNSET
    arguments: tuple[PromptArgument, ...] = ()


class TextContent(msgspec.Struct, frozen=True, tag_field="type", tag="text"):
    text: str


class ImageContent(msgspec.Struct, frozen=True, tag_field="type", tag="image"):
    """``data`` becomes base64 as it is encoded: of 9 MB no second copy is made before."""

    data: bytes
    mimeType: str  # noqa: N815 - wire name


class AudioContent(msgspec.Struct, frozen=True, tag_field="type", tag="audio"):
    """``data`` as in a picture."""

    data: bytes
    mimeType: str  # noqa: N815 - wire name


class TextResource(msgspec.Struct, frozen=True, kw_only=True):
    uri: str
    mimeType: str  # noqa: N815 - wire name
    text: str


class BlobResource(msgspec.Struct, frozen=True, kw_only=True):
    """``blob`` as the data of a picture."""

    uri: str
    mimeType: str  # noqa: N815 - wire name
    blob: bytes


class EmbeddedResource(msgspec.Struct, frozen=True, tag_field="type", tag="resource"):
    resource: TextResource | BlobResource


Content = TextContent | ImageContent | AudioContent | EmbeddedResource


class ToolResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The ``result`` of ``tools/call`` less what the era adds (``resultType``, ``serverInfo``)."""

    content: tuple[Content, ...]
    structuredContent: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET  # noqa: N815 - wire name
    isError: bool = False  # noqa: N815 - wire name
    meta: dict[str, Any] | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="_meta")


class PromptMessage(msgspec.Struct, frozen=True, kw_only=True):
    role: Literal["user", "assistant"] = "user"
    content: Content


class PromptResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The ``result`` of ``prompts/get`` less what the era adds."""

    description: str | msgspec.UnsetType = msgspec.UNSET
    messages: tuple[PromptMessage, ...]
    meta: dict[str, Any] | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="_meta")


class ServerInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Implementation: who answers."""

    name: str
    version: str


def without_sound(value: ToolResult, uri: str) -> ToolResult:
    """A result whose sound is a resource, for clients that know none and refuse the whole answer for it."""
    return msgspec.structs.replace(value, content=tuple(_as_resource(each, uri) for each in value.content))


def _as_resource(content: Content, uri: str) -> Content:
    if not isinstance(content, AudioContent):
        return content
    return EmbeddedResource(BlobResource(uri=uri, mimeType=content.mimeType, blob=content.data))


def result(value: ToolResult | PromptResult, server: ServerInfo | None) -> bytes:
    """A result made for one call. ``server`` is given for 2026-07-28, whose results say their type and their server."""
    if server is None:
        return one_line(_encode(value))
    meta = {SERVER_INFO: server} | (value.meta or {})
    return one_line(b'{"resultType":"complete",' + _encode(msgspec.structs.replace(value, meta=meta))[1:])


def response(request_id: RequestId, *pieces: bytes | memoryview) -> Pieces:
    """A JSON-RPC response; the pieces together are its result, in JSON."""
    return (b'{"jsonrpc":"2.0","id":%b,"result":' % _encode(request_id), *pieces, b"}")


def size(pieces: Pieces) -> int:
    """The size of a message in bytes."""
    return sum(map(len, pieces))


def own_size(pieces: Pieces) -> int:
    """The bytes of what is kept for this message alone."""
    return sum([len(piece) for piece in pieces if type(piece) is bytes])


def error_response(request_id: RequestId | None, code: int, message: str, data: ErrorData = msgspec.UNSET) -> bytes:
    """A JSON-RPC error; the id is null where it could not be read (JSON-RPC 2.0 section 5)."""
    return one_line(_encode(_Failure(id=request_id, error=_Error(code=code, message=message, data=data))))


def progress(token: RequestId, seconds: int, message: str) -> bytes:
    """``notifications/progress``: ``seconds`` since the call began, which only grow, as the protocol asks."""
    return _encode(_Progress(params=_ProgressParams(progressToken=token, progress=seconds, message=message)))


def one_line(json: bytes) -> bytes:
    """The same JSON in a single line, for every reader of lines. Newlines can only be white space, since strings escape
    them."""
    if b"\n" in json or b"\r" in json:
        json = msgspec.json.format(json, indent=-1)
    return json if json.isascii() else _without_separators(json)


def _without_separators(json: bytes) -> bytes:
    for separator, escape in _SEPARATORS.items():
        json = json.replace(separator, escape)
    return json


class _Error(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    code: int
    message: str
    data: ErrorData = msgspec.UNSET


class _Failure(msgspec.Struct, frozen=True, kw_only=True, tag_field="jsonrpc", tag="2.0"):
    id: RequestId | None
    error: _Error


class _ProgressParams(msgspec.Struct, frozen=True, kw_only=True):
    progressToken: RequestId  # noqa: N815 - wire name
    progress: int
    message: str


class _Progress(msgspec.Struct, frozen=True, kw_only=True, tag_field="jsonrpc", tag="2.0"):
    method: str = "notifications/progress"
    params: _ProgressParams


_encode = msgspec.json.Encoder().encode
