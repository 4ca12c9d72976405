"""INBOUND_AUTH=token: tokens that the operator has given out, each with a name."""

from __future__ import annotations

import hashlib
import hmac
import math
from collections.abc import Iterable
from functools import partial

import anyio

from openapi_mcp_server.aside import run_in_thread
from openapi_mcp_server.bridge.policy import Permit, Policy, Principal, Rule
from openapi_mcp_server.server.principals.guard import CannotVerify, InvalidToken
from openapi_mcp_server.server.principals.recent import Recent
from openapi_mcp_server.settings.inbound import Scrypt, StaticToken

WAITING = 16
"""Tokens that wait to be tried on slow hashes. Further ones must come again: a stranger can send any number."""
REST = 3
"""The pause after a failed try, as a multiple of its time: strangers get a quarter of one core at most."""
REFUSED = 10_000
"""Tokens that failed and are not tried again."""


class StaticTokens:
    """Looks up tokens by their SHA-256. Tokens with a slow hash are tried one by one in a thread, once each."""

    def __init__(self, tokens: Iterable[StaticToken], policy: Policy) -> None:
        self._recent = Recent()
        self._fast: dict[bytes, Principal] = {}
        self._slow: list[tuple[Scrypt, Principal]] = []
        for token in tokens:
            principal = _principal(token, policy)
            if token.sha256 is not None:
                self._fast[self._recent.digest(token.sha256)] = principal
            elif token.scrypt is not None:
                self._slow.append((token.scrypt, principal))
        self._refused: dict[bytes, None] = {}
        self._one = anyio.Lock()
        self._rests_until = float("-inf")
        self._waiting = 0

    async def __call__(self, token: bytes) -> Principal:
        principal = self._fast.get(self._recent.digest(hashlib.sha256(token).digest()))
        if principal is not None:
            return principal
        if self._slow:
            return await self._try(token)
        raise _nobodys()

    async def _try(self, token: bytes) -> Principal:
        digest = self._recent.digest(token)
        if (known := self._tried_before(digest)) is not None:
            return known
        if self._waiting >= WAITING:
            raise CannotVerify("too many tokens wait to be looked at; try again")
        self._waiting += 1
        try:
            async with self._one:
                # The same token may have been tried while this one waited.
                return self._tried_before(digest) or await self._tried(token, digest)
        finally:
            self._waiting -= 1

    def _tried_before(self, digest: bytes) -> Principal | None:
        """None for a token that was not tried yet. Raises InvalidToken for one that has failed."""
        if digest in self._refused:
            raise _nobodys()
        return self._recent.find(digest, 0.0)

    async def _tried(self, token: bytes, digest: bytes) -> Principal:
        await anyio.sleep_until(self._rests_until)
        began = anyio.current_time()
        found = await run_in_thread(partial(self._match, token))
        if found is None:
            now = anyio.current_time()
            self._rests_until = now + REST * (now - began)
            if len(self._refused) >= REFUSED:
                del self._refused[next(iter(self._refused))]
            self._refused[digest] = None
            raise _nobodys()
        self._recent.keep(digest, found, math.inf)
        return found

    def _match(self, token: bytes) -> Principal | None:
        """The principal of a token; None for an unknown one. All hashes are tried, so that the time tells nothing."""
        found = None
        for how, principal in self._slow:
            length = len(how.digest)
            made = hashlib.scrypt(
                token, salt=how.salt, n=how.n, r=how.r, p=how.p, dklen=length, maxmem=128 * 1024 * 1024
            )
            if hmac.compare_digest(made, how.digest):
                found = principal
        return found


def _principal(token: StaticToken, policy: Policy) -> Principal:
    own = Rule(apis=token.apis, tags=token.tags, read_only=token.read_only)
    permit = Permit(own=own, granted=policy.granted(token.name, token.scopes, ()), scopes=token.scopes)
    return Principal(key=f"token {token.name}", name=token.name, permit=permit, rate=token.rate)


def _nobodys() -> InvalidToken:
    return InvalidToken("the token is not known here")
