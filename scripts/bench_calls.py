"""What one trivial tools/call costs the server.

Three processes on loopback: an API that always answers the same, the server, and this one, which keeps a number of
connections busy. CPU time is the figure that holds: calls a second depend on what else the machine does.
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
WARM_UP_CALLS = 500
START_SECONDS = 20
RUN_SECONDS = 300
PAIRS = 8
TURNS = 10
VARIANTS = {"metrics": ("--enable-prometheus", "--prometheus-port", "0")}
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
    options = parser.parse_args()
    if options.api:
        trio.run(api)
        return
    with tempfile.TemporaryDirectory() as folder, started(__file__, "--api", stdout=subprocess.PIPE) as upstream:
        assert upstream.stdout is not None
        base = f"http://127.0.0.1:{int(upstream.stdout.readline())}"
        document = Path(folder, "bench.yaml")
        document.write_bytes(DOCUMENT)
        where = ["--spec-path", str(document), "--api-url", base, "--allow-private-networks"]

        def start(name: str, *argv: str) -> AbstractContextManager[tuple[int, int]]:
            return serving(folder, name, *where, *argv)

        if not options.compare:
            with start("plain") as plain:
                report(*plain, options.calls, options.connections)
        for name in options.compare:
            compare(name, start, options.calls, options.connections)


if __name__ == "__main__":
    main()
