"""The answers that are the same for every client, encoded once per catalog.

All but ``tools/call`` and ``prompts/get`` end here: an answer is a request's id spliced into bytes that exist.
2,000 tools encode in 1 ms once, and are sent from that one copy (tests hold every answer against ``mcp_types``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import msgspec

from openapi_mcp_server.mcp.inbound import Call, Rejection
from openapi_mcp_server.mcp.messages import (
    INVALID_PARAMS,
    RESOURCE_NOT_FOUND,
    SERVER_INFO,
    ErrorData,
    Pieces,
    PromptEntry,
    ServerInfo,
    one_line,
    response,
)
from openapi_mcp_server.mcp.methods import SUPPORTED, is_modern

LIST_TTL_MS = 300_000
"""How long a client of 2026-07-28 may keep a list. A catalog is replaced by a reload only, so minutes are right."""

_SILENT: dict[str, Any] = {"tools": {}, "prompts": {}, "resources": {}, "completions": {}}
"""Capabilities where nobody can be told of a change: statelessly, up to 2025-11-25. What is answered is declared, and
the reverse. Resources: answers embed them, and the specification (Tools, Embedded Resources) asks for the capability
then; none is listed. No logging: nothing is ever sent."""

_CACHING: dict[str, Any] = {"ttlMs": LIST_TTL_MS, "cacheScope": "public"}
_NO_COMPLETION: dict[str, Any] = {"completion": {"values": [], "total": 0, "hasMore": False}}

SHOWN_URI = 2_000
"""Characters of an unknown resource's name that are repeated: more than any URI in use has."""

Pages = Mapping[str, bytes]
"""Cursor → the members of a list result, without the braces; the first page's cursor is the empty string."""


class StaticAnswers(msgspec.Struct, frozen=True, kw_only=True):
    """Results by (method, revision, whether the connection lasts). Lists by method, since a big one is kept once:
    revisions differ in their ends."""

    results: Mapping[tuple[str, str, bool], bytes]
    lists: Mapping[str, Pages]
    modern_end: bytes

    def to(self, call: Call, *, lasting: bool = False) -> Pieces | Rejection | None:
        """The whole JSON-RPC response, or None: the answer depends on more than the catalog.

        ``lasting``: the client can be told of something later, since its connection is a conversation.
        """
        if (pages := self.lists.get(call.method)) is not None:
            page = pages.get(call.cursor or "")
            if page is None:
                return _refuse(call, INVALID_PARAMS, "unknown cursor; ask for the first page again")
            return response(call.id, b"{", memoryview(page), self.modern_end if is_modern(call.version) else b"}")
        if call.method == "resources/read":
            code = INVALID_PARAMS if is_modern(call.version) else RESOURCE_NOT_FOUND
            return _refuse(call, code, "resource not found", {"uri": call.name[:SHOWN_URI]})
        found = self.results.get((call.method, call.version, lasting))
        return None if found is None else response(call.id, found)


def render(
    *,
    server: ServerInfo,
    instructions: str = "",
    tools: Sequence[msgspec.Raw],
    prompts: Sequence[PromptEntry],
    page_size: int = 0,
    changing: Sequence[str] = (),
) -> StaticAnswers:
    """``tools`` are encoded list entries; ``page_size`` 0 puts all of them on one page; ``changing`` are the lists
    whose changes are announced."""
    telling = _SILENT | {capability: {"listChanged": True} for capability in changing}
    added = {"resultType": "complete", "_meta": {SERVER_INFO: server}}
    results: dict[tuple[str, str, bool], bytes] = {}
    for version, lasting in product(SUPPORTED, (False, True)):
        about: dict[str, Any] = {"capabilities": telling if lasting or is_modern(version) else _SILENT}
        about |= {"instructions": instructions} if instructions else {}
        found = _modern(about, added) if is_modern(version) else _legacy(version, about, server)
        results |= {(method, version, lasting): _encode(value) for method, value in found.items()}
    return StaticAnswers(
        results=results,
        lists={
            "tools/list": _pages("tools", tools, page_size),
            "prompts/list": _pages("prompts", [msgspec.Raw(msgspec.json.encode(entry)) for entry in prompts], 0),
            "resources/list": _pages("resources", [], 0),
            "resources/templates/list": _pages("resourceTemplates", [], 0),
        },
        modern_end=b"," + _encode(_CACHING | added)[1:],
    )


def _legacy(version: str, about: dict[str, Any], server: ServerInfo) -> dict[str, dict[str, Any]]:
    return {
        "initialize": {"protocolVersion": version, **about, "serverInfo": server},
        "ping": {},
        "logging/setLevel": {},
        "completion/complete": _NO_COMPLETION,
    }


def _modern(about: dict[str, Any], added: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        "server/discover": {"supportedVersions": SUPPORTED, **about, **_CACHING, **added},
        "completion/complete": _NO_COMPLETION | added,
    }


def _pages(member: str, entries: Sequence[msgspec.Raw], size: int) -> Pages:
    if not 0 < size < len(entries):
        return {"": _encode({member: entries})[1:-1]}
    starts = range(0, len(entries), size)
    cursors = ["", *_cursors(entries, starts[1:])]
    pages: dict[str, bytes] = {}
    for start, cursor, following in zip(starts, cursors, [*cursors[1:], None], strict=True):
        page: dict[str, Any] = {member: entries[start : start + size]}
        pages[cursor] = _encode(page | ({"nextCursor": following} if following else {}))[1:-1]
    return pages


def _cursors(entries: Sequence[msgspec.Raw], starts: Sequence[int]) -> list[str]:
    """Digests of a position in this very list: none can be guessed, and none outlives its list."""
    whole = hashlib.blake2b(digest_size=16)
    for entry in entries:
        whole.update(memoryview(entry))
    return [hashlib.blake2b(b"%d" % start, key=whole.digest(), digest_size=12).hexdigest() for start in starts]


def _refuse(call: Call, code: int, message: str, data: ErrorData = msgspec.UNSET) -> Rejection:
    return Rejection(id=call.id, code=code, message=message, status=200, data=data)


def _encode(value: dict[str, Any]) -> bytes:
    return one_line(msgspec.json.encode(value))
