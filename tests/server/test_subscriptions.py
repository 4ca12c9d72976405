"""``subscriptions/listen`` on every transport, and what clients are told without having subscribed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import msgspec
import pytest
import trio
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.subscriptions import ToolsListChanged
from trio.testing import wait_all_tasks_blocked

from asked import META
from openapi_mcp_server.gateway.gateway import Gateway
from openapi_mcp_server.mcp.methods import LEGACY
from openapi_mcp_server.observe.record import CallRecord
from openapi_mcp_server.server.conversation import SUBSCRIPTIONS
from scripted import ScriptedApi, gateway
from served import Endpoint, endpoint
from sessions import Http, Server, Session, request, sse_server

# The client leaves the generators of an event stream to the garbage collector, which Trio warns of.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Async generator 'httpx2:ResourceWarning", "ignore:Async generator 'httpcore2:ResourceWarning"
)

TAG = "io.modelcontextprotocol/subscriptionId"
TOOLS = {"toolsListChanged": True}
BOTH = {**TOOLS, "promptsListChanged": True}


def listen(request_id: int | str, asked: dict[str, bool]) -> bytes:
    return request("subscriptions/listen", request_id, {"_meta": META, "notifications": asked})


def summary(message: dict[str, Any]) -> tuple[str, Any]:
    """(method or "end", subscription)"""
    about = message.get("params") or message.get("result") or {}
    return message.get("method", "end"), about.get("_meta", {}).get(TAG)


ACKNOWLEDGED = "notifications/subscriptions/acknowledged"
TOOLS_CHANGED = "notifications/tools/list_changed"
PROMPTS_CHANGED = "notifications/prompts/list_changed"


# Streamable HTTP


def with_endpoint(use: Callable[[Endpoint], Awaitable[None]], built: Gateway | None = None) -> None:
    async def main() -> None:
        with trio.fail_after(15):
            async with endpoint(built or gateway(ScriptedApi())) as running:
                await use(running)

    trio.run(main)


@asynccontextmanager
async def asked(server: Endpoint, body: bytes, **changes: str | None) -> Any:
    """The head of the answer to a POST of 2026-07-28, and its connection as a session's stream."""
    async with await trio.open_tcp_stream("127.0.0.1", server.port) as stream:
        http = Http(stream)
        headers = {
            "accept": "application/json, text/event-stream",
            "mcp_protocol_version": "2026-07-28",
            "mcp_method": "subscriptions/listen",
        }
        yield await http.ask("POST", "/mcp", body, **(headers | changes)), Session(None, http)  # type: ignore[arg-type]


def test_the_response_to_a_subscription_is_a_stream_that_begins_with_its_acknowledgement_at_once() -> None:
    async def use(server: Endpoint) -> None:
        async with asked(server, listen("s", BOTH)) as (head, stream):
            headers = dict(head.headers)
            assert (head.status_code, headers[b"content-type"]) == (200, b"text/event-stream")
            assert (headers[b"cache-control"], headers[b"x-accel-buffering"]) == (b"no-store", b"no")
            first = await stream.message()
            assert summary(first) == (ACKNOWLEDGED, "s")
            assert first["params"]["notifications"] == BOTH

    with_endpoint(use)


@pytest.mark.parametrize(
    ("wanted", "prompts", "agreed"),
    [
        (TOOLS, True, TOOLS),
        (BOTH, False, TOOLS),
        ({"resourcesListChanged": True}, True, {}),
        ({}, True, {}),
    ],
    ids=["one", "prompts are off", "not served", "nothing"],
)
def test_only_what_was_asked_for_and_exists_is_told(
    wanted: dict[str, bool], prompts: bool, agreed: dict[str, bool]
) -> None:
    built = gateway(ScriptedApi(), prompts=prompts)

    async def use(server: Endpoint) -> None:
        async with asked(server, listen(7, wanted)) as (_, stream):
            assert (await stream.message())["params"]["notifications"] == agreed
            built.lists_changed()
            await wait_all_tasks_blocked()
            server.drain()
            told = [TOOLS_CHANGED] if agreed else []
            assert [summary(await stream.message()) for _ in [*told, "end"]] == [
                *((method, 7) for method in told),
                ("end", 7),
            ]

    with_endpoint(use, built)


def test_every_change_is_told_to_everyone_who_listens_under_their_own_ids() -> None:
    built = gateway(ScriptedApi())

    async def use(server: Endpoint) -> None:
        async with AsyncExitStack() as stack:
            streams = [(await stack.enter_async_context(asked(server, listen(1, BOTH))))[1] for _ in range(5)]
            for stream in streams:
                await stream.message()
            for _ in range(3):
                built.lists_changed()
                for stream in streams:
                    told = [summary(await stream.message()) for _ in range(2)]
                    assert told == [(TOOLS_CHANGED, 1), (PROMPTS_CHANGED, 1)]

    with_endpoint(use, built)


