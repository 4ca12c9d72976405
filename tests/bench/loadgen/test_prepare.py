"""What is asked before the load: the revision, the tools, arguments that they take, and a number that comes back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from loadgen import made_up
from loadgen.failures import Failure
from loadgen.made_up import Tool
from loadgen.plan import Target, Template, UsageError
from loadgen.prepare import LeftOut, Prepared, Wanted, prepare
from planted import SAFE, TEXT, TOOLS, Planted, serving


def prepared(planted: Planted, wanted: Wanted | None = None, revision: str = "", path: str = "/mcp") -> Prepared:
    async def main() -> Prepared:
        async with serving(planted) as origin:
            transport = "sse" if path == "/sse" else "http"
            target = Target(transport=transport, url=origin + path, revision=revision)
            with trio.fail_after(30):
                return await prepare(target, wanted or Wanted(), 100)

    try:
        return trio.run(main)
    except BaseExceptionGroup as group:  # of the server's own nursery
        raise group.exceptions[0] from None


def shown(found: Prepared) -> dict[str, tuple[Any, bool]]:
    return {each.tool: (msgspec.json.decode(each.arguments), each.is_checked) for each in found.templates}


def test_every_safe_tool_is_called_with_made_up_arguments_and_what_refuses_them_is_left_out():
    found = prepared(planted := Planted())
    assert shown(found) == {"echo": ({"text": "{nonce}"}, True), "quiet": ({}, False)}
    assert found.left_out == (
        LeftOut("broken", "its schema cannot be used (KeyError)"),
        LeftOut("refuses", "tool error: refuses: no text"),
    )
    assert "writes" not in planted.calls


@pytest.mark.parametrize(
    ("modern", "revision", "spoken"),
    [(True, "", "2026-07-28"), (False, "", "2025-11-25"), (True, "2025-06-18", "2025-06-18")],
)
def test_the_newest_revision_is_spoken_that_both_know_unless_one_is_named(modern: bool, revision: str, spoken: str):
    planted = Planted(modern=modern)
    found = prepared(planted, revision=revision)
    assert (found.target.revision, found.server) == (spoken, "planted 1")
    calls = [head for head in planted.heads if f"MCP-Protocol-Version: {spoken}".encode() in head]
    assert len(calls) >= len(planted.calls)


def test_a_call_of_the_newest_revision_says_its_method_and_name_in_headers():
    planted = Planted()
    prepared(planted, Wanted(tools={"echo": 1}))
    assert b"Mcp-Method: tools/call\r\nMcp-Name: echo\r\n" in planted.heads[-1]


def test_a_tool_that_was_named_is_called_though_it_is_not_safe_and_even_if_its_trial_failed():
    found = prepared(Planted(), Wanted(tools={"writes": 3, "refuses": 1}))
    assert shown(found) == {"writes": ({"text": "{nonce}"}, True), "refuses": ({}, False)}
    assert {each.tool: each.weight for each in found.templates} == {"writes": 3, "refuses": 1}
    assert found.notes == ("the trial of refuses failed: tool error: refuses: no text",)


def test_a_tool_that_the_server_has_not_is_refused_with_those_it_has():
    with pytest.raises(
        UsageError, match=r"--tool: the server has no tool gone; it has 5: broken, echo, quiet, refuses, writes"
    ):
        prepared(Planted(), Wanted(tools={"gone": 1}))


def test_a_tool_of_a_file_of_calls_that_the_server_has_not_is_refused_by_the_name_of_its_option():
    gone = Template(tool="gone", arguments=msgspec.Raw(b"{}"))
    with pytest.raises(UsageError, match=r"^--calls-from: the server has no tool gone; it has 5: "):
        prepared(Planted(), Wanted(templates=(gone,)))


def test_a_server_without_tools_says_so():
    with pytest.raises(Failure, match=r"^no tools: the server's list of tools is empty"):
        prepared(Planted(tools=[]))


def test_tools_that_nobody_calls_safe_have_to_be_named():
    with pytest.raises(UsageError, match=r"--tool: none of 1 tools .*, such as --tool writes$"):
        prepared(Planted(tools=TOOLS[-1:]))


def test_where_every_trial_failed_the_first_failure_is_shown():
    with pytest.raises(
        UsageError, match=r"none of 1 safe tools has answered .*; refuses: tool error: refuses: no text;"
    ):
        prepared(Planted(tools=[tool for tool in TOOLS if tool["name"] == "refuses"]))


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("endless list", r"^tools/list: its page 'again' leads to itself"),
        ("longer list", r"^tools/list: it has more than 1,000 pages"),
    ],
)
def test_a_list_without_an_end_is_not_read_for_ever(fault: str, told: str):
    with pytest.raises(Failure, match=told):
        prepared(Planted(fault, tools=[]))


def test_what_a_server_may_leave_out_may_be_null():
    tool = {"name": "echo", "inputSchema": TEXT, "annotations": None}
    found = prepared(Planted("nulls", modern=False, tools=[tool]), Wanted(tools={"echo": 1}))
    assert (found.server, shown(found)) == ("planted", {"echo": ({"text": "{nonce}"}, True)})


ODD = """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    told = {"result": 5} if asked["method"] == "initialize" else {"error": {"code": -32601, "message": "no"}}
    print(json.dumps({"jsonrpc": "2.0", "id": asked["id"]} | told), flush=True)
