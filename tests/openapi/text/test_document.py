"""Documents as bytes: what is read, in which dialect, and what is refused with which words."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from openapi_mcp_server.errors import SpecError
from openapi_mcp_server.openapi.text.document import parse

BROKEN = Path(__file__).resolve().parents[2] / "specs" / "broken"
FAULTS = sorted(path.name for path in BROKEN.iterdir() if path.suffix != ".txt")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_document_is_refused_with_the_message_beside_it(fault: str) -> None:
    message = (BROKEN / f"{fault}.message.txt").read_text().rstrip("\n")
    with pytest.raises(SpecError) as caught:
        parse((BROKEN / fault).read_bytes())
    assert str(caught.value) == message


@pytest.mark.parametrize("message", sorted(BROKEN.glob("*.txt")), ids=lambda path: path.stem)
def test_a_message_is_one_line(message: Path) -> None:
    assert message.read_text().count("\n") == 1


@pytest.mark.parametrize(
    ("text", "dialect"),
    [
        (b'{"swagger": "2.0"}', "2.0"),
        (b'{"swagger": 2.0}', "2.0"),
        (b"swagger: '2.0'", "2.0"),
        (b"swagger: 2.0", "2.0"),
        (b"swagger: 2", "2.0"),
        (b'{"openapi": "3.0.0"}', "3.0"),
        (b"openapi: 3.0.5", "3.0"),
        (b"openapi: 3.0.0-rc2", "3.0"),
        (b"openapi: 3.0", "3.0"),
        (b"openapi: 3.1", "3.1"),
        (b'openapi: "3.1.99"', "3.1"),
        (b"openapi: 3.2.0", "3.2"),
        (b"{openapi: 3.2.0}", "3.2"),
    ],
)
def test_any_patch_of_a_known_version_is_its_dialect(text: bytes, dialect: str) -> None:
    assert parse(text).dialect == dialect


@pytest.mark.parametrize("version", ["3", "3.3.0", "31.0.0", "3.10.0", "v3.0.0", "2.0.0", ""])
def test_any_other_version_is_refused_by_name(version: str) -> None:
    with pytest.raises(SpecError, match=r"version '.*' is not supported") as caught:
        parse(msgspec.json.encode({"openapi": version}))
    assert caught.value.pointer == "#/openapi"


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        (b'{"info":{"name":"c"},"item":[]}', "a Postman collection"),
        (b"asyncapi: 2.6.0\nchannels: {}", "an AsyncAPI document"),
        (b'{"$schema":"https://json-schema.org/draft/2020-12/schema"}', "a JSON Schema"),
        (b"overlay: 1.0.0\nactions: []", "an overlay, which belongs into API_OVERLAYS"),
        (b'{"swaggerVersion":"1.2","apis":[]}', "a Swagger 1 document"),
    ],
)
def test_another_kind_of_document_is_told_by_its_name(document: bytes, kind: str) -> None:
    with pytest.raises(SpecError, match=f"this is {kind}.*, not an OpenAPI document"):
        parse(document)


@pytest.mark.parametrize("value", [b"null", b"true", b"{}", b"[]"])
def test_a_version_is_text_or_a_number(value: bytes) -> None:
    with pytest.raises(SpecError, match="must be a version"):
        parse(b'{"openapi": ' + value + b"}")


def test_a_byte_order_mark_is_dropped() -> None:
    assert parse(b'\xef\xbb\xbf{"openapi": "3.1.0"}').json == b'{"openapi":"3.1.0"}'
    assert parse(b"\xef\xbb\xbfopenapi: 3.1.0").json == b'{"openapi":"3.1.0"}'


def test_numbers_and_strings_of_json_stay_as_they_were_spelt() -> None:
    spelt = b'{"openapi":"3.1.0","x":[1.10,1E5,-0,123456789012345678901234567890,"\\u00e9\\/"]}'
    assert parse(spelt.replace(b",", b" ,\n ").replace(b":", b" : ")).json == spelt


@pytest.mark.parametrize("number", [b"1e400", b"-1e999"])
def test_a_number_that_no_double_can_hold_is_refused(number: bytes) -> None:
    with pytest.raises(SpecError, match="not valid JSON: Number out of range"):
        parse(b'{"openapi": "3.1.0", "x": ' + number + b"}")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b'{"openapi": "3.1.0", "x": {"a": 1, "b": 2, "a": 3}}', id="apart"),
        pytest.param(b'{"openapi": "3.1.0", "x": [[{"a": 1}, {"a": 1, "a": 1}]]}', id="with equal values"),
        pytest.param(b'{"openapi": "3.1.0", "x": {"\\u00e9": 1, "\xc3\xa9": 2}}', id="spelt differently"),
        pytest.param(b'{"openapi": "3.1.0", "x": {"a": "\\u0022:", "a": 1}}', id="beside an escaped quote"),
        pytest.param(b'{"openapi": "3.1.0", "x": {"a": "\\u003a", "a": ":", "b": "\\":"}}', id="beside colons"),
        pytest.param(
            b'{"openapi": "3.1.0", "x": {"a": {"b": "' + b"c" * 40_000 + b'"}, "a": 1}}', id="of a large value"
        ),
        pytest.param(b'{"openapi": "3.1.0", "x": [{"b": "' + b"c" * 40_000 + b'", "a": 1, "a": 1}]}', id="beside one"),
        pytest.param(b'{"openapi": "3.1.0", "openapi": "3.1.0", "x": "' + b"c" * 40_000 + b'"}', id="at the root"),
    ],
)
def test_a_key_said_twice_is_refused_wherever_it_is(text: bytes) -> None:
    with pytest.raises(SpecError, match=r"^line 1, column \d+: duplicate key '.+', first at line 1, column \d+$"):
        parse(text)


@pytest.mark.parametrize("value", [b'"\\u0022:"', b'{":": ":", "\\":": "\\":"}', b'"\\u003a"', b'{"a": {"a": "a"}}'])
def test_what_looks_like_a_key_is_none(value: bytes) -> None:
    assert msgspec.json.decode(parse(b'{"openapi": "3.1.0", "x": ' + value + b"}").json)["x"] == msgspec.json.decode(
        value
    )


def test_the_name_of_a_key_is_cut_in_the_message() -> None:
    key = b'"' + b"k" * 10_000 + b'"'
    with pytest.raises(SpecError) as caught:
        parse(b'{"openapi": "3.1.0", ' + key + b": 1, " + key + b": 2}")
    assert len(str(caught.value)) < 200
