"""Whole runs, as they are typed: against the real demo, over every transport, with what comes out of them."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
import trio.testing

import planted
from loadgen import compare, report, result, table
from loadgen.coordinator import Run, line_of
from loadgen.latencies import merged
from loadgen.plan import LEGACY, MODERN, Load, Target, Template, UsageError
from loadgen.prepare import Prepared
from loadgen.result import Result, Seconds
from loadgen.tally import Second, Totals
from loadgen.worker import Done, Said, Work, work
from planted import Planted, serving
from processes import CHECKOUT, environment, started
from reported import RESULT

RUN_SECONDS = 60
COMMAND = [sys.executable, "-m", "loadgen"]
ECHO = Template(tool="echo", arguments=msgspec.Raw(b'{"text":"I am {nonce}"}'), is_checked=True)
STDIO = ("--", sys.executable, planted.__file__)


def environ() -> dict[str, str]:
    return environment() | {"PYTHONPATH": f"{CHECKOUT / 'bench'}:{CHECKOUT / 'service'}"}


def loadgen(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *argv], env=environ(), capture_output=True, text=True, timeout=RUN_SECONDS, check=False
    )


def measured(*argv: str) -> Result:
    done = loadgen("--json", "-", *argv)
    assert done.stdout, done.stderr
    return result.read("-", done.stdout.encode())


@pytest.fixture(scope="module")
def demo() -> Iterator[tuple[str, str]]:
    """The addresses of MCP and of metrics."""
    argv = ("demo", "--transport", "http", "--port", "0", "--enable-prometheus", "--prometheus-port", "0")
    with started(*argv) as server:
        metrics = str(server.wait_for(r"/metrics")["message"])
        yield server.url, metrics[metrics.index("http") :]


def test_the_demo_is_sound_and_what_is_shown_is_what_is_kept(demo: tuple[str, str], tmp_path: Path):
    url, metrics = demo
    files = ("--json", str(tmp_path / "a.json"), "--html", str(tmp_path / "a.html"), "--metrics", metrics)
    mix = ("--tool", "getPet=3", "--tool", "updatePet", "--expect", "errors=0", "--expect", "p99<30s", "--idle", "2")
    done = loadgen(url, *mix, *files, "--calls", "80", "--clients", "4", "--processes", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    found = result.read("a.json", (tmp_path / "a.json").read_bytes())
    assert (found.calls, found.error_count) == (80, 0)
    assert {each.tool: (each.calls, each.checked) for each in found.tools} == {"getPet": (60, 0), "updatePet": (20, 20)}
    assert found.integrity == result.Integrity(checked=20)
    assert (found.idle.opened, found.idle.open_at_end) == (2, 2)
    assert sum(each.calls for each in found.intervals) == 80
    assert found.server_metrics[0].values["process_resident_memory_bytes"] > 1e6
    assert (found.generator.processes, found.generator.cpu_seconds > 0) == (2, True)
    assert "80 calls" in done.stdout
    assert "answers: 0 lost, 0 mixed up, 0 doubled; 20 carried the number of their call" in done.stdout
    assert "met: errors=0 (it was 0)" in done.stdout
    assert (tmp_path / "a.html").read_bytes() == report.page(found)


@pytest.mark.parametrize("kind", ["http", "legacy", "sse", "stdio"])
def test_every_transport_of_the_demo_is_sound(demo: tuple[str, str], kind: str):
    where = {
        "http": [demo[0]],
        "legacy": ["--protocol", "2025-06-18", demo[0]],
        "sse": [demo[0].replace("/mcp", "/sse")],
        "stdio": ["--", sys.executable, "-m", "openapi_mcp_server", "demo", "--transport", "stdio"],
    }[kind]
    settings = environ()
    argv = [*COMMAND, "--json", "-", "--tool", "getPet", "--tool", "updatePet", "--calls", "40", *where]
    done = subprocess.run(argv, env=settings, capture_output=True, text=True, timeout=RUN_SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    found = result.read("-", done.stdout.encode())
    assert (found.calls, found.error_count, found.integrity) == (40, 0, result.Integrity(checked=20))
    revision = {"legacy": "2025-06-18", "sse": "2024-11-05", "http": "2026-07-28", "stdio": "2025-11-25"}[kind]
    assert found.revision == revision


def test_a_fault_fails_the_run_though_nothing_was_expected():
    done = loadgen("--tool", "echo", "--calls", "30", *STDIO, "doubled", "20")
    assert done.returncode == 1
    assert "answers: 0 lost, 0 mixed up, 1 doubled; 30 carried the number of their call" in done.stdout


def test_a_slow_tail_and_a_stall_fail_the_run_that_a_sound_server_passes():
    """Each lasts two seconds, twice in sixty calls: a sound server on a busy machine does not come near to that. The
    stall meets all that is due meanwhile, the slow tail only itself."""
    load = ("--calls", "60", "--rate", "40", "--at-once", "60", "--tool", "echo", "--expect", "p99.9<1900ms")
    with ExitStack() as stack:
        argv = ("--json", "-", *load, *STDIO)
        runs = {fault: stack.enter_context(running(*argv, fault, "30")) for fault in ("none", "slow", "stall")}
        said = {fault: process.communicate(timeout=RUN_SECONDS) for fault, process in runs.items()}
    found = {fault: result.read("-", out.encode()) for fault, (out, _) in said.items()}
    assert {fault: process.returncode for fault, process in runs.items()} == {"none": 0, "slow": 1, "stall": 1}
    for each in found.values():
        assert (each.calls, each.error_count, each.integrity) == (60, 0, result.Integrity(checked=60))
    slow = {fault: (each.latency.max > 1_900, each.latency.p90 > 1_000) for fault, each in found.items()}
    assert slow == {"none": (False, False), "slow": (True, False), "stall": (True, True)}


def test_an_expectation_that_is_not_met_fails_the_run_and_tools_that_were_left_out_are_named():
    done = loadgen("--calls", "5", "--expect", "p50<1us", *STDIO, "none", "1")
    assert done.returncode == 1
    assert "NOT MET: p50<1us" in done.stdout
    assert "left out: refuses: tool error: refuses: no text" in done.stderr


def test_a_server_that_cannot_be_started_is_one_line():
    done = loadgen("--", sys.executable, "-c", "import sys; sys.exit('no settings')")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "loadgen: closed: the server ended with exit code 1: no settings\n"


@contextmanager
def running(*argv: str) -> Iterator[subprocess.Popen[str]]:
    pipe = subprocess.PIPE
    with subprocess.Popen([*COMMAND, *argv], env=environ(), stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_an_interrupted_run_reports_what_it_has():
    with running("--seconds", "3600", "--tool", "echo", *STDIO, "none", "1") as process:
        assert process.stderr is not None
        assert any(" calls/s " in line for line in process.stderr)  # a second has passed
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=RUN_SECONDS)
    assert process.returncode == 0
    assert "answers: 0 lost, 0 mixed up, 0 doubled" in out


def test_nothing_of_the_server_is_imported_but_what_makes_values_of_schemas():
    code = (
        "import sys, loadgen.__main__, loadgen.worker; print(*(n for n in sys.modules if n.startswith('openapi_mcp')))"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environ(), capture_output=True, text=True, check=True)
    of_values = {"mock", "mock.levels", "mock.patterns", "mock.synthesis"}
    of_schemas = {"openapi", "openapi.json_schema", "openapi.pointers", "openapi.schemas", "openapi.schemas.keywords"}
    below = {"errors", "openapi.text", "openapi.text.numbers"}
    allowed = {f"openapi_mcp_server.{name}" for name in of_values | of_schemas | below}
    assert set(done.stdout.split()) <= {"openapi_mcp_server"} | allowed


TICK = Second(index=0, calls=10, errors={"timeout": 1}, latency=merged([RESULT.histogram]).encoded())


def test_seconds_that_all_processes_have_told_of_are_added_up_and_not_kept():
    seconds = Seconds(2)
    for index in range(100):
        assert seconds.add(0, msgspec.structs.replace(TICK, index=index)) is None
        newest = seconds.add(1, msgspec.structs.replace(TICK, index=index))
        assert (newest.second, newest.calls, newest.errors) == (index, 20, {"timeout": 2})
        assert len(seconds._found) <= 3
    assert (seconds.calls, seconds.errors, seconds.latency.count) == (2_000, {"timeout": 200}, 200_000)
    assert [(each.second, each.calls) for each in seconds.intervals(100.0)] == [(index, 20) for index in range(100)]


def test_a_process_that_is_done_early_holds_up_no_line_of_progress():
    seconds = Seconds(2)
    seconds.add(0, TICK)
    assert seconds.add(1, TICK) is not None
    seconds.end(0)
    newest = seconds.add(1, msgspec.structs.replace(TICK, index=1))
    assert (newest.second, newest.calls) == (1, 10)


def test_fast_errors_and_calls_that_were_never_sent_are_no_throughput():
    seconds = Seconds(1)
    seconds.add(0, msgspec.structs.replace(TICK, calls=100, errors={"HTTP 503": 60, "not sent": 20}))
    prepared = Prepared(target=Target(transport="http", url="http://127.0.0.1/mcp"), server="", templates=())
    totals = [Totals(elapsed=2.0, cpu_seconds=0.8)]
    beside = {"started": "", "idle": RESULT.idle}
    found = result.of_run(prepared, RESULT.load, seconds, totals, **beside)
    assert (found.calls, found.error_count, found.calls_per_second) == (100, 80, 10.0)
    assert (found.generator.us_per_call, found.generator.busiest_share) == (10_000.0, 0.4)
    [second] = found.intervals
    assert line_of(second).split()[2:4] == ["20", "calls/s"]


def test_a_process_ends_its_idle_sessions_before_it_is_gone():
    """They are more than it ends at once."""
    planted_here = Planted(modern=False, sessions=True, ending_seconds=0.1)

    async def main() -> Result:
        async with serving(planted_here) as origin:
            target = Target(transport="http", url=f"{origin}/mcp", revision=LEGACY)
            prepared = Prepared(target=target, server="", templates=(ECHO,))
            return await Run(prepared, Load(clients=1, calls=4, idle=20), 100, lambda _: None).measured(None)

    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTHONPATH", environ()["PYTHONPATH"])
        found = trio.run(main)
    assert (found.calls, found.error_count, found.idle.open_at_end) == (4, 0, 20)
    assert len(planted_here.sessions) == 21
    assert sorted(planted_here.ended) == sorted(planted_here.sessions)


@pytest.mark.parametrize("lines", [[b"stop", b""], [b""]], ids=["interrupted twice", "its coordinator is gone"])
def test_a_load_that_is_given_up_tells_what_it_has_without_the_calls_in_flight(
    lines: list[bytes], capfdbinary: pytest.CaptureFixture[bytes]
):
    """None of its two calls is answered, and each would be waited for a minute."""
    planted_here = Planted("lost", 1)

    class Told:
        """The lines that a coordinator writes: to begin, and the others when both calls have come."""

        def __init__(self) -> None:
            self._lines = [repr(time.monotonic()).encode(), *lines]

        async def line(self) -> bytes:
            while len(self._lines) <= len(lines) and len(planted_here.calls) < 2:
                await trio.testing.wait_all_tasks_blocked()
            return self._lines.pop(0)

    async def main() -> None:
        async with serving(planted_here) as origin:
            target = Target(transport="http", url=f"{origin}/mcp", revision=MODERN)
            load = Load(clients=2, timeout_seconds=60.0)
            with trio.fail_after(20):
                await work(Work(target=target, load=load, templates=(ECHO,), run=100, part=0), Told())

    trio.run(main)
    done = msgspec.json.decode(capfdbinary.readouterr().out.splitlines()[-1], type=Said)
    assert isinstance(done, Done)
    assert (len(planted_here.calls), done.totals.tools, done.totals.lost) == (2, {}, 0)


def test_a_load_with_too_few_clients_says_so():
    generator = msgspec.structs.replace(RESULT.generator, waited=1234)
    said = "1,234 calls were due while all 64 clients waited for answers; if the server can answer more calls at once"
    assert said in table.text(changed(generator=generator))
    assert said in report.page(changed(generator=generator)).decode()
    assert said not in table.text(RESULT)


def test_answers_without_their_number_are_told_where_there_are_any():
    missing = changed(integrity=result.Integrity(checked=900, unnumbered=7))
    assert "; 900 carried the number of their call, 7 did not\n" in table.text(missing)
    assert "; 900 carried the number of their call; 1 came too late\n" in table.text(RESULT)


def changed(**fields: Any) -> Result:
    return msgspec.structs.replace(RESULT, **fields)


def test_two_results_are_compared_figure_by_figure(tmp_path: Path):
    paths = [str(tmp_path / name) for name in ("a.json", "b.json")]
    Path(paths[0]).write_bytes(result.encode(RESULT))
    Path(paths[1]).write_bytes(result.encode(changed(calls_per_second=150.0, error_count=0)))
    done = loadgen("compare", *paths)
    rows = {line.split("  ")[0]: line.split()[-3:] for line in done.stdout.splitlines()}
    assert (done.returncode, done.stderr) == (0, "")
    assert rows["calls/s"] == ["100.0", "150.0", "1.50"]
    assert rows["errors"] == ["10", "0", "0.00"]
    assert rows["mixed up"] == ["0", "0", "1.00"]
    assert "not the same load" not in done.stdout


def test_two_loads_that_differ_are_compared_with_a_warning():
    other = changed(transport="sse", load=msgspec.structs.replace(RESULT.load, clients=1))
    text = compare.text(("a", "b"), RESULT, other)
    assert "not the same load: transport http and sse\nnot the same load: clients 64 and 1\n" in text


def test_a_result_of_another_format_is_refused():
    with pytest.raises(UsageError, match="has format 2, this loadgen reads 1"):
        result.read("a.json", result.encode(changed(format=2)))


def test_where_nothing_can_be_asked_the_line_names_what_may_help(demo: tuple[str, str]):
    """The address of something else, and a server over stdio that writes what is no message."""
    done = loadgen(demo[0].replace("/mcp", "/elsewhere"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("loadgen: HTTP 404: ")
    assert "is this where the server has MCP? Most have it at /mcp or /sse" in done.stderr
    done = loadgen("--", sys.executable, "-c", "print('Welcome!')")
    assert done.stderr == (
        "loadgen: closed: the server ended with exit code 0; it said 'Welcome!', which is no message\n"
    )
