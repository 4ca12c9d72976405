"""multipart/form-data, byte by byte, and read back by the standard library's mail parser."""

from __future__ import annotations

import base64
import email.parser
import email.policy
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from body_writers import writer
from growth import is_linear
from openapi_mcp_server.bridge.bodies import multipart
from openapi_mcp_server.bridge.bodies.body_shape import BodySchemas, shape
from openapi_mcp_server.bridge.bodies.writers import Bodies
from openapi_mcp_server.bridge.schemas.definitions import Definitions
from openapi_mcp_server.errors import ArgumentError, SpecError
from openapi_mcp_server.openapi.model import Body, Encoding, MediaType, Parameter, Schema

FILE = {"type": "string", "format": "binary"}
XML = b'<?xml version="1.0" encoding="UTF-8"?>\n'
PNG = "data:image/png;name=cat.png;base64,AP+A"


def encoded(schema: Any) -> Schema:
    refs = tuple(sorted(set(re.findall(r'"#/\$defs/(\w+)"', msgspec.json.encode(schema).decode()))))
    return Schema(msgspec.Raw(msgspec.json.encode(schema)), refs)


def media(properties: dict[str, Any], encoding: dict[str, Encoding] | None = None) -> MediaType:
    schema = encoded({"type": "object", "properties": properties})
    return MediaType(pointer="#/form", name="multipart/form-data", schema=schema, encoding=encoding or {})


def parts(
    value: Any, properties: dict[str, Any], encoding: dict[str, Encoding] | None = None, **definitions: Any
) -> list[bytes]:
    named = {name: encoded(schema) for name, schema in definitions.items()}
    content_type, body = writer(media(properties, encoding), named)(value)
    boundary = content_type.removeprefix("multipart/form-data; boundary=").encode()
    *blocks, end = body.split(b"--" + boundary)
    assert (blocks[0] if blocks else b"") == b""
    assert end == b"--\r\n"
    assert all(block.startswith(b"\r\n") and block.endswith(b"\r\n") for block in blocks[1:])
    return [block[2:-2] for block in blocks[1:]]


def test_text_parts_carry_no_content_type() -> None:
    assert parts({"name": "Rex", "age": 3, "good": True, "nick": None}, {"name": {"type": "string"}}) == [
        b'Content-Disposition: form-data; name="name"\r\n\r\nRex',
        b'Content-Disposition: form-data; name="age"\r\n\r\n3',
        b'Content-Disposition: form-data; name="good"\r\n\r\ntrue',
        b'Content-Disposition: form-data; name="nick"\r\n\r\n',
    ]


def test_object_parts_are_json_and_say_so() -> None:
    expected = b'Content-Disposition: form-data; name="meta"\r\nContent-Type: application/json\r\n\r\n{"a":1.5}'
    assert parts({"meta": {"a": 1.5}}, {"meta": {"type": "object"}}) == [expected]
    assert parts({"meta": [{"a": 1.5}] * 2}, {"meta": {"type": "array", "items": {"type": "object"}}}) == [expected] * 2


@pytest.mark.parametrize("schema", [{}, True, {"description": "anything"}, {"type": "array", "items": {}}])
def test_what_is_no_text_and_nowhere_described_is_no_file(schema: Any) -> None:
    head = b'Content-Disposition: form-data; name="f"'
    written = [head + b'\r\nContent-Type: application/json\r\n\r\n{"a":1}', head + b"\r\n\r\n5"]
    assert parts({"f": [{"a": 1}, 5]}, {"f": schema}) == written


@pytest.mark.parametrize(
    "schema",
    [
        FILE,
        {},
        {"description": "a file"},
        {"contentMediaType": "image/png"},
        {"type": "string", "contentMediaType": "application/octet-stream"},
        {"type": ["string", "null"], "format": "binary"},
        {"anyOf": [FILE, {"type": "null"}]},
        {"$ref": "#/$defs/Upload"},
        {"allOf": [{"$ref": "#/$defs/Upload"}]},
    ],
)
def test_files_are_bytes_with_a_name_and_a_type(schema: Any) -> None:
    head = b'Content-Disposition: form-data; name="f"; filename='
    octets = b'"f"\r\nContent-Type: application/octet-stream\r\n\r\n\x00\xff\x80'
    assert parts({"f": "AP+A"}, {"f": schema}, Upload=FILE) == [head + octets]
    picture = b'"cat.png"\r\nContent-Type: image/png\r\n\r\n\x00\xff\x80'
    assert parts({"f": PNG}, {"f": schema}, Upload=FILE) == [head + picture]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": FILE},
        {"type": "array", "items": {}},
        {"anyOf": [{"type": "array", "items": FILE}, {"type": "null"}]},
        {"anyOf": [FILE, {"type": "array", "items": FILE}]},
    ],
)
def test_several_files_are_parts_of_the_same_name(schema: Any) -> None:
    assert [part.split(b"\r\n")[0] for part in parts({"f": ["AP+A", PNG]}, {"f": schema})] == [
        b'Content-Disposition: form-data; name="f"; filename="f"',
        b'Content-Disposition: form-data; name="f"; filename="cat.png"',
    ]


