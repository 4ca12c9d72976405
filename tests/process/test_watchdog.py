"""A process whose loop stands still: it says where and ends, and one of several is replaced."""

from __future__ import annotations

import http.client
import os
import select
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import msgspec
import pytest
import trio

from clocks import run
from held import DEADLINE_SECONDS, HeldApi
from openapi_mcp_server.process.watchdog import EXIT_CODE, guarded
from processes import Server, command, environment, free_ports, started

HANGING = """
import re, signal, sys
from openapi_mcp_server.__main__ import main

def hang(number, frame):
    re.match("(a+)+$", "a" * 100 + "!")  # holds the interpreter's lock, and takes longer than the sun will burn

signal.signal(signal.SIGUSR1, hang)
sys.exit(main())
"""
"""The program with a hook that makes it hang; the loop runs where signals are handled."""
WATCHDOG = {"WATCHDOG_SECONDS": "1"}


@contextmanager
def hangable(tmp_path: Path, *argv: str, stdin: int = subprocess.DEVNULL) -> Iterator[Server]:
    document = tmp_path / "openapi.yaml"
    document.write_text(HeldApi.DOCUMENT)
    where = ["--spec-path", str(document), "--api-url", "https://api.example.com"]
    with started(*where, *argv, program=("-c", HANGING), stdin=stdin, **WATCHDOG) as server:
        yield server


@pytest.mark.parametrize("transport", ["http", "stdio"])
def test_a_process_that_hangs_with_the_interpreters_lock_says_where_and_ends(tmp_path: Path, transport: str) -> None:
    with hangable(tmp_path, "--transport", transport, "--port", "0", stdin=subprocess.PIPE) as server:
        server.wait_for("^serving MCP at" if transport == "http" else "^loaded$")
        if transport == "stdio":
            assert server.process.stdin is not None
            assert server.process.stdout is not None
            server.process.stdin.write(b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n')
            server.process.stdin.flush()
            server.process.stdout.readline()  # it serves
        server.process.send_signal(signal.SIGUSR1)
        server.read_to_the_end()
        assert server.process.wait(DEADLINE_SECONDS) == EXIT_CODE == 14
        said = [str(line["message"]) for line in server.log]
        assert any(line.startswith(("Current thread", "Thread")) for line in said)
        assert any("in hang" in line for line in said)


def test_a_process_that_hangs_ends_though_nobody_reads_where(tmp_path: Path) -> None:
    """Many clients that start a server over stdio never read its standard error."""
    document = tmp_path / "openapi.yaml"
    document.write_text(HeldApi.DOCUMENT)
    unread, full = os.pipe()
    os.set_blocking(full, False)
    with suppress(BlockingIOError):
        while True:
            os.write(full, b"x" * select.PIPE_BUF)
    os.set_blocking(full, True)
    where = ["--spec-path", str(document), "--api-url", "https://api.example.com"]
    started_so = command(*where, program=("-c", HANGING))
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": full}
    with subprocess.Popen(started_so, env=environment(**WATCHDOG), **streams) as process:
        try:
            process.stdin.write(b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n')
            process.stdin.flush()
            process.stdout.readline()  # it serves
            process.send_signal(signal.SIGUSR1)
            assert process.wait(DEADLINE_SECONDS) == EXIT_CODE
        finally:
            process.kill()
    os.close(unread)
    os.close(full)


def ready(server: Server, count: int) -> dict[int, int]:
    """The process of each worker that is ready next, by its port."""
    lines = [server.wait_for(r"^worker \d is ready$") for _ in range(count)]
    return {int(str(line["port"])): int(str(line["pid"])) for line in lines}


def asks(port: int) -> int:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_SECONDS)) as connection:
        body = b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}'
        headers = {"content-type": "application/json", "accept": "application/json"}
        connection.request("POST", "/mcp", body, headers)
        answer = connection.getresponse()
        assert msgspec.json.decode(answer.read())["result"]["tools"]
        return answer.status


@pytest.mark.parametrize(
    ("number", "said"),
    [
        pytest.param(signal.SIGUSR1, "did nothing any more and ended itself, the stack above", id="hangs"),
        pytest.param(signal.SIGSTOP, "does nothing any more: killing it$", id="is stopped"),
    ],
)
def test_a_worker_that_does_nothing_any_more_is_replaced_while_the_other_serves(
    tmp_path: Path, number: signal.Signals, said: str
) -> None:
    port = free_ports(2)
    with hangable(tmp_path, "--transport", "http", "--port", str(port), "--workers", "2") as server:
        before = ready(server, 2)
        os.kill(before[port + 1], number)
        assert asks(port) == 200
        server.wait_for(f"^worker 1 {said}")
        assert asks(port) == 200
        after = ready(server, 1)
        assert after[port + 1] != before[port + 1]
        assert [asks(port), asks(port + 1)] == [200, 200]
        server.process.send_signal(signal.SIGTERM)
        server.read_to_the_end()
        assert server.process.wait(DEADLINE_SECONDS) == 0


@pytest.mark.parametrize("seconds", [0.0, 3600.0])
def test_while_the_loop_runs_it_beats_and_nothing_is_left_of_the_timer_afterwards(seconds: float) -> None:
    beats = []
    armed = []

    async def live() -> None:
        async with guarded(seconds, lambda: beats.append(trio.current_time())):
            await trio.sleep(10.5)
            armed.append(signal.getitimer(signal.ITIMER_REAL)[0] > 0)

    run(live)
    assert [round(beat - beats[0]) for beat in beats] == list(range(11))
    assert armed == [seconds > 0]
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
