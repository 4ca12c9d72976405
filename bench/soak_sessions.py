"""What sessions of HTTP+SSE and subscriptions cost the server, and what one client that never reads can do to it.

Memory and survival of idle ones, memory that stays when sessions were opened and closed, CPU of a call whose answer
travels on a session's stream. Exit code 1 if a limit is not kept. Three processes on loopback, as in measured.py.
"""

from __future__ import annotations

import argparse
import re
import statistics
import tempfile
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import msgspec
import trio

from measured import REPLY, RUN_SECONDS, answered, beside, cpu_seconds, receive, resident_mib, serving
from measured import request as mcp_request

DOCUMENT = b"""
openapi: 3.1.0
info: {title: Soak, version: '1'}
paths:
  /pets/{id}:
    get:
      operationId: getPet
      parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
      responses: {'200': {description: One pet}}
  /big: {get: {operationId: big, responses: {'200': {description: Three megabytes}}}}
  /held: {get: {operationId: held, responses: {'200': {description: Never}}}}
"""
BIG = b"x" * 3_000_000
BIG_REPLY = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%b" % (len(BIG), BIG)
SETTLE_SECONDS = 1.0
AT_ONCE = 200
"""Sessions that are open together while many are opened and closed."""
BIG_CALLS = 8
"""Of three megabytes: more than the buffers of two sockets take for a client that does not read."""
HELD_CALLS = 4
WRITE_SECONDS = 15
"""The server's patience with a client that does not read."""
IDLE_KB = 20
CHURN_MIB = 1
ENOUGH = 500
"""Fewer sessions than this say nothing about the memory of one."""
ACCEPTED = b"HTTP/1.1 202 "

failures: list[str] = []


def check(told: str, kept: bool) -> None:  # noqa: FBT001 - what it is said about is what was said
    print(told if kept else f"{told}: NOT KEPT", flush=True)
    if not kept:
        failures.append(told)


async def api() -> None:
    """The API; says its port on standard output, and lives until it is ended."""

    async def answer(stream: trio.SocketStream) -> None:
        try:
            while asked := await stream.receive_some():
                if asked.startswith(b"GET /held "):
                    await stream.receive_some()
                    return
                await stream.send_all(BIG_REPLY if asked.startswith(b"GET /big ") else REPLY)
        except trio.BrokenResourceError:
            pass  # the server closed its connection

    async with trio.open_nursery() as nursery:
        [listener] = await nursery.start(partial(trio.serve_tcp, answer, 0, host="127.0.0.1"))
        print(listener.socket.getsockname()[1], flush=True)


class Stream:
    """A session of HTTP+SSE, or a subscription, as the client's end of it."""

    def __init__(self, stream: trio.SocketStream, port: int) -> None:
        self.stream = stream
        self._port = port
        self.target = ""

    async def begin(self, request: bytes, first: bytes) -> Stream:
        """Sends the request and reads on until this pattern has come."""
        await self.stream.send_all(request)
        received = b""
        while (found := re.search(first, received)) is None:
            received += await receive(self.stream)
        self.target = found[0].decode()
        return self

    async def post(self, message: dict[str, object]) -> bytes:
        """The status line of the answer to a message of the session."""
        async with await trio.open_tcp_stream("127.0.0.1", self._port) as posts:
            await posts.send_all(posted(self.target, msgspec.json.encode(message)))
            return (await receive(posts)).partition(b"\r\n")[0]


