"""An operation in two lines: which form its arguments have."""

from __future__ import annotations

from typing import Any

import pytest

from descriptions import JSON, body, catalog, media, operation
from openapi_mcp_server.bridge.search.hits import Shown, lines

MAP = {"type": "object", "additionalProperties": {}}


def signature(properties: dict[str, Any], *required: str) -> str:
    """The arguments of an operation whose body has these properties."""
    schema = {"type": "object", "properties": properties, "required": [*required]}
    made = catalog(operation("POST", operation_id="op", body=body(media(JSON, schema))))
    told = lines(1, made.tools["op"], Shown(), ())
    return told.partition("op(")[2].partition(")")[0]


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "boolean", "default": False}, "v?: bool = false"),
        ({"type": "boolean", "default": True}, "v?: bool = true"),
        ({"type": "integer", "default": 0}, "v?: int = 0"),
        ({"type": "number", "default": 1.5}, "v?: number = 1.5"),
        ({"enum": ["asc", "desc"], "default": "asc"}, "v?: asc|desc = asc"),
        ({"type": "string", "default": "a b"}, 'v? = "a b"'),
        ({"type": "array", "items": {}, "default": [False]}, "v?: any[] = [false]"),
        ({"type": "string", "default": ""}, "v?"),
    ],
)
def test_a_default_is_spelt_as_json_spells_it(schema: dict[str, Any], words: str) -> None:
    assert signature({"v": schema}) == words


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (MAP, "v?: {…}"),
        ({"type": "array", "items": MAP}, "v?: {…}[]"),
        ({"anyOf": [{"type": "object", "properties": {"a": {}}}, {"type": "null"}]}, "v?: {a?: any}"),
        ({}, "v?: any"),
        ({"type": "string", "format": "date"}, "v?: date"),
        ({"type": "string", "contentEncoding": "base64"}, "v?: base64"),
        ({"type": "string"}, "v?"),
    ],
)
def test_an_optional_argument_without_a_form_is_plain_text(schema: dict[str, Any], words: str) -> None:
    assert signature({"v": schema}) == words


def test_of_many_optional_arguments_objects_give_way() -> None:
    simple = {f"n{number}": {"type": "integer"} for number in range(5)}
    told = signature({"a": MAP, "b": MAP, **simple})
    assert told == ", ".join([*(f"{name}?: int" for name in simple), "a?: {…}", "b?"])


def test_the_media_type_of_a_body_is_only_named() -> None:
    schema = {"type": "object", "properties": {"a": MAP}}
    types = [media(name, schema) for name in (JSON, "text/json", "application/xml")]
    made = catalog(operation("POST", operation_id="op", body=body(*types)))
    assert lines(1, made.tools["op"], Shown(), ()).startswith("1. op(a?: {…}, content_type?)")
