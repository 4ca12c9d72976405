"""Makers of inputs: each is a function of a random generator, whose seed names the input for ever."""

import random
from collections.abc import Callable
from typing import Any

import msgspec

TOOL = "getPet"
BASE_DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Fuzzed", "version": "1"},
    "servers": [{"url": "http://127.0.0.1:9"}],
    "paths": {
        "/pets/{id}": {
            "get": {
                "operationId": TOOL,
                "parameters": [
                    {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}},
                    {"name": "q", "in": "query", "schema": {"type": ["string", "integer", "array", "object"]}},
                    {"name": "X-Note", "in": "header", "schema": {"type": "string"}},
                ],
                "responses": {
                    "200": {"description": "ok", "content": {"application/json": {"schema": {"type": "object"}}}}
                },
            }
        }
    },
}
_TEXTS = (
    "", " ", "..", "../..", "%2e%2e", "%252e%252e%252f", "a/b", "a\\b", "?", "#", "&a=b", ";", "\0", "\r\nX: y",
    "\u202e",
    "\ud7ff", "😀", "null", "-0", "1e999", "__proto__", "{{7*7}}", "${jndi:x}", "' OR 1=1", "<script>", "a" * 5000,
    "http://169.254.169.254/", "file:///etc/passwd", "=?base64?Li4v?=",
)  # fmt: skip
_KEYS = (
    "$ref", "allOf", "anyOf", "oneOf", "not", "type", "properties", "items", "pattern", "enum", "default", "format",
    "required", "paths", "servers", "parameters", "schema", "in", "name", "content", "x-mcp", "x-mcp-scopes",
    "security",
    "additionalProperties", "$defs", "const", "example", "discriminator", "xml", "explode", "style", "tags", "get",
    "post",
)  # fmt: skip
_REFS = (
    "#", "#/", "#/paths", "#/paths/~1pets~1{id}/get", "#/components/schemas/A", "http://127.0.0.1:1/x", "//host/x",
    "file:///etc/passwd", "/etc/passwd", "../../../etc/passwd", "#/%", "#/~2", "",
)  # fmt: skip
_NAMES = "ABCDE"
_BODIES = (
    "application/json", "application/json", "application/x-www-form-urlencoded", "multipart/form-data",
    "application/xml",
)  # fmt: skip
_PATTERNS = ("(a+)+$", "(a|a)*b", "[", "(?<=a)b", "\\p{L}+", "^" + "a?" * 40 + "a" * 40 + "$", "(?#", "\\1")


def value(source: random.Random, depth: int = 3) -> Any:  # noqa: ANN401, PLR0911 - any JSON value
    """Any JSON value, with what is known to hurt more often than chance has it."""
    match source.randrange(9 if depth else 6):
        case 0:
            return source.choice(_TEXTS)
        case 1:
            return source.choice((None, True, False, 0, -1, 1.5, 2**53 + 1, 10**400, -(10**30), 1e308))
        case 2:
            return source.choice(_REFS)
        case 3:
            return source.choice(_PATTERNS)
        case 4:
            return source.choice(("object", "array", "string", "integer", "path", "query", "form", "deepObject", "get"))
        case 5:
            return "".join(chr(source.randrange(1, 0x3000)) for _ in range(source.randrange(20)))
        case 6:
            return [value(source, depth - 1) for _ in range(source.randrange(4))]
        case _:
            return {source.choice(_KEYS): value(source, depth - 1) for _ in range(source.randrange(5))}


def _encoded(found: Any) -> bytes:  # noqa: ANN401 - any JSON value
    return msgspec.json.encode(found)


def document(source: random.Random) -> bytes:
    """A document with some of its values replaced, or its text broken."""
    made = msgspec.json.decode(_encoded(BASE_DOCUMENT))
    for _ in range(source.randrange(1, 6)):
        _mutate(made, source)
    text = _encoded(made)
    return _broken(text, source) if source.random() < 0.15 else text


