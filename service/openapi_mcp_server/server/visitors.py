"""Admission of requests: by the allow-lists for Host and Origin, which a page's script cannot set, and by the guard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from openapi_mcp_server.bridge.policy import ANYBODY, Principal
from openapi_mcp_server.errors import ConfigError
from openapi_mcp_server.server.access import hosts
from openapi_mcp_server.server.access.hosts import HostList, OriginList
from openapi_mcp_server.server.access.proxies import Proxies, Seen
from openapi_mcp_server.server.asgi import Scope, Send
from openapi_mcp_server.server.posts import Header, Refusal, refuse
from openapi_mcp_server.server.principals.guard import Guard
from openapi_mcp_server.server.principals.pauses import Pauses
from openapi_mcp_server.server.principals.turns import Turns
from openapi_mcp_server.settings.config import Config, is_loopback

_USUAL = {401: 0, 403: 0, 421: 0, 429: 0}
"""Statuses that are on the page of metrics before the first: `rate` would not see it otherwise."""


class Entrant(NamedTuple):
    """An admitted caller. ``share``: the name under which its memory and limits are counted."""

    principal: Principal
    share: str
    seen: Seen


class Visitors(msgspec.Struct, frozen=True):
    """Allow-lists for Host and Origin, and the guard that authenticates. Without a guard, a caller is ``anybody``."""

    hosts: HostList
    origins: OriginList
    proxies: Proxies = Proxies()
    guard: Guard | None = None
    anybody: Principal = ANYBODY
    forwarded: frozenset[bytes] = frozenset()  # headers of theirs that APIs want, in lower case
    pauses: Pauses = msgspec.field(default_factory=Pauses)  # before they are told of a refusal
    turns: Turns = msgspec.field(default_factory=Turns)
    refused: Counter[int] = msgspec.field(default_factory=lambda: Counter(_USUAL))  # requests so far, by status

    async def enter(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Entrant:
        """Admits a caller. Raises Refusal for a caller that is not allowed."""
        self.check(headers)
        seen = self.proxies.seen(scope, headers)
        if self.guard is None:
            await self.turns.wait(seen.share)
            return Entrant(self.anybody, seen.share, seen)
        try:
            principal = await self.guard.principal(scope["path"], headers, seen)
        except Refusal:
            await self.pauses.wait(f"stranger {seen.share}", headers)
            raise
        await self.turns.wait(principal.key)
        return Entrant(principal, principal.key, seen)

    async def refuse(self, send: Send, refusal: Refusal, *headers: Header) -> None:
        """Answers a request that is refused, and counts it: it has no record, since no message was carried out."""
        self.refused[refusal.status] += 1
        await refuse(send, refusal, *headers)

    def check(self, headers: Mapping[bytes, bytes]) -> None:
        """Raises Refusal for a request that is not meant for this server, or comes from a page that may not call it."""
        if not self.hosts.admits(headers.get(b"host", b"").decode("latin-1")):
            raise Refusal(
                421, "this server does not answer for the Host of the request; its operator can add it to ALLOWED_HOSTS"
            )
        if b"origin" in headers and not self.origins.admits(headers[b"origin"].decode("latin-1")):
            raise Refusal(403, "requests from this Origin are not allowed; the operator can add it to ALLOWED_ORIGINS")


def allowed(config: Config) -> Visitors:
    """The visitors that the settings allow. Raises ConfigError for a list that cannot be read."""
    try:
        host_list = hosts.hosts([*hosts.LOOPBACK_HOSTS, *_host_patterns(config)])
    except ValueError as error:
        raise ConfigError("ALLOWED_HOSTS", str(error)) from None
    try:
        origins = hosts.origins([*hosts.LOOPBACK_ORIGINS, *config.allowed_origins])
    except ValueError as error:
        raise ConfigError("ALLOWED_ORIGINS", str(error)) from None
    return Visitors(host_list, origins, Proxies(config.trusted_proxies), forwarded=config.forwarded)


def _host_patterns(config: Config) -> tuple[str, ...]:
    """The default hosts. If the server listens to other machines, only the operator knows its names. Without a list
    every Host is then served; web pages are still refused by their Origin."""
    if not config.allowed_hosts and not is_loopback(config.host):
        return ("*",)
    return config.allowed_hosts
