"""ASGI between listeners and the application: its types, and the application's answer to one request."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import trio

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
"""An ASGI application. Its scope has two more functions, so that a call needs no timer and no cancel scope for them:
``whole_body()``, the body if it has come with the head, else None, and ``abandon()``, which cancels the application
after its client has left. Its answer to HEAD is that to GET: the connection leaves the body out."""
Peer = tuple[str, int] | None

logger = logging.getLogger(__name__)


async def run_app(app: App, scope: Scope, receive: Receive, send: Callable[[Any], Awaitable[None]]) -> None:
    """Lets the application answer one request, then sends None. A failure is logged, and answered with 500 if nothing
    was sent before. A cancelled application gets no 500: its connection ends, and a 500 might overtake that end."""
    try:
        await app(scope, receive, send)
    except BaseExceptionGroup as group:
        if group.split(trio.Cancelled)[1] is None:
            raise
        logger.exception("the application failed")
    except Exception:
        logger.exception("the application failed")
    await send(None)
