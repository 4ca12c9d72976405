"""Tools are graded by rules; each kind of fault that they know was mended, and is found where it is made by hand."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

import grades
from descriptions import JSON, body, media, operation, parameter, tool
from openapi_mcp_server.bridge.catalog import ApiSource, build
from openapi_mcp_server.bridge.model import Tool
from openapi_mcp_server.bridge.origins import base_url
from openapi_mcp_server.openapi.operations import describe
from openapi_mcp_server.openapi.text.document import parse

GOOD = tool(
    operation("GET", "/pets/{id}", operation_id="getPet", summary="Find a pet", parameters=(parameter("id", "path"),))
)


def with_entry(**changes: Any) -> Tool:
    entry = msgspec.json.decode(GOOD.entry)
    schema = entry["inputSchema"] | changes.pop("inputs", {})
    encoded = msgspec.json.encode(entry | {"inputSchema": schema} | changes)
    return msgspec.structs.replace(GOOD, entry=msgspec.Raw(encoded))


def broken(made: Tool, twins: int = 1, **spread: float) -> list[str]:
    return [rule.name for rule in grades.faults(grades.Seen(made, twins, spread))]


def one(name: str, **schema: Any) -> dict[str, Any]:
    return {"inputs": {"properties": {name: schema}, "required": [name]}}


@pytest.mark.parametrize(
    ("made", "rule"),
    [
        (with_entry(description="GET /pets/{id}"), "path alone"),
        (with_entry(description="Find all pets. Find all pets of a shop."), "said twice"),
        (with_entry(description="Find <b>a</b> pet"), "mark-up"),
        (with_entry(description="Find\na pet"), "line ends"),
        (with_entry(description="Pets. For more information about pets, see Pets."), "pointer"),
        (with_entry(description="Supports the following custom media types: x."), "media promise"),
        (with_entry(**one("x", type="string")), "untold"),
        (with_entry(**one("id", description="[x](y)")), "mark-up below"),
        (with_entry(**one("id")), "untyped"),
        (with_entry(**one("id", type="string", default="A sentence of many words, " * 4)), "prose default"),
        (with_entry(**one("id", enum=[*range(41)])), "long list"),
        (with_entry(**one("id", type="string", description="x" * 9_000)), "too long"),
        (with_entry(**one("id", type="string", pattern="^a")), "unguessable"),
        (with_entry(**one("id", type="object", description="All. (shortened)")), "long"),
        (with_entry(**one("id", type="string", description="the pet Required if a body is sent.")), "full stop"),
        (with_entry(inputs={"properties": {"a": {"type": "string"}, "id": {"type": "string"}}}), "late"),
        (msgspec.structs.replace(GOOD, name="x" * 65), "name"),
        (msgspec.structs.replace(GOOD, name="getPet_0123abcd"), "hash"),
    ],
)
def test_a_rule_finds_its_fault(made: Tool, rule: str) -> None:
    assert rule in broken(made)


def test_what_has_no_fault_is_good_and_the_worst_fault_is_the_grade() -> None:
    assert broken(GOOD) == []
    assert grades.grade([]) == "good"
    assert grades.grade([rule for rule in grades.RULES if rule.grade == "usable"]) == "usable"
    assert grades.grade([*grades.RULES]) == "bad"
    assert broken(GOOD, twins=2) == ["twin"]


def test_switches_count_where_nearly_all_operations_take_them() -> None:
    made = tool(operation("POST", parameters=(parameter("pretty"),), body=body(media(JSON, {"type": "string"}))))
    assert "switch" in broken(made, pretty=0.9)
    assert "switch" not in broken(made, pretty=0.5)


@pytest.mark.parametrize(
    "document", ["guru__asana.com.json", "guru__googleapis.com__gmail.json", "sendgrid-oai__oai.yaml"]
)
def test_nine_in_ten_tools_of_published_documents_are_good_and_none_is_bad(specs_dir, document: str) -> None:
    """`scripts/grades` looks at all of them."""
    seen = grades.tools_of(specs_dir / "specs" / document)
    found = [grades.grade(grades.faults(each)) for each in seen]
    assert "bad" not in found
    assert found.count("good") >= grades.GOOD_SHARE * len(found)


# The kinds of faults that documents have, each with the rule that mends it


def built(*operations: Any) -> list[Tool]:
    paths: dict[str, Any] = {}
    for path, method, declared in operations:
        paths.setdefault(path, {})[method] = declared
    document = {"openapi": "3.1.0", "info": {"title": "T", "version": "1"}, "paths": paths}
    description = describe(parse(msgspec.json.encode(document)))
    source = ApiSource(name="api", base=base_url("https://api.example.com"), description=description)
    return [*build([source]).tools.values()]


def described(**declared: Any) -> str:
    [only] = built(("/pets", "get", {"operationId": "getPets", **declared}))
    return str(msgspec.json.decode(only.entry)["description"])


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        pytest.param({}, "Get pets. GET /pets", id="the words of an operationId"),
        pytest.param({"operationId": "pets"}, "GET /pets", id="which is one word"),
        pytest.param(
            {"summary": "List pets", "description": "Lists all pets. More."}, "Lists all pets. More.", id="said twice"
        ),
        pytest.param(
            {"description": 'Lists. For more information about pets, see "[Pets](https://x/y)."'},
            "Lists.",
            id="pointer",
        ),
        pytest.param(
            {"description": "Lists.\n\nIt supports the following custom media types. See [x](y).\n\n- **a**: b"},
            "Lists.",
            id="media types that cannot be asked for",
        ),
        pytest.param(
            {"description": "> [!NOTE]\n> Of *all* pets.\n\n*New in 2.1*"}, "Of all pets. New in 2.1", id="mark-up"
        ),
        pytest.param({"description": "a * b * c, *.txt"}, "a * b * c, *.txt", id="stars that are no mark-up"),
    ],
)
def test_a_description_has_what_a_model_needs(declared: dict[str, Any], told: str) -> None:
    assert described(**declared) == told


def test_a_path_items_words_are_those_of_its_operations_without_any() -> None:
    [only] = built(("/pets", "summary", "Pets of the shop"), ("/pets", "get", {"operationId": "x"}))
    assert msgspec.json.decode(only.entry)["description"] == "Pets of the shop"


def test_tools_of_one_description_are_told_apart_by_their_place() -> None:
    same = {"summary": "Read a pet"}
    told = [msgspec.json.decode(each.entry)["description"] for each in built(("/a", "get", same), ("/b", "get", same))]
    assert told == ["Read a pet. GET /a", "Read a pet. GET /b"]


def test_required_arguments_come_first() -> None:
    made = tool(operation(parameters=(parameter("a"), parameter("b", required=True))))
    assert made.input.names == ("b", "a")


def test_switches_and_keys_of_nearly_all_operations_are_left_out_and_noted() -> None:
    own = {"parameters": [{"name": name, "in": "query", "schema": {"type": "string"}} for name in ("pretty", "q")]}
    many = [(f"/p{index}", "get", own) for index in range(8)]
    assert {each.input.names for each in built(*many)} == {("q",)}
    few = [(f"/p{index}", "get", own if index < 4 else {}) for index in range(8)]
    assert {each.input.names for each in built(*few)} == {("pretty", "q"), ()}


def argument(**schema: Any) -> Any:
    content = {JSON: {"schema": {"type": "object", "properties": {"a": schema}, "required": ["a"]}}}
    [only] = built(("/pets", "post", {"requestBody": {"content": content}}))
    return msgspec.json.decode(only.entry)["inputSchema"]["properties"]["a"]


def test_prose_below_arguments_is_clean() -> None:
    inner = {"type": "object", "properties": {"b": {"type": "string", "description": "See [this](x).\n\n**Now**"}}}
    assert argument(**inner)["properties"]["b"]["description"] == "See this. Now"


def test_a_default_that_is_a_sentence_is_a_description() -> None:
    sentence = "The subuser's username, which this call is made on behalf of."
    told = argument(type="string", default=sentence)
    assert told == {"description": f"{sentence} Required if a body is sent.", "type": "string"}
    assert argument(type="string", default="a b")["default"] == "a b"


def test_a_long_enumeration_is_told_by_its_beginning_and_checked_whole() -> None:
    told = argument(type="integer", enum=[*range(60)])
    assert "enum" not in told
    assert told["description"].startswith("Required if a body is sent. One of 0, 1, 2")
    assert "and 40 more. (Shortened; whole in the resource" in told["description"]


def test_a_hint_of_ours_is_a_sentence_of_its_own_and_outlives_shortening() -> None:
    assert argument(type="string", description="the pet")["description"] == "the pet. Required if a body is sent."
    long = argument(type="string", description="word " * 200, enum=[*map(str, range(60))])
    assert "Required if a body is sent." in long["description"]


def test_names_that_stand_twice_say_where_they_go() -> None:
    made = tool(operation(path="/{id}", parameters=(parameter("id", "path"), parameter("id"))))
    told = msgspec.json.decode(made.entry)["inputSchema"]["properties"]
    assert [each["description"] for each in told.values()] == ["(In the path.)", "(In the query.)"]
