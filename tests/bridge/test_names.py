"""Names: legal, unique, readable, and a matter of the operation alone."""

from __future__ import annotations

import difflib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openapi_mcp_server.bridge.names import BODY, COMPARED_NAMES, Wire, argument_names, free, nearest, tool_name, unique
from openapi_mcp_server.openapi.model import Operation

NOUNS = ("Pet", "Invoice", "CustomerAddress", "OrderOfToday")
TOOL = re.compile(r"[a-zA-Z0-9_-]{1,64}")
ARGUMENT = re.compile(r"[a-zA-Z0-9_.-]{1,64}")


def operation(operation_id: str | None = None, method: str = "GET", path: str = "/pets/{id}") -> Operation:
    pointer = f"#/paths/{path.replace('/', '~1')}/{method.lower()}"
    return Operation(pointer=pointer, method=method, path=path, operation_id=operation_id)


def named(*operations: Operation, api: str | None = None) -> list[str]:
    return unique([tool_name(each, api, None) for each in operations])


@pytest.mark.parametrize(
    ("operation_id", "name"),
    [
        pytest.param("listPets", "listPets", id="legal"),
        pytest.param("_private-", "_private-", id="legal with odd ends"),
        pytest.param("repos/list-for-org", "repos_list-for-org", id="slash"),
        pytest.param("pets.list [all]", "pets_list_all", id="runs of illegal characters"),
        pytest.param("crée café", "cree_cafe", id="accents"),
        pytest.param("获取", "get_pets_id", id="nothing legal in it"),
        pytest.param("", "get_pets_id", id="empty"),
        pytest.param(None, "get_pets_id", id="none"),
    ],
)
def test_a_tool_is_named_by_its_operation_id_or_by_method_and_path(operation_id, name):
    assert named(operation(operation_id)) == [name]


def test_a_long_name_is_cut_and_carries_a_hash_of_the_operation():
    [first] = named(operation("a" * 80))
    [second] = named(operation("a" * 80, method="PUT"))
    assert len(first) == len(second) == 64
    assert first[:55] == second[:55] == "a" * 55
    assert first != second


def test_all_that_share_a_name_carry_a_hash_and_nobody_else_does():
    names = named(operation("pets/list"), operation("pets_list", path="/b"), operation("other", path="/c"))
    assert [re.sub("[0-9a-f]{8}$", "#", name) for name in names] == ["pets_list_#", "pets_list_#", "other"]
    assert names[0] != names[1]


def test_a_name_made_to_look_hashed_is_told_apart_as_well():
    first, second = operation("list", path="/a"), operation("list", path="/b")
    imitation = operation(named(first, second)[0], path="/c")
    assert len(set(named(first, second, imitation))) == 3


def test_operations_that_differ_in_nothing_still_get_names_of_their_own():
    assert len(set(named(operation("x"), operation("x"), operation("x")))) == 3


def test_the_name_of_the_api_comes_first_where_there_are_several():
    assert named(operation("list"), api="Pet shop") == ["Pet_shop_list"]


def test_an_override_is_made_legal_and_comes_before_the_operation_id():
    assert unique([tool_name(operation("list"), None, "all pets")]) == ["all_pets"]


identifiers = st.none() | st.text(max_size=12) | st.sampled_from(["list", "li/st", "li_st", "x" * 70, "x" * 71])
operations = st.lists(
    st.builds(operation, identifiers, st.sampled_from(["GET", "POST"]), st.sampled_from(["/a", "/a/", "/{a}", "/ä"])),
    unique_by=lambda each: each.pointer,
    max_size=8,
)


@given(operations)
def test_names_are_legal_and_unique(several):
    names = named(*several)
    assert len(set(names)) == len(names)
    assert all(TOOL.fullmatch(name) for name in names)


@given(operations, st.randoms())
def test_names_do_not_depend_on_order(several, random):
    before = dict(zip((each.pointer for each in several), named(*several), strict=True))
    random.shuffle(several)
    assert dict(zip((each.pointer for each in several), named(*several), strict=True)) == before


