"""``response_filter``: what a model may ask of an answer before it sees it, and what that may cost."""

from __future__ import annotations

import gc
import time
from contextlib import suppress

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from answers import PNG, answer, texts, tool
from openapi_mcp_server.aside import is_heavy
from openapi_mcp_server.bridge.model import OutputContract, Tool
from openapi_mcp_server.bridge.results import response_filter
from openapi_mcp_server.bridge.results.response_filter import NotApplied, parsed
from openapi_mcp_server.bridge.results.result import MISMATCH, OutputValidators, render
from openapi_mcp_server.errors import ArgumentError
from openapi_mcp_server.mcp.messages import ToolResult

PETS = b'{"pets": [{"id": 1, "price": 1.10, "tags": ["a"]}, {"id": 2, "price": 2e3, "tags": []}], "n": 1e400}'


def rendered(
    expression: str, body: bytes = PETS, *, of: Tool | None = None, media: str = "application/json", **more: int
) -> ToolResult:
    select = response_filter.selection(expression)
    return render(of or tool(), answer(body, media), OutputValidators(), select=select, **more)


@pytest.mark.parametrize(
    ("expression", "shown"),
    [
        ("pets[].price", "[1.10,2e3]"),
        ("pets[?price > `1.5`].{id: id, cost: price}", '[{"id":2,"cost":2e3}]'),
        ("sort_by(pets, &price)[-1].price", "2e3"),
        ("max(pets[].price)", "2e3"),
        ("sum(pets[].id)", "3"),
        ("map(&length(tags), pets)", "[1,0]"),
        ("pets[?tags == `[]`].id | [0]", "2"),
        ("pets[?id == `foo`]", "[]"),
        ("[n, pets[0].id, keys(pets[0])]", '[1e400,1,["id","price","tags"]]'),
    ],
)
def test_an_expression_selects_and_leaves_numbers_as_they_are_spelt(expression: str, shown: str) -> None:
    assert texts(rendered(expression)) == [shown]


def test_integers_are_exact() -> None:
    assert texts(rendered("a", b'{"a":12345678901234567890123}')) == ["12345678901234567890123"]


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("pets[", "unexpected text or end at character 6"),
        ("a $ b", "unexpected text or end at character 3"),
        ("a'b", "unexpected text or end at character 2"),
        ("", "cannot be empty"),
        ("((((", "unexpected text or end at character 5"),
        ("(" * 1_000, "nested too deeply"),
        ("a" * 1_001, "at most 1000 characters, this has 1001"),
        ("nosuch(@)", "there is no function nosuch()"),
        ("join(',', @)", "join() is not available here"),
        ("to_string(@)", "to_string() is not available here"),
        ("[&a]", "& belongs into map"),
        ("[@,@]|" * 150 + "@", "repeats parts of the answer more than 16 times"),
        ("[@,@][]|" * 100 + "@", "repeats parts of the answer more than 16 times"),
        ("a[?" + "[@,@].[@,@].[@,@].[@,@].[@,@]" + "]", "repeats parts"),
        ("map(&[@,@].[@,@].[@,@], [@,@,@])", "repeats parts"),
    ],
)
def test_what_is_no_expression_or_could_grow_without_bound_is_refused_before_anything_is_sent(
    expression: str, problem: str
) -> None:
    with pytest.raises(ArgumentError) as caught:
        response_filter.selection(expression)
    assert str(caught.value).startswith("/response_filter: ")
    assert problem in str(caught.value)


def test_members_of_different_names_are_no_repetition() -> None:
    members = ", ".join(f"f{index}: f{index}.{{a: a, b: b}}" for index in range(30))
    parsed(f"items[*].{{{members}}}")


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("pets[::0]", "slice step cannot be zero"),
        ("'a' < `1`", "'<' not supported"),
        ("sum(pets)", "sum() was given"),
        ("length(@, @)", "Expected 1 argument"),
    ],
)
def test_an_expression_that_does_not_fit_the_answer_costs_a_note_and_not_the_answer(
    expression: str, reason: str
) -> None:
    whole, note = texts(rendered(expression))
    assert whole == texts(render(tool(), answer(PETS, "application/json")))[0]
    assert note.startswith("Note: response_filter was not applied: ")
    assert reason in note


