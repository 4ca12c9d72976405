"""An answer that is longer than an event may be: cut, and said to be.

A client that reads events ends its whole session at one that is too long (the official Python client at 1 MiB), so that
the model would not even hear that its call was carried out.
"""

from __future__ import annotations

from typing import Any

import msgspec

from openapi_mcp_server.bridge.results.result import TRUNCATED
from openapi_mcp_server.mcp.messages import INTERNAL_ERROR, Pieces, error_response, size

EVENT_BYTES = 1_000_000
"""Of one message in an event, some less than the 1 MiB of its whole."""
_ROOM = 10_000
"""What is kept for all that is not content."""

_Members = dict[str, msgspec.Raw]
_message = msgspec.json.Decoder(_Members).decode
_messages = msgspec.json.Decoder(list[msgspec.Raw]).decode
_block = msgspec.json.Decoder(dict[str, Any]).decode


def fitted(message: Pieces, limit: int = EVENT_BYTES) -> Pieces:
    """A response, or a batch of them, in at most about ``limit`` bytes."""
    return message if size(message) <= limit else (_fitted(b"".join(message), limit),)


def _fitted(message: bytes, limit: int) -> bytes:
    if len(message) <= limit:
        return message
    if message.startswith(b"["):
        parts = _messages(message)
        return b"[" + b",".join(_fitted(bytes(part), limit // len(parts)) for part in parts) + b"]"
    return _cut(_message(message), len(message), limit)


def _cut(message: _Members, length: int, limit: int) -> bytes:
    said = f"The answer takes {length:,} bytes, and an event of this connection carries {limit:,}"
    result = _message(message["result"]) if "result" in message else {}
    if "content" not in result:
        return error_response(msgspec.json.decode(message["id"]), INTERNAL_ERROR, f"{said}; ask for application/json")
    note = f"{said}: the rest was left out. Ask for less, or connect with Streamable HTTP, which has no such limit."
    kept = _within([_block(each) for each in _messages(result["content"])], limit - _ROOM)
    changed: dict[str, Any] = {"content": [*kept, {"type": "text", "text": note}]}
    if "structuredContent" in result:
        changed["structuredContent"] = {"undocumented": note}
    meta = msgspec.json.decode(result.get("_meta", b"{}"))
    return msgspec.json.encode(message | {"result": result | changed | {"_meta": meta | {TRUNCATED: True}}})


def _within(blocks: list[dict[str, Any]], room: int) -> list[dict[str, Any]]:
    """Keeps as many blocks as there is room for; of a text that is too long its beginning, of anything else a word."""
    kept = []
    for block in blocks:
        length = len(msgspec.json.encode(block))
        if length > room and block["type"] == "text":
            block = block | {"text": _begun(block["text"], room)}  # noqa: PLW2901 - the same block, shorter
        elif length > room:
            kind = block.get("mimeType") or block.get("resource", {}).get("mimeType", block["type"])
            block = {"type": "text", "text": f"[{kind}, {length:,} bytes as base64, left out]"}  # noqa: PLW2901
        room -= len(msgspec.json.encode(block))
        kept.append(block)
    return kept


def _begun(text: str, room: int) -> str:
    """The beginning of a text that takes at most ``room`` bytes in JSON, where a character takes up to twelve."""
    text = text[: max(room, 0)]
    while (length := len(msgspec.json.encode(text))) > max(room, 2):
        text = text[: len(text) * max(room, 0) // (length + 1)]
    return text
