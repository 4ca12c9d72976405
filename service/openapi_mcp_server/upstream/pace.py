"""Limits requests to one API to API_RATE_LIMIT a second, and keeps to its Retry-After."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

import anyio

from openapi_mcp_server.aside import FairPlaces
from openapi_mcp_server.bridge.origins import Origin
from openapi_mcp_server.errors import Refused

if TYPE_CHECKING:
    from openapi_mcp_server.upstream.shared_state import SharedState

HOLD_SECONDS = 300.0
"""The longest Retry-After that is kept to: an API that says a day has made a mistake."""


class Pace:
    """Gives turns to requests in their order; several clients take turns. As many as fit into a second may go at once.

    ``shared``: where the turns of all tasks are given out. While it is not there, this task takes its share of them."""

    def __init__(self, origin: Origin, rate: float, shared: SharedState | None = None) -> None:
        self._origin = origin
        self._rate = rate
        self._shared = shared
        self._key = f"origin {origin}"
        self._free_at = float("-inf")
        self._held_until = float("-inf")
        self._line = FairPlaces(1)

    async def turn(self, until: float, client: str = "") -> None:
        """Waits for a turn. Raises Refused if it would come after ``until``; nothing was sent then."""
        if self._shared is None:
            await self._own_turn(until, self._rate, client)
        elif not await self._shared_turn(self._shared, until):
            await self._own_turn(until, self._rate / self._shared.tasks, client)

    def hold(self, seconds: float) -> None:
        """The API has answered with Retry-After."""
        seconds = min(seconds, HOLD_SECONDS)
        self._held_until = max(self._held_until, anyio.current_time() + seconds)
        if self._shared is not None and seconds > 0:
            self._shared.hold(self._key, seconds)

    async def _own_turn(self, until: float, rate: float, client: str) -> None:
        gap, slack = _gap_and_slack(rate)
        at = self._next(slack) + self._line.before(client) * gap
        if at > until:
            raise self._too_late(at)
        with anyio.CancelScope(deadline=until) as scope:
            await self._line.take(client)
        if scope.cancelled_caught:  # requests that came later have had an earlier turn
            raise self._too_late(self._next(slack))
        try:
            while (at := self._next(slack)) > anyio.current_time():
                if at > until:
                    raise self._left_alone() if self._held_until > until else self._too_late(at)
                await anyio.sleep_until(at)
            self._free_at = max(self._free_at, anyio.current_time()) + gap
        finally:
            self._line.give_back(client)

    async def _shared_turn(self, shared: SharedState, until: float) -> bool:
        """False if the store does not say. A turn that was given and not used, since its call was given up, is lost."""
        gap, slack = _gap_and_slack(self._rate)
        while True:
            now = anyio.current_time()
            seconds = await shared.seconds_until(self._key, gap=gap, slack=slack, cost=1, most_wait=until - now)
            if seconds is None:
                return False
            if seconds > max(0.0, until - now):
                raise self._too_late(now + seconds)
            if not seconds:
                return True
            await anyio.sleep(seconds)
            if not await shared.seconds_until(self._key):  # nor does it ask to be left alone since
                return True

    def _next(self, slack: float) -> float:
        return max(anyio.current_time(), self._free_at - slack, self._held_until)

    def _too_late(self, at: float) -> Refused:
        seconds = max(1, ceil(at - anyio.current_time()))
        problem = f"{self._origin} is asked as often as API_RATE_LIMIT or its Retry-After allows; the next turn"
        return Refused(f"{problem} is in {seconds} s", outcome_unknown=False)

    def _left_alone(self) -> Refused:
        """The error for a Retry-After that came while the call was waiting."""
        return Refused(f"{self._origin} asks to be left alone; try again later", outcome_unknown=False)


def _gap_and_slack(rate: float) -> tuple[float, float]:
    return 1 / rate, max(0.0, 1.0 - 1 / rate)
