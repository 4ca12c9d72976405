"""One attack carried out: the server, the API that it asks and the neighbour are started, and the end is judged."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import msgspec
import trio

from attack import client, documents, proxy
from attack.neighbour import Phases, Seen
from attack.outcomes import GotThrough, Outcome, Skipped
from attack.program import PLAIN_MIB, Program, Server
from attack.scene import Attack, Limits, Scene, Setup

AFTERWARDS_SECONDS = 0.3
LIVE_SECONDS = 5.0
"""For an answer to /livez after the attack: one that has none hangs."""
MEMORY_BUDGET = 512 * 2**20
"""What a server is told that may have 1 GiB, as compose gives it."""


class Result(msgspec.Struct, kw_only=True):
    """What became of an attack. Figures are None where they were not taken."""

    name: str
    does: str
    outcome: Outcome
    said: str = ""
    cpu_seconds: float | None = None
    peak_mib: float | None = None
    held_ms: float | None = None
    alone: Seen | None = None
    beside: Seen | None = None


def carried_out(attack: Attack, program: Program) -> Result:
    """Everything that the attack needs is started for it, and ended after it."""
    result = Result(name=attack.name, does=attack.does, outcome="held")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="attack-")))
        apis = [stack.enter_context(_beside("api")) for _ in range(1 if attack.setup is None else 2)]
        scene = Scene(program, folder, int(_line(apis[0])))
        try:
            if attack.setup is None:
                _without_server(attack, scene, result)
            else:
                _with_server(attack, attack.setup, scene, result, stack, int(_line(apis[1])))
        except Skipped as reason:
            result.outcome, result.said = "skipped", str(reason)
    return result


def _without_server(attack: Attack, scene: Scene, result: Result) -> None:
    problem = _attempt(attack, scene)
    result.cpu_seconds = scene.cpu_seconds
    problems = [problem, *_over(attack.limits, result, cpu=True)]
    _conclude(result, problems)


def _with_server(attack: Attack, setup: Setup, scene: Scene, result: Result, stack: ExitStack, quiet_port: int) -> None:
    server = scene.server = stack.enter_context(_served(setup, scene, quiet_port))
    if not setup.stdio and not server.wait(setup.start_seconds):
        _not_up(server, setup, attack, result)
        return
    if setup.proxied:
        scene.nginx = stack.enter_context(proxy.started(scene.program.checkout, scene.folder, server.port))
    stays = setup.beside and not setup.stdio and setup.workers == 1
    seen = stack.enter_context(_neighbour(scene, setup)) if stays else None
    base, cpu = PLAIN_MIB * 1.0, 0.0
    if not setup.starts and not setup.stdio:
        if seen:
            seen.wait()
        server.forget_peak()
        base, cpu = server.peak_mib(), server.cpu_seconds()
    if seen:
        seen.begin()
    problem = _attempt(attack, scene)
    if stays and server.process.poll() is None and not trio.run(_lives, server.port):
        result.outcome, result.said = "hangs", f"no answer to /livez within {LIVE_SECONDS:g} s after the attack"
    if server.process.poll() is None:
        result.cpu_seconds, result.peak_mib = server.cpu_seconds() - cpu, server.peak_mib() - base
    problems = [problem, *_over(attack.limits, result)]
    if seen:
        time.sleep(AFTERWARDS_SECONDS)
        problems = [*_fatal(server), *problems, *_judged(attack.limits, result, seen.end())]
    _conclude(result, problems)


def _not_up(server: Server, setup: Setup, attack: Attack, result: Result) -> None:
    """A document that is refused with one line has done no harm."""
    if server.process.poll() is None:
        result.cpu_seconds, result.peak_mib = server.cpu_seconds(), server.peak_mib() - PLAIN_MIB
        result.outcome, result.said = "hangs", f"it does not come up within {setup.start_seconds:g} s"
        _conclude(result, _over(attack.limits, result))
        return
    said = server.log.read_text(errors="replace").splitlines()
    refused = server.process.returncode == 2 and not any("Traceback" in line for line in said)
    last = said[-1] if said else ""
    _conclude(result, [] if refused else [f"it ended with {server.process.returncode}: {last[:200]}"])
    if refused:
        result.said = f"refused at the start: {last[:200]}"


def _attempt(attack: Attack, scene: Scene) -> str | None:
    """What the attack says that it did; None if nothing."""

    async def within() -> None:
        with trio.fail_after(attack.limits.seconds):
            await attack.run(scene)

    try:
        trio.run(within)
    except GotThrough as said:
        return str(said)
    except trio.TooSlowError:
        return f"not over within {attack.limits.seconds:g} s"
    except OSError as error:
        return f"no connection: {error}"
    except EOFError as error:
        return str(error)
    except Skipped:
        raise
    except Exception as error:  # noqa: BLE001 - one that fails must not cost the results of the others
        return f"the attack itself failed: {error!r}"
    return None


def _conclude(result: Result, problems: Iterable[str | None]) -> None:
    said = [problem for problem in (result.said, *problems) if problem]
    if said and result.outcome == "held":
        result.outcome = "got through"
    result.said = " ".join("; ".join(said).split())


def _fatal(server: Server) -> Iterator[str]:
    if server.process.poll() is not None:
        yield f"the server ended with {server.process.returncode}"


def _over(limits: Limits, result: Result, *, cpu: bool = False) -> Iterator[str]:
    if result.peak_mib is not None and result.peak_mib > limits.peak_mib:
        yield f"{result.peak_mib:.0f} MiB above base, {limits.peak_mib:g} are allowed"
    if cpu and result.cpu_seconds is not None and result.cpu_seconds > limits.cpu_seconds:
        yield f"{result.cpu_seconds:.1f} s of CPU, {limits.cpu_seconds:g} are allowed"


def _judged(limits: Limits, result: Result, phases: Phases) -> Iterator[str]:
    result.alone, result.beside = phases.alone, phases.beside
    result.held_ms = phases.beside.held_ms
    if result.held_ms > limits.held_ms and result.outcome != "hangs":
        yield f"it was held for {result.held_ms:.0f} ms of CPU, {limits.held_ms:g} are allowed"
    lost = phases.beside.calls - phases.beside.calls_answered
    if lost:
        yield f"{lost} of {phases.beside.calls} calls of others were not answered"
    silent = phases.beside.livez - phases.beside.livez_answered
    if silent:
        yield f"{silent} of {phases.beside.livez} times /livez was not answered"


async def _lives(port: int) -> bool:
    with trio.move_on_after(LIVE_SECONDS):
        try:
            return (await client.ask(port, client.get("/livez"))).status == 200
        except OSError:
            return False
    return False


@contextmanager
def _served(setup: Setup, scene: Scene, quiet_port: int) -> Iterator[Server]:
    settings = {"MEMORY_BUDGET_BYTES": str(MEMORY_BUDGET), "SERVER_PORT": "0", **setup.settings}
    settings["SERVER_TRANSPORT"] = "stdio" if setup.stdio else "http"
    if setup.workers > 1:
        settings |= {"WORKERS": str(setup.workers), "SERVER_PORT": str(_free_ports(setup.workers))}
    if setup.document is not None:
        settings |= _apis(setup, scene, setup.document(), quiet_port)
    settings = {name: text.replace("{api}", str(scene.api_port)) for name, text in settings.items()}
    faults = {name: text.replace("{folder}", str(scene.folder)) for name, text in setup.faults.items()}
    log = scene.folder / "log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            scene.program.argv(*(("demo",) if setup.document is None else ())),
            env=scene.program.environment(settings | faults, hooked=bool(faults)),
            stdin=subprocess.PIPE if setup.stdio else subprocess.DEVNULL,
            stdout=subprocess.PIPE if setup.stdio else subprocess.DEVNULL,
            stderr=stderr,
            preexec_fn=partial(_limit_descriptors, setup.descriptors) if setup.descriptors else None,  # noqa: PLW1509
        )
    server = Server(process, log)
    try:
        yield server
    finally:
        server.end()


def _apis(setup: Setup, scene: Scene, document: bytes, quiet_port: int) -> dict[str, str]:
    """The attack's document is one API of two; the other is what the neighbour calls."""
    quiet = scene.folder / "quiet.json"
    quiet.write_bytes(documents.quiet(setup.quiet_path))
    scene.document.write_bytes(document)
    second = {
        "name": "quiet",
        "spec_path": str(quiet),
        "base_url": f"http://{setup.quiet_host}:{quiet_port}",
    }
    return {
        "API_NAME": "evil",
        "API_SPEC_PATH": str(scene.document),
        "API_BASE_URL": setup.base_url or "http://127.0.0.1:{api}",
        "ADDITIONAL_SPECS": msgspec.json.encode([second]).decode(),
        "ALLOW_PRIVATE_NETWORKS": "true",
        "ALLOW_INSECURE_HTTP": "true",
    }


