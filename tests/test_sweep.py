"""Real documents of many authors: each is loaded or refused with one line, and every operation is accounted for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from processes import CHECKOUT, environment

OWN = "openapi: 3.1.0\npaths:\n  /a: {get: {}, post: {}}\n  /b: {$ref: 'elsewhere.yaml'}\n"


def sweep(folder: Path) -> tuple[int, list[dict[str, object]]]:
    argv = [sys.executable, str(CHECKOUT / "scripts" / "sweep.py"), str(folder), "--json"]
    done = subprocess.run(argv, env=environment(), capture_output=True, timeout=600, check=False)
    assert done.stdout, done.stderr
    return done.returncode, msgspec.json.decode(done.stdout)


def test_every_operation_of_every_real_document_is_a_tool_or_listed_with_a_reason(specs_dir):
    code, rows = sweep(specs_dir)
    assert [row for row in rows if row["crash"] or "\n" in row["problem"]] == []
    assert code == 0
    assert len(rows) >= 124


@pytest.mark.parametrize(
    ("text", "operations", "tools", "code"),
    [(OWN, 3, 2, 0), ("openapi: 3.1.0\npaths: {/a: {get: [}}\n", 0, 0, 0)],
    ids=["loaded", "refused"],
)
def test_a_folder_is_swept(tmp_path, text, operations, tools, code):
    (tmp_path / "api.yaml").write_text(text)
    (tmp_path / "package.json").write_text('{"name": "no document"}')
    got, rows = sweep(tmp_path)
    assert (got, [(row["operations"], row["tools"]) for row in rows]) == (code, [(operations, tools)])


def test_a_document_in_several_files_is_swept_as_it_is_served(tmp_path):
    (tmp_path / "api.yaml").write_text(OWN)
    (tmp_path / "elsewhere.yaml").write_text("get: {}\nput: {}\n")
    got, rows = sweep(tmp_path)
    assert (got, [(row["operations"], row["tools"]) for row in rows]) == (0, [(4, 4)])
