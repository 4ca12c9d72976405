"""What it costs to load a document again while calls run, and what stays of the old ones.

A document is changed again and again, and the server loads it again each time; one call after the other runs meanwhile.
Said are the latency of the calls that met a reload beside that of the others, and memory. Exit code 1 if a call failed
or memory grew without end. Three processes on loopback, as in measured.py.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
import trio

from measured import RUN_SECONDS, answered, beside, cpu_seconds, request, resident_mib, started

PETS = {
    "get": {
        "operationId": "getPet",
        "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}],
        "responses": {"200": {"description": "One pet"}},
    }
}
PROPERTIES = 20
PAUSE_SECONDS = 0.005
"""Between two calls: the server has nothing else to do."""
QUIET_SECONDS = 1
"""With calls and no reload, at both ends."""
GROWTH = 1.15
"""From half of the reloads to the last: what the allocator keeps, it has by then."""


def document(path: str | None, operations: int) -> dict[str, Any]:
    """A real one from a file (JSON), or one with so many operations; with the operation that is called."""
    made: dict[str, Any] = msgspec.json.decode(Path(path).read_bytes()) if path else synthetic(operations)
    return made | {"paths": {**made["paths"], "/pets/{id}": PETS}}


def synthetic(operations: int) -> dict[str, Any]:
    text = {"type": "string", "description": "What it says of itself, in a sentence or two. " * 3}
    schema = {"type": "object", "properties": {f"property_{number}": text for number in range(PROPERTIES)}}
    body = {"content": {"application/json": {"schema": schema}}}
    operation = {"requestBody": body, "responses": {"200": {"description": "Done", **body}}}
    paths = {
        f"/things/{number}": {"post": {"operationId": f"do_{number}", **operation}} for number in range(operations)
    }
    return {"openapi": "3.1.0", "info": {"title": "Soak", "version": "0"}, "paths": paths}


def write(path: Path, made: dict[str, Any], version: int) -> int:
    """Its size. Renamed into its place, as operators should change a served document."""
    PETS["get"]["summary"] = f"Version {version}"
    fresh = path.with_suffix(".new")
    size = fresh.write_bytes(msgspec.json.encode(made))
    fresh.replace(path)
    return size


class Soak:
    def __init__(self, server: subprocess.Popen[bytes]) -> None:
        self._server = server
        self.calls: list[tuple[float, float]] = []  # (when it began, how long it took)
        self.reloads: list[float] = []  # when each was over
        self.memory: list[float] = []

    def said(self, words: bytes) -> bytes:
        """The next line of the server's log with these words."""
        assert self._server.stderr is not None
        for line in self._server.stderr:
            if words in line:
                return line
        raise SystemExit(f"the server ended before it said {words!r}")

    async def call_for_ever(self, port: int) -> None:
        stream, sent = await trio.open_tcp_stream("127.0.0.1", port), request(port)
        async with stream:
            while True:
                began = time.perf_counter()
                await stream.send_all(sent)
                await answered(stream)
                self.calls.append((began, time.perf_counter() - began))
                await trio.sleep(PAUSE_SECONDS)

    async def reload(self, path: Path, made: dict[str, Any], version: int) -> None:
        await trio.to_thread.run_sync(write, path, made, version)
        await trio.to_thread.run_sync(self.said, b'"the documents have changed"')
        self.reloads.append(time.perf_counter())
        self.memory.append(resident_mib(self._server.pid))

    def latencies(self, seconds: float, *, reloading: bool) -> list[float]:
        """In milliseconds, sorted: of the calls that met a reload, which takes ``seconds``, or of the others."""
        during = (
            any(began < end and began + took > end - seconds for end in self.reloads) for began, took in self.calls
        )
        return sorted(took * 1000 for (_, took), met in zip(self.calls, during, strict=True) if met == reloading)


def told(what: str, latencies: list[float]) -> str:
    middle, most = (latencies[int(len(latencies) * part)] for part in (0.5, 0.99))
    return f"{len(latencies)} {what}: p50 {middle:.1f}, p99 {most:.1f}, at most {latencies[-1]:.1f} ms"


async def soak(arguments: argparse.Namespace, path: Path, api_port: int) -> bool:
    """Whether memory stayed within its limit."""
    made = document(arguments.document, arguments.operations)
    size = write(path, made, 0)
    argv = ["--spec-path", str(path), "--api-url", f"http://127.0.0.1:{api_port}", "--transport", "http", "--port", "0"]
    argv += ["--allow-private-networks", "--spec-refresh-seconds", "1"]
    with started("-m", "openapi_mcp_server", *argv, stderr=subprocess.PIPE) as server, trio.fail_after(RUN_SECONDS):
        run = Soak(server)
        port = int(run.said(b"serving MCP at").partition(b"127.0.0.1:")[2].partition(b"/")[0])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run.call_for_ever, port)
            await trio.sleep(QUIET_SECONDS)
            before, cpu = resident_mib(server.pid), cpu_seconds(server.pid)
            for version in range(1, arguments.reloads + 1):
                await run.reload(path, made, version)
            each = (cpu_seconds(server.pid) - cpu) / arguments.reloads
            await trio.sleep(QUIET_SECONDS)
            nursery.cancel_scope.cancel()
    print(f"{size / 1e6:.1f} MB, {arguments.reloads} reloads: {each:.2f} s of CPU each, calls too")
    print(told("calls beside a reload", run.latencies(each, reloading=True)))
    print(told("calls without one", run.latencies(each, reloading=False)))
    print(f"MiB: {before:.0f} at the start, then {' '.join(f'{mib:.0f}' for mib in run.memory)}")
    return run.memory[-1] <= run.memory[len(run.memory) // 2] * GROWTH


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--document", help="a document in JSON; left out: one is made")
    parser.add_argument("--operations", type=int, default=1000, help="of the document that is made")
    parser.add_argument("--reloads", type=int, default=20)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, beside() as api_port:
        kept = trio.run(soak, arguments, Path(folder, "openapi.json"), api_port)
    raise SystemExit(0 if kept else "memory grows from reload to reload")


if __name__ == "__main__":
    main()
