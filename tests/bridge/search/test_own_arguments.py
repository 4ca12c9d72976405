"""The arguments of an operation within those of ``call_operation``."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from descriptions import JSON, body, catalog, media, operation, parameter
from openapi_mcp_server.bridge.search.own_arguments import own_arguments

CLOSED = operation("GET", "/repos/{owner}/{repo}", operation_id="get", parameters=(
    parameter("owner", "path"), parameter("repo", "path"), parameter("state", "query"),
))  # fmt: skip
OPEN = operation(
    "POST",
    operation_id="make",
    body=body(media(JSON, {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]})),
)
TOOLS = catalog(CLOSED, OPEN).tools
RIGHT = {"owner": "o", "repo": "r"}


def own(given: Any, name: str = "get", beside: dict[str, Any] | None = None) -> Any:
    others = {each: msgspec.Raw(msgspec.json.encode(value)) for each, value in (beside or {}).items()}
    return msgspec.json.decode(own_arguments(TOOLS[name], name, msgspec.Raw(msgspec.json.encode(given)), others))


@pytest.mark.parametrize(
    "given",
    [
        RIGHT,
        '{"owner": "o", "repo": "r"}',
        ' {"owner":"o",\n"repo":"r"} ',
        msgspec.json.encode('{"owner": "o", "repo": "r"}').decode(),
        '```json\n{"owner": "o", "repo": "r"}\n```',
        {"arguments": RIGHT},
        {"name": "get", "arguments": RIGHT},
        {"name": "get", "arguments": '{"owner": "o", "repo": "r"}'},
        {"parameters": RIGHT},
        {"path": RIGHT, "query": {}},
        {"path": {"owner": "o"}, "query": {"repo": "r"}},
        {"request": {"path": RIGHT}},
    ],
)
def test_one_object_is_made_of_what_is_given(given: Any) -> None:
    assert own(given) == RIGHT


@pytest.mark.parametrize("nothing", [{}, "", "{}", None])
def test_what_stands_beside_the_name_counts_where_nothing_else_is_given(nothing: Any) -> None:
    assert own(nothing, beside=RIGHT) == RIGHT
    assert own(nothing, beside={"params": RIGHT}) == RIGHT


def test_an_argument_beside_the_others_is_one_of_them_unless_they_have_it() -> None:
    assert own({"owner": "o"}, beside={"repo": "r", "owner": "x", "thought": "…"}) == RIGHT


@pytest.mark.parametrize(
    "given",
    [
        {"owner": "o", "other": {"owner": "x", "repo": "r"}},  # which of the two is meant is not known
        {"owner": "o", "repo": "r", "labels": ["a"]},
        {"name": "another", "arguments": {"unknown": 1}},
        {"a": {"b": {"c": {"d": RIGHT}}}},
        [RIGHT],
        5,
    ],
)
def test_what_cannot_be_read_as_one_object_is_left_to_be_refused(given: Any) -> None:
    assert own(given) == given


def test_what_a_body_takes_is_left_in_it_under_any_name() -> None:
    assert own({"title": "a", "more": {"title": "b"}}, "make") == {"title": "a", "more": {"title": "b"}}
    assert own({"body": {"title": "b"}}, "make") == {"title": "b"}


def test_numbers_keep_their_spelling() -> None:
    given = msgspec.Raw(b'{"path": {"owner": 1.50, "repo": 12345678901234567890123}}')
    assert own_arguments(TOOLS["get"], "get", given, {}) == b'{"owner":1.50,"repo":12345678901234567890123}'


@pytest.mark.parametrize("half", [b'"\\ud800"', b'"\\ud800 and more text"', b'"{\\udc00}"'])
def test_half_of_a_character_is_no_text(half: bytes) -> None:
    assert own_arguments(TOOLS["get"], "get", msgspec.Raw(half), {}) == half
