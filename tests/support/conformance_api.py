"""The API of ``document.yaml``: an ASGI application that knows its answers by heart."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, NamedTuple

import anyio

PROGRESS_SECONDS = 4.3
"""Long enough for the gateway to report three times: after two seconds and every second from then on."""

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)
SILENCE = (
    b"RIFF\x2c\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x40\x1f\x00\x00\x01\x00\x08\x00"
    b"data\x08\x00\x00\x00" + b"\x80" * 8
)


class Answer(NamedTuple):
    content_type: str
    body: bytes
    status: int = 200
    seconds: float = 0.0


ANSWERS: Mapping[str, Answer] = {
    "/simple-text": Answer("text/plain", b"This is a simple text response for testing."),
    "/image": Answer("image/png", PIXEL),
    "/audio": Answer("audio/wav", SILENCE),
    "/embedded-resource": Answer("application/pdf", b"%PDF-1.4\n%%EOF\n"),
    "/error": Answer("application/json", b'{"error":"This tool intentionally returns an error for testing"}', 500),
    "/progress": Answer("text/plain", b"That took a while.", seconds=PROGRESS_SECONDS),
}
OTHERWISE = Answer("text/plain", b"Done.")


CHANGES = ("/change/tools", "/change/prompts")


class App:
    """``changed`` is called by the operations that stand for a change of the lists."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        if scope["type"] == "lifespan":
            while (event := await receive())["type"] != "lifespan.shutdown":
                await send({"type": f"{event['type']}.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        if scope["path"] in CHANGES:
            self._changed()
        answer = ANSWERS.get(scope["path"], OTHERWISE)
        await anyio.sleep(answer.seconds)
        headers = [
            (b"content-type", answer.content_type.encode()),
            (b"content-length", str(len(answer.body)).encode()),
        ]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})
