"""An API that answers a body with the same body, and everything else with what attacks pages."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LONG = "A" * 1_000_000
BIDI = "safe \u202eevil\u2066 \u200b\U000e0041"
Asked = list[tuple[str, str, bytes]]
SCRIPTED = (
    "</script><script>window.pwned = 1</script><img src=x onerror='window.pwned = 2'><svg onload='window.pwned = 3'>"
    "<a href='javascript:window.pwned = 4'>a</a><iframe srcdoc='<script>parent.pwned = 5</script>'></iframe>"
    "<base href='http://evil.example/'><form action='http://evil.example/'><style>*{display:none}</style>"
)
HOSTILE = (SCRIPTED, "javascript:window.pwned=6", BIDI, LONG, "__proto__", "constructor", "${7*7}{{7*7}}")
ANSWERS = {
    "/svg": ("image/svg+xml", f'<svg xmlns="http://www.w3.org/2000/svg" onload="parent.pwned = 7">{SCRIPTED}</svg>'),
    "/html": ("text/html", f"<!doctype html><body onload='window.pwned = 8'>{SCRIPTED}"),
    "/json": ("application/json", '{"__proto__": {"polluted": 1}, "constructor": {"prototype": {"polluted": 1}}}'),
    "/bidi": ("text/plain", BIDI),
    "/long": ("text/plain", LONG),
    "/type": ("image/png'><script>window.pwned=9</script>", "no picture"),
}


class _Api(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.command, self.path, body))
        self._answer("application/json", body)

    def do_GET(self) -> None:
        self.server.asked.append((self.command, self.path, b""))
        kind, text = ANSWERS.get(self.path, ("text/plain", SCRIPTED))
        self._answer(kind, text.encode())

    def _answer(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Nothing on standard error."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    asked: Asked


def document() -> dict[str, Any]:
    """Every text that a document can have says something hostile, once in each operation."""
    paths = {f"/{index}/{{{text[:5_000]}}}": {"post": _operation(text)} for index, text in enumerate(HOSTILE)}
    plain = {path: {"get": {"operationId": path[1:], "responses": {"200": {"description": "ok"}}}} for path in ANSWERS}
    skipped = {"/skipped": {"get": {"operationId": SCRIPTED, "parameters": [{"name": SCRIPTED, "in": SCRIPTED}]}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": BIDI + SCRIPTED, "version": SCRIPTED, "description": SCRIPTED},
        "externalDocs": {"url": "javascript:window.pwned=10"},
        "tags": [{"name": text, "description": text} for text in HOSTILE],
        "paths": {**paths, **plain, **skipped},
    }


def _operation(text: str) -> dict[str, Any]:
    schema = {
        "type": "string",
        "title": text,
        "description": text,
        "enum": [text, "b"],
        "default": text,
        "format": text,
    }
    members = {"type": "object", "description": text, "properties": {text: schema}, "required": [text]}
    return {
        "operationId": text,
        "summary": text,
        "description": text,
        "tags": [text],
        "externalDocs": {"url": text, "description": text},
        "parameters": [{"name": text, "in": "path", "required": True, "description": text, "schema": schema}],
        "requestBody": {"content": {"application/json": {"schema": members}}},
        "responses": {"200": {"description": text, "content": {"application/json": {"schema": members}}}},
    }


@contextmanager
def served() -> Iterator[tuple[str, Asked]]:
    """Its address, and what it is asked."""
    with _Server(("127.0.0.1", 0), _Api) as server:
        server.asked = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", server.asked
        finally:
            server.shutdown()
            thread.join()
