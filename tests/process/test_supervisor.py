"""Several workers as the program starts them: which port and number each has, who ends whom, who is started again."""

from __future__ import annotations

import http.client
import os
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import msgspec
import pytest

from asked import call, fetch
from held import DEADLINE_SECONDS, HeldApi
from processes import CHECKOUT, Server, command, environment, free_ports, run, started
from scraped import scraped

READY = r"^worker (\d) is ready$"
JSON = {"content-type": "application/json", "accept": "application/json"}
CALL = call("held")


class Team:
    """The supervisor of two workers, and what can be done to them."""

    def __init__(self, server: Server, port: int) -> None:
        self.server = server
        self.process = server.process
        self.ports = (port, port + 1)

    def next_ready(self) -> tuple[int, int]:
        """(port, pid) of the worker that is ready next."""
        line = self.server.wait_for(READY)
        return int(str(line["port"])), int(str(line["pid"]))

    def pids(self) -> tuple[int, int]:
        """At the start, when all serve."""
        found = dict(self.next_ready() for _ in self.ports)
        self.server.wait_for("^2 workers serve on ports")
        return found[self.ports[0]], found[self.ports[1]]

    def ended(self) -> int:
        """The exit code, at the end of everything that was started."""
        self.server.read_to_the_end()  # which is when no worker lives
        return self.process.wait(DEADLINE_SECONDS)


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "openapi.yaml"
    path.write_text(HeldApi.DOCUMENT)
    return path


def options(document: Path, port: int, url: str = "https://api.example.com") -> list[str]:
    where = ["--spec-path", str(document), "--api-url", url, "--allow-private-networks"]
    return [*where, "--transport", "http", "--port", str(port), "--workers", "2"]


@contextmanager
def team(document: Path, url: str = "https://api.example.com", **settings: str) -> Iterator[Team]:
    port = free_ports(2)
    with started(*options(document, port, url), **settings) as server:
        yield Team(server, port)


@pytest.fixture
def pair(document: Path) -> Iterator[Team]:
    with team(document) as running:
        yield running


def get(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_SECONDS)
    connection.request("GET", path)
    response = connection.getresponse()
    read = response.readline if path == "/sse" else response.read
    try:
        return response.status, b"".join(read() for _ in range(2))
    finally:
        connection.close()


def refuses(port: int) -> bool:
    with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
        return False
    return True


def gone(pid: int) -> None:
    """Waits for the end of a process that is nobody's child here any more."""
    for _ in range(DEADLINE_SECONDS * 20):
        if not Path(f"/proc/{pid}").exists():
            return
        time.sleep(0.05)  # the system tells only a parent
    raise AssertionError(f"process {pid} lives on")


@contextmanager
def held_calls(
    document: Path, **settings: str
) -> Iterator[tuple[Team, list[socket.socket], list[http.client.HTTPConnection]]]:
    """(team, what the API has to answer, who waits for it): a call in flight in each of two workers."""
    with ExitStack() as stack:
        api = stack.enter_context(closing(HeldApi()))
        running = stack.enter_context(team(document, api.url, **settings))
        running.pids()
        clients, asked = [], []
        for port in running.ports:
            client = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_SECONDS)
            clients.append(stack.enter_context(closing(client)))
            client.request("POST", "/mcp", CALL, JSON)
            asked.append(stack.enter_context(api.accept()))
        yield running, asked, clients


def answered(connection: socket.socket, client: http.client.HTTPConnection) -> bool:
    """Whether the call has its result, once the API has answered."""
    connection.sendall(HeldApi.ANSWER)
    return not msgspec.json.decode(client.getresponse().read())["result"].get("isError", False)


