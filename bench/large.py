"""An API with answers of 10 MB of each kind, its document, arguments of 4 MB, and small ones that take as long.

As a program it is that API, with answers of another size where one is given.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import trio

import measured

ARGUMENTS_BYTES = 3_900_000
ANSWER_BYTES = 10_000_000
SMALL_ITEMS = 1_000
"""Of three letters, these are the most arguments that are read on the event loop."""
_JSON, _TEXT, _XML, _CSV, _LINES = (
    "application/json",
    "text/plain",
    "application/xml",
    "text/csv",
    "application/x-ndjson",
)
_ROW: dict[str, Any] = {
    "id": 1,
    "name": "n" * 40,
    "nested": {"x": "x" * 40, "y": None},
    "tags": ["a", "b"],
    "text": "Lorem ipsum dolor sit amet " * 36,
}
_DENSE: dict[str, Any] = {"id": 12345, "name": "Rex", "tags": ["a", "b"], "price": 12.50, "owner": {"id": 7}}


def _rows(row: dict[str, Any], size: int) -> bytes:
    one = msgspec.json.encode(row)
    return b"[" + b",".join([one] * (size // (len(one) + 1))) + b"]"


def answers(size: int = ANSWER_BYTES) -> dict[str, tuple[str, bytes]]:
    """The API's answers by path."""
    text = b"Lorem ipsum dolor sit amet, consectetur adipiscing elit.\n"
    xml, csv = b"<pet><id>7</id><name>Rex</name></pet>", b"7,Rex,12.50,available\n"
    line = msgspec.json.encode(_DENSE) + b"\n"
    return {
        "/rows": (_JSON, _rows(_ROW, size)),
        "/dense": (_JSON, _rows(_DENSE, size)),
        "/spaced": (_JSON, msgspec.json.format(_rows(_ROW, int(size * 0.9)), indent=1)),
        "/string": (_JSON, b'"' + b"x" * size + b'"'),
        "/text": (_TEXT, text * (size // len(text))),
        "/umlauts": (_TEXT, "Grüße aus Köln, schöne Tage\n".encode() * (size // 32)),
        "/xml": (_XML, b"<pets>" + xml * (size // len(xml)) + b"</pets>"),
        "/csv": (_CSV, csv * (size // len(csv))),
        "/lines": (_LINES, line * (size // len(line))),
        "/picture": ("image/png", b"\x89PNG" + bytes(size)),
        "/medium": (_JSON, _rows(_DENSE, size // 10)),
        "/pets": (_JSON, measured.BODY),
    }


async def api(size: int = ANSWER_BYTES) -> None:
    """Says its port, answers each path with what `answers` has for it, and /slow after a second."""
    made = {
        path: b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b" % (kind.encode(), len(body), body)
        for path, (kind, body) in answers(size).items()
    }

    async def answer(stream: trio.SocketStream) -> None:
        received = bytearray()
        try:
            while data := await stream.receive_some():
                received += data
                head, found, body = received.partition(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
                if not found or len(body) < length:
                    continue
                received.clear()
                path = head.split(b" ", 2)[1].decode().partition("?")[0]
                if path == "/slow":
                    await trio.sleep(1.0)
                await stream.send_all(made.get(path, made["/pets"]))
        except trio.BrokenResourceError:
            pass

    async with trio.open_nursery() as nursery:
        serve = partial(trio.serve_tcp, answer, 0, host="127.0.0.1", backlog=2048)
        [listener] = await nursery.start(serve)
        print(listener.socket.getsockname()[1], flush=True)


def _get(path: str, kind: str, schema: dict[str, Any] | None) -> dict[str, Any]:
    media = {"schema": schema} if schema is not None else {}
    answer = {"200": {"description": "It", "content": {kind: media}}}
    return {"get": {"operationId": path.strip("/"), "responses": answer}}


def _post(name: str, kind: str, schema: dict[str, Any]) -> dict[str, Any]:
    body = {"required": True, "content": {kind: {"schema": schema}}}
    return {"post": {"operationId": name, "requestBody": body, "responses": {"200": {"description": "Done"}}}}


_OBJECT = {
    "type": "object",
    "required": ["id", "name"],
    "properties": {"id": {"type": "integer"}, "name": {"type": "string"}, "price": {"type": "number"}},
}
ROWS = {"type": "array", "items": _OBJECT}
_IN = {
    "objects": ROWS,
    "numbers": {"type": "array", "items": {"type": "number"}},
    "content": {"type": "string"},
    "deep": {},
}
_ODD = {
    "kinds": {"type": "array", "items": {"oneOf": [{"type": "object", "required": [f"of{n}"]} for n in range(50)]}},
    "codes": {"type": "array", "items": {"enum": [f"code {n}" for n in range(200)]}},
    "sizes": {"type": "array", "items": {"enum": [*range(200)]}},
}


def document() -> bytes:
    schemas: dict[str, dict[str, Any]] = {
        "/rows": ROWS,
        "/dense": ROWS,
        "/spaced": ROWS,
        "/medium": ROWS,
        "/string": {"type": "string"},
    }
    paths = {path: _get(path, kind, schemas.get(path)) for path, (kind, _) in answers(1_000).items() if path != "/pets"}
    paths["/slow"] = _get("slow", _JSON, {})
    pet = _get("getPet", _JSON, {"type": "object"})
    pet["get"]["parameters"] = [{"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}]
    paths["/pets/{id}"] = pet
    body = {"type": "object", "properties": _IN}
    kinds = {"sendJson": _JSON, "sendForm": "application/x-www-form-urlencoded", "sendParts": "multipart/form-data"}
    for name, kind in {**kinds, "sendXml": _XML}.items():
        paths[f"/{name}"] = _post(name, kind, body)
    paths["/sendOdd"] = _post("sendOdd", _JSON, {"type": "object", "properties": _ODD})
    paths["/sendText"] = _post("sendText", _TEXT, {"type": "string"})
    paths["/sendFile"] = _post("sendFile", "application/octet-stream", {"type": "string", "format": "binary"})
    return msgspec.json.encode({"openapi": "3.1.0", "info": {"title": "Steps", "version": "1"}, "paths": paths})


def message(tool: str, **arguments: Any) -> bytes:  # noqa: ANN401 - any JSON
    params = {"name": tool, "arguments": arguments}
    return msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})


def numbers(size: int = ARGUMENTS_BYTES) -> list[float]:
    return [0.12345678901234567] * (size // 20)


def objects(size: int = ARGUMENTS_BYTES) -> list[dict[str, Any]]:
    row = {"id": 7, "name": "n" * 180, "price": 12.5}
    return [row] * (size // (len(msgspec.json.encode(row)) + 1))


def deep(size: int = ARGUMENTS_BYTES) -> Any:  # noqa: ANN401 - any JSON
    value: Any = "x"
    for _ in range(80):
        value = {"a": [value]}
    return [value] * (size // len(msgspec.json.encode(value)))


def _text() -> bytes:
    return message("sendJson", content="x" * ARGUMENTS_BYTES)


def _names() -> bytes:
    """A call with as many members beside its arguments as there is room for."""
    many = b",".join(b'"%x":1' % number for number in range(ARGUMENTS_BYTES // 10))
    return message("getPet", id=7).replace(b'"params":{', b'"params":{%b,' % many)


_FILTER = "[].{id:id,name:name,x:nested.x}"
MESSAGES: dict[str, Callable[[], bytes]] = {
    **{f"answer {path[1:]}": partial(message, path[1:]) for path in answers(1_000) if path != "/pets"},
    "filter 10 MB": lambda: message("rows", response_filter=_FILTER),
    "filter 10 MB, first": lambda: message("rows", response_filter="[0].name"),
    "filter 10 MB, condition": lambda: message("rows", response_filter="[?id==`1` && nested.x=='b'].name"),
    "filter 1 MB": lambda: message("medium", response_filter="[].{id:id,name:name,x:owner.id}"),
    "filter 10 MB, too many": lambda: message("dense", response_filter=_FILTER),
    "arguments objects": lambda: message("sendJson", objects=objects()),
    "arguments numbers": lambda: message("sendJson", numbers=numbers()),
    "arguments text": _text,
    "arguments deep": lambda: message("sendJson", deep=deep()),
    "arguments wrong": lambda: message("sendJson", objects=[*objects(), {"id": "no"}]),
    "form objects": lambda: message("sendForm", objects=objects()),
    "form numbers": lambda: message("sendForm", numbers=numbers()),
    "parts objects": lambda: message("sendParts", objects=objects()),
    "parts numbers": lambda: message("sendParts", numbers=numbers(190_000)),
    "xml objects": lambda: message("sendXml", objects=objects()),
    "body text": lambda: message("sendText", body="x" * ARGUMENTS_BYTES),
    "body file": lambda: message("sendFile", body="QUJD" * (ARGUMENTS_BYTES // 4)),
    "few kB, no kind": lambda: message("sendOdd", kinds=[""] * SMALL_ITEMS),
    "few kB, no code": lambda: message("sendOdd", codes=[1] * SMALL_ITEMS),
    "few kB, no size": lambda: message("sendOdd", sizes=[0.5] * (SMALL_ITEMS - 1)),
    "few kB, one number": lambda: message("sendOdd", sizes=[msgspec.Raw(b"0." + b"1" * 4 * (SMALL_ITEMS - 10))]),
    "message of names": _names,
    "message that is not JSON": lambda: _text()[:-1],
    "message with half a pair": lambda: _text().replace(b'x"', b'\\ud800"'),
    "message with a name twice": lambda: _text()[:-1] + b',"jsonrpc":"2.0"}',
}
"""The largest of each kind, by what is large in them."""


if __name__ == "__main__":
    trio.run(partial(api, *map(int, sys.argv[1:])))
