"""A client over whichever transport the target has, greeted and ready for calls."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from loadgen.failures import nursery
from loadgen.ledger import Ledger
from loadgen.plan import Target
from loadgen.sessions import Open, Session, greet
from loadgen.sse import open_sse
from loadgen.stdio import open_stdio
from loadgen.streamable_http import open_http

BY_TRANSPORT: dict[str, Open] = {"http": open_http, "sse": open_sse, "stdio": open_stdio}


async def opened(target: Target, ledger: Ledger, tasks: trio.Nursery) -> Session:
    """Raises Failure where there is no such server."""
    session = await BY_TRANSPORT[target.transport](target, ledger, tasks)
    try:
        if not target.is_modern:
            await greet(session, target, ledger)
    except BaseException:
        await closed(session)
        raise
    return session


async def closed(session: Session) -> None:
    """Also where everything else is cancelled: no server that was started may stay."""
    with trio.CancelScope(shield=True):
        await session.aclose()


@asynccontextmanager
async def session_of(target: Target, ledger: Ledger) -> AsyncIterator[Session]:
    """An opened client for as long as the context lasts; errors come as they are, not in groups."""
    async with nursery() as tasks:
        session = await opened(target, ledger, tasks)
        try:
            yield session
        finally:
            await closed(session)
