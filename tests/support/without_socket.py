"""A client of an ASGI application in the same loop, for tests in time that is made up."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

import trio

from openapi_mcp_server.server.asgi import App


class Client:
    """Who asks with this token from this address, for the same each time."""

    def __init__(
        self, app: App, token: str, *, path: str = "/mcp", method: str = "POST", query: str = "", address: str = "::1"
    ) -> None:
        self._app = app
        self._scope: Mapping[str, Any] = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "client": (address, 1),
            "headers": [
                (b"host", b"localhost"),
                (b"content-type", b"application/json"),
                (b"authorization", b"Bearer " + token.encode()),
            ],
        }
        self.status = 0
        self.body = b""
        self.has_answer = trio.Event()

    async def ask(self, body: bytes = b"", **changes: str) -> int:
        """The status of the answer, once it is whole."""
        events = [{"type": "http.request", "body": body}]
        named = [(name.replace("_", "-").encode(), value.encode()) for name, value in changes.items()]
        headers = [*self._scope["headers"], (b"content-length", b"%d" % len(body)), *named]
        self.body = b""

        async def receive() -> MutableMapping[str, Any]:
            return events.pop() if events else await trio.sleep_forever()

        with trio.CancelScope() as answering:
            more = {"headers": headers, "whole_body": lambda: None, "abandon": answering.cancel}
            await self._app({**self._scope, **more}, receive, self._send)
        return self.status

    async def _send(self, event: MutableMapping[str, Any]) -> None:
        self.status = event.get("status", self.status)
        self.body += event.get("body", b"")
        if self.body:
            self.has_answer.set()
