"""Rows of a long answer lose detail before any of them goes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from answers import answer, texts, tool
from openapi_mcp_server.bridge.results.detail import DETAIL_BYTES, DETAIL_VALUES, reduced
from openapi_mcp_server.bridge.results.result import render
from openapi_mcp_server.bridge.results.shown_size import result_size

OWNER = {
    "login": "mia", "id": 7, "node_id": "x" * 20, "avatar_url": "https://a.example/" + "y" * 40,
    "plan": {"name": "pro", "limits": {"id": 1, "seats": {"free": 1, "used": [1, 2]}}},
}  # fmt: skip
ROW = {
    "id": 1, "price": msgspec.Raw(b"1.10"), "url": "https://a.example/" + "z" * 40, "title": "A title",
    "body": "b" * 500, "closed_at": None, "labels": [], "owner": OWNER,
}  # fmt: skip


def rows(count: int, **envelope: Any) -> bytes:
    listed = [{**ROW, "id": number} for number in range(count)]
    return msgspec.json.encode({"items": listed, **envelope} if envelope else listed)


def first_row(room: int, **envelope: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    found = reduced(rows(30, **envelope), room)
    assert found is not None
    value = msgspec.json.decode(found.json)
    listed = value["items"] if envelope else value
    assert [row["id"] for row in listed] == list(range(30))
    return listed[0], found.said


def test_empty_members_go_first() -> None:
    row, said = first_row(len(rows(30)) - 1)
    assert said == ("empty members",)
    assert row.keys() == ROW.keys() - {"closed_at", "labels"}


def test_then_links_of_nested_objects_then_the_ends_of_texts() -> None:
    row, said = first_row(18_000)
    assert said[1:] == ("links of nested objects", "the ends of texts of over 300 characters")
    assert "avatar_url" not in row["owner"]
    assert row["url"] == ROW["url"]
    assert row["body"] == "b" * 300 + "…"


def test_at_last_a_row_is_its_own_short_members_and_who_is_in_it() -> None:
    row, said = first_row(1)
    assert row["owner"] == {"id": 7, "login": "mia"}
    assert "url" not in row
    assert row["body"] == "b" * 80 + "…"
    assert said[-1] == "the ends of texts of over 80 characters"


def test_numbers_stay_as_they_were_written() -> None:
    found = reduced(rows(30), 1)
    assert found is not None
    assert found.json.count(b'"price":1.10') == 30


def test_the_envelope_of_rows_stays_whole() -> None:
    whole = rows(30, next="https://a.example/" + "p" * 500, empty=None)
    found = reduced(whole, 1)
    assert found is not None
    value = msgspec.json.decode(found.json)
    assert (value["next"], value["empty"]) == ("https://a.example/" + "p" * 500, None)


@pytest.mark.parametrize("value", [{"a": "x" * 900}, [1] * 900, ["x" * 50] * 90, "x" * 900, [{"a": 1}], 7])
def test_what_has_no_rows_is_left_to_be_cut(value: object) -> None:
    assert reduced(msgspec.json.encode(value), 10) is None


def test_an_answer_that_takes_long_is_not_looked_into() -> None:
    assert reduced(b'[{"a":null},{"a":null}' + b" " * DETAIL_BYTES + b"]", 10) is None
    assert reduced(b'[{"a":null}' + b",{}" * (DETAIL_VALUES // 2) + b"]", 10) is None  # 1.4 µs a byte


def test_the_note_says_what_every_row_is_without() -> None:
    result = render(tool(), answer(rows(30), "application/json"), budget_bytes=20_000)
    first, about = texts(result)
    assert len(msgspec.json.decode(first)) == 30
    assert len(first) <= 20_000
    assert "Every row is here, without empty members, links of nested objects" in about


def test_rows_go_where_less_detail_is_not_enough() -> None:
    result = render(tool(), answer(rows(300), "application/json"), budget_bytes=20_000)
    first, about = texts(result)
    assert len(msgspec.json.decode(first)) > 50
    assert "of 300 items" in about
    assert "Its rows are without empty members" in about


@pytest.mark.parametrize(
    ("budget_bytes", "said"), [(40_000, {}), (48_000, {}), (100_000, 102_000), (10**8, 500_000), (0, 500_000)]
)
def test_clients_are_told_of_results_that_are_longer_than_they_expect(budget_bytes: int, said: Any) -> None:
    assert result_size(budget_bytes) == (said if said == {} else {"anthropic/maxResultSizeChars": said})
