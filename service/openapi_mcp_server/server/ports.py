"""Ports to listen on: bound before anything else is done, opened when the server is ready."""

from __future__ import annotations

import errno
import os
import socket

from openapi_mcp_server.errors import ConfigError

BACKLOG = 1024
"""Connections that may wait to be accepted; Linux cuts it to net.core.somaxconn."""
UNACKNOWLEDGED_MILLISECONDS = 15_000
"""How long a peer may leave what was sent unacknowledged before the kernel gives the connection up."""


def bind(host: str, port: int, *, setting: str = "SERVER_PORT") -> socket.socket:
    """A socket that is bound but does not listen yet. Raises ConfigError if the address cannot be used."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, UnicodeError) as error:  # UnicodeError: not even a name, to IDNA
        problem = getattr(error, "strerror", "no name has such parts")
        raise ConfigError("SERVER_HOST", f"{host} is no address of this machine: {problem}") from error
    try:
        listener = socket.socket(family, kind, protocol)
        try:
            for level, option, value in _OPTIONS:
                listener.setsockopt(level, option, value)
            listener.bind(address)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise _unusable(error, host, port, setting) from error
    listener.settimeout(0)
    return listener


def listen(listener: socket.socket, *, setting: str = "SERVER_PORT") -> None:
    """Accepts connections from now on. Raises ConfigError if another process was faster (both may have bound)."""
    host, port = listener.getsockname()[:2]
    try:
        listener.listen(BACKLOG)
    except OSError as error:
        raise _unusable(error, host, port, setting) from error


def url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _options() -> list[tuple[int, int, int]]:
    """The options that accepted connections inherit. An option that the platform lacks is left out."""
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
