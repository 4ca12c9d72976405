"""A real Valkey or Redis in a process of its own, for tests of what tasks share."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from openapi_mcp_server.settings.store import Store
from processes import CHECKOUT

PROGRAMS = ("valkey-server", "redis-server")
_BROUGHT = CHECKOUT / "build" / "valkey"
"""Where scripts/test puts Valkey's, where the system has no package of it."""
START_SECONDS = 10.0
PASSWORD = "sesame, open"


class Running:
    """The process; ``store`` is how it is reached."""

    def __init__(self, program: str, folder: Path, *more: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])
        self.store = Store("127.0.0.1", self.port, tls=False, database=0, username="", password=PASSWORD)
        self.url = f"valkey://:sesame%2C%20open@127.0.0.1:{self.port}"
        self._command = [
            program, "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--dir", str(folder),
            "--requirepass", PASSWORD, *more,
        ]  # fmt: skip
        self._process = self._started()

    def _started(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and process.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return process
        raise AssertionError("the store did not start")

    def ask(self, *words: str) -> bytes:
        """One command, by a connection of its own."""
        with socket.create_connection(("127.0.0.1", self.port), START_SECONDS) as line:
            for command in (("AUTH", PASSWORD), words):
                parts = b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in map(str.encode, command))
                line.sendall(b"*%d\r\n%b" % (len(command), parts))
                answer = line.recv(65_536)
            return answer

    def clock(self) -> float:
        """Seconds by the store's own clock."""
        seconds, microseconds = (int(line) for line in self.ask("TIME").split(b"\r\n")[2:5:2])
        return seconds + microseconds / 1e6

    def stall(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def start_again(self) -> None:
        self._process = self._started()


def _found(program: str) -> str | None:
    return shutil.which(program) or next(map(str, _BROUGHT.glob(f"**/{program}")), None)


@contextmanager
def running_store(folder: Path, program: str = "", *more: str) -> Iterator[Running]:
    """For as long as the context lasts; ``more`` arguments for the program: one of `PROGRAMS`, or the first that is
    there."""
    path = next(filter(None, map(_found, [program] if program else PROGRAMS)), None)
    if path is None:
        pytest.skip(f"{program or ' and '.join(PROGRAMS)}: not installed; scripts/test brings it")
    running = Running(path, folder, *more)
    try:
        yield running
    finally:
        running.kill()
