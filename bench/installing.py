"""Environments of their own for programs of others, made in the user's cache when they are first asked for."""

from __future__ import annotations

import os
import shutil
import subprocess
import venv
from collections.abc import Callable, Sequence
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"), "openapi-mcp-bench")
INSTALL_SECONDS = 240
_NPM = ("npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts")


class Unavailable(Exception):
    """Why a peer is not measured."""


def installed(name: str, *packages: str) -> Path:
    """The interpreter of an environment with these packages from PyPI."""
    folder = CACHE / name
    python = folder / "bin" / "python"

    def install() -> None:
        venv.create(folder, with_pip=True, clear=True)
        _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages], folder)

    _once(folder, packages, install)
    return python


def installed_by_npm(name: str, *packages: str) -> Path:
    """The folder of the programs that these packages from npm bring."""
    folder = CACHE / name
    if shutil.which("npm") is None:
        raise Unavailable("it needs npm, which is not here")

    def install() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _run([*_NPM, "--prefix", str(folder), *packages], folder)

    _once(folder, packages, install)
    return folder / "node_modules" / ".bin"


def _once(folder: Path, packages: Sequence[str], install: Callable[[], None]) -> None:
    done, wanted = folder / "installed", "\n".join(packages)
    if not done.exists() or done.read_text() != wanted:
        install()
        done.write_text(wanted)


def _run(command: Sequence[str], folder: Path) -> None:
    try:
        subprocess.run(command, check=True, timeout=INSTALL_SECONDS, capture_output=True, cwd=folder)
    except subprocess.CalledProcessError as error:
        raise Unavailable(
            f"it cannot be installed: {(error.stderr.decode().strip() or '?').splitlines()[-1]}"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise Unavailable("it could not be installed in time") from error
