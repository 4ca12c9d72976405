"""The program as a process: what it prints, its exit codes, and how it ends before it serves."""

from __future__ import annotations

import fcntl
import os
import select
import shlex
import signal
import socket
import subprocess

import pytest

from openapi_mcp_server import __version__
from processes import command, environment, free_ports, run, started

SECONDS = 30


@pytest.mark.parametrize(
    ("argv", "printed"),
    [
        (["--version"], f"openapi-mcp-server {__version__}\n"),
        (["--help"], "usage: openapi-mcp-server [serve]"),
        (["call", "-h"], "usage: openapi-mcp-server call TOOL"),
    ],
)
def test_what_was_asked_for_goes_to_standard_output(argv, printed):
    ended = run(*argv)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith(printed)


@pytest.mark.parametrize("argv", [["--help"], ["inspect", "--spec-path", "{}", "--api-url", "https://a.example"]])
def test_a_reader_that_has_had_enough_is_no_error(argv, tmp_path):
    document = tmp_path / "openapi.yaml"
    document.write_text("openapi: 3.1.0\npaths: {}\n")
    with subprocess.Popen(
        command(*(arg.format(document) for arg in argv)),
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.close()
        assert (process.stderr.read(), process.wait(SECONDS)) == (b"", 0)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("argv", ["--help", "inspect --spec-path {0}", "--spec-path {0} --api-url https://a.example"])
def test_a_closed_standard_stream_is_as_dev_null(argv, closed, tmp_path):
    document = tmp_path / "openapi.yaml"
    document.write_text("openapi: 3.1.0\npaths: {}\n")
    ended = shell(f"{argv.format(document)} {closed}")
    assert (ended.returncode, "Traceback" in ended.stderr) == (0, False)


def test_a_command_says_beside_what_it_prints_which_settings_mean_nothing(tmp_path):
    document = tmp_path / "openapi.yaml"
    document.write_text("openapi: 3.1.0\npaths: {}\n")
    ended = run("inspect", "--json", "--spec-path", str(document), INCLUDE_TAG="pets", AUTH_TOKEN="s3cret")
    assert ended.stdout.startswith("{")
    assert ended.stderr.splitlines() == [
        "openapi-mcp-server: AUTH_TYPE is none: AUTH_TOKEN is not used",
        "openapi-mcp-server: INCLUDE_TAG is set and means nothing here: did you mean INCLUDE_TAGS?",
    ]


def test_a_command_says_with_its_reason_what_went_wrong_beside_its_work(tmp_path):
    """The image of docs/deployment.md is built by `inspect`, which fills CACHE_DIR."""
    document = tmp_path / "openapi.yaml"
    document.write_text("openapi: 3.1.0\nservers: [{url: 'https://a.example'}]\npaths: {}\n")
    ended = run("inspect", "--spec-path", str(document), "--cache-dir", str(document / "cache"))
    assert ended.returncode == 0
    problem = f'the catalog is not kept in CACHE_DIR folder={document}/cache problem="Not a directory"'
    assert ended.stderr.splitlines()[-1] == f"openapi-mcp-server: {problem}"


@pytest.mark.parametrize("argv", ["--help", "--version"])
def test_a_full_disk_is_one_line(argv):
    ended = shell(f"{argv} >/dev/full")
    assert (ended.returncode, ended.stderr) == (1, "openapi-mcp-server: standard output: No space left on device\n")


def test_help_can_be_read_where_only_ascii_is_spoken():
    ended = run("--help", PYTHONIOENCODING="ascii")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "[option \\u2026]" in ended.stdout


def shell(line: str, before: str = "") -> subprocess.CompletedProcess[str]:
    """The program with what only a shell can do to its streams."""
    return subprocess.run(
        ["bash", "-c", f"{before}exec {shlex.join(command())} {line}"],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        stdin=subprocess.DEVNULL,
        check=False,
    )


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_the_document_is_fetched_ends_at_once(number, code):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(SECONDS)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/openapi.json"
        with started("--spec-url", url, "--transport", "http", "--port", "0", "--allow-private-networks") as server:
            connection, _ = silent.accept()
            with connection:
                server.process.send_signal(number)
                assert server.process.wait(SECONDS) == code
                assert server.process.stderr.read() == b""


IMPATIENT = """
import os, runpy, signal, sys

class Impatient:
    def find_spec(name, path=None, target=None):
        if name.startswith("openapi_mcp_server.") and name != "openapi_mcp_server.__main__":
            os.kill(os.getpid(), signal.%s)

sys.meta_path.insert(0, Impatient)
runpy.run_module("openapi_mcp_server", run_name="__main__")
"""
"""The program, for somebody who presses Ctrl-C as soon as it imports anything of its own."""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_the_program_is_imported_ends_it_at_once(number, code):
    done = subprocess.run(
        command("--version", program=("-c", IMPATIENT % number.name)),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")


BLOCKED = """
import runpy, signal

signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
runpy.run_module("openapi_mcp_server", run_name="__main__")
"""


def test_signals_that_whoever_started_it_has_blocked_are_heard():
    with started("demo", "--port", "0", program=("-c", BLOCKED)) as server:
        assert server.url
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(SECONDS) == 0


FEW_THREADS = """
import runpy, threading

class Few(threading.Thread):
    def start(self):
        if threading.active_count() > %d:
            raise RuntimeError("can't start new thread")
        super().start()

threading.Thread = Few
runpy.run_module("openapi_mcp_server", run_name="__main__")
"""
"""The program where the system gives it so many threads beside its first one (pids.max of a container, ulimit -u)."""


@pytest.mark.parametrize("settings", [{}, {"TRACING": "xray"}], ids=["the log", "traces"])
def test_a_server_without_a_thread_that_it_needs_all_the_time_says_so_in_one_line(settings, tmp_path):
    ended = few_threads(len(settings), tmp_path, **settings)
    said = "the system gives this process no further thread; raise its limit of processes, or of memory"
    assert (ended.returncode, ended.stderr.splitlines()[-1]) == (1, f"openapi-mcp-server: {said}")
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("files", [7, 8])
def test_a_process_that_may_open_too_few_files_says_so_in_one_line(files, tmp_path):
    """Wherever that is noticed first: at the loop itself, at a module that is imported."""
    document = tmp_path / "openapi.yaml"
    document.write_text("openapi: 3.1.0\nservers: [{url: 'https://a.example'}]\npaths: {}\n")
    ended = shell(f"--spec-path {document} --transport http --port 0", before=f"ulimit -n {files}; ")
    assert (ended.returncode in {1, 2}, ended.stderr.count("\n")) == (True, 1)
    assert "Too many open files" in ended.stderr


def test_workers_for_which_there_is_no_thread_are_no_bug(tmp_path):
    ended = few_threads(1, tmp_path, SERVER_TRANSPORT="http", SERVER_PORT=str(free_ports(2)), WORKERS="2")
    assert ended.returncode == 1
    assert "worker 0: no process can be started: Resource temporarily unavailable" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_server_has_no_need_of_threads_for_what_can_be_done_on_its_loop(tmp_path):
    """The files of secrets are looked at in threads, the document is read in one, the catalog is kept by one."""
    secret = tmp_path / "secret"
    secret.write_text("one")
    settings = {"AUTH_TYPE": "bearer", "AUTH_TOKEN_FILE": str(secret), "CACHE_DIR": str(tmp_path / "cache")}
    ended = few_threads(1, tmp_path, **settings)
    assert (ended.returncode, ended.stdout.count('"result"')) == (0, 1)
    assert "Traceback" not in ended.stderr


def few_threads(count, folder, **settings):
    """The program with so many threads, to the end of its input, in which it is asked once for all tools."""
    document = folder / "openapi.yaml"
    document.write_text("openapi: 3.1.0\nservers: [{url: 'https://a.example'}]\npaths: {}\n")
    return subprocess.run(
        command(program=("-c", FEW_THREADS % count)),
        env=environment(API_SPEC_PATH=str(document), **settings),
        input='{"jsonrpc":"2.0","id":1,"method":"tools/list"}\n',
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def test_nothing_is_dropped_that_a_reader_is_too_slow_for(tmp_path):
    """A pipe that takes no more, in the mode that a program of Node gives it for all who share it."""
    document = tmp_path / "openapi.yaml"
    paths = "".join(f"  /{n}: {{get: {{responses: {{'200': {{description: ok}}}}}}}}\n" for n in range(200))
    document.write_text(f"openapi: 3.1.0\npaths:\n{paths}")
    argv = ["inspect", "--json", "--spec-path", str(document)]
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, select.PIPE_BUF)
    os.set_blocking(writing, False)
    with os.fdopen(reading) as slow, subprocess.Popen(command(*argv), env=environment(), stdout=writing) as process:
        os.close(writing)
        assert (slow.read(), process.wait(SECONDS)) == (run(*argv).stdout, 0)


def test_a_log_that_nobody_reads_stops_no_call():
    with started("demo", "--port", "0", LOG_LEVEL="DEBUG") as server:
        host, port = server.url.removeprefix("http://").removesuffix("/mcp").split(":")
        body = '{"jsonrpc":"2.0","id":1,"method":"ping"}'
        headers = f"Host: {host}:{port}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        ping = f"POST /mcp HTTP/1.1\r\n{headers}\r\n\r\n{body}".encode()
        with socket.create_connection((host, int(port)), SECONDS) as connection:
            for _ in range(1_000):  # a pipe holds the lines of 400
                connection.sendall(ping)
                assert connection.recv(10_000).startswith(b"HTTP/1.1 200 ")
