"""application/x-www-form-urlencoded: the specification's examples, Stripe's habits, and a reader of our own."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from body_writers import writer
from openapi_mcp_server.errors import ArgumentError, SpecError
from openapi_mcp_server.openapi.model import Encoding, MediaType, Schema

FORM = "application/x-www-form-urlencoded"


def write(value: Any, **encoding: Encoding) -> str:
    schema = Schema(msgspec.Raw(b'{"type":"object"}'))
    media = MediaType(pointer="#/form", name=FORM, schema=schema, encoding=encoding)
    content_type, data = writer(media, {})(value)
    assert content_type == FORM
    return data.decode("ascii")


def test_the_specifications_example_with_json_values() -> None:
    # OpenAPI 3.1.1 and 3.2.0, "Example: URL Encoded Form with JSON Values"
    value = {
        "id": "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
        "address": {"streetAddress": "123 Example Dr.", "city": "Somewhere", "state": "CA", "zip": "99999+1234"},
    }
    assert write(value) == (
        "id=f81d4fae-7dec-11d0-a765-00a0c91e6bf6&address=%7B%22streetAddress%22%3A%22123+Example+Dr.%22%2C%22city%22"
        "%3A%22Somewhere%22%2C%22state%22%3A%22CA%22%2C%22zip%22%3A%2299999%2B1234%22%7D"
    )


def test_a_json_content_type_quotes_strings() -> None:
    # the same section: the id as application/json
    assert write({"id": "a"}, id=Encoding(content_type="application/json")) == "id=%22a%22"


@pytest.mark.parametrize(
    ("value", "body"),
    [
        ({"a": "b c", "d": "e&f=g+h"}, "a=b+c&d=e%26f%3Dg%2Bh"),
        ({"a": [1, "x y"]}, "a=1&a=x+y"),
        ({"a": [{"b": 1}]}, "a=%7B%22b%22%3A1%7D"),
        ({"a": True, "b": None, "c": ""}, "a=true&b=&c="),
        ({"a": []}, ""),
        ({}, ""),
        ({"~*-._": "~*-._"}, "%7E*-._=%7E*-._"),
        ({"é[]": "\n"}, "%C3%A9%5B%5D=%0A"),
    ],
)
def test_properties_without_an_encoding_are_written_by_their_type(value: Any, body: str) -> None:
    assert write(value) == body


@pytest.mark.parametrize(
    ("encoding", "value", "body"),
    [
        (Encoding(style="deepObject", explode=True), {"gt": 1, "lt": 2}, "a%5Bgt%5D=1&a%5Blt%5D=2"),
        (Encoding(style="deepObject", explode=True), ["x y", "z"], "a%5B%5D=x%20y&a%5B%5D=z"),
        (Encoding(style="deepObject", explode=True), [{"p": "x", "q": 1}], "a%5B0%5D%5Bp%5D=x&a%5B0%5D%5Bq%5D=1"),
        (Encoding(style="deepObject", explode=True), {"b": {"c": ["d"]}}, "a%5Bb%5D%5Bc%5D%5B%5D=d"),
        (Encoding(style="deepObject", explode=True), "", "a="),
        (Encoding(style="form", explode=False), ["b", "c,d"], "a=b,c%2Cd"),
        (Encoding(style="form"), {"R": 100, "G": 200}, "R=100&G=200"),
        (Encoding(explode=False), {"R": 100, "G": 200}, "a=R,100,G,200"),
        (Encoding(explode=True), ["b", "c"], "a=b&a=c"),
        (Encoding(style="spaceDelimited"), ["b", "c"], "a=b%20c"),
        (Encoding(style="pipeDelimited"), ["b", "c"], "a=b%7Cc"),
        (Encoding(allow_reserved=True), "http://x/?q#&=+", "a=http://x/?q%23%26%3D%2B"),
    ],
)  # fmt: skip
def test_properties_with_a_style_are_written_in_it(encoding: Encoding, value: Any, body: str) -> None:
    assert write({"a": value}, a=encoding) == body


def test_a_body_with_deep_objects_is_written_as_stripe_reads_it() -> None:
    deep = Encoding(style="deepObject", explode=True)
    value = {"amount": 2000, "expand": ["customer"], "metadata": {"order id": "6735"}, "description": "a b"}
    assert write(value, expand=deep, metadata=deep) == (
        "amount=2000&expand%5B%5D=customer&metadata%5Border%20id%5D=6735&description=a+b"
    )


def test_a_style_that_forms_do_not_have_is_refused_at_load() -> None:
    with pytest.raises(SpecError, match="style matrix is not defined for the form field 'a'"):
        write({}, a=Encoding(style="matrix"))


def test_only_an_object_is_a_form() -> None:
    with pytest.raises(ArgumentError, match="body: must be an object"):
        write(["a"])


def read_form(body: str) -> list[tuple[str, str]]:
    """The WHATWG URL Standard, section 5.1."""
    pairs = []
    for piece in body.split("&"):
        name, _, value = piece.partition("=")
        octets = [
            re.sub(rb"%([0-9A-Fa-f]{2})", lambda hit: bytes([int(hit[1], 16)]), part.replace("+", " ").encode())
            for part in (name, value)
        ]
        pairs.append((octets[0].decode(), octets[1].decode()))
    return pairs


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@settings(max_examples=150)
@given(st.dictionaries(TEXT, TEXT | st.lists(TEXT, min_size=1, max_size=3), min_size=1, max_size=4))
def test_an_independent_reader_reads_back_a_form(value: dict[str, Any]) -> None:
    expected = [
        (name, item) for name, given in value.items() for item in (given if isinstance(given, list) else [given])
    ]
    assert read_form(write(value)) == expected
