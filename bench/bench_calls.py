"""What one trivial tools/call costs the server.

Processes on loopback: an API that always answers the same, the server, this one, which keeps a number of connections
busy, and one that takes traces and throws them away. CPU time is the figure that holds: calls a second depend on what
else the machine does.
"""

import argparse
import http.server
import secrets
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import msgspec
import trio

from measured import RUN_SECONDS, answered, beside, cpu_seconds, request, resident_mib, serving

Server = tuple[int, subprocess.Popen[bytes]]
"""The port and the process."""

DOCUMENT = b"""
openapi: 3.1.0
info: {title: Bench, version: '1'}
paths:
  /pets/{id}:
    get:
      operationId: getPet
      parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
      responses: {'200': {description: One pet, content: {application/json: {schema: {type: object}}}}}
"""
NO_RULES = b'HTTP/1.1 200 OK\r\nContent-Length: 26\r\n\r\n{"SamplingRuleRecords":[]}'
WARM_UP_CALLS = 500
PAIRS = 8
TURNS = 10
SETTLE_SECONDS = 0.7
"""After the last turn: traces of its calls are still being delivered."""
_METRICS = ("--enable-prometheus", "--prometheus-port", "0")
_EVERY_CALL = ("--otel-traces-sampler", "parentbased_always_on")
VARIANTS = {
    "metrics": _METRICS,
    "xray": ("--tracing", "xray"),  # sampled as X-Ray does: one a second and 5 % of the others
    "xray-every-call": ("--tracing", "xray", *_EVERY_CALL),
    "otlp": ("--tracing", "otlp", "--otel-traces-sampler", "traceidratio", "--otel-traces-sampler-arg", "0.05"),
    "otlp-every-call": ("--tracing", "otlp", *_EVERY_CALL),
    "metrics+xray": (*_METRICS, "--tracing", "xray"),
    "metrics+both-every-call": (*_METRICS, "--tracing", "xray,otlp", *_EVERY_CALL),
}
"""What can be turned on, to be compared with a server that has none of it."""
CALLERS = ("token", "jwt-ed25519", "jwt-rs256")
"""Ways to ask who calls. Keys and tokens are known after the first call, as they are for an agent."""
_SETTINGS = ("--inbound-jwt-audience", "bench", "--audit", "none")