def test_each_worker_has_a_port_a_number_in_its_addresses_and_the_number_in_its_lines(pair):
    pair.pids()
    for number, port in enumerate(pair.ports):
        assert get(port, "/readyz")[0] == 200
        assert f"data: /messages/w{number}/?".encode() in get(port, "/sse")[1]
    pair.process.send_signal(signal.SIGTERM)
    assert pair.ended() == 0
    numbered = {(line["message"], line.get("worker")) for line in pair.server.log}
    assert {
        ("loaded", 0),
        ("stopped", 0),
        ("loaded", 1),
        ("stopped", 1),
        ("all workers have stopped", None),
    } <= numbered


def test_one_worker_is_one_process_without_a_supervisor(document):
    argv = [*options(document, 0), "--workers", "1"]
    with started(*argv) as server:
        assert server.url
        threads = Path(f"/proc/{server.process.pid}/task").iterdir()
        assert [children for thread in threads if (children := (thread / "children").read_text())] == []
    assert all("worker" not in line for line in server.log)


@pytest.mark.parametrize(
    ("text", "code", "message"), [(None, 2, "--spec-path: cannot read"), ("openapi: [", 1, "openapi.yaml, line 2")]
)
def test_a_document_that_cannot_be_used_is_one_line_and_the_end(document, text, code, message):
    document.unlink() if text is None else document.write_text(text)
    ended = run(*options(document, free_ports(2)))
    assert (ended.returncode, ended.stderr.count("\n"), message in ended.stderr) == (code, 1, True), ended.stderr


def test_a_port_that_is_taken_ends_the_start_of_all(document):
    port = free_ports(2)
    with socket.create_server(("127.0.0.1", port + 1)):
        ended = run(*options(document, port))
    assert ended.returncode == 2
    assert f"openapi-mcp-server: --port: port {port + 1} on 127.0.0.1 is taken" in ended.stderr
    assert refuses(port)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_calls_of_all_workers_finish_and_exits_0(document, number):
    with held_calls(document) as (running, asked, clients):
        running.process.send_signal(number)
        for _ in clients:
            running.server.wait_for("^stopping")
        assert all(map(answered, asked, clients))
        assert running.ended() == 0
        assert running.server.log[-1]["message"] == "all workers have stopped"


def test_a_stop_during_a_rolling_restart_is_no_second_signal_for_the_worker_that_stops_already(document):
    with held_calls(document) as (running, asked, clients):
        running.process.send_signal(signal.SIGHUP)
        assert running.server.wait_for("^stopping")["worker"] == 0
        running.process.send_signal(signal.SIGTERM)
        assert running.server.wait_for("^stopping")["worker"] == 1
        assert answered(asked[1], clients[1])
        assert answered(asked[0], clients[0])
        assert running.ended() == 0


def test_a_second_stop_during_a_rolling_restart_ends_all_at_once(document):
    with held_calls(document) as (running, asked, _):
        running.process.send_signal(signal.SIGHUP)
        running.server.wait_for("^stopping")
        running.process.send_signal(signal.SIGTERM)
        running.server.wait_for("^stopping")
        running.process.send_signal(signal.SIGTERM)
        assert running.ended() == 1
        assert [connection.recv(1) for connection in asked] == [b"", b""]  # their calls were dropped


def test_ctrl_c_in_a_terminal_is_one_signal_for_the_workers_although_all_are_in_the_foreground(document):
    argv = command(*options(document, free_ports(2)))
    environ = environment(SHUTDOWN_LAME_DUCK_SECONDS="0.3")
    with subprocess.Popen(argv, env=environ, stderr=subprocess.PIPE, start_new_session=True) as process:
        server = Server(process)
        server.wait_for("^2 workers serve")
        os.killpg(process.pid, signal.SIGINT)
        assert (process.stderr.read().count(b"second SIG"), process.wait(DEADLINE_SECONDS)) == (0, 0)


def test_a_second_signal_ends_all_at_once(document):
    with held_calls(document) as (running, asked, _):
        running.process.send_signal(signal.SIGTERM)
        for _ in asked:
            running.server.wait_for("^stopping")
        running.process.send_signal(signal.SIGTERM)
        assert running.ended() == 1
        assert [connection.recv(1) for connection in asked] == [b"", b""]  # their calls were dropped


