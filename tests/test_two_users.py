"""Two users at once, each with a header of their own that the API gets: no call gets another one's."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import trio

from asked import call
from openapi_mcp_server.bridge.http_messages import HttpRequest, HttpResponse
from openapi_mcp_server.bridge.origins import Origin
from openapi_mcp_server.memory import Hold
from openapi_mcp_server.settings.fields import Forwarded
from openapi_mcp_server.upstream.credentials.requests import Credentials, Kit
from openapi_mcp_server.upstream.credentials.tokens import Token, TokenLogin
from scripted import gateway, tool
from served import VISITORS, Endpoint, endpoint
from sessions import Http, Server, Session

CLIENTS = 10
CALLS = 1_000
"""Of each client."""
CANCELLED = 0.02
REFUSED = 0.05


class Echo:
    """An API that says whose call it got, after others had their turn, and refuses its token now and then, so that the
    call is sent once more."""

    def __init__(self) -> None:
        self.random = random.Random(1)
        self.counts: Counter[str] = Counter()

    async def send(self, sent: HttpRequest, *, deadline_seconds: float, hold: Hold) -> HttpResponse:
        for _ in range(self.random.randrange(4)):
            await trio.lowlevel.checkpoint()
        user = dict(sent.headers)["X-User-Token"]
        if self.random.random() < REFUSED:
            self.counts["refused"] += 1
            return HttpResponse(status=401, reason="", headers=(), body=user.encode())
        body = msgspec.json.encode({"user": user, "path": sent.path})
        self.counts["ok"] += 1
        return HttpResponse(status=200, reason="", headers=(("content-type", "application/json"),), body=body)


@asynccontextmanager
async def serving(api: Echo) -> AsyncIterator[Endpoint]:
    count = iter(range(1_000_000))

    async def fetch() -> Token:
        await trio.lowlevel.checkpoint()
        return Token(text=f"t{next(count)}")

    origin = Origin("https", "api.example.com", 443)
    kit = Kit(
        origins=frozenset({origin}),
        credentials={"": TokenLogin("pets", fetch, 3600)},
        forwarded=(Forwarded(name="X-User-Token", source="x-token"),),
    )
    built = gateway(api, tool(), authorize=Credentials({"pets": kit}).authorize)
    visitors = msgspec.structs.replace(VISITORS, forwarded=frozenset({b"x-token"}))
    with trio.fail_after(300):
        async with endpoint(built, visitors) as running:
            yield running


def whose(answer: bytes | str, number: int) -> str | None:
    """The user whose call it was, as the API saw it; None where it was refused twice."""
    result = msgspec.json.decode(answer)["result"]
    if result.get("isError"):
        text = str(result["content"][0]["text"])
        assert "401" in text
        return None
    found = msgspec.json.decode(result["content"][0]["text"])
    assert found["path"] == f"/pets/{number}"
    return str(found["user"])


async def by_mcp(running: Endpoint, user: str, found: Counter[str]) -> None:
    http, turn = None, random.Random(user)
    for number in range(CALLS):
        if http is None:
            http = Http(await trio.open_tcp_stream("127.0.0.1", running.port))
        accept = "application/json, text/event-stream"
        if turn.random() < CANCELLED:  # gone in the middle of a call
            with trio.move_on_after(0):
                await http.ask("POST", "/mcp", call("get_pet", number, id=number), x_token=user, accept=accept)
            await trio.aclose_forcefully(http.stream)
            http = None
            found["cancelled"] += 1
            continue
        head = await http.ask("POST", "/mcp", call("get_pet", number, id=number), x_token=user, accept=accept)
        assert head.status_code == 200
        told = whose(await http.body(), number)
        found["right" if told == user else "refused" if told is None else "mixed up"] += 1
        http.next_cycle()
    if http is not None:
        await http.stream.aclose()


async def by_sse(running: Endpoint, user: str, found: Counter[str]) -> None:
    """All calls of a client in one session, posted one after the other and answered in any order."""
    server = Server(running.port)
    session: Session = await server.open()
    http, turn = Http(await trio.open_tcp_stream("127.0.0.1", running.port)), random.Random(user)
    waiting: set[int] = set()

    async def read(most: int) -> None:
        while len(waiting) > most:
            message: dict[str, Any] = await session.message()
            waiting.discard(message["id"])
            told = whose(msgspec.json.encode(message), message["id"])
            found["right" if told == user else "refused" if told is None else "mixed up"] += 1

    for number in range(CALLS):
        await http.ask("POST", session.target, call("get_pet", number, id=number), x_token=user)
        await http.body()
        http.next_cycle()
        if turn.random() < CANCELLED:
            cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": number}}
            await http.ask("POST", session.target, msgspec.json.encode(cancel), x_token="nobody")
            await http.body()
            http.next_cycle()
            found["cancelled"] += 1  # it may be answered nevertheless
        else:
            waiting.add(number)
        await read(4)
    await read(0)
    await http.stream.aclose()
    await session.leave()


def carried_out(client: Any) -> Counter[str]:
    found: Counter[str] = Counter()
    api = Echo()

    async def main() -> None:
        async with serving(api) as running, trio.open_nursery() as nursery:
            for number in range(CLIENTS):
                nursery.start_soon(client, running, ("ann", "bob")[number % 2], found)

    trio.run(main)
    assert api.counts["refused"] > CALLS * CLIENTS * REFUSED / 2
    return found


def test_streamable_http_mixes_up_none_of_ten_thousand_calls() -> None:
    found = carried_out(by_mcp)
    assert (found["mixed up"], found.total()) == (0, CALLS * CLIENTS)
    assert found["cancelled"] > CALLS * CLIENTS * CANCELLED / 2
    assert found["right"] > CALLS * CLIENTS * 0.9


def test_http_sse_mixes_up_none_of_ten_thousand_calls() -> None:
    found = carried_out(by_sse)
    assert found["mixed up"] == 0
    assert found["cancelled"] > CALLS * CLIENTS * CANCELLED / 2
    assert found["right"] > CALLS * CLIENTS * 0.9
