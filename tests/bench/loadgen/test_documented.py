"""The commands of docs/load-testing.md, carried out in their order, but for their length."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

from processes import CHECKOUT, environment, started

PAGE = (CHECKOUT / "docs" / "load-testing.md").read_text("utf-8")
SERVER = "scripts/run demo --transport stdio"
SHORT = ["--calls", "30", "--seconds", "20"]
FEWER = ("--think", "--idle", "--ramp")
"""Options whose values would make the test long."""
LOOSE = {"p99<2s": "p99<60s", "calls/s>=1": "calls/s>=0.01"}
"""Thresholds as they are on a machine that does nothing else, and as nine loads beside each other can keep them."""


def commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.startswith("scripts/loadgen")]


def shortened(words: list[str]) -> list[str]:
    """The same load, but for a moment."""
    if words[0] == "compare":
        return words
    for option in FEWER:
        if option in words:
            words[words.index(option) + 1] = "0.1" if option != "--idle" else "3"
    return [*SHORT, *(LOOSE.get(word, word) for word in words if word not in {"--seconds", "30"})]


def test_every_documented_command_does_what_it_says(tmp_path: Path):
    """All side by side, and then the one that reads what they have written."""
    (tmp_path / "calls.jsonl").write_text(re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[0])
    server = shlex.join([sys.executable, "-m", "openapi_mcp_server", *SERVER.split()[1:]])
    *loads, last = commands()
    assert (len(loads), " compare " in last) == (9, True)
    with started("demo", "--transport", "http", "--port", "0") as demo:
        origin = demo.url.removesuffix("/mcp")
        here = [each.replace("http://127.0.0.1:8000", origin).replace(SERVER, server) for each in loads]
        running = [typed(command, tmp_path) for command in here]
        for process in running:
            ended_well(process)
    ended_well(typed(last, tmp_path))
    assert (tmp_path / "before.html").stat().st_size > 10_000


def typed(command: str, folder: Path) -> subprocess.Popen[str]:
    environ = environment() | {"PYTHONPATH": f"{CHECKOUT / 'bench'}:{CHECKOUT / 'service'}"}
    argv = [sys.executable, "-m", "loadgen", *shortened(shlex.split(command)[1:])]
    pipe = subprocess.PIPE
    return subprocess.Popen(argv, cwd=folder, env=environ, stdout=pipe, stderr=pipe, text=True)


def ended_well(process: subprocess.Popen[str]) -> None:
    with process:
        try:
            out, errors = process.communicate(timeout=90)
        finally:
            process.kill()
    assert process.returncode == 0, f"{process.args}\n{out}{errors}"
    assert "calls/s" in out
