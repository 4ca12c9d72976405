"""Where requests may go: the outbound address rule, and the dialler that keeps it.

A name is resolved once, every address it has is checked, and a checked address is what is dialled: a name that
points elsewhere a moment later (DNS rebinding) changes nothing. ``Host`` and TLS keep the name.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Literal

import anyio
import msgspec

from openapi_mcp_server.errors import Refused
from openapi_mcp_server.upstream.names import Lookups
from openapi_mcp_server.upstream.sockets import (
    ConnectError,
    ConnectTimeout,
    Dialler,
    Stream,
    TcpDialler,
    connect_error,
)

CONNECT_SECONDS = 10.0
"""For a connection in all, its name included, where the caller sets no time of its own."""
ATTEMPT_SECONDS = 2.0
"""For one address of a name while others are left: an address that swallows packets must not cost the whole time."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
AddressKind = Literal["public", "private", "never"]
"""``never``: nothing that an API could be behind, or the metadata service of a cloud."""
Resolve = Callable[[str, int], Awaitable[list[str]]]

_SPECIAL: tuple[tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, AddressKind], ...] = tuple(
    (ipaddress.ip_network(network), kind)  # type: ignore[misc]  # mypy takes the literals below for any text
    for network, kind in (
        ("100.100.100.200/32", "never"),  # Alibaba's metadata service
        ("168.63.129.16/32", "never"),  # Azure's, at a public address
        ("fd00:ec2::/32", "never"),  # Amazon's services on the machine itself
        ("fd20:ce::/32", "never"),  # Google's
        ("0.0.0.0/8", "never"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "private"),  # RFC 6598
        ("127.0.0.0/8", "private"),
        ("169.254.0.0/16", "never"),  # link-local, with everybody else's metadata service
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "never"),
        ("192.0.2.0/24", "never"),  # documentation
        ("192.88.99.0/24", "never"),  # 6to4 relays
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "private"),  # benchmarks
        ("198.51.100.0/24", "never"),  # documentation
        ("203.0.113.0/24", "never"),  # documentation
        ("224.0.0.0/4", "never"),  # multicast
        ("240.0.0.0/4", "never"),  # reserved, broadcast
        ("0.0.0.0/0", "public"),
        ("::1/128", "private"),
        ("2001::/23", "never"),  # Teredo, ORCHID and the rest of the IETF's own
        ("2001:db8::/32", "never"),  # documentation
        ("2002::/16", "never"),  # 6to4 hides an IPv4 address and is retired (RFC 7526)
        ("3fff::/20", "never"),  # documentation
        ("2000::/3", "public"),  # all of the global unicast space that is assigned
        ("fc00::/7", "private"),
        ("::/0", "never"),  # link-local, site-local, multicast, IPv4-compatible, unassigned
    )
)
"""The IANA special-purpose registries (RFC 6890) with the more specific rows first; the first that holds decides."""
_CARRIES_IPV4 = (ipaddress.IPv6Network("::ffff:0:0/96"), ipaddress.IPv6Network("64:ff9b::/96"))
"""IPv4-mapped (RFC 4291) and NAT64 (RFC 6052): what arrives is the IPv4 address in the last 32 bits."""

_LOCALHOST = ipaddress.IPv4Address("127.0.0.1")
"""The address of ``localhost`` and all names under it (RFC 6761 section 6.3)."""


def kind(address: Address) -> AddressKind:
    """The kind of an address, by which it may be dialled or not."""
    if isinstance(address, ipaddress.IPv6Address) and any(address in network for network in _CARRIES_IPV4):
        address = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return next(kind for network, kind in _SPECIAL if address.version == network.version and address in network)


class AddressRule(msgspec.Struct, frozen=True, kw_only=True):
    """The rule that ALLOW_PRIVATE_NETWORKS and ALLOW_INSECURE_HTTP make."""

    allow_private: bool
    allow_insecure: bool

    def problem(self, address: str) -> str | None:
        """Why an address (as text) must not be dialled; None if it may."""
        found = kind(ipaddress.ip_address(address.partition("%")[0]))
        if found == "never":
            return f"{address} is never connected to (link-local, metadata, reserved or multicast)"
        if found == "private" and not self.allow_private:
            return f"{address} is a private address; ALLOW_PRIVATE_NETWORKS=true allows it"
        return None

    def url_problem(self, scheme: str, host: str) -> str | None:
        """Tells what is known against a URL before its name is resolved; None if nothing is.

        Plain HTTP shows credentials to the whole way, so it has to be allowed, but not on the machine itself.
        """
        local = _LOCALHOST if host == "localhost" or host.endswith(".localhost") else literal(host)
        if local is not None and (problem := self.problem(str(local))):
            return problem
        is_loopback = local is not None and local.is_loopback
        if scheme == "http" and not self.allow_insecure and not is_loopback:
            return "http:// is not encrypted; use https://, or ALLOW_INSECURE_HTTP=true allows it"
        return None


def literal(host: str) -> Address | None:
    """The address that a host is, in every spelling that resolvers take for one (inet_aton(3)): ``127.1``,
    ``2852039166``; None for a name."""
    with suppress(ValueError):
        return ipaddress.ip_address(host)
    with suppress(OSError, ValueError):  # ValueError: a letter that no resolver can be given
        return ipaddress.IPv4Address(socket.inet_aton(host.removesuffix(".")))
    return None


class CheckedDialler:
    """Dials what the rule allows. One bad address refuses the name: a mixed answer is how filters are tricked.

    Raises Refused by the rule, ConnectError or ConnectTimeout.
    """

    def __init__(self, rule: AddressRule, resolve: Resolve | None = None, dialler: Dialler | None = None) -> None:
        self._rule = rule
        self._resolve = resolve or Lookups()
        self._dialler = dialler or TcpDialler()

    async def connect(self, host: str, port: int, seconds: float = CONNECT_SECONDS) -> Stream:
        try:
            with anyio.fail_after(seconds):
                addresses = await self._addresses(host, port)
                for address in addresses[:-1]:
                    with suppress(ConnectError):  # the next one may answer; the failure of the last one is told
                        return await self._dialler.connect(address, port, ATTEMPT_SECONDS)
                return await self._dialler.connect(addresses[-1], port)
        except TimeoutError as error:
            raise ConnectTimeout(f"no connection to {host} in time") from error

    async def _addresses(self, host: str, port: int) -> list[str]:
        """Every address of a host, all of them allowed."""
        try:
            addresses = await self._resolve(host, port)
        except (OSError, ValueError) as error:  # ValueError: not even a name, to IDNA or to the resolver
            raise connect_error(error, f"{host} has no address") from error
        if not addresses:
            raise ConnectError(f"{host} has no address")
        for address in addresses:
            if problem := self._rule.problem(address):
                raise Refused(f"{host}: {problem}", outcome_unknown=False)
        return addresses
