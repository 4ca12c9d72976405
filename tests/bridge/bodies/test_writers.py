"""Bodies that are one value: JSON, text, bytes, lines, ranges; and what is refused at load or at the call."""

from __future__ import annotations

import base64
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from body_writers import writer
from openapi_mcp_server.bridge.bodies import files, writers
from openapi_mcp_server.bridge.sizes import MAX_BODY_BYTES
from openapi_mcp_server.errors import ArgumentError, SpecError
from openapi_mcp_server.openapi.model import MediaType, Schema

POINTER = "#/paths/~1pets/post/requestBody/content"
BINARY = {"type": "string", "format": "binary"}
TEXT = {"type": "string"}
OBJECT = {"type": "object", "properties": {"a": {}}}
FORM = "application/x-www-form-urlencoded"


def media(name: str, schema: Any = None) -> MediaType:
    encoded = None if schema is None else Schema(msgspec.Raw(msgspec.json.encode(schema)))
    return MediaType(pointer=POINTER, name=name, schema=encoded)


def write(value: Any, name: str, schema: Any = None) -> tuple[str, bytes]:
    return writer(media(name, schema), {})(value)


@pytest.mark.parametrize(
    ("value", "data"),
    [
        ({"a": 1, "b": [None, True]}, b'{"a":1,"b":[null,true]}'),
        ({}, b"{}"),
        (None, b"null"),
        ("é", '"é"'.encode()),
        (
            {"a": Decimal("1.10"), "b": 2**64 + 1, "c": Decimal("1E+400")},
            b'{"a":1.10,"b":18446744073709551617,"c":1e400}',
        ),
    ],
)
def test_json_is_compact_and_exact(value: Any, data: bytes) -> None:
    assert write(value, "application/json") == ("application/json", data)


@pytest.mark.parametrize(
    "name",
    [
        "application/json; charset=utf-8",
        "application/merge-patch+json",
        "application/vnd.api+json",
        "text/json",
        "Application/JSON",
    ],
)
def test_every_json_type_is_sent_as_it_is_documented(name: str) -> None:
    assert write({"a": None}, name) == (name, b'{"a":null}')


@pytest.mark.parametrize(
    ("name", "schema", "value", "content_type", "data"),
    [
        ("text/plain", TEXT, "hello", "text/plain", b"hello"),
        ("text/plain", TEXT, "é", "text/plain; charset=utf-8", "é".encode()),
        ("text/plain; charset=iso-8859-1", TEXT, "é", "text/plain; charset=iso-8859-1", b"\xe9"),
        ("text/plain", {"type": "integer"}, 42, "text/plain", b"42"),
        ("text/plain", OBJECT, {"a": 1}, "text/plain", b'{"a":1}'),
        ("text/plain; utf-8", TEXT, "a", "text/plain; utf-8", b"a"),
        ("text/csv", TEXT, "a,b\n", "text/csv", b"a,b\n"),
        ("application/yaml", OBJECT, {"a": 1}, "application/yaml", b'{"a":1}'),
        ("application/jwt", None, "eyJ.a.b", "application/jwt", b"eyJ.a.b"),
        ("application/sdp", TEXT, "v=0", "application/sdp", b"v=0"),
        ("application/graphql", {}, "{ me }", "application/graphql", b"{ me }"),
        (FORM, TEXT, "a=1&b=%C3%A9+c&d[]=x", FORM, b"a=1&b=%C3%A9+c&d%5B%5D=x"),
        (FORM, {"type": ["string", "null"]}, "a=é b", FORM, b"a=%C3%A9%20b"),
    ],
)
def test_text_goes_as_it_is(name: str, schema: Any, value: Any, content_type: str, data: bytes) -> None:
    assert write(value, name, schema) == (content_type, data)


