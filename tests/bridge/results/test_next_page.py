"""Following what an answer says of the next page visits every row once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from answers import answer, paged, texts
from descriptions import JSON, body, media, operation, parameter
from descriptions import answer as response
from descriptions import tool as described
from openapi_mcp_server.bridge.http_messages import HttpResponse
from openapi_mcp_server.bridge.model import Tool
from openapi_mcp_server.bridge.results.next_page import following
from openapi_mcp_server.bridge.results.result import NEXT, render
from openapi_mcp_server.mcp.messages import ToolResult

Asked = Mapping[str, object]
Row = dict[str, object]


def said(result: ToolResult) -> Any:
    """The arguments that the result names, after making sure that its text names them too."""
    way = (result.meta or {}).get(NEXT)
    told = ", ".join(f"{name}={msgspec.json.encode(value).decode()}" for name, value in (way or {}).items())
    assert ("call again with " + told) in "\n".join(texts(result)[1:]) if way else True
    return way


def test_a_cut_answer_that_calls_itself_page_zero_is_gone_on_from_there() -> None:
    sent = {"content": [{"id": each} for each in "abcd" * 20], "number": 0}
    result = render(paged("page", "size"), answer(msgspec.json.encode(sent), JSON), budget_bytes=600)
    kept = len(shown_rows(result))
    assert said(result) == {"size": kept, "page": 1}


def shown_rows(result: ToolResult) -> list[Row]:
    return msgspec.json.decode(texts(result)[0])["content"]


def test_an_address_says_the_page_where_that_is_declared_as_text() -> None:
    rows = operation(parameters=(parameter("page"),), responses=(response("200", media(JSON, {})),))
    result = render(described(rows), answer(b'{"next":"/y?page=2"}', JSON))
    assert said(result) == {"page": 2}


def test_pages_may_begin_with_zero() -> None:
    pages = msgspec.structs.replace(paged("page", "limit").paging, first_page=0)
    assert str(following(pages, {}, 5, 30)) == "limit=5, page=1"
    assert str(following(pages, {"page": 2, "limit": 30}, 12, 30)) == "limit=12, page=6"


def test_pages_that_a_token_leads_through_are_asked_for_again_in_less() -> None:
    pages = paged("Page", "PageSize", "PageToken").paging
    assert following(pages, {}, 5, 30) == ({"PageSize": 5}, True)


@pytest.mark.parametrize(
    ("names", "asked", "kept", "expected"),
    [
        (["offset"], {}, 5, "offset=5"),
        (["offset", "limit"], {"offset": 40}, 5, "offset=45"),
        (["startIndex"], {}, 5, "startIndex=6"),
        (["per_page", "page"], {}, 5, "per_page=5, page=2"),
        (["per_page", "page"], {"per_page": 30, "page": 3}, 10, "per_page=10, page=8"),
        (["per_page", "page"], {"per_page": 30, "page": 3}, 12, "per_page=12, page=7"),
        (["per_page", "page"], {"page": 3}, 10, "None"),
        (["per_page", "page"], {"page": 0}, 10, "None"),
        (["per_page", "page"], {"per_page": 31, "page": 2}, 10, "None"),
        (["page"], {}, 5, "None"),
        (["offset"], {}, 0, "None"),
        (["starting_after", "limit"], {}, 5, 'starting_after="r5"'),
        (["after"], {}, 5, 'after="r5"'),
        (["after", "before"], {}, 5, "None"),
        (["after", "before", "limit"], {}, 5, "limit=5"),
        (["cursor", "limit"], {}, 5, "limit=5"),
    ],
)
def test_the_call_that_goes_on_where_an_answer_was_cut(
    names: list[str], asked: Asked, kept: int, expected: str
) -> None:
    pages = paged(*names).paging
    assert pages is not None
    assert str(following(pages, asked, kept, 30, f"r{kept}")) == expected


# The next page of an answer that is whole

ROWS = [{"id": "a"}, {"id": "b"}]


@pytest.mark.parametrize(
    ("names", "asked", "sent", "expected"),
    [
        pytest.param(["page"], {}, {"next": "https://x/y?page=2"}, {"page": 2}, id="an address"),
        pytest.param(["page"], {}, {"links": {"next": {"href": "/y?page=2"}}}, {"page": 2}, id="within links"),
        pytest.param(["page"], {"page": 2}, {"next": "/y?page=2"}, None, id="an address of the same"),
        pytest.param(
            ["offset", "limit"], {"limit": 5}, {"next": "/y?limit=5&offset=5&x=1"}, {"offset": 5}, id="others"
        ),
        pytest.param(
            ["Page", "PageToken"],
            {},
            {"next_page_uri": "/y.json?Page=1&PageToken=PAa"},
            {"Page": 1, "PageToken": "PAa"},
            id="Twilio",
        ),
        pytest.param(["pageToken"], {}, {"nextPageToken": "t"}, {"pageToken": "t"}, id="Google"),
        pytest.param(["pageToken"], {}, {"nextPageToken": ""}, None, id="an empty token"),
        pytest.param(["continue"], {}, {"metadata": {"continue": "t"}}, {"continue": "t"}, id="Kubernetes"),
        pytest.param(["cursor"], {}, {"response_metadata": {"next_cursor": "t"}}, {"cursor": "t"}, id="Slack"),
        pytest.param(["after"], {}, {"paging": {"next": {"after": "t"}}}, {"after": "t"}, id="HubSpot"),
        pytest.param(["marker"], {}, {"next_marker": "t"}, {"marker": "t"}, id="Box"),
        pytest.param(
            ["starting_after"], {}, {"data": ROWS, "has_more": True}, {"starting_after": "b"}, id="the last id"
        ),
        pytest.param(["starting_after"], {}, {"data": ROWS, "has_more": False}, None, id="no more"),
        pytest.param(["after"], {}, {"data": ROWS, "has_more": True, "last_id": "z"}, {"after": "z"}, id="OpenAI"),
        pytest.param(
            ["after"], {}, {"pageInfo": {"hasNextPage": False, "endCursor": "t"}}, None, id="a cursor of the last page"
        ),
        pytest.param(["offset"], {"offset": 2}, {"items": ROWS, "total_count": 5}, {"offset": 4}, id="a total"),
        pytest.param(["offset"], {"offset": 3}, {"items": ROWS, "total_count": 5}, None, id="the last of them"),
        pytest.param(["page", "per_page"], {}, {"items": ROWS, "total": 5}, {"page": 2}, id="a total by pages"),
        pytest.param(
            ["page", "per_page"], {"page": 3, "per_page": 2}, {"items": ROWS[:1], "total": 5}, None, id="the last page"
        ),
        pytest.param(["page"], {"page": 1}, {"items": ROWS, "total_pages": 2}, {"page": 2}, id="how many pages"),
        pytest.param(["page", "size"], {"size": 9}, {"items": ROWS, "total": 5}, {"page": 2}, id="less than asked for"),
        pytest.param(
            ["page", "size"], {"page": 2, "size": 9}, {"items": ROWS, "limit": 2, "total": 5}, {"page": 3}, id="a limit"
        ),
        pytest.param(
            ["page"],
            {},
            {"links": [{"rel": "self"}, 5, {"href": "/y?page=2", "rel": "Next"}]},
            {"page": 2},
            id="a list",
        ),
        pytest.param(["page"], {}, {"link": [{"relation": "next", "url": "/y?page=2"}]}, {"page": 2}, id="FHIR"),
        pytest.param(["page"], {}, {"links": [{"rel": ["next"], "href": "/y?page=2"}]}, None, id="odd links"),
        pytest.param(["page"], {}, {"code": 0, "data": {"list": ROWS, "total": 5}}, {"page": 2}, id="an envelope"),
        pytest.param(["cursor"], {}, {"result": {"items": ROWS, "next_cursor": "t"}}, {"cursor": "t"}, id="its token"),
        pytest.param(["page"], {}, {"_embedded": {"a": ROWS}, "page": {"totalPages": 2}}, {"page": 2}, id="HAL"),
        pytest.param(["page"], {}, {"content": ROWS, "number": 0, "totalPages": 3}, {"page": 1}, id="pages from 0"),
        pytest.param(["page"], {}, {"a": ROWS, "page": {"number": 0, "totalPages": 3}}, {"page": 1}, id="within page"),
        pytest.param(["page"], {"page": 2}, {"content": ROWS, "totalPages": 3, "last": True}, None, id="the last flag"),
        pytest.param(["page"], {"page": 1}, {"content": ROWS, "isLast": False}, {"page": 2}, id="not the last one"),
        pytest.param(["page"], {}, {"links": {"next": "/y?page=2{&sort}", "last": "/y"}}, {"page": 2}, id="a template"),
        pytest.param(
            ["cursor"],
            {},
            {"next": '/y?cursor={"id":5,"at":{"x":[1]}}{&sort}'},
            {"cursor": '{"id":5,"at":{"x":[1]}}'},
            id="a cursor that is JSON",
        ),
        pytest.param(["page"], {}, {"items": ROWS, "page": 1, "pages": 3}, {"page": 2}, id="Flickr"),
        pytest.param(["page"], {}, {"items": ROWS, "next_page": 2}, {"page": 2}, id="the page itself"),
        pytest.param(["offset"], {}, {"next": "t"}, None, id="a token where rows are counted"),
        pytest.param(["From", "Page"], {}, {"next": "/y?From=1&Page=2"}, {"Page": 2}, id="a sender"),
        pytest.param(["q"], {}, {"next": "/y?page=2"}, None, id="no such argument"),
        pytest.param(["page"], {}, {"next": "https://[x"}, None, id="no address"),
        pytest.param(["offset"], {}, {"items": ROWS, "total": 1e400}, None, id="no number"),
        pytest.param(["offset"], {}, {"total": 9}, None, id="no rows"),
        pytest.param(["page"], {}, [1, 2], None, id="a list alone"),
    ],
)
def test_a_whole_answer_says_the_call_for_the_next_page(
    names: list[str], asked: dict[str, object], sent: object, expected: object
) -> None:
    encoded = b'{"items":[1],"total":1e400}' if expected is None and "1e400" in str(sent) else msgspec.json.encode(sent)
    result = render(paged(*names), answer(encoded, "application/json"), budget_bytes=9_000, asked=asked)
    assert said(result) == expected


def test_a_link_says_it_too() -> None:
    link = '<https://x/y?page=1>; rel="prev", <https://x/z/y?page=3&per_page=9>; rel="next"'
    result = render(paged("page", "per_page"), answer(b"[1]", "application/json", ("link", link)), asked={"page": 2})
    assert said(result) == {"page": 3, "per_page": 9}
    assert texts(result)[1].splitlines()[-1] == "Next page: call again with page=3, per_page=9."


def test_the_note_is_in_the_structure_and_a_filter_does_not_lose_it() -> None:
    value = {"type": "object", "properties": {"items": {"type": "array", "items": {}}}}
    only = described(operation(parameters=(parameter("pageToken"),), responses=(response("200", media(JSON, value)),)))
    sent = answer(b'{"items":[1],"nextPageToken":"t"}', JSON)
    for select in (None, lambda body: msgspec.structs.replace(body, json=b"[1]", filtered=True)):
        result = render(only, sent, select=select)
        assert said(result) == {"pageToken": "t"}
        assert msgspec.json.decode(result.structuredContent)["_note"].endswith('with pageToken="t".')


def test_paging_is_found_by_names_and_types_when_a_tool_is_made() -> None:
    text, number = {"type": "string"}, {"type": "integer"}
    rows = operation(parameters=(parameter("offset", value=text), parameter("limit", value=number)))
    pages = described(rows).paging
    assert (pages.offset, pages.token, pages.size) == ("", "offset", "limit")
    mail = operation("POST", body=body(media("application/x-www-form-urlencoded", {"properties": {"From": text}})))
    assert described(mail).paging is None
    zero = operation(parameters=(parameter("page", value=number | {"minimum": 0}), parameter("size", value=number)))
    assert described(zero).paging.first_page == 0
    in_path = operation(path="/{page}", parameters=(parameter("page", "path", number),))
    assert described(in_path).paging is None


# Following


def by_offset(rows: list[Row], asked: Asked) -> HttpResponse:
    start = asked.get("offset", 0)
    return listed(rows[start : start + asked.get("limit", 30)], total=len(rows))


def by_page(rows: list[Row], asked: Asked) -> HttpResponse:
    size, page = asked.get("per_page", 30), asked.get("page", 1)
    more = page * size < len(rows)
    link = [("link", f'<https://x/y?page={page + 1}&per_page={size}>; rel="next"')] if more else []
    return answer(msgspec.json.encode(rows[(page - 1) * size :][:size]), "application/json", *link)


def by_id(rows: list[Row], asked: Asked) -> HttpResponse:
    start = next((at + 1 for at, row in enumerate(rows) if row["id"] == asked.get("starting_after")), 0)
    end = start + asked.get("limit", 30)
    return listed(rows[start:end], has_more=end < len(rows))


def by_token(rows: list[Row], asked: Asked) -> HttpResponse:
    start = int(asked.get("pageToken", "t0")[1:])
    end = start + asked.get("maxResults", 30)
    return listed(rows[start:end], nextPageToken=f"t{end}" if end < len(rows) else None)


def listed(rows: list[Row], **beside: object) -> HttpResponse:
    return answer(msgspec.json.encode({"items": rows, **beside}), "application/json")


def shown(result: ToolResult) -> list[str]:
    page = msgspec.json.decode(texts(result)[0])
    return [row["id"] for row in (page if isinstance(page, list) else page["items"])]


WAYS: list[tuple[Tool, Callable[[list[Row], Asked], HttpResponse], str]] = [
    (paged("offset", "limit"), by_offset, "limit"),
    (paged("page", "per_page"), by_page, "per_page"),
    (paged("starting_after", "limit"), by_id, "limit"),
    (paged("pageToken", "maxResults"), by_token, "maxResults"),
]


@pytest.mark.parametrize(("tool", "api", "size"), WAYS, ids=["offset", "page", "id", "token"])
@given(
    sizes=st.lists(st.integers(1, 400), min_size=1, max_size=80), asked_size=st.integers(1, 60), says_size=st.booleans()
)
def test_following_what_is_said_visits_every_row_once(
    tool: Tool,
    api: Callable[[list[Row], Asked], HttpResponse],
    size: str,
    sizes: list[int],
    asked_size: int,
    says_size: bool,
) -> None:
    rows: list[Row] = [{"id": f"r{number}", "x": "x" * each} for number, each in enumerate(sizes)]
    asked: dict[str, object] = {size: asked_size} if says_size else {}
    seen: list[str] = []
    for _ in range(3 * len(rows) + 3):
        result = render(tool, api(rows, asked), budget_bytes=1_500, asked=asked)
        way = said(result)
        is_instead = any("before anything that this answer says" in note for note in texts(result)[1:])
        if not is_instead:
            seen += shown(result)
        if way is None:
            break
        asked |= way
    assert seen == [row["id"] for row in rows]
