"""Parameters and bodies of every dialect, from the document to the bytes that a real socket received."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import pytest

from documents import described
from loopback import OK, client, loopback, send
from openapi_mcp_server import __version__
from openapi_mcp_server.bridge import catalog, request
from openapi_mcp_server.bridge.arguments import check
from openapi_mcp_server.bridge.http_messages import HttpRequest
from openapi_mcp_server.bridge.model import Tool
from openapi_mcp_server.bridge.origins import BaseUrl, Origin
from openapi_mcp_server.errors import ArgumentError
from openapi_mcp_server.openapi.model import DialectName

pytestmark = pytest.mark.anyio

REFUSED = "it is told to the model and nothing is sent"
NOTHING = "the parameter is left out"

VALUES: tuple[Any, ...] = (
    "blue", "", ["blue", "black", "brown"], {"R": 100, "G": 200, "B": 150}, "a/b?c&d=e,f;g h%", True, 1.5, None, [],
    ["a,b", "c&d"], {"a": [1, {"b": None}]},
)  # fmt: skip
"""The columns: a text, the empty one, a list, an object, reserved characters, a boolean, a number, undefined, an empty
list, reserved characters in a list, lists and objects within an object."""

# The first four columns are the rows of the style examples of 3.0.4, 3.1.1 and 3.2.0 as far as these define them.
STYLES: dict[tuple[str, str, bool], tuple[str, ...]] = {
    ("path", "simple", False): (
        "blue", REFUSED, "blue,black,brown", "R,100,G,200,B,150", "a%2Fb%3Fc%26d%3De%2Cf%3Bg%20h%25", "true", "1.5",
        REFUSED, REFUSED, "a%2Cb,c%26d", "a,%5B1%2C%7B%22b%22%3Anull%7D%5D",
    ),
    ("path", "simple", True): (
        "blue", REFUSED, "blue,black,brown", "R=100,G=200,B=150", "a%2Fb%3Fc%26d%3De%2Cf%3Bg%20h%25", "true", "1.5",
        REFUSED, REFUSED, "a%2Cb,c%26d", "a=%5B1%2C%7B%22b%22%3Anull%7D%5D",
    ),
    ("path", "label", False): (
        ".blue", REFUSED, ".blue,black,brown", ".R,100,G,200,B,150", ".a%2Fb%3Fc%26d%3De%2Cf%3Bg%20h%25", ".true",
        ".1.5", REFUSED, REFUSED, ".a%2Cb,c%26d", ".a,%5B1%2C%7B%22b%22%3Anull%7D%5D",
    ),
    ("path", "label", True): (
        ".blue", REFUSED, ".blue.black.brown", ".R=100.G=200.B=150", ".a%2Fb%3Fc%26d%3De%2Cf%3Bg%20h%25", ".true",
        ".1.5", REFUSED, REFUSED, ".a%2Cb.c%26d", ".a=%5B1%2C%7B%22b%22%3Anull%7D%5D",
    ),
    ("path", "matrix", False): (
        ";color=blue", ";color", ";color=blue,black,brown", ";color=R,100,G,200,B,150",
        ";color=a%2Fb%3Fc%26d%3De%2Cf%3Bg%20h%25", ";color=true", ";color=1.5", ";color", REFUSED,
        ";color=a%2Cb,c%26d", ";color=a,%5B1%2C%7B%22b%22%3Anull%7D%5D",
    ),
    ("path", "matrix", True): (
        ";color=blue", ";color", ";color=blue;color=black;color=brown", ";R=100;G=200;B=150",
        ";color=a%2Fb%3Fc%26d%3De%2Cf%3Bg%20h%25", ";color=true", ";color=1.5", ";color", REFUSED,
        ";color=a%2Cb;color=c%26d", ";a=1;a=%7B%22b%22%3Anull%7D",
    ),
    ("query", "form", False): (
        "color=blue", "color=", "color=blue,black,brown", "color=R,100,G,200,B,150",
        "color=a%2Fb%3Fc%26d%3De%2Cf%3Bg%20h%25", "color=true", "color=1.5", NOTHING, NOTHING, "color=a%2Cb,c%26d",
        "color=a,%5B1%2C%7B%22b%22%3Anull%7D%5D",
    ),
    ("query", "form", True): (
        "color=blue", "color=", "color=blue&color=black&color=brown", "R=100&G=200&B=150",
        "color=a%2Fb%3Fc%26d%3De%2Cf%3Bg%20h%25", "color=true", "color=1.5", NOTHING, NOTHING,
        "color=a%2Cb&color=c%26d", "a=1&a=%7B%22b%22%3Anull%7D",
    ),
    ("query", "spaceDelimited", False): (
        "color=blue", "color=", "color=blue%20black%20brown", "color=R%20100%20G%20200%20B%20150",
        "color=a%2Fb%3Fc%26d%3De%2Cf%3Bg%20h%25", "color=true", "color=1.5", NOTHING, NOTHING, "color=a%2Cb%20c%26d",
        "color=a%20%5B1%2C%7B%22b%22%3Anull%7D%5D",
    ),
    ("query", "spaceDelimited", True): (
        "color=blue", "color=", "color=blue&color=black&color=brown", "R=100&G=200&B=150",
        "color=a%2Fb%3Fc%26d%3De%2Cf%3Bg%20h%25", "color=true", "color=1.5", NOTHING, NOTHING,
        "color=a%2Cb&color=c%26d", "a=1&a=%7B%22b%22%3Anull%7D",
    ),
    ("query", "pipeDelimited", False): (
        "color=blue", "color=", "color=blue%7Cblack%7Cbrown", "color=R%7C100%7CG%7C200%7CB%7C150",
        "color=a%2Fb%3Fc%26d%3De%2Cf%3Bg%20h%25", "color=true", "color=1.5", NOTHING, NOTHING, "color=a%2Cb%7Cc%26d",
        "color=a%7C%5B1%2C%7B%22b%22%3Anull%7D%5D",
    ),
    ("query", "pipeDelimited", True): (
        "color=blue", "color=", "color=blue&color=black&color=brown", "R=100&G=200&B=150",
        "color=a%2Fb%3Fc%26d%3De%2Cf%3Bg%20h%25", "color=true", "color=1.5", NOTHING, NOTHING,
        "color=a%2Cb&color=c%26d", "a=1&a=%7B%22b%22%3Anull%7D",
    ),
    ("query", "deepObject", False): (
        "color=blue", "color=", "color%5B%5D=blue&color%5B%5D=black&color%5B%5D=brown",
        "color%5BR%5D=100&color%5BG%5D=200&color%5BB%5D=150", "color=a%2Fb%3Fc%26d%3De%2Cf%3Bg%20h%25", "color=true",
        "color=1.5", NOTHING, NOTHING, "color%5B%5D=a%2Cb&color%5B%5D=c%26d",
        "color%5Ba%5D%5B0%5D=1&color%5Ba%5D%5B1%5D%5Bb%5D=null",
    ),
    ("query", "deepObject", True): (
        "color=blue", "color=", "color%5B%5D=blue&color%5B%5D=black&color%5B%5D=brown",
        "color%5BR%5D=100&color%5BG%5D=200&color%5BB%5D=150", "color=a%2Fb%3Fc%26d%3De%2Cf%3Bg%20h%25", "color=true",
        "color=1.5", NOTHING, NOTHING, "color%5B%5D=a%2Cb&color%5B%5D=c%26d",
        "color%5Ba%5D%5B0%5D=1&color%5Ba%5D%5B1%5D%5Bb%5D=null",
    ),
    ("header", "simple", False): (
        "blue", "", "blue,black,brown", "R,100,G,200,B,150", "a/b?c&d=e,f;g h%", "true", "1.5", NOTHING, NOTHING,
        REFUSED, REFUSED,
    ),
    ("header", "simple", True): (
        "blue", "", "blue,black,brown", "R=100,G=200,B=150", "a/b?c&d=e,f;g h%", "true", "1.5", NOTHING, NOTHING,
        REFUSED, REFUSED,
    ),
    ("cookie", "form", False): (
        "color=blue", "color=", "color=blue,black,brown", "color=R,100,G,200,B,150",
        "color=a%2Fb%3Fc%26d%3De%2Cf%3Bg%20h%25", "color=true", "color=1.5", NOTHING, NOTHING, "color=a%2Cb,c%26d",
        "color=a,%5B1%2C%7B%22b%22%3Anull%7D%5D",
    ),
    ("cookie", "form", True): (
        "color=blue", "color=", "color=blue; color=black; color=brown", "R=100; G=200; B=150",
        "color=a%2Fb%3Fc%26d%3De%2Cf%3Bg%20h%25", "color=true", "color=1.5", NOTHING, NOTHING,
        "color=a%2Cb; color=c%26d", "a=1; a=%7B%22b%22%3Anull%7D",
    ),
    ("cookie", "cookie", False): (
        "color=blue", "color=", "color=blue,black,brown", "color=R,100,G,200,B,150", REFUSED, "color=true",
        "color=1.5", NOTHING, NOTHING, REFUSED, REFUSED,
    ),
    ("cookie", "cookie", True): (
        "color=blue", "color=", "color=blue; color=black; color=brown", "R=100; G=200; B=150", REFUSED, "color=true",
        "color=1.5", NOTHING, NOTHING, REFUSED, REFUSED,
    ),
}  # fmt: skip


class Sent(NamedTuple):
    """A request as the socket received it, but for the headers that every request has."""

    line: str
    headers: tuple[str, ...]
    body: bytes


def tool(operation: Any, origin: Origin, path: str = "/x", dialect: DialectName = "3.2", **root: Any) -> Tool:
    paths = {path: {"post" if "requestBody" in operation else "get": operation | {"operationId": "t"}}}
    description = described(paths, dialect=dialect, **root)
    made = catalog.build([catalog.ApiSource(name="a", base=BaseUrl(origin, ""), description=description)])
    assert made.skipped == ()
    return made.tools["t"]


def built(of: Tool, values: dict[str, Any]) -> HttpRequest | None:
    """The request, by way of the check against the tool's schema; None if it is refused."""
    try:
        return request.build(of, check.check(of, msgspec.Raw(msgspec.json.encode(values))).values)
    except ArgumentError:
        return None


