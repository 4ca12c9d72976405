"""The address of the store that several tasks share, as SHARED_STATE writes it."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

import msgspec

_SCHEMES = {"valkey": False, "valkeys": True, "redis": False, "rediss": True}
"""Each with whether it is over TLS."""
_PATH = re.compile(r"(?:/([0-9]{1,4})?)?")
_FORM = (
    "must be valkey://host:port or, with TLS, valkeys://host:port (redis:// and rediss:// are the same), "
    "with user:password@ before the host, percent-encoded, and /number for a database, where these are needed"
)


class Store(msgspec.Struct, frozen=True):
    """A Valkey or Redis, and how one logs in there. ``__str__`` is what may be shown."""

    host: str
    port: int
    tls: bool
    database: int
    username: str
    password: str

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    __repr__ = __str__


def store(value: str) -> Store:
    try:
        parts = urlsplit(value.strip())
        port = 6379 if parts.port is None else parts.port
    except ValueError:
        raise ValueError(_FORM) from None
    path = _PATH.fullmatch(parts.path)
    if parts.scheme not in _SCHEMES or not parts.hostname or not port or path is None or parts.query or parts.fragment:
        raise ValueError(_FORM)
    username, password = unquote(parts.username or ""), unquote(parts.password or "")
    if username and not password:
        raise ValueError("names a user without a password; write user:password@host, or :password@host")
    return Store(parts.hostname, port, _SCHEMES[parts.scheme], int(path[1] or 0), username, password)