def _limit_descriptors(count: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))


class _Neighbour:
    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def wait(self) -> None:
        """Until it has seen how the server is alone."""
        _line(self._process)

    def begin(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(b"now\n")
        self._process.stdin.flush()

    def end(self) -> Phases:
        out, _ = self._process.communicate()
        return msgspec.json.decode(out, type=Phases)


@contextmanager
def _neighbour(scene: Scene, setup: Setup) -> Iterator[_Neighbour]:
    asked = ("getPet", '{"petId":1}') if setup.document is None else ("quiet_pet", "{}")
    with _beside("neighbour", str(scene.port), str(scene.server.pid), *asked) as process:
        yield _Neighbour(process)


@contextmanager
def _beside(module: str, *argv: str) -> Iterator[subprocess.Popen[bytes]]:
    """One of our own programs as a process."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"attack.{module}", *argv],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parent.parent), "PYTHONSAFEPATH": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def _line(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    return process.stdout.readline()


def _free_ports(count: int) -> int:
    """The first of so many in a row that nobody has."""
    for first in range(21_000, 32_000, 7):
        with ExitStack() as taken:
            try:
                for port in range(first, first + count):
                    taken.enter_context(socket.create_server(("127.0.0.1", port)))
            except OSError:
                continue
            return first
    raise Skipped(f"no {count} free ports in a row")
