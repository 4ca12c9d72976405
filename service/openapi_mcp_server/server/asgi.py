"""ASGI between what listens and the application: its types, and the application's answer to one request."""

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
``whole_body()``, the body where it has come with the head, else None, and ``abandon()``, which cancels the application
after its client has left."""
Peer = tuple[str, int] | None

logger = logging.getLogger("service.http")


async def run_app(app: App, scope: Scope, receive: Receive, send: Callable[[Any], Awaitable[None]]) -> None:
    """Has the application answer one request, and says so with None. Where it fails, that is logged, and answered 500
    as far as nothing else was. Where it is cancelled its connection ends, and a 500 might still overtake that end."""
    try:
        await app(scope, receive, send)
    except BaseExceptionGroup as group:
        if group.split(trio.Cancelled)[1] is None:
            raise
        logger.exception("the application failed")
    except Exception:
        logger.exception("the application failed")
    await send(None)
