"""The answers that are the same for every client, encoded once per catalog.

All but ``tools/call`` and ``prompts/get`` end here: an answer is a request's id spliced into bytes that exist.
2,000 tools encode in 1 ms once, and are sent from that one copy (tests hold every answer against ``mcp_types``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from itertools import accumulate, product
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
then. No logging: nothing is ever sent."""

_CACHING: dict[str, Any] = {"ttlMs": LIST_TTL_MS, "cacheScope": "public"}
_NO_COMPLETION: dict[str, Any] = {"completion": {"values": [], "total": 0, "hasMore": False}}

PAGE_BYTES = 1_000_000
"""The most bytes of a page that goes out as an event: the official Python client ends its session for a longer event
than 1 MiB."""
SHOWN_URI = 2_000
"""Characters of an unknown resource's name that are repeated: more than any URI in use has."""

Pages = Mapping[str, tuple[bytes | memoryview, ...]]
"""Cursor → the members of a list result in pieces, without the braces; the first page's cursor is the empty string.
The entries are slices of one copy."""


class StaticAnswers(msgspec.Struct, frozen=True, kw_only=True):
    """Results by (method, revision, whether the connection lasts). Lists by method, since a big one is kept once:
    revisions differ in their ends."""

    results: Mapping[tuple[str, str, bool], bytes]
    lists: Mapping[str, Pages]
    lists_in_events: Mapping[str, Pages]
    modern_end: bytes

    def to(self, call: Call, *, lasting: bool = False, in_events: bool = False) -> Pieces | Rejection | None:
        """The whole JSON-RPC response, or None: the answer depends on more than the catalog.

        ``lasting``: the client can be told of something later, since its connection is a conversation. ``in_events``:
        it takes server-sent events only, which must not be long.
        """
        lists = self.lists_in_events if in_events else self.lists
        if (pages := lists.get(call.method)) is not None:
            page = pages.get(call.cursor or "")
            if page is None:
                return _refuse(call, INVALID_PARAMS, "unknown cursor; ask for the first page again")
            return response(call.id, b"{", *page, self.modern_end if is_modern(call.version) else b"}")
        if call.method == "resources/read":
            code = INVALID_PARAMS if is_modern(call.version) else RESOURCE_NOT_FOUND
            return _refuse(call, code, "resource not found", {"uri": call.name[:SHOWN_URI]})
        found = self.results.get((call.method, call.version, lasting))
        return None if found is None else response(call.id, found)


class ListedEntries(msgspec.Struct, frozen=True, kw_only=True):
    """The entries of all lists. ``tools`` are encoded already, ``listed`` the same in one text, if there is one."""

    tools: Sequence[msgspec.Raw]
    listed: memoryview | None = None
    prompts: Sequence[PromptEntry]
    resources: Sequence[Mapping[str, str]] = ()
    templates: Sequence[Mapping[str, str]] = ()


def render(
    server: ServerInfo,
    entries: ListedEntries,
    *,
    page_size: int = 0,
    changing: Sequence[str] = (),
    private: bool = False,
) -> StaticAnswers:
    """``page_size``: tools on one page, 0 for all of them; ``changing`` are the lists whose changes are announced;
    ``private``: other clients get other lists.
    """
    caching = _CACHING | ({"cacheScope": "private"} if private else {})
    telling = _SILENT | {capability: {"listChanged": True} for capability in changing}
    added = _added(server)
    results: dict[tuple[str, str, bool], bytes] = {}
    for version, lasting in product(SUPPORTED, (False, True)):
        about: dict[str, Any] = {"capabilities": telling if lasting or is_modern(version) else _SILENT}
        found = _modern(about, added, caching) if is_modern(version) else _legacy(version, about, server)
        results |= {(method, version, lasting): _encode(value) for method, value in found.items()}
    lists = {
        "tools/list": _List("tools", entries.tools, page_size, entries.listed),
        "prompts/list": _List("prompts", _raw(entries.prompts)),
        "resources/list": _List("resources", _raw(entries.resources)),
        "resources/templates/list": _List("resourceTemplates", _raw(entries.templates)),
    }
    return StaticAnswers(
        results=results,
        lists={method: each.pages() for method, each in lists.items()},
        lists_in_events={method: each.pages(PAGE_BYTES) for method, each in lists.items()},
        modern_end=b"," + _encode(caching | added)[1:],
    )