def test_evaluation_ends_after_a_number_of_steps() -> None:
    with pytest.raises(NotApplied, match="takes too long"):
        response_filter.apply(
            parsed("[*].[[[[[[[[[[[[[[[[[[[[@[0]]]]]]]]]]]]]]]]]]]]]"), msgspec.json.encode([[1]] * 60_000)
        )


@pytest.mark.parametrize(
    ("expression", "body", "shown", "told"),
    [
        ("nosuch", PETS, "null", "{pets: [{id, price, tags}], n}"),
        ("pets[].nosuch", PETS, "[]", "{pets: [{id, price, tags}], n}"),
        ("items[].id", b' [{"id": 1, "in": [{"deep": [1]}]}]', "null", "[{id, in: [{deep}]}]"),
        ("items[].id", b'{"items": []}', "[]", "{items}"),
        ("a", b"1e400", "null", "a value"),
        ("a", b"[" * 500 + b"]" * 500, "null", "[[[[[…]]]]]"),
        ("a.b", b'{"a": [1], "b": []}', "null", "{a, b}"),
        ("a", msgspec.json.encode({f"n{n}\n" * 20: n for n in range(13)}), "null", "{n0 n0 n0"),
    ],
)
def test_what_selects_nothing_is_told_what_there_is(expression: str, body: bytes, shown: str, told: str) -> None:
    text, note = texts(rendered(expression, body))
    assert text == shown
    assert note.startswith(f"Note: response_filter selected nothing of {told}")
    assert len(note) < 600
    assert "\n" not in note


@pytest.mark.parametrize(
    "expression", ["$.pets[*].id", ".pets[].id", "[.[] | .id]", "pets[?id==1]", "pets[].{id, price}", "select(.id==1)"]
)
def test_another_language_is_answered_with_an_example_of_this_one(expression: str) -> None:
    with pytest.raises(ArgumentError, match=r"written as items\[\?price > `10`.*without \$ or a leading dot"):
        response_filter.selection(expression)
    parsed("items[?price > `10` && kind == 'a'].{id: id, name: name}")


@pytest.mark.parametrize(
    ("expression", "is_told"),
    [
        ('pets[?id=="1"]', True),
        ('pets[?contains(tags, "x")]', True),
        ("pets[?id=='nosuch']", False),
        ('"nosuch"', False),
    ],
)
def test_a_name_where_a_text_was_meant_is_told(expression: str, is_told: bool) -> None:
    assert ("a text is 'x'" in texts(rendered(expression))[-1]) is is_told


def test_an_answer_that_is_no_json_is_shown_whole() -> None:
    assert texts(rendered("a", b"hello", media="text/plain")) == [
        "hello",
        "Note: response_filter was not applied: the answer is not JSON.",
    ]
    (_, note) = rendered("a", PNG, media="image/png").content
    assert "not JSON" in note.text


def test_the_budget_is_for_what_was_selected() -> None:
    body = msgspec.json.encode({"big": "x" * 5_000, "id": 7})
    assert texts(rendered("id", body, budget_bytes=1_000)) == ["7"]
    first, about = texts(rendered("big", body, budget_bytes=1_000))
    assert len(first) < 1_001
    assert "the first 995 of 5,000 characters" in about


def test_with_an_output_schema_the_structure_says_that_it_is_filtered() -> None:
    schema = msgspec.Raw(b'{"type":"object","anyOf":[{"required":["id"]},{"required":["filtered"]}]}')
    result = rendered("pets[].id", of=tool(output=OutputContract(schema=schema, wrapped=False)))
    assert bytes(result.structuredContent) == b'{"filtered":[1,2]}'
    assert texts(result) == ["[1,2]"]