async def received(operation: Any, calls: Sequence[dict[str, Any]], **document: Any) -> list[Sent | None]:
    """What arrives for each call, all of them on one connection."""
    async with loopback([(OK,)] * len(calls)) as api, client() as one:
        of = tool(operation, api.origin, **document)
        requests = [built(of, values) for values in calls]
        for each in requests:
            if each is not None:
                await send(one, each)
        arrived = iter(api.requests)
        return [None if each is None else parsed(next(arrived), api.origin) for each in requests]


def parsed(octets: bytes, origin: Origin) -> Sent:
    head, _, body = octets.partition(b"\r\n\r\n")
    line, host, agent, encoding, *others = head.decode("latin-1").split("\r\n")
    assert (host, agent, encoding) == (
        f"Host: 127.0.0.1:{origin.port}",
        f"User-Agent: openapi-mcp-server/{__version__}",
        "Accept-Encoding: gzip",
    )
    assert others.pop(0) == "accept: application/json, */*;q=0.1"
    return Sent(line, tuple(others), body)


def expected(location: str, text: str) -> Sent | None:
    if text in {REFUSED, NOTHING}:
        return None if text == REFUSED else Sent("GET /x HTTP/1.1", (), b"")
    match location:
        case "path":
            return Sent(f"GET /x/{text} HTTP/1.1", (), b"")
        case "query" | "querystring":
            return Sent(f"GET /x?{text} HTTP/1.1", (), b"")
        case _:
            return Sent("GET /x HTTP/1.1", (f"{'cookie' if location == 'cookie' else 'color'}: {text}",), b"")


