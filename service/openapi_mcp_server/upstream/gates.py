"""The gate in front of one API: its connections, the queue for them, its breaker, its budget for retries.

Each origin has its own gate, so a slow or dead origin takes nothing from the others. There is one for each origin in
the documents.
"""

from __future__ import annotations

import logging
import time
from math import ceil
from typing import TYPE_CHECKING

import trio

from openapi_mcp_server.aside import FairPlaces, InLine
from openapi_mcp_server.bridge.http_messages import HttpResponse
from openapi_mcp_server.bridge.origins import Origin
from openapi_mcp_server.errors import Refused, Timeout, UpstreamError
from openapi_mcp_server.upstream.breaker import OPEN_SECONDS, Breaker, BreakerState, Health, Ticket
from openapi_mcp_server.upstream.pace import Pace
from openapi_mcp_server.upstream.retries import RetryBudget, is_transient, retry_after

if TYPE_CHECKING:
    from openapi_mcp_server.upstream.shared_state import SharedState
    from openapi_mcp_server.upstream.soon import Soon

QUEUE_LIMIT = 1_000
"""Calls of one client that may wait for a connection to one API. Further calls are refused at once: they would only
wait until their deadline."""
OTHERS_SHARE = 10
"""One connection in so many is kept from a client that has all the others. If an API does not answer, 100 calls of one
client last 30 s, and other clients would wait for all of it."""

logger = logging.getLogger(__name__)


class Gate:
    """Lets at most ``connections`` attempts through at a time. ``breaks`` false: without a breaker."""

    def __init__(
        self,
        origin: Origin,
        *,
        connections: int,
        breaks: bool,
        rate: float | None = None,
        shared: SharedState | None = None,
    ) -> None:
        self.breaker = Breaker(opens=breaks)
        self.budget = RetryBudget()
        self._origin = origin
        self._places = FairPlaces(connections, most=connections - connections // OTHERS_SHARE)
        self._pace = None if rate is None else Pace(origin, rate, shared)
        self._early = 0
        self._last_failure = ""

    @property
    def waiting(self) -> int:
        """Calls that wait for a connection, or for their turn under API_RATE_LIMIT."""
        return self._places.all_waiting() + self._early

    async def enter(self, until: float, client: str = "", line: InLine | None = None) -> Ticket:
        """A place for one attempt of this client, to be given back with `leave`. ``until`` is the call's deadline.
        ``line`` is its place in the line, if it has one already.

        Raises Refused (the breaker is open, the queue is full) or Timeout; nothing was sent then.
        """
        if line is None:
            if self.breaker.is_shut(trio.current_time()):
                raise self._shut()
            if self._pace is not None:
                await self._turn(self._pace, until, client)
            if self._places.take_at_once(client):
                return self._admitted(client)
            line = self._line_up(client)
        await self._wait(line, until)
        return self._admitted(client)

    def enter_at_once(self, now: float, client: str) -> Ticket | InLine | None:
        """The same without waiting: a place, or a wait in the line for one. None if the call would have to wait for
        something else, or if `enter` would refuse."""
        if self._pace is not None or self.breaker.state(now) != "closed":
            return None
        if self._places.take_at_once(client):
            return self.breaker.admit(now)
        return None if self._is_full(client) else self._places.line_up(client)

    async def enter_soon(self, line: InLine, soon: Soon) -> Ticket | None:
        """The same for a call in the line. None if it must go on with `enter`. Raises Refused."""
        return self._admitted(line.client) if await soon.has_place(line, self._places) else None

    def leave(self, ticket: Ticket, result: HttpResponse | UpstreamError | None, client: str = "") -> None:
        """Gives the place back. ``result`` is None if nobody waited for it any more."""
        self._places.give_back(client)
        now = trio.current_time()
        before = self.breaker.state(now)
        health = None if result is None else _health(result)
        if self._pace is not None and isinstance(result, HttpResponse) and result.status in {429, 503}:
            self._pace.hold(retry_after(result, time.time()) or 0.0)
        if result is not None and health == "bad":
            self._last_failure = str(result) if isinstance(result, UpstreamError) else f"it answered {result.status}"
        self.breaker.settle(ticket, health, now)
        if (after := self.breaker.state(now)) != before:
            self._report(before, after)

    def spend_retry(self) -> bool:
        """Takes one retry from the budget. False if none is left, or if it would be refused anyway."""
        return not self.breaker.is_shut(trio.current_time()) and self.budget.spend()

    async def _turn(self, pace: Pace, until: float, client: str) -> None:
        self._early += 1
        try:
            await pace.turn(until, client)
        finally:
            self._early -= 1

    def _admitted(self, client: str) -> Ticket:
        """The ticket for a call that has a place. Raises Refused."""
        ticket = self.breaker.admit(trio.current_time())
        if ticket is None:  # it has opened while this call was waiting
            self._places.give_back(client)
            raise self._shut()
        return ticket

    def _is_full(self, client: str) -> bool:
        return self._places.waiting(client) >= QUEUE_LIMIT

    def _line_up(self, client: str) -> InLine:
        if self._is_full(client):
            problem = f"too many calls wait for a connection to {self._origin}; try again later"
            raise Refused(problem, outcome_unknown=False)
        return self._places.line_up(client)

    async def _wait(self, line: InLine, until: float) -> None:
        with trio.CancelScope(deadline=until):
            await self._places.wait(line)
            return
        problem = f"all connections to {self._origin} were in use until the deadline of the call"
        raise Timeout(problem, outcome_unknown=False)

    def _shut(self) -> Refused:
        seconds = max(1, ceil(self.breaker.seconds_left(trio.current_time())))
        return Refused(
            f"{self._origin} fails too often and is left alone for now; try again in {seconds} s. "
            f"Its last failure: {self._last_failure}",
            outcome_unknown=False,
        )

    def _report(self, before: BreakerState, after: BreakerState) -> None:
        about: dict[str, object] = {"origin": str(self._origin)}
        if before == "closed" and after == "open":
            about |= {"seconds": OPEN_SECONDS, "failure": self._last_failure}
            logger.warning("an API fails too often: no calls to it for a while", extra=about)
        elif before != "closed" and after == "closed":
            logger.warning("an API that failed answers again", extra=about)


def _health(result: HttpResponse | UpstreamError) -> Health:
    if isinstance(result, Refused):
        return "none"  # a shortage of ours says nothing of the API
    if isinstance(result, UpstreamError):
        return "bad" if result.transient else "none"
    if result.status < 400:
        return "good"
    return "bad" if is_transient(result.status) else "none"
