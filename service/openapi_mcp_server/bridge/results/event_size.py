"""Cuts an answer that is too long for an event, and says so.

A client ends its whole session at an event that is too long (the official Python client at 1 MiB). The model would not
even learn that its call was carried out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from openapi_mcp_server.bridge.results.result import TRUNCATED
from openapi_mcp_server.mcp.messages import (
    INTERNAL_ERROR,
    AudioContent,
    BlobResource,
    Content,
    EmbeddedResource,
    ImageContent,
    Pieces,
    TextContent,
    ToolResult,
    error_response,
    one_line,
    size,
)

EVENT_BYTES = 1_000_000
"""The most bytes of one message, slightly less than the 1 MiB of a whole event."""
_MESSAGE = b'{"jsonrpc":'
"""The beginning of a message."""
_ROOM = 10_000
"""Bytes that are reserved for everything except content."""

_CUT_ESCAPE = re.compile(r"\\(?:u[0-9a-f]{0,3})?\Z")
"""A partial escape at the end of a text that was cut."""
_LONGEST_CUT = len(r"\u000")

_Members = dict[str, msgspec.Raw]
_message = msgspec.json.Decoder(_Members).decode
_messages = msgspec.json.Decoder(list[msgspec.Raw]).decode
_text = msgspec.json.Decoder(str).decode


class _Block(msgspec.Struct):
    """The small members of a content block, enough to know its kind. Large ones are not decoded."""

    type: str
    text: msgspec.Raw = msgspec.Raw(b'""')
    mimeType: str = ""  # noqa: N815 - wire name
    resource: dict[str, msgspec.Raw] = {}

    @property
    def kind(self) -> str:
        return self.mimeType or _text(self.resource.get("mimeType", msgspec.Raw(b'""'))) or self.type


_block = msgspec.json.Decoder(_Block).decode


def without_large_files(result: ToolResult) -> ToolResult:
    """The result without files that are too long for an event, with the same note as in `fitted`, so that they are
    never encoded."""
    files = [_file(block) for block in result.content]
    length = sum(_as_base64(data) for _, data in files)
    if length <= EVENT_BYTES:
        return result
    note = _note(length, EVENT_BYTES)
    kept = [
        TextContent(_left_out(kind, _as_base64(data))) if data else block
        for block, (kind, data) in zip(result.content, files, strict=True)
    ]
    promised = result.structuredContent is not msgspec.UNSET
    return ToolResult(
        content=(*kept, TextContent(note)),
        structuredContent=msgspec.Raw(msgspec.json.encode(_undocumented(note))) if promised else msgspec.UNSET,
        isError=result.isError,
        meta={**(result.meta or {}), TRUNCATED: True},
    )


def _file(block: Content) -> tuple[str, bytes]:
    """Media type and content of a file; empty for a text."""
    match block.resource if isinstance(block, EmbeddedResource) else block:
        case ImageContent(data, kind) | AudioContent(data, kind):
            return kind, data
        case BlobResource(blob=data, mimeType=kind):
            return kind, data
        case _:
            return "", b""


def _as_base64(data: bytes) -> int:
    return (len(data) + 2) // 3 * 4


def fitted(message: Pieces, limit: int = EVENT_BYTES) -> Pieces:
    """A response, or a batch of them, in at most about ``limit`` bytes."""
    if size(message) <= limit:
        return message
    if message[0] != b"[":
        return (_fitted(b"".join(message), limit),)
    parts = list(_responses(message))  # one after the other, so that no copy of all is made
    return (b"[", b",".join([_fitted(b"".join(part), limit // len(parts)) for part in parts]), b"]")


def _responses(batch: Pieces) -> Iterator[Pieces]:
    """The responses of a batch, in which brackets and commas are separate pieces. A list has such pieces, too, so only
    those before another message count."""
    start, last = 1, len(batch) - 1
    for end in range(start, last):
        if batch[end] == b"," and batch[end + 1][: len(_MESSAGE)] == _MESSAGE:
            yield batch[start:end]
            start = end + 1
    yield batch[start:last]


def _fitted(message: bytes, limit: int) -> bytes:
    return message if len(message) <= limit else _cut(_message(message), len(message), limit)


def _cut(message: _Members, length: int, limit: int) -> bytes:
    result = _message(message["result"]) if "result" in message else {}
    if "content" not in result:
        return error_response(
            msgspec.json.decode(message["id"]), INTERNAL_ERROR, f"{_said(length, limit)}; ask for application/json"
        )
    note = _note(length, limit)
    kept = _within(_messages(result["content"]), limit - _ROOM)
    changed: dict[str, Any] = {"content": [*kept, {"type": "text", "text": note}]}
    if "structuredContent" in result:
        changed["structuredContent"] = _undocumented(note)
    meta = msgspec.json.decode(result.get("_meta", b"{}"))
    return one_line(msgspec.json.encode(message | {"result": result | changed | {"_meta": meta | {TRUNCATED: True}}}))


def _said(length: int, limit: int) -> str:
    return f"The answer takes {length:,} bytes, and an event of this connection carries {limit:,}"


def _note(length: int, limit: int) -> str:
    left_out = "the rest was left out. Ask for less, or connect with Streamable HTTP, which has no such limit."
    return f"{_said(length, limit)}: {left_out}"


def _left_out(kind: str, length: int) -> str:
    return f"[{kind}, {length:,} bytes as base64, left out]"


def _undocumented(note: str) -> dict[str, str]:
    return {"undocumented": note}


def _within(blocks: list[msgspec.Raw], room: int) -> list[msgspec.Raw]:
    """Keeps as many blocks as fit. A text that is too long keeps its beginning, any other block becomes a short
    note."""
    kept = []
    for raw in blocks:
        fitting, length = raw, len(memoryview(raw))
        if length > room:
            block = _block(raw)
            text = _begun(block.text, room) if block.type == "text" else _left_out(block.kind, length)
            fitting = msgspec.Raw(msgspec.json.encode({"type": "text", "text": text}))
        room -= len(memoryview(fitting))
        kept.append(fitting)
    return kept


def _begun(text: msgspec.Raw, room: int) -> str:
    """The beginning of a text whose JSON fits into ``room`` bytes."""
    inside = bytes(memoryview(text)[1:-1][: max(room, 0)]).decode(errors="ignore")
    cut = _CUT_ESCAPE.search(inside, max(0, len(inside) - _LONGEST_CUT))
    if cut is not None:
        before = inside[: cut.start()]
        if (len(before) - len(before.rstrip("\\"))) % 2 == 0:  # else its backslash is what another one escapes
            inside = before
    return _text(f'"{inside}"')