@pytest.mark.parametrize("dialect", ["3.0", "3.1", "3.2"])
@pytest.mark.parametrize(("location", "style", "explode"), STYLES)
async def test_every_style_of_every_value_arrives(
    location: str, style: str, explode: bool, dialect: DialectName
) -> None:
    declared = {"name": "color", "in": location, "style": style, "explode": explode, "schema": {}}
    arrived = await of_parameter(declared, *VALUES, dialect=dialect)
    assert arrived == [expected(location, text) for text in STYLES[location, style, explode]]


async def of_parameter(declared: dict[str, Any], *values: Any, dialect: DialectName = "3.2") -> list[Sent | None]:
    is_in_path = declared["in"] == "path"
    operation = {"parameters": [declared | {"name": "color", "required": is_in_path}]}
    path = "/x/{color}" if is_in_path else "/x"
    return await received(operation, [{"color": value} for value in values], path=path, dialect=dialect)


@pytest.mark.parametrize("location", ["query", "header", "cookie", "querystring"])
async def test_what_is_not_given_is_not_sent(location: str) -> None:
    schema = {"content": {"application/json": {}}} if location == "querystring" else {"schema": {}}
    operation = {"parameters": [{"name": "color", "in": location, **schema}]}
    assert await received(operation, [{}]) == [Sent("GET /x HTTP/1.1", (), b"")]


