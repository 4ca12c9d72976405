"""One greedy principal at 20 times its limit on each resource, and what the others notice of it in the same run.

Everything is on loopback: an API, the server with INBOUND_AUTH=token, this process with the greedy one, and one more
with the others, who call a tool in turn. For each resource, times without and with the greedy one take turns, so that
whatever else the machine does hits both. Printed: the others' p99 in both, the server's CPU for each of their calls,
what the greedy one got, and how the server's memory grew.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import msgspec
import trio

from measured import answered, beside, request, resident_mib, serving

GREEDY, OTHERS = "greedy-0123456789abcdef", [f"other-{number}-0123456789abcdef" for number in range(4)]
RATE, CALLS, SESSIONS, TIMES = 20, 4, 10, 20
SLOW_SECONDS = 0.5
BUDGET_BYTES = 128 * 1024 * 1024
"""Of which one may fill half."""
SETTLE_SECONDS = 1.0
"""For what was taken to be given back."""
OTHERS_RATE = 40.0
"""Calls of the others a second, all of them together."""
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "Greedy", "version": "1"},
    "paths": {
        f"/{name}/{{id}}": {
            "get": {
                "operationId": operation,
                "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}],
                "responses": {"200": {"description": "ok"}},
            }
        }
        for name, operation in (("pets", "getPet"), ("slow", "getSlowly"))
    },
}
Taken = Counter[str]
Ask = Callable[[int, Taken], Awaitable[None]]


async def api() -> None:
    """Says its port and answers at once, or after half a second below ``/slow``."""

    async def answer(stream: trio.SocketStream) -> None:
        body = b'{"id":7,"name":"Rex"}'
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        try:
            while asked := await stream.receive_some():
                await trio.sleep(SLOW_SECONDS if b" /slow" in asked else 0)
                await stream.send_all(head + body)
        except trio.BrokenResourceError:
            pass  # the server closed its connection

    async with trio.open_nursery() as nursery:
        [listener] = await nursery.start(partial(trio.serve_tcp, answer, 0, host="127.0.0.1"))
        print(listener.socket.getsockname()[1], flush=True)


def head(line: str, *fields: str) -> bytes:
    given = ("Host: 127.0.0.1", f"Authorization: Bearer {GREEDY}", *fields)
    return "\r\n".join((f"{line} HTTP/1.1", *given, "", "")).encode()


def post(body: bytes, *fields: str) -> bytes:
    accept = "Accept: application/json, text/event-stream"
    return head("POST /mcp", "Content-Type: application/json", accept, f"Content-Length: {len(body)}", *fields) + body


async def exchange(port: int, data: bytes, taken: Taken, hold_seconds: float = 0) -> None:
    """One connection; counts the status. ``hold_seconds``: for which what was opened is kept."""
    try:
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(data)
            begun = bytes(await stream.receive_some())
            taken[begun[9:12].decode() or "closed"] += 1
            if begun.startswith(b"HTTP/1.1 200"):
                await trio.sleep(hold_seconds)
    except (OSError, trio.BrokenResourceError):
        taken["closed"] += 1  # an answer that came before all was sent is lost with the connection


def call(tool: str) -> bytes:
    params = {"name": tool, "arguments": {"id": 7}}
    return post(msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}))


def listen() -> bytes:
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
    params = {"notifications": {"toolsListChanged": True}, "_meta": meta}
    asked = {"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": params}
    return post(msgspec.json.encode(asked), "MCP-Protocol-Version: 2026-07-28", "Mcp-Method: subscriptions/listen")


async def paced(seconds: float, rate: float, ask: Callable[[], Awaitable[None]]) -> None:
    """Starts so many a second, whatever becomes of them, and waits for none."""
    until, at = trio.current_time() + seconds, trio.current_time()
    async with trio.open_nursery() as nursery:
        while trio.current_time() < until:
            nursery.start_soon(ask)
            at += 1 / rate
            await trio.sleep_until(at)
        nursery.cancel_scope.cancel()


async def rate(port: int, taken: Taken, seconds: float) -> None:
    await paced(seconds, RATE * TIMES, partial(exchange, port, call("getPet"), taken))


async def calls(port: int, taken: Taken, seconds: float) -> None:
    """Each is one of 80 that try to be carried out at once; the rate limit is not met."""
    await paced(seconds, CALLS * TIMES / SLOW_SECONDS, partial(exchange, port, call("getSlowly"), taken))


async def sessions(port: int, taken: Taken, seconds: float) -> None:
    opening = head("GET /sse", "Accept: text/event-stream")
    await paced(seconds, SESSIONS * TIMES / seconds, partial(exchange, port, opening, taken, seconds))


async def subscriptions(port: int, taken: Taken, seconds: float) -> None:
    await paced(seconds, SESSIONS * TIMES / seconds, partial(exchange, port, listen(), taken, seconds))


async def bodies(port: int, taken: Taken, seconds: float) -> None:
    """Of 80 MiB by what they say, 20 times the limit."""
    large = head("POST /mcp", "Content-Type: application/json", f"Content-Length: {TIMES * 4 * 1024 * 1024}")
    await paced(seconds, 100, partial(exchange, port, large + b" " * 65536, taken))


async def slow_bodies(port: int, taken: Taken, seconds: float) -> None:
    """That never end."""
    begun = head("POST /mcp", "Content-Type: application/json", "Content-Length: 1000") + b"{"
    await paced(seconds, 100, partial(exchange, port, begun, taken))


async def memory(port: int, taken: Taken, seconds: float) -> None:
    """Messages of 4 MB that never get their last byte: 20 times the half of the budget."""
    begun = head("POST /mcp", "Content-Type: application/json", "Content-Length: 4000000") + b" " * 3_900_000
    await paced(seconds, TIMES * 64 / 4 / seconds, partial(exchange, port, begun, taken))


async def strangers(port: int, taken: Taken, seconds: float) -> None:
    """With tokens of nobody."""
    made_up = call("getPet").replace(GREEDY.encode(), os.urandom(16).hex().encode())
    await paced(seconds, RATE * TIMES, partial(exchange, port, made_up, taken))


RESOURCES = {
    "calls a second": rate, "calls at once": calls, "sessions": sessions, "subscriptions": subscriptions,
    "large bodies": bodies, "bodies without an end": slow_bodies, "memory": memory, "tokens of nobody": strangers,
}  # fmt: skip


async def others(port: int) -> None:
    """A process of its own: for each line, the times of the others' calls until the next one, as JSON."""
    samples: list[float] = []

    async def one(token: str) -> None:
        data = request(port, token)
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            while True:
                began = time.perf_counter()
                await stream.send_all(data)
                await answered(stream)
                samples.append(time.perf_counter() - began)
                await trio.sleep(len(OTHERS) / OTHERS_RATE)

    async with trio.open_nursery() as nursery:
        for token in OTHERS:
            nursery.start_soon(one, token)
        async with trio.lowlevel.FdStream(os.dup(sys.stdin.fileno())) as lines:
            async for _ in lines:
                print(msgspec.json.encode(samples).decode(), flush=True)
                samples.clear()
        nursery.cancel_scope.cancel()