def test_no_file_is_no_part() -> None:
    assert parts({"f": None, "g": []}, {"f": FILE, "g": {"type": "array", "items": FILE}}) == []


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string"},
        {"enum": ["AP+A"]},
        {"anyOf": [FILE, {"type": "string"}]},
        {"type": "string", "format": "uuid"},
    ],
)
def test_other_strings_are_text(schema: Any) -> None:
    assert parts({"f": "AP+A"}, {"f": schema}) == [b'Content-Disposition: form-data; name="f"\r\n\r\nAP+A']


@pytest.mark.parametrize(
    ("schema", "extra"),
    [
        ({"type": "string", "format": "byte"}, b""),
        ({"type": "string", "contentEncoding": "base64"}, b"Content-Transfer-Encoding: base64\r\n"),
    ],
)
def test_base64_text_stays_base64(schema: Any, extra: bytes) -> None:
    head = b'Content-Disposition: form-data; name="f"\r\nContent-Type: application/octet-stream\r\n'
    assert parts({"f": "AP+A"}, {"f": schema}) == [head + extra + b"\r\nAP+A"]
    assert parts({"f": PNG}, {"f": schema}) == [head + extra + b"\r\nAP+A"]


@pytest.mark.parametrize(
    ("content_type", "schema", "value", "written", "data"),
    [
        ("image/png, image/jpeg", FILE, "AP+A", b"image/png", b"\x00\xff\x80"),
        ("image/png, image/jpeg", {"type": "string"}, "data:image/jpeg;base64,AP+A", b"image/jpeg", b"\x00\xff\x80"),
        ("image/*", {}, "AP+A", b"application/octet-stream", b"\x00\xff\x80"),
        ("application/json", {"type": "string"}, "a", b"application/json", b'"a"'),
        ("application/json", {}, {"a": None}, b"application/json", b'{"a":null}'),
        ("application/vnd.x+json", {"type": "object"}, {"a": 1}, b"application/vnd.x+json", b'{"a":1}'),
        ("text/csv", {"type": "string"}, "a,b", b"text/csv", b"a,b"),
        ("application/xml", {"$ref": "#/$defs/Place"}, {"a": 1}, b"application/xml", XML + b"<Place><a>1</a></Place>"),
        ("application/xml", {"type": "object"}, {"city": "X"}, b"application/xml", XML + b"<p><city>X</city></p>"),
    ],
)  # fmt: skip
def test_the_encodings_content_type_decides(
    content_type: str, schema: Any, value: Any, written: bytes, data: bytes
) -> None:
    address = {"type": "object", "properties": {"city": {"type": "string"}}}
    [part] = parts({"p": value}, {"p": schema}, {"p": Encoding(content_type=content_type)}, Place=address)
    head, _, body = part.partition(b"\r\n\r\n")
    assert b"Content-Type: " + written in head.split(b"\r\n")
    assert body == data


@pytest.mark.parametrize(
    ("encoding", "value", "expected"),
    [
        (Encoding(style="form", explode=True), {"R": 1, "G": "a b"}, [(b"R", b"1"), (b"G", b"a b")]),
        (Encoding(style="form", explode=False), ["a", "b"], [(b"p", b"a,b")]),
        (Encoding(style="spaceDelimited", explode=False), ["a", "b"], [(b"p", b"a b")]),
        (Encoding(style="pipeDelimited", explode=False), ["a", "b"], [(b"p", b"a|b")]),
        (
            Encoding(style="deepObject", explode=True),
            {"a": {"b": "&="}, "c": [1]},
            [(b"p[a][b]", b"&="), (b"p[c][]", b"1")],
        ),
    ],
)
def test_styles_make_unescaped_parts(encoding: Encoding, value: Any, expected: list[tuple[bytes, bytes]]) -> None:
    # OpenAPI 3.1.1, appendix C: names in Content-Disposition, values as they are
    assert parts({"p": value}, {"p": {}}, {"p": encoding}) == [
        b'Content-Disposition: form-data; name="' + name + b'"\r\n\r\n' + data for name, data in expected
    ]


def test_members_that_could_not_be_told_apart_are_refused() -> None:
    with pytest.raises(ArgumentError, match="body: property 'p': 'a,b' holds ','"):
        parts({"p": ["a,b", "c"]}, {"p": {}}, {"p": Encoding(style="form", explode=False)})