def _mutate(node: Any, source: random.Random) -> None:  # noqa: ANN401
    """Replaces, adds or takes away one value somewhere below."""
    while isinstance(node, dict | list) and node:
        key = source.choice(list(node) if isinstance(node, dict) else range(len(node)))
        if source.random() < 0.35 or not isinstance(node[key], dict | list):
            match source.randrange(3):
                case 0:
                    node[key] = value(source)
                case 1 if isinstance(node, dict):
                    node[source.choice(_KEYS)] = value(source)
                case _:
                    del node[key]
            return
        node = node[key]


def _broken(text: bytes, source: random.Random) -> bytes:
    at, piece = source.randrange(len(text) + 1), source.randbytes(source.randrange(4))
    return text[:at] + piece + text[at + source.randrange(8) :]


def schemas(source: random.Random) -> bytes:
    """A whole document whose schemas lead to themselves and to each other, closed against each other and combined."""
    named = {name: _schema(source, source.randrange(1, 4)) for name in _NAMES}
    paths = {f"/{name}": {"post": _posted(source, name)} for name in _NAMES[:3]}
    version = source.choice(("3.0.3", "3.1.0", "3.2.0"))
    return _encoded({**BASE_DOCUMENT, "openapi": version, "paths": paths, "components": {"schemas": named}})


def _posted(source: random.Random, name: str) -> dict[str, Any]:
    body = {source.choice(_BODIES): {"schema": {"$ref": f"#/components/schemas/{name}"}}}
    query = {"name": "q", "in": "query", "style": "deepObject", "schema": _schema(source, 1)}
    answer = {"description": "ok", "content": {"application/json": {"schema": _schema(source, 2)}}}
    return {"parameters": [query], "requestBody": {"content": body}, "responses": {"200": answer}}


def _schema(source: random.Random, depth: int) -> dict[str, Any]:
    """Legal keywords alone; what they say together is often impossible."""
    if not depth or source.random() < 0.25:
        beside: dict[str, Any] = source.choice(
            ({}, {}, {"description": "d"}, {"deprecated": True}, {"required": ["a"]}, {"default": {}})
        )
        return {"$ref": f"#/components/schemas/{source.choice(_NAMES)}", **beside}
    made: dict[str, Any] = {"type": source.choice(("object", "object", "object", "array", "string", "integer"))}

    def inner() -> dict[str, Any]:
        return _schema(source, depth - 1)

    makers: list[tuple[str, Callable[[], Any]]] = [
        ("properties", lambda: {source.choice("abcdef"): inner() for _ in range(2)}),
        *(
            (keyword, lambda: [inner() for _ in range(source.randrange(1, 4))])
            for keyword in ("allOf", "anyOf", "oneOf")
        ),
        ("additionalProperties", lambda: source.choice((False, False, inner()))),
        ("items", inner),
        ("not", inner),
        ("patternProperties", lambda: {"^a": inner()}),
        ("unevaluatedProperties", lambda: source.choice((False, inner()))),
        ("if", inner),
        ("then", inner),
        ("default", lambda: source.choice(({}, [], "x", None, 5, {"a": {"b": {}}}))),
        ("enum", lambda: source.choice(([1, 2], ["a"], [{}], [None], [[]]))),
        ("discriminator", lambda: {"propertyName": "a", "mapping": {"x": source.choice(_NAMES)}}),
        ("nullable", lambda: True),
        ("readOnly", lambda: True),
    ]
    for keyword, make in makers:
        if source.random() < 0.25:
            made[keyword] = make()
    return made


def arguments(source: random.Random) -> bytes:
    """Of a call, as JSON; sometimes not even that."""
    made = {name: value(source) for name in ("id", "q", "X-Note", "response_filter", "other") if source.random() < 0.5}
    text = _encoded(made)
    return _broken(text, source) if source.random() < 0.1 else text


