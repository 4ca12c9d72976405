"""Real frameworks' adapters, tried by ``scripts/clients``: the cheapest where they are installed, with the demo."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest

from clients import environments, outcomes
from clients.adapters import ADAPTERS
from clients.calls import Call
from clients.documents import DOCUMENTS, Request, as_numbers, as_text
from clients.echo import serving
from clients.outcomes import Outcome, Told
from processes import CHECKOUT, environment

CHEAP = ("ai-sdk", "fastmcp", "langchain", "mastra", "openai-agents-js")
"""A second or two each; the others take up to eight."""
WANTED = Request("POST", "/things", body={"id": 1})
CALLS = [
    Call("given", "send", {"id": 1}, WANTED),
    Call("text", "send", {"id": "1"}, WANTED, alone="refused"),
    Call("numbers", "send", {"id": 1}, WANTED),
    Call("least", "list", {}, WANTED),
]
RIGHT, WRONG, REFUSED = {"text": "answered-0-"}, {"text": "answered-1-"}, {"error": "no"}


def clients(*argv: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [CHECKOUT / "scripts" / "clients", *argv],
        env=environment(OPENAPI_MCP_VENV=sys.prefix, **settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def cheap() -> list[str]:
    there = [each.name for each in ADAPTERS if each.name in CHEAP and environments.is_there(each, environments.CACHE)]
    if not there:
        pytest.skip(f"none of {', '.join(CHEAP)} is installed in {environments.CACHE}: scripts/clients installs them")
    return there


def test_the_cheapest_adapters_lose_nothing_of_the_demo(cheap, tmp_path):
    result = tmp_path / "result.json"
    done = clients("--documents", "demo", "--adapters", ",".join(cheap), "--json", str(result))
    assert done.returncode == 0, done.stderr
    rows = msgspec.json.decode(result.read_bytes(), type=list[Outcome])
    assert {row.adapter: row.cell for row in rows} == dict.fromkeys([outcomes.PLAIN, *cheap], ".")


def test_without_the_folder_of_documents_their_absence_is_said():
    done = clients("--documents", "github", "--adapters", "fastmcp", "--cache", "/dev/null/nowhere")
    assert "skipped: github (OPENAPI_SPECS_DIR names no folder with it)" in done.stderr
    assert done.returncode == 1


def test_a_cache_that_cannot_be_written_to_is_the_reason_in_the_row():
    done = clients("--documents", "demo", "--adapters", "fastmcp", "--cache", "/dev/null/nowhere")
    assert done.returncode == 1
    assert "fastmcp       n/a" in done.stdout
    assert "Not a directory: '/dev/null/nowhere/fastmcp'" in done.stdout


def test_an_unknown_adapter_is_refused_with_those_that_are_known():
    done = clients("--adapters", "crewia")
    assert (done.returncode, done.stdout) == (2, "")
    assert "unknown: crewia; known: fastmcp, " in done.stderr


def test_every_runner_in_the_table_is_there():
    assert [each.runner for each in ADAPTERS if not (environments.RUNNERS / each.runner).is_file()] == []


def test_every_document_has_a_name_and_an_adapter_of_its_own():
    for table in (ADAPTERS, DOCUMENTS):
        names = [each.name for each in table]
        assert len(set(names)) == len(names)


def judged(told: Told, calls: list[Call]) -> Outcome:
    outcome = Outcome("one", "small", served=2)
    with serving() as api:
        api.kept(WANTED)
        api.kept(Request("POST", "/things", body={"id": "1"}))
        outcomes.judged(told, outcome, calls, api)
    return outcome


@pytest.mark.parametrize(
    ("told", "cell"),
    [
        (Told(listed=2, calls=[RIGHT] * 4), "."),
        (Told(lost={"send": "", "list": "no"}, message="refused"), "-2"),
        (Told(listed=2, calls=[REFUSED] * 4), "call 1 calls"),
        (Told(listed=2, calls=[WRONG, RIGHT, WRONG, RIGHT]), "call"),
        (Told(listed=2, calls=[RIGHT, RIGHT, WRONG, WRONG]), "1 calls"),
        (Told(listed=4, twice=["send"], fewer={"send": ["id"]}, calls=[RIGHT] * 4), "?1 2x1"),
        (Told(listed=2, calls=[RIGHT], message="the client ended"), "1 calls"),
    ],
)
def test_a_cell_says_what_is_lost(told, cell):
    assert judged(told, CALLS).cell == cell


def test_what_only_an_adapters_own_check_refuses_is_told_and_not_counted():
    outcome = judged(Told(listed=2, calls=[RIGHT, RIGHT, {"error": "id must be text"}, RIGHT]), CALLS)
    assert outcome.cell == "."
    assert outcomes.details([outcome]) == ["one, small: .", "    its own check, numbers: id must be text"]


def test_a_later_table_shows_what_changed():
    before = [Outcome("one", "demo", lost=2), Outcome("two", "demo")]
    after = [Outcome("one", "demo"), Outcome("two", "demo")]
    lines = outcomes.table(after, before).splitlines()
    assert lines[:3] == ["     demo", "one  -2 > .", "two  ."]
    assert "before: 1 of 2 adapters lose nothing" in lines
    assert "2 of 2 adapters lose nothing" in lines


def test_an_adapter_that_cannot_be_installed_has_a_row_that_says_why():
    text = outcomes.table([Outcome("one", "demo", not_tried="no such version")], [])
    assert "one  n/a" in text
    assert "    no such version" in text


def test_spellings_change_numbers_and_digits_alone():
    given = {"a": [1, 2.5, True, "7", "x", None], "b": {"c": "0"}}
    assert as_text(given) == {"a": ["1", "2.5", "true", "7", "x", None], "b": {"c": "0"}}
    assert as_numbers(given) == {"a": [1, 2.5, True, 7, "x", None], "b": {"c": 0}}
