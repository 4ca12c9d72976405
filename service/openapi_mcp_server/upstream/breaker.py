"""A circuit breaker: an API that fails half of the time is left alone for a while, then tried with one call.

It has no clock. The caller passes the time, in seconds of any monotonic clock.
"""

from __future__ import annotations

from collections import deque
from typing import Literal

WINDOW = 20
"""The number of last attempts that decide. Fewer say nothing about an API."""
FAILED_SHARE = 0.5
OPEN_SECONDS = 10.0
"""Long enough for a restart, short enough that nobody has to mend anything by hand afterwards."""

BreakerState = Literal["closed", "open", "half_open"]
"""``closed``: all is well. ``open``: nothing is sent. ``half_open``: the next call is a probe, or is one already."""
Health = Literal["good", "bad", "none"]
"""The verdict of an attempt about the API. ``none``: the API is there, but the answer (4xx, say) shows no health."""
Ticket = Literal["call", "probe"]


class Breaker:
    """The breaker of one API. Each ticket of `admit` must go to `settle`. If ``opens`` is false, it only watches."""

    def __init__(self, *, opens: bool = True) -> None:
        self._opens = opens
        self._failed: deque[bool] = deque(maxlen=WINDOW)
        self._open_until: float | None = None
        self._probing = False

    def state(self, now: float) -> BreakerState:
        if self._open_until is None:
            return "closed"
        return "open" if now < self._open_until else "half_open"

    def seconds_left(self, now: float) -> float:
        """Seconds until the next probe; 0 if one may go now, or is in flight."""
        return 0.0 if self._open_until is None else max(0.0, self._open_until - now)

    def is_shut(self, now: float) -> bool:
        """Whether `admit` would refuse every call."""
        return self._open_until is not None and (self._probing or now < self._open_until)

    def admit(self, now: float) -> Ticket | None:
        """A ticket to give back to `settle`; None if nothing may be sent now."""
        if self._open_until is None:
            return "call"
        if self.is_shut(now):
            return None
        self._probing = True
        return "probe"

    def settle(self, ticket: Ticket, health: Health | None, now: float) -> None:
        """Records the end of an attempt. ``health`` is None if the caller went away before."""
        if ticket == "probe":
            self._probing = False
            if health == "bad":
                self._open_until = now + OPEN_SECONDS
            elif health is not None:
                self._open_until = None
                self._failed.clear()
        elif self._open_until is None and health in {"good", "bad"}:
            self._failed.append(health == "bad")
            if health == "bad" and self._opens and self._is_failing():
                self._open_until = now + OPEN_SECONDS

    def _is_failing(self) -> bool:
        return len(self._failed) == WINDOW and sum(self._failed) >= FAILED_SHARE * WINDOW
