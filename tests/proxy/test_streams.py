"""The official clients on the real worker's streams, through the real nginx and without it.

All of them converse at once, with an API that does what they tell it: it answers a call only when its client has
confirmed what had to be heard before, so whoever holds an event back, on whatever part of the way, ends in a deadline.
"""

from __future__ import annotations

import signal
import socket
import statistics
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import anyio
import anyio.to_thread
import msgspec
import pytest
import trio
from mcp import Client
from mcp.client.sse import sse_client

from nginx import every_worker, proxy
from node import NODE, NODE_FOLDER
from openapi_mcp_server.server import ports
from openapi_mcp_server.server.asgi import Receive, Scope, Send
from openapi_mcp_server.server.http11 import connections
from openapi_mcp_server.server.sse.session import CALLS
from processes import Server, started

# The client leaves the generators of an event stream to the garbage collector, which Trio warns of.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Async generator 'httpx2:ResourceWarning", "ignore:Async generator 'httpcore2:ResourceWarning"
)

DEADLINE_SECONDS = 120
"""For all conversations at once: 70 s on a machine with ten times as much to do."""
LEAVING_SECONDS = 10
"""For a cancel to reach the API; the worker's own deadline for it is 30 s."""
AT_ONCE = 3 * CALLS
LIMITS = {"PROXY_RATE": "1000r/s", "PROXY_BURST": "1000", "PROXY_CONNECTIONS": "1000"}
OPERATION = """
  /{0}/{{client}}/{{id}}:
    get:
      operationId: {0}
      parameters:
        - {{name: client, in: path, required: true, schema: {{type: string}}}}
        - {{name: id, in: path, required: true, schema: {{type: integer}}}}
      responses: {{'200': {{description: ok}}}}"""
DOCUMENT = "openapi: 3.1.0\npaths:" + "".join(map(OPERATION.format, ("echo", "held", "gather"))) + "\n"

PYTHON = [f"python {mode} {transport}" for mode in ("legacy", "2026-07-28") for transport in ("http", "sse")]
TYPESCRIPT = [
    f"{package} {era} {transport}"
    for package, era in (("sdk", "legacy"), ("client", "legacy"), ("client", "auto"))
    for transport in ("http", "sse")
]


