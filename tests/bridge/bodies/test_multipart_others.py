"""Multipart types other than forms, from an OpenAPI 3.2 document to the bytes, and back by a mail parser."""

from __future__ import annotations

import base64
import email.parser
import email.policy
from email.message import Message
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from body_writers import writer
from descriptions import inputs, operation
from documents import of_operation, the_operation
from openapi_mcp_server.errors import ArgumentError, SpecError
from openapi_mcp_server.openapi.model import Body

PICTURE = "data:image/png;name=cat.png;base64,AP+A"
OCTETS = b"\x00\xff\x80"
META = {"type": "object", "properties": {"a": {"type": "integer"}}}
TEXT = {"type": "string"}


def body_of(name: str, declared: Any, dialect: Any = "3.2") -> tuple[Body, Any]:
    described = of_operation({"requestBody": {"content": {name: declared}, "required": True}}, dialect=dialect)
    body = the_operation(described).body
    assert body is not None
    return body, described.request_schemas


def written(value: Any, name: str, declared: Any, dialect: Any = "3.2") -> tuple[str, list[bytes]]:
    """The Content-Type before its boundary, and each part with its head."""
    body, definitions = body_of(name, declared, dialect)
    return taken_apart(*writer(body.media[0], definitions)(value))


def taken_apart(content_type: str, data: bytes) -> tuple[str, list[bytes]]:
    media_type, _, boundary = content_type.rpartition("; boundary=")
    first, *blocks, end = data.split(b"--" + boundary.encode())
    assert (first, end) == (b"", b"--\r\n")
    assert all(block.startswith(b"\r\n") and block.endswith(b"\r\n") for block in blocks)
    return media_type, [block[2:-2] for block in blocks]


def test_properties_are_parts_with_names_in_the_order_of_the_document() -> None:
    schema = {"type": "object", "properties": {"meta": META, "file": {}, "note": TEXT}}
    sent = {"other": 1, "note": "é", "file": PICTURE, "meta": {"a": 1}}
    assert written(sent, "multipart/mixed", {"schema": schema}) == (
        "multipart/mixed",
        [
            b'Content-Disposition: form-data; name="meta"\r\nContent-Type: application/json\r\n\r\n{"a":1}',
            b'Content-Disposition: form-data; name="file"; filename="cat.png"\r\nContent-Type: image/png\r\n\r\n'
            + OCTETS,
            b'Content-Disposition: form-data; name="note"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\xc3\xa9',
            b'Content-Disposition: form-data; name="other"\r\nContent-Type: text/plain\r\n\r\n1',
        ],
    )


@pytest.mark.parametrize("dialect", ["3.0", "3.1", "3.2"])
def test_related_parts_name_the_type_of_the_first(dialect: str) -> None:
    # RFC 2387 section 3.1
    file = {"type": "string", "format": "binary"}
    schema = {"type": "object", "properties": {"metadata": META, "media": file}}
    declared = {"schema": schema, "encoding": {"media": {"contentType": "image/jpeg"}}}
    media_type, parts = written({"metadata": {"a": 1}, "media": "AP+A"}, "multipart/related", declared, dialect)
    assert media_type == 'multipart/related; type="application/json"'
    assert parts[1].partition(b"\r\n\r\n") == (
        b'Content-Disposition: form-data; name="media"; filename="media"\r\nContent-Type: image/jpeg',
        b"\r\n\r\n",
        OCTETS,
    )


@pytest.mark.parametrize(
    ("name", "sent_as"),
    [
        ('multipart/related; type="text/xml"; start="<a>"', 'multipart/related; type="text/xml"; start="<a>"'),
        ("multipart/mixed; boundary=theirs; v=1", "multipart/mixed; v=1"),
        ("multipart/vnd.specific+form-data;version=1.0", "multipart/vnd.specific+form-data;version=1.0"),
        ("Multipart/Mixed", "Multipart/Mixed"),
    ],
)
def test_the_type_is_sent_as_documented_but_for_its_boundary(name: str, sent_as: str) -> None:
    assert written({"a": "x"}, name, {"schema": {"type": "object"}})[0] == sent_as


def test_items_are_parts_in_order_each_by_its_own_encoding() -> None:
    declared = {
        "schema": {"type": "array", "prefixItems": [META, {}, TEXT, {"type": "array"}, {"type": "integer"}]},
        "prefixEncoding": [
            {"headers": {"Content-ID": {"schema": {"const": "<root>"}}}},
            {"contentType": "image/*", "headers": {"Content-Disposition": {"schema": {"const": "inline"}}}},
            {"contentType": "text/csv"},
        ],
    }
    sent = [{"a": 1}, PICTURE, "a,b", [1, [2]], 5, "more"]
    assert written(sent, "multipart/mixed", declared)[1] == [
        b'Content-Type: application/json\r\nContent-ID: <root>\r\n\r\n{"a":1}',
        b"Content-Type: image/png\r\nContent-Disposition: inline\r\n\r\n" + OCTETS,
        b"Content-Type: text/csv\r\n\r\na,b",
        b"Content-Type: application/json\r\n\r\n[1,[2]]",
        b"Content-Type: text/plain\r\n\r\n5",
        b"Content-Type: text/plain\r\n\r\nmore",
    ]