@pytest.mark.parametrize(
    ("name", "schema", "value", "content_type"),
    [
        ("application/octet-stream", None, "AP+A", "application/octet-stream"),
        ("application/octet-stream", BINARY, "AP+A", "application/octet-stream"),
        ("application/octet-stream", TEXT, "AP+A", "application/octet-stream"),
        ("image/png", {}, "data:image/png;base64,AP+A", "image/png"),
        ("image/png", {"contentMediaType": "image/png"}, "AP+A", "image/png"),
        ("application/pdf", TEXT, "data:;base64,AP+A", "application/pdf"),
        ("application/x-thing", {}, "AP+A", "application/x-thing"),
        ("application/x-thing", {"anyOf": [BINARY, {"type": "null"}]}, "AP+A", "application/x-thing"),
        ("image/*", BINARY, "data:image/gif;name=a.gif;base64,AP+A", "image/gif"),
        ("*/*", BINARY, "AP+A", "application/octet-stream"),
        ("*/*", BINARY, "data:image/webp;base64,AP+A", "image/webp"),
        ("application/*", BINARY, "data:application/pdf;base64,AP+A", "application/pdf"),
        ("application/octet-stream", BINARY, "data:text/plain,%00%FF%80", "application/octet-stream"),
    ],
)
def test_bytes_come_from_base64_or_a_data_uri(name: str, schema: Any, value: str, content_type: str) -> None:
    assert write(value, name, schema) == (content_type, b"\x00\xff\x80")


@pytest.mark.parametrize(
    "schema", [{"type": "string", "format": "byte"}, {"type": "string", "contentEncoding": "base64"}]
)
def test_base64_stays_base64_where_the_schema_says_so(schema: dict[str, str]) -> None:
    for value in ("AP+A", "data:image/png;base64,AP+A"):
        assert write(value, "image/png", schema) == ("image/png", b"AP+A")


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("AP-_", b"AP-_"),
        ("AP-", b"AP-"),
        ("AP8=", b"AP8="),
        ("AP+/", b"AP-_"),
        ("data:image/png;base64,AP+/", b"AP-_"),
    ],
)
def test_base64_for_urls_stays_in_its_alphabet(value: str, sent: bytes) -> None:
    schema = {"type": "string", "contentEncoding": "base64url"}
    assert write(value, "image/png", schema) == ("image/png", sent)
    form = {"type": "object", "properties": {"f": schema}}
    assert write({"f": value}, "multipart/form-data", form)[1].split(b"\r\n")[4] == sent
    with pytest.raises(ArgumentError, match="is no base64"):
        write("A", "image/png", schema)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("not base64!", "is no base64"),
        ("AP+", "is no base64"),
        ("AP\n+A", "is no base64"),
        ("AP-_", "is no base64"),
        ("é", "is no base64"),
        ("data:image/png;base64", "without a comma"),
        ("data:image/png;base64,*", "is no base64"),
        ("data:image/png\r\nX: y,a", "media type"),
        ("data:image/png;name=a%0Ab;base64,AP+A", "control characters"),
        (5, "must be base64 text"),
        (None, "must be base64 text"),
    ],
)
def test_what_is_no_file_is_refused(value: Any, problem: str) -> None:
    with pytest.raises(ArgumentError, match=f"body: .*{problem}"):
        write(value, "image/png", {})


def test_a_range_of_images_needs_the_type_from_a_data_uri() -> None:
    with pytest.raises(ArgumentError, match="data: URI with a media type"):
        write("AP+A", "image/*", BINARY)


@pytest.mark.parametrize(
    ("name", "schema", "value", "content_type", "data"),
    [
        ("*/*", OBJECT, {"a": 1}, "application/json", b'{"a":1}'),
        ("*/*", None, "s", "application/json", b'"s"'),
        ("*/*", TEXT, "s", "text/plain", b"s"),
        ("application/*", OBJECT, {"a": 1}, "application/json", b'{"a":1}'),
        ("application/*+json", OBJECT, {"a": 1}, "application/json", b'{"a":1}'),
        ("text/*", TEXT, "s", "text/plain", b"s"),
    ],
)
def test_a_range_is_written_in_its_plainest_type(
    name: str, schema: Any, value: Any, content_type: str, data: bytes
) -> None:
    assert write(value, name, schema) == (content_type, data)


@pytest.mark.parametrize(
    ("name", "value", "data"),
    [
        ("application/x-ndjson", [{"a": 1}, 2], b'{"a":1}\n2\n'),
        ("application/jsonl", {"a": 1}, b'{"a":1}\n'),
        ("application/json-seq", [1, 2], b"\x1e1\n\x1e2\n"),
        ("application/geo+json-seq", [], b""),
        ("application/jsonlines", [1], b"1\n"),
        ("application/stream+json", [1, 2], b"1\n2\n"),
    ],
)
def test_a_list_becomes_lines_of_json(name: str, value: Any, data: bytes) -> None:
    assert write(value, name, {}) == (name, data)


