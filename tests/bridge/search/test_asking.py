"""The arguments of the four tools of search mode."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from openapi_mcp_server.bridge.search import asking
from openapi_mcp_server.errors import ArgumentError


@pytest.mark.parametrize(
    ("kind", "given", "told"),
    [
        (asking.Search, {}, "query is missing; there are query, tag"),
        (asking.Search, {"q": "pets"}, "query is missing, q unknown; there are query"),
        (asking.Search, {"query": ["pets"]}, "query: expected text, got a list"),
        (asking.Search, {"query": "pets", "limit": "ten"}, "limit: expected a number, got text"),
        (asking.Describe, {"name": {"of": "pets"}}, "name: expected text, got an object"),
        (asking.Operate, {"operation_id": "pets"}, "name is missing, operation_id unknown"),
    ],
)
def test_what_is_wrong_is_told_in_words(kind: type[Any], given: Any, told: str) -> None:
    with pytest.raises(ArgumentError) as raised:
        asking.read(kind, msgspec.Raw(msgspec.json.encode(given)))
    assert str(raised.value).startswith(told)


def test_numbers_may_be_text_and_nothing_may_be_null() -> None:
    assert asking.read(asking.Search, msgspec.Raw(b'{"query": "a", "limit": "7", "tag": null}')).limit == 7


def test_a_query_of_any_length_is_looked_at_within_bounds() -> None:
    query = "create an issue " * 100_000
    assert asking.read_search(msgspec.Raw(msgspec.json.encode({"query": query}))).query == query[:2_000]


def test_what_stands_beside_the_name_is_kept() -> None:
    arguments = msgspec.Raw(b'{"name": "get", "id": 7, "response_filter": "a"}')
    asked = asking.operate(arguments)
    assert (asked.name, asked.response_filter) == ("get", "a")
    assert asking.members_beside(arguments) == {"id": msgspec.Raw(b"7")}
