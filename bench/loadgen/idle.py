"""Sessions that are open for the whole load and say nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from loadgen.failures import Failure
from loadgen.ledger import Ledger
from loadgen.plan import Target
from loadgen.sessions import Session
from loadgen.transports import closed, opened

_OPENED_AT_ONCE = 16


class Idle:
    def __init__(self) -> None:
        self._sessions: list[Session] = []
        self.problem = ""
        """Why the first one that could not be opened could not."""

    @property
    def opened(self) -> int:
        return len(self._sessions)

    def left(self) -> int:
        """How many the server has not closed."""
        return sum(session.is_alive for session in self._sessions)

    async def open(self, target: Target, ledger: Ledger, tasks: trio.Nursery, turn: trio.CapacityLimiter) -> None:
        async with turn:
            try:
                session = await opened(target, ledger, tasks)
            except Failure as failure:
                self.problem = self.problem or str(failure)
                return
            self._sessions.append(session)
            try:
                await session.listen(tasks)
            except Failure as failure:
                self.problem = self.problem or str(failure)

    async def aclose(self) -> None:
        """A few at a time, and all of them, though everything else is cancelled."""
        turn = trio.CapacityLimiter(_OPENED_AT_ONCE)

        async def one(session: Session) -> None:
            async with turn:
                await closed(session)

        with trio.CancelScope(shield=True):
            async with trio.open_nursery() as closing:
                for session in self._sessions:
                    closing.start_soon(one, session)


@asynccontextmanager
async def idle_sessions(count: int, target: Target, ledger: Ledger, tasks: trio.Nursery) -> AsyncIterator[Idle]:
    idle, turn = Idle(), trio.CapacityLimiter(_OPENED_AT_ONCE)
    try:
        async with trio.open_nursery() as opening:
            for _ in range(count):
                opening.start_soon(idle.open, target, ledger, tasks, turn)
        yield idle
    finally:
        await idle.aclose()
