"""Calls of one target after the other, in rounds: CPU, latency, calls a second; a peer that fails says why."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import trio

import measured
from installing import Unavailable
from targets import Place, Start, Target

Found = dict[str, list[float] | str]
"""Figures of each round by name, or why there are none."""
FAILURES = (Unavailable, SystemExit, OSError, BaseExceptionGroup, ValueError)
HEAD = (
    "POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    "Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2025-06-18\r\n{more}"
    "Content-Length: {length}\r\n\r\n"
)
CRLF = b"\r\n"
FIRST_ID = 1_000
ROUND_SECONDS = 5.0
"""For the calls of a round: who is slow makes fewer."""
WARM_SECONDS = 60.0
"""For the calls before the rounds; who takes longer is not measured."""
STREAM_SECONDS = 0.1
"""For a server to have a stream that it says nothing on before the first answer, its head included."""
ABOUT = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}


class Answer(NamedTuple):
    head: bytes
    body: bytes

    def field(self, name: bytes) -> str:
        """The value of a field, empty without it. ``name`` in lower case."""
        found = [line for line in self.head.split(b"\r\n") if line.lower().startswith(name + b":")]
        return found[0].partition(b":")[2].strip().decode() if found else ""


def written(target: Target, message: object, session: str = "") -> bytes:
    body = msgspec.json.encode(message)
    more = f"Authorization: Bearer {target.token}\r\n" if target.token else ""
    more += f"Mcp-Session-Id: {session}\r\n" if session else ""
    return HEAD.format(path=target.path, port=target.port, more=more, length=len(body)).encode() + body


async def read(stream: trio.SocketStream) -> Answer:
    """A whole answer: of a length, in chunks, or to the end of the connection."""
    received = bytearray()
    while b"\r\n\r\n" not in received:
        received += await measured.receive(stream)
    head, _, body = bytes(received).partition(b"\r\n\r\n")
    answer = Answer(head, body)
    length, chunked = answer.field(b"content-length"), answer.field(b"transfer-encoding").lower() == "chunked"
    while not (len(body) >= int(length) if length else chunked and body.endswith(b"0\r\n\r\n")):
        piece = await stream.receive_some()
        if not piece:
            break
        body += piece
    return Answer(head, body)


async def _connected(port: int) -> trio.SocketStream:
    return await trio.open_tcp_stream("127.0.0.1", port)


async def _session(target: Target, number: int = 1) -> str:
    async with await _connected(target.port) as stream:
        hello = {"jsonrpc": "2.0", "id": number, "method": "initialize", "params": ABOUT}
        await stream.send_all(written(target, hello))
        session = (await read(stream)).field(b"mcp-session-id")
    await _told(target, {"jsonrpc": "2.0", "method": "notifications/initialized"}, session)
    return session


async def opened(target: Target) -> bytes:
    """The call, as it is written to this target; the only tool there is, as its list calls it."""
    session = await _session(target) if target.session else ""
    listed = await _told(target, {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}, session)
    text = listed.body[listed.body.find(b'{"') : listed.body.rfind(b"}") + 1]
    tools = msgspec.json.decode(text).get("result", {}).get("tools", [{"name": "getPet"}])  # the bare loop has no list
    params = {"name": tools[0]["name"], "arguments": {"id": 7}}
    return written(target, {"jsonrpc": "2.0", "id": FIRST_ID, "method": "tools/call", "params": params}, session)


async def _told(target: Target, message: object, session: str) -> Answer:
    async with await _connected(target.port) as stream:
        await stream.send_all(written(target, message, session))
        return await read(stream)


class Kept:
    """A connection, kept for the next call where the server keeps it. ``stream``: where answers come, if not there."""

    def __init__(
        self, target: Target, call: bytes, asking: trio.SocketStream, stream: trio.SocketStream | None
    ) -> None:
        self._port = target.port
        self._call = call
        self._asking = asking
        self._stream = stream

    async def ask(self) -> Answer:
        await self._asking.send_all(self._call)
        answer = await read(self._asking)
        if answer.field(b"connection").lower() == "close" or answer.head.startswith(b"HTTP/1.0"):
            await self._asking.aclose()
            self._asking = await _connected(self._port)
        if self._stream is None:
            return answer
        said = b""
        while not said.endswith((b"\n\n", b"\n\n\r\n")):  # an event, in a chunk of its own
            said += await measured.receive(self._stream)
        return Answer(answer.head, said)

    async def aclose(self) -> None:
        await self._asking.aclose()
        if self._stream is not None:
            await self._stream.aclose()


async def _kept(target: Target, call: bytes, number: int) -> Kept:
    """The one with this number, whose calls have an id of their own: a session may want them to differ."""
    own, stream = call.replace(b'"id":%d' % FIRST_ID, b'"id":%d' % (FIRST_ID + number)), None
    if target.streamed:
        session = await _session(target, number + 1)
        own = re.sub(rb"Mcp-Session-Id: [^\r]+", b"Mcp-Session-Id: " + session.encode(), own)
        stream = await _connected(target.port)
        fields = f"Host: 127.0.0.1\r\nAccept: text/event-stream\r\nMcp-Session-Id: {session}\r\n\r\n"
        await stream.send_all(f"GET {target.path} HTTP/1.1\r\n{fields}".encode())
        await trio.sleep(STREAM_SECONDS)
    return Kept(target, own, await _connected(target.port), stream)


async def drive(target: Target, call: bytes, calls: int, connections: int) -> list[float]:
    """Makes the calls, as many as there is time for; seconds of each."""
    took: list[float] = []
    left, until = calls, time.monotonic() + ROUND_SECONDS

    async def one(number: int) -> None:
        nonlocal left
        kept = await _kept(target, call, number)
        while left > 0 and time.monotonic() < until:
            left -= 1
            began = time.perf_counter()
            answer = await kept.ask()
            took.append(time.perf_counter() - began)
            if b"Rex" not in answer.body:
                raise Unavailable(f"it answers {answer.head.split(CRLF)[0].decode()} {answer.body[:100].decode()!r}")
        await kept.aclose()

    with trio.fail_after(measured.RUN_SECONDS):
        async with trio.open_nursery() as nursery:
            for number in range(connections):
                nursery.start_soon(one, number)
    return took


async def _within(seconds: float, ask: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:  # noqa: ANN401
    with trio.move_on_after(seconds):
        return await ask(*arguments)
    raise Unavailable(f"it has not answered within {seconds:g} s")


def cpu(pids: Iterable[int]) -> float:
    """Seconds of these processes and of all that they have started."""
    waiting, seconds = list(pids), 0.0
    while waiting:
        pid = waiting.pop()
        seconds += measured.cpu_seconds(pid)
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(FileNotFoundError):  # a thread that has just ended
                waiting += map(int, (task / "children").read_text().split())
    return seconds


def reason(error: BaseException, queue: int = 0) -> str:
    """``queue``: how many connections may wait for this server."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, trio.BrokenResourceError | ConnectionResetError):
        return "it resets connections" + (f": only {queue} may wait until it accepts them" if queue else "")
    return str(error)[:200] or type(error).__name__


