"""Tokens that were verified recently: a further call with one costs a single hash."""

from __future__ import annotations

import hashlib
import secrets
from typing import NamedTuple

from openapi_mcp_server.bridge.policy import Principal

MOST = 10_000
"""Tokens, 3 MB of them."""


class _Known(NamedTuple):
    principal: Principal
    until: float


class Recent:
    """Keyed by a hash with a secret of this process, so that the time of a look-up tells nothing about a token."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._known: dict[bytes, _Known] = {}

    def digest(self, token: bytes) -> bytes:
        return hashlib.blake2b(token, digest_size=32, key=self._key).digest()

    def find(self, digest: bytes, now: float) -> Principal | None:
        known = self._known.get(digest)
        if known is None:
            return None
        if known.until > now:
            return known.principal
        del self._known[digest]
        return None

    def keep(self, digest: bytes, principal: Principal, until: float) -> None:
        if len(self._known) >= MOST:
            del self._known[next(iter(self._known))]  # the oldest
        self._known[digest] = _Known(principal, until)

    def forget(self) -> None:
        self._known.clear()