def test_names_cannot_end_their_quotes_or_their_line() -> None:
    hostile = 'a"\r\nX-Evil: 1\r\n\r\n'
    [part] = parts({hostile: f"{hostile}--"}, {})
    assert part == (
        b'Content-Disposition: form-data; name="a%22%0D%0AX-Evil: 1%0D%0A%0D%0A"\r\n\r\n' + f"{hostile}--".encode()
    )


def test_a_file_that_is_none_is_named() -> None:
    with pytest.raises(ArgumentError, match="body: property 'f': is no base64"):
        parts({"f": "not base64"}, {"f": FILE})


def header(name: str, schema: Any, required: bool = False) -> Parameter:
    return Parameter(
        pointer="#/header",
        name=name,
        location="header",
        required=required,
        schema=encoded(schema),
        style="simple",
        explode=False,
    )


def test_headers_of_a_part_come_from_the_document() -> None:
    headers = (
        header("X-Const", {"const": 5}),
        header("X-Default", {"type": "string", "default": "d"}),
        header("X-Enum", {"enum": ["e"]}),
        header("X-Open", {"type": "string"}),
        header("Content-Type", {"const": "evil/evil"}),
    )
    assert parts({"p": "v"}, {"p": {"type": "string"}}, {"p": Encoding(headers=headers)}) == [
        b'Content-Disposition: form-data; name="p"\r\nX-Const: 5\r\nX-Default: d\r\nX-Enum: e\r\n\r\nv'
    ]


@pytest.mark.parametrize(
    "bad",
    [
        header("X-Needed", {"type": "string"}, required=True),
        header("X-Bad", {"const": "a\r\nb"}),
        header("Host", {"const": "a"}),
    ],
)
def test_headers_of_a_part_that_cannot_be_sent_are_refused_at_load(bad: Parameter) -> None:
    with pytest.raises(SpecError, match="#/header"):
        parts({}, {"p": {}}, {"p": Encoding(headers=(bad,))})


def test_the_properties_that_take_files_are_told() -> None:
    properties = {
        "f": FILE,
        "fs": {"type": "array", "items": FILE},
        "n": {"type": "string"},
        "i": {"type": "string"},
        "o": {"type": "object"},
    }
    described = media(properties, {"i": Encoding(content_type="image/png")})
    assert Bodies({}).file_properties(described) == {"f", "fs", "i"}


def test_the_schema_of_a_form_is_decoded_once_for_its_writer_its_files_and_its_arguments() -> None:
    schemas = BodySchemas({}, Definitions({}))
    form = Body(pointer="#", required=True, description="", media=(media({"f": FILE, "n": {"type": "string"}}),))
    assert [field.name for field in shape(form, schemas).fields] == ["f", "n"]
    assert schemas.bodies.outline.cache_info().misses == 1


def test_the_same_parts_are_the_same_body() -> None:
    write = writer(media({"f": FILE}), {})
    assert write({"f": PNG}) == write({"f": PNG})


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@settings(max_examples=60)
@given(st.binary(max_size=100), st.text("abc é-", min_size=1, max_size=10), TEXT)
def test_a_mail_parser_reads_back_every_byte(data: bytes, name: str, text: str) -> None:
    file = f"data:application/pdf;name={name};base64,{base64.b64encode(data).decode()}"
    content_type, body = writer(media({"f": FILE}), {})({"f": [file, file], "t": text})
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(
        b"Content-Type: " + content_type.encode() + b"\r\nContent-Transfer-Encoding: binary\r\n\r\n" + body
    )
    payloads = [part.get_payload(decode=True) for part in message.iter_parts()]
    assert len(payloads) == 3
    boundary = content_type.partition("boundary=")[2].encode()
    blocks = [block.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n") for block in body.split(b"--" + boundary)[1:-1]]
    assert blocks == [data, data, text.encode()]


@pytest.mark.parametrize("content_type", ["image/png\r\nX-Evil: 1", "image", "a b/c", "multipart/mixed"])
def test_content_types_of_parts_that_cannot_be_sent_are_refused_at_load(content_type: str) -> None:
    with pytest.raises(SpecError, match="#/form"):
        parts({}, {"p": {"type": "string"}}, {"p": Encoding(content_type=content_type)})


def test_many_kinds_of_a_form_take_linear_time() -> None:
    def kinds(count: int) -> dict[str, Any]:
        made = [{"properties": {"a": {"type": "object", "required": [str(each)]}}} for each in range(count)]
        return {"anyOf": made}

    form = media({})
    assert is_linear(lambda outline: multipart.described(form, form.name, outline, {}), kinds)