@pytest.mark.parametrize(
    "name", ["multipart/mixed;boundary=b", 'multipart/mixed; Boundary="b"', "multipart/related; boundary=b"]
)
@pytest.mark.parametrize("schema", [TEXT, {"type": ["string", "null"]}])
def test_parts_that_are_described_as_text_go_out_as_they_are_given(name: str, schema: Any) -> None:
    parts = "--b\r\nContent-Type: application/http\r\n\r\nGET Pets HTTP/1.1\r\n\r\n--b--"
    assert write(parts, name, schema) == (name, parts.encode())


def test_parts_that_are_described_as_an_object_are_written_whatever_boundary_is_named() -> None:
    content_type, body = write({"a": "x"}, "multipart/mixed; boundary=b", {"type": "object", "properties": {"a": TEXT}})
    assert content_type.startswith("multipart/mixed; boundary=")
    assert b"\r\n\r\nx\r\n--" in body


@pytest.mark.parametrize(
    ("name", "schema", "problem"),
    [
        ("multipart/mixed", TEXT, "multipart/mixed cannot carry a JSON string, only a JSON object"),
        ("multipart/form-data", {"type": "array"}, "only a JSON object"),
        ("multipart/form-data", {"type": ["string", "null"]}, "cannot carry a JSON string or null, only a JSON object"),
        ("image/png", OBJECT, "image/png cannot carry a JSON object"),
        ("application/octet-stream", {"type": "array"}, "cannot carry a JSON array"),
        ("text/html", {"type": "object"}, "text/html cannot carry a JSON object"),
        ("application/x-www-form-urlencoded", {"type": "array"}, "only a JSON object"),
        ("multipart/form-data", TEXT, "only a JSON object"),
        ("json", {}, "no media type"),
        ("application/json\r\nX: y", {}, "no media type"),
        ("foo/*", TEXT, "names no type"),
        ("text/plain; charset=ebcdic", TEXT, "charset ebcdic"),
    ],
)
def test_what_cannot_be_written_is_refused_at_load(name: str, schema: Any, problem: str) -> None:
    with pytest.raises(SpecError, match=problem) as caught:
        writer(media(name, schema), {})
    assert caught.value.pointer == POINTER


@pytest.mark.parametrize(
    ("name", "schema", "kind"),
    [
        ("application/vnd.x+json", {}, "json"),
        ("application/x-www-form-urlencoded", OBJECT, "form"),
        ("multipart/form-data", OBJECT, "multipart"),
        ("text/csv", TEXT, "text"),
        ("image/png", {}, "binary"),
        ("application/soap+xml", TEXT, "xml"),
        ("application/x-ndjson", {}, "lines"),
    ],
)
def test_kinds_are_told_for_choosing_between_several(name: str, schema: Any, kind: str) -> None:
    assert writers.Bodies({}).kind_and_writer(media(name, schema))[0] == kind


def test_bodies_and_files_have_limits() -> None:
    with pytest.raises(ArgumentError, match=r"takes 16,777,217 bytes; the limit is 16,777,216"):
        write("x" * (MAX_BODY_BYTES + 1), "text/plain", TEXT)
    with pytest.raises(ArgumentError, match=r"longer than 33,554,432 characters"):
        write("A" * (files.MAX_FILE_TEXT + 4), "image/png", {})


def test_a_character_that_the_charset_lacks_is_named_with_it() -> None:
    with pytest.raises(ArgumentError, match="body: '水' cannot be written in latin-1"):
        write("é水", "text/plain; charset=iso-8859-1", TEXT)


def test_half_of_a_surrogate_pair_and_endless_nesting_are_refused() -> None:
    with pytest.raises(ArgumentError, match=r"body: .*ud800.* cannot be written in utf-8"):
        write({"a": "\ud800"}, "application/json")
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ArgumentError, match="body: is nested too deeply"):
        write(deep, "application/json")


@settings(max_examples=100)
@given(st.binary(max_size=200), st.text("abc.-_ é", min_size=1, max_size=20))
def test_every_byte_survives(data: bytes, name: str) -> None:
    encoded = base64.b64encode(data).decode()
    assert write(encoded, "application/octet-stream") == ("application/octet-stream", data)
    assert files.read(f"data:image/png;name={name};base64,{encoded}") == files.File(data, "image/png", name)