RESERVED = ":/?#[]@!$&'()*+,;=%41%"


@pytest.mark.parametrize(
    ("declared", "value", "text"),
    [
        ({"in": "path", "allowReserved": True}, RESERVED, ":%2F%3F%23%5B%5D@!$&'()*+,;=%41%25"),
        ({"in": "query", "allowReserved": True}, RESERVED, "color=:/?%23%5B%5D@!$%26'()*%2B,;%3D%41%25"),
        ({"in": "query", "allowReserved": True}, ["a/b", "c,d"], "color=a/b&color=c,d"),
        ({"in": "query", "allowReserved": True, "explode": False}, ["a/b", "c,d"], "color=a/b,c%2Cd"),
        ({"in": "query", "allowReserved": True, "style": "deepObject"}, {"a": "b/c"}, "color%5Ba%5D=b/c"),
        ({"in": "query", "allowReserved": True, "style": "pipeDelimited", "explode": False}, ["/", ":"], "color=/%7C:"),
        ({"in": "cookie", "allowReserved": True}, RESERVED, "color=:/?#[]@!$&'()*+%2C%3B=%41%25"),
        ({"in": "query", "allowEmptyValue": True}, "", "color="),
        ({"in": "query", "allowEmptyValue": True}, [], "color="),
        ({"in": "query", "allowEmptyValue": True, "explode": False}, {}, "color="),
        ({"in": "query", "content": {"application/json": {}}}, {"a": [None]}, "color=%7B%22a%22%3A%5Bnull%5D%7D"),
        ({"in": "path", "content": {"application/json": {}}}, [True], "%5Btrue%5D"),
        ({"in": "header", "content": {"application/json": {}}}, {"a": "b,c"}, '{"a":"b,c"}'),
        ({"in": "cookie", "content": {"application/json": {}}}, {"a": 1}, "color=%7B%22a%22%3A1%7D"),
        ({"in": "querystring", "content": {"application/json": {}}}, {"a": 1}, "%7B%22a%22%3A1%7D"),
        (
            {"in": "querystring", "content": {"application/x-www-form-urlencoded": {}}},
            {"a": "b c", "d": [1, 2]},
            "a=b+c&d=1&d=2",
        ),
    ],
)  # fmt: skip
async def test_reserved_empty_and_content_arrive_as_declared(declared: dict[str, Any], value: Any, text: str) -> None:
    has_content = "content" in declared
    assert await of_parameter(declared if has_content else declared | {"schema": {}}, value) == [
        expected(declared["in"], text)
    ]


