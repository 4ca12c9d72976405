"""How long one call holds the loop, and how long a small call waits beside it.

``loop_steps.py [CASE…] [--rounds N]`` prints a row a case. Processes on loopback: an API with large answers (`large`),
this server with an instrument (`stepped`), one that asks for something small all the time, and this one.
"""

from __future__ import annotations

import argparse
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec
import trio

import large
import measured
from large import message
from stepped import Step

HERE = Path(__file__).parent
ROUNDS = 5
NEIGHBOUR = "127.0.0.2"
"""Its address: another client than the one that asks for much."""
IN_FLIGHT = 1_000
SESSIONS = 1_995  # of the 2,000 that may be


def post(body: bytes) -> bytes:
    head = (
        "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nAccept: application/json\r\n"
        f"MCP-Protocol-Version: 2025-11-25\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Case(NamedTuple):
    """``said``: the messages that are sent one after the other; ``together``: how often at once."""

    said: tuple[bytes, ...]
    together: int = 1
    sessions: int = 0


def cases() -> dict[str, Callable[[], Case]]:
    def alone(made: Callable[[], bytes]) -> Callable[[], Case]:
        return lambda: Case((made(),))

    return {name: alone(made) for name, made in large.MESSAGES.items()} | {
        f"{IN_FLIGHT:,} in flight": lambda: Case((message("slow"),), IN_FLIGHT),
        f"{SESSIONS:,} sessions": lambda: Case((message("getPet", id=7),), 32, SESSIONS),
    }


async def ask(port: int, said: bytes) -> bytes:
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(post(said))
        received = bytearray()
        while b"\r\n\r\n" not in received:
            received += await measured.receive(stream)
        head, _, body = bytes(received).partition(b"\r\n\r\n")
        left = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]) - len(body)
        pieces = [body]
        while left > 0:
            pieces.append(await measured.receive(stream))
            left -= len(pieces[-1])
        return head + b"\r\n\r\n" + b"".join(pieces)


async def listen(port: int, opened: trio.Event, count: int) -> None:
    """Idle sessions, until it is cancelled."""
    streams = []
    for _ in range(count):
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        streams.append(stream)
        await stream.send_all(b"GET /sse HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n")
        await measured.receive(stream)
    opened.set()
    await trio.sleep_forever()


async def play(port: int, case: Case, quiet: Callable[[], object]) -> list[bytes]:
    """``quiet`` is called when all is ready and the case begins."""
    found: list[bytes] = []

    async def one() -> None:
        found.extend([await ask(port, said) for said in case.said])

    async with trio.open_nursery() as idle:
        if case.sessions:
            opened = trio.Event()
            idle.start_soon(listen, port, opened, case.sessions)
            await opened.wait()
        quiet()
        async with trio.open_nursery() as nursery:
            for _ in range(case.together):
                nursery.start_soon(one)
        idle.cancel_scope.cancel()
    return found


class Waited(NamedTuple):
    """Milliseconds that small calls took; ``held``: CPU of the server's that passed in the one that met most of it."""

    calls: int
    median: float
    worst: float
    held: float


def neighbour(port: int, pid: int) -> None:
    """Asks for a pet all the time; on each line of standard input it says what it saw since the last one.

    On a busy machine a call may wait for anybody. The CPU that the server used meanwhile is what it waited for there.
    """
    seen: list[tuple[float, float]] = []

    async def asking() -> None:
        stream = await trio.open_tcp_stream("127.0.0.1", port, local_address=NEIGHBOUR)
        said = measured.request(port)
        while True:
            began, cpu = time.perf_counter(), measured.cpu_seconds(pid)
            await stream.send_all(said)
            await measured.answered(stream)
            seen.append(((time.perf_counter() - began) * 1000, (measured.cpu_seconds(pid) - cpu) * 1000))
            await trio.sleep(0.001)

    async def telling() -> None:
        while await trio.to_thread.run_sync(sys.stdin.readline):
            now, seen[:] = seen[:] or [(0.0, 0.0)], []
            took, held = zip(*now, strict=True)
            told = Waited(len(now), statistics.median(took), max(took), max(held))
            print(msgspec.json.encode(told).decode(), flush=True)

    async def both() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(asking)
            await telling()
            nursery.cancel_scope.cancel()

    trio.run(both)


