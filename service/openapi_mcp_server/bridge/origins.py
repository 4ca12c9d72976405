"""Origins and base URLs: where an API is, and to whom its credentials belong."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

import msgspec

DEFAULT_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"(?:[\w-]+\.)*[\w-]+\.?")
"""Letters of every alphabet, which become ASCII (UTS 46)."""
_ADDRESS = re.compile(r"[0-9a-f:.]+(?:%[\w.-]+)?")
"""IPv6, also with a zone. `urlsplit` takes nearly everything between brackets for an address of the future."""
_HOST_LENGTH = 253
"""Characters of a name that a resolver can be asked for (RFC 1035 section 2.3.4)."""
_NO_HOST = "names a host that is none; an example is https://api.example.com/v1"


class Origin(msgspec.Struct, frozen=True, order=True):
    """Scheme, host and port: where requests go and to whom credentials belong (RFC 6454)."""

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

    Only http and https; no user information, query or fragment: they have no meaning in a base URL and a
    credential in one would end up in logs.
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
    """A host as names are looked up, and as it is written in requests. Raises ValueError for what is none."""
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
        raise ValueError("names a port that is none; ports are numbers from 1 to 65535") from None
