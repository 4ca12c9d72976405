"""Classes of principals behind one gateway: what is listed is what may be called, and nothing else is in any byte."""

from __future__ import annotations

import gc

import msgspec
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from documents import described
from openapi_mcp_server.bridge.catalog import ApiSource, build
from openapi_mcp_server.bridge.origins import base_url
from openapi_mcp_server.bridge.policy import Permit, Policy, Principal, Rule, selector
from openapi_mcp_server.bridge.search.names import NAMES, READ
from openapi_mcp_server.gateway.views import VIEWS
from openapi_mcp_server.mcp.answers import StaticAnswers
from openapi_mcp_server.mcp.inbound import Call, Rejection, from_line
from openapi_mcp_server.observe.trace import Carrier
from plain_policy import allowed, denied, rule_of, rules
from scripted import ScriptedApi, gateway, ok

METHODS = ("get", "head", "post", "delete", "put")
operations = st.fixed_dictionaries(
    {
        "path": st.sampled_from(["/pets", "/pets/{id}", "/orders", "/orders/{id}/lines"]),
        "method": st.sampled_from(METHODS),
        "tags": st.lists(st.sampled_from(["a", "b"]), max_size=2, unique=True),
        "scopes": st.lists(st.sampled_from(["read", "write"]), max_size=2, unique=True),
    }
)
documents = st.lists(operations, min_size=1, max_size=8, unique_by=lambda one: (one["path"], one["method"]))


def marker(index):
    return f"zq{index}qz"


def catalog(written, api="pets"):
    """Every text of an operation has a marker of its own."""
    paths = {}
    for index, one in enumerate(written):
        mark = marker(index)
        paths.setdefault(one["path"], {})[one["method"]] = {
            "operationId": mark,
            "tags": one["tags"],
            "x-mcp-scopes": one["scopes"],
            "summary": f"Summary {mark}",
            "description": f"Description {mark}",
            "parameters": [
                {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}},
                {"name": f"q_{mark}", "in": "query", "schema": {"type": "string", "enum": [f"value {mark}"]}},
            ],
            "responses": {"200": {"description": mark}},
        }
    return build([ApiSource(name=api, base=base_url("https://a.example.com"), description=described(paths))])


def carrier(permit, name="somebody"):
    return Carrier(principal=Principal(key=name, name=name, permit=permit))


def ask(built, permit, method, version="2025-11-25", **params):
    """The bytes of the answer."""
    message = from_line(msgspec.json.encode({"jsonrpc": "2.0", "id": "x", "method": method, "params": params}), version)
    assert isinstance(message, Call | Rejection), message

    async def main():
        if isinstance(message, Rejection):
            return message.encode()
        return b"".join(await built.answer(message, "http", beside=carrier(permit)))

    return trio.run(main)


def listed(built, permit, method="tools/list", member="tools"):
    return [one["name"] for one in msgspec.json.decode(ask(built, permit, method))["result"][member]]


def expected(written, made, granted, own, scopes, api="pets"):
    """The operations that a plain reading of the rules leaves, by index."""
    subjects = {tool.subject.operation_id: tool.subject for tool in made.tools.values()}
    return {
        index
        for index in range(len(written))
        for subject in [subjects.get(marker(index))]
        if subject is not None
        and allowed(own, subject)
        and any(allowed(rule, subject) for rule in granted)
        and not any(denied(text, subject) for rule in granted for text in rule["deny"])
        and set(written[index]["scopes"]) <= set(scopes)
    }


policies = st.tuples(rules, st.lists(rules, max_size=2), st.sets(st.sampled_from(["read", "write"])))


def permit_of(policy):
    own, granted, scopes = policy
    return Permit(own=rule_of(own), granted=tuple(map(rule_of, granted)), scopes=frozenset(scopes))


@given(documents, policies)
def test_what_is_listed_can_be_called_and_is_what_the_rules_allow(written, policy):
    made = catalog(written)
    built = gateway(ScriptedApi(*[ok()] * len(written)), *made.tools.values(), private=True)
    own, granted, scopes = policy
    permit = permit_of(policy)
    wanted = expected(written, made, granted, own, scopes)
    by_name = {name: written.index(one) for name, tool in made.tools.items() for one in written
               if marker(written.index(one)) == tool.subject.operation_id}  # fmt: skip
    assert {by_name[name] for name in listed(built, permit)} == wanted
    assert {index for name, index in by_name.items() if b"unknown tool" not in called(built, permit, name)} == wanted


def called(built, permit, name):
    return ask(built, permit, "tools/call", name=name, arguments={"id": "1"})