def test_a_worker_that_is_stuck_is_killed_at_a_second_signal(pair):
    stuck, _ = pair.pids()
    os.kill(stuck, signal.SIGSTOP)
    for _ in range(2):
        pair.process.send_signal(signal.SIGTERM)
        pair.server.wait_for("^stop|^all workers|second")
    assert pair.ended() == 1
    gone(stuck)


def test_a_stop_while_the_document_is_fetched_ends_at_once():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(DEADLINE_SECONDS)
        where = ["--spec-url", f"http://127.0.0.1:{silent.getsockname()[1]}/a.json", "--allow-private-networks"]
        argv = [*where, "--transport", "http", "--port", str(free_ports(2)), "--workers", "2"]
        with started(*argv) as server:
            connection, _ = silent.accept()
            with connection:
                server.process.send_signal(signal.SIGTERM)
                assert server.process.wait(DEADLINE_SECONDS) == 0
                assert server.process.stderr.read() == b""


def test_a_worker_that_was_killed_is_started_again_in_its_place_while_the_other_serves(pair):
    _, second = pair.pids()
    os.kill(second, signal.SIGKILL)
    assert pair.server.wait_for("^worker 1 was ended by signal 9: starting it again in 0.5 s")
    assert get(pair.ports[0], "/readyz")[0] == 200
    port, pid = pair.next_ready()
    assert (port, pid != second, get(port, "/readyz")[0]) == (pair.ports[1], True, 200)


IGNORED = """
import runpy, signal

signal.signal(signal.SIGCHLD, signal.SIG_IGN)
runpy.run_module("openapi_mcp_server", run_name="__main__")
"""
"""The program as a parent starts it that does not want to know how its children end: they do not find out either."""


def test_a_worker_that_was_killed_is_known_to_be_whatever_the_supervisors_parent_ignores(document):
    port = free_ports(2)
    with started(*options(document, port), program=("-c", IGNORED)) as server:
        running = Team(server, port)
        os.kill(running.pids()[1], signal.SIGKILL)
        server.wait_for("^worker 1 was ended by signal 9: starting it again in 0.5 s$")


def test_a_supervisor_that_can_start_no_process_tries_again(pair):
    _, second = pair.pids()
    soft, hard = resource.prlimit(pair.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pair.process.pid, resource.RLIMIT_NOFILE, (3, hard))
    os.kill(second, signal.SIGKILL)
    pair.server.wait_for("^worker 1: no process can be started: Too many open files$")
    resource.prlimit(pair.process.pid, resource.RLIMIT_NOFILE, (soft, hard))
    assert pair.next_ready()[0] == pair.ports[1]


def test_a_worker_that_is_told_to_stop_finishes_its_calls_and_is_replaced(document):
    with held_calls(document) as (running, asked, clients):
        pid = next(int(line["pid"]) for line in running.server.log if line.get("port") == running.ports[0])
        os.kill(pid, signal.SIGTERM)
        running.server.wait_for("^stopping")
        asked[0].sendall(HeldApi.ANSWER)
        assert clients[0].getresponse().status == 200
        assert running.server.wait_for("^worker 0 has stopped: starting it again$")
        assert running.next_ready()[0] == running.ports[0]


def test_workers_whose_supervisor_was_killed_stop_by_themselves_and_lose_no_call(document):
    with held_calls(document) as (running, asked, clients):
        running.process.kill()
        for connection, client in zip(asked, clients, strict=True):
            running.server.wait_for("^stopping")
            connection.sendall(HeldApi.ANSWER)
            assert client.getresponse().status == 200
        running.ended()
        assert all(refuses(port) for port in running.ports)


def test_a_document_that_breaks_before_a_rolling_restart_costs_one_worker_until_it_is_mended(pair, document):
    before, _ = pair.pids()
    text = document.read_text()
    document.write_text("openapi: [")
    pair.process.send_signal(signal.SIGHUP)
    pair.server.wait_for("^worker 0 ended with 1: starting it again in 0.5 s$")
    assert get(pair.ports[1], "/readyz")[0] == 200
    document.write_text(text)
    assert [pair.next_ready()[0] for _ in pair.ports] == list(pair.ports)
    pair.server.wait_for("^all workers have been restarted$")
    gone(before)


