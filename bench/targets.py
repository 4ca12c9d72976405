"""Servers that are measured, ours and bare ones: how each is started in front of the API, and what it is asked."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

import bench_calls
import installing
import measured
import proxied

HERE = Path(__file__).parent
DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Bench", "version": "1"},
    "paths": {
        "/pets/{id}": {
            "get": {
                "operationId": "getPet",
                "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}],
                "responses": {
                    "200": {"description": "A pet", "content": {"application/json": {"schema": {"type": "object"}}}}
                },
            }
        }
    },
}


class Target(NamedTuple):
    """Processes whose CPU counts, with those that they start, and how they are asked. ``session``: it wants one;
    ``streamed``: answers come on the stream of a session, not to the POST; ``ports``: how many, one after the other,
    each of a worker; ``queue``: how many connections may wait to be accepted, where that is few."""

    pids: tuple[int, ...]
    port: int
    token: str = ""
    path: str = "/mcp"
    session: bool = False
    streamed: bool = False
    ports: int = 1
    queue: int = 0


Start = Callable[[], AbstractContextManager[Target]]


class Place(NamedTuple):
    """Where a server finds what it serves: a folder for its files, the document, the API."""

    folder: Path
    document: Path
    base: str

    @property
    def settings(self) -> tuple[str, ...]:
        return "--spec-path", str(self.document), "--api-url", self.base, "--allow-private-networks"


def placed(folder: Path, api_port: int) -> Place:
    document = folder / "bench.json"
    document.write_bytes(msgspec.json.encode(DOCUMENT))
    return Place(folder, document, f"http://127.0.0.1:{api_port}")


@contextmanager
def ours(place: Place, *argv: str, token: str = "") -> Iterator[Target]:
    log = Path(tempfile.mkstemp(dir=place.folder)[1])
    with measured.serving(log, *place.settings, *argv) as (port, process):
        yield Target((process.pid,), port, token)


@contextmanager
def of_workers(place: Place, count: int) -> Iterator[Target]:
    """With so many workers, each at a port of its own, between which a proxy would choose."""
    port = proxied.free_port(count)
    where = ("--transport", "http", "--port", str(port), "--workers", str(count))
    command = [sys.executable, "-m", "openapi_mcp_server", *where, *place.settings]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for number in range(count):
                proxied.await_port(process, port + number)
            yield Target((process.pid,), port, ports=count)
        finally:
            process.terminate()


@contextmanager
def with_token(place: Place) -> Iterator[Target]:
    with (
        bench_calls.caller("token") as (argv, token),
        ours(place, *argv, "--call-limit", "1000", token=token) as target,
    ):
        yield target


@contextmanager
def traced(place: Place) -> Iterator[Target]:
    """With one call in twenty told to a collector that throws it away."""
    with measured.beside(bench_calls.__file__, "--sink") as port:
        where = ("--otel-exporter-otlp-endpoint", f"http://127.0.0.1:{port}")
        with ours(place, *where, *bench_calls.VARIANTS["otlp"]) as target:
            yield target


@contextmanager
def behind_nginx(place: Place) -> Iterator[Target]:
    """With the proxy of this repository in front, whose CPU counts too."""
    with ours(place) as inner, proxied.proxy(place.folder, inner.port) as (pid, port):
        yield Target((*inner.pids, pid), port)


@contextmanager
def bare(place: Place, *argv: str, python: Path | None = None) -> Iterator[Target]:
    api_port = place.base.rpartition(":")[2]
    command = [str(python or sys.executable), str(HERE / "bare_loop.py"), api_port, *argv]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield Target((process.pid,), int(process.stdout.readline()))
        finally:
            process.terminate()


@contextmanager
def bare_httptools(place: Place) -> Iterator[Target]:
    python = installing.installed("bare", "httptools==0.9.0", "trio", "msgspec")
    with bare(place, "--httptools", python=python) as target:
        yield target