def _raw(entries: Sequence[object]) -> list[msgspec.Raw]:
    return [msgspec.Raw(msgspec.json.encode(entry)) for entry in entries]


def _legacy(version: str, about: dict[str, Any], server: ServerInfo) -> dict[str, dict[str, Any]]:
    return {
        "initialize": {"protocolVersion": version, **about, "serverInfo": server},
        "ping": {},
        "logging/setLevel": {},
        "completion/complete": _NO_COMPLETION,
    }


def _modern(about: dict[str, Any], added: dict[str, Any], caching: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        "server/discover": {"supportedVersions": SUPPORTED, **about, **caching, **added},
        "completion/complete": _NO_COMPLETION | added,
    }


class _List:
    """The entries of one list, encoded once; its pages are slices of that. ``size`` 0: any number on a page. ``whole``:
    the entries in one line with commas between, if somebody has that already."""

    def __init__(
        self, member: str, entries: Sequence[msgspec.Raw], size: int = 0, whole: memoryview | None = None
    ) -> None:
        encoded: Sequence[bytes | memoryview] = [memoryview(entry) for entry in entries]
        if whole is None:
            encoded = [one_line(bytes(entry)) for entry in entries]
            whole = memoryview(b",".join(encoded))
        self._start = b'"%b":[' % member.encode()
        self._ends = list(accumulate(len(entry) + 1 for entry in encoded))  # a comma after each
        self._size = size or len(encoded)
        self._whole = whole

    def pages(self, most: int | None = None) -> Pages:
        """The pages of the list, at most ``most`` bytes on each, if one entry has no more."""
        starts = self._starts(most or len(self._whole))
        cursors = ["", *self._cursors(starts[1:])]
        pages: dict[str, tuple[bytes | memoryview, ...]] = {}
        for index, cursor in enumerate(cursors):
            end = starts[index + 1] if index + 1 < len(starts) else len(self._ends)
            rest = b'],"nextCursor":"%b"' % cursors[index + 1].encode() if index + 1 < len(cursors) else b"]"
            pages[cursor] = (self._start, self._between(starts[index], end), rest)
        return pages

    def _starts(self, most: int) -> list[int]:
        """The first entry of each page."""
        starts = [0]
        for index, end in enumerate(self._ends):
            first = starts[-1]
            if index > first and (index - first == self._size or end - 1 - self._offset(first) > most):
                starts.append(index)
        return starts

    def _offset(self, index: int) -> int:
        return self._ends[index - 1] if index else 0

    def _between(self, first: int, end: int) -> memoryview:
        return self._whole[self._offset(first) : max(self._offset(end) - 1, 0)]

    def _cursors(self, starts: Sequence[int]) -> list[str]:
        """Digests of a position in this very list: none can be guessed, and none outlives its list."""
        key = hashlib.blake2b(self._whole, digest_size=16).digest() if starts else b""
        return [hashlib.blake2b(b"%d" % start, key=key, digest_size=12).hexdigest() for start in starts]


def completion(values: Sequence[str], most: int, server: ServerInfo | None) -> bytes:
    """The result of ``completion/complete``. ``server`` is given for 2026-07-28."""
    found = {"values": values[:most], "total": len(values), "hasMore": len(values) > most}
    return _encode({"completion": found} | _added(server))


def contents(uri: str, media_type: str, text: str, server: ServerInfo | None, *, private: bool) -> bytes:
    """The result of ``resources/read``. ``server`` is given for 2026-07-28."""
    caching = {} if server is None else _CACHING | ({"cacheScope": "private"} if private else {})
    read = {"uri": uri, "mimeType": media_type, "text": text}
    return _encode({"contents": [read]} | caching | _added(server))


def _added(server: ServerInfo | None) -> dict[str, Any]:
    return {} if server is None else {"resultType": "complete", "_meta": {SERVER_INFO: server}}


def _refuse(call: Call, code: int, message: str, data: ErrorData = msgspec.UNSET) -> Rejection:
    return Rejection(id=call.id, code=code, message=message, status=200, data=data)


def _encode(value: dict[str, Any]) -> bytes:
    return one_line(msgspec.json.encode(value))
