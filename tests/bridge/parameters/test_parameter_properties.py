"""Parameters read back by a reader written from the RFCs, and what no value can do to a request."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from openapi_mcp_server.errors import ArgumentError
from openapi_mcp_server.openapi.model import Style
from parameters import encode


# An independent reader, written from RFC 3986 section 2.1 and the WHATWG URL Standard section 5.1.
def decoded(text: str, *, form: bool = False) -> str:
    octets = bytearray()
    rest = (text.replace("+", " ") if form else text).encode("ascii")
    while rest:
        if rest[:1] == b"%" and re.fullmatch(rb"[0-9A-Fa-f]{2}", rest[1:3]):
            octets.append(int(rest[1:3], 16))
            rest = rest[3:]
        else:
            octets += rest[:1]
            rest = rest[1:]
    return octets.decode("utf-8")


def pieces(query: str) -> list[tuple[str, str, str]]:
    return [piece.partition("=") for piece in query.split("&") if piece]


def read_query(query: str) -> list[tuple[str, str]]:
    return [(decoded(name, form=True), decoded(value, form=True)) for name, _, value in pieces(query)]


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    ["&a=1", "#", "?", "../..", "a,b|c d", "%26"]
)
LISTS = st.lists(TEXT, min_size=1, max_size=4)
OBJECTS = st.dictionaries(TEXT, TEXT, min_size=1, max_size=4)
bounded = settings(max_examples=150)


@bounded
@given(TEXT, LISTS, OBJECTS)
def test_an_independent_reader_reads_back_a_query(text: str, items: list[str], members: dict[str, str]) -> None:
    assert read_query(encode(text, "query")) == [("color", text)]
    assert read_query(encode(items, "query")) == [("color", item) for item in items]
    assert read_query(encode(members, "query")) == list(members.items())
    [(name, _, value)] = [encode(items, "query", explode=False).partition("=")]
    assert (name, [decoded(item) for item in value.split(",")]) == ("color", items)


@bounded
@given(OBJECTS.filter(lambda members: not any(set("[]") & set(key) for key in members)), LISTS)
def test_an_independent_reader_reads_back_deep_objects(members: dict[str, str], items: list[str]) -> None:
    query = encode({"inner": members, "items": items}, "query", "deepObject")
    expected = [(f"color[inner][{key}]", value) for key, value in members.items()]
    assert read_query(query) == expected + [("color[items][]", item) for item in items]


@bounded
@given(TEXT)
@example("%80")  # stays as it is (RFC 6570 section 3.2.3), although no UTF-8 begins so
def test_allow_reserved_neither_adds_a_parameter_nor_ends_the_query(text: str) -> None:
    query = encode(text, "query", allow_reserved=True)
    assert re.fullmatch(r"color=[!-~]*", query)
    assert not set("#&+[]") & set(query)
    assert [name for name, _, _ in pieces(query)] == ["color"]


@bounded
@given(TEXT, LISTS, st.booleans())
def test_a_path_value_is_one_segment_or_refused(text: str, items: list[str], allow_reserved: bool) -> None:
    for value, style in ((text, "simple"), (items, "simple"), (text, "label"), (text, "matrix")):
        try:
            segment = encode(value, "path", style, explode=False, allow_reserved=allow_reserved)
        except ArgumentError:
            continue
        assert re.fullmatch(r"[A-Za-z0-9._~%:@!$&'()*+,;=-]+", segment)
        assert decoded(segment) not in {".", ".."}
        if style == "simple" and not allow_reserved:
            assert [decoded(part) for part in segment.split(",")] == (value if isinstance(value, list) else [value])


@bounded
@given(TEXT | LISTS | OBJECTS, st.booleans())
def test_a_header_value_is_what_was_given_or_refused(value: Any, explode: bool) -> None:
    try:
        text = encode(value, "header", "simple", explode)
    except ArgumentError:
        return
    assert re.fullmatch(r"[ -~]*", text)
    assert text == text.strip()
    if isinstance(value, str):
        assert text == value


@bounded
@given(TEXT | LISTS | OBJECTS, st.sampled_from(["form", "cookie"]), st.booleans())
def test_cookies_hold_nothing_that_ends_them(value: Any, style: Style, explode: bool) -> None:
    try:
        text = encode(value, "cookie", style, explode)
    except ArgumentError:
        return
    count = len(value) if explode and not isinstance(value, str) else 1
    assert len(text.split("; ")) == count
    assert re.fullmatch(r"[!#-:<-\[\]-~]*", text.replace("; ", ""))


def read_list(text: str, delimiter: str) -> list[str]:
    return [decoded(part) for part in text.split(delimiter)]


def read_pairs(text: str, delimiter: str) -> list[tuple[str, str]]:
    pieces = [piece.partition("=") for piece in text.split(delimiter)]
    return [(decoded(name), decoded(value)) for name, _, value in pieces]


@bounded
@given(LISTS, OBJECTS)
def test_an_independent_reader_reads_back_every_style_of_a_path(items: list[str], members: dict[str, str]) -> None:
    flat = [text for pair in members.items() for text in pair]
    cases: list[tuple[Style, bool, Any, Any]] = [
        ("simple", True, members, lambda text: read_pairs(text, ",") == list(members.items())),
        ("simple", False, members, lambda text: read_list(text, ",") == flat),
        ("label", True, items, lambda text: read_list(text.removeprefix("."), ".") == items),
        ("label", False, items, lambda text: read_list(text.removeprefix("."), ",") == items),
        ("label", True, members, lambda text: read_pairs(text.removeprefix("."), ".") == list(members.items())),
        ("matrix", True, items, lambda text: read_pairs(text[1:], ";") == [("color", item) for item in items]),
        ("matrix", False, items, lambda text: read_list(text.partition("=")[2], ",") == items),
        ("matrix", True, members, lambda text: read_pairs(text[1:], ";") == list(members.items())),
    ]
    for style, explode, value, is_read_back in cases:
        try:
            text = encode(value, "path", style, explode)
        except ArgumentError:
            continue
        assert is_read_back(text), (style, explode, text)


@bounded
@given(LISTS, st.sampled_from([("spaceDelimited", "%20"), ("pipeDelimited", "%7C"), ("tsv", "%09")]))
def test_an_independent_reader_reads_back_delimited_lists(items: list[str], style: tuple[Style, str]) -> None:
    name, delimiter = style
    try:
        text = encode(items, "query", name, explode=False)
    except ArgumentError:
        assert any(decoded(delimiter) in item for item in items)
        return
    assert read_list(text.removeprefix("color="), delimiter) == items


@bounded
@given(LISTS, OBJECTS)
def test_an_independent_reader_reads_back_headers_and_cookies(items: list[str], members: dict[str, str]) -> None:
    try:
        assert encode(items, "header", "simple", explode=False).split(",") == items
    except ArgumentError:
        assert any(not re.fullmatch("[!-~]([ -~]*[!-~])?|", item) or "," in item for item in items)
    assert read_pairs(encode(items, "cookie"), "; ") == [("color", item) for item in items]
    assert read_pairs(encode(members, "cookie"), "; ") == list(members.items())
    assert read_list(encode(items, "cookie", explode=False).removeprefix("color="), ",") == items
