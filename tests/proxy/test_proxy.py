"""Real nginx in front of the real worker, and in front of a worker that does what a test says."""

from __future__ import annotations

import http.client
import re
import shlex
import shutil
import signal
import socket
import ssl
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import SimpleQueue
from typing import Any
from urllib.parse import urlsplit

import anyio
import msgspec
import pytest
from mcp import Client

from certificates import certificate
from held import DEADLINE_SECONDS, HeldApi
from nginx import Nginx, every_worker, free_port, proxy
from node import NODE, NODE_FOLDER
from processes import CHECKOUT, Server, free_ports, started

# The client leaves the generators of an event stream to the garbage collector, which Trio warns of.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Async generator 'httpx2:ResourceWarning", "ignore:Async generator 'httpcore2:ResourceWarning"
)
JSON = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
PING = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
PONG = {"jsonrpc": "2.0", "id": 1, "result": {}}


def connect(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_SECONDS)


@contextmanager
def sent(port: int, method: str, path: str, body: bytes = b"", **headers: str) -> Iterator[http.client.HTTPResponse]:
    """The response to one request on a connection of its own, not yet read."""
    connection = connect(port)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, {**JSON, **named})
        yield connection.getresponse()
    finally:
        connection.close()


def post(port: int, path: str = "/mcp", body: bytes = PING, **headers: str) -> tuple[int, Any]:
    with sent(port, "POST", path, body, **headers) as response:
        return response.status, msgspec.json.decode(response.read())


def call(tool: str, **arguments: Any) -> bytes:
    params = {"name": tool, "arguments": arguments, "_meta": {"progressToken": "p"}}
    return msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})


def assert_refusal(answer: tuple[int, Any], status: int, words: str) -> None:
    assert answer[0] == status
    assert set(answer[1]) == {"jsonrpc", "id", "error"}
    assert answer[1]["error"]["code"] == (-32603 if status >= 500 else -32600)
    assert re.search(words, answer[1]["error"]["message"])


@pytest.fixture(scope="module")
def front(tmp_path_factory) -> Iterator[Nginx]:
    """The demo behind the proxy."""
    with started("demo", "--port", "0") as worker:
        address = urlsplit(worker.url).netloc
        with proxy(tmp_path_factory.mktemp("nginx"), **every_worker(address)) as running:
            yield running


# What passes


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
def test_the_official_client_calls_and_hears_of_progress_before_the_answer(front, mode):
    heard: list[float] = []

    async def progressed(seconds: float, total: float | None, message: str | None) -> None:
        heard.append(seconds)

    async def main() -> None:
        with anyio.fail_after(DEADLINE_SECONDS):
            async with Client(f"{front.url}/mcp", mode=mode) as client:
                assert "getPet" in {tool.name for tool in (await client.list_tools()).tools}
                assert (await client.call_tool("getPet", {"petId": 1})).structured_content["name"] == "Mia"
                waited = await client.call_tool("waitSlowly", {"seconds": 2.5}, progress_callback=progressed)
                assert not waited.is_error

    anyio.run(main, backend="trio")
    assert heard[0] == 2


