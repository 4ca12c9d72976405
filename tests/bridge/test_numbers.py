"""Numbers from what a model writes to what an API gets, in every place where one can go."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from documents import described
from openapi_mcp_server.bridge import request
from openapi_mcp_server.bridge.arguments.check import check
from openapi_mcp_server.bridge.catalog import ApiSource, build
from openapi_mcp_server.bridge.http_messages import HttpRequest
from openapi_mcp_server.bridge.media import exact_json
from openapi_mcp_server.bridge.model import Tool
from openapi_mcp_server.bridge.origins import base_url
from openapi_mcp_server.errors import ArgumentError

NUMBER, INTEGER, TEXT = {"type": "number"}, {"type": "integer"}, {"type": "string"}
FORM, MULTIPART, JSON, XML = "application/x-www-form-urlencoded", "multipart/form-data", "application/json", "text/xml"


def tool(operation: dict[str, Any], path: str = "/x") -> Tool:
    description = described({path: {"post": {"operationId": "op", **operation}}})
    catalog = build([ApiSource(name="api", base=base_url("https://api.example.com"), description=description)])
    return catalog.tools["op"]


def in_parameter(location: str, schema: Any) -> Tool:
    declared = {"name": "n", "in": location, "required": location == "path", "schema": schema}
    return tool({"parameters": [declared]}, "/{n}" if location == "path" else "/x")


def in_body(media: str, schema: Any) -> Tool:
    whole = {"type": "object", "xml": {"name": "r"}, "properties": {"n": schema}}
    return tool({"requestBody": {"required": True, "content": {media: {"schema": whole}}}})


def sent(made: Tool, number: str) -> HttpRequest:
    arguments = f'{{"body":{{"n":{number}}}}}' if "body" in made.input.names else f'{{"n":{number}}}'
    checked = check(made, msgspec.Raw(arguments.encode()))
    return request.build(made, checked.values, checked.others)


def body(made: HttpRequest) -> str:
    assert made.body is not None
    return made.body.decode()


PLACES = {
    "path": (lambda schema: in_parameter("path", schema), lambda made: made.path[1:]),
    "query": (lambda schema: in_parameter("query", schema), lambda made: made.query.removeprefix("n=")),
    "header": (lambda schema: in_parameter("header", schema), lambda made: dict(made.headers)["n"]),
    "cookie": (lambda schema: in_parameter("cookie", schema), lambda made: dict(made.headers)["cookie"][2:]),
    "json": (lambda schema: in_body(JSON, schema), lambda made: body(made)[5:-1]),
    "form": (lambda schema: in_body(FORM, schema), lambda made: body(made).removeprefix("n=")),
    "multipart": (lambda schema: in_body(MULTIPART, schema), lambda made: body(made).split("\r\n")[3]),
    "xml": (lambda schema: in_body(XML, schema), lambda made: body(made).partition("<n>")[2].partition("<")[0]),
}
NUMBERS = [
    # as it is written, where a number is asked for, where an integer is
    ("1", "1", "1"),
    ("1.0", "1.0", "1"),
    ("1.10", "1.10", None),
    ("100.0", "100.0", "100"),
    ("-0", "0", "0"),
    ("-0.0", "-0.0", "0"),
    ("1e2", "100", "100"),
    ("1E+2", "100", "100"),
    ("1.5e3", "1500", "1500"),
    ("1.50e1", "15.0", "15"),
    ("0.0000001", "0.0000001", None),
    ("1e-7", "0.0000001", None),
    ("0.000001", "0.000001", None),
    ("9007199254740993", "9007199254740993", "9007199254740993"),
    ("18446744073709551617", "18446744073709551617", "18446744073709551617"),
    ("12345678901234567890.5", "12345678901234567890.5", None),
    ("1e20", "1" + 20 * "0", "1" + 20 * "0"),
    ("1e21", "1e21", "1" + 21 * "0"),
    ("1e40", "1e40", "1" + 40 * "0"),
    ("-2.5E400", "-2.5e400", "-25" + 399 * "0"),
    ("1e-400", "1e-400", None),
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("written", "as_number", "as_integer"), NUMBERS)
def test_a_number_is_what_was_written_in_every_place(
    place: str, written: str, as_number: str, as_integer: str | None
) -> None:
    make, found = PLACES[place]
    assert found(sent(make(NUMBER), written)) == as_number
    assert found(sent(make({}), written)) == as_number
    assert found(sent(make(TEXT), written)).strip('"') == as_number
    if as_integer is None:
        with pytest.raises(ArgumentError, match="expected integer"):
            sent(make(INTEGER), written)
    else:
        assert found(sent(make(INTEGER), written)) == as_integer


@pytest.mark.parametrize("written", ["1e1001", "1e-1001", "1e999999999999999999999"])
def test_a_number_without_end_is_refused_in_one_line(written: str) -> None:
    with pytest.raises(ArgumentError, match=r"^The arguments cannot be read: a number [^\n]*\.$"):
        sent(PLACES["query"][0](NUMBER), written)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.decimals(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["1E+5", ",1E-9,", '"1E+7"', "\\1E+7", "E", "[1E+400]"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(VALUES)
def test_only_the_spelling_of_numbers_changes(value: Any) -> None:
    def read(text: bytes) -> Any:
        return json.loads(text, parse_float=Decimal, parse_int=Decimal)

    written = exact_json.encode(value)
    assert read(written) == read(msgspec.json.Encoder(decimal_format="number").encode(value))
    assert b"E+" not in written or "E+" in repr(value)
