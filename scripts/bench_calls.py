"""What one trivial tools/call costs the server.

Three processes on loopback: an API that always answers the same, the server, and this one, which keeps a number of
connections busy. CPU time is the figure that holds: calls a second depend on what else the machine does.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
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


def measure(log: Path, server: subprocess.Popen[bytes], calls: int, connections: int) -> None:
    port = listening(log, server)
    trio.run(drive, port, WARM_UP_CALLS, connections)
    cpu, began = cpu_seconds(server.pid), time.perf_counter()
    trio.run(drive, port, calls, connections)
    cpu, elapsed = cpu_seconds(server.pid) - cpu, time.perf_counter() - began
    print(f"{calls} calls over {connections} connections in {elapsed:.1f} s ({calls / elapsed:.0f} a second)")
    print(f"CPU of the server: {cpu / calls * 1e6:.0f} us a call; resident: {resident_mib(server.pid):.0f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--api", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.api:
        trio.run(api)
        return
    with tempfile.TemporaryDirectory() as folder, started(__file__, "--api", stdout=subprocess.PIPE) as upstream:
        assert upstream.stdout is not None
        base = f"http://127.0.0.1:{int(upstream.stdout.readline())}"
        document, log = Path(folder, "bench.yaml"), Path(folder, "log")
        document.write_bytes(DOCUMENT)
        where = ["--spec-path", str(document), "--api-url", base, "--allow-private-networks"]
        with (
            log.open("wb") as stderr,
            started("-m", "service", "--transport", "http", "--port", "0", *where, stderr=stderr.fileno()) as server,
        ):
            measure(log, server, options.calls, options.connections)


if __name__ == "__main__":
    main()