def test_an_answer_that_was_not_filtered_is_told_what_its_own_schema_wants() -> None:
    schema = b'{"type":"object","anyOf":[{"properties":{"n":{"type":"integer"}}},{"required":["filtered"]}]}'
    contract = OutputContract(schema=msgspec.Raw(schema), wrapped=False)
    result = render(tool(output=contract), answer(b'{"n":"x"}', "application/json"), OutputValidators())
    assert result.meta[MISMATCH] == '#/n: the value is not of type "integer"'


words = st.sampled_from(
    [
        "a",
        "b",
        "*",
        "@",
        ".",
        "[",
        "]",
        "[*]",
        "[]",
        "[?",
        "{",
        "}",
        "(",
        ")",
        ",",
        ":",
        "|",
        "||",
        "&&",
        "!",
        "==",
        "<",
        "&",
        "`1`",
        "'x'",
        "`[1]`",
        "0",
        "-1",
        "length(",
        "sort_by(",
        "map(",
        "max(",
        "keys(",
        "merge(",
        "reverse(",
        "contains(",
        "not_null(",
        "type(",
        "values(",
        "sum(",
        "to_number(",
        "to_array(",
        "starts_with(",
    ]
)


@example("contains()")
@given(st.one_of(st.lists(words, max_size=14).map("".join), st.text(max_size=20)))
def test_no_expression_raises_anything_but_what_is_told_to_the_model(expression: str) -> None:
    try:
        select = response_filter.selection(expression)
    except ArgumentError:
        return
    assert render(tool(), answer(PETS, "application/json"), select=select).content


ROW = b'{"a":[1,2,3],"b":[1,2,3],"id":7,"name":"x"}'
ROWS = b"[%b]" % b",".join([ROW] * 2_000)


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        pytest.param(f"[?{'&&'.join(['a==b'] * 160)}]", ROWS, id="comparisons"),
        pytest.param("&&".join(["[@]==[@]"] * 90), ROWS, id="comparisons of all"),
        pytest.param("&&".join(["contains([@], @)"] * 50), ROWS, id="searches"),
        pytest.param("|".join(["sort(@)"] * 100), b"[%b]" % b",".join(b"%d" % n for n in range(60_000)), id="sorting"),
        pytest.param(f"[].{'|'.join(['[id,name]'] * 80)}", ROWS, id="nodes"),
        pytest.param("[].[" + ",".join(["`[[[1,1,1,1,1,1,1,1,1,1]]]`"] * 15) + "]", ROWS, id="literals"),
    ],
)
def test_an_evaluation_of_any_kind_ends_after_so_many_steps(expression: str, answer: bytes) -> None:
    tree = parsed(expression)
    began = time.thread_time()
    with suppress(NotApplied):
        response_filter.apply(tree, answer)
    assert time.thread_time() - began < 5  # a step takes 0.5 to 1 µs; the busiest machine is five times slower


def test_what_is_compared_is_charged_by_what_is_in_it() -> None:
    assert response_filter.apply(parsed("[?a==b].id | length(@)"), ROWS) == b"2000"
    with pytest.raises(NotApplied, match="too long"):
        response_filter.apply(parsed(f"[?{'&&'.join(['a==b'] * 160)}]"), ROWS)


def test_copies_are_bounded_by_the_size_of_the_answer_too() -> None:
    large = b'["%b"]' % (b"x" * (response_filter.MAX_RESULT_BYTES // 4))
    assert len(response_filter.apply(parsed("[@,@]"), large)) > len(large)
    with pytest.raises(NotApplied, match="too long"):
        response_filter.apply(parsed("[@,@,@,@,@]"), large)


def test_the_collector_is_as_it_was_afterwards() -> None:
    was_enabled = gc.isenabled()
    with pytest.raises(NotApplied):
        response_filter.apply(parsed("sort(@)"), b'[1,"a"]')
    assert gc.isenabled() is was_enabled


@pytest.mark.parametrize(("expression", "size", "heavy"), [("name", 10_000, False), ("[].name", 1_000_000, True)])
def test_what_may_take_long_is_known_before(expression: str, size: int, heavy: bool) -> None:
    assert is_heavy(response_filter.selection(expression).weight(size)) is heavy
