"""Connections through an HTTP proxy: a CONNECT tunnel for each (RFC 9110 section 9.3.6), also for http://.

The proxy resolves names, so the address rule sees an address only if the URL has one. The proxy must refuse bad names
itself. The operator chooses the proxy, so it may be at a private address.
"""

from __future__ import annotations

import base64
import ipaddress
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import anyio

from openapi_mcp_server.bridge.origins import in_ascii
from openapi_mcp_server.errors import Refused
from openapi_mcp_server.settings.ways import Proxy
from openapi_mcp_server.upstream import http11
from openapi_mcp_server.upstream.addresses import CONNECT_SECONDS, Address, AddressRule, CheckedDialler, literal
from openapi_mcp_server.upstream.sockets import (
    ConnectError,
    ConnectTimeout,
    Dialler,
    NetworkError,
    OutOfResources,
    Stream,
    reason,
)

_HEAD_BYTES = 16 * 1024
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?: |\r)")


class ProxyDialler:
    """``direct``: the dialler for hosts without the proxy, and for this machine. ``tls``: to a proxy at https://; None:
    the system's defaults."""

    def __init__(
        self,
        proxy: Proxy,
        rule: AddressRule,
        direct: Dialler,
        to_proxy: Dialler | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._proxy = proxy
        self._rule = rule
        self._direct = direct
        self._to_proxy = to_proxy or CheckedDialler(AddressRule(allow_private=True, allow_insecure=True))
        self._tls = tls

    async def connect(self, host: str, port: int, seconds: float = CONNECT_SECONDS) -> Stream:
        """Raises Refused by the rule, ConnectError or ConnectTimeout."""
        if _is_direct(host, self._proxy.direct):
            return await self._direct.connect(host, port, seconds)
        address = literal(host)
        if address is not None and (problem := self._rule.problem(str(address))):
            raise Refused(f"{host}: {problem}", outcome_unknown=False)
        try:
            with anyio.fail_after(seconds):
                return await self._tunnel(host, port)
        except TimeoutError as error:
            raise ConnectTimeout(f"no connection to {host} through the proxy in time") from error

    async def _tunnel(self, host: str, port: int) -> Stream:
        with _named(self._proxy):
            stream = await self._to_proxy.connect(self._proxy.host, self._proxy.port)
        try:
            if self._proxy.scheme == "https":
                with _named(self._proxy):
                    stream = await stream.start_tls(self._tls_context(), self._proxy.host)
            await self._ask(stream, f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        except BaseException:
            await http11.close(stream)
            raise
        return stream

    async def _ask(self, stream: Stream, place: str) -> None:
        proof = ""
        if self._proxy.username:
            pair = f"{self._proxy.username}:{self._proxy.password}".encode()
            proof = f"Proxy-Authorization: Basic {base64.b64encode(pair).decode('ascii')}\r\n"
        try:
            await stream.write(f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n{proof}\r\n".encode("ascii"))
            head = await _head(stream)
        except NetworkError as error:
            raise ConnectError(f"the proxy {self._proxy.host} broke the connection") from error
        status = _STATUS.match(head)
        if status is None:
            raise ConnectError(f"the proxy {self._proxy.host} sent no valid HTTP answer")
        if not status[1].startswith(b"2"):
            hint = "; see HTTP_PROXY_URL" if status[1] == b"407" else ""
            raise ConnectError(f"the proxy {self._proxy.host} answered {status[1].decode()} for {place}{hint}")

    def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls


@contextmanager
def _named(proxy: Proxy) -> Iterator[None]:
    """Names the proxy in a failure to reach it, which would otherwise be told of the API."""
    try:
        yield
    except (ConnectTimeout, OutOfResources):  # they are told without further words
        raise
    except ConnectError as error:
        raise ConnectError(f"the proxy {proxy.host}: {reason(error)}") from None


async def _head(stream: Stream) -> bytes:
    """The whole head of the answer. Data after it cannot belong to the tunnel, since nothing was sent through it
    yet."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        piece = await stream.read(_HEAD_BYTES)
        head += piece
        if not piece or len(head) > _HEAD_BYTES or b"\r\n\r\n" in head[:-4]:
            return b""
    return head


def _is_direct(host: str, names: tuple[str, ...]) -> bool:
    host = host.lower()
    address = literal(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    return any(_covers(name, host, address) for name in names)


def _covers(name: str, host: str, address: Address | None) -> bool:
    """``*``, a host, a suffix with or without its dot, or a network."""
    try:
        if address is not None and "/" in name:
            return address in ipaddress.ip_network(name, strict=False)
        suffix = in_ascii(name.removeprefix("*").lstrip("."))
    except ValueError:
        return False
    return name == "*" or host == suffix or (bool(suffix) and host.endswith(f".{suffix}"))
