"""The few MCP messages that load needs, as bytes."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from loadgen.plan import MODERN, NONCE, NONCE_INTEGER, Template

_CLIENT = {"name": "loadgen", "version": "1"}
_HOLE = b"\x00"
"""Marks the place of the number; no byte of JSON text is zero."""
_encode = msgspec.json.Encoder().encode
UNDECODABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""The errors of reading a server's JSON: no UTF-8 in a text, and too deep, are Python's own."""


class Request(msgspec.Struct, frozen=True):
    """A message but for its number, which is its id and its nonce; ``pieces`` are what is around it.

    ``name`` is what the header Mcp-Name says (2026-07-28, Streamable HTTP, Standard Request Headers).
    """

    method: bytes
    name: bytes
    pieces: tuple[bytes, ...]

    def body(self, number: bytes) -> bytes:
        return number.join(self.pieces)


class RpcError(msgspec.Struct):
    code: int = 0
    message: str = ""


class Message(msgspec.Struct):
    """Anything a server says. A ``method`` marks its own requests and notifications, which are no answers."""

    id: int | str | float | None = None
    method: str = ""
    result: msgspec.Raw = msgspec.Raw()
    error: RpcError | None = None


class Arrived(NamedTuple):
    """An answer and the moment when it was there, on the loop's clock: what else its connection brings is no part of
    its latency."""

    message: Message
    at: float


class _Block(msgspec.Struct):
    text: str = ""


class ToolResult(msgspec.Struct):
    is_error: bool = msgspec.field(default=False, name="isError")
    content: msgspec.Raw = msgspec.Raw(b"[]")

    def text(self) -> str:
        """Its first text, for people."""
        try:
            return next((block.text for block in _blocks.decode(self.content) if block.text), "no text")
        except UNDECODABLE:
            return "no text"


_blocks = msgspec.json.Decoder(list[_Block])
messages: msgspec.json.Decoder[Message | list[Message]] = msgspec.json.Decoder(Message | list[Message])
tool_result = msgspec.json.Decoder(ToolResult)


def answers_of(data: bytes) -> list[Message] | None:
    """The answers in a text, which may be a batch; None where it is no message of JSON-RPC."""
    try:
        decoded = messages.decode(data)
    except UNDECODABLE:
        return None
    said = decoded if isinstance(decoded, list) else [decoded]
    return [each for each in said if not each.method and (each.id is not None or each.error is not None)]


def request(method: str, params: Mapping[str, Any], revision: str) -> Request:
    """Raises nothing: what cannot be a header is sent as base64, as the revision says."""
    if revision == MODERN:
        params = {**params, "_meta": _meta(revision)}
    whole = {"jsonrpc": "2.0", "id": NONCE_INTEGER, "method": method, "params": params}
    return Request(method.encode(), _header(str(params.get("name", ""))), _cut(_encode(whole)))


def call(template: Template, revision: str) -> Request:
    return request("tools/call", {"name": template.tool, "arguments": template.arguments}, revision)


def initialize(revision: str) -> Request:
    return request(
        "initialize", {"protocolVersion": revision, "capabilities": {}, "clientInfo": _CLIENT}, revision=revision
    )


def listen() -> Request:
    return request("subscriptions/listen", {"notifications": {"toolsListChanged": True}}, MODERN)


INITIALIZED = Request(b"notifications/initialized", b"", (b'{"jsonrpc":"2.0","method":"notifications/initialized"}',))


def _cut(encoded: bytes) -> tuple[bytes, ...]:
    marked = encoded.replace(_encode(NONCE_INTEGER), _HOLE).replace(NONCE.encode(), _HOLE)
    return tuple(marked.split(_HOLE))


def _meta(revision: str) -> dict[str, Any]:
    prefix = "io.modelcontextprotocol/"
    return {f"{prefix}protocolVersion": revision, f"{prefix}clientInfo": _CLIENT, f"{prefix}clientCapabilities": {}}


def _header(name: str) -> bytes:
    if name.isascii() and name.isprintable() and name == name.strip():
        return name.encode()
    return b"=?base64?" + base64.b64encode(name.encode()) + b"?="
