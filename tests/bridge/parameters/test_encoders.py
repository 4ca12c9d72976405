"""Every location and style against the specification's own rows, and what no argument may do."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest

from openapi_mcp_server.errors import ArgumentError
from openapi_mcp_server.openapi.model import Encoding, Location, Style
from parameters import encode

COLORS = ["blue", "black", "brown"]
RGB = {"R": 100, "G": 200, "B": 150}
ALL_RESERVED = ":/?#[]@!$&'()*+,;="


def row(location: Location, style: Style, explode: bool, kind: str, value: Any, text: str) -> Any:
    return pytest.param(location, style, explode, value, text, id=f"{location}-{style}-{explode}-{kind}")


# The table "Style Examples" of OpenAPI 3.0.4, 3.1.1 and 3.2.0, less what is n/a there, in every location it has.
# An empty path segment and a lone dot are the two rows that are refused (see below). Pairs of cookies are separated
# as RFC 6265 has it.
STYLE_EXAMPLES = [
    row("path", "matrix", False, "empty", "", ";color"),
    row("path", "matrix", False, "string", "blue", ";color=blue"),
    row("path", "matrix", False, "array", COLORS, ";color=blue,black,brown"),
    row("path", "matrix", False, "object", RGB, ";color=R,100,G,200,B,150"),
    row("path", "matrix", True, "empty", "", ";color"),
    row("path", "matrix", True, "string", "blue", ";color=blue"),
    row("path", "matrix", True, "array", COLORS, ";color=blue;color=black;color=brown"),
    row("path", "matrix", True, "object", RGB, ";R=100;G=200;B=150"),
    row("path", "label", False, "string", "blue", ".blue"),
    row("path", "label", False, "array", COLORS, ".blue,black,brown"),
    row("path", "label", False, "object", RGB, ".R,100,G,200,B,150"),
    row("path", "label", True, "string", "blue", ".blue"),
    row("path", "label", True, "array", COLORS, ".blue.black.brown"),
    row("path", "label", True, "object", RGB, ".R=100.G=200.B=150"),
    row("path", "simple", False, "string", "blue", "blue"),
    row("path", "simple", False, "array", COLORS, "blue,black,brown"),
    row("path", "simple", False, "object", RGB, "R,100,G,200,B,150"),
    row("path", "simple", True, "string", "blue", "blue"),
    row("path", "simple", True, "array", COLORS, "blue,black,brown"),
    row("path", "simple", True, "object", RGB, "R=100,G=200,B=150"),
    row("header", "simple", False, "empty", "", ""),
    row("header", "simple", False, "string", "blue", "blue"),
    row("header", "simple", False, "array", COLORS, "blue,black,brown"),
    row("header", "simple", False, "object", RGB, "R,100,G,200,B,150"),
    row("header", "simple", True, "empty", "", ""),
    row("header", "simple", True, "string", "blue", "blue"),
    row("header", "simple", True, "array", COLORS, "blue,black,brown"),
    row("header", "simple", True, "object", RGB, "R=100,G=200,B=150"),
    row("query", "form", False, "empty", "", "color="),
    row("query", "form", False, "undefined", None, "color="),
    row("query", "form", False, "string", "blue", "color=blue"),
    row("query", "form", False, "array", COLORS, "color=blue,black,brown"),
    row("query", "form", False, "object", RGB, "color=R,100,G,200,B,150"),
    row("query", "form", True, "empty", "", "color="),
    row("query", "form", True, "undefined", None, "color="),
    row("query", "form", True, "string", "blue", "color=blue"),
    row("query", "form", True, "array", COLORS, "color=blue&color=black&color=brown"),
    row("query", "form", True, "object", RGB, "R=100&G=200&B=150"),
    row("query", "spaceDelimited", False, "array", COLORS, "color=blue%20black%20brown"),
    row("query", "spaceDelimited", False, "object", RGB, "color=R%20100%20G%20200%20B%20150"),
    row("query", "pipeDelimited", False, "array", COLORS, "color=blue%7Cblack%7Cbrown"),
    row("query", "pipeDelimited", False, "object", RGB, "color=R%7C100%7CG%7C200%7CB%7C150"),
    row("query", "deepObject", True, "object", RGB, "color%5BR%5D=100&color%5BG%5D=200&color%5BB%5D=150"),
    row("query", "deepObject", False, "object", RGB, "color%5BR%5D=100&color%5BG%5D=200&color%5BB%5D=150"),
    row("cookie", "form", False, "empty", "", "color="),
    row("cookie", "form", False, "string", "blue", "color=blue"),
    row("cookie", "form", False, "array", COLORS, "color=blue,black,brown"),
    row("cookie", "form", False, "object", RGB, "color=R,100,G,200,B,150"),
    row("cookie", "form", True, "empty", "", "color="),
    row("cookie", "form", True, "string", "blue", "color=blue"),
    row("cookie", "form", True, "array", COLORS, "color=blue; color=black; color=brown"),
    row("cookie", "form", True, "object", RGB, "R=100; G=200; B=150"),
    row("cookie", "cookie", True, "empty", "", "color="),
    row("cookie", "cookie", True, "string", "blue", "color=blue"),
    row("cookie", "cookie", True, "array", COLORS, "color=blue; color=black; color=brown"),
    row("cookie", "cookie", True, "object", RGB, "R=100; G=200; B=150"),
    row("cookie", "cookie", False, "string", "blue", "color=blue"),
]

# What the table leaves open, as the module says it.
BEYOND_THE_TABLE = [
    row("query", "tsv", False, "array", COLORS, "color=blue%09black%09brown"),
    row("query", "spaceDelimited", True, "array", COLORS, "color=blue&color=black&color=brown"),
    row("query", "pipeDelimited", True, "array", COLORS, "color=blue&color=black&color=brown"),
    row("query", "pipeDelimited", False, "string", "blue", "color=blue"),
    row("query", "form", True, "no-items", [], ""),
    row("query", "form", False, "no-items", [], ""),
    row("query", "form", True, "no-members", {}, ""),
    row("query", "deepObject", True, "no-members", {}, ""),
    row("query", "deepObject", True, "scalar", 1700000000, "color=1700000000"),
    row("query", "deepObject", True, "null", None, "color="),
    row("query", "deepObject", True, "list", ["a", "b"], "color%5B%5D=a&color%5B%5D=b"),
    row("query", "deepObject", True, "nested", {"b": {"c": 1}}, "color%5Bb%5D%5Bc%5D=1"),
    row("query", "deepObject", True, "nested-list", {"b": [1, 2]}, "color%5Bb%5D%5B%5D=1&color%5Bb%5D%5B%5D=2"),
    row("query", "deepObject", True, "objects", [{"p": 1, "q": 2}], "color%5B0%5D%5Bp%5D=1&color%5B0%5D%5Bq%5D=2"),
    row("query", "form", True, "list-in-list", [[1, 2]], "color=%5B1%2C2%5D"),
    row("query", "form", False, "object-in-list", [{"a": 1}], "color=%7B%22a%22%3A1%7D"),
    row("query", "form", True, "nulls", ["a", None], "color=a&color=null"),
    row("header", "simple", False, "nulls", ["a", None, True], "a,null,true"),
]


@pytest.mark.parametrize(("location", "style", "explode", "value", "text"), STYLE_EXAMPLES + BEYOND_THE_TABLE)
def test_a_value_is_written_in_its_style(
    location: Location, style: Style, explode: bool, value: Any, text: str
) -> None:
    assert encode(value, location, style, explode) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (-0.0, "-0.0"),
        (2**53 + 1, "9007199254740993"),
        (int("9" * 400), "9" * 400),
        (Decimal("1.10"), "1.10"),
        (Decimal("-1E-7"), "-0.0000001"),
        (Decimal("1E+400"), "1e400"),
        (1.5, "1.5"),
        ("true", "true"),
    ],
)
def test_scalars_are_spelt_as_json_spells_them(value: Any, text: str) -> None:
    assert encode(value, "path", "simple", explode=False) == text
    assert encode(value, "query") == f"color={text}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a b", "a%20b"),
        ("~-._", "~-._"),
        ("é", "%C3%A9"),
        ("😀", "%F0%9F%98%80"),
        ("100%", "100%25"),
        ("%41", "%2541"),
        (ALL_RESERVED, "%3A%2F%3F%23%5B%5D%40%21%24%26%27%28%29%2A%2B%2C%3B%3D"),
        ("a\r\nb\0", "a%0D%0Ab%00"),
        ('"<>\\^`{|}', "%22%3C%3E%5C%5E%60%7B%7C%7D"),
    ],
)
def test_only_unreserved_characters_stay_in_a_query(value: str, text: str) -> None:
    assert encode(value, "query") == f"color={text}"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("$filter", "%24filter=1"),
        ("filter[x]", "filter%5Bx%5D=1"),
        ("❤️", "%E2%9D%A4%EF%B8%8F=1"),
        ("a&b=c", "a%26b%3Dc=1"),
    ],
)
def test_names_are_encoded_like_values(name: str, text: str) -> None:
    assert encode(1, "query", name=name) == text


def test_delimiters_inside_members_are_kept_apart_by_encoding() -> None:
    assert encode(["a,b", "c"], "query", explode=False) == "color=a%2Cb,c"
    assert encode(["a,b", "c"], "path", "simple", explode=False) == "a%2Cb,c"
    assert encode(["a.b", "c"], "path", "label", explode=True) == ".a%2Eb.c"
    assert encode(["a;b", "c=d"], "path", "matrix", explode=True) == ";color=a%3Bb;color=c%3Dd"
    assert encode({"a=b": "c&d"}, "query", explode=True) == "a%3Db=c%26d"


@pytest.mark.parametrize(
    ("location", "style", "value"),
    [
        ("query", "spaceDelimited", ["a b", "c"]),
        ("query", "pipeDelimited", ["a|b", "c"]),
        ("query", "tsv", ["a\tb", "c"]),
        ("header", "simple", ["a,b", "c"]),
    ],
)
def test_members_that_could_not_be_told_apart_are_refused(location: Location, style: Style, value: list[str]) -> None:
    with pytest.raises(ArgumentError, match="separates this list's members"):
        encode(value, location, style, explode=False)


def test_a_header_list_takes_quoted_members_as_they_are() -> None:
    assert encode(['"a,b"', "c"], "header", "simple", explode=False) == '"a,b",c'


def test_deep_object_keys_cannot_forge_its_notation() -> None:
    with pytest.raises(ArgumentError, match="bracket"):
        encode({"a][b": 1}, "query", "deepObject")


@pytest.mark.parametrize(
    ("location", "style", "value", "text"),
    [
        ("query", "form", ALL_RESERVED, "color=:/?%23%5B%5D@!$%26'()*%2B,;%3D"),
        ("query", "form", "%2F%zz 100%", "color=%2F%25zz%20100%25"),
        ("query", "form", ["a,b", "c/d"], "color=a%2Cb,c/d"),
        ("query", "deepObject", {"u": "http://x/?a"}, "color%5Bu%5D=http://x/?a"),
        ("path", "simple", ALL_RESERVED, ":%2F%3F%23%5B%5D@!$&'()*+,;="),
        ("path", "simple", ["a,b", "c"], "a%2Cb,c"),
        ("path", "matrix", "a;b", ";color=a%3Bb"),
        ("cookie", "form", ALL_RESERVED, "color=:/?#[]@!$&'()*+%2C%3B="),
    ],
)
def test_allow_reserved_keeps_what_the_place_allows(location: Location, style: Style, value: Any, text: str) -> None:
    assert encode(value, location, style, explode=False, allow_reserved=True) == text


def test_allow_empty_value_sends_the_name_of_what_would_be_left_out() -> None:
    assert encode([], "query", allow_empty_value=True) == "color="
    assert encode("", "query", allow_empty_value=True) == "color="
    assert encode([], "query", "deepObject", allow_empty_value=True) == ""


@pytest.mark.parametrize(
    ("location", "content_type", "value", "text"),
    [
        ("query", "application/json", {"a": [1, None]}, "color=%7B%22a%22%3A%5B1%2Cnull%5D%7D"),
        ("query", "application/vnd.x+json; v=1", "s", "color=%22s%22"),
        ("query", "text/plain", "a b", "color=a%20b"),
        ("query", "text/plain", {"a": 1}, "color=%7B%22a%22%3A1%7D"),
        ("query", "*/*", ["a"], "color=%5B%22a%22%5D"),
        ("query", "application/x-www-form-urlencoded", {"a": "b c"}, "color=a%3Db%2Bc"),
        ("path", "application/json", {"a": Decimal("1.10")}, "%7B%22a%22%3A1.10%7D"),
        ("header", "application/json", {"a": True}, '{"a":true}'),
        ("header", "text/plain", 'W/"1"', 'W/"1"'),
        ("cookie", "application/json", ["a"], "color=%5B%22a%22%5D"),
        ("cookie", "text/plain", "a%20b", "color=a%20b"),
        # the querystring examples of OpenAPI 3.2.0
        ("querystring", "application/json", {"numbers": [1, 2], "flag": None},
         "%7B%22numbers%22%3A%5B1%2C2%5D%2C%22flag%22%3Anull%7D"),
        ("querystring", "application/jsonpath", "$.a.b[1:1]", "%24.a.b%5B1%3A1%5D"),
        ("querystring", "application/x-www-form-urlencoded", {"a": "b c", "d": [1, 2], "e": {"f": 1}},
         "a=b+c&d=1&d=2&e=%7B%22f%22%3A1%7D"),
    ],
)  # fmt: skip
def test_content_is_written_by_its_media_type(location: Location, content_type: str, value: Any, text: str) -> None:
    assert encode(value, location, "simple", explode=False, content_type=content_type) == text


@pytest.mark.parametrize("location", ["querystring", "query"])
def test_a_form_as_a_parameter_has_the_encoding_of_its_properties(location: Location) -> None:
    encoding = {"ids": Encoding(explode=False), "deep": Encoding(style="deepObject")}
    written = encode(
        {"a": "b c", "ids": [1, 2], "deep": {"e": "f g"}},
        location,
        content_type="application/x-www-form-urlencoded",
        encoding=encoding,
    )
    text = "a=b+c&ids=1,2&deep%5Be%5D=f%20g"
    assert written == (text if location == "querystring" else f"color={quote(text, safe='')}")


@pytest.mark.parametrize(("style", "text"), [("spaceDelimited", "a b/c"), ("pipeDelimited", "a|b/c")])
def test_a_header_takes_the_other_collection_formats_of_swagger_2(style: Style, text: str) -> None:
    assert encode(["a", "b/c"], "header", style, explode=False) == text


@pytest.mark.parametrize(("style", "text"), [("spaceDelimited", "a%20b%2Fc"), ("pipeDelimited", "a%7Cb%2Fc")])
def test_a_path_takes_the_other_collection_formats_of_swagger_2(style: Style, text: str) -> None:
    assert encode(["a", "b/c"], "path", style, explode=False) == text


def test_cookies_of_the_two_styles_differ_in_encoding() -> None:
    assert encode("Hello, world!", "cookie", name="greeting") == "greeting=Hello%2C%20world%21"
    assert (
        encode({"greeting": "Hello%2C%20world!", "code": 42}, "cookie", "cookie")
        == "greeting=Hello%2C%20world!; code=42"
    )


@pytest.mark.parametrize("value", ["a b", "a;b", 'a"b', "a,b", "a\\b", "é", "a\n", {"b;c": "d"}, {"": "d"}])
def test_style_cookie_refuses_what_is_not_escaped_already(value: Any) -> None:
    with pytest.raises(ArgumentError, match="cookie parameter 'color': "):
        encode(value, "cookie", "cookie")
