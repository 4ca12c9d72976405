"""SIGTERM with a full house: 500 calls in flight, 200 sessions of HTTP+SSE, 200 idle connections, one deaf client.

The calls are spread over `/mcp` in both eras and the sessions. Each carries a nonce that the API gives back, and every
answer must have that of its own call. Streams must end with their last chunk, idle connections without a word. The
client that asks for 8 MB and never reads must not hold up the others. Every round is a server of its own; it must be
gone soon after the last call has its answer.
"""

import argparse
import random
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import trio

from measured import receive, serving

CALLS, SESSIONS, IDLE = 500, 200, 200
CALLS_IN_SESSIONS = 160
SLOWEST_SECONDS = 1.5
"""Until the API answers the last call, from the moment that it has them all."""
MARGIN_SECONDS = 3.0
"""For the process to end after that."""
ROUND_SECONDS = 60
BIG = b'"' + b"a" * 8_000_000 + b'"'
DOCUMENT = b"""
openapi: 3.1.0
info: {title: Drain, version: '1'}
paths:
  /slow/{nonce}:
    get:
      operationId: slow
      parameters: [{name: nonce, in: path, required: true, schema: {type: string}}]
      responses: {'200': {description: the nonce}}
  /big: {get: {operationId: big, responses: {'200': {description: more than a client takes without reading}}}}
"""
MODERN = "2026-07-28"
SETTINGS = (
    *("--http-max-connections", "600", "--result-budget-bytes", "0", "--allow-private-networks"),
    *("--http-timeout", "60", "--server-message-timeout", "60"),  # a busy machine needs its time to fill the house
)


class Api:
    """Holds every call until all have come; then answers one after the other within SLOWEST_SECONDS."""

    def __init__(self) -> None:
        self.all_here = trio.Event()
        self._waiting = 0

    async def serve(self, stream: trio.SocketStream) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        try:
            while request := bytes(await stream.receive_some()):
                path = request.split(b" ")[1]
                body = BIG if path == b"/big" else await self._slow(path.removeprefix(b"/slow/"))
                await stream.send_all(head % len(body) + body)
        except trio.BrokenResourceError:
            pass  # the server closed its connection

    async def _slow(self, nonce: bytes) -> bytes:
        self._waiting += 1
        if self._waiting == CALLS:
            self.all_here.set()
        await self.all_here.wait()
        await trio.sleep(random.random() * SLOWEST_SECONDS)
        return b'{"nonce":"%b"}' % nonce


class House:
    """The clients of one server. Each waits for its own end, and says what was wrong with it."""

    def __init__(self, port: int) -> None:
        self.faults: list[str] = []
        self.last_answer = 0.0
        self._port = port

    async def fill(self, clients: trio.Nursery) -> None:
        """Sessions and connections are open when this returns; the calls are on their way."""
        nonces = [f"{number}-{random.getrandbits(64):x}" for number in range(CALLS)]
        in_sessions = iter(nonces[:CALLS_IN_SESSIONS])
        for _ in range(SESSIONS):
            await clients.start(self.session, next(in_sessions, None))
        for _ in range(IDLE):
            await clients.start(self.idle)
        for number, nonce in enumerate(nonces[CALLS_IN_SESSIONS:]):
            clients.start_soon(partial(self.call, nonce, modern=number % 2 == 0))

    async def session(self, nonce: str | None, task_status: trio.TaskStatus[None]) -> None:
        """One that has asked something, or none if the nonce is None. All get the end of their stream."""
        async with await self._asked(b"GET /sse HTTP/1.1\r\nHost: localhost\r\n\r\n") as stream:
            begun = b""
            while (found := re.search(rb"data: (/messages/\S+)\n\n", begun)) is None:
                begun += await receive(stream)
            target = found[1].decode()
            if nonce is not None:
                async with await self._asked(request(target, message("slow", nonce=nonce))) as post:
                    accepted = await receive(post)
                self.expect(accepted.startswith(b"HTTP/1.1 202 "), f"{nonce} was not accepted: {accepted[:100]!r}")
            task_status.started()
            told = await everything(stream)
        is_answered = told.count(b"event: message") == (nonce is not None) and (nonce or "").encode() in told
        self.expect(is_answered, f"the session of {nonce} was told {told[:300]!r}")
        self.expect(told.endswith(b"0\r\n\r\n"), f"the stream of {nonce} was cut off: {told[-300:]!r}")

    async def call(self, nonce: str, *, modern: bool) -> None:
        async with await self._asked(
            request("/mcp", message("slow", modern=modern, nonce=nonce), modern=modern)
        ) as one:
            told = await everything(one)
        self.last_answer = time.monotonic()
        answered = told.startswith(b"HTTP/1.1 200 ") and nonce.encode() in told and b'"isError":true' not in told
        self.expect(answered, f"{nonce} was told {told[:300]!r}")

    async def idle(self, task_status: trio.TaskStatus[None]) -> None:
        async with await self._asked(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n") as stream:
            self.expect((await receive(stream)).startswith(b"HTTP/1.1 200 "), "a probe failed")
            task_status.started()
            told = await everything(stream)
        self.expect(told == b"", f"an idle connection was told {told[:100]!r}")

    async def deaf(self, task_status: trio.TaskStatus[None]) -> None:
        async with await self._asked(request("/mcp", message("big"))) as stream:
            await trio.lowlevel.wait_readable(stream.socket)
            task_status.started()
            await trio.sleep_forever()

    async def _asked(self, data: bytes) -> trio.SocketStream:
        stream = await trio.open_tcp_stream("127.0.0.1", self._port)
        await stream.send_all(data)
        return stream

    def expect(self, is_so: bool, otherwise: str) -> None:  # noqa: FBT001 - reads like an assertion
        if not is_so:
            self.faults.append(otherwise)


def message(tool: str, *, modern: bool = False, **arguments: str) -> bytes:
    params: dict[str, Any] = {"name": tool, "arguments": arguments}
    if modern:
        prefix = "io.modelcontextprotocol/"
        params["_meta"] = {f"{prefix}protocolVersion": MODERN, f"{prefix}clientCapabilities": {}}
    return msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})


