"""A stand-in for the AWS X-Ray daemon that is as strict as X-Ray: UDP for segment documents, TCP for sampling."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, SimpleQueue
from typing import Any

import msgspec

WAIT_SECONDS = 10
DEFAULT_RULE = {
    "RuleName": "Default",
    "RuleARN": "arn:aws:xray:us-east-1::sampling-rule/Default",
    "ResourceARN": "*",
    "Priority": 10_000,
    "FixedRate": 1.0,
    "ReservoirSize": 1,
    "ServiceName": "*",
    "ServiceType": "*",
    "Host": "*",
    "HTTPMethod": "*",
    "URLPath": "*",
    "Version": 1,
    "Attributes": {},
}
_NAME = re.compile(r"[\w\s.:/%&#=+\\\-@]{1,200}")
_ID = re.compile(r"[0-9a-f]{16}")
_TRACE_ID = re.compile(r"1-[0-9a-f]{8}-[0-9a-f]{24}")


class Daemon:
    """``documents`` as they were accepted; ``rejected`` says why each other datagram was not."""

    def __init__(self, udp: socket.socket, http: ThreadingHTTPServer) -> None:
        self.address = f"tcp:127.0.0.1:{http.server_port} udp:127.0.0.1:{udp.getsockname()[1]}"
        self.rules: list[dict[str, Any]] = [DEFAULT_RULE]
        self.targets: list[dict[str, Any]] = []
        self.changed = 0.0  # when a rule was last modified
        self.status = 200
        self.asked: list[tuple[str, Any]] = []
        self.rejected: list[str] = []
        self._documents: SimpleQueue[dict[str, Any]] = SimpleQueue()

    def document(self) -> dict[str, Any]:
        """The next one."""
        try:
            return self._documents.get(timeout=WAIT_SECONDS)
        except Empty:
            raise AssertionError(f"no document came; rejected: {self.rejected}") from None

    def take(self, datagram: bytes) -> None:
        head, _, body = datagram.partition(b"\n")
        try:
            assert msgspec.json.decode(head) == {"format": "json", "version": 1}, "no header"
            whole = msgspec.json.decode(body)
            check(whole)
        except (AssertionError, msgspec.DecodeError) as error:
            self.rejected.append(str(error))
        else:
            self._documents.put(whole)

    def answer(self, path: str, content: Any) -> Any:
        self.asked.append((path, content))
        if path == "/GetSamplingRules":
            return {"SamplingRuleRecords": [{"SamplingRule": rule, "CreatedAt": 0.0} for rule in self.rules]}
        assert path == "/SamplingTargets", path
        for document in content["SamplingStatisticsDocuments"]:
            assert re.fullmatch(r"[0-9a-f]{24}", document["ClientID"])
            assert document["Timestamp"] > 1_700_000_000
        return {"SamplingTargetDocuments": self.targets, "LastRuleModification": self.changed}


def check(whole: dict[str, Any], *, inside: bool = False) -> None:
    """What X-Ray asks of a segment or subsegment (developer guide, Segment documents); else AssertionError."""
    assert _NAME.fullmatch(whole["name"]), f"name {whole['name']!r}"
    assert _ID.fullmatch(whole["id"]), "id"
    assert isinstance(whole["start_time"], float), "start_time"
    assert whole.get("in_progress") is True or whole["end_time"] >= whole["start_time"], "end_time"
    if not inside:
        assert _TRACE_ID.fullmatch(whole["trace_id"]), "trace_id"
        assert _ID.fullmatch(whole.get("parent_id", "0" * 16)), "parent_id"
    if inside or whole.get("type") == "subsegment":
        assert whole["namespace"] in {"remote", "aws"}, "namespace"
        assert inside or "parent_id" in whole, "parent_id"
        assert "origin" not in whole, "a subsegment has no origin"
    if http := whole.get("http"):
        assert http.keys() <= {"request", "response"}, "http"
        assert re.fullmatch(r"[A-Z]+", http["request"]["method"]), "http.request.method"
        assert re.fullmatch(r"https?://[^/]+/.*", http["request"]["url"]), "http.request.url"
        assert isinstance(http.get("response", {}).get("status", 0), int), "http.response.status"
    assert all(re.fullmatch(r"\w+", name, re.ASCII) for name in whole.get("annotations", {})), "annotation's key"
    assert all(isinstance(value, str | int | float) for value in whole.get("annotations", {}).values()), "annotation"
    assert not whole.get("throttle") or whole["error"] is True, "throttle without error"
    assert all(_ID.fullmatch(one["id"]) for one in whole.get("cause", {}).get("exceptions", ())), "exception's id"
    for subsegment in whole.get("subsegments", ()):
        check(subsegment, inside=True)


@contextmanager
def daemon(port: int = 0) -> Iterator[Daemon]:
    """Listening for as long as the context lasts, on UDP and TCP; on two ports of its own unless one is given."""

    class Sampling(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = msgspec.json.decode(self.rfile.read(int(self.headers["content-length"])))
            body = msgspec.json.encode(running.answer(self.path, content))
            self.send_response(running.status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", port))
    http = ThreadingHTTPServer(("127.0.0.1", port), Sampling)
    running = Daemon(udp, http)

    def read() -> None:
        while datagram := udp.recv(65_536):
            running.take(datagram)

    threads = [threading.Thread(target=read), threading.Thread(target=http.serve_forever, args=(0.01,))]
    for thread in threads:
        thread.start()
    try:
        yield running
    finally:
        udp.sendto(b"", udp.getsockname())
        http.shutdown()
        for thread in threads:
            thread.join()
        udp.close()
        http.server_close()