LIST = ["a,b", "c"]
COLLECTIONS: dict[tuple[str, str], str] = {
    ("query", "csv"): "color=a%2Cb,c", ("query", "ssv"): "color=a%2Cb%20c", ("query", "tsv"): "color=a%2Cb%09c",
    ("query", "pipes"): "color=a%2Cb%7Cc", ("query", "multi"): "color=a%2Cb&color=c",
    ("path", "csv"): "a%2Cb,c", ("path", "ssv"): "a%2Cb%20c", ("path", "pipes"): "a%2Cb%7Cc",
    ("path", "tsv"): "a%2Cb%09c",
    ("header", "csv"): REFUSED, ("header", "ssv"): "a,b c", ("header", "pipes"): "a,b|c", ("header", "tsv"): "a,b\tc",
    ("formData", "csv"): "color=a%2Cb,c", ("formData", "ssv"): "color=a%2Cb%20c",
    ("formData", "tsv"): "color=a%2Cb%09c", ("formData", "pipes"): "color=a%2Cb%7Cc",
    ("formData", "multi"): "color=a%2Cb&color=c",
}  # fmt: skip


@pytest.mark.parametrize(("location", "collection"), COLLECTIONS)
async def test_every_collection_format_of_swagger_2_arrives(location: str, collection: str) -> None:
    items = {"type": "array", "items": {"type": "string"}, "collectionFormat": collection}
    text = COLLECTIONS[location, collection]
    [arrived] = await of_parameter({"in": location, **items}, LIST, dialect="2.0")
    if location == "formData":
        assert arrived is not None
        assert arrived.body.decode() == text
        assert arrived.headers[0] == "content-type: application/x-www-form-urlencoded"
    else:
        assert arrived == expected(location, text)


@pytest.mark.parametrize("items", [{"type": "file"}, {"type": "string", "format": "binary"}])
@pytest.mark.parametrize("collection", ["csv", "pipes", "multi"])
async def test_a_list_of_files_of_swagger_2_is_a_part_with_name_and_bytes_for_each(
    items: dict[str, str], collection: str
) -> None:
    files = {"name": "f", "in": "formData", "type": "array", "items": items, "collectionFormat": collection}
    operation = {"consumes": ["multipart/form-data"], "parameters": [files]}
    given = {"f": ["aGVsbG8=", "data:text/plain;name=b.txt;base64,d29ybGQ="]}
    [arrived] = await received(operation, [given], dialect="2.0")
    assert arrived is not None
    head = b'--B\r\nContent-Disposition: form-data; name="f"; filename='
    assert with_short_boundary(arrived).body == (
        head + b'"f"\r\nContent-Type: application/octet-stream\r\n\r\nhello\r\n'
        + head + b'"b.txt"\r\nContent-Type: text/plain\r\n\r\nworld\r\n--B--\r\n'
    )  # fmt: skip


