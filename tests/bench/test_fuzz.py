"""A slice of scripts/fuzz: the same seeds each time, so that what is found stays found."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from fuzz import pure
from fuzz.__main__ import PURE
from fuzz.inputs import MAKERS, made
from processes import CHECKOUT

PATH = {"PYTHONPATH": f"{CHECKOUT / 'bench'}:{CHECKOUT / 'service'}"}


@pytest.mark.parametrize("kind", MAKERS)
def test_an_input_is_made_again_by_its_name(kind):
    assert [made(kind, 7, number) for number in range(20)] == [made(kind, 7, number) for number in range(20)]
    assert len({made(kind, 7, number) for number in range(20)}) > 10


@pytest.mark.parametrize("kind", PURE)
def test_pure_rooms_hold(kind):
    finds = {f"{kind}:{number}": found for number in range(400) if (found := PURE[kind](made(kind, 1, number)))}
    assert finds == {}


def test_the_server_holds():
    kinds = [f"--kind={kind}" for kind in ("message", "http", "sse", "answer")]
    done = subprocess.run(
        [sys.executable, "-m", "fuzz", "--seconds=5", *kinds],
        env={**os.environ, **PATH}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.findall(r"(\d+) inputs", done.stdout)[0]) > 100


def test_a_fault_is_found(monkeypatch):
    """An oracle that finds nothing proves nothing."""

    def broken(_text, **_):
        raise ZeroDivisionError

    monkeypatch.setattr(pure, "_catalog", broken)
    assert pure.document(made("document", 1, 1)).startswith("traceback: ZeroDivisionError")
