"""Questions about published documents, as people put them: how many of them find their operation, and how fast.

Prints the shares whose operation is first, or among five, and the same with a letter wrong in the longest word; then
what the index of GitHub's operations and one of 10,000 take.
"""

from __future__ import annotations

import argparse
import csv
import gc
import random
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from openapi_mcp_server.bridge.catalog import ApiSource, build
from openapi_mcp_server.bridge.model import ToolCatalog
from openapi_mcp_server.bridge.origins import base_url
from openapi_mcp_server.bridge.search import index, ranking
from openapi_mcp_server.bridge.search.words import stem
from openapi_mcp_server.openapi.operations import describe
from openapi_mcp_server.openapi.text.document import parse

QUESTIONS = Path(__file__).resolve().parent.parent / "tests" / "bridge" / "search" / "questions.tsv"
LARGE = "github-api.github.com"
MANY = 10_000
_NOT_FOUND = 99


class Question(NamedTuple):
    half: str
    document: str
    text: str
    operations: frozenset[str]


def questions() -> Iterator[Question]:
    with QUESTIONS.open() as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            yield Question(row["half"], row["document"], row["question"], frozenset(row["operations"].split(" | ")))


def catalogs(folder: Path, names: Sequence[str]) -> Iterator[tuple[str, ToolCatalog]]:
    """The catalogs of documents of a folder, whose ``index.tsv`` has their files by name; one at a time."""
    with (folder / "index.tsv").open() as file:
        files = {row["name"]: folder / row["file"] for row in csv.DictReader(file, delimiter="\t")}
    base = base_url("https://api.example.com")
    for name in dict.fromkeys(names):
        yield name, build([ApiSource(name="api", base=base, description=describe(parse(files[name].read_bytes())))])
        gc.collect()


def position(found: index.Index, text: str, meant: frozenset[str]) -> int:
    """The place of the first hit that is meant, from 0."""
    for number, hit in enumerate(ranking.search(found, text, lambda each: bool(each.name))):
        if any(f"{each.method} {each.path}" in meant for each in (hit.operation, *hit.also)):
            return number
    return _NOT_FOUND


def mistyped(text: str) -> str:
    """With one letter too few in the longest word."""
    words = text.split()
    longest = max(range(len(words)), key=lambda at: len(words[at]))
    word = words[longest]
    at = random.Random(text).randrange(1, len(word) - 1)
    words[longest] = word[:at] + word[at + 1 :]
    return " ".join(words)


def share(places: Sequence[int], within: int) -> float:
    return sum(place < within for place in places) / len(places)


def _table(indexes: Mapping[str, index.Index], asked: Sequence[Question]) -> Iterator[str]:
    yield "                        questions  first  five   mistyped: first  five"
    for half in dict.fromkeys(each.half for each in asked):
        some = [each for each in asked if each.half == half]
        right = [position(indexes[each.document], each.text, each.operations) for each in some]
        wrong = [position(indexes[each.document], mistyped(each.text), each.operations) for each in some]
        shares = [100 * share(places, within) for places in (right, wrong) for within in (1, 5)]
        yield "{:22} {:>10}  {:4.0f}%  {:3.0f}%             {:4.0f}%  {:3.0f}%".format(half, len(some), *shares)


def _costs(made: Callable[[], index.Index], texts: Sequence[str]) -> str:
    """With nothing remembered of stems before, the memory of which is the index's too."""
    stem.cache_clear()
    gc.collect()
    began = time.process_time()
    found = made()
    cpu = time.process_time() - began
    del found
    stem.cache_clear()
    gc.collect()
    tracemalloc.start()
    found = made()
    gc.collect()
    megabytes = tracemalloc.get_traced_memory()[0] / 1e6
    tracemalloc.stop()
    took = []
    for text in texts:
        began = time.process_time()
        ranking.search(found, text, lambda each: bool(each.name))
        took.append(1_000 * (time.process_time() - began))
    median, worst = statistics.median(took), max(took)
    return f"index {cpu:.2f} s CPU, {megabytes:.1f} MB; a query {median:.1f} ms CPU median, {worst:.1f} at most"


def _many(tools: ToolCatalog) -> ToolCatalog:
    """The same operations again and again under other paths."""
    rounds = range(-(-MANY // len(tools.tools)))
    again = [
        (
            f"{name}_{number}",
            msgspec.structs.replace(tool, name=f"{name}_{number}", template=f"/r{number}{tool.template}"),
        )
        for number in rounds
        for name, tool in tools.tools.items()
    ]
    return msgspec.structs.replace(tools, tools=dict(again[:MANY]), skipped=())


def folder_of(about: str | None) -> Path:
    """The argument of a command, after its help."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of documents, with index.tsv")
    given: Path = parser.parse_args().folder
    if not (given / "index.tsv").is_file():
        parser.error(f"{given} has no index.tsv")
    return given


def main() -> int:
    asked = list(questions())
    indexes, large = {}, None
    for name, tools in catalogs(folder_of(__doc__), [each.document for each in asked]):
        indexes[name] = index.build(tools)
        large = tools if name == LARGE else large
    for line in _table(indexes, asked):
        print(line)
    if large is not None:
        texts = [each.text for each in asked]
        print(f"{LARGE}, {len(large.tools):,} operations: {_costs(lambda: index.build(large), texts)}")
        many = _many(large)
        print(f"{len(many.tools):,} operations: {_costs(lambda: index.build(many), texts)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
