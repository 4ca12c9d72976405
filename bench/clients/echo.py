"""The API behind the documents: on loopback, it keeps every request and answers each with a mark of its own."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import msgspec

from clients.documents import Request

POLL_SECONDS = 0.05
"""How soon the end of the API is noticed."""
MARK = re.compile(r"answered-(\d+)-")


class Api(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.requests: list[Request] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def kept(self, request: Request) -> int:
        with self.lock:
            self.requests.append(request)
            return len(self.requests) - 1

    def behind(self, text: str) -> Request | None:
        """The request whose answer is in this text."""
        found = MARK.search(text)
        return self.requests[int(found[1])] if found else None


class Answers(BaseHTTPRequestHandler):
    server: Api
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        number = self.server.kept(read(self.command, self.path, self.headers.get_content_type(), body))
        answer = msgspec.json.encode({"id": f"answered-{number}-"})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 - the names of http.server

    def log_message(self, *_: object) -> None:
        pass


def read(method: str, target: str, content_type: str, body: bytes) -> Request:
    parts = urlsplit(target)
    if content_type == "application/x-www-form-urlencoded":
        return Request(method, parts.path, parts.query, form=dict(parse_qsl(body.decode(), keep_blank_values=True)))
    try:
        content = msgspec.json.decode(body) if body else None
    except msgspec.DecodeError:  # multipart, whose boundary is another one each time
        content = content_type
    return Request(method, parts.path, parts.query, body=content)


@contextmanager
def serving() -> Iterator[Api]:
    api = Api()
    thread = threading.Thread(target=api.serve_forever, args=(POLL_SECONDS,), daemon=True)
    thread.start()
    try:
        yield api
    finally:
        api.shutdown()
        api.server_close()
