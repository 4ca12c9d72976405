"""A slice of the attacks that `scripts/attack` repeats, against this checkout; the others need more time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from processes import CHECKOUT, environment

SECONDS = 600
"""For all of the slice, of which each attack has a deadline of its own."""
KINDS = ("B1", *(f"S{n}" for n in range(1, 9)), *(f"M{n}" for n in range(1, 17)), *(f"N{n}" for n in range(1, 15)))
SLICE = (
    "B1/demo",
    "S1/filter",
    "S2/data-uri-parameters",
    "S2/sse-unread",
    "S6/equal-fields",
    "M5/health-host",
    "M9",
    "M13/reason",
    "N4",
    "N9",
)


def attack(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "attack", *argv],
        env=environment() | {"PYTHONPATH": str(CHECKOUT / "bench")},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The outcome of each attack of the slice, with what is said of it."""
    path = Path(tmp_path_factory.mktemp("attack")) / "results.json"
    done = attack("--json", str(path), *SLICE)
    assert path.exists(), done.stderr
    told = msgspec.json.decode(path.read_bytes())["results"]
    return {each["name"]: f"{each['outcome']}: {each['said']}" for each in told}


@pytest.mark.parametrize("name", SLICE)
def test_an_attack_does_no_harm(results, name):
    assert results[name].startswith("held"), results[name]


def test_there_is_an_attack_of_every_kind():
    listed = {line.partition(":")[0].partition("/")[0] for line in attack("--list").stdout.splitlines()}
    assert listed == set(KINDS)


def test_an_attack_that_is_not_known_is_refused():
    done = attack("S1/no-such-place")
    assert (done.returncode, done.stderr) == (1, "attack: there is no S1/no-such-place; --list shows all\n")
