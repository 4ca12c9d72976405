"""The task definition as it is registered, run as processes in one network namespace: it becomes healthy, and its stops
lose no call. Needs root for the namespace."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Any

import ecs
import msgspec
import pytest
import yaml
from task_run import ADDRESS, NAMES, Caller

import nginx
from asked import is_ready, post, until
from processes import CHECKOUT, environment, started
from prometheus import program

IS_WHOLE = bool(os.environ.get("OPENAPI_MCP_WHOLE"))
whole = pytest.mark.skipif(not IS_WHOLE, reason="takes 30 s: OPENAPI_MCP_WHOLE=1")
PAUSE_SECONDS = 0.005
"""Between two calls: the proxy has a limit for each client."""
ROUNDS = 20 if IS_WHOLE else 2
PATH = [CHECKOUT / folder for folder in ("service", "tests/support", "tests/deploy", "scripts")]
SETUP = """\
set -e
ip link set lo up
ip address add {address}/32 dev lo
mount --bind {folder}/hosts /etc/hosts
exec {python} {script} {folder}/task.json {folder} {rounds} {until}
"""


def run(folder: Path, task: dict[str, Any], rounds: int = ROUNDS, until: str = "answered") -> dict[str, Any]:
    nginx.program()
    needed = [shutil.which(name) for name in ("unshare", "ip", "curl", "bash")]
    if None in needed or subprocess.run(["unshare", "-n", "-m", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no network namespace can be made here (root, unshare, ip, curl)")
    (folder / "hosts").write_text("".join(f"{ADDRESS} {name}\n" for name in NAMES) + "127.0.0.1 localhost\n")
    (folder / "task.json").write_bytes(msgspec.json.encode(task))
    script = CHECKOUT / "tests" / "deploy" / "task_run.py"
    setup = SETUP.format(
        address=ADDRESS, folder=folder, python=sys.executable, script=script, rounds=rounds, until=until
    )
    done = subprocess.run(
        ["unshare", "-n", "-m", "bash", "-c", setup],
        env=environment(PYTHONPATH=os.pathsep.join(map(str, PATH))),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr + "".join(path.read_text() for path in folder.glob("*.log"))[-5000:]
    found: dict[str, Any] = msgspec.json.decode(done.stdout)
    return found


def test_the_registered_task_becomes_healthy_and_its_stops_lose_no_call(tmp_path):
    told = run(tmp_path, msgspec.json.decode((ecs.FOLDER / "task-definition.json").read_bytes()))
    for each in told["rounds"]:
        assert each["order"] == ["cloudwatch-agent", "worker", "proxy"]
        assert each["slow"] == [200]
        assert each["lost"] == []
    calls = sum(each["answered"] + len(each["slow"]) for each in told["rounds"])
    healthy = max(each["healthy"] for each in told["rounds"])
    print(f"\n{ROUNDS} stops: {calls} calls, 0 lost; healthy within {healthy:.1f} s")
    assert healthy < 10
    assert len(told["segments"]) >= calls
    assert told["rejected"] == []


@whole
def test_the_guides_sidecars_scrape_and_write(tmp_path):
    task = ecs.task_definition(ecs.resources(**ecs.VARIANTS["the guide's sidecars"]))
    said = subprocess.run([program("prometheus"), "--version"], capture_output=True, text=True, check=True)
    if "version 2." in said.stdout + said.stderr:  # Debian's: the flag of the agent's mode had another name before 3.0
        task = msgspec.json.decode(
            msgspec.json.encode(task).replace(b"prometheus --agent", b"prometheus --enable-feature=agent")
        )
    told = run(tmp_path, task, 1, "written")
    (only,) = told["rounds"]
    assert only["lost"] == []
    assert only["stopped"]["prometheus"] < 30
    assert told["writes"] >= 1


def stopped(folder: Path, *, pre_stop: float, lame_duck: float) -> tuple[int, list[str]]:
    """(calls that were answered, those that were lost) while a pod stops: both containers are told at once, the proxy
    goes on for its preStop, and clients call until it takes no connection any more."""
    folder.mkdir()
    port = nginx.free_port()
    settings = {"SHUTDOWN_LAME_DUCK_SECONDS": f"{lame_duck:g}", "LOG_LEVEL": "ERROR"}
    with started("demo", "--port", str(port), **settings) as worker:
        until(lambda: is_ready(port))
        with nginx.proxy(folder, **nginx.every_worker(f"127.0.0.1:{port}"), PROXY_RATE="1000r/s") as proxy:
            worker.process.terminate()
            told = threading.Timer(pre_stop, proxy.process.send_signal, [signal.SIGQUIT])
            told.start()
            caller = Caller(partial(post, f"{proxy.url}/mcp"), PAUSE_SECONDS)
            caller.run()
            told.join()
    return caller.answered, caller.lost


@whole
def test_the_times_of_the_manifests_lose_no_call_and_the_images_own_behind_a_pre_stop_do(tmp_path):
    pod = yaml.safe_load_all((CHECKOUT / "deploy" / "kubernetes" / "base" / "all.yaml").read_text("utf-8"))
    (spec,) = [each["spec"]["template"]["spec"] for each in pod if each["kind"] == "Deployment"]
    proxy, worker = sorted(spec["containers"], key=lambda each: each["name"])
    (duck,) = [each["value"] for each in worker["env"] if each["name"] == "SHUTDOWN_LAME_DUCK_SECONDS"]
    pre_stop = proxy["lifecycle"]["preStop"]["sleep"]["seconds"]
    answered, lost = stopped(tmp_path / "now", pre_stop=pre_stop, lame_duck=float(duck))
    before, failed = stopped(tmp_path / "before", pre_stop=10, lame_duck=3)
    print(f"\npreStop {pre_stop}, lame duck {duck}: {answered} calls answered, {len(lost)} lost")
    print(f"preStop 10, lame duck 3: {before} calls answered, {len(failed)} lost")
    assert (lost, answered > 100) == ([], True)
    assert len(failed) > 100
