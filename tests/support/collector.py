"""A stand-in for an OpenTelemetry collector: takes OTLP over HTTP, as protobuf, and answers what a test says."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, SimpleQueue
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

WAIT_SECONDS = 10


class Collector:
    """``status`` is what the next requests are answered with; while ``held`` is clear they are not answered at all."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.status = 200
        self.location = ""
        self.held = threading.Event()
        self.held.set()
        self.headers: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.resource: dict[str, Any] = {}
        self._spans: SimpleQueue[Span] = SimpleQueue()

    def take(self, path: str, headers: dict[str, str], body: bytes) -> None:
        assert path == "/v1/traces"
        assert headers["content-type"] == "application/x-protobuf"
        self.headers.append(headers)
        self.bodies.append(body)
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        for resource_spans in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resource = attributes(resource_spans.resource.attributes)
            for scope_spans in resource_spans.scope_spans:
                for span in scope_spans.spans:
                    self._spans.put(span)

    def spans(self, count: int) -> list[Span]:
        """The next ones."""
        try:
            return [self._spans.get(timeout=WAIT_SECONDS) for _ in range(count)]
        except Empty:
            raise AssertionError("fewer spans came") from None


def attributes(pairs: Any) -> dict[str, Any]:
    def value(pair: KeyValue) -> Any:
        return getattr(pair.value, str(pair.value.WhichOneof("value")))

    return {pair.key: value(pair) for pair in pairs}


@contextmanager
def collector() -> Iterator[Collector]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            running.held.wait()
            if running.status == 200:
                running.take(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            self.send_response(running.status)
            self.send_header("content-length", "0")
            if running.location:
                self.send_header("location", running.location)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Handler)
    running = Collector(server.server_port)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield running
    finally:
        running.held.set()
        server.shutdown()
        thread.join()
        server.server_close()
