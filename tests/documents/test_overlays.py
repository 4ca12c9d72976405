"""Overlays by the real program: applied in order, each to its own document, and what selects nothing is told."""

from __future__ import annotations

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
FIRST = """
overlay: 1.0.0
info: {title: First, version: '1'}
actions:
  - {target: $.paths.*.get, update: {operationId: first}}
  - {target: $.paths.*.patch, update: {operationId: nothing}}
"""
SECOND = """
overlay: 1.1.0
info: {title: Second, version: '1'}
actions:
  - {target: "$.paths.*[?@.operationId == 'first'].operationId", update: second}
  - {target: $.paths.*.delete, remove: true}
"""


@pytest.fixture
def folder(tmp_path):
    for name, text in {"openapi.yaml": DOCUMENT, "first.yaml": FIRST, "second.yaml": SECOND}.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def names(*argv, **settings):
    return [tool["name"] for tool in inspected(*argv, **settings)["tools"]]


def test_overlays_are_applied_in_order(folder):
    overlays = f"{folder}/first.yaml, {folder}/second.yaml"
    assert names("--spec-path", f"{folder}/openapi.yaml", "--overlays", overlays) == ["second"]
    assert names("--spec-path", f"{folder}/openapi.yaml", API_OVERLAYS=f"{folder}/second.yaml") == ["listPets"]


def test_each_document_has_overlays_of_its_own(folder):
    more = [{"name": "more", "spec_path": f"{folder}/openapi.yaml", "overlays": [f"{folder}/first.yaml"]}]
    assert names("--spec-path", f"{folder}/openapi.yaml", ADDITIONAL_SPECS=msgspec.json.encode(more).decode()) == [
        "api_listPets",
        "api_deletePets",
        "more_first",
        "more_deletePets",
    ]


def test_a_target_that_selects_nothing_is_warned_about(folder):
    argv = ("--spec-path", f"{folder}/openapi.yaml", "--overlays", f"{folder}/first.yaml")
    with started("serve", *argv, "--transport", "http", "--port", "0") as server:
        line = server.wait_for("selects nothing$")
    assert (line["level"], line["pointer"], line["kind"]) == ("WARNING", "#/actions/1", "overlay_unused")
    assert line["message"] == f"{folder}/first.yaml: the target '$.paths.*.patch' selects nothing"
