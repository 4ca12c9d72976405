"""Starts beside those of others: each document is found, measured and bounded; who gives no list says why."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

import graph_like
import starts
import targets
from peers import Command
from processes import inspected


def place(folder: Path) -> targets.Place:
    return targets.placed(folder, 1)._replace(base=starts.BASE)


def program(code: str) -> Command:
    return Command([sys.executable, "-c", code])


def test_documents_are_found_by_their_names_wherever_they_are_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "specs").mkdir()
    names = {"github-api.json": 9, "specs/my-github-2.yaml": 10, "specs/stripe.yaml": 3, "kubernetes.txt": 9}
    for name, size in names.items():
        (tmp_path / name).write_bytes(b"x" * size)
    assert starts.found(tmp_path) == {
        "GitHub": tmp_path / "specs" / "my-github-2.yaml",
        "Stripe": tmp_path / "specs" / "stripe.yaml",
    }
    assert starts.found(None) == {}


def test_a_start_is_measured_to_its_whole_list(tmp_path: Path) -> None:
    found = starts.least(lambda: starts.ours(place(tmp_path)))
    assert isinstance(found, starts.Started)
    assert found.tools == 1
    assert 0.05 < found.cpu_seconds < 30
    assert 10 < found.memory_mib < 500


def test_who_ends_before_its_list_says_why_without_a_path() -> None:
    said = starts.least(lambda: program("raise SystemExit('ValueError: cannot read /home/somebody/a.json here')"))
    assert said == "ends before its list: ValueError: cannot read … here"


def test_who_answers_with_an_error_has_no_list() -> None:
    code = 'import sys\nfor line in sys.stdin: print(\'{"id":1,"error":{"code":-32603}}\', flush=True)'
    said = starts.least(lambda: program(code))
    assert isinstance(said, str)
    assert said.startswith("ends before its list: ")


def test_the_document_like_graph_is_one_that_is_served_whole(tmp_path: Path) -> None:
    path = tmp_path / "graph.json"
    path.write_bytes(graph_like.document(5))
    told = inspected("--spec-path", str(path), "--api-url", "https://graph.example.com/v1.0")
    assert len(told["tools"]) == 5 * 12
    assert len(msgspec.json.decode(path.read_bytes())["paths"]) == 5 * 6
