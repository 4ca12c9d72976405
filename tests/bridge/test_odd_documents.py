"""Odd but legal documents, each with a call and the request that the specifications want: OpenAPI 2.0 to 3.2, JSON
Schema 2020-12, RFC 6570, 7578, 3986 and 6265. Many rows are what clients made of documents get wrong."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from documents import described, ref
from openapi_mcp_server.bridge import request
from openapi_mcp_server.bridge.arguments.check import check
from openapi_mcp_server.bridge.catalog import ApiSource, build
from openapi_mcp_server.bridge.origins import base_url
from openapi_mcp_server.errors import ArgumentError

Document = dict[str, Any]
TEXT, INT, NUM, FLAG, OBJ = ({"type": each} for each in ("string", "integer", "number", "boolean", "object"))
LIST = {"type": "array"}
TEXTS, NUMBERS = {**LIST, "items": TEXT}, {**LIST, "items": INT}
FILE = {"type": "string", "format": "binary"}
JSON, FORM, MULTI, XML = "application/json", "application/x-www-form-urlencoded", "multipart/form-data", "text/xml"


def document(path: str, operation: dict[str, Any], *, dialect: Any, method: str = "post", **root: Any) -> Document:
    named = {"definitions": root.pop("schemas")} if dialect == "2.0" and "schemas" in root else {}
    if "schemas" in root:
        named = {"components": {"schemas": root.pop("schemas")}}
    operation = {"operationId": "op", "responses": {"200": {"description": ""}}, **operation}
    return {"dialect": dialect, "paths": {path: {method: operation}}, **named, **root}


def p(schema: Any, place: str = "query", path: str = "/x", dialect: str = "3.1", **more: Any) -> Document:
    """One parameter ``v``."""
    own = {"name": "v", "in": place, **({"required": True} if place == "path" else {}), **more}
    own |= schema if dialect == "2.0" else {"schema": schema} if schema is not None else {}
    return document(path, {"parameters": [own]}, dialect=dialect, method="get")


def b(schema: Any, media: str = JSON, dialect: str = "3.1", encoding: Any = None, **root: Any) -> Document:
    """A body."""
    content = {media: {"schema": schema, **({"encoding": encoding} if encoding else {})}}
    return document("/x", {"requestBody": {"required": True, "content": content}}, dialect=dialect, **root)


def v(schema: Any, media: str = JSON, **more: Any) -> Document:
    """A body of one property ``v``."""
    encoding = {"v": more.pop("of")} if "of" in more else None
    return b({**OBJ, "xml": {"name": "r"}, "properties": {"v": schema}}, media, encoding=encoding, **more)


def old(*parameters: dict[str, Any], consumes: str = "", **root: Any) -> Document:
    """Swagger 2.0."""
    operation: dict[str, Any] = {"parameters": [*parameters], **({"consumes": [consumes]} if consumes else {})}
    return document("/x", operation, dialect="2.0", **root)


def of(place: str, **more: Any) -> dict[str, Any]:
    return {"name": "v", "in": place, **TEXT, **more}


def sent(made: Document, arguments: Any) -> str:
    """Method, target, headers but Accept, and body, without the boundary's hash."""
    description = described(made["paths"], **{key: value for key, value in made.items() if key != "paths"})
    catalog = build([ApiSource(name="api", base=base_url("https://api.example.com"), description=description)])
    tool = catalog.tools["op"]
    checked = check(tool, msgspec.Raw(msgspec.json.encode(arguments)))
    asked = request.build(tool, checked.values, checked.others)
    told = [f"{name}: {value}" for name, value in asked.headers if name != "accept"]
    whole = " | ".join([f"{asked.method} {asked.target}", *told])
    whole += "" if asked.body is None else f" | {asked.body.decode('utf-8', 'backslashreplace')}"
    return re.sub(r"; boundary=\w+", "", re.sub(r"--[0-9a-f]{40}", "--B", whole)).replace("\r\n", "¶")


def part(name: str, value: str, *lines: str, file: str = "") -> str:
    named = f'name="{name}"' + (f'; filename="{file}"' if file else "")
    return "¶".join([f"--BContent-Disposition: form-data; {named}".replace("--B", "--B¶"), *lines, "", value, ""])


def multi(*parts: str, media: str = MULTI) -> str:
    return f"POST /x | content-type: {media} | " + "".join(parts) + "--B--¶"


def body(text: str, media: str = JSON) -> str:
    return f"POST /x | content-type: {media} | {text}"


