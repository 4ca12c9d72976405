"""The pet shop as an ASGI application: routes, bodies, answers."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping
from importlib import resources
from typing import Any
from urllib.parse import parse_qs

import anyio

from openapi_mcp_server.demo.shop import Answer, Operation, PetShop, Problem, Request

MAX_BODY_BYTES = 2 * 1024 * 1024
MAX_WAIT_SECONDS = 50.0

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_ROUTES: tuple[tuple[str, re.Pattern[str], Operation], ...] = (
    ("GET", re.compile(r"/pets"), PetShop.list),
    ("POST", re.compile(r"/pets"), PetShop.create),
    ("GET", re.compile(r"/pets/search"), PetShop.search),
    ("GET", re.compile(r"/pets/(\d{1,9})"), PetShop.get),
    ("PUT", re.compile(r"/pets/(\d{1,9})"), PetShop.replace),
    ("PATCH", re.compile(r"/pets/(\d{1,9})"), PetShop.update),
    ("DELETE", re.compile(r"/pets/(\d{1,9})"), PetShop.delete),
    ("GET", re.compile(r"/pets/(\d{1,9})/picture"), PetShop.picture),
    ("POST", re.compile(r"/pets/(\d{1,9})/picture"), PetShop.upload),
    ("GET", re.compile(r"/failures/(\d{3})"), PetShop.fail),
)


def document() -> bytes:
    """The OpenAPI document of this API, YAML."""
    return resources.files(__package__).joinpath("openapi.yaml").read_bytes()


class DemoApp:
    """One shop behind ASGI. Also answers ``GET /openapi.yaml`` with its document, and ``GET /readyz``."""

    def __init__(self) -> None:
        self._shop = PetShop()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        try:
            answer = await self._answer(scope, await _body(receive))
        except Problem as problem:
            answer = problem.answer
        headers = [(b"content-length", str(len(answer.body)).encode())]
        if answer.status != 204:
            headers.append((b"content-type", answer.content_type.encode()))
        headers += [(name.encode(), value.encode()) for name, value in answer.headers]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, scope: MutableMapping[str, Any], body: bytes) -> Answer:
        method, path = scope["method"], scope["path"]
        query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if (method, path) == ("GET", "/slow"):
            return await _slow(query)
        if (method, path) == ("GET", "/openapi.yaml"):
            return Answer(content_type="application/yaml", body=document())
        if (method, path) == ("GET", "/readyz"):
            return Answer(content_type="text/plain", body=b"ready\n")
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        matches = [(verb, found, run) for verb, route, run in _ROUTES if (found := route.fullmatch(path))]
        for verb, found, run in matches:
            if verb == method:
                return run(self._shop, Request(parts=found.groups(), query=query, headers=headers, body=body))
        if matches:
            verbs = ", ".join(verb for verb, _, _ in matches)
            raise Problem(405, f"{path} has {verbs}", ("allow", verbs))
        raise Problem(404, f"there is nothing at {path}")


async def _body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        event = await receive()
        body += event.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise Problem(413, f"a body may have {MAX_BODY_BYTES} bytes")
        if event["type"] == "http.disconnect" or not event.get("more_body"):
            return bytes(body)


async def _slow(query: dict[str, list[str]]) -> Answer:
    text = query.get("seconds", ["5"])[0]
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= MAX_WAIT_SECONDS:
        raise Problem(400, f"seconds: {text!r} is not a number from 0 to {MAX_WAIT_SECONDS:g}")
    await anyio.sleep(seconds)
    return Answer(body=b'{"seconds":%s}' % f"{seconds:g}".encode())
