"""Prose from documents: no markup, nothing invisible, never longer than its limit."""

from __future__ import annotations

import sys
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openapi_mcp_server.bridge.text import (
    DESCRIPTION_LIMIT,
    INVISIBLE,
    MARKS,
    description,
    line,
    shorten,
    title,
    visible,
)
from openapi_mcp_server.openapi.model import MediaType, Operation, Response

VISIBLE_FORMAT = {  # Cf, yet drawn: Arabic and Syriac number and verse signs
    *range(0x600, 0x606), 0x6DD, 0x890, 0x891, 0x8E2,
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        pytest.param("List pets", "List pets", id="plain"),
        pytest.param("  a\n\n b\t c ", "a b c", id="white space"),
        pytest.param("<p>A <b>bold</b> word.</p><p>Next</p>", "A bold word. Next", id="HTML"),
        pytest.param("a<br/>b", "a b", id="line break"),
        pytest.param(
            "GET /a/<id> where a < b > c", "GET /a/<id> where a < b > c", id="angle brackets that are no tags"
        ),
        pytest.param("see [the docs](https://x.example/a_(b)) now", "see the docs now", id="link with parentheses"),
        pytest.param("see [the docs](https://x.example) now", "see the docs now", id="link"),
        pytest.param('![a cat](cat.png "title") sits', "a cat sits", id="image"),
        pytest.param("# Head\n**Note**: x", "Head Note: x", id="heading and emphasis"),
        pytest.param("| a | b |\n|---|:--|\n| 1 | 2 |", "| a | b | | 1 | 2 |", id="table"),
        pytest.param("```json\n{}\n```", "{}", id="code fence"),
        pytest.param("`a` &amp; `b`", "`a` & `b`", id="entity"),
        pytest.param("__init__ and *args", "__init__ and *args", id="code that looks like markup"),
        pytest.param("cafe\u0301", "café", id="composed"),
        pytest.param("a\u202eb\u2066c", "abc", id="bidirectional"),
        pytest.param("x\U000e0041\U000e0042y", "xy", id="tags"),
        pytest.param("x\ufe0f\U000e0100y", "xy", id="variation selectors"),
        pytest.param("x\u200b\u200d\ufeffy", "xy", id="zero width"),
        pytest.param("x\x00\x1b[31my\r\nz", "x[31my z", id="controls"),
        pytest.param("&#x202e;evil&#xE0041;", "evil", id="invisible as entity"),
        pytest.param("日本語 und Ümläute", "日本語 und Ümläute", id="other alphabets stay"),
    ],
)
def test_prose_becomes_one_clean_line(text, clean):
    assert line(text, 1000) == clean


def test_what_is_removed_is_what_unicode_calls_control_format_private_or_ignorable():
    must_go = {
        code
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)) in {"Cc", "Cf", "Co", "Cs"} and chr(code) not in "\t\n\r"
    } - VISIBLE_FORMAT
    kept = sorted(code for code in must_go if INVISIBLE.fullmatch(chr(code)) is None)
    assert [hex(code) for code in kept] == []


def test_nothing_else_that_is_assigned_is_removed_but_fillers_and_selectors():
    ignorable = {0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), 0x3164, *range(0xFE00, 0xFE10), 0xFFA0}
    ignorable |= set(range(0xE0100, 0xE01F0))
    removed = {
        code
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)) not in {"Cc", "Cf", "Co", "Cs", "Cn"} and INVISIBLE.fullmatch(chr(code))
    }
    assert sorted(map(hex, removed - ignorable - {0xFFFC, 0xFFFD})) == []


@given(st.text(), st.integers(2, 50))
def test_a_line_is_within_its_limit_and_cleaning_it_again_changes_nothing_that_is_seen(text, limit):
    once = line(text, limit)
    assert len(once) <= limit
    assert visible(once) == once
    assert once == " ".join(once.split())


def test_what_is_cut_ends_with_an_ellipsis_between_words():
    assert shorten("one two three four", 15) == "one two three…"
    assert shorten("a" * 20, 10) == "a" * 9 + "…"


@pytest.mark.parametrize(
    "noise",
    ["x", "<!--", "[", "- ", "-", " ", "|", "](", "](a", "&", "<a ", "*", "&#x202e;"],
    ids=lambda noise: noise.strip(),
)
def test_megabytes_of_any_noise_cost_next_to_nothing(noise):
    before = time.process_time()
    line(noise * 1_000_000 + "x", DESCRIPTION_LIMIT)
    assert time.process_time() - before < 0.3


def answer(status: str, media_type: str | None = None) -> Response:
    media = () if media_type is None else (MediaType(pointer="", name=media_type, schema=None),)
    return Response(pointer="", status=status, description="", media=media)


def operation(**fields: object) -> Operation:
    return Operation(pointer="#/paths/~1pets/get", method="GET", path="/pets", **fields)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        pytest.param({"summary": "List", "description": "All of them."}, "List. All of them.", id="both"),
        pytest.param({"summary": "List all", "description": "List all pets."}, "List all pets.", id="said twice"),
        pytest.param({"summary": "List"}, "List", id="summary alone"),
        pytest.param({}, "GET /pets", id="neither"),
        pytest.param({"summary": "List", "deprecated": True}, "List. Deprecated.", id="deprecated"),
        pytest.param(
            {"summary": "Draw", "responses": (answer("200", "image/png"),)}, "Draw. Answers image/png.", id="image"
        ),
        pytest.param(
            {"summary": "Draw", "responses": (answer("404"), answer("default", "text/csv"))},
            "Draw. Answers text/csv.",
            id="the default is the success",
        ),
        pytest.param(
            {"summary": "Draw", "responses": (answer("302"), answer("default", "text/csv"))},
            "Draw",
            id="the default is no success beside a redirect",
        ),
        pytest.param(
            {"summary": "List", "responses": (answer("200", "application/json"),)}, "List", id="JSON goes unsaid"
        ),
        pytest.param(
            {"summary": "Go", "responses": (answer("200"), answer("202"))},
            "Go. An answer 202 means accepted, not done.",
            id="accepted",
        ),
    ],
)
def test_a_description_says_what_the_schema_does_not(fields, told):
    assert description(operation(**fields)) == told


def test_a_description_keeps_its_facts_when_prose_is_cut():
    told = description(operation(description="word " * 10_000, deprecated=True))
    assert len(told) <= DESCRIPTION_LIMIT
    assert told.endswith("… Deprecated.")


def test_a_title_is_the_summary_in_one_line():
    assert title(operation(summary="List\n<b>pets</b>")) == "List pets"


@pytest.mark.parametrize("letter", ["a", "é", "ก", "\U0001f600"])
def test_a_letter_keeps_as_many_marks_as_any_has(letter: str) -> None:
    marks = "\u0323" * MARKS
    assert visible(letter + marks + "x") == unicodedata.normalize("NFC", letter + marks + "x")
    assert len(visible(letter + "\u0315\u0300" * 4_000)) <= 1 + MARKS


def test_a_row_of_boxes_is_no_row_of_marks() -> None:
    assert visible("═" * 200 + "…" * 50) == "═" * 200 + "…" * 50


@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_ordinary_text_is_only_put_into_nfc(written: str) -> None:
    assert visible(written) == unicodedata.normalize("NFC", INVISIBLE.sub("", written))
