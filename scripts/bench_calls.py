"""What one trivial tools/call costs the server.

Processes on loopback: an API that always answers the same, the server, this one, which keeps a number of connections
busy, and one that takes traces and throws them away. CPU time is the figure that holds: calls a second depend on what
else the machine does.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import msgspec
import trio

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
BODY = b'{"id":7,"name":"Rex"}'
REPLY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
NO_RULES = b'HTTP/1.1 200 OK\r\nContent-Length: 26\r\n\r\n{"SamplingRuleRecords":[]}'
WARM_UP_CALLS = 500
START_SECONDS = 20
RUN_SECONDS = 300
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


async def api() -> None:
    """The API; says its port on standard output, and lives until it is ended."""

    async def answer(stream: trio.SocketStream) -> None:
        try:
            while await stream.receive_some():
                await stream.send_all(REPLY)
        except trio.BrokenResourceError:
            pass  # the server closed its connection

    async with trio.open_nursery() as nursery:
        [listener] = await nursery.start(partial(trio.serve_tcp, answer, 0, host="127.0.0.1"))
        print(listener.socket.getsockname()[1], flush=True)


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


def request(port: int) -> bytes:
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "getPet", "arguments": {"id": 7}}}
    body = msgspec.json.encode(call)
    head = (
        f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        "Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2025-11-25\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def drive(port: int, calls: int, connections: int) -> None:
    """Makes the calls; every answer must be whole and must be the API's."""
    left = calls

    async def one_connection() -> None:
        nonlocal left
        stream, sent = await trio.open_tcp_stream("127.0.0.1", port), request(port)
        async with stream:
            while left > 0:
                left -= 1
                await stream.send_all(sent)
                await answered(stream)

    with trio.fail_after(RUN_SECONDS):
        async with trio.open_nursery() as nursery:
            for _ in range(connections):
                nursery.start_soon(one_connection)


async def answered(stream: trio.SocketStream) -> None:
    received = b""
    while b"\r\n\r\n" not in received:
        received += await receive(stream)
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while len(body) < length:
        body += await receive(stream)
    if not head.startswith(b"HTTP/1.1 200 ") or b"Rex" not in body or b'"isError":true' in body:
        raise SystemExit(f"a call failed: {head!r} {body!r}")


async def receive(stream: trio.SocketStream) -> bytes:
    piece = await stream.receive_some()
    if not piece:
        raise SystemExit("the server closed the connection")
    return bytes(piece)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


@contextmanager
def started(*argv: str, **pipes: int) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, *argv], **pipes) as process:
        try:
            yield process
        finally:
            process.terminate()


def listening(log: Path, server: subprocess.Popen[bytes]) -> int:
    """The port that the server says it serves on in its log."""
    deadline = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        for line in log.read_bytes().splitlines():
            if b"serving MCP at" in line:
                return int(line.partition(b"127.0.0.1:")[2].partition(b"/")[0])
        time.sleep(0.05)
    raise SystemExit(log.read_text())


@contextmanager
def beside(role: str) -> Iterator[int]:
    """The port of another process of this script."""
    with started(__file__, role, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())


@contextmanager
def serving(folder: str, name: str, *argv: str) -> Iterator[tuple[int, int]]:
    """(port, process id) of a server with these arguments."""
    log = Path(folder, name)
    with (
        log.open("wb") as stderr,
        started("-m", "service", "--transport", "http", "--port", "0", *argv, stderr=stderr.fileno()) as server,
    ):
        yield listening(log, server), server.pid


def measure(port: int, pid: int, calls: int, connections: int) -> float:
    """CPU seconds of a call."""
    cpu = cpu_seconds(pid)
    trio.run(drive, port, calls, connections)
    return (cpu_seconds(pid) - cpu) / calls


def report(port: int, pid: int, calls: int, connections: int) -> None:
    trio.run(drive, port, WARM_UP_CALLS, connections)
    began = time.perf_counter()
    each = measure(port, pid, calls, connections)
    elapsed = time.perf_counter() - began
    print(f"{calls} calls over {connections} connections in {elapsed:.1f} s ({calls / elapsed:.0f} a second)")
    print(f"CPU of the server: {each * 1e6:.0f} us a call; resident: {resident_mib(pid):.0f} MiB")


def compare(
    name: str, start: Callable[..., AbstractContextManager[tuple[int, int]]], calls: int, connections: int
) -> None:
    """Two processes of one program differ by some percent already, and the machine slows down for a while: so pairs of
    new servers, in each of which both take turns."""
    ratios, without = [], []
    for _ in range(PAIRS):
        with start("plain") as plain, start(name, *VARIANTS[name]) as other:
            for port, _ in (plain, other):
                trio.run(drive, port, WARM_UP_CALLS, connections)
            before = [cpu_seconds(pid) for _, pid in (plain, other)]
            for _ in range(TURNS):
                for port, _ in (plain, other):
                    trio.run(drive, port, calls // PAIRS // TURNS, connections)
            time.sleep(SETTLE_SECONDS)
            one, two = (cpu_seconds(pid) - cpu for (_, pid), cpu in zip((plain, other), before, strict=True))
        without.append(one / (calls // PAIRS) * 1e6)
        ratios.append(two / one)
    low, middle, high = statistics.quantiles(ratios, n=4)
    print(f"CPU of a call without {name}: {statistics.median(without):.0f} us")
    print(f"with {name}: {middle:.3f} of it (half of {PAIRS} pairs are from {low:.3f} to {high:.3f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--compare", action="append", default=[], choices=VARIANTS, help="only: what this adds to it")
    parser.add_argument("--api", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--sink", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.api or options.sink:
        trio.run(api if options.api else sink)
        return
    with tempfile.TemporaryDirectory() as folder, beside("--api") as api_port, beside("--sink") as sink_port:
        base = f"http://127.0.0.1:{api_port}"
        document = Path(folder, "bench.yaml")
        document.write_bytes(DOCUMENT)
        where = ["--spec-path", str(document), "--api-url", base, "--allow-private-networks"]
        sink_address = f"127.0.0.1:{sink_port}"
        where += ["--aws-xray-daemon-address", sink_address, "--otel-exporter-otlp-endpoint", f"http://{sink_address}"]

        def start(name: str, *argv: str) -> AbstractContextManager[tuple[int, int]]:
            return serving(folder, name, *where, *argv)

        if not options.compare:
            with start("plain") as plain:
                report(*plain, options.calls, options.connections)
        for name in options.compare:
            compare(name, start, options.calls, options.connections)


if __name__ == "__main__":
    main()
