"""Origins and base URLs: the address of an API, to which its credentials belong."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

import msgspec

DEFAULT_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"(?:[\w-]+\.)*[\w-]+\.?")
"""Host names with letters of every alphabet, which become ASCII (UTS 46)."""
_ADDRESS = re.compile(r"[0-9a-f:.]+(?:%[\w.-]+)?")
"""IPv6, also with a zone. `urlsplit` accepts nearly everything in brackets as a future address format."""
_HOST_LENGTH = 253
"""The most characters of a name that a resolver accepts (RFC 1035 section 2.3.4)."""
_NO_HOST = "names an invalid host; an example is https://api.example.com/v1"


class Origin(msgspec.Struct, frozen=True, order=True):
    """Scheme, host and port (RFC 6454): the destination of requests, to which credentials belong."""

    scheme: str  # "http" or "https"
    host: str  # lower case, ASCII; an IPv6 address without brackets
    port: int

    @property
    def authority(self) -> str:
        """``host[:port]`` as in a Host header: the default port is left out."""
        return _authority(self)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


@lru_cache(maxsize=1_024)
def _authority(origin: Origin) -> str:
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    return host if origin.port == DEFAULT_PORTS[origin.scheme] else f"{host}:{origin.port}"


class BaseUrl(msgspec.Struct, frozen=True):
    """An API's base: its origin and the path prefix, percent-encoded, without a trailing slash."""

    origin: Origin
    path: str

    def __str__(self) -> str:
        return f"{self.origin}{self.path}"


def base_url(text: str) -> BaseUrl:
    """``https://api.example.com/v1/`` → `BaseUrl`; raises ValueError with the reason.

    Only http and https are accepted. User information, query and fragment are refused, since they have no meaning in a
    base URL, and a credential in them would appear in logs.
    """
    try:
        parts = urlsplit(text.strip())
    except ValueError:
        raise ValueError(_NO_HOST) from None
    if parts.scheme not in {"http", "https"}:
        raise ValueError("must start with http:// or https://")
    if not parts.hostname:
        raise ValueError("names no host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not carry a user name or password; use the AUTH_ settings")
    if parts.query or parts.fragment:
        raise ValueError("must not carry a query or a fragment")
    written = _ADDRESS if ":" in parts.hostname else _HOST  # the former was in brackets
    if not written.fullmatch(parts.hostname):
        raise ValueError(_NO_HOST)
    port = _port(parts) or DEFAULT_PORTS[parts.scheme]
    return BaseUrl(Origin(parts.scheme, in_ascii(parts.hostname), port), parts.path.rstrip("/"))


def in_ascii(host: str) -> str:
    """A host in the form for look-ups and requests. Raises ValueError if it is not a host."""
    if host.isascii():
        return host
    import idna  # noqa: PLC0415 - few hosts need it

    try:
        return idna.encode(host[: _HOST_LENGTH + 1], uts46=True).decode()
    except idna.IDNAError:
        raise ValueError(_NO_HOST) from None


def _port(parts: SplitResult) -> int | None:
    try:
        return parts.port
    except ValueError:
        raise ValueError("names an invalid port; ports are numbers from 1 to 65535") from None
