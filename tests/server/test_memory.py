"""What is kept for clients over each transport: counted until they have it, refused before anything is done."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
import trio
import trio.testing

from openapi_mcp_server.bridge.http_messages import HttpRequest, HttpResponse
from openapi_mcp_server.gateway.gateway import Gateway
from openapi_mcp_server.mcp.inbound import Call
from openapi_mcp_server.memory import CALL_BYTES, LEAST_BYTES, MESSAGE_BYTES, Budget, Hold
from openapi_mcp_server.observe.record import CallRecord
from openapi_mcp_server.server.access.proxies import Proxies
from openapi_mcp_server.server.events import WRITE_BYTES, slices
from openapi_mcp_server.server.posts import BODY_BYTES
from real_sockets import run
from scripted import ScriptedApi, Silence, gateway, ok, tool
from served import endpoint
from sessions import Http, Server, request, sse_server
from stdio_client import Client, call

MIB = 2**20
LONG = ok(b'"%b"' % (b"x" * 3_000_000))
HEAD = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
FAULTS = [ok(), ok(b"{"), ok(b"no", 503), LONG, RuntimeError("a bug")]


async def until(is_so: Callable[[], bool]) -> None:
    while not is_so():
        await trio.lowlevel.checkpoint()


def full(budget: Budget) -> list[Hold]:
    """Others have taken everything, also what is for small calls."""
    holds = [budget.open("others") for _ in range(4)]
    for hold in holds:
        hold.settle(budget.limit // 4)
    return holds


@asynccontextmanager
async def connected(built: Gateway) -> AsyncIterator[Http]:
    async with endpoint(built) as running, await trio.open_tcp_stream("127.0.0.1", running.port) as stream:
        http = Http(stream)
        yield http
        await until(lambda: built.memory.held == 0)


@pytest.mark.parametrize("step", FAULTS, ids=["answer", "broken JSON", "503", "long", "bug"])
def test_nothing_is_counted_any_more_when_a_call_is_over_however_it_ends(step: HttpResponse | Exception) -> None:
    built = gateway(ScriptedApi(step), memory=Budget(LEAST_BYTES))

    async def over_http() -> None:
        async with connected(built) as http:
            await http.ask("POST", "/mcp", request("tools/call", 1, {"name": "get_pet", "arguments": {"id": 5}}))
            await http.body()

    async def over_sse() -> None:
        async with sse_server(built) as server:
            session = await server.open()
            assert await session.call() == 202
            await session.message()
            await until(lambda: built.memory.held == 0)

    async def over_stdio() -> None:
        client = Client(built)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.serve)
            await client.say(call())
            await client.hear()
            await until(lambda: built.memory.held == 0)
            client.end()
            await client.left.wait()
        client.close()

    for use in (over_http, over_sse, over_stdio):
        run(use)


@pytest.mark.parametrize("transport", ["http", "sse", "stdio"])
def test_nothing_is_counted_any_more_for_a_client_that_left(transport: str) -> None:
    silence = Silence()
    built = gateway(ScriptedApi(silence), memory=Budget(LEAST_BYTES))

    async def left() -> None:
        await until(lambda: built.memory.held == 0)

    async def over_http() -> None:
        async with endpoint(built) as running:
            stream = await trio.open_tcp_stream("127.0.0.1", running.port)
            with trio.CancelScope() as waiting:
                async with trio.open_nursery() as nursery:
                    body = request("tools/call", 1, {"name": "get_pet", "arguments": {"id": 5}})
                    nursery.start_soon(Http(stream).ask, "POST", "/mcp", body)
                    await silence.reached.wait()
                    assert built.memory.held == CALL_BYTES
                    waiting.cancel()
            await stream.aclose()
            await left()

    async def over_sse() -> None:
        async with sse_server(built) as server:
            session = await server.open()
            await session.call()
            await silence.reached.wait()
            assert built.memory.held == CALL_BYTES
            await session.leave()
            await left()

    async def over_stdio() -> None:
        client = Client(built)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.serve)
            await client.say(call(1))
            await silence.reached.wait()
            assert built.memory.held == CALL_BYTES
            await client.say(b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}\n')
            await left()
            client.end()
            await client.left.wait()
        client.close()

    run({"http": over_http, "sse": over_sse, "stdio": over_stdio}[transport])


def test_without_room_a_message_is_refused_before_it_is_read_with_when_to_come_again() -> None:
    api = ScriptedApi()
    built = gateway(api, memory=Budget(LEAST_BYTES))

    async def main() -> None:
        others = full(built.memory)
        async with endpoint(built) as running, await trio.open_tcp_stream("127.0.0.1", running.port) as stream:
            http = Http(stream)
            head = await http.ask("POST", "/mcp", request("tools/call", 1, {"name": "get_pet", "arguments": {"id": 5}}))
            assert head.status_code == 503
            assert dict(head.headers)[b"retry-after"] == b"5"
            error = msgspec.json.decode(await http.body())["error"]
            assert (error["code"], "try again" in error["message"]) == (-32603, True)
        for hold in others:
            hold.close()
        assert (built.memory.held, api.requests) == (0, [])

    run(main)


def test_without_room_a_message_of_a_session_is_refused_and_the_session_stays() -> None:
    api = ScriptedApi()
    built = gateway(api, memory=Budget(LEAST_BYTES))

    async def use(server: Server) -> None:
        session = await server.open()
        others = full(built.memory)
        assert await session.call(1) == 503
        for hold in others:
            hold.close()
        assert await session.call(2) == 202
        assert (await session.message())["id"] == 2
        assert len(api.requests) == 1

    async def main() -> None:
        async with sse_server(built) as server:
            await use(server)

    run(main)


def test_without_room_a_line_of_stdio_is_answered_with_an_error() -> None:
    api = ScriptedApi()
    built = gateway(api, memory=Budget(LEAST_BYTES))

    async def main() -> None:
        client = Client(built)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.serve)
            others = full(built.memory)
            await client.say(call(7))
            refused = await client.hear()
            for hold in others:
                hold.close()
            await client.say(call(8))
            assert (refused["id"], refused["error"]["code"]) == (7, -32603)
            assert (await client.hear())["id"] == 8
            client.end()
            await client.left.wait()
        client.close()
        assert len(api.requests) == 1

    run(main)


def test_a_request_for_which_there_is_no_room_is_not_sent_and_the_model_is_told() -> None:
    def with_body(request: HttpRequest, *_: object) -> HttpRequest:
        return msgspec.structs.replace(request, body=b"x" * MESSAGE_BYTES)

    api = ScriptedApi()
    built = gateway(api, memory=Budget(LEAST_BYTES), authorize=with_body)

    async def main() -> dict[str, Any]:
        asked = Call(
            id=1, method="tools/call", version="2025-11-25", size=9, name="get_pet", arguments=msgspec.Raw(b'{"id":5}')
        )
        with built.memory.open("a") as hold:
            return msgspec.json.decode(b"".join(await built.answer(asked, "http", hold=hold)))["result"]

    result = run(main)
    assert result["isError"] is True
    assert result["content"][0]["text"].startswith("Not sent: this server is short of memory")
    assert api.requests == []


def test_a_large_body_is_counted_at_once_and_a_small_one_not_at_all() -> None:
    built = gateway(ScriptedApi(), memory=Budget(LEAST_BYTES))

    async def held_with(size: int) -> int:
        async with endpoint(built) as running, await trio.open_tcp_stream("127.0.0.1", running.port) as stream:
            await stream.send_all(HEAD % size + b"x" * min(size - 1, 20_000))
            await until(lambda: built.memory.held > 0)
            await trio.testing.wait_all_tasks_blocked(0.01)
            return built.memory.held

    assert run(lambda: held_with(10_000)) == CALL_BYTES
    assert run(lambda: held_with(BODY_BYTES)) == CALL_BYTES + BODY_BYTES


def test_a_list_is_sent_from_its_one_copy_and_costs_the_same_however_long_it_is() -> None:
    described = [msgspec.structs.replace(tool(f"tool{n}"), entry=entry(n)) for n in range(300)]
    built = gateway(ScriptedApi(), *described, memory=Budget(LEAST_BYTES))
    asked = Call(id=1, method="tools/list", version="2025-11-25", size=9)
    first, second = (built.at_once(asked, "http") for _ in range(2))
    assert first is not None
    assert second is not None
    (one,), (same,) = ([piece.obj for piece in pieces if isinstance(piece, memoryview)] for pieces in (first, second))
    assert one is same
    parts = [*slices(first)]
    assert b"".join(parts) == b"".join(first)
    assert max(map(len, parts)) == WRITE_BYTES

    async def main() -> None:
        async with endpoint(built) as running:
            streams = [await trio.open_tcp_stream("127.0.0.1", running.port) for _ in range(20)]
            body = request("tools/list")
            for stream in streams:
                await stream.send_all(HEAD % len(body) + body)
            await until(lambda: built.memory.held == 20 * CALL_BYTES)
            for stream in streams:
                await stream.aclose()
            await until(lambda: built.memory.held == 0)

    run(main)


def entry(number: int) -> msgspec.Raw:
    return msgspec.Raw(b'{"name":"tool%d","description":"%b","inputSchema":{}}' % (number, b"d" * 30_000))


def test_who_does_not_read_its_answers_is_counted_for_them() -> None:
    built = gateway(ScriptedApi(LONG), memory=Budget(LEAST_BYTES))

    async def main() -> None:
        async with sse_server(built) as server:
            session = await server.open()
            for number in range(4):
                await session.call(number)
            await until(lambda: built.memory.held > 2 * 3_000_000)
            await session.leave()
            await until(lambda: built.memory.held == 0)

    run(main)


def test_of_a_long_answer_that_is_not_read_nothing_but_the_answer_is_kept() -> None:
    records: list[CallRecord] = []
    built = gateway(ScriptedApi(LONG), records=records)
    body = request("tools/call", 1, {"name": "get_pet", "arguments": {"id": 5}})

    async def main() -> int:
        async with endpoint(built) as running, await trio.open_tcp_stream("127.0.0.1", running.port) as stream:
            await stream.send_all(HEAD % len(body) + body)
            await until(lambda: bool(records))
            await trio.testing.wait_all_tasks_blocked()  # the answer is with the kernel, as far as that takes it
            gc.collect()
            return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        assert run(main, seconds=10) < 2 * 3_000_000  # an encoder takes up to half as much again as it needs
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("peer", "header", "expected"),
    [
        ("8.8.4.4", None, "8.8.4.4"),
        ("8.8.4.4", b"1.1.1.1", "8.8.4.4"),  # anybody can write that
        ("10.0.0.2", b"1.1.1.1", "1.1.1.1"),
        ("127.0.0.1", b"made up, 1.1.1.1", "1.1.1.1"),
        ("127.0.0.1", None, "127.0.0.1"),
    ],
)
def test_a_client_is_its_address_as_the_proxy_knows_it(peer: str, header: bytes | None, expected: str) -> None:
    headers = {} if header is None else {b"x-forwarded-for": header}
    assert Proxies().seen({"client": (peer, 1234)}, headers).client == expected
