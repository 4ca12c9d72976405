"""How much memory this process may have, by its control group or its machine; and that it gives back what it frees."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from openapi_mcp_server.memory import LEAST_BYTES

LARGE_BLOCK_BYTES = 2 * 1024 * 1024
"""Blocks of at least this size are returned to the system when they are freed."""

_ROOT = Path("/")
_M_MMAP_THRESHOLD = -3
"""mallopt(3), malloc.h."""


def budget_bytes(workers: int, root: Path = _ROOT) -> int:
    """The budget for clients where nobody has set one: half of the control group's limit, else a quarter of the
    machine's memory, shared by the workers. The other half is for the program, its catalog, a second one while the
    documents are read again, and the step that a call is in."""
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = min(_control_group_limits(root), default=physical)
    whole = limit // 2 if limit < physical else physical // 4
    return max(LEAST_BYTES, whole // workers)


def return_large_blocks() -> None:
    """Tells glibc to return each large block to the system when it is freed.

    By itself it does so above the size of the largest block that was ever freed. Smaller ones lie between others then,
    and leave holes: beside answers of 3 MB that nobody read, a process had 105 to 134 MiB of its budget of 128, and has
    104 to 109 with this. A message of 1 MB costs a seventh more CPU, since such pages are new each time. Other C
    libraries have no such function, and are left as they are.
    """
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        library.mallopt(_M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES)


def _control_group_limits(root: Path) -> Iterator[int]:
    """Memory limits of the group and those above it (cgroups(7)): version 2, or the memory controller of version 1.

    In a container the path is often that of the host, which is not there; the container's own group is the root then.
    """
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if line.startswith("0::"):
            folder, name = root / "sys/fs/cgroup", "memory.max"
        elif "memory" in controllers.split(","):
            folder, name = root / "sys/fs/cgroup/memory", "memory.limit_in_bytes"
        else:
            continue
        group = Path(path.lstrip("/"))
        for each in (group, *group.parents):
            if (text := _text(folder / each / name).strip()).isdigit():  # "max" is none
                yield int(text)


def _text(path: Path) -> str:
    with suppress(OSError, UnicodeDecodeError):
        return path.read_text("ascii")
    return ""