async def sink() -> None:
    """Takes traces and throws them away: UDP and HTTP on one port, which it says. There are no sampling rules."""
    datagrams = trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM)

    async def answer(stream: trio.SocketStream) -> None:
        received = b""
        while piece := await stream.receive_some():
            received += piece
            head, found, body = received.partition(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
            if found and len(body) >= length:
                received = body[length:]
                await stream.send_all(NO_RULES)

    async with trio.open_nursery() as nursery:
        [listener] = await nursery.start(partial(trio.serve_tcp, answer, 0, host="127.0.0.1"))
        await datagrams.bind(listener.socket.getsockname())  # in this order: of UDP's ports nearly all are free
        print(listener.socket.getsockname()[1], flush=True)
        while True:
            await datagrams.recv(65_535)


async def drive(port: int, calls: int, connections: int, token: str = "") -> None:
    """Makes the calls; every answer must be whole and must be the API's."""
    left = calls

    async def one_connection() -> None:
        nonlocal left
        stream, sent = await trio.open_tcp_stream("127.0.0.1", port), request(port, token)
        async with stream:
            while left > 0:
                left -= 1
                await stream.send_all(sent)
                await answered(stream)

    with trio.fail_after(RUN_SECONDS):
        async with trio.open_nursery() as nursery:
            for _ in range(connections):
                nursery.start_soon(one_connection)


def report(server: Server, calls: int, connections: int) -> None:
    port, process = server
    trio.run(drive, port, WARM_UP_CALLS, connections)
    began, cpu = time.perf_counter(), cpu_seconds(process.pid)
    trio.run(drive, port, calls, connections)
    elapsed, each = time.perf_counter() - began, (cpu_seconds(process.pid) - cpu) / calls
    print(f"{calls} calls over {connections} connections in {elapsed:.1f} s ({calls / elapsed:.0f} a second)")
    print(f"CPU of the server: {each * 1e6:.0f} us a call; resident: {resident_mib(process.pid):.0f} MiB")


class _Quiet(http.server.BaseHTTPRequestHandler):
    answers: dict[str, bytes]

    def do_GET(self) -> None:
        body = self.answers.get(self.path, b"{}")
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Nothing on standard error."""


@contextmanager
def caller(name: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """The settings of a server that asks who calls, and the token of somebody who may."""
    if name == "token":
        token = secrets.token_hex(32)
        tokens = msgspec.json.encode([{"name": "bench", "token": token}]).decode()
        yield ("--inbound-auth", "token", "--inbound-tokens", tokens, "--audit", "none"), token
        return
    from joserfc import jwt  # noqa: PLC0415 - for those who measure it
    from joserfc.jwk import OKPKey, RSAKey  # noqa: PLC0415

    key: OKPKey | RSAKey = OKPKey.generate_key("Ed25519") if name == "jwt-ed25519" else RSAKey.generate_key(2048)
    algorithm = "Ed25519" if name == "jwt-ed25519" else "RS256"
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Quiet) as server:
        issuer = f"http://127.0.0.1:{server.server_port}"
        about = {"issuer": issuer, "jwks_uri": f"{issuer}/jwks"}
        keys = {"keys": [{**key.as_dict(private=False), "kid": "bench"}]}
        _Quiet.answers = {
            "/.well-known/openid-configuration": msgspec.json.encode(about),
            "/jwks": msgspec.json.encode(keys),
        }
        threading.Thread(target=server.serve_forever, daemon=True).start()
        claims = {"iss": issuer, "sub": "bench", "aud": "bench", "exp": int(time.time()) + 3600, "scope": "a b c"}
        token = jwt.encode({"alg": algorithm, "kid": "bench"}, claims, key, algorithms=[algorithm])
        yield ("--inbound-auth", "jwt", "--inbound-jwt-issuers", issuer, *_SETTINGS), token
        server.shutdown()


def compare(
    name: str,
    start: Callable[..., AbstractContextManager[Server]],
    calls: int,
    connections: int,
    token: str = "",
    argv: tuple[str, ...] | None = None,
) -> None:
    """Two processes of one program differ by some percent already, and the machine slows down for a while: so pairs of
    new servers, in each of which both take turns."""
    ratios, without = [], []
    for _ in range(PAIRS):
        with start("plain") as plain, start(name, *(VARIANTS[name] if argv is None else argv)) as other:
            servers = (plain, other)
            for (port, _), who in zip(servers, ("", token), strict=True):
                trio.run(drive, port, WARM_UP_CALLS, connections, who)
            before = [cpu_seconds(process.pid) for _, process in servers]
            for _ in range(TURNS):
                for (port, _), who in zip(servers, ("", token), strict=True):
                    trio.run(drive, port, calls // PAIRS // TURNS, connections, who)
            time.sleep(SETTLE_SECONDS)
            one, two = (cpu_seconds(process.pid) - cpu for (_, process), cpu in zip(servers, before, strict=True))
        without.append(one / (calls // PAIRS) * 1e6)
        ratios.append(two / one)
    low, middle, high = statistics.quantiles(ratios, n=4)
    print(f"CPU of a call without {name}: {statistics.median(without):.0f} us")
    print(f"with {name}: {middle:.3f} of it (half of {PAIRS} pairs are from {low:.3f} to {high:.3f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument(
        "--compare", action="append", default=[], choices=[*VARIANTS, *CALLERS], help="only: what this adds to it"
    )
    parser.add_argument("--sink", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.sink:
        trio.run(sink)
        return
    with tempfile.TemporaryDirectory() as folder, beside() as api_port, beside(__file__, "--sink") as sink_port:
        base = f"http://127.0.0.1:{api_port}"
        document = Path(folder, "bench.yaml")
        document.write_bytes(DOCUMENT)
        where = ["--spec-path", str(document), "--api-url", base, "--allow-private-networks"]
        sink_address = f"127.0.0.1:{sink_port}"
        where += ["--aws-xray-daemon-address", sink_address, "--otel-exporter-otlp-endpoint", f"http://{sink_address}"]

        def start(name: str, *argv: str) -> AbstractContextManager[Server]:
            return serving(Path(folder, name), *where, *argv)

        if not options.compare:
            with start("plain") as plain:
                report(plain, options.calls, options.connections)
        for name in options.compare:
            if name in VARIANTS:
                compare(name, start, options.calls, options.connections)
                continue
            with caller(name) as (argv, token):
                compare(name, start, options.calls, options.connections, token, argv)


if __name__ == "__main__":
    main()
