"""``diff`` as it is typed: files and addresses, for people and for programs, and an exit code for pipelines."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import trio

from loopback import loopback, sized
from processes import run

OLD = b"""\
openapi: 3.1.0
info: {title: Pets, version: '1'}
paths:
  /pets: {get: {operationId: listPets, parameters: [{name: tag, in: query, schema: {enum: [cat, dog]}}]}}
"""
NEW = OLD.replace(b"[cat, dog]", b"[cat]")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "old.yaml").write_bytes(OLD)
    (tmp_path / "new.yaml").write_bytes(NEW)
    return tmp_path


def test_what_breaks_is_marked(folder: Path) -> None:
    done = run("diff", f"{folder}/old.yaml", f"{folder}/new.yaml")
    assert (done.returncode, done.stderr) == (0, "")
    assert '!     tag no longer takes "dog"' in done.stdout.splitlines()
    assert done.stdout.endswith("1 tools break what a model is used to\n")


@pytest.mark.parametrize(("old", "new", "code"), [("old", "new", 1), ("new", "old", 0), ("old", "old", 0)])
def test_a_pipeline_fails_for_what_breaks_and_for_nothing_else(folder: Path, old: str, new: str, code: int) -> None:
    done = run("diff", f"{folder}/{old}.yaml", f"{folder}/{new}.yaml", "--fail-on-breaking")
    assert done.returncode == code


@pytest.mark.anyio
async def test_programs_get_all_of_it_and_a_document_may_have_an_address(folder: Path) -> None:
    async with loopback([(sized(NEW),)]) as api:
        argv = ("diff", f"{folder}/old.yaml", f"{api.origin}/openapi.yaml", "--json", "--allow-private-networks")
        done = await trio.to_thread.run_sync(run, *argv)
    told = msgspec.json.decode(done.stdout)
    assert told["breaking"] == 1
    assert told["changed"][0]["changes"] == [{"argument": "tag", "what": 'no longer takes "dog"', "breaks": True}]


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        ((), 2, "diff: takes two documents: diff OLD NEW"),
        (("{0}/old.yaml",), 2, "diff: takes two documents"),
        (("{0}/old.yaml", "{0}/none.yaml"), 2, "NEW: cannot read"),
        (("{0}/old.yaml", "http://127.0.0.1:9/a"), 2, "ALLOW_PRIVATE_NETWORKS"),
        (("{0}/old.yaml", "{0}/new.yaml", "--server", "http://x"), 2, "--server: belongs to call"),
    ],
)
def test_bad_input_is_one_line(folder: Path, argv: tuple[str, ...], code: int, message: str) -> None:
    done = run("diff", *(each.format(folder) for each in argv))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1)
    assert message in done.stderr
