"""A document that changes while the program serves it: clients are told, calls in flight are answered, and one that is
broken changes nothing but what the operator is told."""

from __future__ import annotations

import gc
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import anyio
import msgspec
import pytest
import trio
from anyio.to_thread import run_sync
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.stdio import StdioServerParameters, stdio_client

from asked import fetch, message, post, until
from held import HeldApi
from openapi_mcp_server.bridge.model import Tool
from openapi_mcp_server.process import lifecycle
from openapi_mcp_server.process.stopping import Stop
from openapi_mcp_server.settings.config import load
from processes import Server, command, environment, started
from scraped import Page, metrics_url, scraped

# The client leaves the generators of an event stream to the garbage collector, which Trio warns of.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Async generator 'httpx2:ResourceWarning", "ignore:Async generator 'httpcore2:ResourceWarning"
)

DEADLINE_SECONDS = 30
OLD, NEW = "held", "renamed"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 7\r\n\r\nat last"
BROKEN = "^the documents were not loaded again"


def renamed(path: Path, name: str = NEW) -> None:
    """The operation under another name, put in place as a whole."""
    fresh = path.with_suffix(".new")
    fresh.write_text(HeldApi.DOCUMENT.replace("operationId: held", f"operationId: {name}"))
    fresh.replace(path)


