"""The table of media types: one row for both directions."""

from __future__ import annotations

import msgspec
import pytest

from answers import answer, texts, tool
from body_writers import writer
from openapi_mcp_server.bridge.media import table
from openapi_mcp_server.bridge.results.result import render
from openapi_mcp_server.openapi.model import MediaType

LINES = [
    *(name for name, row in table.TYPES.items() if row.written == "lines"),
    "application/vnd.acme+json-seq",
    "application/geo+json-seq",
]


def written(name: str, value: object) -> bytes:
    return writer(MediaType(pointer="#", name=name, schema=None), {})(value)[1]


@pytest.mark.parametrize("name", LINES)
def test_what_is_lines_in_a_body_is_lines_in_an_answer(name: str) -> None:
    sent = written(name, [{"a": 1}, 2])
    assert sent.replace(b"\x1e", b"") == b'{"a":1}\n2\n'
    assert texts(render(tool(), answer(sent, name))) == [sent.decode()]
    assert table.is_stream(f"{name}; charset=utf-8")


@pytest.mark.parametrize("name", [name for name, row in table.TYPES.items() if row.written == "json"] + ["a/b+json"])
def test_what_is_json_in_a_body_is_json_in_an_answer(name: str) -> None:
    sent = written(name, {"a": [1, None]})
    assert msgspec.json.decode(texts(render(tool(), answer(sent, name)))[0]) == {"a": [1, None]}


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("application/vnd.acme+json", "application/json"),
        ("application/soap+xml", "application/xml"),
        ("image/svg+xml", "application/xml"),
        ("application/vnd.oai.openapi+yaml", "application/yaml"),
    ],
)
def test_a_suffix_says_what_a_type_is(name: str, row: str) -> None:
    assert table.row(name) == table.TYPES[row]


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("image/png", "image"), ("audio/mpeg", "audio"), ("video/mp4", "binary"), ("text/csv", "text"),
        ("application/vnd.ms-excel", "binary"), ("multipart/mixed", "binary"), ("application/x-thing", "binary"),
        ("x/y", "binary"), ("", "binary"), ("+json", "json"),
    ],
)  # fmt: skip
def test_a_family_says_what_a_type_is_read_as(name: str, read: str) -> None:
    assert table.row(name).read == read
