"""The real program in a process of its own, as a user starts it."""

from __future__ import annotations

import os
import random
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

CHECKOUT = Path(__file__).resolve().parents[2]
PAGES = sorted([*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/**/*.md"), *CHECKOUT.glob("deploy/**/*.md")])
"""The documentation."""
START_SECONDS = 60
"""For what ends or answers by itself; on a machine with ten times as much to do a check by `doctor` takes 30 s."""


class Server:
    """A started server; ``log`` grows by whole lines as they are read."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.log: list[dict[str, object]] = []

    def wait_for(self, message: str) -> dict[str, object]:
        """Reads log lines up to the one with this message (a regular expression)."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._keep(line)
            if re.search(message, str(self.log[-1]["message"])):
                return self.log[-1]
        raise AssertionError(f"the server ended before it said {message!r}: {self.log}")

    def read_to_the_end(self) -> None:
        """Until nobody can write to the log any more."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._keep(line)

    def _keep(self, line: bytes) -> None:
        """What is said before the log is set up, or by a script that starts the program, is plain text."""
        self.log.append(msgspec.json.decode(line) if line.startswith(b"{") else {"message": line.decode().rstrip()})

    @cached_property
    def url(self) -> str:
        return str(self.wait_for(r"^serving MCP at ")["message"]).removeprefix("serving MCP at ")


def environment(**settings: str) -> dict[str, str]:
    """A clean environment: none of the settings of whoever runs the tests."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "SSL_CERT_FILE", "LANG") if name in os.environ}
    return {**kept, "PYTHONPATH": str(CHECKOUT / "service"), **settings}


PROGRAM = ("-m", "openapi_mcp_server")


def command(*argv: str, program: tuple[str, str] = PROGRAM) -> list[str]:
    return [sys.executable, *program, *argv]


def run(*argv: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """To its end, which must come by itself."""
    return subprocess.run(
        command(*argv),
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def inspected(*argv: str, **settings: str) -> dict[str, Any]:
    """What ``inspect`` tells programs."""
    done = run("inspect", "--json", *argv, **settings)
    assert done.returncode == 0, done.stderr
    return msgspec.json.decode(done.stdout, type=dict[str, Any])


@contextmanager
def started(
    *argv: str, stdin: int = subprocess.DEVNULL, program: tuple[str, str] = PROGRAM, **settings: str
) -> Iterator[Server]:
    """For as long as the context lasts; what is still there at its end is killed."""
    process = subprocess.Popen(
        command(*argv, program=program),
        env=environment(**settings),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        try:
            yield Server(process)
        finally:
            process.kill()


PROFILED = {"PYTHONPROFILEIMPORTTIME": "1"}
"""Python says of every module that it has loaded it, from the first to the last call."""


def imported(server: Server) -> set[str]:
    """The modules that a server which was started with `PROFILED` has said so far."""
    return {str(line["message"]).rpartition("|")[2].strip() for line in server.log}


def free_ports(count: int) -> int:
    """The first of so many in a row that nobody has; below those that the system gives to others meanwhile."""
    for _ in range(100):
        first = random.randrange(20_000, 32_000)
        with suppress(OSError), ExitStack() as taken:
            for port in range(first, first + count):
                taken.enter_context(socket.create_server(("127.0.0.1", port)))
            return first
    raise AssertionError(f"no {count} free ports in a row")