FORM = "application/x-www-form-urlencoded"
OBJECT = {"type": "object", "properties": {"a": {}}, "additionalProperties": False}
FILE = {"type": "object", "properties": {"a": {"type": "string", "format": "binary"}}, "additionalProperties": False}
TEXT = {"type": "string"}
DEEP = {"a": {"style": "deepObject", "explode": True}}
BODIES: list[tuple[str, dict[str, Any], dict[str, Any], str, bytes]] = [
    ("application/json", {"schema": OBJECT}, {"a": [None, "é"]}, "application/json", b'{"a":[null,"\xc3\xa9"]}'),
    ("application/merge-patch+json", {"schema": OBJECT}, {"a": None}, "application/merge-patch+json", b'{"a":null}'),
    ("application/json", {"schema": {"type": "array"}}, {"body": [[], {}]}, "application/json", b"[[],{}]"),
    (FORM, {"schema": OBJECT}, {"a": "b c&d=e"}, FORM, b"a=b+c%26d%3De"),
    (FORM, {"schema": OBJECT}, {"a": ["x", {"y": 1}]}, FORM, b"a=x&a=%7B%22y%22%3A1%7D"),
    (FORM, {"schema": OBJECT, "encoding": DEEP}, {"a": {"b": {"c": 1}, "d": [2, 3]}}, FORM,
     b"a%5Bb%5D%5Bc%5D=1&a%5Bd%5D%5B%5D=2&a%5Bd%5D%5B%5D=3"),
    (FORM, {"schema": OBJECT, "encoding": {"a": {"explode": False}}}, {"a": ["x", "y"]}, FORM, b"a=x,y"),
    (FORM, {"schema": OBJECT, "encoding": {"a": {"contentType": "application/json"}}}, {"a": "b"}, FORM, b"a=%22b%22"),
    ("text/plain", {"schema": TEXT}, {"body": "é"}, "text/plain; charset=utf-8", "é".encode()),
    ("text/csv; charset=iso-8859-1", {"schema": TEXT}, {"body": "é"}, "text/csv; charset=iso-8859-1", b"\xe9"),
    ("application/octet-stream", {}, {"body": "AP+A"}, "application/octet-stream", b"\x00\xff\x80"),
    ("image/*", {}, {"body": "data:image/gif;base64,AP+A"}, "image/gif", b"\x00\xff\x80"),
    ("application/xml", {"schema": OBJECT | {"xml": {"name": "x"}}}, {"body": {"a": "<"}}, "application/xml",
     b'<?xml version="1.0" encoding="UTF-8"?>\n<x><a>&lt;</a></x>'),
    ("application/xml", {"schema": TEXT}, {"body": "<y/>"}, "application/xml", b"<y/>"),
    ("application/jsonl", {"itemSchema": OBJECT}, {"body": [{"a": 1}, {}]}, "application/jsonl", b'{"a":1}\n{}\n'),
    ("application/json-seq", {"itemSchema": {}}, {"body": [1, "a"]}, "application/json-seq", b'\x1e1\n\x1e"a"\n'),
    ("application/x-ndjson", {"schema": {"type": "array"}}, {"body": [1]}, "application/x-ndjson", b"1\n"),
    ("multipart/form-data", {"schema": FILE}, {"a": "data:image/png;name=c.png;base64,AP+A"}, "multipart/form-data; B",
     (b'--B\r\nContent-Disposition: form-data; name="a"; filename="c.png"\r\nContent-Type: image/png\r\n\r\n'
      b"\x00\xff\x80\r\n--B--\r\n")),
    ("multipart/mixed", {"itemSchema": OBJECT}, {"body": [{"a": 1}]}, "multipart/mixed; B",
     b'--B\r\nContent-Type: application/json\r\n\r\n{"a":1}\r\n--B--\r\n'),
    ("multipart/related", {"schema": {"type": "object", "properties": {"a": {"type": "object"}}}}, {"a": {"b": 1}},
     'multipart/related; type="application/json"; B',
     (b'--B\r\nContent-Disposition: form-data; name="a"\r\nContent-Type: application/json\r\n\r\n{"b":1}\r\n'
      b"--B--\r\n")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "declared", "values", "content_type", "body"),
    BODIES,
    ids=[f"{n}-{each[0]}" for n, each in enumerate(BODIES)],
)
async def test_every_kind_of_body_arrives(
    name: str, declared: dict[str, Any], values: dict[str, Any], content_type: str, body: bytes
) -> None:
    [arrived] = await received({"requestBody": {"required": True, "content": {name: declared}}}, [values])
    assert arrived is not None
    assert with_short_boundary(arrived) == Sent(
        "POST /x HTTP/1.1", (f"content-type: {content_type}", f"Content-Length: {len(arrived.body)}"), body
    )


def with_short_boundary(arrived: Sent) -> Sent:
    """The boundary as ``B``: it is a hash of the parts."""
    boundary = arrived.headers[0].partition("boundary=")[2]
    if not boundary:
        return arrived
    first = arrived.headers[0].replace(f"boundary={boundary}", "B")
    return Sent(arrived.line, (first, *arrived.headers[1:]), arrived.body.replace(boundary.encode(), b"B"))
