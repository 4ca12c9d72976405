"""One greedy principal at 20 times its limit on each resource, and what the others notice of it in the same run.

Everything is on loopback: an API, the server with INBOUND_AUTH=token, another such server, this process with the greedy
one, and one more with the others, who call two tools: one is answered at once, the other after 20 ms, as real ones are.
For each resource, three times take turns, so that whatever else the machine does hits all of them: the others are
alone; the greedy one is at the other server ("elsewhere": what the load itself takes of the machine); it is at theirs.
Printed: the others' p99 in each, the server's CPU for each request of the greedy one, what that one got, and how the
server's memory grew. As root, all servers and the others run before whatever else the machine does.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec
import trio

from measured import answered, beside, cpu_seconds, request, resident_mib, serving

GREEDY, OTHERS = "greedy-0123456789abcdef", [f"other-{number}-0123456789abcdef" for number in range(4)]
RATE, CALLS, SESSIONS, TIMES = 20, 4, 10, 20
SLOW_SECONDS = 0.5
BUDGET_BYTES = 128 * 1024 * 1024
"""Of which one may fill half."""
PAUSE_SECONDS = 0.2
SETTLE_SECONDS = 1.0
"""For what was taken to be given back."""
OTHERS_RATE = 80.0
"""Calls of the others a second, all of them together, half of them of each tool."""
TOOLS = {"getPet": "at once", "getLater": "20 ms"}
"""Those that the others call, and how long the API takes."""
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
        for name, operation in (("pets", "getPet"), ("later", "getLater"), ("slow", "getSlowly"))
    },
}
Taken = Counter[str]
Take = Callable[[int, Taken, float], Awaitable[None]]


async def api() -> None:
    """Says its port and answers at once, after 20 ms below ``/later``, or after half a second below ``/slow``."""

    async def answer(stream: trio.SocketStream) -> None:
        body = b'{"id":7,"name":"Rex"}'
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        try:
            while asked := await stream.receive_some():
                await trio.sleep(SLOW_SECONDS if b" /slow" in asked else 0.02 if b" /later" in asked else 0)
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


LIST = msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})


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


async def storm(port: int, taken: Taken, seconds: float) -> None:
    """80 that try again as soon as they are refused, whatever Retry-After says."""
    until, data = trio.current_time() + seconds, call("getPet")

    async def again() -> None:
        while trio.current_time() < until:
            await exchange(port, data, taken)

    async with trio.open_nursery() as nursery:
        for _ in range(CALLS * TIMES):
            nursery.start_soon(again)


async def lists(port: int, taken: Taken, seconds: float) -> None:
    """On 80 connections that stay, of which no limit is met."""
    until, data = trio.current_time() + seconds, post(LIST)

    async def again() -> None:
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            while trio.current_time() < until:
                await stream.send_all(data)
                taken[bytes(await stream.receive_some())[9:12].decode()] += 1

    async with trio.open_nursery() as nursery:
        for _ in range(CALLS * TIMES):
            nursery.start_soon(again)


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
    "calls a second": rate, "calls again at once": storm, "lists": lists, "calls at once": calls, "sessions": sessions,
    "subscriptions": subscriptions, "large bodies": bodies, "bodies without an end": slow_bodies, "memory": memory,
    "tokens of nobody": strangers,
}  # fmt: skip


Samples = dict[str, list[float]]
"""Seconds of calls, for each tool."""


async def others(port: int) -> None:
    """A process of its own: for each line, the times of the others' calls until the next one, as JSON."""
    samples: Samples = {tool: [] for tool in TOOLS}
    pairs = [(token, tool) for token in OTHERS for tool in TOOLS]

    async def one(token: str, tool: str, at: float) -> None:
        data = request(port, token, tool)
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            while True:
                await trio.sleep_until(at)
                at = max(at + len(pairs) / OTHERS_RATE, trio.current_time())
                began = time.perf_counter()
                await stream.send_all(data)
                await answered(stream)
                samples[tool].append(time.perf_counter() - began)

    async with trio.open_nursery() as nursery:
        for number, (token, tool) in enumerate(pairs):
            nursery.start_soon(one, token, tool, trio.current_time() + number / OTHERS_RATE)
        async with trio.lowlevel.FdStream(os.dup(sys.stdin.fileno())) as lines:
            async for _ in lines:
                print(msgspec.json.encode(samples).decode(), flush=True)
                for each in samples.values():
                    each.clear()
        nursery.cancel_scope.cancel()


PHASES = ("alone", "elsewhere", "beside")