OCTETS = "Content-Type: application/octet-stream"
RGB = {"R": "100", "G": "200"}
DECLARED = '<?xml version="1.0" encoding="UTF-8"?>\n'
TREE = {"T": {**OBJ, "properties": {"n": INT, "c": {**LIST, "items": ref("T")}}}}
UPLOAD = {**OBJ, "properties": {"g": FILE}, "required": ["g"]}
EITHER = {"type": "string", "format": "int-or-string"}
HOLDER = {"A": {**OBJ, "properties": {"k": {"$ref": "#/components/schemas/A/$defs/n"}}, "$defs": {"n": INT}}}
SENT: list[tuple[Document, Any, str]] = [
    # Query parameters
    (p({**LIST, "items": TEXT}, style="form"), {"v": ["a", "b"]}, "GET /x?v=a&v=b"),
    (p(TEXTS, explode=False), {"v": ["a,b", "c"]}, "GET /x?v=a%2Cb,c"),
    (p(TEXTS, style="pipeDelimited"), {"v": ["a", "b"]}, "GET /x?v=a%7Cb"),  # explode is false by default
    (p(TEXTS, style="spaceDelimited"), {"v": ["a", "b"]}, "GET /x?v=a%20b"),
    (p(TEXTS, style="pipeDelimited", explode=True), {"v": ["a", "b"]}, "GET /x?v=a&v=b"),
    (p(OBJ), {"v": RGB}, "GET /x?R=100&G=200"),
    (p(OBJ, explode=False), {"v": RGB}, "GET /x?v=R,100,G,200"),
    (p(OBJ, style="deepObject", explode=True), {"v": RGB}, "GET /x?v%5BR%5D=100&v%5BG%5D=200"),
    (p(OBJ, style="deepObject"), {"v": {"a": {"b": [1, 2]}}}, "GET /x?v%5Ba%5D%5Bb%5D%5B%5D=1&v%5Ba%5D%5Bb%5D%5B%5D=2"),
    (
        p(OBJ, style="deepObject"),
        {"v": {"a": [{"x": 1}, {"x": 2}]}},
        "GET /x?v%5Ba%5D%5B0%5D%5Bx%5D=1&v%5Ba%5D%5B1%5D%5Bx%5D=2",
    ),
    (
        p({**OBJ, "properties": {"page": INT, "sort": TEXTS}}),
        {"v": {"page": 0, "sort": ["a,desc", "b"]}},
        "GET /x?page=0&sort=a%2Cdesc&sort=b",
    ),
    (p(TEXTS), {"v": []}, "GET /x"),
    (p(TEXT), {"v": ""}, "GET /x?v="),
    (p(TEXT), {"v": None}, "GET /x"),
    (p(TEXT), {}, "GET /x"),
    (p({**INT, "default": 10}), {}, "GET /x"),
    (p(FLAG), {"v": True}, "GET /x?v=true"),
    (p(FLAG), {"v": "false"}, "GET /x?v=false"),
    (p(INT), {"v": 12.0}, "GET /x?v=12"),
    (p(INT), {"v": "12"}, "GET /x?v=12"),
    (p(NUMBERS), {"v": "[1,2]"}, "GET /x?v=1&v=2"),
    (p({"anyOf": [INT, TEXT]}), {"v": "5"}, "GET /x?v=5"),
    (p({**INT, "enum": [1, 2]}), {"v": "2"}, "GET /x?v=2"),
    (p({**TEXT, "nullable": True, "enum": ["a"]}, dialect="3.0"), {"v": None}, "GET /x"),
    (p({**LIST}), {"v": [1, None, "x"]}, "GET /x?v=1&v=null&v=x"),
    (p({**LIST}), {"v": [[1, 2], [3]]}, "GET /x?v=%5B1%2C2%5D&v=%5B3%5D"),
    (p(TEXT), {"v": "a b&c=d+é/?#[]"}, "GET /x?v=a%20b%26c%3Dd%2B%C3%A9%2F%3F%23%5B%5D"),
    (p(TEXT), {"v": "100%"}, "GET /x?v=100%25"),
    (p(TEXT), {"v": "%41"}, "GET /x?v=%2541"),
    (p(TEXT, allowReserved=True), {"v": "a/b?c=d&e#f%20"}, "GET /x?v=a/b?c%3Dd%26e%23f%20"),
    (
        p({**TEXT, "format": "date-time"}),
        {"v": "2024-01-01T00:00:00+02:00"},
        "GET /x?v=2024-01-01T00%3A00%3A00%2B02%3A00",
    ),
    (p({**TEXT, "format": "uuid"}), {"v": "no uuid"}, "GET /x?v=no%20uuid"),
    (p({**TEXT, "pattern": "^(?=.*a).*$"}), {"v": "b"}, "GET /x?v=b"),
    (p(TEXT, allowEmptyValue=True), {"v": ""}, "GET /x?v="),
    (
        p(None, content={JSON: {"schema": OBJ}}),
        {"v": {"a": [1, "é"]}},
        "GET /x?v=%7B%22a%22%3A%5B1%2C%22%C3%A9%22%5D%7D",
    ),
    (p(None, content={"text/csv": {"schema": TEXT}}), {"v": "1,2"}, "GET /x?v=1%2C2"),
    (
        document(
            "/x", {"parameters": [{"name": "filter[a]", "in": "query", "schema": TEXT}]}, dialect="3.0", method="get"
        ),
        {"filter_a": "1"},
        "GET /x?filter%5Ba%5D=1",
    ),
    (
        document(
            "/x", {"parameters": [{"name": "ids[]", "in": "query", "schema": TEXTS}]}, dialect="3.0", method="get"
        ),
        {"ids": ["1", "2"]},
        "GET /x?ids%5B%5D=1&ids%5B%5D=2",
    ),
    (
        document("/x", {"parameters": [{"name": "$top", "in": "query", "schema": INT}]}, dialect="3.0", method="get"),
        {"top": 5},
        "GET /x?%24top=5",
    ),
    (document("/x?action=go&n={n}", {}, dialect="3.0", method="get"), {"n": "a b"}, "GET /x?action=go&n=a%20b"),
    (
        p(None, "querystring", dialect="3.2", content={JSON: {"schema": OBJ}}),
        {"v": {"a": 1}},
        "GET /x?%7B%22a%22%3A1%7D",
    ),
    (
        p(None, "querystring", dialect="3.2", content={FORM: {"schema": OBJ}}),
        {"v": {"a": "x y", "b": [1, 2]}},
        "GET /x?a=x+y&b=1&b=2",
    ),
    (
        p(None, "querystring", dialect="3.2", content={"application/jsonpath": {"schema": TEXT}}),
        {"v": "$.a[1:2]"},
        "GET /x?%24.a%5B1%3A2%5D",
    ),
    # Path parameters
    (p(TEXT, "path", "/x/{v}"), {"v": "a/b c"}, "GET /x/a%2Fb%20c"),
    (p(TEXT, "path", "/{v}/{v}/d/"), {"v": "a"}, "GET /a/a/d/"),
    (p(TEXT, "path", "/x/{v}:cancel"), {"v": "a:b"}, "GET /x/a%3Ab:cancel"),
    (p(TEXT, "path", "/Products('{v}')/Rate()"), {"v": "O'Neil"}, "GET /Products('O%27Neil')/Rate()"),
    (p(TEXT, "path", "/a b/é/{v}"), {"v": "1"}, "GET /a%20b/%C3%A9/1"),
    (p(NUMBERS, "path", "/x/{v}"), {"v": [1, 2]}, "GET /x/1,2"),
    (p(NUMBERS, "path", "/x{v}", style="matrix", explode=True), {"v": [1, 2]}, "GET /x;v=1;v=2"),
    (p(NUMBERS, "path", "/x{v}", style="matrix"), {"v": [1, 2]}, "GET /x;v=1,2"),
    (p(OBJ, "path", "/x{v}", style="label", explode=True), {"v": RGB}, "GET /x.R=100.G=200"),
    (p(OBJ, "path", "/x/{v}"), {"v": RGB}, "GET /x/R,100,G,200"),
    (p(OBJ, "path", "/x/{v}", explode=True), {"v": RGB}, "GET /x/R=100,G=200"),
    (p(TEXT, "path", "/x/{+v}"), {"v": "a/b/c"}, "GET /x/a/b/c"),
    (p(INT, "path", "/x/{v}"), {"v": "7"}, "GET /x/7"),
    (document("/x/{id}", {}, dialect="3.0", method="get"), {"id": "z"}, "GET /x/z"),  # declared nowhere
    (document("/x#one", {}, dialect="3.0", method="get"), {}, "GET /x"),
    # Headers and cookies
    (p(NUMBERS, "header"), {"v": [1, 2]}, "GET /x | v: 1,2"),
    (p(OBJ, "header", explode=True), {"v": RGB}, "GET /x | v: R=100,G=200"),
    (p(OBJ, "header"), {"v": RGB}, "GET /x | v: R,100,G,200"),
    (p(FLAG, "header"), {"v": True}, "GET /x | v: true"),
    (p(TEXTS, "header"), {"v": ['"a,b"', "c"]}, 'GET /x | v: "a,b",c'),
    (p(TEXT, "header"), {"v": "a b; q=1"}, "GET /x | v: a b; q=1"),
    (p(None, "header", content={JSON: {"schema": OBJ}}), {"v": {"a": [1, "é"]}}, 'GET /x | v: {"a":[1,"\\u00e9"]}'),
    (p(TEXT, "cookie"), {"v": "1;2é"}, "GET /x | cookie: v=1%3B2%C3%A9"),
    (p(TEXTS, "cookie"), {"v": ["a", "b"]}, "GET /x | cookie: v=a; v=b"),
    (p(OBJ, "cookie", explode=False), {"v": RGB}, "GET /x | cookie: v=R,100,G,200"),
    (p(TEXT, "cookie", dialect="3.2", style="cookie"), {"v": "a%20b"}, "GET /x | cookie: v=a%20b"),
    # Bodies of JSON
    (b(TEXT), {"body": "true"}, body('"true"')),
    (b(TEXT), {"body": ""}, body('""')),
    (b(INT), {"body": 5}, body("5")),
    (b(FLAG), {"body": False}, body("false")),
    (b({"type": "null"}), {"body": None}, body("null")),
    (b(NUMBERS), {"body": [1, 2]}, body("[1,2]")),
    (b({}), {"body": {"z": 1}}, body('{"z":1}')),
    (
        b({**OBJ, "properties": {"a": TEXT}}, "application/vnd.x.v1+json"),
        {"a": "1"},
        body('{"a":"1"}', "application/vnd.x.v1+json"),
    ),
    (b({**OBJ, "properties": {"a": TEXT}}, "*/*"), {"a": "1"}, body('{"a":"1"}')),
    (
        b({**LIST, "items": OBJ}, "application/json-patch+json"),
        {"body": [{"op": "remove", "path": "/a"}]},
        body('[{"op":"remove","path":"/a"}]', "application/json-patch+json"),
    ),
    (v({**TEXT, "nullable": True}, dialect="3.0"), {"v": None}, body('{"v":null}')),
    (v({"anyOf": [TEXT, {"type": "null"}]}), {"v": None}, body('{"v":null}')),
    (v({"type": ["string", "integer"]}), {"v": 5}, body('{"v":5}')),
    (v({**INT, "format": "int64"}), {"v": "9007199254740993"}, body('{"v":9007199254740993}')),
    (v(FILE), {"v": "abc"}, body('{"v":"abc"}')),
    (v({**TEXT, "format": "byte"}), {"v": "YWJj"}, body('{"v":"YWJj"}')),
    (v({"enum": [1, "1", None, True]}), {"v": "1"}, body('{"v":"1"}')),
    (v({"const": {"a": 1}}), {"v": {"a": 1}}, body('{"v":{"a":1}}')),
    (v({**NUM, "multipleOf": 0.01}), {"v": 19.99}, body('{"v":19.99}')),
    (v({**TEXT, "maxLength": 1}), {"v": "😀"}, body('{"v":"😀"}')),
    (v({**TEXT, "pattern": "^\\p{L}+$"}), {"v": "é"}, body('{"v":"é"}')),
    (v({**LIST, "uniqueItems": True}), {"v": [1, True]}, body('{"v":[1,true]}')),
    (v({**LIST, "prefixItems": [INT, TEXT], "items": False}), {"v": [1, "a"]}, body('{"v":[1,"a"]}')),
    (v({**OBJ, "additionalProperties": INT}), {"v": {"a": 1}}, body('{"v":{"a":1}}')),
    (
        v({**OBJ, "patternProperties": {"^x-": INT}, "additionalProperties": False}),
        {"v": {"x-a": 1}},
        body('{"v":{"x-a":1}}'),
    ),
    (v({**OBJ, "properties": {"a": INT}}), {"v": '{"a":1}'}, body('{"v":{"a":1}}')),
    (
        v({**ref("A"), "minLength": 3}, dialect="3.0", schemas={"A": TEXT}),
        {"v": "ab"},
        body('{"v":"ab"}'),
    ),  # ignored beside $ref
    (v({"nullable": True, "allOf": [ref("A")]}, dialect="3.0", schemas={"A": OBJ}), {"v": None}, body('{"v":null}')),
    (v(ref("T"), schemas=TREE), {"v": {"c": [{"n": 1}]}}, body('{"v":{"c":[{"n":1}]}}')),
    (v({"$ref": "#/components/schemas/a~1b%20c"}, schemas={"a/b c": INT}), {"v": 1}, body('{"v":1}')),
    (v({"$ref": "#foo"}, schemas={"A": {"$anchor": "foo", **INT}}), {"v": 1}, body('{"v":1}')),
    (
        v(
            {
                "allOf": [
                    {**OBJ, "additionalProperties": False, "properties": {"a": TEXT}},
                    {**OBJ, "additionalProperties": False, "properties": {"b": TEXT}},
                ]
            }
        ),
        {"v": {"a": "1", "b": "2"}},
        body('{"v":{"a":"1","b":"2"}}'),
    ),
    (
        v(
            {"allOf": [ref("A")], "properties": {"b": TEXT}, "unevaluatedProperties": False},
            schemas={"A": {**OBJ, "properties": {"a": TEXT}}},
        ),
        {"v": {"a": "1", "b": "2"}},
        body('{"v":{"a":"1","b":"2"}}'),
    ),
    (
        v({"oneOf": [{**OBJ, "properties": {"a": TEXT}}, {**OBJ, "properties": {"b": TEXT}}]}),
        {"v": {"a": "1"}},
        body('{"v":{"a":"1"}}'),
    ),
    (
        b({**OBJ, "required": ["id", "n"], "properties": {"id": {**INT, "readOnly": True}, "n": TEXT}}),
        {"n": "x"},
        body('{"n":"x"}'),
    ),
    (
        b(
            {"allOf": [ref("E"), {"required": ["id", "n"]}]},
            schemas={"E": {**OBJ, "properties": {"id": {**INT, "readOnly": True}, "n": TEXT}}},
        ),
        {"n": "x"},
        body('{"n":"x"}'),
    ),
    (b({**OBJ, "required": ["p"], "properties": {"p": {**TEXT, "writeOnly": True}}}), {"p": "x"}, body('{"p":"x"}')),
    (
        document(
            "/x", {"requestBody": {"content": {JSON: {"schema": {**OBJ, "properties": {"a": TEXT}}}}}}, dialect="3.0"
        ),
        {},
        "POST /x",
    ),
    (
        document("/x", {"requestBody": {"content": {JSON: {}}}}, dialect="3.0", method="delete"),
        {"body": {"a": 1}},
        'DELETE /x | content-type: application/json | {"a":1}',
    ),
    (
        document(
            "/x",
            {"requestBody": {"content": {JSON: {"schema": {**OBJ, "properties": {"a": TEXT}}}}}},
            dialect="3.2",
            method="query",
        ),
        {"a": "1"},
        'QUERY /x | content-type: application/json | {"a":"1"}',
    ),
    (
        document(
            "/x",
            {
                "parameters": [{"name": "body", "in": "query", "schema": TEXT}],
                "requestBody": {"required": True, "content": {JSON: {"schema": NUMBERS}}},
            },
            dialect="3.0",
        ),
        {"body": [1], "body__query": "q"},
        "POST /x?body=q | content-type: application/json | [1]",
    ),
    (
        document(
            "/x/{id}",
            {
                "parameters": [
                    {"name": "id", "in": "path", "required": True, "schema": TEXT},
                    {"name": "id", "in": "query", "schema": TEXT},
                ]
            },
            dialect="3.0",
            method="get",
        ),
        {"id__path": "1", "id__query": "2"},
        "GET /x/1?id=2",
    ),
    *(
        (v({**OBJ, "properties": {"a": TEXT, "id": {**TEXT, "readOnly": True}}, **each}), {"v": {"a": "x"}}, only_a)
        for only_a in [body('{"v":{"a":"x"}}')]
        for each in ({"dependentRequired": {"a": ["id"]}}, {"dependencies": {"a": ["id"]}})
    ),
    (v({**LIST, "not": {"type": "boolean", "allOf": [LIST]}}), {"v": [1]}, body('{"v":[1]}')),
    # Other bodies
    (b(TEXT, "text/plain"), {"body": "true"}, body("true", "text/plain")),
    (b(TEXT, "text/csv"), {"body": "a,b\n1,2"}, body("a,b\n1,2", "text/csv")),
    (b(TEXTS, "text/plain"), {"body": ["a"]}, body('["a"]', "text/plain")),
    (b(FILE, "application/octet-stream"), {"body": "aGk="}, body("hi", "application/octet-stream")),
    (b({}, "application/pdf"), {"body": "aGk="}, body("hi", "application/pdf")),
    (b(FILE, "image/*"), {"body": "data:image/png;base64,aGk="}, body("hi", "image/png")),
    (
        b(OBJ, "application/x-ndjson"),
        {"body": [{"a": 1}, {"b": 2}]},
        body('{"a":1}\n{"b":2}\n', "application/x-ndjson"),
    ),
    (v(TEXT, FORM), {"v": "a b&c=é~*"}, body("v=a+b%26c%3D%C3%A9%7E*", FORM)),
    (v(TEXTS, FORM), {"v": ["x", "y"]}, body("v=x&v=y", FORM)),
    (v(TEXTS, FORM, of={"style": "form", "explode": False}), {"v": ["x", "y"]}, body("v=x,y", FORM)),
    (v(OBJ, FORM), {"v": {"k": [1]}}, body("v=%7B%22k%22%3A%5B1%5D%7D", FORM)),
    (
        v(OBJ, FORM, of={"style": "deepObject", "explode": True}),
        {"v": {"k": [1], "m": {"n": 0}}},
        body("v%5Bk%5D%5B%5D=1&v%5Bm%5D%5Bn%5D=0", FORM),
    ),
    (
        v({**LIST, "items": OBJ}, FORM),
        {"v": [{"a": 1}, {"b": 2}]},
        body("v=%7B%22a%22%3A1%7D&v=%7B%22b%22%3A2%7D", FORM),
    ),
    (v({"type": ["string", "null"]}, FORM), {"v": None}, body("v=", FORM)),
    (v(FILE, MULTI), {"v": "aGk="}, multi(part("v", "hi", OCTETS, file="v"))),
    (v(FILE, MULTI, of={"style": "form"}), {"v": "aGk="}, multi(part("v", "hi", OCTETS, file="v"))),
    (v(FILE, MULTI, dialect="3.0", of={"style": "form"}), {"v": "aGk="}, multi(part("v", "hi", OCTETS, file="v"))),
    (
        v({**LIST, "items": FILE}, MULTI, dialect="3.0", of={"style": "form"}),
        {"v": ["aGk=", "aGk="]},
        multi(part("v", "hi", OCTETS, file="v"), part("v", "hi", OCTETS, file="v")),
    ),
    (v(TEXT, MULTI, of={"style": "form"}), {"v": "x"}, multi(part("v", "x"))),
    (
        v(FILE, MULTI),
        {"v": "data:image/png;name=a%20b.png;base64,aGk="},
        multi(part("v", "hi", "Content-Type: image/png", file="a b.png")),
    ),
    (
        v(FILE, MULTI, of={"contentType": "image/png, image/jpeg"}),
        {"v": "aGk="},
        multi(part("v", "hi", "Content-Type: image/png", file="v")),
    ),
    (
        v({"contentMediaType": "application/octet-stream", **TEXT}, MULTI),
        {"v": "aGk="},
        multi(part("v", "hi", OCTETS, file="v")),
    ),
    (v(OBJ, MULTI), {"v": {"a": 1}}, multi(part("v", '{"a":1}', "Content-Type: application/json"))),
    (
        v({**LIST, "items": OBJ}, MULTI),
        {"v": [{"a": 1}, {"b": 2}]},
        multi(
            part("v", '{"a":1}', "Content-Type: application/json"),
            part("v", '{"b":2}', "Content-Type: application/json"),
        ),
    ),
    (v(TEXT, MULTI, of={"contentType": JSON}), {"v": "x"}, multi(part("v", '"x"', "Content-Type: application/json"))),
    (v(OBJ, MULTI, of={"style": "deepObject", "explode": True}), {"v": {"a": 1}}, multi(part("v[a]", "1"))),
    (v(FLAG, MULTI), {"v": True}, multi(part("v", "true"))),
    (v({"type": ["string", "null"]}, MULTI), {"v": None}, multi(part("v", ""))),
    (
        v(TEXT, MULTI, of={"headers": {"X-C": {"schema": {**TEXT, "enum": ["w"]}}}}),
        {"v": "x"},
        multi(part("v", "x", "X-C: w")),
    ),
    (
        b({**OBJ, "properties": {"m": OBJ}}, MULTI, encoding={"m": {"contentType": XML}}),
        {"m": {"x": "1"}},
        multi(part("m", f"{DECLARED}<m><x>1</x></m>", f"Content-Type: {XML}")),
    ),
    (
        v({**TEXT, "xml": {"attribute": True}}, XML),
        {"body": {"v": 'a"<'}},
        body(f'{DECLARED}<r v="a&quot;&lt;"></r>', XML),
    ),
    (
        v({**TEXTS, "xml": {"wrapped": True}}, XML),
        {"body": {"v": ["a"]}},
        body(f"{DECLARED}<r><v><v>a</v></v></r>", XML),
    ),
    (
        v({**LIST, "items": {**TEXT, "xml": {"name": "i"}}}, XML),
        {"body": {"v": ["a", "b"]}},
        body(f"{DECLARED}<r><i>a</i><i>b</i></r>", XML),
    ),
    (
        v({**TEXT, "xml": {"prefix": "p", "namespace": "urn:p"}}, XML),
        {"body": {"v": "a"}},
        body(f'{DECLARED}<r><p:v xmlns:p="urn:p">a</p:v></r>', XML),
    ),
    (
        v({**TEXT, "xml": {"nodeType": "text"}}, XML, dialect="3.2"),
        {"body": {"v": "a<"}},
        body(f"{DECLARED}<r>a&lt;</r>", XML),
    ),
    (v(TEXT, XML), {"body": "<a/>"}, body("<a/>", XML)),
    *(
        (v({**TEXT, "xml": {"attribute": True}}, name), {"body": {"v": "a"}}, body(f'{DECLARED}<r v="a"></r>', name))
        for name in ("text/xml; charset=utf-8", "application/soap+xml;action=x", "Application/XML")
    ),
    # Parts that only alternatives or `additionalProperties` describe
    (
        b({**OBJ, "additionalProperties": FILE}, MULTI),
        {"body": {"v": "aGk="}},
        multi(part("v", "hi", OCTETS, file="v")),
    ),
    (
        b({**OBJ, "additionalProperties": {**LIST, "items": FILE}}, MULTI),
        {"body": {"v": ["aGk=", "aGk="]}},
        multi(part("v", "hi", OCTETS, file="v"), part("v", "hi", OCTETS, file="v")),
    ),
    (b({**OBJ, "additionalProperties": {}}, MULTI), {"body": {"v": "aGk="}}, multi(part("v", "aGk="))),
    (b({**OBJ, "additionalProperties": TEXT}, MULTI), {"body": {"v": "aGk="}}, multi(part("v", "aGk="))),
    *(
        (
            b({each: [{**OBJ, "properties": {"f": FILE}, "required": ["f"]}, ref("A")]}, MULTI, schemas={"A": UPLOAD}),
            {"body": {name: "aGk="}},
            multi(part(name, "hi", line, file=name)),
        )
        for each in ("oneOf", "anyOf")
        for name, line in (("f", OCTETS), ("g", OCTETS))
    ),
    # Kubernetes
    (
        old({"name": "b", "in": "body", "schema": {**OBJ, "properties": {"port": EITHER}}}),
        {"port": 80},
        body('{"port":80}'),
    ),
    (
        old({"name": "b", "in": "body", "schema": {**OBJ, "properties": {"port": EITHER}}}),
        {"port": "80"},
        body('{"port":"80"}'),
    ),
    (p(EITHER, dialect="3.0"), {"v": 80}, "GET /x?v=80"),
    # Swagger 2.0
    (old(of("query", type="array", items=TEXT)), {"v": ["1", "2"]}, "POST /x?v=1,2"),
    (old(of("query", type="array", items=TEXT, collectionFormat="multi")), {"v": ["1", "2"]}, "POST /x?v=1&v=2"),
    (old(of("query", type="array", items=TEXT, collectionFormat="ssv")), {"v": ["1", "2"]}, "POST /x?v=1%202"),
    (old(of("query", type="array", items=TEXT, collectionFormat="tsv")), {"v": ["1", "2"]}, "POST /x?v=1%092"),
    (old(of("query", type="array", items=TEXT, collectionFormat="pipes")), {"v": ["1", "2"]}, "POST /x?v=1%7C2"),
    (
        old(of("query", type="array", collectionFormat="pipes", items={**NUMBERS, "collectionFormat": "csv"})),
        {"v": [[1, 2], [3]]},
        "POST /x?v=1,2%7C3",
    ),
    (old(of("header", type="array", items=INT, collectionFormat="pipes")), {"v": [1, 2]}, "POST /x | v: 1|2"),
    (old(of("query", allowEmptyValue=True)), {"v": ""}, "POST /x?v="),
    (old(of("formData")), {"v": "x y"}, body("v=x+y", FORM)),
    (old(of("formData", type="array", items=TEXT)), {"v": ["1", "2"]}, body("v=1,2", FORM)),
    (old(of("formData", type="array", items=TEXT), consumes=MULTI), {"v": ["1", "2"]}, multi(part("v", "1,2"))),
    (
        old(of("formData", type="array", items=TEXT, collectionFormat="multi"), consumes=MULTI),
        {"v": ["1", "2"]},
        multi(part("v", "1"), part("v", "2")),
    ),
    (old(of("formData", type="file")), {"v": "aGk="}, multi(part("v", "hi", OCTETS, file="v"))),
    (old({"name": "pet", "in": "body", "schema": TEXTS}), {"body": ["x"]}, body('["x"]')),
    (old({"name": "pet", "in": "body", "schema": TEXT}, consumes="text/plain"), {"body": "x"}, body("x", "text/plain")),
    (
        old({"name": "pet", "in": "body", "schema": {**OBJ, "properties": {"a": {**TEXT, "x-nullable": True}}}}),
        {"a": None},
        body('{"a":null}'),
    ),
    (
        old(
            {"name": "pet", "in": "body", "schema": {"$ref": "#/definitions/Pet"}},
            consumes="application/xml",
            schemas={"Pet": {**OBJ, "properties": {"a": INT}}},
        ),
        {"body": {"a": 1}},
        body(f"{DECLARED}<Pet><a>1</a></Pet>", "application/xml"),
    ),
]


