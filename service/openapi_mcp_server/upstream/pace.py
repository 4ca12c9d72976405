"""How fast one API is asked: API_RATE_LIMIT requests a second, and not before it wants to be asked again."""

from __future__ import annotations

from math import ceil

import anyio

from openapi_mcp_server.bridge.model import Origin
from openapi_mcp_server.errors import Refused

HOLD_SECONDS = 300.0
"""The longest that an API is left alone for its Retry-After: one that says a day has made a mistake."""


class Pace:
    """Requests have their turns in the order in which they came; as many as fit into a second may go at once."""

    def __init__(self, origin: Origin, rate: float) -> None:
        self._origin = origin
        self._gap = 1 / rate
        self._slack = max(0.0, 1.0 - self._gap)
        self._free_at = float("-inf")
        self._held_until = float("-inf")
        self._turn = anyio.Lock()

    async def turn(self, until: float) -> None:
        """Waits. Raises Refused where it would be over after ``until`` only; nothing was sent then."""
        waiting = self._turn.statistics().tasks_waiting
        at = self._next(anyio.current_time()) + waiting * self._gap
        if at > until:
            seconds = max(1, ceil(at - anyio.current_time()))
            problem = f"{self._origin} is asked as often as API_RATE_LIMIT or its Retry-After allows; the next turn"
            raise Refused(f"{problem} is in {seconds} s", outcome_unknown=False)
        async with self._turn:
            while (at := self._next(anyio.current_time())) > anyio.current_time():
                if at > until:  # it asked to be left alone meanwhile
                    raise Refused(f"{self._origin} asks to be left alone; try again later", outcome_unknown=False)
                await anyio.sleep_until(at)
            self._free_at = max(self._free_at, anyio.current_time()) + self._gap

    def hold(self, seconds: float) -> None:
        """The API has answered with Retry-After."""
        self._held_until = max(self._held_until, anyio.current_time() + min(seconds, HOLD_SECONDS))

    def _next(self, now: float) -> float:
        return max(now, self._free_at - self._slack, self._held_until)
