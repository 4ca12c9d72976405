"""The benchmark: the bare loop answers what all are asked; a peer that cannot be measured is a row that says why."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path

import pytest

import bench
import pages
import peers
import rounds
import scaling
import targets
from installing import Unavailable
from measured import beside, cpu_seconds
from processes import CHECKOUT, environment


@contextmanager
def missing() -> Iterator[targets.Target]:
    raise Unavailable("it cannot be installed: no such package | anywhere")
    yield


def test_a_peer_that_cannot_be_had_is_a_row_that_says_why(tmp_path: Path) -> None:
    with beside() as api_port:
        found = rounds.measure(
            {"this server": partial(targets.bare, targets.placed(tmp_path, api_port)), "other": missing},
            2,
            rounds=2,
            calls=240,
        )
    table = "\n".join(pages.calls({32: found}))
    assert "| other | it cannot be installed: no such package / anywhere |  |" in table
    assert len(found["this server"]) == 2


def test_a_peer_that_leaves_in_the_middle_of_its_rounds_is_a_row_too() -> None:
    told = '{"id":0,"result":{"tools":[{"name":"Rex"}]}}'
    code = (
        f"import sys\nfor number, line in enumerate(sys.stdin):\n print('{told}', flush=True)\n if number > 20: break"
    )
    found = bench.measure_stdio({"leaves": lambda: peers.Command([sys.executable, "-c", code])}, 2)
    assert found == {"leaves": "it ended with 0"}


def test_a_ratio_is_that_of_all_rounds_together() -> None:
    found: dict[str, list[float] | str] = {"one": [10.0, 30.0, 80.0], "base": [0.0, 10.0, 30.0]}
    assert rounds.ratio(found, "one", "base") == 3.0


@pytest.mark.parametrize(
    ("what", "now", "is_well"),
    [
        (bench.SMALL, 5.0, True),
        (bench.SMALL, 6.2, True),
        (bench.SMALL, 6.3, False),
        (bench.SMALL, 50.0, False),
        (bench.SMALL, 2.0, True),
        (bench.LARGE, 7.4, True),
        (bench.LARGE, 7.6, False),
    ],
)
def test_a_call_that_costs_more_than_it_did_beyond_its_tolerance_fails_the_check(
    what: str, now: float, is_well: bool
) -> None:
    with nullcontext() if is_well else pytest.raises(SystemExit, match="a call costs more than it did"):
        bench.judge(what, now, 5.0)


def test_the_guard_needs_neither_matplotlib_nor_hdrhistogram() -> None:
    code = "import sys; sys.modules['hdrh'] = sys.modules['matplotlib'] = None; import bench, soak_calls"
    settings = environment() | {"PYTHONPATH": f"{CHECKOUT / 'bench'}:{CHECKOUT / 'service'}"}
    subprocess.run([sys.executable, "-c", code], env=settings, check=True, timeout=60)


def test_the_cpu_of_a_process_is_told_in_less_than_a_step_of_the_kernels_10_ms() -> None:
    before, own = cpu_seconds(os.getpid()), time.process_time()
    sum(range(100_000))
    spent, counted = cpu_seconds(os.getpid()) - before, time.process_time() - own
    assert 0 < spent <= counted + 0.02


def test_an_exponent_is_that_of_a_power_between_the_two_largest() -> None:
    assert scaling.Growth("squares", "cost", [(1, 5.0), (10, 100.0), (100, 10_000.0)]).exponent() == 2.0


def test_a_peer_that_fails_in_a_round_is_not_asked_again_and_says_why(tmp_path: Path) -> None:
    asked: list[targets.Target] = []

    def fail(target: targets.Target, _: bytes) -> list[float]:
        asked.append(target)
        raise OSError("it is gone")

    with beside() as api_port, ExitStack() as stack:
        servers = {"bare": partial(targets.bare, targets.placed(tmp_path, api_port))}
        found = rounds.Targets(stack, servers, warm=1, connections=1).found(3, fail)
    assert (found, len(asked)) == ({"bare": "it is gone"}, 1)
