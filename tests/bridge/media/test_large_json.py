"""JSON too large to be decoded: recognized by its values, not by its text, and taken apart as a decoder would."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openapi_mcp_server.bridge.media.exact_json import decode
from openapi_mcp_server.bridge.media.large_json import MAX_VALUES, entries, is_large

HALF = MAX_VALUES // 2
texts = st.text(max_size=8) | st.sampled_from(['"', "\\", '",[{}]:', '\\"', "\u2028😀"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=30,
)


def deep(levels: int) -> str:
    return "[" * levels + "]" * levels


@given(st.lists(values, max_size=8))
def test_the_items_of_an_array_are_those_of_a_decoder(items: list[Any]) -> None:
    found = [msgspec.json.decode(item) for _, item in entries(memoryview(msgspec.json.encode([*items, 0])))]
    assert found == [*items, 0]


@given(st.dictionaries(texts, values, max_size=8))
def test_the_members_of_an_object_are_those_of_a_decoder(members: dict[str, Any]) -> None:
    whole = {**members, "last": 0}
    found = list(entries(memoryview(msgspec.json.encode(whole))))
    assert {msgspec.json.decode(key[:-1]): msgspec.json.decode(value) for key, value in found} == whole
    assert all(key.endswith(b":") for key, _ in found)


def test_deep_values_are_passed_over_like_others() -> None:
    array = f"[{deep(40)},{deep(3)},[1,{deep(20)},2],4]".encode()
    assert [len(bytes(item)) for _, item in entries(memoryview(array))] == [80, 6, 46, 1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[" + "1," * (MAX_VALUES - 2) + "1]", False),
        ("[" + "1," * MAX_VALUES + "1]", True),
        ("[" + "[]," * HALF + "1]", True),
        ("{" + '"a":1,' * HALF + '"b":2}', True),
        ('{"table":"' + "1,2:3[{" * MAX_VALUES + '"}', False),
        ('["' + '\\",' * MAX_VALUES + '"]', False),
        ('["' + "," * MAX_VALUES, False),
    ],
    ids=["few", "many numbers", "lists", "members", "the text of a table", "escaped quotes", "an open string"],
)
def test_it_is_large_by_its_values_and_not_by_its_text(text: str, expected: bool) -> None:
    assert is_large(text.encode()) is expected


def test_arguments_with_too_many_values_are_refused_before_they_are_decoded() -> None:
    with pytest.raises(ValueError, match="more than 200,000 names and values"):
        decode(b'{"a":[' + b"1," * MAX_VALUES + b"1]}")
