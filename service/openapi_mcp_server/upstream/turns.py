"""Turns to ask for a token: with shared limits (SHARED_STATE), one task asks at a time.

Each task gets its own token and keeps it. Only the turn is shared, as an entry with an expiry in the store. A token in
the store would be a secret for everybody who can read the store, its backups or its network.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from openapi_mcp_server.upstream.shared_state import SharedState

TURN_SECONDS = 15.0
"""A turn ends after this time, whatever happened to its task: an endpoint has 10 s to answer."""
PATIENCE_SECONDS = 5.0
"""The longest wait for a turn of a task without a token. After that it asks without a turn: the store never decides
whether a call is carried out."""
LOOK_SECONDS = 0.1
"""The time between two checks whether the turn is free."""


class TaskTurns:
    """Without ``shared``, and while the store does not answer, each task asks without waiting."""

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
