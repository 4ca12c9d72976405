"""All figures of one run, as values: kept as JSON beside the page, which is made of them, as its pictures are."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from openapi_mcp_server import __version__
from rounds import Found
from scaling import Growth
from starts import Document


class About(msgspec.Struct, frozen=True, kw_only=True):
    """When and where; nothing that names a machine."""

    date: str
    version: str
    python: str
    machine: str
    cores: int
    load: float


class Latencies(msgspec.Struct, frozen=True, kw_only=True):
    """Microseconds at each of the percentiles; ``api``: of the API asked directly."""

    percentiles: tuple[float, ...]
    api: list[float]
    found: Found


class Workers(msgspec.Struct, frozen=True):
    """Calls a second, and the part of a core that the client took at most."""

    found: Found
    share: float


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """A round of one large call: its longest step of the loop, and small calls without it and beside it, in ms."""

    step: float
    alone: float
    worst: float
    held: float


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """``calls``: by the number of connections."""

    about: About
    calls: dict[int, Found]
    latencies: Latencies
    workers: Workers
    stdio: Found
    steps: dict[str, list[Beside]]
    starts: list[Document]
    growth: list[Growth]


def about() -> About:
    return About(
        date=f"{datetime.now(UTC):%d %B %Y}",
        version=__version__,
        python=platform.python_version(),
        machine=f"Linux {platform.machine()}",
        cores=os.cpu_count() or 1,
        load=round(os.getloadavg()[0], 1),
    )


def write(path: Path, figures: Figures) -> None:
    path.write_bytes(msgspec.json.encode(figures) + b"\n")


def read(path: Path) -> Figures:
    return msgspec.json.decode(path.read_bytes(), type=Figures)
