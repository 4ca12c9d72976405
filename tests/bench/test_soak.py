"""Short slices of the soaks, so that they stay able to run: what they find out needs their full length."""

from __future__ import annotations

import subprocess
import sys

import pytest

import soak_calls
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


def test_memory_does_not_grow_with_calls_to_all_tools_in_turn() -> None:
    """Of 2,000 calls after the first thousand a leak of 700 bytes each is found; the full length finds twenty."""
    said = soaked("soak_calls", "--operations", "30", "--calls", "3000", "--settled", "1000")
    assert "31 of 31 tools in turn" in said
    assert "3,000 calls, 0 failed" in said


@pytest.mark.parametrize(("bytes_each", "is_flat"), [(0, True), (10, True), (40, False), (1_000, False)])
def test_memory_that_grows_with_the_calls_is_told_from_memory_that_does_not(bytes_each: int, is_flat: bool) -> None:
    calls = 250_000
    memory = [100.0 + bytes_each * calls * part / soak_calls.PARTS / 2**20 for part in range(soak_calls.PARTS + 1)]
    assert soak_calls.growth(memory, calls) == pytest.approx(bytes_each * 100_000 / 2**20)
    assert (soak_calls.growth(memory, calls) <= soak_calls.allowed(memory, calls)) == is_flat
