"""The revisions of the protocol that are served, and what each era lets a client ask.

Up to 2025-11-25 a connection begins with ``initialize`` ("legacy"); from 2026-07-28 on every request says what it
speaks ("modern"; 2026-07-28, basic, Versioning, Terminology). Tests hold these tables against ``mcp_types``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

WITHOUT_SOUND: Final = "2024-11-05"
"""Audio content came with 2025-03-26."""
LEGACY: Final = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
MODERN: Final = ("2026-07-28",)
SUPPORTED: Final = (*reversed(MODERN), *reversed(LEGACY))
"""Newest first, as ``server/discover`` and a version error list them."""

WITHOUT_HEADER: Final = "2025-03-26"
"""The revision of a request without a version header (2025-11-25, basic, Transports, Protocol Version Header)."""
WITH_BATCHES: Final = "2025-03-26"
"""The one revision that obliges a server to take JSON-RPC batches; 2025-06-18 took them out again."""

LOG_LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")


class Param(NamedTuple):
    """A member of ``params`` that is looked at; the others are the client's business."""

    name: str
    kind: Literal["string", "object"]
    required: bool = False
    choices: tuple[str, ...] = ()


_CURSOR = Param("cursor", "string")
_SHARED: Mapping[str, tuple[Param, ...]] = {
    "tools/list": (_CURSOR,),
    "tools/call": (Param("name", "string", required=True), Param("arguments", "object")),
    "prompts/list": (_CURSOR,),
    "prompts/get": (Param("name", "string", required=True), Param("arguments", "object")),
    "resources/list": (_CURSOR,),
    "resources/templates/list": (_CURSOR,),
    "resources/read": (Param("uri", "string", required=True),),
    "completion/complete": (Param("ref", "object", required=True), Param("argument", "object", required=True)),
}
LEGACY_METHODS: Final[Mapping[str, tuple[Param, ...]]] = {
    "initialize": (Param("protocolVersion", "string", required=True),),
    "ping": (),
    "logging/setLevel": (Param("level", "string", required=True, choices=LOG_LEVELS),),
    **_SHARED,
}
MODERN_METHODS: Final[Mapping[str, tuple[Param, ...]]] = {
    "server/discover": (),
    "subscriptions/listen": (Param("notifications", "object", required=True),),
    **_SHARED,
}

NAMED_BY: Final = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
"""The member of ``params`` that the header Mcp-Name repeats (2026-07-28, Streamable HTTP, Standard Request Headers)."""


def is_modern(version: str) -> bool:
    return version in MODERN


def methods(version: str) -> Mapping[str, tuple[Param, ...]]:
    """The methods that a client of this revision may call, with the params that are checked."""
    return MODERN_METHODS if is_modern(version) else LEGACY_METHODS


def negotiate(requested: str) -> str:
    """The revision that answers ``initialize``: the client's if it is served, else the latest that has a handshake."""
    return requested if requested in LEGACY else LEGACY[-1]
