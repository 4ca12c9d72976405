"""The official Python client against both transports of HTTP on a real socket, in both eras."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
import trio
from mcp import Client, MCPError
from mcp.client.sse import sse_client
from trio.testing import MockClock

from clocks import hurried
from descriptions import filterable
from openapi_mcp_server.errors import Unreachable
from openapi_mcp_server.gateway.gateway import Gateway
from scripted import ScriptedApi, Silence, echo, gateway, ok, slowly, tool
from served import served

# The client leaves the generators of an event stream to the garbage collector, which Trio warns of.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Async generator 'httpx2:ResourceWarning", "ignore:Async generator 'httpcore2:ResourceWarning"
)

MODES = ["legacy", "2026-07-28", "auto"]


over_both = pytest.mark.parametrize("path", ["/mcp", "/sse"])


def with_client(
    mode: str,
    built: Gateway,
    use: Callable[[Client], Awaitable[Any]],
    path: str = "/mcp",
    clock: MockClock | None = None,
) -> Any:
    async def main() -> Any:
        with trio.fail_after(20):
            async with (
                served(built, path) as url,
                Client(sse_client(url) if path == "/sse" else url, mode=mode) as client,
            ):
                return await use(client)

    return trio.run(main, clock=clock)


@pytest.mark.parametrize(("mode", "version"), [("legacy", "2025-11-25"), ("auto", "2026-07-28")])
def test_the_newest_revision_of_the_era_is_spoken(mode: str, version: str) -> None:
    async def use(client: Client) -> None:
        assert client.protocol_version == version
        assert client.server_info.name == "tests"
        assert client.server_capabilities.tools is not None

    with_client(mode, gateway(ScriptedApi()), use)


@over_both
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("page_size", [0, 2])
def test_every_tool_is_listed(path: str, mode: str, page_size: int) -> None:
    names = [f"get_pet_{number}" for number in range(5)]

    async def use(client: Client) -> None:
        listed, cursor = [], None
        while True:
            page = await client.list_tools(cursor=cursor)
            listed += [one.name for one in page.tools]
            if (cursor := page.next_cursor) is None:
                break
        assert listed == names

    with_client(mode, gateway(ScriptedApi(), *map(tool, names), page_size=page_size), use, path)


@over_both
@pytest.mark.parametrize("mode", MODES)
def test_a_tool_is_called(path: str, mode: str) -> None:
    async def use(client: Client) -> None:
        result = await client.call_tool("get_pet", {"id": 5})
        assert result.is_error is not True
        assert result.content[0].text == '{"id":5}'

    with_client(mode, gateway(ScriptedApi(ok(b'{"id":5}'))), use, path)


@over_both
@pytest.mark.parametrize("mode", MODES)
def test_errors_of_the_api_and_of_the_model_are_results(path: str, mode: str) -> None:
    async def use(client: Client) -> None:
        for arguments in ({"id": 5}, {"id": "x"}):
            assert (await client.call_tool("get_pet", arguments)).is_error is True

    with_client(mode, gateway(ScriptedApi(Unreachable("no", outcome_unknown=False))), use, path)


@over_both
@pytest.mark.parametrize("mode", MODES)
def test_an_unknown_tool_is_an_error_of_the_protocol(path: str, mode: str) -> None:
    async def use(client: Client) -> None:
        with pytest.raises(MCPError) as caught:
            await client.call_tool("no_such_tool", {})
        assert caught.value.code == -32602

    with_client(mode, gateway(ScriptedApi()), use, path)


@over_both
@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_progress_arrives_before_the_answer(path: str, mode: str) -> None:
    told: list[float] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        told.append(done)

    async def use(client: Client) -> None:
        result = await client.call_tool("get_pet", {"id": 5}, progress_callback=progress)
        assert result.content[0].text == '{"id":5}'
        assert told == [2.0]

    with_client(mode, gateway(ScriptedApi(slowly(2.5))), use, path, hurried())


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("arguments", "structured"),
    [({}, {"id": 5, "n": "x"}), ({"response_filter": "[id, n]"}, {"filtered": [5, "x"]})],
    ids=["whole", "filtered"],
)
def test_a_filtered_answer_fits_the_output_schema_too(mode: str, arguments: Any, structured: Any) -> None:
    async def use(client: Client) -> None:
        await client.list_tools()
        assert (await client.call_tool("list_pets", arguments)).structured_content == structured

    with_client(mode, gateway(ScriptedApi(ok(b'{"id": 5, "n": "x"}')), filterable()), use)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("body", "structured"),
    [
        (b'{"id": "five"}', {"undocumented": {"id": "five"}}),
        (b"[5]", {"undocumented": [5]}),
        (b"", {"undocumented": None, "_note": "The API answered 200 OK: success, without content."}),
    ],
    ids=["another type", "no object", "nothing"],
)
def test_an_answer_that_is_not_as_documented_reaches_the_model(mode: str, body: bytes, structured: Any) -> None:
    async def use(client: Client) -> None:
        await client.list_tools()
        result = await client.call_tool("list_pets", {})
        assert (result.structured_content, result.is_error is True) == (structured, False)

    with_client(mode, gateway(ScriptedApi(ok(body)), filterable()), use)


@pytest.mark.parametrize("mode", MODES)
def test_prompts_resources_and_completions_are_answered(mode: str) -> None:
    async def use(client: Client) -> None:
        assert [one.name for one in (await client.list_prompts()).prompts] == ["use_get_pet"]
        assert "get_pet" in (await client.get_prompt("use_get_pet", {"id": "5"})).messages[0].content.text
        assert (await client.list_resources()).resources == []
        assert (await client.list_resource_templates()).resource_templates == []
        with pytest.raises(MCPError):
            await client.read_resource("test://none")

    with_client(mode, gateway(ScriptedApi()), use)


@pytest.mark.parametrize("mode", MODES)
def test_a_client_that_goes_away_cancels_its_call(mode: str) -> None:
    silence = Silence()

    async def main() -> None:
        with trio.fail_after(10):
            async with served(gateway(ScriptedApi(silence))) as url:
                async with Client(url, mode=mode) as client, anyio.create_task_group() as tasks:
                    tasks.start_soon(client.call_tool, "get_pet", {"id": 5})
                    await silence.reached.wait()
                    tasks.cancel_scope.cancel()
                with trio.fail_after(1):
                    await silence.cancelled.wait()

    trio.run(main)


@pytest.mark.parametrize(("path", "mode"), [("/mcp", "auto"), *(("/sse", mode) for mode in MODES)])
def test_a_cancelled_call_stops_while_the_client_stays(path: str, mode: str) -> None:
    silence = Silence()

    async def use(client: Client) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.call_tool, "get_pet", {"id": 5})
            await silence.reached.wait()
            tasks.cancel_scope.cancel()
        with trio.fail_after(1):
            await silence.cancelled.wait()
        assert (await client.call_tool("get_pet", {"id": 5})).content[0].text == '{"id":5}'

    with_client(mode, gateway(ScriptedApi(silence, ok())), use, path)


@over_both
def test_a_hundred_calls_at_once_get_their_own_answers(path: str) -> None:
    async def use(client: Client) -> None:
        async def ask(number: int) -> None:
            result = await client.call_tool("get_pet", {"id": number})
            assert result.content[0].text == f'{{"path":"/pets/{number}"}}'

        async with anyio.create_task_group() as tasks:
            for number in range(100):
                tasks.start_soon(ask, number)

    with_client("auto", gateway(ScriptedApi(echo)), use, path)
