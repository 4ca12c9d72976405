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
from scanners import NOT_GIVEN, Scanner, compiled_inside, made_patterns, patterns, scanners, written_in_place

WORDS = (
    *"a0 \t\n\r\0é!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~\ufeff",
    "\u0315\u0300", "0\u0345\u0300", "%41", "%25", "; ", ";a", "a=b;", "a,", "1.5,", "1e5,", "[{", '{"a":', '["a",',
    '\\"', "\\u0041", "\\ud800", "<a>", "<!--", "](", "[a](", "![", "**", "```", "# ", "&amp;", "a: ", "? a\n", "- ",
    "-\n", "''", '""', "|\n ", "a\n", " a\n", "a #", "{a: ", "*a ", "&a ", "!a ", "../", "//", "{x}", "data:;base64,",
    "text/a;", "charset=", '"$ref":"#/', "Mon, ", "--- a\n", "...\n", "@,", ", <", "<a>; ", "\u2028", "$.a", "[?@.a",
)  # fmt: skip
BEGINNINGS = ("", '"', "data:a/b;", "[", "|\n", "a: ")
PATTERNS = patterns() | written_in_place() | made_patterns()
FOUND = [scanner for scanner in scanners() if scanner.name not in NOT_GIVEN]
ENDS = {"openapi.text.yaml.lines._LINE": "\n"}
"""What the texts of a pattern always end with, so that it never fails."""


def test_patterns_and_functions_are_found() -> None:
    """The tests below would try nothing if the search did not work."""
    assert {"bridge.media.types._NAME", "openapi.text.document._DIALECTS[2]", *ENDS} <= PATTERNS.keys()
    assert len(PATTERNS) > 120
    names = {scanner.name for scanner in scanners()}
    assert {"bridge.bodies.files._from_data_uri(text)", "openapi.text.document.read(data)", *NOT_GIVEN} <= names
    assert len(names) > 200


def test_every_expression_is_written_where_these_tests_find_it() -> None:
    assert compiled_inside() == []


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_takes_linear_time(name: str) -> None:
    pattern, ways = PATTERNS[name]
    texts = [pumped._replace(end=pumped.end + ENDS.get(name, "")) for pumped in hostile(pattern)]
    slow = ((way, pumped) for pumped in texts for way in ways if not _is_linear(pattern, way, pumped))
    assert next(slow, None) is None


def _is_linear(pattern: re.Pattern[Any], way: str, pumped: Pumped) -> bool:
    use = getattr(pattern, way)
    if isinstance(pattern.pattern, bytes):
        return is_linear(use, lambda length: pumped.text(length).encode("latin-1", "replace"), even=True)
    return is_linear(use, pumped.text, even=True)


@pytest.mark.parametrize("scanner", FOUND, ids=lambda scanner: scanner.name)
def test_a_function_that_reads_text_takes_linear_time(scanner: Scanner) -> None:
    texts = [Pumped(beginning, word, "") for word in WORDS for beginning in BEGINNINGS]
    slow = (pumped for pumped in texts if not is_linear(partial(_tried, scanner), pumped.text))
    assert next(slow, None) is None


@settings(max_examples=200)
@given(st.sampled_from(FOUND), st.text(max_size=8), st.text(min_size=1, max_size=8), st.text(max_size=4))
def test_so_it_does_with_any_word_again_and_again(scanner: Scanner, beginning: str, word: str, end: str) -> None:
    assert is_linear(partial(_tried, scanner), Pumped(beginning, word, end).text)


def _tried(scanner: Scanner, text: str) -> None:
    with suppress(Exception):  # refusing is right as well
        scanner.read(text)


@pytest.mark.parametrize("even", [False, True])
def test_what_is_not_linear_is_noticed(even: bool) -> None:
    linear = partial(is_linear, even=even)
    assert not linear(re.compile(r"\d+[eE]").search, lambda length: "0" * length)
    assert not linear(re.compile(r"(\s*;\s*(a)?)*").fullmatch, lambda length: "; " * length + "!")
    assert not linear(lambda text: [text[at:].count("a") for at in range(len(text))], lambda length: "a" * length)
    assert linear(re.compile(r"(\s*;\s*+(a)?)*").fullmatch, lambda length: "; " * length + "!")
    assert linear(str.split, lambda length: "a " * length * 100)