@pytest.mark.skipif(not (NODE_FOLDER / "node_modules").exists(), reason="no npm packages: scripts/test installs them")
@pytest.mark.parametrize("transport", ["http", "sse"])
@pytest.mark.parametrize(("package", "era"), [("sdk", "legacy"), ("client", "legacy"), ("client", "auto")])
def test_the_official_typescript_clients_call_through_it(front, package, era, transport):
    url = f"{front.url}/{'sse' if transport == 'sse' else 'mcp'}"
    argv = [NODE, "converse.mjs", package, era, transport, url, "getPet", '{"petId":1}', '{"petId":"Mia"}']
    done = subprocess.run(argv, cwd=NODE_FOLDER, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    seen = msgspec.json.decode(done.stdout)
    assert (seen["refused"], seen["unknown"], seen["discovered"]) == (True, -32602, era == "auto")


def test_progress_arrives_when_it_is_sent_and_not_with_the_answer(front):
    with sent(front.port, "POST", "/mcp", call("waitSlowly", seconds=3.5)) as response:
        arrived = [time.monotonic() for line in response if line.startswith(b"data: ")]
    first, *_, answer = arrived
    # Sent after 2, 3 and 3.5 seconds. A proxy that collects them gives all at once.
    assert len(arrived) == 3
    assert answer - first > 1


def test_an_authorization_header_of_9_kb_passes(front):
    assert post(front.port, authorization="Bearer " + "x" * 9_000) == (200, PONG)


def test_a_message_of_nearly_4_mib_passes(front):
    status, answer = post(front.port, body=PING + b" " * (4 * 2**20 - len(PING)))
    assert (status, answer) == (200, PONG)


def test_a_slash_behind_the_endpoint_is_no_other_place(front):
    assert post(front.port, "/mcp/") == (200, PONG)


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/health"])
def test_probes_are_answered_by_the_worker(front, path):
    with sent(front.port, "GET", path) as response:
        assert response.status == 200
        assert msgspec.json.decode(response.read())["status"] in {"alive", "ready"}


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_probes_of_a_load_balancer_need_no_name(front, path):
    with sent(front.port, "GET", path, host="10.0.3.7:8000") as response:
        assert response.status == 200


def test_what_the_worker_refuses_passes_as_it_is(front):
    status, answer = post(front.port, content_type="text/plain")
    assert (status, answer["error"]["message"]) == (415, "the Content-Type must be application/json, in UTF-8")


def mounted(folder: Path, name: str) -> ssl.SSLContext:
    """The context of a client that trusts the certificate of this name, which is put where the proxy has it."""
    own = folder / name
    own.mkdir()
    _, trusted = certificate(own)
    tls = folder / "tls"
    tls.mkdir(exist_ok=True)
    for made, read in ((trusted, "tls.crt"), (own / "key.pem", "tls.key")):
        shutil.copyfile(made, tls / read)
    return ssl.create_default_context(cafile=str(trusted))


def over_tls(port: int, context: ssl.SSLContext, host: str = "localhost") -> int:
    client = http.client.HTTPSConnection("localhost", port, timeout=DEADLINE_SECONDS, context=context)
    try:
        client.request("POST", "/mcp", PING, {**JSON, "host": host})
        return client.getresponse().status
    finally:
        client.close()


def test_a_certificate_turns_tls_on_and_its_successor_needs_no_reload(tmp_path):
    first, port = mounted(tmp_path, "first"), free_port()
    with (
        scripted_worker() as worker,
        proxy(tmp_path, PROXY_TLS_PORT=f"127.0.0.1:{port}", **every_worker(worker.address)),
    ):
        assert over_tls(port, first) == 200
        assert over_tls(port, first, "evil.example") == 421
        assert_refusal(post(port), 426, "HTTPS")
        second = mounted(tmp_path, "second")
        assert over_tls(port, second) == 200
        with pytest.raises(ssl.SSLCertVerificationError):
            over_tls(port, first)
    assert worker.requests[0][1]["x-forwarded-proto"] == "https"


def test_a_client_is_told_where_to_log_in_at_the_address_that_it_knows(tmp_path):
    """Its port and its encryption are the proxy's alone to know; what it says about them itself is replaced."""
    context, port = mounted(tmp_path, "first"), free_port()
    jwt = {"INBOUND_AUTH": "jwt", "INBOUND_JWT_ISSUERS": "https://issuer.example", "INBOUND_JWT_CLIENT_IDS": "a"}
    lies = {"x-forwarded-port": "1", "x-forwarded-proto": "ftp", "x-forwarded-prefix": "/evil"}
    with (
        started("demo", "--port", "0", TRUSTED_PROXIES="127.0.0.1", **jwt) as worker,
        proxy(tmp_path, PROXY_TLS_PORT=f"127.0.0.1:{port}", **every_worker(urlsplit(worker.url).netloc)) as front,
    ):
        for client, place in (
            (http.client.HTTPSConnection("localhost", port, context=context), f"https://localhost:{port}"),
            (connect(front.port), f"http://127.0.0.1:{front.port}"),
        ):
            client.request("POST", "/mcp", PING, {**JSON, **lies})
            challenge = client.getresponse().headers["www-authenticate"]
            client.close()
            assert f'resource_metadata="{place}/.well-known/oauth-protected-resource/mcp"' in challenge


def test_behind_a_load_balancer_that_ends_tls_clients_are_told_https(tmp_path):
    with (
        scripted_worker() as worker,
        proxy(tmp_path, PROXY_SCHEME="https", **every_worker(worker.address)) as front,
    ):
        assert post(front.port, host="localhost") == (200, PONG)
    _, headers, *_ = worker.requests[0]
    assert headers["x-forwarded-proto"] == "https"
    assert "x-forwarded-port" not in headers


def test_the_documented_certificate_of_ones_own_does_for_whoever_takes_any(tmp_path):
    page = (CHECKOUT / "docs" / "deploy" / "ecs.md").read_text("utf-8")
    (command,) = re.findall(r"^ *(openssl req .*)$", page, re.MULTILINE)
    subprocess.run(shlex.split(command), cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "tls").mkdir()
    for name in ("tls.crt", "tls.key"):  # as proxy/Dockerfile has both names for the one file
        (tmp_path / "tls" / name).symlink_to("../tls.pem")
    anybody, port = ssl.create_default_context(), free_port()
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    with (
        scripted_worker() as worker,
        proxy(tmp_path, PROXY_TLS_PORT=f"127.0.0.1:{port}", **every_worker(worker.address)),
    ):
        assert over_tls(port, anybody) == 200


def test_without_a_certificate_only_the_handshake_fails_and_the_log_says_why(tmp_path):
    port = free_port()
    with (
        scripted_worker() as worker,
        proxy(tmp_path, PROXY_TLS_PORT=f"127.0.0.1:{port}", **every_worker(worker.address)) as front,
    ):
        with pytest.raises(ssl.SSLError, match="internal error"):
            over_tls(port, ssl.create_default_context())
        assert b"tls/tls.crt" in front.wait_for(b"cannot load certificate")
        assert post(front.port) == (200, PONG)


# What is refused


def test_a_body_over_the_limit_is_refused_in_json(front):
    assert_refusal(post(front.port, body=b"x" * 5 * 2**20), 413, "4 MiB")


def test_a_header_over_the_limit_is_refused_in_json(front):
    assert_refusal(post(front.port, authorization="x" * 20_000), 431, "16 kB")


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example:8000", "10.0.3.7"])
def test_an_unknown_host_is_refused(front, host):
    assert_refusal(post(front.port, host=host), 421, "PROXY_SERVER_NAMES")


@pytest.mark.parametrize("path", ["/", "/mcp/x", "/messages", "/messages/w7/", "/messages/", "/metrics", "/sse/x"])
def test_other_paths_are_not_there(front, path):
    assert_refusal(post(front.port, path), 404, "/mcp")


@pytest.mark.parametrize("path", ["/", "/health", "//health", "/x/../health", "/page/state", "/metrics", "/v1/../mcp"])
def test_options_of_any_path_are_told_nothing_but_that_they_are_not_taken(front, path):
    with sent(front.port, "OPTIONS", path) as response:
        assert response.status in {404, 405}
        assert set(msgspec.json.decode(response.read())) == {"error"}


@pytest.mark.parametrize(
    ("path", "changes", "status"),
    [
        ("/v1/mcp", {}, 404),
        ("/mcp", {"body": b"x" * 5 * 2**20}, 413),
        ("/mcp", {"authorization": "x" * 20_000}, 431),
        ("/mcp", {"content_type": "text/plain"}, 415),  # the worker's own
    ],
)
def test_an_allowed_web_page_reads_why_it_is_refused(front, path, changes, status):
    page = {"origin": "http://localhost:6274"}
    with sent(front.port, "OPTIONS", path, access_control_request_method="POST", **page) as preflight:
        assert (preflight.status, preflight.headers["access-control-allow-origin"]) == (204, page["origin"])
    with sent(front.port, "POST", path, **{"body": PING, **changes, **page}) as response:
        assert response.status == status
        assert response.headers["access-control-allow-origin"] in {"*", page["origin"]}
        assert msgspec.json.decode(response.read())["error"]["message"]


def test_a_stranger_s_page_learns_nothing_of_a_host_that_is_not_served(front):
    for method in ("OPTIONS", "POST"):
        with sent(front.port, method, "/mcp", host="evil.example", origin="http://evil.example") as response:
            assert response.status == 421
            assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize(
    ("upgrade", "more"),
    [("h2c", {"http2_settings": "AAMAAABkAAQAAP__"}), ("websocket", {"sec_websocket_version": "13"})],
)
def test_an_upgrade_is_not_passed_on(front, upgrade, more):
    status, answer = post(front.port, upgrade=upgrade, connection="Upgrade, HTTP2-Settings", **more)
    assert (status, answer) == (200, PONG)


@pytest.mark.parametrize(
    "raw",
    [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /livez\x00 HTTP/1.1\r\n\r\n",
        b"GET /livez HTTP/1.1\r\n\r\n",
        b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    ],
    ids=["http-2", "nul", "no-host", "two-lengths"],
)
def test_what_is_no_request_is_refused_in_json(front, raw):
    with socket.create_connection(("127.0.0.1", front.port), DEADLINE_SECONDS) as connection:
        connection.sendall(raw)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split()[1] == b"400"
    assert msgspec.json.decode(body)["error"]["code"] == -32600


def test_without_a_worker_the_answer_is_502_in_json(tmp_path):
    with proxy(tmp_path, **every_worker(f"127.0.0.1:{free_port()}")) as front:
        assert_refusal(post(front.port), 502, "cannot be reached")


def test_too_many_requests_are_told_to_wait_and_probes_are_not(tmp_path):
    limits = {"PROXY_RATE": "1r/m", "PROXY_BURST": "1"}
    with scripted_worker() as worker, proxy(tmp_path, **every_worker(worker.address), **limits) as front:
        assert [post(front.port)[0] for _ in range(2)] == [200, 200]
        with sent(front.port, "POST", "/mcp", PING) as response:
            assert response.headers["retry-after"] == "1"
            assert response.headers["access-control-expose-headers"] == "*"
            assert_refusal((response.status, msgspec.json.decode(response.read())), 429, "wait")
        with sent(front.port, "OPTIONS", "/v1/mcp") as preflight:
            assert preflight.status == 429
        for _ in range(4):
            with sent(front.port, "GET", "/readyz") as response:
                assert response.status == 200


def test_a_subscriber_of_ipv6_has_the_limits_of_one_client_and_private_addresses_count_one_by_one(tmp_path):
    limits = {"PROXY_RATE": "1r/m", "PROXY_BURST": "1", "PROXY_TRUSTED": "127.0.0.0/8"}
    with scripted_worker() as worker, proxy(tmp_path, **every_worker(worker.address), **limits) as front:

        def answered(*clients: str) -> list[int]:
            return [post(front.port, x_forwarded_for=each)[0] for each in clients]

        assert answered("2001:db9:0:1::1", "2001:db9:0:1:ffff::2", "2001:db9:0:1::3") == [200, 200, 429]
        assert answered("2001:db9:0:2::1", "3fff:0:0:1::1", "203.0.113.1") == [200, 200, 200]
        for one_each in (["fd00::1", "fd00::2", "fd00::3"], ["64:ff9b::1", "64:ff9b::2", "64:ff9b::3"]):
            assert answered(*one_each) == [200, 200, 200]
        assert answered("203.0.113.2", "203.0.113.2", "203.0.113.2") == [200, 200, 429]


def test_too_many_open_streams_are_refused(tmp_path):
    with (
        scripted_worker() as worker,
        proxy(tmp_path, **every_worker(worker.address), PROXY_CONNECTIONS="1") as front,
        sent(front.port, "GET", "/sse") as stream,
    ):
        assert stream.status == 200
        assert_refusal(post(front.port), 429, "too many")


# A worker that does what a test says


class ScriptedWorker(ThreadingHTTPServer):
    """Answers every POST with a pong, unless ``breaks``; GET /sse is a stream of what is put into ``events``."""

    daemon_threads = False  # at its end it waits for its connections, which the proxy has closed by then

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server_address[1]}"
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.events: SimpleQueue[bytes] = SimpleQueue()
        self.sent: list[float] = []
        self.breaks = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that the proxy cut is no fault."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ScriptedWorker

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.note()
        if self.server.breaks:
            self.close_connection = True
        else:
            self.reply(msgspec.json.encode(PONG))

    def do_GET(self) -> None:
        self.note()
        if self.path != "/sse":
            self.reply(b"{}")
            return
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        while event := self.server.events.get():
            self.server.sent.append(time.monotonic())
            self.wfile.write(b"%x\r\n%b\r\n" % (len(event), event))
        self.wfile.write(b"0\r\n\r\n")

    def note(self) -> None:
        self.server.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}))

    def reply(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Says nothing."""


@contextmanager
def scripted_worker() -> Iterator[ScriptedWorker]:
    with ScriptedWorker() as worker:
        thread = threading.Thread(target=worker.serve_forever)
        thread.start()
        try:
            yield worker
        finally:
            worker.events.put(b"")
            worker.shutdown()
            thread.join(DEADLINE_SECONDS)


def test_each_event_of_a_stream_arrives_before_the_next_is_sent(tmp_path):
    """Batched by anybody on the way, the first event would wait for a second that is never sent."""
    received = []
    with (
        scripted_worker() as worker,
        proxy(tmp_path, **every_worker(worker.address)) as front,
        sent(front.port, "GET", "/sse") as stream,
    ):
        for number in range(20):
            worker.events.put(b"data: %d\n\n" % number)
            assert stream.readline() == b"data: %d\n" % number
            received.append(time.monotonic())
            assert stream.readline() == b"\n"
        worker.events.put(b"")
        assert stream.read() == b""
    gaps = [after - before for before, after in zip(worker.sent, received, strict=True)]
    assert statistics.median(gaps) < 0.1


def test_messages_go_to_the_worker_of_their_path(tmp_path):
    with scripted_worker() as zero, scripted_worker() as two:
        workers = {**every_worker(zero.address), "PROXY_WORKER_2": two.address}
        with proxy(tmp_path, **workers) as front:
            for _ in range(4):
                assert post(front.port, "/messages/w2/?session_id=s3cret%2F1")[0] == 200
            assert post(front.port, "/messages/w0/?session_id=x")[0] == 200
    assert [path for path, _ in two.requests] == ["/messages/w2/?session_id=s3cret%2F1"] * 4
    assert [path for path, _ in zero.requests] == ["/messages/w0/?session_id=x"]


def test_the_worker_is_told_about_the_client_by_the_proxy_alone(tmp_path):
    claims = {
        "x_forwarded_for": "1.2.3.4",
        "x_forwarded_host": "evil.example",
        "x_forwarded_proto": "https",
        "x_real_ip": "1.2.3.4",
        "x_request_id": "mine",
        "forwarded": "for=1.2.3.4",
        "upgrade": "h2c",
        "connection": "upgrade",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }
    with scripted_worker() as worker, proxy(tmp_path, **every_worker(worker.address)) as front:
        post(front.port, host=f"localhost:{front.port}", **claims)
    (_, headers) = worker.requests[0]
    told = {name: headers.get(name.replace("_", "-")) for name in claims}
    assert re.fullmatch(r"[0-9a-f]{32}", told.pop("x_request_id"))
    assert told == {
        "x_forwarded_for": "127.0.0.1",
        "x_forwarded_host": "localhost",
        "x_forwarded_proto": "http",
        "x_real_ip": "127.0.0.1",
        "forwarded": None,
        "upgrade": None,
        "connection": None,
        "traceparent": claims["traceparent"],
    }
    assert headers["host"] == "localhost"


def test_the_client_that_a_trusted_load_balancer_names_is_believed(tmp_path):
    with (
        scripted_worker() as worker,
        proxy(tmp_path, **every_worker(worker.address), PROXY_TRUSTED="127.0.0.0/8") as front,
    ):
        post(front.port, x_forwarded_for="9.9.9.9, 203.0.113.7")
        assert_refusal(get_health(front, "203.0.113.7"), 403, "private")
    assert worker.requests[0][1]["x-forwarded-for"] == "203.0.113.7"


def get_health(front: Nginx, client: str) -> tuple[int, Any]:
    with sent(front.port, "GET", "/health", x_forwarded_for=client) as response:
        return response.status, msgspec.json.decode(response.read())


def test_a_worker_that_is_down_costs_no_call(tmp_path):
    with scripted_worker() as worker:
        workers = {**every_worker(worker.address), "PROXY_WORKER_0": f"127.0.0.1:{free_port()}"}
        with proxy(tmp_path, **workers) as front:
            assert [post(front.port)[0] for _ in range(12)] == [200] * 12
    assert len(worker.requests) == 12


def test_a_place_without_a_worker_is_left_out(tmp_path):
    with scripted_worker() as worker, scripted_worker() as other:
        workers = {**every_worker(worker.address), "PROXY_WORKER_3": f"{other.address} down"}
        with proxy(tmp_path, **workers) as front:
            assert [post(front.port)[0] for _ in range(8)] == [200] * 8
            assert_refusal(post(front.port, "/messages/w3/?session_id=x"), 502, "cannot be reached")
    assert other.requests == []


def test_a_call_that_was_sent_is_never_sent_again(tmp_path):
    with scripted_worker() as worker, scripted_worker() as other:
        worker.breaks = other.breaks = True
        workers = {**every_worker(worker.address), "PROXY_WORKER_1": other.address}
        with proxy(tmp_path, **workers) as front:
            assert_refusal(post(front.port), 502, "may have been carried out")
    assert len(worker.requests) + len(other.requests) == 1


def test_every_request_is_a_line_of_json_without_secrets(tmp_path):
    with scripted_worker() as worker, proxy(tmp_path, **every_worker(worker.address)) as front:
        post(front.port, "/messages/w0/?session_id=s3cret", authorization="Bearer s3cret", user_agent='a "b"\\\t')
        post(front.port, "/nothing?s3cret")
        post(front.port, host="evil.example")
        front.stop()
    first, second, third = sorted(front.log(), key=lambda line: str(line["status"]))
    assert "s3cret" not in repr(front.log())
    assert (first["path"], first["status"], first["upstream"]) == ("/messages/w0/", "200", worker.address)
    assert (first["user_agent"], first["upstream_status"]) == ('a "b"\\\t', "200")
    assert float(first["upstream_seconds"]) <= first["seconds"] + 0.01
    assert first["request_id"] == worker.requests[0][1]["x-request-id"]
    assert (second["method"], second["path"], second["status"], second["upstream"]) == ("POST", "/nothing", "404", "")
    assert (third["method"], third["path"], third["status"], third["host"]) == ("POST", "/mcp", "421", "evil.example")


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_a_probe_is_in_the_log_only_if_it_fails(tmp_path, path):
    logs = {}
    with scripted_worker() as worker:
        for address, status in ((worker.address, 200), (f"127.0.0.1:{free_port()}", 502)):
            with proxy(tmp_path, **every_worker(address)) as front:
                with sent(front.port, "GET", path) as response:
                    assert response.status == status
                front.stop()
            logs[status] = [(line["path"], line["status"]) for line in front.log()]
    assert logs == {200: [], 502: [(path, "502")]}


# Calls in flight


@pytest.fixture
def held(tmp_path: Path) -> Iterator[tuple[Nginx, HeldApi]]:
    document = tmp_path / "openapi.yaml"
    document.write_text(HeldApi.DOCUMENT)
    api = HeldApi()
    options = ("--transport", "http", "--port", "0", "--allow-private-networks")
    with (
        started("--spec-path", str(document), "--api-url", api.url, *options) as worker,
        proxy(tmp_path, **every_worker(urlsplit(worker.url).netloc)) as front,
    ):
        yield front, api
    api.close()


def test_a_client_that_leaves_cancels_the_call_to_the_api(held):
    front, api = held
    client = connect(front.port)
    client.request("POST", "/mcp", call("held"), JSON)
    with api.accept() as connection:
        client.close()
        assert connection.recv(1) == b""


def test_a_proxy_that_drains_lets_the_call_finish_and_takes_no_more(held):
    front, api = held
    client = connect(front.port)
    client.request("POST", "/mcp", call("held"), {**JSON, "accept": "application/json"})
    with api.accept() as connection:
        front.drain()
        with pytest.raises(ConnectionError), sent(front.port, "GET", "/livez"):
            pass
        connection.sendall(HeldApi.ANSWER)
        with client.getresponse() as response:
            assert response.status == 200
            assert not msgspec.json.decode(response.read())["result"].get("isError", False)
    client.close()
    assert front.process.wait(DEADLINE_SECONDS) == 0


@contextmanager
def callers(port: int) -> Iterator[list[tuple[int, Any]]]:
    """Eight clients that call all the time on kept connections, 200 times a second in all; yields their answers."""
    answers: list[tuple[int, Any]] = []
    over = threading.Event()

    def ask() -> None:
        client = connect(port)
        while not over.wait(0.04):
            client.request("POST", "/mcp", call("getPet", petId=1), JSON)
            with client.getresponse() as response:
                answers.append((response.status, msgspec.json.decode(response.read())))
        client.close()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        over.set()
        for thread in threads:
            thread.join(DEADLINE_SECONDS)


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[tuple[Server, Nginx]]:
    """The supervisor of two workers, and the proxy in front of them."""
    first = free_ports(2)
    even, odd = (f"127.0.0.1:{port}" for port in (first, first + 1))
    settings = {"PROXY_WORKER_0": even, "PROXY_WORKER_1": odd, "PROXY_WORKER_2": even, "PROXY_WORKER_3": odd}
    with started("demo", "--api-only", "--port", "0") as api:
        url = str(api.wait_for("^the demo API is at")["message"]).split()[-1]
        where = ("--spec-url", f"{url}/openapi.yaml", "--api-url", url, "--allow-private-networks")
        argv = (*where, "--transport", "http", "--port", str(first), "--workers", "2")
        with (
            started(*argv, SHUTDOWN_LAME_DUCK_SECONDS="1") as supervisor,
            proxy(tmp_path, **settings, PROXY_RATE="1000r/s") as front,
        ):
            supervisor.wait_for("^2 workers serve")
            yield supervisor, front


def test_a_rolling_restart_costs_no_call(workers):
    supervisor, front = workers
    with callers(front.port) as answers:
        supervisor.process.send_signal(signal.SIGHUP)
        supervisor.wait_for("^all workers have been restarted$")
    assert len(answers) > 100
    assert [answer for answer in answers if answer[0] != 200 or answer[1]["result"].get("isError")] == []


def test_sessions_are_spread_over_the_workers_and_stay_with_theirs(workers):
    _, front = workers
    numbers = []
    with ExitStack() as open_sessions:
        for _ in range(4):  # one for each place in the proxy's list
            stream = open_sessions.enter_context(sent(front.port, "GET", "/sse"))
            assert stream.readline() == b"event: endpoint\n"
            target = stream.readline().decode().removeprefix("data: ").strip()
            numbers.append(target.split("/")[2])
            with sent(front.port, "POST", target, call("getPet", petId=1)) as accepted:
                assert accepted.status == 202
            assert [stream.readline() for _ in range(2)][1] == b"event: message\n"
            assert b"Mia" in stream.readline()
    assert sorted(numbers) == ["w0", "w0", "w1", "w1"]
