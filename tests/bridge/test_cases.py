"""Documents and calls of people who reported what went wrong with them, each with the request that is right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from descriptions import told
from openapi_mcp_server.bridge import request
from openapi_mcp_server.bridge.arguments.check import check
from openapi_mcp_server.bridge.catalog import ApiSource, build
from openapi_mcp_server.bridge.http_messages import HttpRequest
from openapi_mcp_server.bridge.model import Tool
from openapi_mcp_server.bridge.origins import base_url
from openapi_mcp_server.errors import ArgumentError
from openapi_mcp_server.openapi.operations import describe
from openapi_mcp_server.openapi.text.document import parse

CASES = Path(__file__).parents[1] / "specs" / "cases"


def tool(case: str, name: str) -> Tool:
    description = describe(parse((CASES / f"{case}.json").read_bytes()))
    catalog = build([ApiSource(name="api", base=base_url("https://api.example.com"), description=description)])
    assert catalog.skipped == ()
    return catalog.tools[name]


def sent(made: Tool, arguments: str) -> HttpRequest:
    checked = check(made, msgspec.Raw(arguments.encode()))
    return request.build(made, checked.values, checked.others)


def refusal(made: Tool, arguments: str) -> str:
    with pytest.raises(ArgumentError) as caught:
        check(made, msgspec.Raw(arguments.encode()))
    return str(caught.value)


BODIES = [
    ("merge-patch", "patch", '{"name":null}', {"name": None}),
    ("merge-patch", "patch", '{"tags":{"a":null}}', {"tags": {"a": None}}),
    ("merge-patch", "patch", '{"inner":{"note":null}}', {"inner": {"note": None}}),
    ("allof-closed-parts", "order", '{"newAccount":{"day":1,"cf":"y"}}', {"newAccount": {"day": 1, "cf": "y"}}),
    ("null-for-optional", "upd", '{"id":"1","title":"x","description":null}', {"title": "x"}),
    ("null-for-optional", "upd", '{"id":"1","title":"x","version":null,"X-C":null}', {"title": "x"}),
    ("null-beside-required", "pn", '{"r":"x","o":null,"s":{"t":null}}', {"r": "x", "s": {}}),
    ("open-body", "put", '{"inner":{"x":"1","undeclared":true}}', {"inner": {"x": "1", "undeclared": True}}),
    (
        "open-body",
        "put",
        '{"patterns_allowed":["monalisa/*"],"verified_allowed":true}',
        {"patterns_allowed": ["monalisa/*"], "verified_allowed": True},
    ),
    ("open-body", "put", '{"more":{"a":[1.10]}}', {"more": {"a": [1.1]}}),
    ("numbers-for-text", "w", '{"id":1,"phone":4930123}', {"phone": "4930123"}),
    ("objects-without-type", "a", '{"o":"{\\"x\\":\\"1\\"}"}', {"o": {"x": "1"}}),
    ("objects-without-type", "a", '{"c":"{\\"x\\":\\"1\\",\\"y\\":2}"}', {"c": {"x": "1", "y": 2}}),
    ("objects-without-type", "a", '{"l":"[\\"a\\"]","m":"{\\"k\\":1}"}', {"l": ["a"], "m": {"k": 1}}),
    ("kinds", "makePet", '{"body":{"petType":"cat","lives":9}}', {"petType": "cat", "lives": 9}),
    ("kinds", "wrapPet", '{"pet":{"petType":"dog","pack":"3"}}', {"pet": {"petType": "dog", "pack": 3}}),
    ("kinds", "manyPets", '{"pets":[{"petType":"bird","wings":2}]}', {"pets": [{"petType": "bird", "wings": 2}]}),
    ("refused-by-model-apis", "x", '{"strEnumOfInts":256}', {"strEnumOfInts": "256"}),
]  # fmt: skip


@pytest.mark.parametrize(("case", "name", "arguments", "body"), BODIES)
def test_a_body_is_what_was_meant(case: str, name: str, arguments: str, body: Any) -> None:
    assert json.loads(sent(tool(case, name), arguments).body or b"null") == body


@pytest.mark.parametrize(
    ("case", "name", "arguments", "path", "query"),
    [
        ("numbers-for-text", "u", '{"id":123,"zip":10115,"flag":true}', "/u/123", "zip=10115&flag=true"),
        ("null-beside-required", "n", '{"a":null,"b":null,"c":null,"must":"x"}', "/n", "must=x"),
        ("empty-text", "x", '{"t":"","i":"","e":"","l":[],"d":{}}', "/x", "t="),
        ("empty-text", "x", '{"i":"null","e":null}', "/x", ""),
        ("unevaluated-properties", "rec", '{"m":{"a":"1"},"q":{"a":"1"}}', "/r/a,1", "q%5Ba%5D=1"),
    ],
)
def test_a_parameter_is_what_was_meant(case: str, name: str, arguments: str, path: str, query: str) -> None:
    made = sent(tool(case, name), arguments)
    assert (made.path, made.query) == (path, query)


@pytest.mark.parametrize(
    ("case", "name", "arguments", "problem"),
    [
        ("null-beside-required", "n", '{"must":null,"b":null}', "- /must: expected string, got null"),
        ("null-beside-required", "pn", '{"r":null}', "- /r: expected string, got null"),
        ("unevaluated-properties", "rec", '{"m":{"a":"x"}}', '- /m/a: expected integer, got "x"'),
        ("open-body", "put", '{"paterns_allowed":[]}', "- /paterns_allowed: unknown; did you mean patterns_allowed?"),
        ("open-body", "put", '{"patternsAllowed":[]}', "- /patternsAllowed: unknown; did you mean patterns_allowed?"),
        (
            "kinds",
            "makePet",
            '{"body":{"petType":"cat","lives":"nine"}}',
            '- /body/lives: expected integer, got "nine"',
        ),
        ("kinds", "manyPets", '{"pets":[{"petType":"cat"}]}', "- /pets/0/lives: missing, expected integer"),
        ("objects-without-type", "a", '{"o":"plain words"}', '- /o: expected object, got "plain words"'),
        ("objects-without-type", "a", '{"r":"plain words"}', '- /r: expected object, got "plain words"'),
        ("objects-without-type", "a", '{"c":"plain words"}', '- /c: expected object, got "plain words"'),
        ("objects-without-type", "a", '{"l":"plain words"}', '- /l: expected array, got "plain words"'),
        ("objects-without-type", "a", '{"m":"plain words"}', '- /m: expected object, got "plain words"'),
        ("allof-closed-parts", "order", '{"newAccount":{"cf":"y"}}', "- /newAccount/day: missing, expected integer"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_else(case: str, name: str, arguments: str, problem: str) -> None:
    assert refusal(tool(case, name), arguments).splitlines()[1:] == [problem]


def test_members_of_every_kind_are_described() -> None:
    for name in ("makePet", "wrapPet", "manyPets"):
        listed = msgspec.json.encode(told(tool("kinds", name)))
        assert b'"lives":{"type":"integer"}' in listed
        assert b'"pack":{"type":"integer"}' in listed


@pytest.mark.parametrize("name", ["a", "b"])
def test_every_list_says_what_is_in_it(name: str) -> None:
    assert arrays(told(tool("arrays-without-items", name))) == []


def arrays(value: Any) -> list[Any]:
    """The schemas of lists that do not say what is in them."""
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    found = [each for part in below for each in arrays(part)]
    is_bare = isinstance(value, dict) and value.get("type") == "array" and "items" not in value
    return [value, *found] if is_bare else found


def test_values_are_listed_once() -> None:
    assert told(tool("values-twice", "e"))["properties"]["kind"]["enum"] == ["a", "b"]
    assert told(tool("values-twice", "f")) == {
        "type": "object",
        "properties": {"x": {"type": "string", "enum": ["p"]}, "n": {"type": "string"}},
        "required": ["x"],
    }


def test_examples_beside_a_schema_reach_the_model() -> None:
    properties = told(tool("examples", "a"))["properties"]
    assert properties["k"]["examples"] == ["a"]
    assert properties["z"]["examples"] == ["Z1"]


def test_mistakes_leave_what_can_be_used() -> None:
    made = told(tool("mistakes", "t"))
    assert "required" not in made
    assert made["properties"]["dflt"] == {"type": "integer"}
    assert made["properties"]["dnull"] == {"type": "string"}
    assert made["properties"]["nref"] == {"anyOf": [{"$ref": "#/$defs/E"}, {"type": "null"}]}


def test_no_schema_of_an_argument_is_one_that_model_apis_refuse() -> None:
    properties = told(tool("refused-by-model-apis", "x"))["properties"]
    assert properties["noType"]["type"] == "object"
    assert properties["rows"]["items"]["anyOf"][1] == {"type": "null"}
