"""The client behind the proxies in front: address, scheme, port and path prefix, from trusted proxies only."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from functools import lru_cache

import msgspec

from openapi_mcp_server.server.asgi import Scope
from openapi_mcp_server.settings.readers import path_prefix

_ADDRESS_CHARACTERS = 64
_HOPS = 16
"""Proxies in a row; more are nobody's."""
_FORWARDED_BYTES = 2048
_PORT_DIGITS = 5
_SUBSCRIBERS = ipaddress.ip_network("2000::/3")
"""The addresses of IPv6 that subscribers of the internet have (IANA); all others are private or stand for others."""


class Seen(msgspec.Struct, frozen=True):
    """``client`` is an address, ``scheme`` http or https, ``prefix`` the path below which the proxy serves us, ``port``
    the one that the client asked, where it is not the scheme's own."""

    client: str
    scheme: str = "http"
    prefix: str = ""
    port: str = ""

    @property
    def share(self) -> str:
        """The name under which an address shares the limits: one for all addresses that one client has."""
        return _share(self.client)


class Proxies:
    """``networks``: TRUSTED_PROXIES. Without them, a proxy on a private network is believed for one thing only, whose
    share of the limits a request takes."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        self._networks = tuple(ipaddress.ip_network(network) for network in networks)
        self._trusts = lru_cache(maxsize=1024)(self._is_trusted)

    def seen(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Seen:
        client = scope.get("client")
        peer = str(client[0]) if client else ""
        if not self._networks:
            return Seen(_through_near(peer, headers))
        if not self._trusts(peer):
            return Seen(peer)
        scheme = _scheme(headers)
        return Seen(self._client(peer, headers), scheme, _prefix(headers), _port(headers, scheme))

    def _client(self, peer: str, headers: Mapping[bytes, bytes]) -> str:
        """The last address that no trusted proxy has. What stands before it, its owner has made up."""
        passed = headers.get(b"x-forwarded-for", b"")[-_FORWARDED_BYTES:].split(b",")
        hops = [_address(hop) for hop in passed if hop.strip()] or _forwarded(headers, b"for")
        for hop in reversed(hops[-_HOPS:]):
            if not self._trusts(hop):
                return peer if _parsed(hop) is None else hop
            peer = hop
        return peer

    def _is_trusted(self, peer: str) -> bool:
        address = _parsed(peer)
        return address is not None and any(address in network for network in self._networks)


def _parsed(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An address, one of IPv4 however it is written; None for what is none."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


@lru_cache(maxsize=1024)
def _share(client: str) -> str:
    """In IPv6 the network: its subscriber has all addresses of it (RFC 4291 section 2.5.1, RFC 6177), and would have a
    share for each. A private /64 has many machines of the operator's, such as all pods of a node, and that of NAT64 all
    clients with IPv4 addresses."""
    address = _parsed(client)
    if address is None:
        return client
    return str(ipaddress.ip_network((address, 64), strict=False) if address in _SUBSCRIBERS else address)


def _address(hop: bytes) -> str:
    """An address as proxies write it, its port and brackets taken off."""
    text = hop.strip().strip(b'"')[:_ADDRESS_CHARACTERS].decode("latin-1")
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def _forwarded(headers: Mapping[bytes, bytes], name: bytes) -> list[str]:
    """The values of a parameter of Forwarded (RFC 7239), the nearest proxy's last."""
    elements = headers.get(b"forwarded", b"")[-_FORWARDED_BYTES:].split(b",")
    pairs = (pair.strip().partition(b"=") for element in elements for pair in element.split(b";"))
    return [_address(value) for key, _, value in pairs if key.lower() == name]


def _scheme(headers: Mapping[bytes, bytes]) -> str:
    said = headers.get(b"x-forwarded-proto", b"").rpartition(b",")[2].strip().lower()
    found = said.decode("latin-1") or next(reversed(_forwarded(headers, b"proto")), "").lower()
    return "https" if found == "https" else "http"


def _port(headers: Mapping[bytes, bytes], scheme: str) -> str:
    said = headers.get(b"x-forwarded-port", b"").strip()
    own = {"http": b"80", "https": b"443"}[scheme]
    return said.decode("ascii") if said.isdigit() and len(said) <= _PORT_DIGITS and said != own else ""


def _prefix(headers: Mapping[bytes, bytes]) -> str:
    """The prefix that a proxy sends, if it is of plain segments: it goes into an address that clients are sent to."""
    try:
        return path_prefix(headers.get(b"x-forwarded-prefix", b"").decode("ascii")[:200])
    except ValueError:
        return ""


def _through_near(peer: str, headers: Mapping[bytes, bytes]) -> str:
    passed_on = headers.get(b"x-forwarded-for")
    if passed_on is None or not _is_near(peer):
        return peer
    hop = _address(passed_on.rpartition(b",")[2])
    return peer if _parsed(hop) is None else hop


@lru_cache(maxsize=256)
def _is_near(peer: str) -> bool:
    address = _parsed(peer)
    return address is not None and address.is_private  # loopback addresses are, too