@given(operations, st.data())
def test_removing_an_operation_renames_only_one_that_would_have_had_the_same_name(several, data):
    if not several:
        return
    gone = data.draw(st.sampled_from(several))
    rest = [each for each in several if each is not gone]
    before = dict(zip((each.pointer for each in several), named(*several), strict=True))
    after = dict(zip((each.pointer for each in rest), named(*rest), strict=True))
    moved = [each for each in rest if before[each.pointer] != after[each.pointer]]
    assert all(named(each) == named(gone) for each in moved)


@pytest.mark.parametrize(
    ("wires", "names"),
    [
        pytest.param([("id", "path"), ("limit", "query")], ["id", "limit"], id="no collision"),
        pytest.param([("id", "path"), ("id", "query")], ["id__path", "id__query"], id="path and query"),
        pytest.param([("id", "path"), ("id", "body")], ["id__path", "id"], id="the body's stays"),
        pytest.param([("X-Id", "header"), ("X-Id", "cookie")], ["X-Id__header", "X-Id__cookie"], id="header, cookie"),
        pytest.param([("$filter", "query")], ["filter"], id="illegal character"),
        pytest.param([("filter[x]", "query")], ["filter_x"], id="brackets"),
        pytest.param([("a.b-c_d", "query")], ["a.b-c_d"], id="dots are legal"),
        pytest.param([("名前", "query")], ["argument"], id="nothing legal in it"),
        pytest.param([("body", "query"), ("body", "body")], ["body__query", "body"], id="a parameter named body"),
    ],
)
def test_arguments_are_named_by_what_they_carry(wires, names):
    assert argument_names([Wire(*wire) for wire in wires]) == names


def test_of_two_names_that_differ_in_illegal_characters_the_exact_one_stays():
    exact, mapped = argument_names([Wire("filter", "body"), Wire("$filter", "body")])
    assert exact == "filter"
    assert re.fullmatch("filter_[0-9a-f]{8}", mapped)


def test_an_argument_of_ours_yields_to_those_of_the_operation():
    assert free("content_type", ["id"]) == "content_type"
    assert free("content_type", ["content_type"]) == "content_type__body"


wires = st.lists(
    st.builds(
        Wire,
        st.text(max_size=6) | st.sampled_from(["id", "id__path", "$id", "[id]", "i" * 70]),
        st.sampled_from(["path", "query", "header", "cookie", "body"]),
    ),
    max_size=8,
)


@given(wires)
def test_argument_names_are_legal_and_unique(several):
    names = argument_names(several)
    assert len(set(names)) == len(names)
    assert all(ARGUMENT.fullmatch(name) for name in names)


@given(wires.filter(lambda several: len(set(several)) == len(several)), st.randoms())
def test_argument_names_do_not_depend_on_order(several, random):
    before = dict(zip(((each.name, each.location) for each in several), argument_names(several), strict=True))
    random.shuffle(several)
    assert dict(zip(((each.name, each.location) for each in several), argument_names(several), strict=True)) == before


@pytest.mark.parametrize("name", ["config", "self", "run_manager", "callbacks", "runtime"])
@pytest.mark.parametrize("location", ["query", "path", "header", "cookie", BODY])
def test_a_name_that_clients_take_for_their_own_says_where_it_goes(name, location):
    assert argument_names([Wire(name, location), Wire("other", "query")]) == [f"{name}__{location}", "other"]
    assert len(set(argument_names([Wire(name, location), Wire(f"{name}__{location}", "query")]))) == 2


MANY = [f"{verb}{noun}{number}" for number in range(500) for verb in ("get", "list", "delete") for noun in NOUNS]


@pytest.mark.parametrize("known", ["getInvoice0", "deleteCustomerAddress250", "listPet499"])
@pytest.mark.parametrize("wrong", [str.lower, lambda name: name[1:], lambda name: name[:5] + "x" + name[6:]])
def test_of_very_many_names_the_nearest_is_told_wherever_it_stands(known, wrong):
    assert known in nearest(wrong(known), MANY)


def test_of_very_many_names_few_are_compared(monkeypatch):
    compared = []
    monkeypatch.setattr(difflib, "get_close_matches", lambda _, names, **__: compared.append(len(names)) or [])
    for name in ("getInvoice7", "", "x", "x" * 200):
        nearest(name, [*MANY, *("x" * (number % 64) for number in range(9_000))])
    assert max(compared) == COMPARED_NAMES
