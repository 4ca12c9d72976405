"""stdio in a process of its own, as clients start it: how it ends, and what it says until then."""

from __future__ import annotations

import array
import fcntl
import signal
import socket
import subprocess
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from asked import message
from held import HeldApi
from processes import command, environment

END_SECONDS = 2
"""After which clients kill a server that was told to go (MCP, stdio, Shutdown)."""
DEADLINE_SECONDS = 30
PIPE_BYTES = 64 * 1024
LINE_50_MB = b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"' + b"x" * 50_000_000 + b'"}}\n'


def line(method: str, request_id: int, **params: object) -> bytes:
    return message(method, request_id, **params) + b"\n"


class Program:
    """The server, and an API behind it that accepts calls and never answers."""

    def __init__(self, process: subprocess.Popen[bytes], api: socket.socket) -> None:
        self.process = process
        self._api = api
        self._held: list[socket.socket] = []

    def say(self, *lines: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"".join(lines))
        self.process.stdin.flush()

    def hear(self) -> dict[str, object]:
        assert self.process.stdout is not None
        return msgspec.json.decode(self.process.stdout.readline())

    def call(self, calls: int) -> None:
        """Returns when all of them have reached the API."""
        self.say(*(line("tools/call", number, name="held") for number in range(calls)))
        for _ in range(calls):
            self._held.append(self._api.accept()[0])
            self._held[-1].settimeout(DEADLINE_SECONDS)
            assert self._held[-1].recv(65536).startswith(b"GET /held ")

    def wait_until_blocked(self) -> None:
        """Until nothing of what it says leaves its output any more: the pipe is full."""
        assert self.process.stdout is not None
        size = -1
        while (waiting := _readable_bytes(self.process.stdout.fileno())) != size or waiting < PIPE_BYTES // 2:
            size = waiting
            time.sleep(0.1)

    def calls_were_given_up(self) -> bool:
        return all(connection.recv(1) == b"" for connection in self._held)

    def close(self) -> None:
        for connection in self._held:
            connection.close()


def _readable_bytes(descriptor: int) -> int:
    return int(array.array("i", fcntl.ioctl(descriptor, termios.FIONREAD, b"\0" * 4))[0])


@contextmanager
def program(folder: Path) -> Iterator[Program]:
    document = folder / "openapi.yaml"
    document.write_text(HeldApi.DOCUMENT)
    with socket.create_server(("127.0.0.1", 0)) as api:
        api.settimeout(DEADLINE_SECONDS)
        url = f"http://127.0.0.1:{api.getsockname()[1]}"
        argv = command("--spec-path", str(document), "--api-url", url, "--allow-private-networks")
        with subprocess.Popen(
            argv, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            running = Program(process, api)
            try:
                yield running
            finally:
                process.kill()
                running.close()


def ended(running: Program) -> None:
    """Within the time that clients give, with the calls given up, and without a word too much."""
    assert running.process.wait(END_SECONDS) == 0
    assert running.calls_were_given_up()
    assert running.process.stderr is not None
    assert b"Traceback" not in running.process.stderr.read()


def test_it_ends_with_its_input_while_calls_are_in_flight(tmp_path: Path) -> None:
    with program(tmp_path) as running:
        running.call(20)
        assert running.process.stdin is not None
        running.process.stdin.close()
        ended(running)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("unread", [0, 500], ids=["a client that reads", "a client that does not"])
def test_it_ends_at_a_signal_while_calls_are_in_flight(number: signal.Signals, unread: int, tmp_path: Path) -> None:
    """500 lists are more than the pipe and the queue hold: the reader waits for a client that does not read."""
    with program(tmp_path) as running:
        running.call(20)
        running.say(*[line("tools/list", number) for number in range(100, 100 + unread)])
        if unread:
            running.wait_until_blocked()
        running.process.send_signal(number)
        ended(running)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_calls_in_flight_at_a_signal_are_answered(number: signal.Signals, tmp_path: Path) -> None:
    """The API may have carried them out."""
    with program(tmp_path) as running:
        running.call(3)
        running.process.send_signal(number)
        answers = [running.hear() for _ in range(3)]
        ended(running)
    assert sorted(one["id"] for one in answers) == [0, 1, 2]  # type: ignore[type-var]
    assert all(one["result"]["isError"] for one in answers)  # type: ignore[index]


def test_a_second_signal_changes_nothing_about_the_end(tmp_path: Path) -> None:
    with program(tmp_path) as running:
        running.call(1)
        running.process.send_signal(signal.SIGTERM)
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(END_SECONDS) in {0, 1}


def test_what_is_no_message_gets_its_error_and_the_next_message_its_answer(tmp_path: Path) -> None:
    bad = [LINE_50_MB, b"\xff\xfe\n", b'{"id":"\xff"}\n', b"GET / HTTP/1.1\n", b"[]\n", b"7\n"]
    with program(tmp_path) as running:
        writer = threading.Thread(target=running.say, args=(*bad, line("ping", 2)))
        writer.start()
        answers = [running.hear() for _ in range(len(bad) + 1)]
        writer.join(DEADLINE_SECONDS)
    assert [(one["id"], one["error"]["code"]) for one in answers[:-1]] == [  # type: ignore[index]
        *[(None, -32700)] * 4,
        *[(None, -32600)] * 2,
    ]
    assert answers[-1] == {"jsonrpc": "2.0", "id": 2, "result": {}}


def test_nothing_but_messages_is_on_standard_output_whatever_happens(tmp_path: Path) -> None:
    with program(tmp_path) as running:
        initialize = line("initialize", 1, protocolVersion="2025-11-25", capabilities={})
        lines = [
            initialize,
            b"{\n",
            line("tools/call", 2, name="none"),
            line("tools/call", 3, name="held", arguments=1),
        ]
        running.say(*lines)
        running.call(3)
        out, log = running.process.communicate(timeout=DEADLINE_SECONDS)
        assert running.process.returncode == 0
    messages = [msgspec.json.decode(answer) for answer in out.splitlines()]
    assert {message["id"] for message in messages} == {0, 1, None, 2, 3}
    assert all(one.startswith(b"{") for one in log.splitlines())  # the log is elsewhere