def test_workers_that_nobody_can_replace_end_the_service(pair, document):
    pids = pair.pids()
    document.unlink()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    assert pair.ended() == 2


def test_the_health_check_of_the_image_is_true_when_every_worker_is_ready(pair):
    _, second = pair.pids()
    argv = msgspec.json.decode((CHECKOUT / "Dockerfile").read_text().partition("\n    CMD ")[2].partition("\n")[0])

    def health() -> int:
        environ = environment(SERVER_PORT=str(pair.ports[0]), WORKERS="2")
        return subprocess.run(argv, env=environ, capture_output=True, check=False).returncode

    assert health() == 0
    os.kill(second, signal.SIGSTOP)
    assert health() == 1
    os.kill(second, signal.SIGCONT)


WATCHED = {"ENABLE_PROMETHEUS": "true", "PROMETHEUS_PORT": "0"}
COUNT = "mcp_server_operation_duration_seconds_count"


def test_the_metrics_of_all_workers_are_on_one_page_until_the_last_has_stopped(document):
    with held_calls(document, **WATCHED) as (running, asked, clients):
        said = [
            line for line in running.server.log if "serving metrics" in str(line["message"]) and "worker" not in line
        ]
        url = str(said[0]["message"]).removeprefix("serving metrics at ")
        asked[0].sendall(HeldApi.ANSWER)
        assert clients[0].getresponse().status == 200
        page = scraped(url)
        assert page.value(COUNT, worker="0", mcp_method_name="tools/call") == 1
        assert page.labels("openapi_mcp_calls_in_flight", "worker") == {"0", "1"}
        assert page.value("openapi_mcp_calls_in_flight", worker="1") == 1
        assert fetch(url.replace("/metrics", "/readyz"))[0] == 200
        running.process.send_signal(signal.SIGTERM)
        running.server.wait_for("^stopped$")  # the worker that has nothing more to do
        assert scraped(url).labels("openapi_mcp_calls_in_flight", "worker") == {"1"}
        assert fetch(url.replace("/metrics", "/readyz"))[0] == 503
        asked[1].sendall(HeldApi.ANSWER)
        assert running.ended() == 0


def test_restarts_are_counted_by_whether_somebody_asked_for_them(document):
    with team(document, **WATCHED) as running:
        first, second = running.pids()
        url = next(
            str(line["message"]).removeprefix("serving metrics at ")
            for line in running.server.log
            if "serving metrics" in str(line["message"]) and "worker" not in line
        )
        os.kill(second, signal.SIGKILL)
        running.next_ready()
        os.kill(first, signal.SIGTERM)
        running.next_ready()
        page = scraped(url)
        found = {
            (worker, reason): page.value("openapi_mcp_worker_restarts_total", worker=worker, reason=reason)
            for worker in ("0", "1")
            for reason in ("asked", "failed")
        }
    assert found == {("0", "asked"): 1, ("0", "failed"): 0, ("1", "asked"): 0, ("1", "failed"): 1}


def test_a_port_for_metrics_that_is_taken_ends_the_start_before_any_worker(document):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = {**WATCHED, "PROMETHEUS_PORT": str(port)}
        ended = run(*options(document, free_ports(2)), **settings)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert ended.stderr.startswith(f"openapi-mcp-server: PROMETHEUS_PORT: port {port} on 127.0.0.1 is taken")


def test_who_claims_to_be_a_worker_without_a_supervisor_is_refused(document):
    ended = run(*options(document, free_ports(2)), OPENAPI_MCP_WORKER="0:77:0")
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert ended.stderr.startswith("openapi-mcp-server: OPENAPI_MCP_WORKER: is for the workers")
