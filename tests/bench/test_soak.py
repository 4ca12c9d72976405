"""Short slices of the soaks, so that they stay able to run: what they find out needs their full length."""

from __future__ import annotations

import subprocess
import sys

from processes import CHECKOUT, environment


def soaked(script: str, *argv: str) -> str:
    done = subprocess.run(
        [sys.executable, f"bench/{script}.py", *argv],
        cwd=CHECKOUT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_soak_of_sessions_keeps_its_limits_on_a_small_scale() -> None:
    argv = ["--idle", "100", "--seconds", "1", "--churn", "400", "--calls", "320", "--no-deaf"]
    assert "held for 1 s: 0 dropped" in soaked("soak_sessions", *argv)


def test_the_soak_of_reloads_runs_on_a_small_scale() -> None:
    said = soaked("soak_reloads", "--operations", "20", "--reloads", "2")
    assert "2 reloads" in said
    assert "calls beside a reload" in said
