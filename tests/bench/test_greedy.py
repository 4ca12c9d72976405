"""A short slice of the greedy principal: what it gets is its limit, and all the others' calls are answered."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from processes import CHECKOUT, environment

MOST = {"calls again at once": 20 + 4 * 20, "sessions": 10}
"""Calls that are carried out: a bucket and four seconds of it; and sessions that are open at once."""


@pytest.fixture(scope="module")
def told():
    argv = [each for name in MOST for each in ("--only", name)]
    done = subprocess.run(
        [sys.executable, "bench/greedy.py", "--seconds", "0.5", "--turns", "1", *argv],
        cwd=CHECKOUT, env=environment(), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return {block[:22].strip(): block for block in re.split(r"\n(?! )", done.stdout)}


@pytest.mark.parametrize("resource", MOST)
def test_one_principal_gets_its_limit_and_the_others_everything(told, resource):
    """The program ends with an error if one of the others was refused anything."""
    got = re.search(r"(\d+) of 200", told[resource])
    assert (int(got[1]) if got else 0) <= MOST[resource]
    assert re.search(r"\d+ of 429", told[resource])
    assert int(re.search(r"(\d+) calls", told[resource])[1]) > 0
