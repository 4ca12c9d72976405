"""HTTP/1.1 on our own socket, by hypercorn's Trio worker. The only module that knows hypercorn.

Its command-line runner is not used (with several workers the first to leave ends the others), nor is its lifespan:
what must exist before the first request is made by `service.lifecycle`, and whatever fails there ends the start.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, cast

from hypercorn.config import Config, Sockets
from hypercorn.trio.run import worker_serve
from hypercorn.typing import ASGIFramework
from hypercorn.utils import wrap_app

from service.errors import ConfigError

BACKLOG = 1024
"""Connections that may wait to be accepted; Linux cuts it to net.core.somaxconn."""
KEEP_ALIVE_SECONDS = 75.0
"""Idle connections outlive those of whoever stands in front (nginx and load balancers: 60 s): never do we close one
that a request is just being written to."""
UNACKNOWLEDGED_MILLISECONDS = 15_000
"""How long a peer may leave what was sent unacknowledged: without it, a client that stops reading holds a write, and
with it the whole stop, for ever."""
HEADER_BYTES = 64 * 1024
"""All headers of a request; tokens of 9 kB and more are real."""
READ_AHEAD_EVENTS = 10
REQUESTS_PER_CONNECTION = 1_000_000
"""hypercorn closes a connection after 1,000 requests by default; a proxy's connections are meant to stay."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def bind(host: str, port: int, *, setting: str = "SERVER_PORT") -> socket.socket:
    """A socket that is bound but does not listen yet. Raises ConfigError if the address cannot be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise ConfigError("SERVER_HOST", f"{host} is no address of this machine: {error.strerror}") from error
    listener = socket.socket(family, kind, protocol)
    try:
        for level, option, value in _OPTIONS:
            listener.setsockopt(level, option, value)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise _unusable(error, host, port, setting) from error
    listener.settimeout(0)
    return listener


def _options() -> list[tuple[int, int, int]]:
    """What accepted connections inherit; an option that the platform lacks is left out."""
    options = [
        (socket.SOL_SOCKET, socket.SO_REUSEADDR, 1),
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    ]
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        options.append((socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MILLISECONDS))
    return options


_OPTIONS = _options()


def _unusable(error: OSError, host: str, port: int, setting: str) -> ConfigError:
    match error.errno:
        case errno.EADDRINUSE:
            return ConfigError(setting, f"port {port} on {host} is taken; stop what uses it or choose another")
        case errno.EACCES:
            return ConfigError(setting, f"port {port} needs privileges that this process does not have; choose another")
        case errno.EADDRNOTAVAIL:
            return ConfigError("SERVER_HOST", f"{host} is no address of this machine")
        case _:
            return ConfigError(setting, f"cannot listen on {host} port {port}: {os.strerror(error.errno or 0)}")


async def serve(
    app: App, listener: socket.socket, *, until: Callable[[], Awaitable[None]], grace_seconds: float
) -> None:
    """Serve until ``until()`` returns; then accept nothing more and wait for what is in flight, at most so long."""
    listener.listen(BACKLOG)
    await worker_serve(
        wrap_app(cast("ASGIFramework", _http_only(app)), 0, "asgi"),
        _config(grace_seconds),
        sockets=Sockets(secure_sockets=[], insecure_sockets=[listener], quic_sockets=[]),
        shutdown_trigger=until,
    )


def _config(grace_seconds: float) -> Config:
    """Every setting by attribute: a misspelt key of a mapping would go unnoticed."""
    config = Config()
    config.graceful_timeout = grace_seconds
    config.keep_alive_timeout = KEEP_ALIVE_SECONDS
    config.keep_alive_max_requests = REQUESTS_PER_CONNECTION
    config.h11_max_incomplete_size = HEADER_BYTES
    config.max_app_queue_size = READ_AHEAD_EVENTS
    config.include_server_header = False
    config.accesslog = None
    config.errorlog = logging.getLogger("service.http")
    config.errorlog.setLevel(logging.WARNING)
    return config


def _http_only(app: App) -> App:
    """Answers the scopes that are none of an HTTP application's."""

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "http":
                await app(scope, receive, send)
            case "lifespan":
                await _lifespan(receive, send)
            case _:  # a WebSocket: refused before it is accepted
                await receive()
                await send({"type": "websocket.close", "code": 1003})

    return handle


async def _lifespan(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})
