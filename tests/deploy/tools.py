"""Programs that check files of deploy/ and are not in the tests' own environment: scripts/deploy-test brings them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from processes import CHECKOUT

FOLDER = Path(os.environ.get("OPENAPI_MCP_DEPLOY_TOOLS", CHECKOUT / "build" / "deploy-tools"))


def tool(name: str) -> str:
    """Its path; the test is skipped where it is not installed."""
    places = [FOLDER / "bin", FOLDER / "checkov" / "bin", Path(sys.executable).parent]
    found = shutil.which(name, path=os.pathsep.join([*map(str, places), os.environ.get("PATH", "")]))
    if found is None:
        pytest.skip(f"{name} is not installed; scripts/deploy-test brings it")
    return found


def ran(*command: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": "", **environ},
    )


def python_with(package: str) -> Path:
    """A Python that has this package; the test is skipped where there is none."""
    python = FOLDER / "bin" / "python"
    if not python.exists() or ran(python, "-c", f"import {package}").returncode:
        pytest.skip(f"{package} is not installed; scripts/deploy-test brings it")
    return python
