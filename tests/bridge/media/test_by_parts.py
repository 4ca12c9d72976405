"""Large texts and values that are taken in parts: the same comes of them, and the same is refused."""

from __future__ import annotations

import re
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openapi_mcp_server.bridge.media import exact_json
from openapi_mcp_server.bridge.media.by_parts import (
    PART_BYTES,
    count,
    decode_by_parts,
    holds,
    holds_any,
    items,
    take_apart,
    without_escapes,
    without_space,
)

LEAST = 4 * PART_BYTES
ROW = {"id": 7, "text": 'a "},{" \\', "owner": {"id": 1}, "tags": [{"a": 1}, {"b": 2}], "none": None}
ENVELOPES = {
    "array": lambda rows: rows,
    "envelope": lambda rows: {"data": rows, "next": {"page": 2}},
    "envelope of two": lambda rows: {"found": 9, "page": {"first": [], "data": rows}, "more": [{}, {}]},
    "deeper": lambda rows: {"a": {"b": {"c": rows}}},
    "in a row": lambda rows: [{"rows": rows}, {"rows": []}],
    "arrays of rows": lambda rows: [rows[: len(rows) // 2], rows[: len(rows) // 2]],
    "map": lambda rows: {str(number): row for number, row in enumerate(rows)},
    "text": lambda rows: msgspec.json.encode(rows).decode(),
    "rows and others": lambda rows: [*rows, 1, "},{", None, *rows],
}


def rows(row: object) -> list[object]:
    return [row] * (LEAST // len(msgspec.json.encode(row)))


def whole(text: bytes) -> bytes | None:
    return outcome(lambda: msgspec.json.format(text, indent=-1))


def outcome(make) -> bytes | None:
    try:
        return make()
    except msgspec.DecodeError:
        return None


@pytest.mark.parametrize("indent", [-1, 0, 2])
@pytest.mark.parametrize("envelope", ENVELOPES)
def test_white_space_goes_as_it_does_at_once(envelope, indent):
    text = msgspec.json.format(msgspec.json.encode(ENVELOPES[envelope](rows(ROW))), indent=indent)
    assert len(text) > LEAST // 3
    assert without_space(text) == whole(text)


@pytest.mark.parametrize("envelope", ["array", "envelope", "map"])
@pytest.mark.parametrize("broken", [b"", b"}", b"]", b",", b'"', b"},{", b"]}", b"\0"])
@pytest.mark.parametrize("place", [0.0, 0.3, 0.5, 0.9999, 1.0])
def test_what_is_no_json_is_refused_wherever_it_breaks(envelope, broken, place):
    text = msgspec.json.encode(ENVELOPES[envelope](rows(ROW)))
    at = min(int(place * len(text)), len(text) - 1)
    changed = text[:at] + broken + text[at + 1 :]
    assert outcome(lambda: without_space(changed)) == whole(changed)


@pytest.mark.parametrize("item", [b"1", b"{}", b"[]", b'""'])
@pytest.mark.parametrize("read", [decode_by_parts, exact_json.decode, lambda text: list(items(text))])
def test_a_comma_after_the_last_item_is_refused_also_where_a_part_ends(item, read):
    count = (PART_BYTES - 1) // (len(item) + 1)
    for more in range(3):
        text = b"[" + b",".join([item] * (count + more))
        assert len(read(text + b"]")) == count + more
        with pytest.raises(ValueError, match="trailing comma"):
            read(text + b",]")


VALUES = st.recursive(
    st.none() | st.integers(-9, 9) | st.text('},{" \\[]a:', max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('ab},{"', max_size=3), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=60, deadline=None)
@given(row=VALUES.map(lambda value: {"value": value}), envelope=st.sampled_from(sorted(ENVELOPES)))
def test_whatever_a_row_holds(row, envelope):
    text = msgspec.json.encode(ENVELOPES[envelope](rows(row)))
    assert without_space(text) == whole(text)


@pytest.mark.parametrize("envelope", ENVELOPES)
def test_a_large_value_is_read_as_at_once(envelope):
    text = msgspec.json.encode(ENVELOPES[envelope](rows(ROW)))
    assert decode_by_parts(text) == msgspec.json.decode(text)


@settings(max_examples=60, deadline=None)
@given(row=VALUES | st.floats(allow_nan=False, allow_infinity=False))
def test_items_are_found_and_read_as_at_once_whatever_they_hold(row):
    text = msgspec.json.encode(rows(row))
    assert [*items(text)] == msgspec.json.decode(text, type=list[msgspec.Raw])
    assert decode_by_parts(text) == msgspec.json.decode(text)


@pytest.mark.parametrize("envelope", ["array", "envelope", "deeper", "map"])
@pytest.mark.parametrize(
    ("row", "broken"), [(ROW, b"},{"), (ROW, b"\0"), (1.5, b","), ("a, b", b'","'), ([[1, 2]], b"],")], ids=repr
)
def test_large_arguments_are_read_or_refused_with_the_same_words_as_at_once(envelope, row, broken):
    text = msgspec.json.encode(ENVELOPES[envelope](rows(row)[:18_000]))
    at = text.index(b":" if row == ROW else b",", len(text) // 2) + 1
    for each in (text, text[:at] + broken + text[at:], text[:at] + broken + text[at + 1 :]):
        assert said(exact_json.decode, each) == said(msgspec.json.Decoder(float_hook=Decimal).decode, each)


def said(read, text: bytes) -> object:
    try:
        return read(text)
    except ValueError as error:
        return str(error)


def test_a_number_that_is_too_large_is_told_of_large_arguments_too():
    with pytest.raises(ValueError, match="exponent"):
        exact_json.decode(msgspec.json.encode(rows(1.5)[:18_000])[:-1] + b",1e9999]")


@given(
    size=st.integers(0, 3 * PART_BYTES), at=st.integers(0, 3 * PART_BYTES), piece=st.sampled_from([b"a", b"ab", b"abc"])
)
def test_a_piece_is_found_and_counted_wherever_it_is(size, at, piece):
    text = b"." * size
    assert (holds(text, piece), count(text, b"a")) == (False, 0)
    text = text[:at] + piece + text[at:]
    assert (holds(text, piece), count(text, b"a")) == (True, 1)


@given(
    size=st.integers(0, 3 * PART_BYTES),
    at=st.integers(0, 3 * PART_BYTES),
    piece=st.sampled_from([b"a", b"aaa", b"bAB", b"AbAbAb"]),
)
def test_one_of_some_pieces_is_found_wherever_it_is_and_however_it_is_written(size, at, piece):
    alike = bytes.maketrans(b"AB", b"ab")
    text = b"." * size
    assert not holds_any(text, (b"xx", piece.lower()), alike)
    assert holds_any(text[:at] + piece + text[at:], (b"xx", piece.lower()), alike)


@pytest.mark.parametrize("envelope", ["array", "envelope"])
def test_what_is_taken_apart_keeps_no_row(envelope):
    value = ENVELOPES[envelope]([dict(ROW) for _ in range(1_000)])
    take_apart(value)
    assert value in ([], {"data": [], "next": {"page": 2}})


@pytest.mark.parametrize("envelope", ENVELOPES)
def test_a_large_value_is_written_as_at_once(envelope):
    value = ENVELOPES[envelope](rows(ROW))
    assert exact_json.encode_by_parts(value) == exact_json.encode(value)


@given(value=VALUES, times=st.integers(0, 1_100))
def test_a_value_is_written_as_at_once_whatever_it_holds(value, times):
    many = {"many": [value] * times, "named": {str(number): value for number in range(times)}}
    for each in (value, many, [many, value], [value] * times):
        assert exact_json.encode_by_parts(each) == exact_json.encode(each)


def test_a_name_that_is_twice_in_a_large_object_is_found():
    text = msgspec.json.encode({"rows": rows(ROW)[:2_000], "id": 1})
    exact_json.decode(text)
    with pytest.raises(ValueError, match="twice"):
        exact_json.decode(text[:-1] + b',"id":2}')


@given(st.lists(st.sampled_from(["\\", '"', "a", "é", "\\u0022"]), max_size=8), st.integers(0, 12))
def test_a_text_without_escapes_has_the_same_strings(pieces, at):
    value = ["x" * (PART_BYTES - at) + "".join(pieces) * 3, "".join(pieces)]
    left = without_escapes(msgspec.json.encode(value))
    assert [*re.findall(rb'"([^"]*)"', left)] == [each.replace("\\", "").replace('"', "").encode() for each in value]


def test_a_large_text_that_is_compact_is_passed_on_and_not_copied() -> None:
    text = msgspec.json.encode([{"id": number, "name": "Rex"} for number in range(20_000)])
    assert without_space(text) is text
