"""The scripts as a newcomer types them: ``scripts/run`` serves, and the official clients of both languages call."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import msgspec
import pytest
from mcp import Client

from node import NODE, NODE_FOLDER
from processes import CHECKOUT, Server, environment

# The client leaves the generators of an event stream to the garbage collector, which Trio warns of.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Async generator 'httpx2:ResourceWarning", "ignore:Async generator 'httpcore2:ResourceWarning"
)
MIA = '{"id":1,"name":"Mia","species":"cat","status":"available","price":120}'


@contextmanager
def served(*argv: str, **settings: str) -> Iterator[Server]:
    """``scripts/run`` with these arguments, in the environment that the tests run in."""
    environ = environment(SERVER_PORT="0", OPENAPI_MCP_VENV=sys.prefix, **settings)
    with subprocess.Popen(
        [CHECKOUT / "scripts" / "run", *argv],
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield Server(process)
        finally:
            process.kill()


@pytest.mark.parametrize("python_path", ["", "{0}"])
@pytest.mark.parametrize("module", ["openapi_mcp_server", "msgspec"])
def test_scripts_run_takes_no_module_of_the_same_name_from_where_it_is_typed(tmp_path, module, python_path):
    (tmp_path / module).mkdir()
    (tmp_path / module / "__init__.py").write_text("raise SystemExit('the wrong one')")
    done = subprocess.run(
        [CHECKOUT / "scripts" / "run", "--help"],
        cwd=tmp_path,
        env=environment(OPENAPI_MCP_VENV=sys.prefix) | {"PYTHONPATH": python_path.format(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: openapi-mcp-server ")


def version(
    venv: Path, program: Path = CHECKOUT / "scripts" / "run", **settings: str
) -> subprocess.CompletedProcess[str]:
    environ = environment(OPENAPI_MCP_VENV=str(venv), **settings)
    argv = [program, "--version"]
    return subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=60, check=False)


def test_scripts_run_writes_nothing_where_the_packages_are_installed(tmp_path):
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (venv / "bin" / "python").chmod(0o755)
    with (CHECKOUT / "requirements.txt").open("rb") as lock:
        seen = subprocess.run(["cksum"], stdin=lock, capture_output=True, check=True).stdout
    (venv / "requirements.txt.installed").write_bytes(seen)
    (tmp_path / "venv.lock").mkdir()  # cannot be opened to write, not even by root
    assert (version(venv).returncode, version(venv).stderr) == (0, "")


def test_scripts_run_may_be_started_by_a_link(tmp_path):
    (tmp_path / "mcp").symlink_to(CHECKOUT / "scripts" / "run")
    assert (version(Path(sys.prefix), tmp_path / "mcp").returncode, version(Path(sys.prefix)).returncode) == (0, 0)


def test_scripts_run_makes_an_environment_anew_that_was_not_made_to_the_end(tmp_path):
    half = tmp_path / "venv" / "bin"
    half.mkdir(parents=True)
    (half / "python").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "venv.making").touch()
    made = '#!/bin/sh\ncase "$2" in openapi_mcp_server) echo served ;; esac\n'
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n[ \"$2\" != venv ] || printf '%s' '{made}' >{half}/python\n")
    for each in (half / "python", python):
        each.chmod(0o755)
    done = version(tmp_path / "venv", PYTHON=str(python))
    assert (done.returncode, done.stdout) == (0, "served\n"), done.stderr
    assert not (tmp_path / "venv.making").exists()


def test_scripts_run_says_where_it_cannot_write_and_what_to_set(tmp_path):
    done = version(tmp_path / "none" / "venv")
    assert (done.returncode, done.stderr) == (
        1,
        f"cannot write to {tmp_path}/none; set OPENAPI_MCP_VENV to a folder of your own for the packages\n",
    )


@pytest.fixture(scope="module")
def demo() -> Iterator[str]:
    with served() as server:
        yield server.url


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
def test_scripts_run_answers_the_official_python_client(demo, mode):
    async def main() -> str:
        with anyio.fail_after(30):
            async with Client(demo, mode=mode) as client:
                return (await client.call_tool("getPet", {"petId": 1})).content[0].text

    assert anyio.run(main, backend="trio") == MIA


@pytest.mark.skipif(not (NODE_FOLDER / "node_modules").exists(), reason="no npm packages: scripts/test installs them")
@pytest.mark.parametrize(("package", "era"), [("sdk", "legacy"), ("client", "legacy"), ("client", "auto")])
def test_scripts_run_answers_the_official_typescript_clients(demo, package, era):
    argv = [NODE, "converse.mjs", package, era, "http", demo, "getPet", '{"petId":1}', '{"petId":"Mia"}']
    done = subprocess.run(argv, cwd=NODE_FOLDER, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    seen = msgspec.json.decode(done.stdout)
    assert (seen["text"], seen["refused"], seen["unknown"], seen["discovered"]) == (MIA, True, -32602, era == "auto")


def test_scripts_run_with_a_document_in_the_environment_serves_that_one(tmp_path):
    document = tmp_path / "openapi.yaml"
    document.write_text("openapi: 3.1.0\npaths: {/a: {get: {operationId: only}}}\n")
    with served(API_SPEC_PATH=str(document), API_BASE_URL="https://api.example.com") as server:
        loaded = server.wait_for("^loaded$")
    assert (loaded["base"], loaded["tools"]) == ("https://api.example.com", 1)


BASH = sorted(
    path
    for folder in ("scripts", ".ci", "deploy")
    for path in (CHECKOUT / folder).rglob("*")
    if path.is_file() and path.read_bytes()[:30].startswith(b"#!/usr/bin/env bash")
)
NEWER = re.compile(
    r"\b(mapfile|readarray|coproc)\b|\b(declare|local) -[A-Za-z]*[An]|\$\{\w+(\[@\])?(,|\^|@[A-Z])|&>>|\|&|xargs -r"
)


@pytest.mark.parametrize("path", BASH, ids=lambda path: path.name)
def test_a_script_runs_by_the_bash_of_macos(path):
    """It is 3.2, and its tools are those of BSD."""
    lines = enumerate(path.read_text("utf-8").splitlines(), 1)
    assert [(number, found[0]) for number, line in lines if (found := NEWER.search(line))] == []
