"""TOOL_OVERRIDES by the real program: each document has a file of its own, and what selects nothing is told."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from processes import inspected, started

DOCUMENT = """
openapi: 3.1.0
info: {title: Pets, version: '1'}
servers: [{url: 'https://api.example.com'}]
paths:
  /pets:
    get: {operationId: listPets, responses: {'200': {description: ok}}}
    delete: {operationId: deletePets, responses: {'204': {description: ok}}}
"""
OURS = """
listPets: {name: find_pets}
DELETE /pets: {hidden: true}
addPets: {hidden: true}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {"openapi.yaml": DOCUMENT, "ours.yaml": OURS}.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_each_document_has_a_file_of_its_own(folder):
    document = ("--spec-path", f"{folder}/openapi.yaml")
    more = [{"name": "more", "spec_path": f"{folder}/openapi.yaml", "tool_overrides": f"{folder}/ours.yaml"}]
    told = inspected(*document, ADDITIONAL_SPECS=msgspec.json.encode(more).decode())
    assert [tool["name"] for tool in told["tools"]] == ["api_listPets", "api_deletePets", "more_find_pets"]


def test_an_entry_that_selects_nothing_is_warned_about(folder):
    argv = ("--spec-path", f"{folder}/openapi.yaml", "--tool-overrides", f"{folder}/ours.yaml")
    with started("serve", *argv, "--transport", "http", "--port", "0") as server:
        line = server.wait_for("selects no operation")
    assert (line["level"], line["pointer"], line["kind"]) == ("WARNING", "#/addPets", "override_unused")
    assert line["message"].startswith("TOOL_OVERRIDES: 'addPets' selects no operation; expected an operationId")
