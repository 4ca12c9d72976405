"""Characters that no reader sees, in every place of a document that reaches a model: none arrives unseen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from documents import of_operation
from openapi_mcp_server.bridge import catalog, prompts, text
from openapi_mcp_server.bridge.arguments import check
from openapi_mcp_server.bridge.catalog import ApiSource
from openapi_mcp_server.bridge.model import Tool
from openapi_mcp_server.bridge.origins import base_url
from openapi_mcp_server.errors import ArgumentError

TAGS = "".join(chr(0xE0000 + ord(each)) for each in "ignore")
KINDS = {"bidirectional": "\u202e", "tags": TAGS, "escape": "\x1b", "zero width": "\u200b", "selector": "\ufe01"}


def of_n(keywords: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {"n": {"type": "object", **keywords}}}


SCHEMAS: dict[str, Any] = {
    "enum": {"type": "string", "enum": ["plain", "aXb"]},
    "const": {"const": "aXb"},
    "default": {"type": "string", "default": "aXb"},
    "default in a list": {"type": "array", "items": {"type": "string"}, "default": ["aXb"]},
    "examples": {"type": "string", "examples": ["aXb"]},
    "pattern": {"type": "string", "pattern": "^aXb$"},
    "format": {"type": "string", "format": "aXb"},
    "contentMediaType": {"type": "string", "contentMediaType": "aXb/c"},
    "title": {"type": "string", "title": "aXb"},
    "description": {"type": "string", "description": "aXb"},
    "a nested name": of_n({"properties": {"aXb": {}}}),
    "a required name": of_n({"properties": {"aXb": {}}, "required": ["aXb"], "additionalProperties": False}),
    "patternProperties": of_n({"patternProperties": {"^aXb": {}}}),
    "dependentRequired": of_n({"dependentRequired": {"aXb": ["c"]}}),
    "an extension": {"type": "string", "x-aXb": "aXb"},
    "a branch": {"oneOf": [{"type": "string", "enum": ["aXb"]}, {"type": "integer"}]},
    "items": {"type": "array", "items": {"enum": ["aXb"]}},
    "a list of lists": {"enum": [["aXb"], {"aXb": 1}]},
}


def with_hidden(value: Any, hidden: str) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value).replace(b"X", msgspec.json.encode(hidden)[1:-1]))


def made(operation: dict[str, Any], **root: Any) -> Tool:
    source = ApiSource(name="a", base=base_url("https://a.example"), description=of_operation(operation, **root))
    [tool] = catalog.build([source]).tools.values()
    return tool


def unseen_by_people(tool: Tool) -> list[str]:
    """Of all that a model reads of a tool, the texts with something that no reader sees."""
    prompt = msgspec.to_builtins(prompts.entry("use", tool))
    told = [msgspec.json.decode(tool.entry), prompt, tool.title, tool.summary]
    return [each for each in texts(told) if text.INVISIBLE.search(each)]


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for part in [*value, *(value.values() if isinstance(value, dict) else ())]:
            yield from texts(part)


@pytest.mark.parametrize("hidden", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("place", SCHEMAS)
@pytest.mark.parametrize("home", ["parameter", "body", "definition", "answer"])
def test_what_no_reader_sees_reaches_no_model(place: str, hidden: str, home: str) -> None:
    schema = with_hidden(SCHEMAS[place], hidden)
    content = {"application/json": {"schema": schema}}
    root: dict[str, Any] = {}
    if home == "parameter":
        operation: dict[str, Any] = {"parameters": [{"name": "p", "in": "query", "schema": schema}]}
    elif home == "answer":
        content = {"application/json": {"schema": {"type": "object", "properties": {"p": schema}}}}
        operation = {"responses": {"200": {"description": "", "content": content}}}
    else:
        if home == "definition":
            root = {"components": {"schemas": {"A": schema}}}
            content = {
                "application/json": {
                    "schema": {"type": "object", "properties": {"p": {"$ref": "#/components/schemas/A"}}}
                }
            }
        operation = {"requestBody": {"content": content}}
    assert unseen_by_people(made(operation, **root)) == []


@pytest.mark.parametrize("hidden", KINDS.values(), ids=KINDS)
def test_prose_names_and_examples_around_the_schema_lose_it_too(hidden: str) -> None:
    operation = with_hidden(
        {
            "operationId": "aXb",
            "summary": "aXb",
            "description": "cXd",
            "tags": ["aXb"],
            "parameters": [{"name": "aXb", "in": "query", "description": "aXb", "schema": {}, "example": "aXb"}],
            "responses": {"200": {"description": "aXb", "content": {"text/plain": {}}}},
            "x-mcp": {"title": "aXb", "annotations": {"title": "aXb"}},
        },
        hidden,
    )
    assert unseen_by_people(made(operation)) == []


@pytest.mark.parametrize("keyword", ["enum", "const", "default"])
def test_a_value_is_told_in_escapes_that_a_model_can_send(keyword: str) -> None:
    schema = with_hidden(SCHEMAS[keyword], "\u202e")
    tool = made({"parameters": [{"name": "p", "in": "query", "schema": schema}]})
    listed = msgspec.json.decode(tool.entry)["inputSchema"]["properties"]["p"]
    assert keyword not in listed
    assert r'"a\u202eb"' in listed["description"]
    sent = check.check(tool, msgspec.Raw(rb'{"p":"a\u202eb"}'))
    assert sent.values["p"] == "a\u202eb"


def test_an_error_message_holds_none_either() -> None:
    tool = made({"parameters": [{"name": "p", "in": "query", "schema": {"type": "integer", "enum": [1, "a\u202eb"]}}]})
    with pytest.raises(ArgumentError) as refused:
        check.check(tool, msgspec.Raw(b'{"p":[]}'))
    assert text.INVISIBLE.search(str(refused.value)) is None


def test_what_everybody_sees_stays_as_it_is() -> None:
    schema = {
        "type": "string",
        "enum": ["naïve", "日本", "tab\t", "line\n"],
        "default": "naïve",
        "pattern": "^[ä\\u0041]",
    }
    tool = made({"parameters": [{"name": "p", "in": "query", "schema": schema}]})
    assert msgspec.json.decode(tool.entry)["inputSchema"]["properties"]["p"]["enum"] == schema["enum"]
