"""An HTTP server in threads of its own that writes down what it is asked, for programs in other processes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import msgspec


class Asked(NamedTuple):
    """``headers`` by name in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Answer = tuple[int, dict[str, str], bytes]
Answers = Callable[[Asked], Answer]


class Recording:
    def __init__(self, answers: Answers, url: str) -> None:
        self.answers = answers
        self.url = url
        self.asked: list[Asked] = []

    def of(self, target: str) -> list[Asked]:
        return [each for each in self.asked if each.target.partition("?")[0] == target]


def echo(asked: Asked) -> Answer:
    """What the API was sent."""
    return 200, {}, msgspec.json.encode({"headers": asked.headers, "target": asked.target})


def document(server: str = "/", *, paths: tuple[str, ...] = ("/pets",), **more: object) -> bytes:
    """One GET and one POST at each path."""
    answer = {"responses": {"200": {"description": "ok"}}}
    operations = {
        path: {
            "get": {"operationId": f"get{path.strip('/').title()}", **answer},
            "post": {"operationId": f"post{path.strip('/').title()}", **answer},
        }
        for path in paths
    }
    root = {"openapi": "3.1.0", "info": {"title": "Pets", "version": "1"}, "servers": [{"url": server}]}
    return msgspec.json.encode({**root, "paths": operations, **more})


def with_document(text: bytes, answers: Answers = echo) -> Answers:
    """An API that serves its own document."""

    def answer(asked: Asked) -> Answer:
        return (200, {}, text) if asked.target == "/openapi.json" else answers(asked)

    return answer


@contextmanager
def recording(answers: Answers = echo) -> Iterator[Recording]:
    """On a loopback port, for as long as the context lasts."""
    made: Recording

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked = Asked(self.command, self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            made.asked.append(asked)
            status, headers, content = made.answers(asked)
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            self._any()

        def do_POST(self) -> None:
            self._any()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Nothing on standard error."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made = Recording(answers, f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
