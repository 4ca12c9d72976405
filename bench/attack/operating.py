"""Operation: wrong settings, hangs, files, logs, telemetry, images (M1 to M3, M10, M14 to M16, N10, N11, N13, N14)."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import trio

from attack import client
from attack.documents import document, operation
from attack.outcomes import GotThrough, Skipped, require
from attack.scene import Limits, Scene, register, served

WATCHDOG_SECONDS = 3
REPLACED_SECONDS = 20.0
"""For a watchdog of so many seconds, a new start included."""

# M1: wrong credentials beside a port for metrics.

WRONG = {
    "certificate-api-key": {"AUTH_TYPE": "api_key", "AUTH_API_KEY": "käse\x7f", "AUTH_API_KEY_NAME": "Bad Name"},
    "basic-colon": {"AUTH_TYPE": "basic", "AUTH_USERNAME": "a:b", "AUTH_PASSWORD": "x"},
    "bearer-control": {"AUTH_TYPE": "bearer", "AUTH_TOKEN": "a\x01b"},
    "key-name": {"AUTH_TYPE": "api_key", "AUTH_API_KEY": "x", "AUTH_API_KEY_NAME": "a b"},
    "framing-name": {"AUTH_TYPE": "api_key", "AUTH_API_KEY": "x", "AUTH_API_KEY_NAME": "Content-Length"},
}


async def _wrong_setting(scene: Scene, settings: dict[str, str]) -> None:
    scene.document.write_bytes(document(operation("attacked", "/p")))
    where = {"API_SPEC_PATH": str(scene.document), "API_BASE_URL": "https://api.example.com"}
    ports = {"SERVER_TRANSPORT": "http", "SERVER_PORT": "0", "ENABLE_PROMETHEUS": "true", "PROMETHEUS_PORT": "0"}
    try:
        said = scene.run(settings={**where, **ports, **settings}, seconds=4)
    except GotThrough:
        return  # it serves: the value was not wrong
    require("Traceback" not in said, f"a traceback of {len(said.splitlines())} lines, exit code {scene.code}")
    require(scene.code == 2, f"exit code {scene.code}: {said[-120:]}")


for name, settings in WRONG.items():
    register(f"M1/{name}", "a wrong credential beside metrics", _wrong_setting, settings)

# M2: a process that hangs, with the interpreter's lock held.

_HANGS = {"ATTACK_HANG": "yes"}
_WATCHED = {"WATCHDOG_SECONDS": str(WATCHDOG_SECONDS)}
_one = operation("attacked", "/pet")


async def _until(is_so: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if is_so():
            return True
        await trio.sleep(0.1)
    return False


async def _hangs_alone(scene: Scene) -> None:
    """Starts the server again after its end, as its supervisor would."""
    os.kill(scene.server.pid, signal.SIGUSR2)
    ended = await _until(lambda: scene.server.process.poll() is not None, REPLACED_SECONDS)
    require(ended, f"a process that hangs is still there after {REPLACED_SECONDS:g} s")
    require(scene.server.process.returncode != 0, "a process that hung ends with 0")


async def _worker_hangs(scene: Scene, number: int) -> None:
    require(await _until(lambda: len(scene.server.children()) == 2, 10), "two workers did not start")
    await trio.sleep(2)  # until both serve
    victim = scene.server.children()[0]
    os.kill(victim, number)

    def replaced() -> bool:
        return victim not in scene.server.children() and len(scene.server.children()) == 2

    require(
        await _until(replaced, REPLACED_SECONDS), f"a worker that hangs is not replaced within {REPLACED_SECONDS:g} s"
    )


register(
    "M2/alone",
    "an endless loop with the interpreter's lock held, in the only process",
    _hangs_alone,
    setup=served(_one, settings=_WATCHED, faults=_HANGS, beside=False),
    limits=Limits(seconds=40),
)
for name, number in (("worker", signal.SIGUSR2), ("stopped", signal.SIGSTOP)):
    does = "the same in one of two workers" if name == "worker" else "one of two workers is stopped by a signal"
    setup = served(_one, settings=_WATCHED, faults=_HANGS, workers=2)
    register(f"M2/{name}", does, _worker_hangs, number, setup=setup, limits=Limits(seconds=40))

# M3: a folder that becomes a link while it is read.

PARTS = 150
OUTSIDE = "outside"
READINGS = 8
AT_FDCWD, RENAME_EXCHANGE = -100, 2
"""Linux, fcntl.h and fs.h."""


async def _swapped(scene: Scene) -> None:
    """Each operation stands in a file of its own, in a folder that changes places with a link to another."""
    allowed, outside = scene.folder / "allowed", scene.folder / "outside"
    for folder, name in ((allowed / "swapped", "inside"), (outside, OUTSIDE)):
        folder.mkdir(parents=True)
        for number in range(PARTS):
            part = {"get": {"operationId": f"{name}{number}", "responses": {"200": {"description": "x"}}}}
            (folder / f"{number}.json").write_bytes(msgspec.json.encode(part))
    (allowed / "link").symlink_to(outside)
    paths = {f"/t/{number}": {"$ref": f"swapped/{number}.json"} for number in range(PARTS)}
    whole = {"openapi": "3.1.0", "info": {"title": "M3", "version": "1"}, "paths": paths}
    (allowed / "attack.json").write_bytes(msgspec.json.encode(whole))
    over = threading.Event()
    swapper = threading.Thread(target=_swap, args=(allowed / "swapped", allowed / "link", over))
    swapper.start()
    try:
        await trio.to_thread.run_sync(_read_swapped, scene, allowed)
    finally:
        over.set()
        swapper.join()


def _swap(folder: Path, link: Path, over: threading.Event) -> None:
    """Both names are there all the time: renameat2 exchanges them."""
    exchange = ctypes.CDLL(None, use_errno=True).renameat2
    while not over.is_set():
        exchange(AT_FDCWD, bytes(folder), AT_FDCWD, bytes(link), RENAME_EXCHANGE)


def _read_swapped(scene: Scene, allowed: Path) -> None:
    for _ in range(READINGS):
        scene.inspect(allowed / "attack.json", ALLOWED_SPEC_DIRS=str(allowed))
        found = len(set(re.findall(rf"{OUTSIDE}\d+", scene.out)))
        require(not found, f"{found} of {PARTS} files outside of ALLOWED_SPEC_DIRS were read at once")


register("M3", "a folder that is swapped for a link while it is read", _swapped, limits=Limits(seconds=60))

# M10: rules of X-Ray's daemon, which the API plays here.


async def _wildcards(scene: Scene, host: str) -> None:
    await trio.sleep(1.5)  # the daemon is asked for its rules in a thread, at the start
    await scene.send(client.call("evil_attacked", {}), host=host)


for name, host in {"dashes": "a-" * 120, "letters": "a" * 250}.items():
    register(
        f"M10/{name}",
        "a Host of 250 characters where sampling rules have wildcards",
        _wildcards,
        host,
        setup=served(
            _one,
            settings={"TRACING": "xray", "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:{api}", "ALLOWED_HOSTS": "*"},
        ),
    )

# M16: the log.


async def _log_fails(scene: Scene) -> None:
    """One write fails with something that is no OSError; later lines must be there all the same."""
    flag = scene.folder / "log-fails"
    flag.touch()
    await scene.call("evil_attacked", {})
    if not await _until(lambda: not flag.exists(), 2):
        raise Skipped("the log is not written with os.write: this fault is not the one that it has")
    before = scene.server.log.stat().st_size
    for _ in range(3):
        await scene.call("evil_attacked", {})
    written = await _until(lambda: scene.server.log.stat().st_size > before, 2)
    require(written, "nothing is logged any more")


_LOG_FAILS = {"ATTACK_LOG_FAILS": "{folder}/log-fails"}
register("M16", "a write to the log that fails with MemoryError", _log_fails, setup=served(_one, faults=_LOG_FAILS))

# N11: little address space.


async def _little_space(scene: Scene) -> None:
    scene.document.write_bytes(document(*(operation(f"t{n}", f"/t/{n}") for n in range(150))))
    said = scene.inspect(scene.document, addresses=110_000 * 1024)
    require("Traceback" not in said, f"a traceback: {said[-120:]}")


register("N11", "a document of 20 kB under ulimit -v 110000", _little_space)

# M14, M15, N10, N13, N14: what the files of a checkout say.

FORBIDDEN: dict[str, tuple[str, str, str]] = {
    "M14/prometheus": ("compose.yaml", r"prom/prometheus:v2\.", "Prometheus 2.x is out of support"),
    "M14/grafana": ("compose.yaml", r"grafana/grafana:12\.4\.3\b", "12.4.4 and 12.4.5 mend faults of security"),
    "N10": (
        "SECURITY.md",
        r"nothing in a document or an argument chooses a destination: requests go to the configured",
        "not so where API_BASE_URL is left out",
    ),
    "N13": (
        "docs/deployment.md",
        r"docker run[^\n]*-p 8000:8000",
        "publishes an unauthenticated server on all interfaces",
    ),
    "N14/digest": ("Dockerfile", r"(?m)^FROM (?!\$)", "a base image that no build argument pins by its digest"),
}


async def _said(scene: Scene, path: str, pattern: str, problem: str) -> None:
    found = re.search(pattern, scene.program.read(path))
    require(not found, f"{path}: {problem}")


async def _unused(scene: Scene) -> None:
    """In the lock file that the image is made from."""
    [lock] = re.findall(r"COPY (\S*requirements\S*|\S+\.lock|\S+\.toml) ", scene.program.read("Dockerfile"))[:1] or [""]
    unused = r"(?m)^(?:name = \")?(starlette|uvicorn|python-multipart|pyjwt|sse-starlette)\b"
    found = re.findall(unused, scene.program.read(lock))
    require(lock, "the Dockerfile copies no lock file")
    require(not found, f"the image carries {', '.join(found)}, which the server never runs")


async def _setuid(scene: Scene) -> None:
    require(
        re.search(r"-perm|setuid|chmod [^\n]*-s", scene.program.read("Dockerfile")), "setuid files stay in the image"
    )


for name, (path, pattern, problem) in FORBIDDEN.items():
    register(name, f"{path}: {problem}", _said, path, pattern, problem)
register("M15", "packages of the image that are for one command", _unused)
register("N14/setuid", "Dockerfile: setuid files of the base image", _setuid)