class Seen:
    """By the others, of one resource."""

    def __init__(self) -> None:
        self.alone: list[float] = []
        self.beside: list[float] = []
        self.taken: Taken = Counter()
        self.grown_mib = 0.0

    def row(self, name: str) -> str:
        alone, near = p99(self.alone), p99(self.beside)
        got = ", ".join(f"{count} of {status}" for status, count in sorted(self.taken.items()))
        return (
            f"{name:22} p99 {alone:6.1f} ms alone, {near:6.1f} ms beside ({near / alone - 1:+.0%}), "
            f"{len(self.beside)} calls; memory {self.grown_mib:+.1f} MiB; the greedy one: {got or 'no answer'}"
        )


def p99(samples: list[float]) -> float:
    ordered = sorted(samples)
    return 1000 * ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]


async def measure(port: int, pid: int, process: trio.Process, options: argparse.Namespace) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    commands, reports = process.stdin, process.stdout
    received = b""

    async def drained() -> list[float]:
        nonlocal received
        await commands.send_all(b"\n")
        while b"\n" not in received:
            piece = await reports.receive_some()
            if not piece:
                raise SystemExit("the others were refused something")
            received += bytes(piece)
        line, _, received = received.partition(b"\n")
        return msgspec.json.decode(line, type=list[float])

    await trio.sleep(1)
    for name, take in RESOURCES.items():
        if options.only and name not in options.only:
            continue
        seen, warm = Seen(), 0.0
        for turn in range(options.turns + 1):  # the first warms up
            await drained()
            await trio.sleep(options.seconds)
            alone = await drained()
            with trio.move_on_after(options.seconds + 1):
                await take(port, Counter() if turn == 0 else seen.taken, options.seconds)
            near = await drained()
            await trio.sleep(0.2)
            if turn:
                seen.alone += alone
                seen.beside += near
            else:
                await trio.sleep(SETTLE_SECONDS)
                warm = resident_mib(pid)
        await trio.sleep(SETTLE_SECONDS)
        seen.grown_mib = resident_mib(pid) - warm
        print(seen.row(name), flush=True)


async def beside_others(port: int, pid: int, options: argparse.Namespace) -> None:
    process = await trio.lowlevel.open_process([sys.executable, __file__, "--others", str(port)], stdin=-1, stdout=-1)
    try:
        await measure(port, pid, process, options)
    finally:
        process.terminate()


def run(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder, beside(__file__, "--api") as upstream:
        document = Path(folder, "greedy.json")
        document.write_bytes(msgspec.json.encode(DOCUMENT))
        tokens: list[dict[str, object]] = [{"name": "greedy", "token": GREEDY, "rate": RATE}]
        tokens += [{"name": f"other {index}", "token": token} for index, token in enumerate(OTHERS)]
        argv = (
            "--spec-path", str(document), "--api-url", f"http://127.0.0.1:{upstream}", "--allow-private-networks",
            "--inbound-auth", "token", "--inbound-tokens", msgspec.json.encode(tokens).decode(),
            "--call-limit", str(CALLS), "--session-limit", str(SESSIONS), "--audit", "none",
            "--memory-budget-bytes", str(BUDGET_BYTES),
        )  # fmt: skip
        with serving(Path(folder, "log"), *argv) as (port, server):
            trio.run(beside_others, port, server.pid, options)


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/greedy", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each time, without and with the greedy one")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--only", action="append", choices=RESOURCES)
    parser.add_argument("--api", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--others", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.api:
        trio.run(api)
    elif options.others:
        trio.run(others, options.others)
    else:
        run(options)


if __name__ == "__main__":
    main()