def request(target: str, body: bytes, *, modern: bool = False) -> bytes:
    era = f"MCP-Protocol-Version: {MODERN}\r\nMcp-Method: tools/call\r\nMcp-Name: slow\r\n" if modern else ""
    head = (
        f"POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{era}"
        f"Accept: application/json, text/event-stream\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def everything(stream: trio.SocketStream) -> bytes:
    """To the end; a connection that was reset has ended, too, and what it lacks is missed."""
    told = bytearray()
    try:
        while piece := await stream.receive_some():
            told += piece
    except trio.BrokenResourceError:
        told += b"(reset)"
    return bytes(told)


async def emptied(server: subprocess.Popen[bytes], port: int, api: Api) -> tuple[list[str], float]:
    """(what was lost or wrong, seconds that the server lived after the last call had its answer)."""
    house = House(port)
    async with trio.open_nursery() as others:
        await others.start(house.deaf)
        async with trio.open_nursery() as clients:
            await house.fill(clients)
            await api.all_here.wait()
            server.send_signal(signal.SIGTERM)
        house.expect((code := await trio.to_thread.run_sync(server.wait)) == 0, f"the server ended with {code}")
        seconds = time.monotonic() - house.last_answer
        others.cancel_scope.cancel()
    if seconds > MARGIN_SECONDS:
        house.faults.append(f"the server lived for {seconds:.1f} s after the last answer")
    return house.faults, seconds


async def one_round(folder: Path) -> tuple[list[str], float]:
    """A server, its clients, its end. The last line of its log must account for every call."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    document, log = folder / "drain.yaml", folder / "log"
    document.write_bytes(DOCUMENT)
    api = Api()
    with trio.fail_after(ROUND_SECONDS):
        async with trio.open_nursery() as tasks:
            [listener] = await tasks.start(partial(trio.serve_tcp, api.serve, 0, host="127.0.0.1"))
            where = ["--spec-path", str(document), "--api-url", f"http://127.0.0.1:{listener.socket.getsockname()[1]}"]
            with serving(log, *where, *SETTINGS) as (port, server):
                faults, seconds = await emptied(server, port, api)
            tasks.cancel_scope.cancel()
    last = msgspec.json.decode(log.read_bytes().splitlines()[-1])
    if (last.get("message"), last.get("calls"), last.get("ok", 0) >= CALLS) != ("stopped", CALLS + 1, True):
        faults.append(f"the log ends with {last}")
    return faults, seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    lost = 0
    for number in range(1, parser.parse_args().rounds + 1):
        with tempfile.TemporaryDirectory() as folder:
            faults, seconds = trio.run(one_round, Path(folder))
        print(f"round {number}: {len(faults)} faults, gone {seconds:.2f} s after the last answer", *faults, sep="\n  ")
        lost += len(faults)
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