class Row(NamedTuple):
    """The longest step, and what a neighbour saw without the case and beside it, in one round."""

    step: Step
    alone: Waited
    beside: Waited
    seconds: float
    answered: bytes


class Watched:
    """A server that is watched, and its neighbour."""

    def __init__(
        self, port: int, server: subprocess.Popen[bytes], report: Path, asker: subprocess.Popen[bytes]
    ) -> None:
        self.port = port
        self._server = server
        self._report = report
        self._asker = asker
        self._told = 0

    def step(self) -> Step:
        self._server.send_signal(signal.SIGUSR1)
        while True:
            lines = self._report.read_bytes().split(b"\n")[:-1] if self._report.exists() else []
            if len(lines) > self._told:
                self._told = len(lines)
                return msgspec.json.decode(lines[-1], type=Step)
            time.sleep(0.01)

    def waited(self) -> Waited:
        assert self._asker.stdin is not None
        assert self._asker.stdout is not None
        self._asker.stdin.write(b"\n")
        self._asker.stdin.flush()
        return Waited(*msgspec.json.decode(self._asker.stdout.readline()))

    def play(self, case: Case) -> Row:
        self.waited()
        time.sleep(1.0)
        alone = self.waited()
        began = time.perf_counter()

        def quiet() -> None:
            nonlocal began
            self.step()
            self.waited()
            began = time.perf_counter()

        said = trio.run(play, self.port, case, quiet)
        took = time.perf_counter() - began
        time.sleep(0.05)
        beside = self.waited()  # before the request for the step, since a small call would wait for it
        return Row(self.step(), alone, beside, took, said[0])


@contextmanager
def watched(folder: Path, api_port: int, *argv: str) -> Iterator[Watched]:
    written, log, report = folder / "steps.json", folder / "steps.log", folder / "steps.told"
    written.write_bytes(large.document())
    where = ["--spec-path", str(written), "--api-url", f"http://127.0.0.1:{api_port}", "--allow-private-networks"]
    where += ["--http-max-connections", "1100"]
    whole = [str(HERE / "stepped.py"), str(report), "--transport", "http", "--port", "0", *where, *argv]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with log.open("wb") as stderr, measured.started(*whole, stderr=stderr.fileno()) as server:
        port = measured.listening(log, server)
        asker = [sys.executable, __file__, "--neighbour", str(port), str(server.pid)]
        with subprocess.Popen(asker, **pipes) as process:  # type: ignore[call-overload]
            try:
                yield Watched(port, server, report, process)
            finally:
                process.terminate()


def shown(name: str, rows: list[Row]) -> str:
    step = statistics.median(row.step.cpu_ms for row in rows)
    alone = statistics.median(row.alone.median for row in rows)
    worst = statistics.median(row.beside.worst for row in rows)
    held = statistics.median(row.beside.held for row in rows)
    used = statistics.median(row.alone.held for row in rows)
    took = min(row.seconds for row in rows)
    beside = f"{alone:.2f} ms alone, beside it at worst {worst:6.1f}, CPU {held:6.1f} (alone {used:.1f})"
    said = f"{took:5.2f} s | {rows[0].answered[-60:]!r}"
    return f"{name:26} step {step:6.1f} ms CPU | a small call: {beside} | {said}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", nargs="*", help="a part of its name")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--whole", action="store_true", help="answers are not cut")
    parser.add_argument("--neighbour", nargs=2, type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.neighbour:
        neighbour(*options.neighbour)
        return
    argv = ["--result-budget-bytes", "0"] if options.whole else []
    with (
        tempfile.TemporaryDirectory() as folder,
        measured.beside(large.__file__) as api_port,
        watched(Path(folder), api_port, *argv) as server,
    ):
        for name, made in cases().items():
            if not options.case or any(part in name for part in options.case):
                case = made()
                print(shown(name, [server.play(case) for _ in range(options.rounds)]), flush=True)


if __name__ == "__main__":
    main()