"""


def test_of_two_revisions_that_fail_the_one_whose_method_is_unknown_says_least():
    with pytest.raises(Failure, match=r"^not MCP: the server's answer has another shape"):
        trio.run(prepare, Target(transport="stdio", command=(sys.executable, "-S", "-c", ODD)), Wanted(), 100)


SCHEMAS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "bounds with a fraction": (
        {"properties": {"a": {"type": "number", "exclusiveMinimum": 0.5, "maximum": 0.75}}, "required": ["a"]},
        {"a": 0.501},
    ),
    "steps with a fraction": (
        {"properties": {"a": {"type": "number", "multipleOf": 0.25, "minimum": 1.3}}, "required": ["a"]},
        {"a": 1.5},
    ),
    "a rule of another part": (
        {"allOf": [{"properties": {"a": {"type": "string"}}, "required": ["a"]}], "properties": {"b": {"const": 1}}},
        {"a": "text", "b": 1},
    ),
    "an argument that needs another": (
        {
            "properties": {"a": {"const": 1}, "b": {"const": 2}},
            "required": ["a"],
            "dependentRequired": {"a": ["b"]},
        },
        {"a": 1, "b": 2},
    ),
    "an invalid keyword": (
        {"properties": {"a": {"type": "integer", "minimum": 3, "exclusiveMinimum": True}}, "required": ["a"]},
        {"a": 3},
    ),
}
"""Schemas of tools, and the arguments that are made up."""


@pytest.mark.parametrize("case", SCHEMAS)
def test_arguments_fit_what_the_schema_says_of_each_and_of_all_together(case: str):
    schema, arguments = SCHEMAS[case]
    encoded = msgspec.json.encode({"type": "object"} | schema)
    made = made_up.plain(Tool(name="tool", input_schema=msgspec.Raw(encoded)), whole=False)
    assert msgspec.json.decode(made.arguments) == arguments


def test_a_schema_that_is_invalid_costs_its_tool_the_number_and_no_more():
    schema = {"type": "object", "properties": {"text": {"type": "string", "minLength": -1}}, "required": ["text"]}
    found = prepared(Planted(tools=[{"name": "echo", "inputSchema": schema, "annotations": SAFE}, *TOOLS[1:2]]))
    assert shown(found) == {"echo": ({"text": "text"}, False), "quiet": ({}, False)}


def test_a_server_without_the_named_revision_is_a_failure_with_its_own_words():
    with pytest.raises(Failure, match=r"error -32601: no server/discover"):
        prepared(Planted(modern=False), revision="2026-07-28")


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        (Target(transport="http", url="https://example.com/mcp?key=s3cret"), "https://example.com/mcp"),
        (
            Target(transport="stdio", command=("env", "KEY=s3cret", "python", "-m", "a", "--token", "b", "--x=s3cret")),
            "env KEY python -m a --token … --x",
        ),
        (
            Target(transport="stdio", command=("a", "-H", "Authorization: s3cret", "-t", "s3cret", "-HX-Key:s3cret")),
            "a -H … -t … -HX-Key",
        ),
        (Target(transport="stdio", command=("npx", "-y", "@scope/a", "-k=s3cret")), "npx -y @scope/a -k"),
    ],
)
def test_reports_name_the_server_without_what_may_be_a_secret(target: Target, shown: str):
    assert target.shown == shown


def test_what_a_server_says_is_shown_as_one_line_that_no_terminal_acts_on():
    assert str(Failure("tool error", "a\n\x1b[31mb" + "x" * 1000)) == "tool error: a ?[31mb" + "x" * 192


def test_a_place_where_nobody_listens_is_one_line():
    async def main() -> None:
        async with serving(Planted()) as origin:
            pass
        await prepare(Target(transport="http", url=f"{origin}/mcp"), Wanted(), 100)

    with pytest.raises(Failure, match=r"^connect: 127\.0\.0\.1:\d+: .*[Rr]efused"):
        trio.run(main)


def test_a_command_that_is_none_is_one_line(tmp_path: Path):
    target = Target(transport="stdio", command=(str(tmp_path / "gone"),))
    with pytest.raises(Failure, match=r"^connect: .*gone: No such file"):
        trio.run(prepare, target, Wanted(), 100)
