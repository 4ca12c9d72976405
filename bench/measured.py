"""A server that is measured: how it is started beside an API that always answers the same, asked, and what it costs.

This module as a program is that API.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import msgspec
import trio

BODY = b'{"id":7,"name":"Rex"}'
REPLY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
START_SECONDS = 60
"""Some documents have 13 MB."""
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


def request(port: int, token: str = "", tool: str = "getPet") -> bytes:
    """A call that the API above can answer, as bytes on the wire. ``token``: who calls, where that is asked."""
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": {"id": 7}}}
    body = msgspec.json.encode(call)
    head = (
        f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        "Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2025-11-25\r\n"
        + (f"Authorization: Bearer {token}\r\n" if token else "")
        + f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def answered(stream: trio.SocketStream) -> None:
    """Reads the answer to `request`, which must be whole and the API's."""
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
    """User and system time of a process, all its threads together, by its CPU clock.

    The clock counts nanoseconds, /proc/pid/stat steps of 10 ms. Its number is made as clock_getcpuclockid(3) makes it.
    """
    return time.clock_gettime(~pid << 3 | 2)


def resident_mib(pid: int, what: str = "VmRSS") -> float:
    """Now; ``VmHWM``: at most so far."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition(f"{what}:")[2].split()[0]) / 1024


@contextmanager
def started(*argv: str, stdout: int | None = None, stderr: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Python with these arguments, for as long as the context lasts."""
    with subprocess.Popen([sys.executable, *argv], stdout=stdout, stderr=stderr) as process:
        try:
            yield process
        finally:
            process.terminate()


@contextmanager
def serving(log: Path, *argv: str) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """(port, process) of a server with these arguments, which writes its log to this file."""
    whole = ("-m", "openapi_mcp_server", "--transport", "http", "--port", "0", *argv)
    with log.open("wb") as stderr, started(*whole, stderr=stderr.fileno()) as server:
        yield listening(log, server), server


def listening(log: Path, server: subprocess.Popen[bytes]) -> int:
    deadline = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        for line in log.read_bytes().splitlines():
            if b"serving MCP at" in line:
                return int(line.partition(b"127.0.0.1:")[2].partition(b"/")[0])
        time.sleep(0.05)
    raise SystemExit(log.read_text())


@contextmanager
def beside(script: str = __file__, *argv: str) -> Iterator[int]:
    """The port of another process, which says it first: this module's API, or what a script has in its place."""
    with started(script, *argv, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())


if __name__ == "__main__":
    trio.run(api)
