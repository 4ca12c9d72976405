"""What a call and a start cost, beside the least that they can cost and beside other servers, in one run.

All answer the same call for the same document with the same API behind them, and take turns: CPU a call of the server's
process, the client and the API not counted. Ratios hold from machine to machine; microseconds do not. A peer that
cannot be installed or asked is a row that says why.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from socket import create_connection, create_server
from typing import Any

import msgspec
import trio

from bench_calls import caller, drive
from bench_start import serve_once
from measured import beside, cpu_seconds, serving

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "benchmarks.md"
KEPT = HERE / "kept.json"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"), "openapi-mcp-bench")
CONNECTIONS = (1, 32, 256)
ROUNDS = 5
CALLS = 1_500
QUICK_ROUNDS = 7
TOLERANCE = 0.25
"""By how much a ratio of one run may differ from the kept one: two processes of one program differ by some percent, and
so do machines."""
LARGE_BYTES = 3_000_000
START_SECONDS = 30.0
INSTALL_SECONDS = 240
_DOCUMENT = {
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
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "getPet", "arguments": {"id": 7}}}

Target = tuple[int, int, str]
"""A process that is asked, its port, and the token that it wants."""
Start = Callable[[], AbstractContextManager[Target]]


class Unavailable(Exception):
    """Why a peer is not measured."""


@contextmanager
def ours(folder: Path, where: tuple[str, ...], name: str, *argv: str, token: str = "") -> Iterator[Target]:
    with serving(folder / name, *where, *argv) as (port, process):
        yield process.pid, port, token


@contextmanager
def with_token(folder: Path, where: tuple[str, ...]) -> Iterator[Target]:
    with (
        caller("token") as (argv, token),
        ours(folder, where, "token", *argv, "--call-limit", "1000", token=token) as target,
    ):
        yield target


@contextmanager
def bare(api_port: int, *argv: str, python: Path | None = None) -> Iterator[Target]:
    command = [str(python or sys.executable), str(HERE / "bare_loop.py"), str(api_port), *argv]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield process.pid, int(process.stdout.readline()), ""
        finally:
            process.terminate()


@contextmanager
def fastmcp(document: Path, base: str) -> Iterator[Target]:
    with create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    python = installed("fastmcp", "fastmcp==4.2.3", "uvloop")
    command = [str(python), str(HERE / "peer_fastmcp.py"), str(document), base, str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _await(process, port)
            yield process.pid, port, ""
        finally:
            process.terminate()


def _await(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise Unavailable(f"it ended with {process.returncode}")
        try:
            create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise Unavailable(f"it did not answer within {START_SECONDS:g} s")


def installed(name: str, *packages: str) -> Path:
    """The interpreter of an environment with these packages, made when it is first asked for."""
    folder, python = CACHE / name, CACHE / name / "bin" / "python"
    wanted = "\n".join(packages)
    done = folder / "installed"
    if not done.exists() or done.read_text() != wanted:
        venv.create(folder, with_pip=True, clear=True)
        command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
        try:
            subprocess.run(command, check=True, timeout=INSTALL_SECONDS, capture_output=True)
        except subprocess.CalledProcessError as error:
            raise Unavailable(f"it cannot be installed: {error.stderr.decode().strip().splitlines()[-1]}") from error
        except subprocess.TimeoutExpired as error:
            raise Unavailable("it could not be installed in time") from error
        done.write_text(wanted)
    return python


def measure(servers: dict[str, Start], connections: int, rounds: int, calls: int) -> dict[str, list[float] | str]:
    """Microseconds of CPU a call in each round, or why there are none."""
    found: dict[str, list[float] | str] = {}
    with ExitStack() as stack:
        targets: dict[str, Target] = {}
        for name, start in servers.items():
            try:
                targets[name] = stack.enter_context(start())
                trio.run(drive, targets[name][1], calls // 3, connections, targets[name][2])
            except (Unavailable, SystemExit, OSError, BaseExceptionGroup) as error:
                targets.pop(name, None)
                found[name] = str(error)[:200]
        for _ in range(rounds):
            for name, (pid, port, token) in targets.items():
                before = cpu_seconds(pid)
                trio.run(drive, port, calls, connections, token)
                each = (cpu_seconds(pid) - before) / calls * 1e6
                found.setdefault(name, []).append(each)  # type: ignore[union-attr]
    return found


@contextmanager
def stdio(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    about = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env={**os.environ, **environment}, **pipes) as process:  # type: ignore[call-overload]
        try:
            _exchange(process, {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": about})
            _say(process, {"jsonrpc": "2.0", "method": "notifications/initialized"})
            yield process
        finally:
            process.terminate()


def _say(process: subprocess.Popen[bytes], message: dict[str, Any]) -> None:
    assert process.stdin is not None
    process.stdin.write(msgspec.json.encode(message) + b"\n")
    process.stdin.flush()


def _exchange(process: subprocess.Popen[bytes], message: dict[str, Any]) -> bytes:
    _say(process, message)
    assert process.stdout is not None
    while line := process.stdout.readline():
        if b'"id"' in line:
            return line
    raise Unavailable(f"it ended with {process.wait(10)}")


def _named(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """The call, of the only tool there is, as this server calls it."""
    listed = msgspec.json.decode(_exchange(process, {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}))
    return {**CALL, "params": {"name": listed["result"]["tools"][0]["name"], "arguments": {"id": 7}}}


def _require_pet(answer: bytes) -> None:
    if b"Rex" not in answer:
        raise Unavailable(f"it answers {answer[:100]!r}")


def measure_stdio(
    servers: dict[str, Callable[[], AbstractContextManager[subprocess.Popen[bytes]]]], rounds: int
) -> dict[str, list[float] | str]:
    found: dict[str, list[float] | str] = {}
    with ExitStack() as stack:
        targets = {}
        for name, start in servers.items():
            try:
                process = stack.enter_context(start())
                call = _named(process)
                _require_pet(_exchange(process, call))
                targets[name] = (process, call)
            except (Unavailable, OSError) as error:
                found[name] = str(error)[:200]
        for _ in range(rounds):
            for name, (process, call) in targets.items():
                calls = CALLS // 5
                before = cpu_seconds(process.pid)
                for _ in range(calls):
                    _exchange(process, call)
                found.setdefault(name, []).append((cpu_seconds(process.pid) - before) / calls * 1e6)  # type: ignore[union-attr]
    return found


def _where(folder: Path, api_port: int) -> tuple[Path, tuple[str, ...]]:
    """The document, and the settings of a server of ours for it."""
    document = folder / "bench.json"
    document.write_bytes(msgspec.json.encode(_DOCUMENT))
    settings = ("--spec-path", str(document), "--api-url", f"http://127.0.0.1:{api_port}", "--allow-private-networks")
    return document, settings


def ratio(found: dict[str, list[float] | str], name: str, base: str) -> float:
    """Of all rounds together: a short one that was disturbed weighs as little as it lasts."""
    one, other = found[name], found[base]
    assert isinstance(one, list), one
    assert isinstance(other, list), other
    return sum(one) / sum(other)


def quick(*, keep: bool) -> None:
    """Ours beside the bare loop: fails where the ratio has grown by more than `TOLERANCE` over the kept one."""
    with tempfile.TemporaryDirectory() as name, beside() as api_port:
        _, where = _where(Path(name), api_port)
        servers: dict[str, Start] = {
            "bare": partial(bare, api_port),
            "ours": partial(ours, Path(name), where, "ours"),
        }
        found = measure(servers, 32, QUICK_ROUNDS, CALLS)
    now = ratio(found, "ours", "bare")
    if keep:
        KEPT.write_bytes(msgspec.json.encode({"ours_to_bare": round(now, 2)}) + b"\n")
    kept = msgspec.json.decode(KEPT.read_bytes())["ours_to_bare"]
    print(f"a call costs {now:.2f} times what it costs in a bare loop; kept: {kept}")
    if now > kept * (1 + TOLERANCE):
        raise SystemExit("a call costs more than it did; if that is meant: scripts/bench --quick --keep")
    if now < kept * (1 - TOLERANCE):
        print("a call costs less than it did: scripts/bench --quick --keep")


def whole() -> None:
    with tempfile.TemporaryDirectory() as name, beside() as api_port:
        folder, base = Path(name), f"http://127.0.0.1:{api_port}"
        document, where = _where(folder, api_port)
        servers: dict[str, Start] = {
            "this server": partial(ours, folder, where, "ours"),
            "with metrics": partial(ours, folder, where, "m", "--enable-prometheus", "--prometheus-port", "0"),
            "with a token": partial(with_token, folder, where),
            "bare Trio loop": partial(bare, api_port),
            "bare Trio loop on httptools": partial(_bare_httptools, api_port),
            "FastMCP 4.2.3, stateless, JSON, uvloop": partial(fastmcp, document, base),
        }
        over_http = {each: measure(servers, each, ROUNDS, CALLS) for each in CONNECTIONS}
        over_stdio = measure_stdio(_stdio_servers(document, where, base), ROUNDS)
    text = "\n".join([*_head(), *_calls(over_http, list(servers)), *_stdio(over_stdio), *_starts()]) + "\n"
    PAGE.write_text(text)
    print(text)


@contextmanager
def _bare_httptools(api_port: int) -> Iterator[Target]:
    python = installed("bare", "httptools==0.9.0", "trio", "msgspec")
    with bare(api_port, "--httptools", python=python) as target:
        yield target


def _stdio_servers(
    document: Path, where: tuple[str, ...], base: str
) -> dict[str, Callable[[], AbstractContextManager[subprocess.Popen[bytes]]]]:
    ours_argv = [sys.executable, "-m", "openapi_mcp_server", "--transport", "stdio", *where]
    awslabs = {"API_NAME": "bench", "API_BASE_URL": base, "API_SPEC_PATH": str(document), "FASTMCP_LOG_LEVEL": "ERROR"}
    return {
        "this server": partial(stdio, ours_argv, {}),
        "mcpify-openapi 1.19.0": partial(
            _peer, "mcpify-openapi==1.19.0", "mcpify", "serve", str(document), "--base-url", base
        ),
        "awslabs.openapi-mcp-server 1.1.6": partial(
            _peer, "awslabs.openapi-mcp-server==1.1.6", "awslabs.openapi-mcp-server", environment=awslabs
        ),
    }


@contextmanager
def _peer(
    package: str, program: str, *argv: str, environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    python = installed(package.partition("=")[0], package)
    with stdio([str(python.parent / program), *argv], environment or {}) as process:
        yield process


def _head() -> Iterator[str]:
    yield "# Benchmarks"
    yield ""
    yield f"Written by `scripts/bench` on {datetime.now(UTC):%d %B %Y}: Python {platform.python_version()}, Linux"
    yield f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}. CPU of the server's process a"
    yield "call, client and API not counted: the middle one of the rounds, least and most in brackets; all servers take"
    yield "turns. The ratios to this server hold elsewhere, the microseconds do not. Behind each call is one small GET."


def _calls(over_http: dict[int, dict[str, list[float] | str]], names: list[str]) -> Iterator[str]:
    yield from ("", "## A call over Streamable HTTP", "")
    yield "| server | " + " | ".join(f"{each} at once, µs" for each in over_http) + " | ratio at 32 |"
    yield "| --- |" + " --- |" * (len(over_http) + 1)
    for name in names:
        cells = [_cell(found[name]) for found in over_http.values()]
        is_there = isinstance(over_http[32][name], list)
        yield f"| {name} | {' | '.join(cells)} | {_times(over_http[32], name) if is_there else ''} |"


def _stdio(found: dict[str, list[float] | str]) -> Iterator[str]:
    yield from ("", "## A call over stdio", "", "| server | µs | ratio |", "| --- | --- | --- |")
    for name, each in found.items():
        yield f"| {name} | {_cell(each)} | {_times(found, name) if isinstance(each, list) else ''} |"


def _times(found: dict[str, list[float] | str], name: str) -> str:
    return f"{ratio(found, name, 'this server'):.2f}"


def _cell(found: list[float] | str) -> str:
    if isinstance(found, str):
        return found.replace("|", "/").replace("\n", " ")
    return f"{statistics.median(found):,.0f} [{min(found):,.0f}..{max(found):,.0f}]"


def _starts() -> Iterator[str]:
    folder = os.environ.get("OPENAPI_SPECS_DIR")
    if not folder:
        return
    yield from ("", "## From the start to the first tools/list", "")
    yield from ("| document | size, MB | CPU, s | memory at most, MiB | list, kB |", "| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as logs:
        for path in sorted(Path(folder).iterdir()):
            if path.is_file() and path.stat().st_size > LARGE_BYTES:
                cpu, memory, answer = min(serve_once(str(path), Path(logs, "log")) for _ in range(3))
                sizes = f"{path.stat().st_size / 1e6:.1f} | {cpu:.2f} | {memory:.0f} | {len(answer) / 1e3:.1f}"
                yield f"| {path.name} | {sizes} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="only: this server beside a bare loop, against the kept ratio"
    )
    parser.add_argument("--keep", action="store_true", help="with --quick: its ratio is the kept one from now on")
    options = parser.parse_args()
    if options.quick:
        quick(keep=options.keep)
    else:
        whole()


if __name__ == "__main__":
    main()
