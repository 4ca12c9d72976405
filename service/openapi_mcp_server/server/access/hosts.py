"""The allowed values of Host, and the web pages that may send requests: the defence against DNS rebinding.

A page on the web can make a browser reach a server on the user's machine under a name of its own. Then ``Host`` is
that name and ``Origin`` that page, so both are compared with lists (2026-07-28, Streamable HTTP, Security).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress

import msgspec

from openapi_mcp_server.bridge.origins import DEFAULT_PORTS, in_ascii

LOOPBACK_HOSTS = ("localhost:*", "127.0.0.1:*", "[::1]:*")
LOOPBACK_ORIGINS = tuple(f"{scheme}://{host}" for scheme in ("http", "https") for host in LOOPBACK_HOSTS)

_AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[^\s:/?#@\[\]*,]+)(?::(\*|[0-9]{1,5}))?")


class HostList(msgspec.Struct, frozen=True):
    """``host`` and ``host:port`` as they must be sent; hosts that may have any port, or none; or every host."""

    exact: frozenset[str]
    any_port: frozenset[str]
    everything: bool

    def admits(self, authority: str) -> bool:
        """Whether the list has this value of a Host header."""
        authority = authority.lower()
        parsed = _AUTHORITY.fullmatch(authority)
        if self.everything:
            return parsed is not None or not authority
        if authority in self.exact:
            return True
        return parsed is not None and parsed[1] in self.any_port and parsed[2] != "*"


class OriginList(msgspec.Struct, frozen=True):
    """Hosts by scheme; every origin that is allowed is spelt with its scheme."""

    by_scheme: dict[str, HostList]

    def admits(self, origin: str) -> bool:
        """Whether the list has this value of an Origin header; ``null`` is never in it."""
        scheme, found, authority = origin.partition("://")
        hosts = self.by_scheme.get(scheme.lower())
        return bool(found) and hosts is not None and hosts.admits(authority)


def hosts(patterns: Iterable[str]) -> HostList:
    """``example.com``, ``example.com:8443``, ``example.com:*`` (any port or none) or ``*``.

    Raises ValueError naming the pattern that is none of these.
    """
    exact, any_port, everything = set(), set(), False
    for pattern in patterns:
        if pattern == "*":
            everything = True
            continue
        host, port = _parsed(pattern)
        if port == "*":
            any_port.add(host)
        else:
            exact.add(f"{host}:{port}" if port else host)
    return HostList(frozenset(exact), frozenset(any_port), everything)


def _parsed(pattern: str) -> tuple[str, str | None]:
    """The host, in the letters in which clients send it, and the port, if there is one."""
    parsed = _AUTHORITY.fullmatch(pattern.lower())
    with suppress(ValueError):
        if parsed is not None:
            return in_ascii(parsed[1]), parsed[2]
    raise ValueError(f"{pattern!r} is no host, host:port or host:*")


def origins(patterns: Iterable[str]) -> OriginList:
    """``https://example.com``, ``https://example.com:8443`` or ``https://example.com:*``; raises ValueError. Browsers
    send no port that is the scheme's own (RFC 6454 section 6.2)."""
    grouped: dict[str, list[str]] = {}
    for pattern in patterns:
        scheme, found, authority = pattern.lower().partition("://")
        if not found or scheme not in DEFAULT_PORTS or authority == "*":
            raise ValueError(f"{pattern!r} is no origin such as https://example.com")
        grouped.setdefault(scheme, []).append(authority.removesuffix(f":{DEFAULT_PORTS[scheme]}"))
    return OriginList({scheme: hosts(found) for scheme, found in grouped.items()})
