"""How much memory the process may have, by files as Linux writes them; and what becomes of memory that is freed."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from openapi_mcp_server.memory import LEAST_BYTES
from openapi_mcp_server.process.limits import budget_bytes
from processes import environment

MIB = 2**20
PHYSICAL = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
V1 = "12:pids:/docker/abc\n4:cpu,memory:/docker/abc\n0::/docker/abc\n"


def budget(root: Path, group: str, files: dict[str, str], workers: int = 1) -> int:
    """``files`` are in the folder of control groups."""
    paths = {root / "proc/self/cgroup": group} | {root / "sys/fs/cgroup" / name: text for name, text in files.items()}
    for path, text in paths.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return budget_bytes(workers, root)


@pytest.mark.parametrize(
    ("group", "files", "expected"),
    [
        ("0::/\n", {"memory.max": f"{1024 * MIB}\n"}, 512 * MIB),
        (
            "0::/a/b\n",
            {"a/b/memory.max": "max\n", "a/memory.max": f"{600 * MIB}\n"},
            300 * MIB,
        ),
        (
            "0::/a\n",
            {"a/memory.max": f"{800 * MIB}\n", "memory.max": f"{600 * MIB}\n"},
            300 * MIB,
        ),
        (V1, {"memory/memory.limit_in_bytes": f"{256 * MIB}\n"}, 128 * MIB),
        (V1, {"memory/docker/abc/memory.limit_in_bytes": f"{256 * MIB}\n"}, 128 * MIB),
        ("0::/\n", {"memory.max": f"{20 * MIB}\n"}, LEAST_BYTES),
    ],
    ids=["v2", "v2, the group above", "v2, the least", "v1, in a container", "v1", "too little for one call"],
)
def test_half_of_the_control_groups_limit_is_for_clients(tmp_path, group, files, expected):
    assert budget(tmp_path, group, files) == expected


@pytest.mark.parametrize(
    ("group", "files"),
    [
        ("0::/\n", {"memory.max": "max\n"}),
        (V1, {"memory/memory.limit_in_bytes": "9223372036854771712\n"}),
        ("not\n", {}),
        ("", {}),
    ],
    ids=["v2", "v1", "unreadable", "no groups"],
)
def test_without_a_limit_it_is_a_quarter_of_the_machines_memory(tmp_path, group, files):
    assert budget(tmp_path, group, files) == max(LEAST_BYTES, PHYSICAL // 4)


def test_workers_share_it(tmp_path):
    assert budget(tmp_path, "0::/\n", {"memory.max": f"{1024 * MIB}"}, workers=4) == 128 * MIB


FREED = """
import re
from pathlib import Path

from openapi_mcp_server.process import limits

def resident():
    return int(re.findall(r"VmRSS:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[0]) // 1024

limits.return_large_blocks()
bytes(16_000_000)  # by which the C library would put blocks of up to this size between small ones
before = resident()
kept, large = [], []
for _ in range(20):
    large.append(b"x" * 3_000_000)
    kept.append(b"x" * 100_000)
held = resident()
large.clear()
print(held - before, resident() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library than glibc")
def test_memory_of_large_blocks_is_returned_while_small_ones_beside_them_are_kept():
    said = subprocess.run([sys.executable, "-c", FREED], env=environment(), capture_output=True, text=True, check=True)
    held, kept = map(int, said.stdout.split())
    assert held > 50
    assert kept < 10
