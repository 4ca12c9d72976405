"""Following what a cut answer says visits every row once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from answers import answer, texts, tool
from openapi_mcp_server.bridge.model import Slot, Tool
from openapi_mcp_server.bridge.results.next_page import following
from openapi_mcp_server.bridge.results.result import render

Asked = dict[str, object]


def paged(*names: str) -> Tool:
    slots = [Slot(argument=name, name=name, location="query", required=False, encode=str) for name in names]
    return msgspec.structs.replace(tool(), slots=tuple(slots))


@pytest.mark.parametrize(
    ("names", "asked", "kept", "said"),
    [
        (["offset"], {}, 5, "offset=5"),
        (["offset", "limit"], {"offset": 40}, 5, "offset=45"),
        (["startIndex"], {}, 5, "startIndex=6"),
        (["per_page", "page"], {}, 5, "per_page=5, page=2"),
        (["per_page", "page"], {"per_page": 30, "page": 3}, 10, "per_page=10, page=8"),
        (["per_page", "page"], {"per_page": 30, "page": 3}, 12, "per_page=12, page=7"),
        (["per_page", "page"], {"page": 3}, 10, None),
        (["per_page", "page"], {"page": 0}, 10, None),
        (["per_page", "page"], {"per_page": 31, "page": 2}, 10, None),
        (["page"], {}, 5, None),
        (["cursor", "limit"], {}, 5, None),
        (["offset"], {}, 0, None),
        ([], {}, 5, None),
    ],
)
def test_the_call_that_goes_on(names: list[str], asked: Asked, kept: int, said: str | None) -> None:
    assert following(paged(*names), asked, kept, 30) == said


def by_offset(rows: list[object], asked: Mapping[str, int]) -> list[object]:
    start = asked.get("offset", 0)
    return rows[start : start + asked.get("limit", 30)]


def by_page(rows: list[object], asked: Mapping[str, int]) -> list[object]:
    size = asked.get("per_page", 30)
    return rows[(asked.get("page", 1) - 1) * size :][:size]


@pytest.mark.parametrize(("names", "api"), [(("offset", "limit"), by_offset), (("per_page", "page"), by_page)])
@given(sizes=st.lists(st.integers(1, 400), min_size=1, max_size=80))
def test_every_row_is_seen_once(
    names: tuple[str, ...], api: Callable[[list[object], Mapping[str, int]], list[object]], sizes: list[int]
) -> None:
    rows: list[object] = [f"{number}:{'x' * size}" for number, size in enumerate(sizes)]
    asked: dict[str, int] = {names[0]: 30} if names[0] == "per_page" else {}
    seen: list[str] = []
    for _ in range(len(rows) + 2):
        page = api(rows, asked)
        whole = answer(msgspec.json.encode(page), "application/json")
        result = render(paged(*names), whole, budget_bytes=1_500, asked=asked)
        first, *about = texts(result)
        shown = msgspec.json.decode(first)
        seen += [row.partition(":")[0] for row in shown]
        if about:
            way = re.search(r"call again with ((?:\w+=\d+(?:, )?)+)", about[0])
            if way is None:  # no page begins there: the note names the arguments, and repeats some rows
                return
            asked |= {name: int(value) for name, _, value in (each.partition("=") for each in way[1].split(", "))}
        elif "offset" in names:
            asked["offset"] = asked.get("offset", 0) + len(page)
        else:
            asked["page"] = asked.get("page", 1) + 1
        if not page:
            break
    assert seen == [str(number) for number in range(len(rows))]
