"""From the start of a process to its first whole list of tools, for large documents: CPU, memory, ours and others'.

All are asked over stdio, for every tool that the document has. One that takes too long or too much is a row that says
so.
"""

from __future__ import annotations

import fnmatch
import os
import re
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

import graph_like
import peers
from installing import Unavailable
from measured import resident_mib
from peers import Command
from rounds import cpu
from targets import Place

BASE = "https://api.example.com"
ROUNDS = 3
LONG_SECONDS = 8.0
"""A server that takes longer is started once: servers differ by more than their rounds do."""
LIMIT_SECONDS = 45.0
LIMIT_MIB = 4_096
LAST_BYTES, SAID_CHARACTERS = 2_000, 90
DOCUMENTS = ("GitHub", "Stripe", "Kubernetes")
"""Looked for in the folder by these words; of several the largest."""
GRAPH = "Graph-like"


class Started(msgspec.Struct, frozen=True):
    """The list is measured too: who lists less has had less to do."""

    cpu_seconds: float
    memory_mib: float
    tools: int
    list_bytes: int


class Document(msgspec.Struct, frozen=True):
    name: str
    megabytes: float
    servers: dict[str, Started | str]


class _Tools(msgspec.Struct):
    tools: list[msgspec.Raw]
    next_cursor: str | None = msgspec.field(default=None, name="nextCursor")


class _Listed(msgspec.Struct):
    result: _Tools


def found(folder: Path | None) -> dict[str, Path]:
    """The documents that there are in a folder and below it."""
    every = [path for path in folder.rglob("*.*") if path.suffix in {".json", ".yaml", ".yml"}] if folder else []
    made = {}
    for name in DOCUMENTS:
        named = [path for path in every if fnmatch.fnmatch(path.name.lower(), f"*{name.lower()}*")]
        if named:
            made[name] = max(named, key=lambda path: path.stat().st_size)
    return made


def whole(folder: Path | None) -> list[Document]:
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as name:
        graph = Path(name, "graph.json")
        graph.write_bytes(graph_like.document())
        return [_document(*each, Path(name)) for each in {**found(folder), GRAPH: graph}.items()]


def _document(name: str, path: Path, folder: Path) -> Document:
    place = Place(folder, path, BASE)
    cached = ours(place, "--cache-dir", str(folder / name))
    servers: dict[str, Callable[[], Command]] = {
        "this server, cold": lambda: ours(place),
        "this server, cached": lambda: cached,
        **peers.over_stdio(place),
    }
    _once(cached)  # fills the cache
    return Document(name, path.stat().st_size / 1e6, {server: least(made) for server, made in servers.items()})


def ours(place: Place, *argv: str) -> Command:
    every = ("--transport", "stdio", "--tool-mode", "all", *place.settings, *argv)
    return Command([sys.executable, "-m", "openapi_mcp_server", *every])


def least(made: Callable[[], Command]) -> Started | str:
    """The round with the least CPU: everything else that a machine does only adds to it."""
    rounds: list[Started] = []
    try:
        while len(rounds) < ROUNDS and not any(each.cpu_seconds > LONG_SECONDS for each in rounds):
            rounds.append(_once(made()))
    except Unavailable as error:
        return str(error)
    return min(rounds, key=lambda each: each.cpu_seconds)


def _once(command: Command) -> Started:
    with (
        tempfile.TemporaryFile() as errors,
        peers.running(command, errors.fileno()) as process,
        _bounded(process) as over,
    ):
        try:
            peers.greet(process)
            tools = size = 0
            page = _Tools([], "")
            while page.next_cursor is not None:
                cursor = {"cursor": page.next_cursor} if page.next_cursor else {}
                answer = peers.exchange(process, {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": cursor})
                page = msgspec.json.decode(answer, type=_Listed).result
                tools, size = tools + len(page.tools), size + len(answer)
            return Started(cpu([process.pid]), resident_mib(process.pid, "VmHWM"), tools, size)
        except (Unavailable, OSError, msgspec.DecodeError) as error:
            errors.seek(0)
            raise Unavailable(over() or f"ends before its list: {_last_words(errors.read()) or error}") from error


def _last_words(said: bytes) -> str:
    """Its last line, without what names this machine."""
    lines = said[-LAST_BYTES:].decode(errors="replace").split("\n")
    last = re.sub(r"(\w+:)?/[^\s'\"]+", "…", next((line for line in reversed(lines) if line.strip()), ""))
    return textwrap.shorten(last, SAID_CHARACTERS, placeholder=" …")


@contextmanager
def _bounded(process: subprocess.Popen[bytes]) -> Iterator[Callable[[], str]]:
    """Ends it when it has taken too much; what is given back says so then."""
    over, why = threading.Event(), [""]

    def watch() -> None:
        until = time.monotonic() + LIMIT_SECONDS
        while not over.wait(0.1) and process.poll() is None:
            if time.monotonic() > until:
                why[0] = f"no list within {LIMIT_SECONDS:g} s"
            elif resident_mib(process.pid) > LIMIT_MIB:
                why[0] = f"no list within {LIMIT_MIB / 1024:g} GiB of memory"
            if why[0]:
                process.kill()
                return

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield lambda: why[0]
    finally:
        over.set()
        thread.join()