ASKED = [
    ("tools/list", {}), ("prompts/list", {}), ("resources/list", {}), ("resources/templates/list", {}),
    ("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}),
    ("completion/complete", {"ref": {"type": "ref/prompt", "name": "use_zq"}, "argument": {"name": "q", "value": "z"}}),
    ("logging/setLevel", {"level": "debug"}), ("ping", {}), ("nothing/known", {}), ("tools/call", {"name": "zq"}),
    ("tools/call", {"name": "zq0q"}), ("prompts/get", {"name": "use_zq"}), ("prompts/get", {"name": "zq1q"}),
    ("resources/read", {"uri": "openapi://pets/operations/zq"}), ("tools/list", {"cursor": "zq"}),
]  # fmt: skip


@given(
    documents,
    policies,
    st.sampled_from(["2024-11-05", "2025-03-26", "2025-11-25"]),
    st.sampled_from(["all", "search"]),
    st.sampled_from([True, None]),
)
def test_nothing_of_another_tool_is_in_any_byte(written, policy, version, mode, prompts):
    made = catalog(written)
    own, granted, scopes = policy
    built = gateway(ScriptedApi(), *made.tools.values(), private=True, mode=mode, prompts=prompts)
    hidden = set(range(len(written))) - expected(written, made, granted, own, scopes)
    said = b"".join(ask(built, permit_of(policy), method, version, **params) for method, params in ASKED)
    said += b"".join(
        ask(built, permit_of(policy), "tools/call", version, name=name, arguments=given)
        for name in NAMES
        for given in ({"query": "summary"}, {"query": "zq"}, {"name": "zq"}, {"name": "get"}, {})
    )
    said += b"".join(
        ask(built, permit_of(policy), method, version, name=f"{before}{marker(index)}")
        .replace(f"'{before}{marker(index)}'".encode(), b"")
        for index in hidden for method, before in (("tools/call", ""), ("prompts/get", ""), ("prompts/get", "use_"))
    )  # fmt: skip
    assert not [marker(index) for index in hidden if marker(index).encode() in said]


def test_lists_of_few_classes_are_kept():
    written = [{"path": f"/p{index}", "method": "get", "tags": [], "scopes": []} for index in range(100)]
    made = catalog(written)
    built = gateway(ScriptedApi(), *made.tools.values(), private=True)
    before = alive()
    for _ in range(2):
        for index in range(100):
            permit = Permit(granted=(Rule(allow=(selector(f"/p{index}"),)),))
            assert listed(built, permit) == [marker(index)]
    assert alive() - before <= VIEWS
    for index in range(100):  # a call needs no lists
        permit = Permit(granted=(Rule(allow=(selector(f"/p{index}"),)),))
        assert b"unknown tool" not in called(built, permit, marker(index))


def alive():
    gc.collect()
    return sum(isinstance(one, StaticAnswers) for one in gc.get_objects())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"tags": ["b"]}, 1), ({"path": "/orders/{id}/lines"}, 1), ({"method": "delete"}, 0), ({}, 0),
        ({"scopes": ["write"]}, 1), (None, 1),
    ],
)  # fmt: skip
def test_a_reload_is_told_where_a_class_that_asked_sees_another_list(change, told):
    """The second operation is nobody's, whatever becomes of it."""
    first = {"path": "/pets", "method": "get", "tags": ["a"], "scopes": []}
    second = {"path": "/pets/{id}", "method": "put", "tags": ["b"], "scopes": []}
    permit = Permit(granted=(Rule(tags=frozenset(["a"])),))
    made = catalog([first, second])
    built = gateway(ScriptedApi(), *made.tools.values(), private=True)
    assert listed(built, permit) == [marker(0)]
    heard = []
    built.tell_changes(lambda: heard.append(None))
    later = [second] if change is None else [first | change, second | {"method": "post"}]
    if change == {"method": "delete"}:
        later = [first, second | change]
    trio.run(built.replace, catalog(later), lambda request, _: request)
    assert len(heard) == told


def test_who_has_no_scope_is_shown_no_operation_that_needs_one():
    made = catalog([{"path": "/pets", "method": "get", "tags": [], "scopes": ["read"]}])
    built = gateway(ScriptedApi(), *made.tools.values())
    policy = Policy(default=Rule())
    assert listed(built, Permit(granted=policy.granted("", (), ()))) == []


@pytest.mark.parametrize("mode", ["all", "search"])
@pytest.mark.parametrize("denied", [Rule(deny=(selector("/pets/best"),)), Rule(allow=(selector("/pets/{id}"),))])
def test_a_call_of_one_operation_is_not_one_of_another_that_its_caller_may_not_call(mode, denied):
    """The request would be the same, and the API answers it as the other one."""
    tools = catalog(
        [{"path": path, "method": "get", "tags": [], "scopes": []} for path in ("/pets/{id}", "/pets/best")]
    ).tools.values()
    records = []
    api = ScriptedApi(ok(), ok(), ok())
    built = gateway(api, *tools, records=records, mode=mode, private=True)

    def called(permit, pet):
        asked = {"name": marker(0), "arguments": {"id": pet}}
        if mode == "search":
            asked = {"name": READ, "arguments": asked}
        line = msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": asked})
        beside = Carrier(principal=Principal(key="p", permit=permit))
        answer = trio.run(lambda: built.answer(from_line(line, "2025-11-25"), "http", None, beside))
        return msgspec.json.decode(b"".join(answer))["result"].get("isError", False)

    narrow = Permit(own=denied)
    assert [called(narrow, "best"), called(narrow, "7"), called(Permit(), "best")] == [True, False, False]
    assert [(one.tool, one.denied) for one in records] == [(marker(0), marker(0)), (marker(0), ""), (marker(0), "")]
    assert [request.path for request in api.requests] == ["/pets/7", "/pets/best"]
