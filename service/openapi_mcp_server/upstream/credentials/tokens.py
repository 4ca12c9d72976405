"""Tokens that are fetched, kept until shortly before their end, and fetched once for all calls that wait for one.

Times are measured by the loop's clock from the moment of the answer, so the two clocks need not agree.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from math import ceil

import anyio
import msgspec

from openapi_mcp_server.bridge.http_messages import HttpRequest, HttpResponse
from openapi_mcp_server.errors import CredentialError
from openapi_mcp_server.upstream.credentials.placing import with_header, with_secrets
from openapi_mcp_server.upstream.turns import TaskTurns

MARGIN_SECONDS = 30.0
MARGIN_SHARE = 0.1
"""How long before its end a token is replaced: whichever is less. A call may take longer than it waits for a token."""
PAUSE_SECONDS = 1.0
PAUSE_LIMIT_SECONDS = 30.0
"""The pause after a failure, doubled by each further one: the endpoint's own breaker."""
RETRY_AFTER_LIMIT_SECONDS = 300.0
"""The most that an endpoint may ask us to wait; a wrong header must not end a server for a day."""
REFUSED_SECONDS = 30.0
"""The time between two renewals that the API also refuses: then the credential lacks a right, and is not too old."""

logger = logging.getLogger(__name__)


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """``seconds``: how long it lasts from now; None if unknown."""

    text: str
    seconds: float | None = None

    def __repr__(self) -> str:
        return f"Token(seconds={self.seconds!r})"


class Failed(Exception):
    """There is no token. ``after``: seconds that the endpoint asks to be left alone for; ``transient``: it may go well
    later."""

    def __init__(self, problem: str, *, after: float | None = None, transient: bool = True) -> None:
        super().__init__(problem)
        self.after = after
        self.transient = transient


Fetch = Callable[[], Awaitable[Token]]
"""Raises Failed, or CredentialError where nobody answered."""


class _Held(msgspec.Struct, frozen=True, kw_only=True):
    token: Token
    renew_at: float
    ends_at: float


class TokenLogin:
    """A bearer token of one API (RFC 6750). See `login.Login`. ``turns``: those of all tasks, where they share them."""

    is_last = False

    def __init__(self, api: str, fetch: Fetch, ttl: float, turns: TaskTurns | None = None) -> None:
        self._api = api
        self._fetch = fetch
        self._ttl = ttl
        self._held: _Held | None = None
        self._lock = anyio.Lock()
        self._problem: CredentialError | None = None
        self._failures = 0
        self._rest_until = 0.0
        self._renewed_at = -REFUSED_SECONDS
        self._accepted: object = None
        self._turns = turns or TaskTurns()

    async def applied(self, request: HttpRequest) -> tuple[HttpRequest, object]:
        token = await self.token()
        request = with_header(request, "Authorization", f"Bearer {token.text}")
        return with_secrets(request, token.text), token

    async def renewed(self, used: object, answer: HttpResponse) -> bool:
        """After a 401. A token that replaced a refused one and is refused at once is not replaced again for a while:
        then a right is missing. One that was accepted before was revoked."""
        held, now = self._held, anyio.current_time()
        if answer.status != 401:
            self._accepted = used
            return False
        if held is not None and held.token is not used:
            return True  # another call has renewed it meanwhile
        if held is not None:
            if now - self._renewed_at < REFUSED_SECONDS and used is not self._accepted:
                return False
            self._held, self._renewed_at = None, now
        try:
            await self.token()
        except CredentialError:
            return False  # the API's own words are the better answer
        return True

    async def ahead(self) -> None:
        """See `login.Ahead`."""
        await self.token()

    async def token(self) -> Token:
        """The kept token, or a new one. Raises CredentialError."""
        held, now = self._held, anyio.current_time()
        if held is not None and now < held.renew_at:
            return held.token
        failures = self._failures
        async with self._lock:
            held, now = self._held, anyio.current_time()
            if held is not None and now < held.renew_at:
                return held.token
            lasts = held is not None and now < held.ends_at
            if self._problem is not None and (self._failures > failures or now < self._rest_until):
                if lasts and held is not None:
                    return held.token
                raise self._refusal(now)
            return await self._renew(held if lasts else None)

    async def _renew(self, lasting: _Held | None) -> Token:
        async with self._turns.turn(self._api, patient=lasting is None) as is_ours:
            return await self._fetched(lasting) if is_ours or lasting is None else lasting.token

    async def _fetched(self, lasting: _Held | None) -> Token:
        try:
            token = await self._fetch()
        except (Failed, CredentialError) as error:
            self._fail(error)
            if lasting is not None:
                return lasting.token
            raise self._refusal(anyio.current_time()) from error
        now = anyio.current_time()
        if self._failures:
            logger.warning("tokens are to be had again", extra={"api": self._api})
        self._problem, self._failures = None, 0
        seconds = min(self._ttl, self._ttl if token.seconds is None else token.seconds)
        self._held = _Held(
            token=token,
            renew_at=now + seconds - min(MARGIN_SECONDS, seconds * MARGIN_SHARE),
            ends_at=now + (seconds if token.seconds is None else token.seconds),
        )
        return token

    def _fail(self, error: Failed | CredentialError) -> None:
        pause = min(PAUSE_LIMIT_SECONDS, PAUSE_SECONDS * 2.0 ** min(self._failures, 10))
        asked = error.after if isinstance(error, Failed) else None
        if asked is not None:
            pause = min(RETRY_AFTER_LIMIT_SECONDS, max(pause, asked))
        self._failures += 1
        self._rest_until = anyio.current_time() + pause
        self._problem = CredentialError(f"no token for {self._api}: {error}", transient=error.transient)
        logger.warning("no token", extra={"api": self._api, "problem": str(error), "next_try_seconds": round(pause, 1)})

    def _refusal(self, now: float) -> CredentialError:
        """A new exception for each call: an exception that many calls raise would keep all their frames."""
        assert self._problem is not None  # noqa: S101 - there is one whenever this is called
        rest = ceil(max(0.0, self._rest_until - now))
        hint = f"; tokens are asked for again in {rest} s" if rest > 1 else ""
        return CredentialError(f"{self._problem}{hint}", transient=self._problem.transient)