class Seen:
    """By the others, of one resource."""

    def __init__(self) -> None:
        self.samples: dict[str, Samples] = {phase: {tool: [] for tool in TOOLS} for phase in PHASES}
        self.cpu_seconds = dict.fromkeys(PHASES, 0.0)
        self.taken: Taken = Counter()
        self.grown_mib = 0.0

    def add(self, phase: str, samples: Samples, cpu_seconds: float) -> None:
        for tool, seconds in samples.items():
            self.samples[phase][tool] += seconds
        self.cpu_seconds[phase] += cpu_seconds

    def rows(self, name: str) -> str:
        return "\n".join([self._cost(name), *(f"  {TOOLS[tool]:>8}: {self._p99s(tool)}" for tool in TOOLS)])

    def _cost(self, name: str) -> str:
        got = ", ".join(f"{count} of {status}" for status, count in sorted(self.taken.items()))
        more = self.cpu_seconds["beside"] - self.cpu_seconds["alone"]
        each = 1e6 * more / max(1, self.taken.total())
        return (
            f"{name:22} the greedy one: {got or 'no answer'}, {each:.0f} µs of the server's CPU each; "
            f"memory {self.grown_mib:+.1f} MiB"
        )

    def _p99s(self, tool: str) -> str:
        alone, elsewhere, near = (p99(self.samples[phase][tool]) for phase in PHASES)
        return (
            f"p99 {alone:6.1f} ms alone, {elsewhere:6.1f} ms elsewhere, {near:6.1f} ms beside "
            f"({near / alone - 1:+.0%} on alone, {near / elsewhere - 1:+.0%} on elsewhere), "
            f"{len(self.samples['beside'][tool])} calls"
        )


def p99(samples: list[float]) -> float:
    ordered = sorted(samples)
    return 1000 * ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]


class Others:
    """Their process, as this one asks it."""

    def __init__(self, process: trio.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._commands, self._reports = process.stdin, process.stdout
        self._received = b""

    async def drained(self) -> Samples:
        """Of their calls since this was asked last."""
        await self._commands.send_all(b"\n")
        while b"\n" not in self._received:
            piece = await self._reports.receive_some()
            if not piece:
                raise SystemExit("the others were refused something")
            self._received += bytes(piece)
        line, _, self._received = self._received.partition(b"\n")
        return msgspec.json.decode(line, type=Samples)


class Server(NamedTuple):
    port: int
    pid: int


def put_first(pid: int, priority: int) -> None:
    """Before whatever else the machine does, and the higher before the lower (0, 1 or 2). Only root may.

    By niceness: a real-time process that is always busy is stopped for 50 ms of each second (sched_rt_runtime_us), and
    the others saw a p99 of 24 to 40 ms.
    """
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, pid, -10 * priority)


async def measure(near: Server, far: Server, them: Others, options: argparse.Namespace) -> None:
    await trio.sleep(1)
    for name, take in RESOURCES.items():
        if not options.only or name in options.only:
            print((await seen_of(take, near, far, them, options)).rows(name), flush=True)


async def seen_of(take: Take, near: Server, far: Server, them: Others, options: argparse.Namespace) -> Seen:
    put_first(0, 0 if take in {storm, lists} else 1)  # those take all that is left, the others come at their times
    warm, seen = Seen(), Seen()
    await take_turns(take, near, far, them, warm, options.seconds)
    await trio.sleep(SETTLE_SECONDS)
    before = resident_mib(near.pid)
    for _ in range(options.turns):
        await take_turns(take, near, far, them, seen, options.seconds)
    await trio.sleep(SETTLE_SECONDS)
    seen.grown_mib = resident_mib(near.pid) - before
    return seen


async def take_turns(take: Take, near: Server, far: Server, them: Others, seen: Seen, seconds: float) -> None:
    """Once alone, once with the greedy one at the other server, once with it at theirs."""

    async def alone() -> None:
        await trio.sleep(seconds)

    for phase, doing in (
        ("alone", alone),
        ("elsewhere", partial(take, far.port, Counter(), seconds)),
        ("beside", partial(take, near.port, seen.taken, seconds)),
    ):
        await trio.sleep(PAUSE_SECONDS)
        await them.drained()
        began = cpu_seconds(near.pid)
        with trio.move_on_after(seconds + 1):
            await doing()
        seen.add(phase, await them.drained(), cpu_seconds(near.pid) - began)


async def beside_others(near: Server, far: Server, options: argparse.Namespace) -> None:
    argv = [sys.executable, __file__, "--others", str(near.port)]
    process = await trio.lowlevel.open_process(argv, stdin=-1, stdout=-1)
    for pid in (near.pid, far.pid, process.pid):
        put_first(pid, 2)
    try:
        await measure(near, far, Others(process), options)
    finally:
        process.terminate()


def run(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder, beside(__file__, "--api") as upstream, ExitStack() as servers:
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
        both = [servers.enter_context(serving(Path(folder, log), *argv)) for log in ("near", "far")]
        near, far = (Server(port, process.pid) for port, process in both)
        trio.run(beside_others, near, far, options)


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/greedy", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each of the three times")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--only", action="append", choices=RESOURCES)
    parser.add_argument("--api", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--others", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.api:
        put_first(0, 2)
        trio.run(api)
    elif options.others:
        trio.run(others, options.others)
    else:
        run(options)


if __name__ == "__main__":
    main()
