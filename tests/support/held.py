"""An API whose answers a test gives itself."""

from __future__ import annotations

import socket

DEADLINE_SECONDS = 30


class HeldApi:
    """An API on a raw socket with one operation, which answers when it is released and notices who leaves."""

    ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
    DOCUMENT = "openapi: 3.1.0\npaths: {/held: {get: {operationId: held, responses: {'200': {description: ok}}}}}\n"

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def accept(self) -> socket.socket:
        """The connection of a call that has arrived and waits."""
        self._listener.settimeout(DEADLINE_SECONDS)
        connection = self._listener.accept()[0]
        connection.settimeout(DEADLINE_SECONDS)
        assert connection.recv(65536).startswith(b"GET /held ")
        return connection

    def close(self) -> None:
        self._listener.close()
