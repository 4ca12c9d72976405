"""Bodies whose media type names a charset: the bytes are what the header that goes with them says."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import parse_qsl
from xml.etree import ElementTree as ET

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from body_writers import writer
from openapi_mcp_server.errors import ArgumentError, SpecError
from openapi_mcp_server.openapi.model import Encoding, MediaType, Schema

TEXT = {"type": "string"}
FORM = "application/x-www-form-urlencoded"
VALUE = {"a": "café", "b": "ж", "c": "😀"}
ESCAPED = b'{"a":"caf\\u00e9","b":"\\u0436","c":"\\ud83d\\ude00"}'


def write(value: Any, name: str, schema: Any = None, **more: Any) -> tuple[str, bytes]:
    encoded = None if schema is None else Schema(msgspec.Raw(msgspec.json.encode(schema)))
    return writer(MediaType(pointer="#/media", name=name, schema=encoded, **more), {})(value)


@pytest.mark.parametrize(
    ("name", "value", "data"),
    [
        ("application/json", VALUE, json.dumps(VALUE, ensure_ascii=False, separators=(",", ":")).encode()),
        ("application/json; charset=UTF8", "é", '"é"'.encode()),
        ("application/json; charset=iso-8859-1", VALUE, ESCAPED),
        ("application/json;CHARSET=ISO-8859-1", VALUE, ESCAPED),
        ('application/json; charset="windows-1252"', VALUE, ESCAPED),
        ("application/vnd.acme+json; v=1; charset=us-ascii", VALUE, ESCAPED),
        ("application/json; charset=shift_jis", VALUE, ESCAPED),
        ("application/json; charset=never-heard-of", VALUE, ESCAPED),
        ("application/json; charset=iso-8859-1", {"a": 1}, b'{"a":1}'),
        ("application/json; charset=utf-16", "é", '"é"'.encode("utf-16")),
        ("application/json; charset=utf-16be", "é", '"é"'.encode("utf-16be")),
        ("application/x-ndjson; charset=iso-8859-1", ["é", 1], b'"\\u00e9"\n1\n'),
        ("application/json-seq; charset=iso-8859-1", ["é"], b'\x1e"\\u00e9"\n'),
        ("text/plain; charset=iso-8859-1", "é", b"\xe9"),
        ("text/plain; charset=windows-1252", "€", b"\x80"),
        ("text/plain; charset=iso-8859-15", "€", b"\xa4"),
        ("text/plain; charset=shift_jis", "日", "日".encode("shift_jis")),
        ("text/plain; charset=utf-16", "é", "é".encode("utf-16")),
        ("text/plain; charset=us-ascii", {"a": "é"}, b'{"a":"\\u00e9"}'),
        ("text/csv; charset=iso-8859-1", "é,1\n", b"\xe9,1\n"),
        ("application/yaml; charset=iso-8859-1", {"a": "é"}, b'{"a":"\\u00e9"}'),
        (f"{FORM}; charset=utf-8", {"a": "é"}, b"a=%C3%A9"),
        (f"{FORM}; charset=iso-8859-1", {"é": ["è x", "1&2"]}, b"%E9=%E8+x&%E9=1%262"),
        (f"{FORM}; charset=iso-8859-1", {"o": {"k": "ü"}}, b"o=%7B%22k%22%3A%22%FC%22%7D"),
        (f"{FORM}; charset=windows-1251", {"a": "жя"}, b"a=%E6%FF"),
        (f"{FORM}; charset=utf-16", {"a": "é"}, b"a=%C3%A9"),
    ],
)  # fmt: skip
def test_bytes_are_in_the_charset_that_the_header_names(name: str, value: Any, data: bytes) -> None:
    assert write(value, name) == (name, data)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("text/plain; charset=iso-8859-1", "ж", "body: 'ж' cannot be written in"),
        ("text/plain; charset=us-ascii", "é", "body: 'é' cannot be written in"),
        (f"{FORM}; charset=iso-8859-1", {"a": "€"}, "body: '€' cannot be written in"),
    ],
)
def test_a_character_that_a_charset_does_not_have_is_refused(name: str, value: Any, problem: str) -> None:
    with pytest.raises(ArgumentError, match=problem):
        write(value, name)


@pytest.mark.parametrize("name", ["text/plain", "text/xml", FORM])
@pytest.mark.parametrize("charset", ["punycode", "x-unknown", "iso-8859-12", "ibm500"])
def test_a_charset_that_nobody_writes_is_told_at_load(name: str, charset: str) -> None:
    with pytest.raises(SpecError, match=f"the charset {charset} is not supported; use utf-8"):
        write("", f"{name}; charset={charset}", TEXT if name != FORM else {"type": "object"})


def test_a_styled_field_of_a_form_is_in_the_charset_too() -> None:
    styled = {"a": Encoding(style="form", explode=False), "r": Encoding(allow_reserved=True)}
    value = {"a": ["é", "ü"], "r": "/é?%E9%FF"}
    _, body = write(value, f"{FORM}; charset=iso-8859-1", {"type": "object"}, encoding=styled)
    assert body == b"a=%E9,%FC&r=/%E9?%E9%FF"


FILE = {"type": "string", "format": "binary"}


@pytest.mark.parametrize(
    ("value", "data"),
    [
        ("é, ü\n", b"\xe9, \xfc\n"),
        (base64.b64encode("é".encode()).decode(), "é".encode()),
        ({"a": "é"}, b'{"a":"\\u00e9"}'),
    ],
)
def test_a_file_of_text_that_is_given_as_text_is_in_its_charset(value: Any, data: bytes) -> None:
    assert write(value, "text/csv; charset=iso-8859-1", FILE)[1] == data


XML = {
    "type": "object",
    "xml": {"name": "r"},
    "properties": {
        "a": {"type": "string", "xml": {"attribute": True}},
        "t": {"type": "string"},
        "c": {"type": "string", "xml": {"nodeType": "cdata"}},
    },
}


@pytest.mark.parametrize("charset", ["utf-8", "us-ascii", "iso-8859-1", "windows-1251", "utf-16"])
@pytest.mark.parametrize("text", ["é & ж < 😀", "]]>é]]>", "plain"])
def test_xml_reads_the_same_in_every_charset(charset: str, text: str) -> None:
    name = f"application/xml; charset={charset}"
    sent, body = write({"a": text, "t": text, "c": text}, name, XML)
    root = ET.fromstring(body)
    assert sent == name
    assert root.get("a") == text
    assert root.findtext("t") == text
    assert "".join(root.itertext()) == text + text
    assert body.decode(charset).startswith(f'<?xml version="1.0" encoding="{charset.upper()}"?>')


def test_a_name_of_xml_that_a_charset_does_not_have_is_refused() -> None:
    with pytest.raises(ArgumentError, match="body: 'ж' cannot be written in"):
        write({"ж": 1}, "text/xml; charset=iso-8859-1", XML)


@settings(max_examples=80, deadline=None)
@given(
    st.dictionaries(st.text(min_size=1), st.text()),
    st.sampled_from(["us-ascii", "iso-8859-1", "gbk", "koi8-r", "utf-16", "utf-8", "never-heard-of"]),
)
def test_json_is_the_value_for_those_who_go_by_the_charset_and_for_those_who_do_not(
    value: dict[str, str], charset: str
) -> None:
    value = json.loads(json.dumps(value).encode("utf-8", "replace"))
    if any(0xD800 <= ord(each) <= 0xDFFF for text in (*value, *value.values()) for each in text):
        return
    _, body = write(value, f"application/json; charset={charset}")
    assert json.loads(body) == value  # by its first bytes, see RFC 4627 section 3
    if charset != "never-heard-of":
        assert json.loads(body.decode(charset)) == value


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(st.characters(codec="latin-1")), st.text(st.characters(codec="latin-1"))))
def test_a_form_comes_back_in_its_charset(value: dict[str, str]) -> None:
    _, body = write(value, f"{FORM}; charset=iso-8859-1")
    assert dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, encoding="latin-1")) == value
