"""Whose turn it is to ask for a token: one task's at a time, where tasks share what they may take (SHARED_STATE).

Each task gets a token of its own and keeps it to itself. What is shared is the turn, a note with an end in the store: a
token there would be a secret that whoever reads the store, its backups and its network can use.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from openapi_mcp_server.upstream.shared_state import SharedState

TURN_SECONDS = 15.0
"""After which a turn is over, whatever became of its task: an endpoint has 10 s to answer."""
PATIENCE_SECONDS = 5.0
"""For a turn, without a token to go on with. Who has waited for so long asks beside the others: the store decides
nothing about whether a call is carried out."""
LOOK_SECONDS = 0.1
"""Between two looks whether it is free."""


class TaskTurns:
    """Without ``shared``, and while it does not answer, everybody asks when it wants to."""

    def __init__(self, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self.shared: SharedState | None = None
        self._patience_seconds = patience_seconds

    @asynccontextmanager
    async def turn(self, api: str, *, patient: bool) -> AsyncIterator[bool]:
        """Whether to ask now. False only for a caller that is not ``patient``, since it has a token that lasts."""
        shared, key = self.shared, f"token {api}"
        if shared is None:
            yield True
            return
        until = anyio.current_time() + (self._patience_seconds if patient else 0.0)
        while wait := await shared.take(key, TURN_SECONDS):
            if (left := until - anyio.current_time()) <= 0:
                yield patient
                return
            await anyio.sleep(min(wait, left, LOOK_SECONDS))
        try:
            yield True
        finally:
            shared.give_back(key)
