"""``inspect`` of one tool, and of what the list of all costs a model."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from processes import run

LONG = "a_name_of_more_than_forty_eight_characters_is_too_long"
DOCUMENT = {
    "openapi": "3.0.3",
    "info": {"title": "Pets", "version": "1"},
    "paths": {
        "/pets": {
            "get": {
                "operationId": "listPets",
                "summary": "List pets",
                "parameters": [{"name": "limit", "in": "query", "schema": {"type": "integer", "maximum": 9}}],
                "responses": {"200": {"description": "ok"}},
            },
            "post": {"operationId": LONG, "responses": {}},
        }
    },
}


@pytest.fixture
def document(tmp_path: Path) -> str:
    path = tmp_path / "pets.json"
    path.write_bytes(msgspec.json.encode(DOCUMENT))
    return str(path)


@pytest.mark.parametrize("name", ["listPets", "GET /pets"])
def test_a_tool_is_shown_as_a_model_sees_it_in_both_modes(document: str, name: str) -> None:
    shown = run("inspect", name, "--spec-path", document).stdout
    assert '"maximum": 9' in shown
    assert "1. listPets(limit?: int)" in shown
    assert "  limit?: int (≤ 9)" in shown


def test_a_tool_that_does_not_exist_is_answered_with_the_nearest(document: str) -> None:
    done = run("inspect", "listPet", "--spec-path", document)
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean listPets?" in done.stderr


def test_one_tool_is_inspected_at_a_time(document: str) -> None:
    done = run("inspect", "listPets", "other", "--spec-path", document)
    assert done.returncode == 2
    assert "takes one tool" in done.stderr


def test_what_is_not_wanted_is_counted_apart_from_what_cannot_be_a_tool(document: str) -> None:
    done = run("inspect", "--spec-path", document, "--api-url", "https://a.example", "--allow-operations", "listPets")
    assert done.stdout.splitlines()[1] == "  1 tool, 0 skipped, 1 left out by settings, 0 notes"


@pytest.mark.parametrize(
    ("servers", "where"),
    [
        ([], "API_BASE_URL set"),
        (["https://a.example"], "at https://a.example"),
        (["https://a.example", "https://b.example"], "API_BASE_URL set"),
    ],
)
def test_the_head_says_where_calls_would_go_or_what_has_to_be_set(
    tmp_path: Path, servers: list[str], where: str
) -> None:
    path = tmp_path / "none.json"
    described = {**DOCUMENT, "paths": {}, "servers": [{"url": url} for url in servers]}
    path.write_bytes(msgspec.json.encode(described))
    head, _, *rest = run("inspect", "--spec-path", str(path)).stdout.splitlines()
    assert head.endswith(where)
    assert "No operation became a tool." in rest


@pytest.mark.parametrize(
    ("settings", "way"),
    [({}, "listed"), ({"TOOL_BUDGET_TOKENS": "10"}, "searched"), ({"TOOL_MODE": "search"}, "searched")],
)
def test_the_list_is_weighed_by_what_a_model_sees_of_it(document: str, settings: dict[str, str], way: str) -> None:
    lines = run("inspect", "--tokens", "--spec-path", document, **settings).stdout.splitlines()
    assert [line.split()[0] for line in lines[1:3]] == [LONG, "listPets"]
    assert any(line.startswith("all of 2") for line in lines)
    assert any(line.startswith("four, in search mode") for line in lines)
    assert f"they are {way}." in "\n".join(lines)
    assert "a_name_of_more" in lines[-1]


def test_the_four_tools_are_called_from_the_command_line(document: str) -> None:
    found = run(
        "call",
        "search_operations",
        "query=list pets",
        "--spec-path",
        document,
        "--api-url",
        "https://a.example",
        TOOL_MODE="search",
    )
    assert found.stdout.startswith("1. listPets(limit?: int)")
