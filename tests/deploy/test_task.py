"""The task definition as it is registered, run as processes in one network namespace: it becomes healthy, and its stops
lose no call. Needs root for the namespace."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import ecs
import msgspec
import pytest
from task_run import ADDRESS, NAMES

import nginx
from processes import CHECKOUT, environment
from prometheus import program

ROUNDS = 2
PATH = [CHECKOUT / folder for folder in ("service", "tests/support", "tests/deploy", "scripts")]
SETUP = """\
set -e
ip link set lo up
ip address add {address}/32 dev lo
mount --bind {folder}/hosts /etc/hosts
exec {python} {script} {folder}/task.json {folder} {rounds}
"""


def run(folder: Path, task: dict[str, Any], rounds: int = ROUNDS) -> dict[str, Any]:
    nginx.program()
    needed = [shutil.which(name) for name in ("unshare", "ip", "curl", "bash")]
    if None in needed or subprocess.run(["unshare", "-n", "-m", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no network namespace can be made here (root, unshare, ip, curl)")
    (folder / "hosts").write_text("".join(f"{ADDRESS} {name}\n" for name in NAMES) + "127.0.0.1 localhost\n")
    (folder / "task.json").write_bytes(msgspec.json.encode(task))
    script = CHECKOUT / "tests" / "deploy" / "task_run.py"
    setup = SETUP.format(address=ADDRESS, folder=folder, python=sys.executable, script=script, rounds=rounds)
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
    assert len(told["segments"]) >= ROUNDS
    assert told["rejected"] == []


def test_the_guides_sidecars_scrape_and_write(tmp_path):
    task = ecs.task_definition(ecs.resources(**ecs.VARIANTS["the guide's sidecars"]))
    said = subprocess.run([program("prometheus"), "--version"], capture_output=True, text=True, check=True)
    if "version 2." in said.stdout + said.stderr:  # Debian's: the flag of the agent's mode had another name before 3.0
        task = msgspec.json.decode(
            msgspec.json.encode(task).replace(b"prometheus --agent", b"prometheus --enable-feature=agent")
        )
    told = run(tmp_path, task, 1)
    (only,) = told["rounds"]
    assert only["lost"] == []
    assert only["stopped"]["prometheus"] < 30
