"""Six calls with one JSON-RPC id, all in flight at once: popular connectors number every request 1."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
import trio

from asked import META
from openapi_mcp_server.bridge.http_messages import HttpRequest, HttpResponse
from openapi_mcp_server.gateway.gateway import Gateway
from scripted import ScriptedApi, echo, gateway, ok
from served import Endpoint, endpoint
from sessions import Http, Session, request
from stdio_client import Client as StdioClient
from stdio_client import call as stdio_call

PETS = range(6)
MODERN = {"mcp_protocol_version": "2026-07-28", "mcp_method": "tools/call", "mcp_name": "get_pet"}


class Together:
    """Answers when all six calls have arrived, the last one first."""

    def __init__(self) -> None:
        self._arrived = 0
        self._turns = [trio.Event() for _ in PETS]

    async def __call__(self, request: HttpRequest) -> HttpResponse:
        turn = self._arrived
        self._arrived += 1
        if self._arrived == len(PETS):
            self._turns[-1].set()
        await self._turns[turn].wait()
        if turn:
            self._turns[turn - 1].set()
        return ok(msgspec.json.encode({"path": request.path}))


def call(pet: int, **meta: object) -> bytes:
    return request("tools/call", 1, {"name": "get_pet", "arguments": {"id": pet}, "_meta": meta})


def pet_of(answer: dict[str, Any]) -> int:
    assert answer["id"] == 1
    path = msgspec.json.decode(answer["result"]["content"][0]["text"])["path"]
    return int(path.removeprefix("/pets/"))


async def session(server: Endpoint) -> Session:
    http = Http(await trio.open_tcp_stream("127.0.0.1", server.port))
    await http.ask("GET", "/sse", accept="text/event-stream")
    opened = Session(None, http)  # type: ignore[arg-type]  # what it posts is posted here
    _, opened.target = await opened.event()
    return opened


async def post(server: Endpoint, target: str, body: bytes, **headers: str) -> bytes:
    http = Http(await trio.open_tcp_stream("127.0.0.1", server.port))
    async with http.stream:
        await http.ask("POST", target, body, accept="application/json, text/event-stream", **headers)
        return await http.body()


async def six_posts(server: Endpoint, **headers: str) -> list[tuple[int, int]]:
    meta = META if headers else {}
    return await _each(lambda pet: _posted(server, pet, meta, headers))


async def _posted(server: Endpoint, pet: int, meta: dict[str, Any], headers: dict[str, str]) -> int:
    return pet_of(msgspec.json.decode(await post(server, "/mcp", call(pet, **meta), **headers)))


async def six_modern_posts(server: Endpoint) -> list[tuple[int, int]]:
    return await six_posts(server, **MODERN)


async def six_sessions(server: Endpoint) -> list[tuple[int, int]]:
    async def converse(pet: int) -> int:
        own = await session(server)
        async with own.http.stream:
            await post(server, own.target, call(pet))
            return pet_of(await own.message())

    return await _each(converse)


async def one_session(server: Endpoint) -> list[tuple[int, int]]:
    """Whose answers only tell themselves apart: each is there once."""
    only = await session(server)
    async with only.http.stream:
        for pet in PETS:
            await post(server, only.target, call(pet))
        heard = sorted([pet_of(await only.message()) for _ in PETS])
    return list(zip(PETS, heard, strict=True))


async def one_session_in_both_eras(server: Endpoint) -> list[tuple[int, int]]:
    only = await session(server)
    async with only.http.stream:
        for pet in PETS:
            await post(server, only.target, call(pet, **(META if pet % 2 else {})))
        answers = {pet_of(answer): answer for answer in [await only.message() for _ in PETS]}
    return [(pet, pet if ("resultType" in answers[pet]["result"]) == bool(pet % 2) else -1) for pet in PETS]


async def _each(ask: Callable[[int], Awaitable[int]]) -> list[tuple[int, int]]:
    """(asked, answered) of all, at once."""
    found: list[tuple[int, int]] = []

    async def one(pet: int) -> None:
        found.append((pet, await ask(pet)))

    async with trio.open_nursery() as nursery:
        for pet in PETS:
            nursery.start_soon(one, pet)
    return found


@pytest.mark.parametrize(
    "ask",
    [six_posts, six_modern_posts, six_sessions, one_session, one_session_in_both_eras],
    ids=lambda ask: ask.__name__,
)
def test_six_calls_with_one_id_get_six_right_answers(
    ask: Callable[[Endpoint], Awaitable[list[tuple[int, int]]]],
) -> None:
    async def main() -> None:
        with trio.fail_after(10):
            async with endpoint(gateway(ScriptedApi(Together()))) as server:
                found = await ask(server)
        assert sorted(found) == [(pet, pet) for pet in PETS]

    trio.run(main)


def test_six_calls_with_one_id_over_stdio_get_six_right_answers() -> None:
    built: Gateway = gateway(ScriptedApi(Together()))

    async def main() -> None:
        client = StdioClient(built)
        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(client.serve)
                await client.say(*[stdio_call(1, pet) for pet in PETS])
                heard = [pet_of(await client.hear()) for _ in PETS]
                client.end()
        client.close()
        assert sorted(heard) == list(PETS)

    trio.run(main)


def test_six_calls_with_one_id_on_one_connection_are_answered_in_their_order() -> None:
    """Pipelined: HTTP/1.1 answers one after the other."""

    async def main() -> None:
        with trio.fail_after(10):
            async with endpoint(gateway(ScriptedApi(echo))) as server:
                stream = await trio.open_tcp_stream("127.0.0.1", server.port)
                head = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                head += b"Content-Length: %d\r\n\r\n"
                async with stream:
                    await stream.send_all(b"".join(head % len(call(pet)) + call(pet) for pet in PETS))
                    received = b""
                    while received.count(b"/pets/") < len(PETS):
                        received += await stream.receive_some()
        places = [received.index(b"/pets/%d" % pet) for pet in PETS]
        assert places == sorted(places)

    trio.run(main)