class Targets:
    """Those of some servers that could be started, with their calls; ``failed``: why the others could not."""

    def __init__(self, stack: ExitStack, servers: Mapping[str, Start], *, warm: int, connections: int) -> None:
        self.failed: dict[str, str] = {}
        self.calls: dict[str, tuple[Target, bytes]] = {}
        for name, start in servers.items():
            target = Target((), 0)
            try:
                target = stack.enter_context(start())
                call = trio.run(_within, WARM_SECONDS, opened, target)
                trio.run(_within, WARM_SECONDS, drive, target, call, warm, connections)
                self.calls[name] = target, call
            except FAILURES as error:
                self.failed[name] = reason(error, target.queue)

    def found(self, rounds: int, measured_by: Callable[[Target, bytes], Iterable[float]]) -> Found:
        """The figures of all rounds, in which the targets take turns. One that fails is not asked again."""
        found: dict[str, list[float]] = {}
        for _ in range(rounds):
            for name, (target, call) in [*self.calls.items()]:
                try:
                    found.setdefault(name, []).extend(measured_by(target, call))
                except (*FAILURES, subprocess.CalledProcessError) as error:
                    self.failed[name] = reason(error, target.queue)
                    del self.calls[name]
        return {**found, **self.failed}


def measure(servers: Mapping[str, Start], connections: int, rounds: int, calls: int) -> Found:
    """Microseconds of CPU a call in each round."""

    def each(target: Target, call: bytes) -> list[float]:
        before = cpu(target.pids)
        made = len(trio.run(drive, target, call, calls, connections))
        return [(cpu(target.pids) - before) / made * 1e6]

    with ExitStack() as stack:
        return Targets(stack, servers, warm=calls // 3, connections=connections).found(rounds, each)


def latencies(servers: Mapping[str, Start], rounds: int, calls: int) -> Found:
    """Microseconds of every call of one connection."""

    def each(target: Target, call: bytes) -> list[float]:
        return [took * 1e6 for took in trio.run(drive, target, call, calls, 1)]

    with ExitStack() as stack:
        return Targets(stack, servers, warm=calls, connections=1).found(rounds, each)


def api_latency(place: Place, calls: int) -> list[float]:
    """Microseconds of the same request to the API itself."""
    api = Target((), int(place.base.rpartition(":")[2]))
    asked = trio.run(drive, api, b"GET /pets/7 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", calls, 1)
    return [each * 1e6 for each in asked]


def throughputs(servers: Mapping[str, Start], rounds: int, seconds: float) -> tuple[Found, list[float]]:
    """Calls a second by a generator of its own process, and the part of a core that this one took in each round."""
    shares = [0.0]

    def each(target: Target, call: bytes) -> list[float]:
        ports = [str(target.port + number) for number in range(target.ports)]
        argv = [sys.executable, str(Path(__file__).with_name("flood.py")), str(seconds), *ports]
        told = subprocess.run(argv, input=call, capture_output=True, check=True).stdout
        calls, share = msgspec.json.decode(told)
        shares.append(share)
        return [calls / seconds]

    with ExitStack() as stack:
        return Targets(stack, servers, warm=2_000, connections=64).found(rounds, each), shares


def ratio(found: Found, name: str, base: str) -> float:
    """Of all rounds together: a short one that was disturbed weighs as little as it lasts."""
    one, other = found[name], found[base]
    assert isinstance(one, list), one
    assert isinstance(other, list), other
    return sum(one) / sum(other)
