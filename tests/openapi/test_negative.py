"""Documents that break a rule of the specification, by the object that is wrong, and what is said of each.

``negative/*.yaml``: a file for each object, with the document and the lines of text that people get. ``refused`` ends
the start; ``skipped`` is left out of the tools; others are notes, by their kind. What a document needs beside its fault
is put at its end (`negative.completed`), so that lines are counted from the one that is shown first.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from negative import told
from openapi_mcp_server.openapi.text import document

FOLDER = Path(__file__).parent / "negative"


class Case(msgspec.Struct, forbid_unknown_fields=True):
    fault: str
    document: str
    says: list[str]


class Cases(msgspec.Struct, forbid_unknown_fields=True):
    dialect: str
    cases: list[Case]


def cases() -> list[object]:
    return [
        pytest.param(each.dialect, case, id=f"{file.stem}: {case.fault}")
        for file in sorted(FOLDER.glob("*.yaml"))
        for each in [msgspec.json.decode(document.read(file.read_bytes()), type=Cases)]
        for case in each.cases
    ]


@pytest.mark.parametrize(("dialect", "case"), cases())
def test_a_fault_is_told_with_its_line_and_what_became_of_it(dialect: str, case: Case, tmp_path: Path) -> None:
    assert told(case.document, dialect, tmp_path) == case.says
    assert case.says
