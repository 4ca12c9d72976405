"""The official Python client over HTTP+SSE, on a real socket, in both eras."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import msgspec
import pytest
import trio
from mcp import Client, MCPError
from mcp.client.sse import sse_client

from openapi_mcp_server.gateway.gateway import Gateway
from scripted import ScriptedApi, Silence, gateway, ok, slowly
from served import served

# The client leaves the generators of an event stream to the garbage collector, which Trio warns of.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Async generator 'httpx2:ResourceWarning", "ignore:Async generator 'httpcore2:ResourceWarning"
)

MODES = ["legacy", "2026-07-28", "auto"]


def with_client(mode: str, built: Gateway, use: Callable[[Client], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        with trio.fail_after(20):
            async with served(built, "/sse") as url, Client(sse_client(url), mode=mode) as client:
                return await use(client)

    return trio.run(main)


@pytest.mark.parametrize("mode", MODES)
def test_tools_are_listed_and_called(mode: str) -> None:
    async def use(client: Client) -> None:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["get_pet"]
        assert (await client.call_tool("get_pet", {"id": 5})).content[0].text == '{"id":5}'
        assert (await client.call_tool("get_pet", {"id": "x"})).is_error is True
        with pytest.raises(MCPError) as caught:
            await client.call_tool("no_such_tool", {})
        assert caught.value.code == -32602

    with_client(mode, gateway(ScriptedApi(ok(b'{"id":5}'))), use)


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_progress_arrives_before_the_answer(mode: str) -> None:
    told: list[float] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        told.append(done)

    async def use(client: Client) -> None:
        await client.call_tool("get_pet", {"id": 5}, progress_callback=progress)
        assert told == [2.0]

    with_client(mode, gateway(ScriptedApi(slowly(2.5))), use)


@pytest.mark.parametrize("mode", MODES)
def test_a_cancelled_call_stops_while_the_client_stays(mode: str) -> None:
    silence = Silence()

    async def use(client: Client) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.call_tool, "get_pet", {"id": 5})
            await silence.reached.wait()
            tasks.cancel_scope.cancel()
        with trio.fail_after(1):
            await silence.cancelled.wait()
        assert (await client.call_tool("get_pet", {"id": 5})).content[0].text == '{"id":5}'

    with_client(mode, gateway(ScriptedApi(silence, ok())), use)


def test_calls_side_by_side_get_their_own_answers() -> None:
    async def echo(request: Any) -> Any:
        return ok(msgspec.json.encode({"path": request.path}))

    async def use(client: Client) -> None:
        async def ask(number: int) -> None:
            result = await client.call_tool("get_pet", {"id": number})
            assert result.content[0].text == f'{{"path":"/pets/{number}"}}'

        async with anyio.create_task_group() as tasks:
            for number in range(100):
                tasks.start_soon(ask, number)

    with_client("auto", gateway(ScriptedApi(echo)), use)