def posted(target: str, body: bytes, headers: str = "") -> bytes:
    head = (
        f"POST {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def call(name: str, request_id: int = 1, **arguments: object) -> dict[str, object]:
    params = {"name": name, "arguments": arguments}
    return {"jsonrpc": "2.0", "id": request_id, "method": "tools/call", "params": params}


async def opened(port: int) -> Stream:
    """A session."""
    request = b"GET /sse HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n"
    stream = Stream(await trio.open_tcp_stream("127.0.0.1", port), port)
    return await stream.begin(request, rb"/messages/\S+")


async def used(port: int) -> Stream:
    """A session whose client has introduced itself."""
    session = await opened(port)
    about = {"protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}
    await session.post({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": about})
    await session.post({"jsonrpc": "2.0", "method": "notifications/initialized"})
    while b"serverInfo" not in await receive(session.stream):
        pass
    return session


async def listening_to_changes(port: int) -> Stream:
    """A subscription of revision 2026-07-28."""
    protocol = "io.modelcontextprotocol/"
    meta = {f"{protocol}protocolVersion": "2026-07-28", f"{protocol}clientCapabilities": {}}
    params = {"_meta": meta, "notifications": {"toolsListChanged": True}}
    body = msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": params})
    headers = "Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\n"
    stream = Stream(await trio.open_tcp_stream("127.0.0.1", port), port)
    return await stream.begin(posted("/mcp", body, f"{headers}Mcp-Method: subscriptions/listen\r\n"), rb"acknowledged")


async def idle(port: int, pid: int, number: int, seconds: float) -> None:
    """So many of both, at the same time."""
    async with AsyncExitStack() as stack:
        streams = []
        for name, make in {"sessions": used, "subscriptions": listening_to_changes}.items():
            before = resident_mib(pid)
            streams += [await stack.enter_async_context((await make(port)).stream) for _ in range(number)]
            await trio.sleep(SETTLE_SECONDS)
            each = (resident_mib(pid) - before) * 2**20 / number / 1000
            check(f"{number} idle {name}: {each:.1f} kB each", each <= IDLE_KB or number < ENOUGH)
        cpu = cpu_seconds(pid)
        dropped = await lost(streams, seconds)
        cpu = cpu_seconds(pid) - cpu
        share = f"{cpu / seconds * 100:.1f} % of a core for their comments"
        check(f"held for {seconds:g} s: {dropped} dropped, {share}", dropped == 0)


async def lost(streams: list[trio.SocketStream], seconds: float) -> int:
    """How many of them end within this time."""
    ended = 0

    async def hold(stream: trio.SocketStream) -> None:
        nonlocal ended
        while await stream.receive_some():
            pass
        ended += 1

    with trio.move_on_after(seconds):
        async with trio.open_nursery() as nursery:
            for stream in streams:
                nursery.start_soon(hold, stream)
    return ended


async def deaf(port: int) -> None:
    """A session that asks for 24 MB and for calls that are never answered, and does not read; and another client."""
    before = await latencies(port, WRITE_SECONDS / 4)
    session = await opened(port)
    for number in range(BIG_CALLS):
        await session.post(call("big", number))
    for number in range(HELD_CALLS):
        await session.post(call("held", BIG_CALLS + number))
    began = trio.current_time()
    during = await latencies(port, WRITE_SECONDS)
    status = await session.post(call("getPet", id=7))
    while b" 404 " not in status and trio.current_time() - began < 2 * WRITE_SECONDS:
        await trio.sleep(0.5)
        status = await session.post(call("getPet", id=7))
    check(f"a session that never reads is closed after {trio.current_time() - began:.0f} s", b" 404 " in status)
    for when, found in {"before": before, "meanwhile": during}.items():
        middle, worst = statistics.median(found) * 1000, max(found) * 1000
        print(f"a call of another client {when}: {middle:.1f} ms, at most {worst:.1f} ms")
    await session.stream.aclose()


async def latencies(port: int, seconds: float) -> list[float]:
    """Of a client that makes fifty calls a second."""
    found = []
    until = trio.current_time() + seconds
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        while (began := trio.current_time()) < until:
            await stream.send_all(mcp_request(port))
            await answered(stream)
            found.append(trio.current_time() - began)
            await trio.sleep(0.02)
    return found


async def churn(port: int, pid: int, sessions: int) -> None:
    await rounds(port, sessions // 10)  # what the allocator keeps for good
    before = resident_mib(pid)
    await rounds(port, sessions)
    await trio.sleep(SETTLE_SECONDS)
    more = resident_mib(pid) - before
    check(f"{sessions} sessions opened and closed: {more:+.1f} MiB", more <= CHURN_MIB or sessions < 10 * ENOUGH)


async def rounds(port: int, sessions: int) -> None:
    for _ in range(0, sessions, AT_ONCE):
        async with AsyncExitStack() as stack:
            for _ in range(AT_ONCE):
                await stack.enter_async_context((await opened(port)).stream)


async def calls(port: int, pid: int, number: int, sessions: int) -> None:
    await drive(port, number // 10, sessions)
    cpu = cpu_seconds(pid)
    await drive(port, number, sessions)
    print(f"{number} calls over {sessions} sessions: {(cpu_seconds(pid) - cpu) / number * 1e6:.0f} us of CPU a call")


async def drive(port: int, number: int, sessions: int) -> None:
    left = number

    async def one_session() -> None:
        nonlocal left
        session = await opened(port)
        sent = posted(session.target, msgspec.json.encode(call("getPet", id=7)))
        async with session.stream, await trio.open_tcp_stream("127.0.0.1", port) as posts:
            while left > 0:
                left -= 1
                await posts.send_all(sent)
                accepted = await receive(posts)
                answer = b""
                while b"\n\n" not in answer:
                    answer += await receive(session.stream)
                if not accepted.startswith(ACCEPTED) or b"Rex" not in answer or b'"isError":true' in answer:
                    raise SystemExit(f"a call failed: {accepted!r} {answer!r}")

    async with trio.open_nursery() as nursery:
        for _ in range(sessions):
            nursery.start_soon(one_session)


async def measure(port: int, pid: int, options: argparse.Namespace) -> None:
    with trio.fail_after(RUN_SECONDS + options.seconds):
        await calls(port, pid, options.calls, 32)
        await idle(port, pid, options.idle, options.seconds)
        if options.deaf:
            await deaf(port)
        await churn(port, pid, options.churn)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--idle", type=int, default=1000, help="sessions, and subscriptions, that are held open")
    parser.add_argument("--seconds", type=float, default=60, help="for how long")
    parser.add_argument("--churn", type=int, default=10_000, help="sessions that are opened and closed")
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--no-deaf", dest="deaf", action="store_false", help="leave out the client that never reads")
    parser.add_argument("--api", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.api:
        trio.run(api)
        return
    with tempfile.TemporaryDirectory() as folder, beside(__file__, "--api") as api_port:
        document, log = Path(folder, "soak.yaml"), Path(folder, "log")
        document.write_bytes(DOCUMENT)
        where = ["--spec-path", str(document), "--api-url", f"http://127.0.0.1:{api_port}", "--allow-private-networks"]
        with serving(log, *where, "--result-budget-bytes", "0") as (port, server):
            trio.run(measure, port, server.pid, options)
        if options.deaf:
            stopped = msgspec.json.decode(log.read_bytes().splitlines()[-1])
            given_up = stopped.get("cancelled", 0)
            check(f"calls of the session that never read that were cancelled: {given_up}", given_up == HELD_CALLS)
    raise SystemExit(1 if failures else 0)


if __name__ == "__main__":
    main()