def test_the_first_encodings_stand_before_that_of_all_the_rest() -> None:
    declared = {
        "schema": {"type": "array", "items": {}},
        "prefixEncoding": [{"contentType": "application/json"}],
        "itemEncoding": {"contentType": "image/gif"},
    }
    parts = written([{"a": None}, "AP+A", PICTURE], "multipart/mixed", declared)[1]
    assert parts == [
        b'Content-Type: application/json\r\n\r\n{"a":null}',
        b"Content-Type: image/gif\r\n\r\n" + OCTETS,
        b'Content-Disposition: attachment; filename="cat.png"\r\nContent-Type: image/png\r\n\r\n' + OCTETS,
    ]
    assert written([], "multipart/mixed", declared)[1] == []


def test_a_part_can_be_multipart_itself() -> None:
    declared = {
        "schema": {"type": "array", "prefixItems": [TEXT, {"type": "array", "items": {}}]},
        "prefixEncoding": [{}, {"contentType": "multipart/mixed", "itemEncoding": {"contentType": "image/png"}}],
    }
    outer = written(["hello", ["AP+A", "AP+A"]], "multipart/mixed", declared)[1]
    head, _, inner = outer[1].partition(b"\r\n\r\n")
    assert taken_apart(head.decode().removeprefix("Content-Type: "), inner) == (
        "multipart/mixed",
        [b"Content-Type: image/png\r\n\r\n" + OCTETS] * 2,
    )


def test_a_sequence_of_items_is_a_list_of_parts() -> None:
    declared = {"itemSchema": {"$ref": "#/components/schemas/Event"}, "itemEncoding": {"contentType": "text/vcard"}}
    schemas = {"Event": {"type": "string"}}
    description = of_operation(
        {"requestBody": {"content": {"multipart/mixed": declared}}},
        dialect="3.2",
        components={"schemas": schemas},
    )
    body = the_operation(description).body
    assert body is not None
    told = inputs(operation("POST", body=body), request_schemas=description.request_schemas)
    assert told["properties"]["body"] == {"type": "array", "items": {"$ref": "#/$defs/Event"}}
    write = writer(body.media[0], description.request_schemas)
    assert taken_apart(*write(["a", "b"]))[1] == [b"Content-Type: text/vcard\r\n\r\n" + each for each in (b"a", b"b")]


def test_a_form_by_position_takes_its_names_from_the_document() -> None:
    def named(name: str) -> Any:
        return {"headers": {"Content-Disposition": {"schema": {"const": f'form-data; name="{name}"'}}}}

    declared = {"schema": {"type": "array", "items": TEXT}, "prefixEncoding": [named("a")], "itemEncoding": named("b")}
    media_type, parts = written(["1", "2", "3"], "multipart/form-data", declared)
    assert media_type == "multipart/form-data"
    assert parts == [
        b'Content-Disposition: form-data; name="a"\r\n\r\n1',
        b'Content-Disposition: form-data; name="b"\r\n\r\n2',
        b'Content-Disposition: form-data; name="b"\r\n\r\n3',
    ]


@pytest.mark.parametrize(
    ("name", "declared", "problem"),
    [
        ("multipart/mixed", {"schema": TEXT}, "cannot carry a JSON string"),
        ("multipart/form-data", {"schema": {"type": "array", "items": {}}}, "only a JSON object"),
        ("multipart/form-data", {"schema": {"type": "array"}, "itemEncoding": {}}, "the parts of a form need names"),
        ("multipart/mixed", {"schema": {"type": "array"}, "itemEncoding": {"contentType": "x"}}, "is no media type"),
        (
            "multipart/mixed",
            {"schema": {"type": "array"}, "itemEncoding": {"headers": {"Host": {"schema": {"const": "a"}}}}},
            "the header Host cannot be an argument",
        ),
        ("application/json", {"itemSchema": META}, "application/json is not written item by item"),
        ("text/event-stream", {"itemSchema": META}, "text/event-stream is not written item by item"),
    ],
)
def test_what_cannot_be_sent_is_refused_at_load(name: str, declared: Any, problem: str) -> None:
    body, definitions = body_of(name, declared)
    with pytest.raises(SpecError, match=problem) as caught:
        writer(body.media[0], definitions)
    assert caught.value.pointer.startswith("#/paths/~1x/get/requestBody/content/")


