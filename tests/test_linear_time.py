"""Time is bounded: whatever a client, a model, an API or a document sends, no pattern and no function that reads text
takes longer than in proportion to it. New ones are found by themselves.
"""

from __future__ import annotations

import re
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from growth import is_linear
from hostile_text import Pumped, hostile
from scanners import Scanner, compiled_inside, made_patterns, patterns, scanners

WORDS = (
    *"a0 \t\n\r\0é!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~\ufeff",
    "\u0315\u0300", "0\u0345\u0300", "%41", "%25", "; ", ";a", "a=b;", "a,", "1.5,", "1e5,", "[{", '{"a":', '["a",',
    '\\"', "\\u0041", "\\ud800", "<a>", "<!--", "](", "[a](", "![", "**", "```", "# ", "&amp;", "a: ", "? a\n", "- ",
    "-\n", "''", '""', "|\n ", "a\n", " a\n", "a #", "{a: ", "*a ", "&a ", "!a ", "../", "//", "{x}", "data:;base64,",
    "text/a;", "charset=", '"$ref":"#/', "Mon, ", "--- a\n", "...\n", "@,", ", <", "<a>; ", "\u2028", "$.a", "..a",
    "[?@.a",
)  # fmt: skip
BEGINNINGS = ("", '"', "a/b;", "data:a/b;", "{", "[", "<a>;", "|\n", "a: ")
FOUND = list(scanners())
ENDS = {"openapi.text.yaml.lines._LINE": "\n"}
"""What the texts of a pattern always end with, so that it never fails."""


def test_patterns_and_functions_are_found() -> None:
    """The search itself works: both places of the tests below would be empty otherwise."""
    names = {name.partition("[")[0] for name in patterns()}
    assert {
        "bridge.media.types._NAME",
        "openapi.references.bundle._OF_SECTIONS",
    } <= names
    read = {scanner.name for scanner in FOUND}
    assert {
        "bridge.bodies.files._from_data_uri(text)",
        "openapi.text.document.read(data)",
        "bridge.text.line(text)",
    } <= read
    assert len(read) > 200


def test_no_function_compiles_an_expression_but_those_that_make_one_for_a_number() -> None:
    assert compiled_inside() == []


@pytest.mark.parametrize("name", [*patterns(), *made_patterns()])
def test_a_pattern_takes_linear_time(name: str) -> None:
    pattern, ways = (patterns() | made_patterns())[name]
    texts = [pumped._replace(end=pumped.end + ENDS.get(name, "")) for pumped in hostile(pattern)]
    slow = ((way, pumped) for pumped in texts for way in ways if not _is_linear(pattern, way, pumped))
    assert next(slow, None) is None


def _is_linear(pattern: re.Pattern[Any], way: str, pumped: Pumped) -> bool:
    use = getattr(pattern, way)
    if isinstance(pattern.pattern, bytes):
        return is_linear(use, lambda length: pumped.text(length).encode("latin-1", "replace"))
    return is_linear(use, pumped.text)


@pytest.mark.parametrize("scanner", FOUND, ids=lambda scanner: scanner.name)
def test_a_function_that_reads_text_takes_linear_time(scanner: Scanner) -> None:
    texts = [Pumped(beginning, word, "") for word in WORDS for beginning in BEGINNINGS]
    slow = (pumped for pumped in texts if not is_linear(partial(_tried, scanner), pumped.text))
    assert next(slow, None) is None


@settings(max_examples=200)
@given(st.sampled_from(FOUND), st.text(max_size=8), st.text(min_size=1, max_size=8), st.text(max_size=4))
def test_so_it_does_with_any_word_again_and_again(scanner: Scanner, beginning: str, word: str, end: str) -> None:
    pumped = Pumped(beginning, word, end)
    assert is_linear(partial(_tried, scanner), pumped.text)


def _tried(scanner: Scanner, text: str) -> None:
    with suppress(Exception):  # refusing is right as well
        scanner.read(text)


def test_what_is_not_linear_is_noticed() -> None:
    """The measure itself: quadratic, exponential and linear patterns are told apart."""
    assert not is_linear(re.compile(r"\d+[eE]").search, lambda length: "0" * length)
    assert not is_linear(re.compile(r"(\s*;\s*(a)?)*").fullmatch, lambda length: "; " * length + "!")
    assert not is_linear(lambda text: [text[at:].count("a") for at in range(len(text))], lambda length: "a" * length)
    assert is_linear(re.compile(r"(\s*;\s*+(a)?)*").fullmatch, lambda length: "; " * length + "!")
    assert is_linear(str.split, lambda length: "a " * length * 100)
