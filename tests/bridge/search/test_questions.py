"""Questions about published documents, as people put them, and how many of them find their operation.

No word was added for the half that is held back; its misses were printed twice while the ranking was tuned.
"""

from __future__ import annotations

import csv
import gc
import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from openapi_mcp_server.bridge.catalog import ApiSource, build
from openapi_mcp_server.bridge.model import base_url
from openapi_mcp_server.bridge.search import index, ranking
from openapi_mcp_server.openapi.operations import describe
from openapi_mcp_server.openapi.text.document import parse

QUESTIONS = Path(__file__).with_name("questions.tsv")
IN_THE_SUITE = ("github-api.github.com", "stripe-spec3-2023-09", "twilio-api-v2010", "openai")
"""Documents; all of them take a quarter of a minute."""


class Question(NamedTuple):
    half: str
    document: str
    text: str
    operations: frozenset[str]


def questions() -> Iterator[Question]:
    with QUESTIONS.open() as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            yield Question(row["half"], row["document"], row["question"], frozenset(row["operations"].split(" | ")))


@pytest.fixture(scope="module")
def indexes(specs_dir: Path) -> dict[str, index.Index]:
    with (specs_dir / "index.tsv").open() as file:
        files = {row["name"]: specs_dir / row["file"] for row in csv.DictReader(file, delimiter="\t")}
    made = {}
    for name in IN_THE_SUITE:
        description = describe(parse(files[name].read_bytes()))
        made[name] = index.build(
            build([ApiSource(name=name, base=base_url("https://a.example"), description=description)])
        )
        gc.collect()
    return made


def position(found: index.Index, text: str, meant: frozenset[str]) -> int:
    """Of the first hit that is meant, from 0; 99 if there is none."""
    for number, hit in enumerate(ranking.search(found, text, lambda each: bool(each.name))):
        if any(f"{each.method} {each.path}" in meant for each in (hit.operation, *hit.also)):
            return number
    return 99


def mistyped(text: str) -> str:
    """With one letter too few in the longest word."""
    words = text.split()
    longest = max(range(len(words)), key=lambda at: len(words[at]))
    word = words[longest]
    at = random.Random(text).randrange(1, len(word) - 1)
    words[longest] = word[:at] + word[at + 1 :]
    return " ".join(words)


@pytest.mark.parametrize(
    ("half", "first", "five"), [("tuned on", 0.74, 0.92), ("held back", 0.7, 0.85), ("own words", 0.95, 0.98)]
)
def test_most_questions_find_their_operation(
    indexes: dict[str, index.Index], half: str, first: float, five: float
) -> None:
    asked = [each for each in questions() if each.half == half and each.document in indexes]
    found = [position(indexes[each.document], each.text, each.operations) for each in asked]
    assert sum(each == 0 for each in found) >= first * len(found)
    assert sum(each < 5 for each in found) >= five * len(found)


def test_a_typing_mistake_is_seldom_in_the_way(indexes: dict[str, index.Index]) -> None:
    asked = [each for each in questions() if each.document in indexes]
    found = [position(indexes[each.document], mistyped(each.text), each.operations) for each in asked]
    assert sum(each < 5 for each in found) >= 0.8 * len(found)
