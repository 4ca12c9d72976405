"""Servers on loopback that give tokens and ask for them, and credentials that are sent through the real client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from urllib.parse import parse_qs

import msgspec
import trio

from loopback import read_request, sized
from openapi_mcp_server.bridge.http_messages import HttpRequest, HttpResponse
from openapi_mcp_server.bridge.origins import Origin
from openapi_mcp_server.observe.trace import NO_CARRIER, Carrier
from openapi_mcp_server.settings.auth import Auth
from openapi_mcp_server.upstream.addresses import AddressRule
from openapi_mcp_server.upstream.call import Upstream
from openapi_mcp_server.upstream.credentials.login import Web
from openapi_mcp_server.upstream.credentials.requests import Credentials, Kit
from openapi_mcp_server.upstream.credentials.table import KINDS, Means
from openapi_mcp_server.upstream.sockets import TcpDialler
from scripted import tool

LOOPBACK = AddressRule(allow_private=True, allow_insecure=True)
WEB = Web(dialler=TcpDialler(), rule=LOOPBACK)
CLIENT_SECRET = "client-s3cret"
Handler = Callable[[bytes], bytes | None]
"""A whole request to a whole answer; None: never."""


class Answering:
    """A server; ``asked`` are the requests in their order."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.asked: list[bytes] = []
        self.origin = Origin("http", "127.0.0.1", 0)

    @property
    def url(self) -> str:
        return str(self.origin)

    async def serve(self, stream: trio.abc.Stream) -> None:
        try:
            while (request := await read_request(stream)) is not None:
                self.asked.append(request)
                answer = self.handler(request)
                if answer is None:
                    await stream.receive_some()
                    return
                await stream.send_all(answer)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the peer has left


@asynccontextmanager
async def answering(handler: Handler) -> AsyncIterator[Answering]:
    server = Answering(handler)
    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, server.serve, 0, host="127.0.0.1"))
        server.origin = Origin("http", "127.0.0.1", listener.socket.getsockname()[1])
        yield server
        nursery.cancel_scope.cancel()


def given(token: str, seconds: object = 3600, **fields: Any) -> bytes:
    """What a token endpoint answers."""
    return sized(msgspec.json.encode({"access_token": token, "expires_in": seconds, **fields}))


def numbered(seconds: object = 3600) -> Handler:
    """Gives t1, t2, …"""
    count = iter(range(1, 10_000))
    return lambda _: given(f"t{next(count)}", seconds)


def header(request: bytes, name: str) -> str | None:
    """The value of a header of a request."""
    lines = request.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
    found = (line.partition(":") for line in lines)
    return next((value.strip() for key, _, value in found if key.lower() == name.lower()), None)


def form(request: bytes) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(request.partition(b"\r\n\r\n")[2].decode()).items()}


def oauth2(url: str, **fields: Any) -> Auth:
    usual = {"oauth2_token_url": f"{url}/token", "oauth2_client_id": "me", "oauth2_client_secret": CLIENT_SECRET}
    return Auth(kind="oauth2", **{**usual, **fields})


def tokens(api: Answering) -> list[str | None]:
    """Those that the API has seen."""
    return [header(request, "authorization") for request in api.asked]


class Caller:
    """Calls an API with one credential; calls in order or at once share it."""

    def __init__(self, auth: Auth, origin: Origin, upstream: Upstream, environ: dict[str, str] | None = None) -> None:
        made = KINDS[auth.kind]("pets", auth, Means(web=WEB, environ=environ or {}))
        self._credentials = Credentials({"pets": Kit(origins=frozenset({origin}), credentials={"": made})})
        self._origin = origin
        self._upstream = upstream

    async def call(
        self,
        method: str = "GET",
        body: bytes | None = None,
        seconds: float = 60,
        beside: Carrier = NO_CARRIER,
        **changes: Any,
    ) -> HttpResponse:
        fields = {"method": method, "origin": self._origin, "path": "/pets", "query": "", "headers": (), "body": body}
        authorized = self._credentials.authorize(HttpRequest(**{**fields, **changes}), tool(), beside)
        if isinstance(authorized, HttpRequest):
            return await self._send(authorized, seconds)
        return await authorized.exchange(self._send, seconds)

    async def _send(self, request: HttpRequest, seconds: float) -> HttpResponse:
        return await self._upstream.send(request, deadline_seconds=seconds)