class Fixture:
    """A document on disk, and the API behind it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "openapi.yaml"
        renamed(self.path, OLD)
        self.api = HeldApi()
        self.argv = ("--spec-path", str(self.path), "--api-url", self.api.url, "--allow-private-networks")
        self.argv += ("--spec-refresh-seconds", "1")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Fixture]:
    fixture = Fixture(tmp_path)
    yield fixture
    fixture.api.close()


class Told:
    """What a client hears without having asked."""

    def __init__(self) -> None:
        self.tools_changed = anyio.Event()

    async def __call__(self, message: object) -> None:
        if getattr(message, "method", "") == "notifications/tools/list_changed":
            self.tools_changed.set()


@asynccontextmanager
async def connected(transport: str, served: Fixture) -> AsyncIterator[tuple[Client, Told]]:
    """The official client and what it is told, in the way of its revision."""
    told = Told()
    if transport == "stdio":
        argv = [*command()[1:], *served.argv]
        parameters = StdioServerParameters(command=command()[0], args=argv, env=environment())
        async with Client(stdio_client(parameters), mode="legacy", message_handler=told) as client:
            yield client, told
        return
    with started(*served.argv, "--transport", "http", "--port", "0") as server:
        url = await run_sync(lambda: server.url)
        if transport == "sse":
            connection = sse_client(url.replace("/mcp", "/sse"))
            async with Client(connection, mode="legacy", message_handler=told) as client:
                yield client, told
            return
        async with (
            Client(url, mode="2026-07-28") as client,
            client.listen(tools_list_changed=True) as changes,
            anyio.create_task_group() as tasks,
        ):

            async def hear() -> None:
                async for _ in changes:
                    told.tools_changed.set()

            tasks.start_soon(hear)
            yield client, told
            tasks.cancel_scope.cancel()


@pytest.mark.parametrize("transport", ["http", "sse", "stdio"])
def test_clients_are_told_of_a_change_and_calls_in_flight_are_answered(transport: str, served: Fixture) -> None:
    async def main() -> None:
        with trio.fail_after(DEADLINE_SECONDS):
            async with connected(transport, served) as (client, told), trio.open_nursery() as nursery:
                answers: list[str] = []

                async def call(name: str) -> None:
                    answers.append((await client.call_tool(name)).content[0].text)

                assert [tool.name for tool in (await client.list_tools()).tools] == [OLD]
                nursery.start_soon(call, OLD)
                in_flight = await run_sync(served.api.accept)
                await run_sync(renamed, served.path)
                await told.tools_changed.wait()
                assert [tool.name for tool in (await client.list_tools()).tools] == [NEW]
                nursery.start_soon(call, NEW)
                with in_flight, await run_sync(served.api.accept) as new:
                    assert answers == []
                    new.sendall(ANSWER)
                    in_flight.sendall(ANSWER)
                    while len(answers) < 2:  # noqa: ASYNC110 - two tasks of the nursery
                        await anyio.sleep(0.01)
                assert answers == ["at last"] * 2

    trio.run(main)


@contextmanager
def watched(served: Fixture, *argv: str) -> Iterator[tuple[Server, str, str]]:
    """The server, and where its metrics and its endpoints are."""
    settings = {"ENABLE_PROMETHEUS": "true", "PROMETHEUS_PORT": "0"}
    with started(*served.argv, "--transport", "http", "--port", "0", *argv, **settings) as server:
        yield server, metrics_url(server), server.url.removesuffix("/mcp")


def listed(url: str) -> list[str]:
    answer = msgspec.json.decode(post(f"{url}/mcp", message("tools/list"))[1])
    return [tool["name"] for tool in answer["result"]["tools"]]


def health(url: str) -> dict[str, object]:
    answer: dict[str, object] = msgspec.json.decode(fetch(f"{url}/health")[2])
    return answer


def outcomes(page: Page) -> dict[str, float]:
    return {
        outcome: page.value("openapi_mcp_reloads_total", outcome=outcome)
        for outcome in page.labels("openapi_mcp_reloads_total", "outcome")
    }


def test_a_broken_document_leaves_what_was_there_and_is_told_in_log_metrics_and_health(served: Fixture) -> None:
    with watched(served) as (server, metrics, url):
        assert outcomes(scraped(metrics)) == {"unchanged": 0, "changed": 0, "failed": 0}
        assert health(url)["reload"]["outcome"] is None  # type: ignore[index]
        served.path.write_text("openapi: 3.1.0\npaths: [")
        said = server.wait_for(BROKEN)
        assert f"{served.path}, line " in str(said["message"])
        assert said["level"] == "ERROR"
        until(lambda: outcomes(scraped(metrics))["failed"] >= 2)  # it is tried again
        page = scraped(metrics)
        assert page.value("openapi_mcp_last_reload_successful") == 0
        assert page.value("openapi_mcp_tools", api="api") == 1
        now = health(url)
        assert (now["status"], now["tools"], now["reload"]["outcome"]) == ("ready", 1, "failed")  # type: ignore[index]
        assert listed(url) == [OLD]
        renamed(served.path)
        server.wait_for("^the documents can be used again")
        assert until(lambda: scraped(metrics).value("openapi_mcp_last_reload_successful")) == 1
        assert (listed(url), health(url)["reload"]["outcome"]) == ([NEW], "changed")  # type: ignore[index]
        assert sum("not loaded again" in str(line["message"]) for line in server.log) == 1


def test_everybody_who_knows_the_catalog_gets_the_new_one(served: Fixture) -> None:
    with watched(served) as (server, metrics, url):
        served.path.write_text(
            "openapi: 3.1.0\ninfo: {title: Second, version: '2'}\npaths:\n"
            "  /a: {get: {operationId: a, responses: {'200': {description: ok}}}}\n"
            "  /b: {get: {operationId: b, responses: {'200': {description: ok}}}}\n"
            "  /c: {get: {operationId: c, parameters: [{in: query}], responses: {'200': {description: ok}}}}\n"
        )
        said = server.wait_for("^the documents have changed")
        assert (said["added"], said["removed"], said["changed"]) == (2, 1, 0)
        assert server.wait_for("^operation skipped")["pointer"] == "#/paths/~1c/get/parameters/0"
        page, now = scraped(metrics), health(url)
        assert (page.value("openapi_mcp_tools"), page.value("openapi_mcp_skipped_operations")) == (2, 1)
        assert (now["tools"], now["skipped_operations"], now["apis"][0]["title"]) == (2, 1, "Second")  # type: ignore[index]
        assert listed(url) == ["a", "b"]


def test_without_the_setting_nothing_is_read_again_and_nothing_is_said_of_it(served: Fixture) -> None:
    with watched(served, "--spec-refresh-seconds", "0") as (_, metrics, url):
        assert "reload" not in health(url)
        assert outcomes(scraped(metrics)) == {}


def test_a_stop_does_not_wait_for_a_document_that_is_being_fetched(tmp_path: Path) -> None:
    document = HeldApi.DOCUMENT.encode()
    with socket.create_server(("127.0.0.1", 0)) as host, ExitStack() as stack:
        url = f"http://127.0.0.1:{host.getsockname()[1]}"
        argv = ("--spec-url", f"{url}/openapi.yaml", "--api-url", url, "--allow-private-networks")
        server = stack.enter_context(
            started(*argv, "--transport", "http", "--port", "0", "--spec-refresh-seconds", "1")
        )
        for answer in (document, None):
            connection = stack.enter_context(host.accept()[0])
            assert connection.recv(65536).startswith(b"GET /openapi.yaml ")
            if answer is not None:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer))
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(5) == 0
        server.read_to_the_end()
        assert not any("reload" in str(line["message"]) or "again" in str(line["message"]) for line in server.log)


def test_nothing_in_the_process_holds_on_to_the_tools_that_were_replaced(served: Fixture) -> None:
    def alive() -> set[str]:
        gc.unfreeze()
        return {one.name for one in gc.get_objects() if isinstance(one, Tool)} & {OLD, NEW}

    async def main() -> None:
        ready = trio.Event()
        stop = Stop(ready.set, lambda: None)
        config = load([*served.argv, "--transport", "http", "--port", "0"], {}, lambda path: "")
        with trio.fail_after(DEADLINE_SECONDS):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(lifecycle._serve, config, stop)
                await ready.wait()
                assert alive() == {OLD}
                await run_sync(renamed, served.path)
                while alive() != {NEW}:  # noqa: ASYNC110 - who would say when something is forgotten?
                    await anyio.sleep(0.05)
                stop.requested.set()

    gc.collect()
    trio.run(main)