def message(source: random.Random) -> bytes:
    """JSON-RPC, with anything in any of its places."""
    made: dict[str, Any] = {"jsonrpc": "2.0", "id": source.randrange(10**6), "method": _method(source)}
    made["params"] = source.choice((
        {}, {"name": TOOL, "arguments": {"id": "1"}}, {"name": value(source), "arguments": value(source)},
        {"uri": source.choice(_TEXTS)}, {"cursor": source.choice(_TEXTS)}, {"protocolVersion": "2025-11-25"},
        value(source),
        {"_meta": value(source), "requestId": 1},
    ))  # fmt: skip
    for _ in range(source.randrange(2)):
        made[source.choice(("jsonrpc", "id", "method", "params", "result"))] = value(source)
    text = _encoded([made] * source.randrange(4) if source.random() < 0.05 else made)
    return _broken(text, source) if source.random() < 0.2 else text


def _method(source: random.Random) -> str:
    return source.choice((
        "initialize", "ping", "tools/list", "tools/call", "prompts/list", "prompts/get", "resources/list",
        "resources/read", "completion/complete", "logging/setLevel", "server/discover", "notifications/cancelled",
        "notifications/initialized", "tools/nothing", "",
    ))  # fmt: skip


def http(source: random.Random) -> bytes:
    """The bytes of a request, or of something that looks like one."""
    body = message(source)
    method = source.choice(("POST", "POST", "POST", "GET", "DELETE", "OPTIONS", "PUT", "CONNECT", "G\x00T", "post"))
    path = source.choice(
        (
            "/mcp",
            "/mcp",
            "/mcp",
            "/sse",
            "/messages/w0/?session_id=x",
            "/health",
            "/%2e%2e/",
            "*",
            "//",
            "/mcp?access_token=x",
        )
    )
    fields = [("Host", source.choice(("localhost", "localhost", "evil.example", "", "a" * 300)))]
    fields.append(
        (
            "Content-Type",
            source.choice(("application/json", "application/json", "text/plain", "application/json; charset=utf-16")),
        )
    )
    fields.append(
        ("Content-Length", source.choice((str(len(body)), str(len(body)), "-1", "0", "99999999999", "1, 2", "x")))
    )
    extra = (
        ("Transfer-Encoding", "chunked"), ("Origin", "https://evil.example"), ("Origin", "null"),
        ("Authorization", "Bearer x"),
        ("Authorization", "Basic eDp4"), ("MCP-Protocol-Version", source.choice(_TEXTS[:6])), ("Mcp-Session-Id", "x"),
        ("X-Forwarded-For", "1.2.3.4"), ("Expect", "100-continue"), ("Content-Encoding", "gzip"),
        ("Accept", "text/event-stream"),
        ("Mcp-Name", "x"), ("Connection", "close"), ("X-Long", "a" * source.choice((10, 10_000, 70_000))),
    )  # fmt: skip
    fields += source.sample(extra, source.randrange(4))
    head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {text}\r\n" for name, text in fields)
    made = head.encode("latin-1", "replace") + b"\r\n" + body
    return _broken(made, source) if source.random() < 0.3 else made


def answer(source: random.Random) -> bytes:
    """The bytes that an API answers with."""
    body = source.choice((_encoded(value(source)), source.randbytes(200), b"", b"x" * 50_000, b"<html>" + b"&a;" * 50))
    status = source.choice(
        ("200 OK", "200 OK", "204 No Content", "304 Not Modified", "302 Found", "429 Slow", "500 No", "99 x", "abc")
    )
    kind = source.choice(
        ("application/json", "application/json", "text/html", "image/png", "text/event-stream", "x", "application/xml")
    )
    length = source.choice((str(len(body)), str(len(body)), str(len(body) + 10), "0", "-1", "x"))
    extra = source.choice(
        (
            "",
            "",
            "Content-Encoding: gzip\r\n",
            "Location: http://169.254.169.254/\r\n",
            "Retry-After: 1\r\n",
            "X: \0\r\n",
        )
    )
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{extra}Connection: close\r\n\r\n"
    made = head.encode() + body
    return _broken(made, source) if source.random() < 0.3 else made


MAKERS: dict[str, Callable[[random.Random], bytes]] = {
    "document": document,
    "schemas": schemas,
    "arguments": arguments,
    "message": message,
    "http": http,
    "sse": message,
    "answer": answer,
}


def made(kind: str, seed: int, number: int) -> bytes:
    """The input of this name."""
    return MAKERS[kind](random.Random(f"{seed}:{kind}:{number}"))