@pytest.mark.parametrize(
    ("pointer", "declared"),
    [
        ("/prefixEncoding", {"prefixEncoding": {}}),
        ("/prefixEncoding/1", {"prefixEncoding": [{}, 5]}),
        ("/itemEncoding/headers", {"itemEncoding": {"headers": []}}),
        ("/itemEncoding/itemEncoding", {"itemEncoding": {"itemEncoding": 5}}),
    ],
)
def test_an_encoding_that_cannot_be_read_is_named(pointer: str, declared: Any) -> None:
    description = of_operation({"requestBody": {"content": {"multipart/mixed": declared}}}, dialect="3.2")
    [skipped] = description.skipped
    assert skipped.pointer == f"#/paths/~1x/get/requestBody/content/multipart~1mixed{pointer}"


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (["AP+A", None], "body: item 1: must not be null"),
        (["no base64"], "body: item 0: is no base64"),
        ({"f": 5}, "body: property 'f': must be base64 text"),
        ("text", "body: must be an object or a list"),
    ],
)
def test_what_cannot_be_a_part_is_named_by_its_place(value: Any, problem: str) -> None:
    declared = {"schema": {"items": {}, "properties": {"f": {"contentMediaType": "image/png"}}}}
    with pytest.raises(ArgumentError, match=problem):
        written(value, "multipart/mixed", declared)


@pytest.mark.parametrize(
    ("schema", "expected"),
    [({"type": "object"}, "multipart/form-data"), ({"type": "array"}, "multipart/mixed"), ({}, "multipart/form-data")],
)
def test_a_range_is_the_plainest_type_for_its_schema(schema: Any, expected: str) -> None:
    value: Any = ["a"] if schema.get("type") == "array" else {"a": "b"}
    assert written(value, "multipart/*", {"schema": schema})[0] == expected


def test_a_model_is_told_how_to_give_files() -> None:
    mixed, _ = body_of("multipart/mixed", {"schema": {"type": "array", "items": {}}})
    assert "Files: base64 text" in inputs(operation("POST", body=mixed))["properties"]["body"]["description"]
    named, _ = body_of(
        "multipart/mixed",
        {"schema": {"type": "object", "properties": {"f": {}, "t": TEXT}, "additionalProperties": False}},
    )
    told = inputs(operation("POST", body=named))["properties"]
    assert told["f"]["description"].startswith("Base64 text")
    assert told["t"] == {"type": "string"}


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ({"itemSchema": META}, {"type": "array", "items": META}),
        ({"schema": {"type": "array", "items": META}}, {"type": "array", "items": META}),
        ({"schema": META}, {"type": "array", "items": META}),
        ({}, {"type": "array", "items": {}}),
        (
            {"schema": {"type": "array", "maxItems": 2}, "itemSchema": META},
            {"type": "array", "maxItems": 2, "items": {}},
        ),
    ],
)
def test_lines_are_a_list_of_items_or_the_list_that_is_documented(declared: Any, told: Any) -> None:
    body, definitions = body_of("application/jsonl", declared)
    assert inputs(operation("POST", body=body))["properties"]["body"] == told
    assert writer(body.media[0], definitions)([{"a": 1}, 2])[1] == b'{"a":1}\n2\n'


VALUES = st.one_of(
    st.tuples(st.just("file"), st.binary(max_size=60)),
    st.tuples(st.just("text"), st.text(st.characters(exclude_categories=["Cs"]), max_size=20)),
    st.tuples(st.just("json"), st.dictionaries(st.text("ab", max_size=2), st.integers(), max_size=3)),
)
SCHEMAS: dict[str, Any] = {"file": {}, "text": TEXT, "json": {"type": "object"}}


@settings(max_examples=80)
@given(st.lists(VALUES, min_size=1, max_size=5), st.sampled_from(["multipart/mixed", "multipart/related"]))
def test_a_mail_parser_reads_back_what_was_sent(values: list[tuple[str, Any]], name: str) -> None:
    declared = {"schema": {"type": "array", "prefixItems": [SCHEMAS[kind] for kind, _ in values]}}
    body, definitions = body_of(name, declared)
    sent = [base64.b64encode(value).decode() if kind == "file" else value for kind, value in values]
    content_type, data = writer(body.media[0], definitions)(sent)
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(
        b"Content-Type: " + content_type.encode() + b"\r\nContent-Transfer-Encoding: binary\r\n\r\n" + data
    )
    parts = list(message.iter_parts())
    assert [part.get_content_type() for part in parts] == [
        {"file": "application/octet-stream", "text": "text/plain", "json": "application/json"}[kind]
        for kind, _ in values
    ]
    for part, raw, (kind, value) in zip(parts, taken_apart(content_type, data)[1], values, strict=True):
        assert as_sent(kind, part, raw) == value


def as_sent(kind: str, part: Message, raw: bytes) -> Any:
    """The bytes as they stand: the mail parser mends line ends of text."""
    octets = raw.partition(b"\r\n\r\n")[2]
    if kind == "file":
        return octets
    if kind == "json":
        return msgspec.json.decode(octets)
    return octets.decode(part.get_content_charset("ascii"))
