"""A short slice of `scripts/soak_sessions`, so that it stays able to run: what it finds out needs its full length."""

from __future__ import annotations

import subprocess
import sys

from processes import CHECKOUT, environment


def test_the_soak_of_sessions_keeps_its_limits_on_a_small_scale() -> None:
    argv = ["--idle", "100", "--seconds", "1", "--churn", "400", "--calls", "320", "--no-deaf"]
    done = subprocess.run(
        [sys.executable, "scripts/soak_sessions.py", *argv],
        cwd=CHECKOUT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "held for 1 s: 0 dropped" in done.stdout
