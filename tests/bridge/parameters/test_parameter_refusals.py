"""What no parameter may hold, and which headers and styles no document may ask for."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

import pytest

from openapi_mcp_server.bridge.parameters import encoders
from openapi_mcp_server.bridge.parameters.encoders import LIMITS
from openapi_mcp_server.errors import ArgumentError, SpecError
from openapi_mcp_server.openapi.model import Location, Style
from parameters import POINTER, encode, parameter


@pytest.mark.parametrize(
    "value",
    [
        ".", "..", "../x", "x/..", "a/../b", "a\\..\\b", "..\\", "..;x", "..?x", "..#x", "/..", "a/./b",
        "%2e", "%2e%2e", "%2E%2e", "%252e%252e", "%25252e.", "..%2f", "..%5c", ".%2e/", "%2e%2e%2f%2e%2e%2fadmin",
        "%25%32%65%25%32%65",
    ],
)  # fmt: skip
@pytest.mark.parametrize("allow_reserved", [False, True])
def test_dot_segments_are_refused_however_they_are_encoded(value: str, allow_reserved: bool) -> None:
    with pytest.raises(ArgumentError, match=r"path parameter 'color': .*(dot segment|percent-encoded)"):
        encode(value, "path", "simple", explode=False, allow_reserved=allow_reserved)


@pytest.mark.parametrize(
    ("style", "explode", "value"),
    [
        ("label", False, "."),
        ("label", False, ""),
        ("label", True, ["", ""]),
        ("label", True, ["."]),
        ("simple", False, [".."]),
    ],
)
def test_delimiters_cannot_make_a_dot_segment(style: Style, explode: bool, value: Any) -> None:
    with pytest.raises(ArgumentError, match=r"dot segment"):
        encode(value, "path", style, explode)


@pytest.mark.parametrize(
    "value", ["a..b", "...", "v1.2", ".hidden", "a.", "..a", "50%", "%", "%zz", "a/b", "?x", "#x", ";x"]
)
def test_dots_and_percent_signs_that_are_data_are_sent(value: str) -> None:
    assert unquote(encode(value, "path", "simple", explode=False)) == value


@pytest.mark.parametrize("value", ["a\0", "\r\n", "a\x1fb", "\x7f", "\x85", "%00", "%0d%0a", "%2500"])
def test_control_characters_are_refused_in_paths(value: str) -> None:
    with pytest.raises(ArgumentError, match="path parameter 'color': must not hold control characters"):
        encode(value, "path", "simple", explode=False)


@pytest.mark.parametrize("value", ["", None, [], {}, [""]])
def test_an_empty_path_segment_is_refused(value: Any) -> None:
    with pytest.raises(ArgumentError, match="path parameter 'color': must not be empty"):
        encode(value, "path", "simple", explode=False)


def test_a_value_encoded_without_end_is_refused_quickly() -> None:
    with pytest.raises(ArgumentError, match="percent-encoded more than"):
        encode("%" + "25" * 2_000 + "2e", "path", "simple", explode=False)


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "\0", "a\tb", " a", "a ", "é", "😀", "\x7f", "\x85"])
@pytest.mark.parametrize("shape", ["scalar", "list", "object"])
def test_headers_refuse_what_they_cannot_carry(value: str, shape: str) -> None:
    shaped = {"scalar": value, "list": [value], "object": {"k": value, value: "k"}}[shape]
    with pytest.raises(ArgumentError, match="header parameter 'X-Color': "):
        encode(shaped, "header", "simple", explode=True, name="X-Color")


@pytest.mark.parametrize("location", ["path", "query", "header", "cookie", "querystring"])
def test_each_location_has_a_limit(location: Location) -> None:
    content_type = "text/plain" if location == "querystring" else None
    style: Style = "simple" if location in {"path", "header"} else "form"
    with pytest.raises(ArgumentError, match=r"color.*the limit is [\d,]+"):
        encode("x" * (LIMITS[location] + 1), location, style, content_type=content_type)


@pytest.mark.parametrize("location", ["path", "query", "cookie"])
def test_half_of_a_surrogate_pair_is_refused(location: Location) -> None:
    with pytest.raises(ArgumentError, match="surrogate"):
        encode("\ud800", location, "simple" if location == "path" else "form")


def test_values_nested_without_end_are_refused() -> None:
    value: Any = 1
    for _ in range(5_000):
        value = {"a": value}
    for style in ("deepObject", "form"):
        with pytest.raises(ArgumentError, match=r"nested too deeply|the limit is"):  # newer Pythons go deeper
            encode(value, "query", style)


NOT_SETTABLE = [
    "Host", "host", "Authorization", "Proxy-Authorization", "Proxy-Anything", "Content-Length", "Transfer-Encoding",
    "Connection", "Keep-Alive", "Cookie", "TE", "Trailer", "Upgrade", "Expect", "X-Forwarded-For", "x-forwarded-host",
    "Forwarded", "Via", "X-Real-IP", "Accept", "Accept-Encoding", "Content-Type", "X-HTTP-Method-Override",
    "X-Original-URL", "X Y", "X:Y", "X\r\nY", "é", "(x)", "",
]  # fmt: skip


OF_CGI = [name.replace("-", "_") for name in NOT_SETTABLE if "-" in name]
"""The same headers to a server that makes variables of them."""
OF_CLIENTS = ["CF-Connecting-IP", "Fastly-Client-IP", "X-Cluster-Client-IP", "X-Original-Forwarded-For"]


@pytest.mark.parametrize("name", [*NOT_SETTABLE, *OF_CGI, *OF_CLIENTS])
def test_headers_that_are_not_an_arguments_to_set(name: str) -> None:
    with pytest.raises(SpecError) as caught:
        encoders.encoder(parameter("header", "simple", name=name))
    assert caught.value.pointer == POINTER


@pytest.mark.parametrize(
    "name", ["X-Request-Id", "If-Match", "Range", "api_key", "Idempotency-Key", "Content-MD5", "User-Agent"]
)
def test_other_headers_may_be_arguments(name: str) -> None:
    assert encode("a b", "header", "simple", name=name) == "a b"


@pytest.mark.parametrize(
    ("location", "style"),
    [("path", "form"), ("path", "deepObject"), ("query", "simple"), ("query", "cookie"), ("header", "form"),
     ("cookie", "simple"), ("querystring", "form")],
)  # fmt: skip
def test_styles_outside_their_location_are_refused_at_load(location: Location, style: Style) -> None:
    with pytest.raises(SpecError, match=re.escape(POINTER)):
        encoders.encoder(parameter(location, style))


def test_style_cookie_needs_a_cookie_name() -> None:
    with pytest.raises(SpecError, match="no cookie name"):
        encoders.encoder(parameter("cookie", "cookie", name="a b"))
