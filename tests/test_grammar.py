"""What is a token, a field value, a cookie value, and which segments of a path lead upwards."""

from __future__ import annotations

import re
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openapi_mcp_server import grammar
from openapi_mcp_server.bridge.parameters.percent import fully_decoded

VISIBLE = [chr(code) for code in range(0x21, 0x7F)]


def test_a_token_is_what_rfc_9110_says() -> None:
    separators = set('"(),/:;<=>?@[\\]{}')
    assert {one for one in map(chr, range(0x100)) if grammar.is_token(one)} == set(VISIBLE) - separators
    assert not grammar.is_token("")


def test_a_cookie_value_is_cookie_octets() -> None:
    assert {one for one in map(chr, range(0x100)) if grammar.is_cookie_value(one)} == set(VISIBLE) - set('",;\\')
    assert grammar.is_cookie_value("")


@pytest.mark.parametrize(
    ("text", "is_value", "is_obsolete"),
    [
        ("", True, False),
        ("a", True, True),
        ("a  b", True, True),
        ("a\tb", False, True),
        ("caf\xe9", False, True),
        (" a", False, False),
        ("a ", False, False),
        ("a\r\nb", False, False),
        ("\u20ac", False, False),
    ],
)
def test_field_values_with_and_without_obsolete_text(text: str, is_value: bool, is_obsolete: bool) -> None:
    assert (grammar.is_field_value(text) is not None) is is_value
    assert (grammar.is_obsolete_field_value(text) is not None) is is_obsolete


@pytest.mark.parametrize(
    "segment",
    [
        ".", "..", "%2e%2E", "%252e.", "..%20", ".%20%20", "..%09", "\uff0e\uff0e", "\u2024\u2024", "\u2025",
        "%ef%bc%8e.", "%c0%ae%c0%ae", "%C0%AE.", "%e0%80%ae.", "%f0%80%80%ae.", "..;x=1", "..%5c", "a%5c..%5cb",
        "a%2f..", "a%c0%af..", "a\uff0f..", "a\uff3c..", "a%c1%9c..",
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["{}", "/a/{}", "/{}/b"])
def test_a_segment_that_some_server_takes_for_a_dot_segment_is_one(segment: str, path: str) -> None:
    assert grammar.has_dot_segment(fully_decoded(path.format(segment)))


@pytest.mark.parametrize(
    "segment", ["...", "a..", "..a", ".a", "a.b", "a%20..", "%20", "1\uff0e5", "a\u2025", ".well-known"]
)
def test_dots_among_other_characters_are_ordinary(segment: str) -> None:
    assert not grammar.has_dot_segment(fully_decoded(f"/a/{segment}/b"))


@given(st.text('ab\\"', max_size=12), st.sampled_from([r'[^"\\]++|\\.', "a|ba", "ab?", "(?:a|b){2}"]))
def test_any_number_of_a_pattern_is_what_a_group_repeated_is(text: str, pattern: str) -> None:
    once, many = re.compile(f"(?>(?:{pattern})*)", re.DOTALL), re.compile(grammar.any_number_of(pattern), re.DOTALL)
    for given_text in (text, text * 500):
        assert many.match(given_text).span() == once.match(given_text).span()  # type: ignore[union-attr]  # always one


def test_any_number_of_a_pattern_keeps_little_memory() -> None:
    tracemalloc.start()
    try:
        assert re.compile(f'"{grammar.IN_STRING}"', re.DOTALL).fullmatch('"' + "\\n" * 500_000 + '"')
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()