@pytest.mark.parametrize(("made", "arguments", "wire"), SENT)
def test_the_request_is_the_one_that_the_specification_wants(made: Document, arguments: Any, wire: str) -> None:
    assert sent(made, arguments) == wire


REFUSED: list[tuple[Document, Any, str]] = [
    (p(INT), {"v": "012"}, '/v: expected integer, got "012"'),
    (p(FLAG), {"v": "yes"}, '/v: expected boolean, got "yes"'),
    (p({**TEXTS, "maxItems": 1}), {"v": ["a", "b"]}, "/v: expected at most 1 items"),
    (p({**TEXT, "pattern": "^a$"}), {"v": "a\n"}, "/v: expected text that matches ^a$"),
    (
        p({**NUM, "minimum": 0, "exclusiveMinimum": True}, dialect="3.0"),
        {"v": 0},
        "/v: expected a number above 0, got 0",
    ),
    (p(TEXT), {"w": "1"}, "/w: unknown; there are v"),
    (p(TEXT, "path", "/x/{v}"), {"v": ""}, "path parameter 'v': must not be empty"),
    (p(TEXT, "path", "/x/{v}"), {"v": "%2e%2e"}, "path parameter 'v': must not be or hold a dot segment"),
    (p(TEXT, "header"), {"v": "a\r\nb"}, "header parameter 'v': must be printable ASCII"),
    (p(TEXTS, "header"), {"v": ["a,b"]}, "header parameter 'v': 'a,b' holds ','"),
    (p(TEXTS, style="pipeDelimited"), {"v": ["a|b"]}, "query parameter 'v': 'a|b' holds '|'"),
    (p(TEXT, "cookie", dialect="3.2", style="cookie"), {"v": "a;b"}, "cookie parameter 'v': 'a;b' holds"),
    (b(FILE, "application/octet-stream"), {"body": "not base64!"}, "body: is no base64"),
    (b(FILE, "image/*"), {"body": "aGk="}, "body: give a data: URI with a media type"),
    (
        v({**LIST, "prefixItems": [INT, TEXT], "items": False}),
        {"v": [1, "a", 2]},
        "/v/2: expected nothing there, got 2",
    ),
    (
        v({**LIST, "items": [INT, TEXT], "additionalItems": False}, dialect="3.0"),
        {"v": [1, "a", 2]},
        "/v/2: expected nothing",
    ),
    (v({**LIST, "additionalItems": TEXT, "items": [INT]}), {"v": [1, {}]}, "/v/1: expected string, got {}"),
    (v({**LIST, "contains": {"const": 1}, "minContains": 2}), {"v": [1]}, "/v: expected certain items"),
    (v({**LIST, "uniqueItems": True}), {"v": [1, 1.0]}, "/v: expected items that all differ"),
    (v({**OBJ, "propertyNames": {"pattern": "^[a-z]+$"}}), {"v": {"A": 1}}, "/v: expected names of properties to be"),
    (v({**OBJ, "dependentRequired": {"a": ["b"]}}), {"v": {"a": 1}}, "/v/b: missing"),
    (v({**OBJ, "dependencies": {"a": ["b"], "c": {"required": ["d"]}}}), {"v": {"a": 1}}, "/v/b: missing"),
    (v({**OBJ, "dependencies": {"a": ["b"], "c": {"required": ["d"]}}}), {"v": {"c": 1}}, "/v/d: missing"),
    (v({**OBJ, "dependencies": {"c": ref("A")}}, schemas={"A": {"required": ["d"]}}), {"v": {"c": 1}}, "/v/d: missing"),
    (v({**OBJ, "if": {"required": ["k"]}, "then": {"required": ["n"]}}), {"v": {"k": 1}}, "/v/n: missing"),
    (v({**OBJ, "minProperties": 1}), {"v": {}}, "/v: expected at least 1 properties"),
    (v({"not": TEXT}), {"v": "x"}, "/v: expected anything but what fits"),
    (v({**ref("A"), "minLength": 3}, schemas={"A": TEXT}), {"v": "ab"}, "/v: expected at least 3 characters"),
    (v(ref("A"), schemas=HOLDER), {"v": {"k": "x"}}, '/v/k: expected integer, got "x"'),
    (
        v({**OBJ, "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}),
        {"v": {"a": 1, "b": 1}},
        "/v: expected what fits only",
    ),
    (old(of("query", type="array", items={**TEXT, "enum": ["a"]})), {"v": ["c"]}, '/v/0: expected one of "a"'),
    (old(of("query", type="array", items=TEXT, enum=["a"])), {"v": ["c"]}, '/v/0: expected one of "a"'),
    (p({**NUMBERS, "enum": [1, 2]}), {"v": [3]}, "/v/0: expected one of 1, 2"),
    (p({**TEXTS, "enum": [1.10, "b"]}), {"v": ["1"]}, '/v/0: expected one of "1.1", "b"'),
    (p({**LIST, "enum": ["a"]}), {"v": ["b"]}, '/v/0: expected one of "a"'),
    (p({**LIST, "items": {**TEXTS}, "enum": [["a"]]}), {"v": [["b"]]}, '/v: expected one of ["a"]'),
]


@pytest.mark.parametrize(("made", "arguments", "problem"), REFUSED)
def test_what_the_document_does_not_allow_is_refused_in_a_line(made: Document, arguments: Any, problem: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        sent(made, arguments)
    assert problem in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 2


BESIDE: list[Any] = [{"title": "Child"}, {"deprecated": True}, {"minProperties": 1}, {"examples": [{}]}]
AROUND: dict[str, Any] = {
    "property": lambda inner: {**OBJ, "properties": {"n": INT, "c": inner}},
    "item": lambda inner: {**OBJ, "properties": {"n": INT, "c": {**LIST, "items": inner}}},
    "part": lambda inner: {**OBJ, "properties": {"n": INT, "c": {"allOf": [inner]}}},
    "choice": lambda inner: {**OBJ, "properties": {"n": INT, "c": {"anyOf": [inner, {"type": "null"}]}}},
}


@pytest.mark.parametrize("beside", BESIDE)
@pytest.mark.parametrize("around", AROUND)
def test_a_schema_may_lead_to_itself_with_more_than_a_reference(beside: Any, around: str) -> None:
    schemas = {"N": AROUND[around]({**ref("N"), **beside})}
    inner = [{"n": 1}] if around == "item" else {"n": 1}
    wrong = [{"n": "x"}] if around == "item" else {"n": "x"}
    assert sent(v(ref("N"), schemas=schemas), {"v": {"c": inner}}).startswith("POST /x")
    with pytest.raises(ArgumentError, match="/v/c"):
        sent(v(ref("N"), schemas=schemas), {"v": {"c": wrong}})


def test_a_closed_part_of_a_schema_that_leads_to_itself_ends() -> None:
    closed = {**OBJ, "additionalProperties": False, "properties": {"a": INT}}
    again = {"allOf": [ref("N"), {**OBJ, "additionalProperties": False, "properties": {"b": INT}}]}
    schemas = {"N": {"allOf": [closed, {**OBJ, "properties": {"c": again, "d": again}}]}}
    assert sent(v(ref("N"), schemas=schemas), {"v": {"a": 1, "c": {"b": 1, "c": {"a": 2}}}}).startswith("POST /x")


def test_references_that_double_at_each_step_make_no_long_list() -> None:
    twice = {
        f"S{step}": {**OBJ, "properties": {name: {**ref(f"S{step + 1}"), "title": name} for name in "ab"}}
        for step in range(30)
    }
    made = v(ref("S0"), schemas={**twice, "S30": INT})
    description = described(made["paths"], dialect="3.1", components=made["components"])
    (tool,) = build([ApiSource(name="a", base=base_url("https://a.example"), description=description)]).tools.values()
    assert len(bytes(tool.entry)) < 40_000
