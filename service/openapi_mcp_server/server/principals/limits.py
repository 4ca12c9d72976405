"""Limits for one principal, so that others are served, too. Calls are refused before anything is carried out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from math import ceil
from typing import TYPE_CHECKING

from openapi_mcp_server.bridge.policy import Principal
from openapi_mcp_server.mcp.inbound import Batch, Call, Message
from openapi_mcp_server.server.posts import RETRY_AFTER, Refusal
from openapi_mcp_server.server.principals.buckets import Buckets
from openapi_mcp_server.server.principals.pauses import leave
from openapi_mcp_server.settings.config import Config

if TYPE_CHECKING:
    from openapi_mcp_server.server.visitors import Entrant
    from openapi_mcp_server.upstream.shared_state import SharedState

OF_ONE_ADDRESS = 7
"""Eighths of all sessions that the clients of one address may have if there is no authentication."""
_UNCOUNTED = nullcontext()


class Limits:
    """``rate``: RATE_LIMIT, None for no limit; a principal's own rate has precedence. ``calls`` and ``sessions`` are
    for authenticated principals. All others may look like one client behind a proxy, and may have most places.
    ``shared``: the store, if rates hold over all tasks."""

    def __init__(
        self, rate: float | None = None, calls: int = 100, sessions: int = 500, shared: SharedState | None = None
    ) -> None:
        self._rate = rate
        self._shared = shared
        self._calls = calls
        self._sessions = sessions
        self._buckets = Buckets()
        self._running: Counter[str] = Counter()
        self._elsewhere: Callable[[str], int] = _none

    @classmethod
    def of(cls, config: Config, shared: SharedState | None = None) -> Limits:
        return cls(config.rate_limit, config.call_limit, config.session_limit, shared)

    def count(self, elsewhere: Callable[[str], int]) -> None:
        """``elsewhere``: the calls of a principal that a transport with sessions counts itself."""
        self._elsewhere = elsewhere

    def check(self, principal: Principal, calls: int = 1) -> None:
        """Whether there is room for so many more calls."""
        key = principal.key
        if key and calls and self._running.get(key, 0) + self._elsewhere(key) + calls > self._calls:
            problem = f"at most {self._calls} calls of yours are carried out at once; try again when one has ended"
            raise Refusal(429, problem, RETRY_AFTER)

    async def spend(self, principal: Principal, calls: int, share: str = "") -> None:
        """Raises Refusal with the seconds after which the calls may be made."""
        rate = self._rate if principal.rate is None else principal.rate
        if rate is None or not calls:
            return
        key = principal.key or share
        if self._shared is None:
            seconds = self._buckets.spend(key, calls, rate)
        else:
            seconds = await self._shared_wait(key, calls, rate)
        if seconds:
            problem = f"more than {rate:g} calls a second; try again in {ceil(seconds)} s"
            raise Refusal(429, problem, (b"retry-after", b"%d" % ceil(seconds)))

    def taken(self, entrant: Entrant, calls: int) -> AbstractContextManager[None]:
        """Counts calls while they are carried out, after `spend` has allowed them."""
        self.check(entrant.principal, calls)
        key = entrant.principal.key
        return self._counted(key, calls) if key and calls else _UNCOUNTED

    @contextmanager
    def _counted(self, key: str, calls: int) -> Iterator[None]:
        self._running[key] += calls
        try:
            yield
        finally:
            leave(self._running, key, calls)

    def crowd(self, entrant: Entrant, shares: Counter[str], places: int, what: str) -> str | None:
        """Why this client can take no further one of so many places; None if it can. ``shares``: the places of each."""
        most = self._sessions if entrant.principal.key else places * OF_ONE_ADDRESS // 8
        if shares[entrant.share] >= most:
            return f"{most} {what} of yours are open, which is the limit; close one first"
        return None

    async def _shared_wait(self, key: str, calls: int, rate: float) -> float:
        """The seconds to wait, by the same rule over all tasks. If the store does not answer, this task's share
        counts."""
        assert self._shared is not None  # noqa: S101 - for the type checker
        most = max(1.0, rate)
        slack = (most - min(calls, most)) / rate
        seconds = await self._shared.seconds_until(f"principal {key}", gap=1 / rate, slack=slack, cost=calls)
        return self._buckets.spend(key, calls, rate / self._shared.tasks) if seconds is None else seconds


def _none(_: str) -> int:
    """No calls: there is no transport that has sessions."""
    return 0


def calls(message: Message | Batch) -> int:
    """The number of calls of tools, which cost an API something. Other messages of the protocol are cheap."""
    if isinstance(message, Batch):
        return sum(calls(one) for one in message.messages)
    return int(isinstance(message, Call) and message.method == "tools/call")