def test_a_drain_ends_a_subscription_with_its_result_and_its_response() -> None:
    async def use(server: Endpoint) -> None:
        async with asked(server, listen("s", TOOLS)) as (_, stream):
            await stream.message()
            server.drain()
            end = await stream.message()
            assert (end["id"], end["result"]["resultType"], summary(end)) == ("s", "complete", ("end", "s"))
            with pytest.raises(EOFError):
                await stream.event()

    with_endpoint(use)


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"accept": "application/json"}, 406, -32600),
        ({"accept": None}, 406, -32600),
        ({"mcp_method": "tools/list"}, 400, -32020),
        ({"mcp_protocol_version": "2025-11-25"}, 400, -32020),
    ],
    ids=["only JSON", "no Accept", "another method's header", "another revision's header"],
)
def test_who_subscribes_wrongly_is_told_so_under_the_id(changes: dict[str, str | None], status: int, code: int) -> None:
    async def use(server: Endpoint) -> None:
        async with asked(server, listen("s", TOOLS), **changes) as (head, stream):
            refused = msgspec.json.decode(await stream.http.body())
            assert (head.status_code, refused["id"], refused["error"]["code"]) == (status, "s", code)

    with_endpoint(use)


def test_who_subscribes_while_the_server_drains_is_sent_elsewhere() -> None:
    async def use(server: Endpoint) -> None:
        server.readiness.state = "draining"
        async with asked(server, listen("s", TOOLS)) as (head, stream):
            assert head.status_code == 503
            assert msgspec.json.decode(await stream.http.body())["id"] == "s"

    with_endpoint(use)


def test_a_subscription_leaves_a_record() -> None:
    records: list[CallRecord] = []

    async def use(server: Endpoint) -> None:
        async with asked(server, listen("s", TOOLS)) as (_, stream):
            await stream.message()

    with_endpoint(use, gateway(ScriptedApi(), records=records))
    assert [(one.method, one.transport, one.outcome) for one in records] == [("subscriptions/listen", "http", "ok")]


# HTTP+SSE: all subscriptions share the session's stream, as on stdio


def with_sessions(use: Callable[[Server], Awaitable[Any]], built: Gateway) -> None:
    async def main() -> None:
        with trio.fail_after(15):
            async with sse_server(built) as server:
                await use(server)

    trio.run(main)


@pytest.mark.parametrize("version", LEGACY)
def test_a_client_that_began_with_initialize_is_told_without_asking(version: str) -> None:
    built = gateway(ScriptedApi())

    async def use(server: Server) -> None:
        session, silent = await server.open(), await server.open()
        identity = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        await session.post(request("initialize", 1, identity))
        assert (await session.message())["result"]["capabilities"]["tools"] == {"listChanged": True}
        await session.post(b'{"jsonrpc":"2.0","method":"notifications/initialized"}')
        built.lists_changed()
        assert [await session.message() for _ in range(2)] == [
            {"jsonrpc": "2.0", "method": method} for method in (TOOLS_CHANGED, PROMPTS_CHANGED)
        ]
        await silent.post(request("ping", 9))
        assert (await silent.message())["id"] == 9  # and nothing before: it has not begun

    with_sessions(use, built)


def test_subscriptions_of_a_session_share_its_stream_until_they_are_cancelled() -> None:
    built = gateway(ScriptedApi())

    async def use(server: Server) -> None:
        session = await server.open()
        await session.post(listen("a", TOOLS))
        await session.post(listen("b", BOTH))
        assert [summary(await session.message()) for _ in range(2)] == [(ACKNOWLEDGED, "a"), (ACKNOWLEDGED, "b")]
        built.lists_changed()
        told = [summary(await session.message()) for _ in range(3)]
        assert told == [(TOOLS_CHANGED, "a"), (TOOLS_CHANGED, "b"), (PROMPTS_CHANGED, "b")]
        await session.post(b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"b"}}')
        built.lists_changed()
        assert summary(await session.message()) == (TOOLS_CHANGED, "a")
        server.stop()
        assert summary(await session.message()) == ("end", "a")
        with pytest.raises(EOFError):
            await session.event()

    with_sessions(use, built)


def test_one_client_has_so_many_subscriptions_and_no_more() -> None:
    async def use(server: Server) -> None:
        session = await server.open()
        for number in range(SUBSCRIPTIONS):
            await session.post(listen(number, TOOLS))
            await session.message()
        await session.post(listen("one more", TOOLS))
        refused = await session.message()
        assert (refused["id"], refused["error"]["code"]) == ("one more", -32603)
        await session.post(listen(0, BOTH))  # the same again is not one more
        assert (await session.message())["params"]["notifications"] == BOTH

    with_sessions(use, gateway(ScriptedApi()))


# The official client


@pytest.mark.parametrize("transport", ["http", "sse"])
def test_the_official_client_hears_of_changes_and_of_the_end(transport: str) -> None:
    built = gateway(ScriptedApi())

    async def use(server: Endpoint) -> None:
        url = f"http://127.0.0.1:{server.port}/"
        target = f"{url}mcp" if transport == "http" else sse_client(f"{url}sse")
        async with (
            Client(target, mode="2026-07-28") as client,
            client.listen(tools_list_changed=True, resources_list_changed=True) as changes,
        ):
            assert changes.honored.tools_list_changed is True
            assert changes.honored.resources_list_changed is None
            built.lists_changed()
            assert isinstance(await anext(changes), ToolsListChanged)
            assert [tool.name for tool in (await client.list_tools()).tools] == ["get_pet"]
            server.drain()
            with pytest.raises(StopAsyncIteration):  # the proper end, else SubscriptionLost
                await anext(changes)

    with_endpoint(use, built)
