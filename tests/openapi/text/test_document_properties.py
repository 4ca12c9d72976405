"""Whatever the document: what was written comes out, or it is refused in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.json import decode, encode

from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.openapi.text import yaml
from openapi_mcp_server.openapi.text.document import parse
from openapi_mcp_server.openapi.text.source import DocumentLimits

TEXT = st.text(alphabet=st.characters(codec="utf-8"), max_size=12)
SPECIAL = st.text(alphabet="ab:-#?&*!|>%@`'\"[]{},\\ \n\t0.~=<", max_size=8)
WORDS = st.sampled_from(
    ["null", "~", "true", "No", "1", "1.0", "012", "0x1", ".inf", "<<", "=", "", "2024-01-01", "a: b"]
)
STRINGS = TEXT | SPECIAL | WORDS
SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS | STRINGS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(STRINGS, inner, max_size=4),
    max_leaves=20,
)


def encoded(value: Any) -> bytes:
    """As JSON: msgspec encodes no integer of more than 64 bits."""
    if isinstance(value, dict):
        return b"{" + b",".join(encode(key) + b":" + encoded(each) for key, each in value.items()) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(map(encoded, value)) + b"]"
    return str(value).encode() if type(value) is int else encode(value)


def block(value: Any, indent: int = 0) -> Iterator[str]:
    """The lines of a value in YAML's block style, with all text in double quotes."""
    margin = " " * indent
    if isinstance(value, dict) and value:
        for key, each in value.items():
            yield f"{margin}{encoded(key).decode()}:"
            yield from block(each, indent + 2)
    elif isinstance(value, list) and value:
        for each in value:
            first, *others = block(each, indent + 2)
            yield f"{margin}- {first.strip(' ')}"
            yield from others
    else:
        yield margin + encoded(value).decode()


@given(VALUES)
def test_json_comes_out_as_it_went_in(value: Any) -> None:
    text = b'{"openapi":"3.1.0","x":%b}' % encoded(value)
    assert parse(text.replace(b'"openapi"', b'\n"openapi" ')).json == text


@given(VALUES)
def test_json_is_yaml(value: Any) -> None:
    text = encoded(value)
    assert decode(yaml.to_json(text, DocumentLimits())) == decode(text)
    assert decode(yaml.to_json(b"- " + text, DocumentLimits())) == [decode(text)]


@given(VALUES)
def test_block_style_means_the_same_as_flow_style(value: Any) -> None:
    text = "\n".join(block(value)).encode()
    assert decode(yaml.to_json(text, DocumentLimits())) == decode(encoded(value))


@given(
    st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("Cc",)), min_size=1).map(str.strip).filter(bool)
)
def test_a_literal_block_keeps_every_character(text: str) -> None:
    json = yaml.to_json(f"x: |2-\n    {text}\n".encode(), DocumentLimits())
    assert decode(json) == {"x": f"  {text}"}


@given(st.dictionaries(STRINGS, st.integers(0, 9), min_size=1, max_size=5), st.data())
def test_a_key_that_is_said_again_is_refused_in_json_and_in_yaml(mapping: dict[str, int], data: st.DataObject) -> None:
    again = data.draw(st.sampled_from(sorted(mapping)))
    members = [encode(key) + b": 1" for key in [*mapping, again]]
    for text in (
        b'{"openapi": "3.1.0", "x": {' + b", ".join(members) + b"}}",
        b"openapi: 3.1.0\nx: {" + b", ".join(members) + b"}",
        b"openapi: 3.1.0\nx:\n  " + b"\n  ".join(members),
    ):
        with pytest.raises(SpecError, match="duplicate key"):
            parse(text)


FRAGMENTS = [
    *b"a|b: |c:\n|- |? |: |[|]|{|}|, |>-\n|\"|'|\n|\n  |\n    |---\n|...\n|#| # c|\t|\\|<<: |\r\n|&a |*a".split(b"|"),
    *b"!!str |!x |%|\\x41|1|\xe2\x82\xac|\xff|\x00|\xef\xbb\xbf|openapi: 3.1.0\n".split(b"|"),
    b'{"openapi": "3.1.0", ',
    b"|\n",
    b"|2-\n",
]


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=25).map(b"".join))
def test_whatever_the_bytes_they_are_read_or_refused_in_one_line(data: bytes) -> None:
    refused = refusal(data)
    assert "\n" not in refused


def refusal(data: bytes) -> str:
    """The words that ``data`` is refused with; none if it is read."""
    try:
        document = parse(data)
    except SpecError as error:
        return str(error)
    assert isinstance(decode(document.json), dict)
    return ""
