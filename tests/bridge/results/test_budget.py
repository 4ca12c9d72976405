"""Answers over the budget: what is left of them, and what is said of the rest."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from answers import PNG, answer, paged, texts, tool
from openapi_mcp_server.bridge.model import BodyPlan, OutputContract, Tool
from openapi_mcp_server.bridge.results import budget, next_page
from openapi_mcp_server.bridge.results.result import MISMATCH, TRUNCATED, OutputValidators, render
from openapi_mcp_server.mcp.messages import (
    BlobResource,
    EmbeddedResource,
    ImageContent,
    TextContent,
    TextResource,
    ToolResult,
)

BUDGET = 1_000
encode = msgspec.json.Encoder(decimal_format="number").encode


def shown(body: object, budget_bytes: int = BUDGET, operation: Tool | None = None) -> tuple[str, list[str]]:
    """(the answer, the lines that are said about it)."""
    whole = body if isinstance(body, bytes) else encode(body)
    result = render(operation or tool(), answer(whole, "application/json"), budget_bytes=budget_bytes)
    first, *about = texts(result)
    return first, "\n".join(about).splitlines()


INSTEAD = ", before anything that this answer says of a next page"


def with_arguments(*names: str, location: str = "query") -> Tool:
    return paged(*names, location=location)


def test_an_answer_within_the_budget_is_whole_and_nothing_is_said() -> None:
    assert shown(b'["' + b"x" * 996 + b'"]') == ('["' + "x" * 996 + '"]', [])


def test_without_a_budget_every_answer_is_whole() -> None:
    assert shown([1] * 100_000, 0) == (encode([1] * 100_000).decode(), [])


def test_an_array_loses_its_last_items_and_keeps_the_spelling_of_the_others() -> None:
    first, about = shown(b'{"total":1.10,"rows":[' + b"1e400,-0," * 500 + b'7],"next":"/x"}')
    left = ",".join(["1e400,-0"] * 107)
    assert first == '{"total":1.10,"rows":[' + left + '],"next":"/x"}'
    size = "4,537 bytes (about 1,134 tokens); the limit is 1,000 bytes (about 250 tokens)"
    assert about == [
        f"Note: this answer is cut. It has {size}. It shows:",
        "- /rows: the first 214 of 1,001 items",
        "This operation has no arguments for pages: ask for something narrower.",
    ]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param(["x" * 20] * 90, ["- the answer: the first 43 of 90 items"], id="the answer is the array"),
        pytest.param([{"page": 1}, ["x"] * 900], ["- /1: the first 246 of 900 items"], id="rows beside a page number"),
        pytest.param(["x" * 900, "y" * 900], ["- the answer: the first 1 of 2 items"], id="no room worth a part"),
        pytest.param({"a": "x" * 5_000}, ["- /a: the first 988 of 5,000 characters"], id="a long text"),
        pytest.param(
            {"a": "x" * 5_000, "b": "y" * 5_000, "c": "z" * 100},
            ["- /a: the first 435 of 5,000 characters", "- /b: the first 435 of 5,000 characters"],
            id="equal shares",
        ),
        pytest.param([{"log": "x" * 5_000, "id": 1}, 2], ["- /0/log: the first"], id="one item is too large"),
        pytest.param({str(key): [key] for key in range(900)}, ["- the answer: 101 of 900 members"], id="map"),
        pytest.param({"a/b~c": [1] * 900}, ["- /a~1b~0c: the first 494 of 900 items"], id="pointers are escaped"),
        pytest.param({"n": 10**1500, "a": 1}, ["- the answer: 1 of 2 members"], id="a number is not cut"),
    ],
)
def test_what_is_missing_is_counted_by_place(body: object, said: list[str]) -> None:
    first, about = shown(body)
    assert len(first) <= BUDGET
    assert [line[: len(expected)] for line, expected in zip(about[1:-1], said, strict=False)] == said


def test_no_more_places_are_named_than_a_model_reads() -> None:
    _, about = shown({f"k{index}": "x" * 500 for index in range(12)})
    assert about[-2] == "- and 2 more places that are cut"
    assert len(about) == 13


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(rb"\ud83d\ude00" * 500, id="surrogate pairs"),
        pytest.param(rb"\\" * 900, id="backslashes"),
        pytest.param(rb"\\\ud83d\ude00\u00e9\"" * 200, id="a mixture"),
        pytest.param("né😀".encode() * 500, id="characters of several bytes"),
    ],
)
@pytest.mark.parametrize("budget_bytes", range(1_000, 1_012))
def test_a_text_is_cut_between_characters(text: bytes, budget_bytes: int) -> None:
    first, _ = shown(b'"' + text + b'"', budget_bytes)
    kept = msgspec.json.decode(first)
    assert kept.endswith("…")
    assert msgspec.json.decode(b'"' + text + b'"').startswith(kept[:-1])
    assert budget_bytes - 12 < len(first.encode()) <= budget_bytes


def test_plain_text_is_cut_between_characters_too() -> None:
    first, about = texts(render(tool(), answer("é".encode() * 600, "text/plain"), budget_bytes=1_001))
    assert first == "é" * 500
    assert "- the answer: the first 500 of 600 characters" in about


@pytest.mark.parametrize("content_type", ["image/png", "audio/mpeg", "application/pdf"])
def test_half_a_picture_is_none(content_type: str) -> None:
    response = answer(PNG * 1_000, content_type)
    assert render(tool(), response, budget_bytes=BUDGET) == render(tool(), response)


@pytest.mark.parametrize(
    ("names", "way"),
    [
        (("page", "per_page"), "per_page=499, page=2"),
        (("starting_after", "limit"), f"limit=499{INSTEAD}"),
        (("$top", "$skip"), "$skip=499"),
        (("page[size]",), "other values of page[size]"),
        (("pageToken",), "other values of pageToken"),
        (("continue", "limit"), f"limit=499{INSTEAD}"),
        (("offset",), "offset=499"),
    ],
)
def test_the_operations_own_paging_is_the_way_to_the_rest(names: tuple[str, ...], way: str) -> None:
    _, about = shown([1] * 900, operation=with_arguments("q", *names, "sort"))
    assert about[-1] == f"For the rest, call again with {way}."


@pytest.mark.parametrize("name", ["From", "size", "last4"])
def test_what_only_looks_like_paging_is_none(name: str) -> None:
    assert next_page.paging_arguments(with_arguments(name)) == []


def test_what_is_cut_within_a_row_is_not_the_rows() -> None:
    _, about = shown([{"id": 1, "files": [1] * 900}], operation=with_arguments("offset"))
    assert about[-1] == "For the rest, call again with other values of offset."


def test_what_is_in_the_path_is_no_page() -> None:
    assert next_page.paging_arguments(with_arguments("page", location="path")) == []


def test_a_body_can_carry_the_paging() -> None:
    body = BodyPlan(required=False, whole=None, properties={"limit": "limit", "q": "q"}, writers={})
    assert next_page.paging_arguments(msgspec.structs.replace(tool(), body=body)) == ["limit"]


@pytest.mark.parametrize("wrapped", [False, True])
def test_the_structure_is_cut_as_the_text_is_and_fits_the_schema(wrapped: bool) -> None:
    schema = {"type": "object", "properties": {"result": {"type": "object"}}} if wrapped else {"required": ["a", "b"]}
    output = OutputContract(schema=msgspec.Raw(encode(schema)), wrapped=wrapped)
    response = answer(encode({"a": [1] * 900, "b": 2}), "application/json")
    result = render(tool(output=output), response, OutputValidators(), budget_bytes=BUDGET)
    structured = msgspec.json.decode(result.structuredContent)
    first, about = texts(result)
    assert structured.pop("_note") == about
    assert (structured["result"] if wrapped else structured) == msgspec.json.decode(first)


def test_an_answer_that_no_longer_fits_its_schema_is_told_as_undocumented() -> None:
    output = OutputContract(schema=msgspec.Raw(b'{"properties":{"a":{"minItems":800}}}'), wrapped=False)
    response = answer(encode({"a": [1] * 900}), "application/json")
    result = render(tool(output=output), response, OutputValidators(), budget_bytes=BUDGET)
    structured = msgspec.json.decode(result.structuredContent)
    first, about = texts(result)
    assert structured == {"undocumented": msgspec.json.decode(first), "_note": about}
    assert result.meta[MISMATCH].startswith("#/a: ")


def test_what_lies_deeper_than_is_looked_is_left_out() -> None:
    first, _ = shown(b"[" * 900 + b"1" * 2_000 + b"]" * 900)
    assert msgspec.json.decode(first) is not None
    assert len(first) == 2 * budget.MAX_DEPTH


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False, allow_infinity=False) | st.text(),
    lambda values: st.lists(values, max_size=60) | st.dictionaries(st.text(), values, max_size=60),
    max_leaves=80,
)


def is_part(part: object, whole: object) -> bool:
    """Arrays and texts are beginnings, of which the last item may itself be a part; objects have fewer members."""
    match part, whole:
        case list(), list():
            return len(part) <= len(whole) and all(is_part(*pair) for pair in zip(part, whole, strict=False))
        case dict(), dict():
            return all(name in whole and is_part(value, whole[name]) for name, value in part.items())
        case str(), str():
            return part == whole or (part.endswith("…") and whole.startswith(part[:-1]))
        case str(), dict():
            return part.endswith((" members}", "…"))  # what it is called by, which may be cut as well
    return part == whole


@given(json_values, st.integers(10, 400))
def test_what_is_left_is_valid_within_the_budget_and_part_of_the_whole(value: object, budget_bytes: int) -> None:
    whole = encode(value)
    output = OutputContract(schema=msgspec.Raw(b'{"type":"object"}'), wrapped=True)
    result = render(tool(output=output), answer(whole, "application/json"), budget_bytes=budget_bytes)
    first, *about = texts(result)
    part = msgspec.json.decode(first)
    assert is_part(part, msgspec.json.decode(whole))
    assert msgspec.json.decode(result.structuredContent) == {"result": part, **({"_note": about[0]} if about else {})}
    assert (part == msgspec.json.decode(whole)) == (not about)
    if about:
        assert len(first.encode()) <= budget_bytes


def test_a_result_that_is_cut_says_so_to_programs_too():
    whole = answer(b"[%b1]" % (b"1," * 5_000), "application/json")
    assert render(tool(), whole, budget_bytes=1_000).meta == {TRUNCATED: True}
    assert render(tool(), whole).meta is msgspec.UNSET
    assert render(tool(), answer(b"x", "text/event-stream", cut="after 10 MiB")).meta == {TRUNCATED: True}


@pytest.mark.parametrize(
    ("blocks", "tokens"),
    [
        pytest.param((TextContent("a" * 400),), 100, id="four bytes are one"),
        pytest.param((TextContent("é" * 400),), 200, id="bytes, not characters"),
        pytest.param((TextContent("\ud800" * 4),), 3, id="half a pair"),
        pytest.param((TextContent("aaaa"), TextContent("bbbb")), 2, id="every text"),
        pytest.param((ImageContent(b"a" * 400, "image/png"),), 0, id="no picture"),
        pytest.param((EmbeddedResource(TextResource(uri="x:", mimeType="text/plain", text="a" * 40)),), 10, id="texts"),
        pytest.param((EmbeddedResource(BlobResource(uri="x:", mimeType="a/b", blob=b"a" * 40)),), 0, id="no file"),
    ],
)
def test_tokens_are_counted_in_what_a_model_reads(blocks, tokens):
    assert budget.tokens(ToolResult(content=blocks)) == tokens


MANY = range(210_000)
"""Values that are too many to be decoded at once."""


def large(kind: str) -> bytes:
    numbers = b"[%b]" % b",".join([b"1"] * len(MANY))
    match kind:
        case "array":
            return numbers
        case "few members":
            return b'{"a":%b,"b":"%b","c":%b}' % (numbers, b"x" * 2_000, numbers)
        case "map":
            return b"{%b}" % b",".join(b'"%d":1' % number for number in MANY)
        case "number first":
            return b"[%b,%b]" % (b"7" * 5_000, numbers)
        case "true last":
            return b'{"a":%b,"n":%b,"t":true}' % (numbers, b"7" * 5_000)
    raise AssertionError(kind)


@pytest.mark.parametrize(
    ("kind", "begins", "said"),
    [
        ("array", "[1,1,", ["the answer: the first 499 of many more items"]),
        ("few members", '{"a":[1,', ["/a: the first 163 of many more items", "/b: the first 322 of 2,000 characters"]),
        ("map", '{"0":1,"1":1,', ["the answer: 138 of many more members"]),
        ("number first", "[]", ["the answer: the first 0 of many more items"]),
        ("true last", '{"a":[1,', ["/a: the first 244 of many more items", "the answer: 2 of 3 members"]),
    ],
)
def test_an_answer_of_very_many_values_is_cut_by_its_beginning(kind: str, begins: str, said: list[str]) -> None:
    first, about = shown(large(kind))
    assert first.startswith(begins)
    assert len(first) <= BUDGET
    msgspec.json.decode(first)
    assert [line.removeprefix("- ") for line in about[1 : 1 + len(said)]] == said


def test_a_number_that_is_longer_than_the_budget_is_shown_whole() -> None:
    assert shown(b"7" * 2_000) == ("7" * 2_000, [])


@pytest.mark.parametrize("value", [b"1", b'"x"', b"[1]"])
def test_of_a_name_that_is_said_twice_the_last_value_is_shown(value: bytes) -> None:
    first, _ = shown(b'{"a":"%b","a":%b}' % (b"x" * 2_000, value))
    assert first.encode() == b'{"a":%b}' % value


@pytest.mark.parametrize("envelope", [[], ["rows"], ["found", "rows~/"], ["donne\u0301es"], ["rows\u200b"]])
def test_a_row_more_goes_where_no_page_of_another_size_begins_after_the_last(envelope: list[str]) -> None:
    body: object = [{"id": 10 + number, "text": "x" * 52} for number in range(50)]  # 13 of 71 bytes fit
    for name in reversed(envelope):
        body = {name: body, "more": True}
    response, asked = answer(encode(body), "application/json"), {"page": 3, "limit": 50}
    first, about = texts(render(with_arguments("page", "limit"), response, budget_bytes=BUDGET, asked=asked))
    rows = msgspec.json.decode(first)
    for name in envelope:
        assert rows["more"] is True
        rows = rows[name]
    assert len(rows) == 12  # 113 is prime
    assert about.endswith("For the rest, call again with limit=8, page=15.")


def test_rows_that_fit_without_their_links_are_all_there() -> None:
    rows = [{"id": number, "self_url": "https://api.example.com/" + "x" * 40} for number in range(40)]
    first, about = shown(rows, operation=msgspec.structs.replace(tool(), filterable=True))
    assert [row["id"] for row in msgspec.json.decode(first)] == [*range(40)]
    assert about[0].endswith("Every row is here, without links.")
    assert about[1:] == ["response_filter gives what is left out of them."]
