"""The table of styles: every row by its own columns, lists within lists and objects, and paths of several segments."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openapi_mcp_server.bridge.parameters import table
from openapi_mcp_server.bridge.parameters.table import ROWS, Place, Styled
from openapi_mcp_server.errors import ArgumentError
from openapi_mcp_server.openapi.model import Style

COLORS = ["blue", "black", "brown"]
NAMED = [key for key, row in ROWS.items() if row.named and not row.nested]
TEXTS = [key for key, row in ROWS.items() if not row.named]


def styled(style: Style, *, explode: bool, **more: Any) -> Styled:
    return Styled(name="color", style=style, explode=explode, **more)


def written(place: Place, style: Style, value: Any, *, explode: bool, **more: Any) -> str:
    return table.text(place, styled(style, explode=explode, **more))(value)


@pytest.mark.parametrize("place_and_style", ROWS)
def test_what_stands_between_members_is_the_cells_of_the_row(place_and_style: tuple[Place, Style]) -> None:
    place, style = place_and_style
    row = ROWS[place_and_style]
    if row.nested:
        return
    name = "color=" if row.named else ""
    assert written(place, style, COLORS, explode=False) == row.first + name + row.delimiter.join(COLORS)
    assert written(place, style, COLORS, explode=True) == row.first + row.between.join(name + each for each in COLORS)
    empty = f"{row.first}color{row.if_empty}" if row.named else row.first
    assert written(place, style, "", explode=True) == empty


@pytest.mark.parametrize("place_and_style", NAMED)
def test_a_list_in_an_exploded_object_repeats_the_name(place_and_style: tuple[Place, Style]) -> None:
    place, style = place_and_style
    pairs = table.named(place, styled(style, explode=True))
    assert pairs({"R": ["a", "b"], "G": "c", "B": []}) == [("R", "a"), ("R", "b"), ("G", "c")]


@pytest.mark.parametrize(
    ("place", "outer", "explode", "inner", "text"),
    [
        ("query", "pipeDelimited", False, ("form",), "color=a,b%7Cc"),
        ("query", "form", True, ("form",), "color=a,b&color=c"),
        ("query", "form", True, ("pipeDelimited",), "color=a%7Cb&color=c"),
        ("query", "form", False, ("tsv",), "color=a%09b,c"),
        ("path", "spaceDelimited", False, ("simple",), "a,b%20c"),
        ("header", "simple", False, ("pipeDelimited",), "a|b,c"),
        ("part", "form", False, ("spaceDelimited",), "color=a b,c"),
    ],
)
def test_a_list_in_a_list_has_a_delimiter_of_its_own(
    place: Place, outer: Style, explode: bool, inner: tuple[Style, ...], text: str
) -> None:
    assert written(place, outer, [["a", "b"], ["c"]], explode=explode, inner=inner) == text


def test_lists_three_deep_have_three_delimiters() -> None:
    value = [[["a", "b"], ["c"]], [["d"]]]
    text = written("query", "pipeDelimited", value, explode=False, inner=("spaceDelimited", "form"))
    assert text == "color=a,b%20c%7Cd"


def test_lists_that_could_not_be_told_apart_again_are_refused() -> None:
    with pytest.raises(ArgumentError, match="separates this list's members"):
        written("query", "form", [["a", "b"], ["c"]], explode=False, inner=("form",))


@given(st.lists(st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=2), min_size=2))
def test_a_list_of_lists_is_read_back(value: list[list[str]]) -> None:
    text = written("query", "form", value, explode=True, inner=("form",))
    lists = [piece.removeprefix("color=").split(",") for piece in text.split("&")]
    assert [[unquote(each) for each in members] for members in lists] == value


@pytest.mark.parametrize(
    ("value", "allow_reserved", "text"),
    [
        ("a/b", False, "a/b"),
        ("projects/x y/é", False, "projects/x%20y/%C3%A9"),
        ("a?b/c#d", False, "a%3Fb/c%23d"),
        ("a%2Fb/c", False, "a%252Fb/c"),
        ("a%2Fb/c:d", True, "a%2Fb/c:d"),
    ],
)
def test_a_value_of_several_segments_keeps_its_slashes_alone(value: str, allow_reserved: bool, text: str) -> None:
    more = {"spans_segments": True, "allow_reserved": allow_reserved}
    assert written("path", "simple", value, explode=False, **more) == text
