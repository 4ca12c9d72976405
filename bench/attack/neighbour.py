"""A well-behaved client beside an attack, in a process of its own: asks for /livez and for a tool in turn.

``neighbour.py PORT PID TOOL ARGUMENTS``. It prints an empty line once it has seen enough of the server alone. A line on
standard input says that the attack begins, the end of input that it is over; what was seen is then printed.

Beside each answer it looks at the server's CPU time: what the process has used while this small question waited is what
an attack has held it for, however busy the machine is.
"""

from __future__ import annotations

import socket
import statistics
import sys
import threading
import time
from typing import NamedTuple

import msgspec

from attack.program import cpu_seconds

PATIENCE_SECONDS = 8.0
PAUSE_SECONDS = 0.01
ALONE = 20
"""Questions before the attack, of which it tells by an empty line."""
HEAD = "Host: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nAccept: application/json\r\n"


class Seen(msgspec.Struct):
    """Of one phase. Times in milliseconds; ``held_ms`` is CPU of the server's."""

    calls: int = 0
    calls_answered: int = 0
    livez: int = 0
    livez_answered: int = 0
    p50_ms: float = 0.0
    worst_ms: float = 0.0
    held_ms: float = 0.0

    @property
    def all_answered(self) -> bool:
        return self.calls == self.calls_answered and self.livez == self.livez_answered


class Phases(msgspec.Struct):
    alone: Seen
    beside: Seen


class _Sample(NamedTuple):
    kind: str
    seconds: float
    held_seconds: float
    answered: bool


class _Asker:
    """One kept connection and one question."""

    def __init__(self, port: int, question: bytes, expected: bytes) -> None:
        self._port = port
        self._question = question
        self._expected = expected
        self._socket: socket.socket | None = None

    def ask(self) -> bool:
        """Whether the right answer came in time; once more on a new connection where the kept one was closed."""
        for _ in range(2):
            kept = self._socket is not None
            try:
                return self._asked()
            except (ConnectionError, EOFError):
                self._drop()
                if not kept:
                    return False
            except OSError:
                self._drop()
                return False
        return False

    def _asked(self) -> bool:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), PATIENCE_SECONDS)
            self._socket.settimeout(PATIENCE_SECONDS)
        self._socket.sendall(self._question)
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._more()
        head, _, body = received.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        while len(body) < length:
            body += self._more()
        if b"connection: close" in head.lower():
            self._drop()
        return head.startswith(b"HTTP/1.1 200") and self._expected in body

    def _more(self) -> bytes:
        assert self._socket is not None
        piece = self._socket.recv(65_536)
        if not piece:
            raise EOFError
        return piece

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None


def questions(port: int, tool: str, arguments: str) -> dict[str, _Asker]:
    head = HEAD.format(port=port)
    body = f'{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}","arguments":{arguments}}}}}'
    call = f"POST /mcp HTTP/1.1\r\n{head}MCP-Protocol-Version: 2025-11-25\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    return {
        "livez": _Asker(port, f"GET /livez HTTP/1.1\r\n{head}\r\n".encode(), b"alive"),
        "call": _Asker(port, call.encode(), b"Mia"),
    }


def summary(samples: list[_Sample]) -> Seen:
    calls = [sample for sample in samples if sample.kind == "call"]
    probes = [sample for sample in samples if sample.kind == "livez"]
    answered = [sample.seconds * 1000 for sample in calls if sample.answered]
    return Seen(
        calls=len(calls),
        calls_answered=len(answered),
        livez=len(probes),
        livez_answered=sum(sample.answered for sample in probes),
        p50_ms=statistics.median(answered) if answered else 0.0,
        worst_ms=max((sample.seconds * 1000 for sample in samples), default=0.0),
        held_ms=max((sample.held_seconds * 1000 for sample in samples), default=0.0),
    )


def main() -> None:
    port, pid = int(sys.argv[1]), int(sys.argv[2])
    askers = questions(port, *sys.argv[3:5])
    begun, over = threading.Event(), threading.Event()

    def listen() -> None:
        sys.stdin.readline()
        begun.set()
        sys.stdin.read()
        over.set()

    threading.Thread(target=listen, daemon=True).start()
    before: list[_Sample] = []
    beside: list[_Sample] = []
    while not over.is_set():
        for kind, asker in askers.items():
            began, cpu = time.monotonic(), _cpu(pid)
            answered = asker.ask()
            phase = beside if begun.is_set() else before  # what was waiting as the attack began has felt it
            phase.append(_Sample(kind, time.monotonic() - began, _cpu(pid) - cpu, answered))
            if phase is before and len(before) == ALONE:
                print(flush=True)
            if over.wait(PAUSE_SECONDS):
                break
    sys.stdout.buffer.write(msgspec.json.encode(Phases(alone=summary(before), beside=summary(beside))))


def _cpu(pid: int) -> float:
    try:
        return cpu_seconds(pid)
    except (FileNotFoundError, ProcessLookupError):
        return 0.0  # it has ended


if __name__ == "__main__":
    main()
