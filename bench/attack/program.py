"""The program under attack: a checkout's own, as a process, with what it has cost so far."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple

CHECKOUT = Path(__file__).resolve().parent.parent.parent
HOOKS = Path(__file__).parent / "hooks"
PACKAGES = (("openapi_mcp_server", "service"), ("service", "."))
"""The import package, and the folder of a checkout that it is in; the first that is there. Nothing else here knows
how the program is made."""
MIB = 2**20
PLAIN_MIB = 48
"""Of an idle server with a small document: the base where the start itself is the attack."""
_TICKS = os.sysconf("SC_CLK_TCK")


class Ended(NamedTuple):
    """A process that has come to its end; ``code`` is None where it was killed at its deadline."""

    code: int | None
    out: str
    err: str
    cpu_seconds: float


class Program:
    """The program of one checkout."""

    def __init__(self, checkout: Path) -> None:
        self.checkout = checkout
        self._package, folder = next(
            (package, folder) for package, folder in PACKAGES if (checkout / folder / package / "__main__.py").is_file()
        )
        self._path = checkout / folder
        own = checkout / ".venv" / "bin" / "python"
        self._python = str(own) if own.exists() else sys.executable

    def argv(self, *argv: str) -> list[str]:
        return [self._python, "-m", self._package, *argv]

    def environment(self, settings: Mapping[str, str], *, hooked: bool = False) -> dict[str, str]:
        """A clean environment, without the settings of the user who attacks."""
        path = f"{HOOKS}:{self._path}" if hooked else str(self._path)
        return {"PATH": os.environ["PATH"], "PYTHONPATH": path, "PYTHONSAFEPATH": "1", **settings}

    def run(self, *argv: str, seconds: float, addresses: int = 0, settings: Mapping[str, str] | None = None) -> Ended:
        """To its end or its deadline. ``addresses``: bytes of address space that it may have."""

        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_AS, (addresses, addresses))

        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = subprocess.Popen(
                self.argv(*argv),
                env=self.environment(settings or {}),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                preexec_fn=limit if addresses else None,  # noqa: PLW1509 - no thread runs here
            )
            code, used = _reaped(process, seconds)
            said, complained = _whole(out), _whole(err)
        return Ended(code, said, complained, used.ru_utime + used.ru_stime)

    def read(self, name: str) -> str:
        """A file of the checkout; empty where there is none."""
        path = self.checkout / name
        return path.read_text("utf-8") if path.is_file() else ""

    def documentation(self) -> str:
        """All pages of the checkout."""
        pages = [self.checkout / "SECURITY.md", *sorted((self.checkout / "docs").rglob("*.md"))]
        return "\n".join(page.read_text("utf-8") for page in pages)


class Server:
    """A process that serves, its log in a file, and its figures from /proc."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self.log = log
        self.port = 0

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait(self, seconds: float) -> bool:
        """Until it serves; false where it ends or the time does."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < deadline:
            if found := re.search(rb"serving MCP at http://127\.0\.0\.1:(\d+)/", self.log.read_bytes()):
                self.port = int(found[1])
                return True
            time.sleep(0.02)
        return False

    def cpu_seconds(self) -> float:
        return cpu_seconds(self.pid)

    def peak_mib(self) -> float:
        return memory_mib(self.pid, "VmHWM")

    def forget_peak(self) -> None:
        """The peak counts from now on (proc(5), clear_refs)."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def children(self) -> list[int]:
        """Of all its threads, any of which may have started one."""
        tasks = Path(f"/proc/{self.pid}/task").iterdir()
        return sorted(int(pid) for task in tasks for pid in (task / "children").read_text().split())

    def end(self) -> None:
        """By its number, however little it listens; the workers that it has started too."""
        own = self.children() if self.process.poll() is None else []
        for pid in (self.pid, *own):
            kill(pid)
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


def _whole(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def _reaped(process: subprocess.Popen[bytes], seconds: float) -> tuple[int | None, resource.struct_rusage]:
    """Exit code, None for one that had to be killed, and what it has used: `getrusage` knows the sum of all only.

    Its peak of memory says nothing: that begins with what this process has when it forks.
    """
    deadline = time.monotonic() + seconds
    pid = 0
    while not pid and time.monotonic() < deadline:
        time.sleep(0.01)
        pid, status, used = os.wait4(process.pid, os.WNOHANG)
    if not pid:
        kill(process.pid)
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)  # else Popen would wait for it too
    return (process.returncode if pid else None), used


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):  # it has ended meanwhile
        os.kill(pid, signal.SIGKILL)


def cpu_seconds(pid: int) -> float:
    """User and system time (proc(5), /proc/pid/stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory_mib(pid: int, what: str) -> float:
    found = re.search(rf"{what}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0  # a process that has ended has none