class Api:
    """``echo`` answers; ``held`` when it is released; ``gather`` when as many of a client's calls are there as a
    session may have. The rest is for the clients themselves: ``turn`` and ``done`` around what only one of them does
    at a time, when all have come so far; ``release``, ``seen`` and ``left`` about a call that is held."""

    def __init__(self, clients: int) -> None:
        self._clients = clients
        self._turn = trio.Semaphore(1)
        self._events: dict[tuple[str, str, str], trio.Event] = {}
        self._gathered: dict[str, int] = Counter()
        self._together: dict[str, int] = Counter()
        self.most_together: dict[str, int] = Counter()

    def event(self, what: str, client: str, number: str) -> trio.Event:
        return self._events.setdefault((what, client, number), trio.Event())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        what, client, number = scope["path"].strip("/").split("/")
        match what:
            case "held":
                self.event("seen", client, number).set()
                if await self._left_before(receive, self.event("release", client, number)):
                    self.event("left", client, number).set()
                    return
            case "gather":
                await self._gather(client)
            case "turn":
                self._clients -= 1
                if self._clients:
                    await self.event("everybody", "", "").wait()
                self.event("everybody", "", "").set()
                await self._turn.acquire()
            case "done":
                self._turn.release()
            case "release":
                self.event(what, client, number).set()
            case "seen":
                await self.event(what, client, number).wait()
            case "left":
                with trio.move_on_after(LEAVING_SECONDS) as waiting:
                    await self.event(what, client, number).wait()
                what = "still there" if waiting.cancelled_caught else what
        body = msgspec.json.encode({"id": number, "what": what, "sent": time.time()})
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _left_before(self, receive: Receive, released: trio.Event) -> bool:
        has_left = False
        async with trio.open_nursery() as nursery:

            async def watch() -> None:
                nonlocal has_left
                while (await receive())["type"] != "http.disconnect":
                    pass
                has_left = True
                nursery.cancel_scope.cancel()

            nursery.start_soon(watch)
            await released.wait()
            nursery.cancel_scope.cancel()
        return has_left

    async def _gather(self, client: str) -> None:
        """Whole groups of 16 go on together: with fewer in flight at once this would never end."""
        number = self._gathered[client]
        self._gathered[client] += 1
        full = self.event("gathered", client, str(number // CALLS))
        if (number + 1) % CALLS == 0:
            full.set()
        self._together[client] += 1
        self.most_together[client] = max(self.most_together[client], self._together[client])
        await full.wait()
        self._together[client] -= 1


class Seen(msgspec.Struct):
    """What one client saw: the gaps are the seconds from the API's answer to the client that has it in hand, while
    the other clients do nothing."""

    tools: list[str]
    gaps: list[float]
    progress: list[float]
    cancelled: str
    listens: dict[str, bool] | None
    right: int
    again: str


class PythonClient:
    """The same conversation as tests/node/streams.mjs."""

    def __init__(self, mode: str, url: str, api: str, name: str) -> None:
        self._mode = mode
        self._url = url
        self._api = api
        self._name = name
        # Up to 2025-11-25 a cancel is a message of its own, and statelessly nothing says which client's call it means.
        self._has_to_leave = mode == "legacy" and not url.endswith("/sse")

    async def converse(self) -> Seen:
        progress: list[float] = []

        async def progressed(done: float, total: float | None, message: str | None) -> None:
            progress.append(done)
            if len(progress) == 2:
                await self._tell("release", 1)

        async with self._connected() as client:
            tools = [tool.name for tool in (await client.list_tools()).tools]
            await self._tell("turn", 0)
            gaps = [_gap(await self._call(client, "echo", number)) for number in range(20)]
            await self._tell("done", 0)
            await self._call(client, "held", 1, progress_callback=progressed)
            listens = await self._listen(client)
            right = await self._ask_at_once(client)
        async with self._connected() as client:
            again = (await self._call(client, "echo", 99))["id"]
            await self._abandon(client)
            cancelled = "" if self._has_to_leave else await self._tell("left", 2)
        cancelled = cancelled or await self._tell("left", 2)
        return Seen(tools, gaps, progress, cancelled, listens, right, again)

    def _connected(self) -> Client:
        return Client(sse_client(self._url) if self._url.endswith("/sse") else self._url, mode=self._mode)

    async def _call(self, client: Client, tool: str, number: int, **options: Any) -> dict[str, Any]:
        result = await client.call_tool(tool, {"client": self._name, "id": number}, **options)
        return msgspec.json.decode(result.content[0].text)

    async def _listen(self, client: Client) -> dict[str, bool] | None:
        """What the server agrees to tell; None in the earlier era, which has no subscriptions."""
        if self._mode == "legacy":
            return None
        async with client.listen(tools_list_changed=True, resources_list_changed=True) as changes:
            return changes.honored.model_dump(by_alias=True, exclude_none=True)

    async def _abandon(self, client: Client) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._call, client, "held", 2)
            await self._tell("seen", 2)
            tasks.cancel_scope.cancel()

    async def _ask_at_once(self, client: Client) -> int:
        answers: dict[int, str] = {}

        async def ask(number: int) -> None:
            answers[number] = (await self._call(client, "gather", number))["id"]

        async with anyio.create_task_group() as tasks:
            for number in range(AT_ONCE):
                tasks.start_soon(ask, number)
        return sum(answer == str(number) for number, answer in answers.items())

    async def _tell(self, what: str, number: int) -> str:
        def ask() -> str:
            with urlopen(f"{self._api}/{what}/{self._name}/{number}", timeout=DEADLINE_SECONDS) as answer:
                return msgspec.json.decode(answer.read())["what"]

        return await anyio.to_thread.run_sync(ask)


def _gap(answer: dict[str, Any]) -> float:
    return time.time() - answer["sent"]


async def _typescript(who: list[str], url: str, api: str, name: str) -> Seen:
    argv = [str(NODE), "streams.mjs", *who, url, api, name, str(AT_ONCE)]
    done = await trio.run_process(argv, cwd=NODE_FOLDER, capture_stdout=True)
    return msgspec.json.decode(done.stdout, type=Seen)


class Conversations(msgspec.Struct):
    """By way ("direct" or "nginx") and client."""

    seen: dict[tuple[str, str], Seen]
    most_together: dict[str, int]


def _clients() -> list[str]:
    return PYTHON + (TYPESCRIPT if (NODE_FOLDER / "node_modules").exists() else [])


async def _converse(ways: dict[str, str], api: Api, listener: socket.socket) -> dict[tuple[str, str], Seen]:
    """Everybody at once: most of the time is spent waiting for progress."""
    api_url = "http://{}:{}".format(*listener.getsockname())
    seen: dict[tuple[str, str], Seen] = {}

    async def converse(way: str, client: str) -> None:
        url = f"{ways[way]}/{'sse' if client.endswith('sse') else 'mcp'}"
        name = f"{way}-{client}".replace(" ", "-")
        language, *rest = client.split()
        if language == "python":
            seen[way, client] = await PythonClient(rest[0], url, api_url, name).converse()
        else:
            seen[way, client] = await _typescript(client.split(), url, api_url, name)

    stop = trio.Event()
    with trio.fail_after(DEADLINE_SECONDS):
        async with trio.open_nursery() as serving_api:
            serving_api.start_soon(partial(connections.serve, api, listener, until=stop.wait, grace_seconds=0))
            async with trio.open_nursery() as conversing:
                for way in ways:
                    for client in _clients():
                        conversing.start_soon(converse, way, client)
            stop.set()
    return seen


@pytest.fixture(scope="module")
def conversations(tmp_path_factory: pytest.TempPathFactory) -> Conversations:
    folder = tmp_path_factory.mktemp("streams")
    (folder / "openapi.yaml").write_text(DOCUMENT)
    listener = ports.bind("127.0.0.1", 0)
    api_url = "http://{}:{}".format(*listener.getsockname())
    where = ("--spec-path", str(folder / "openapi.yaml"), "--api-url", api_url, "--allow-private-networks")
    api = Api(2 * len(_clients()))
    with started(*where, "--transport", "http", "--port", "0", HTTP_MAX_CONNECTIONS="2000") as worker:
        address = urlsplit(worker.url).netloc
        with proxy(folder, **every_worker(address), **LIMITS) as front:
            ways = {"direct": f"http://{address}", "nginx": front.url}
            return Conversations(trio.run(_converse, ways, api, listener), api.most_together)


@pytest.fixture(params=["direct", "nginx"])
def way(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=PYTHON + TYPESCRIPT)
def client(request: pytest.FixtureRequest) -> str:
    if request.param not in _clients():
        pytest.skip("no npm packages: scripts/test installs them")
    return request.param


def test_it_lists_calls_and_connects_again(conversations: Conversations, way: str, client: str) -> None:
    seen = conversations.seen[way, client]
    assert (seen.tools, seen.again) == (["echo", "held", "gather"], "99")


def test_each_event_arrives_before_the_next_is_sent(conversations: Conversations, way: str, client: str) -> None:
    """Progress after 2 and 3 seconds, and an answer that the API gives once the client has heard both."""
    seen = conversations.seen[way, client]
    assert seen.progress[:2] == [2, 3]
    shown = f"median {statistics.median(seen.gaps) * 1000:.1f} ms, longest {max(seen.gaps) * 1000:.1f} ms"
    print(f"{client} ({way}): from the API's answer to the client's: {shown}")
    assert statistics.median(seen.gaps) < 0.1


def test_it_subscribes_to_what_there_is(conversations: Conversations, way: str, client: str) -> None:
    expected = None if "legacy" in client else {"toolsListChanged": True}
    assert conversations.seen[way, client].listens == expected


def test_a_call_that_it_cancels_is_cancelled_at_the_api(conversations: Conversations, way: str, client: str) -> None:
    assert conversations.seen[way, client].cancelled == "left"


def test_calls_at_once_get_their_own_answers(conversations: Conversations, way: str, client: str) -> None:
    assert conversations.seen[way, client].right == AT_ONCE
    most = conversations.most_together[f"{way}-{client}".replace(" ", "-")]
    assert most == CALLS if client.endswith("sse") else most >= CALLS


@pytest.mark.parametrize("transport", ["http", "sse"])
def test_a_worker_that_stops_ends_subscriptions_and_sessions_properly(transport: str, tmp_path: Path) -> None:
    """The client hears that nothing more will come; had the stream been cut it would raise SubscriptionLost."""

    async def main(worker: Server, url: str) -> None:
        target = sse_client(f"{url}/sse") if transport == "sse" else f"{url}/mcp"
        with trio.fail_after(DEADLINE_SECONDS):
            async with (
                Client(target, mode="2026-07-28") as client,
                client.listen(tools_list_changed=True) as changes,
            ):
                worker.process.send_signal(signal.SIGTERM)
                with pytest.raises(StopAsyncIteration):
                    await anext(changes)

    with started("demo", "--port", "0") as worker:
        address = urlsplit(worker.url).netloc
        with proxy(tmp_path, **every_worker(address)) as front:
            trio.run(main, worker, front.url)
        assert worker.process.wait(DEADLINE_SECONDS) == 0
