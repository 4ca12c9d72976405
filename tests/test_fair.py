"""The program beside four who take all that they can: a storm of calls, 2,000 sessions, answers that nobody reads, and
256 bodies of 4 MB. The others are served as if nobody else were there, and the memory stays within its bounds.
"""

from __future__ import annotations

import re
import resource
import socket
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path

import msgspec
import pytest
import trio

from asked import META, call, message
from processes import Server, started

BUDGET_MIB = 128
SESSION_LIMIT = 500
"""The default."""
TOKENS = {name: f"{name}-0123456789abcdef" for name in ("storm", "idle", "deaf", "large", "other")}
RATE = 20
LARGE = b"x" * 3_000_000
BODY_BYTES = 4_000_000
RECEIVE_BYTES = 4_096
"""What the kernel takes for a client that does not read."""
DOCUMENT = """
openapi: 3.1.0
info: {title: Fair, version: '1'}
paths:
  /small: {get: {operationId: small, responses: {'200': {description: ok}}}}
  /large: {get: {operationId: large, responses: {'200': {description: ok}}}}
"""


async def answer(stream: trio.SocketStream) -> None:
    with suppress(trio.BrokenResourceError):
        while asked := await stream.receive_some():
            body = LARGE if b" /large" in asked else b"Rex"
            head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(body)
            await stream.send_all(head + body)


def asked(who: str, body: bytes = b"", line: str = "POST /mcp", length: int | None = None, **fields: str) -> bytes:
    given = {
        "Host": "localhost",
        "Authorization": f"Bearer {TOKENS[who]}",
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "Content-Length": str(len(body) if length is None else length),
        **{name.replace("_", "-"): value for name, value in fields.items()},
    }
    lines = [f"{name}: {value}" for name, value in given.items()]
    return "\r\n".join([f"{line} HTTP/1.1", *lines, "", ""]).encode() + body


LISTEN = message("subscriptions/listen", 1, notifications={"toolsListChanged": True}, _meta=META)
MODERN = {"MCP_Protocol_Version": "2026-07-28", "Mcp_Method": "subscriptions/listen"}


class Crowd:
    """All clients of one server. ``taken``: the statuses that each got."""

    def __init__(self, port: int, stack: AsyncExitStack) -> None:
        self.port = port
        self._stack = stack
        self.taken: dict[str, Counter[str]] = {who: Counter() for who in TOKENS}

    async def connect(self, receive_buffer: int = 0) -> trio.SocketStream:
        connection = trio.socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        await connection.connect(("127.0.0.1", self.port))
        return trio.SocketStream(connection)

    async def ask(self, who: str, data: bytes) -> tuple[str, trio.SocketStream]:
        """The status, and the connection, which stays open."""
        stream = await self.connect()
        self._stack.callback(stream.socket.close)
        begun = b""
        with suppress(trio.BrokenResourceError):  # refused before all of it was taken
            await stream.send_all(data)
        with suppress(trio.BrokenResourceError):
            begun = bytes(await stream.receive_some())
        status = begun[9:12].decode() or "closed"
        self.taken[who][status] += 1
        return status, stream

    async def again(self) -> None:
        while True:
            _, stream = await self.ask("storm", asked("storm", call("small")))
            await trio.aclose_forcefully(stream)

    async def open_sessions(self, some: int) -> None:
        for _ in range(some):
            await self.ask("idle", asked("idle", line="GET /sse"))

    async def never_read(self, data: bytes) -> None:
        stream = await self.connect(RECEIVE_BYTES)
        self._stack.callback(stream.socket.close)
        await stream.send_all(data)

    async def send_slowly(self) -> None:
        """All but the last byte."""
        await self.ask("large", asked("large", b" " * (BODY_BYTES - 1), length=BODY_BYTES))


async def all_at_once(several: list[Callable[[], Awaitable[object]]]) -> None:
    async with trio.open_nursery() as nursery:
        for each in several:
            nursery.start_soon(each)


async def served(crowd: Crowd) -> None:
    """What the others do: calls, a session, a subscription."""
    for _ in range(100):
        status, _ = await crowd.ask("other", asked("other", call("small")))
        assert status == "200"
    assert (await crowd.ask("other", asked("other", line="GET /sse")))[0] == "200"
    assert (await crowd.ask("other", asked("other", LISTEN, **MODERN)))[0] == "200"


async def crowded(port: int, server: Server) -> dict[str, Counter[str]]:
    async with AsyncExitStack() as stack, trio.open_nursery() as nursery:
        nursery.start_soon(partial(trio.to_thread.run_sync, server.read_to_the_end, abandon_on_cancel=True))
        crowd = Crowd(port, stack)
        for _ in range(80):
            nursery.start_soon(crowd.again)
        for _ in range(40):
            nursery.start_soon(crowd.never_read, asked("deaf", call("large")))
        for _ in range(256):
            nursery.start_soon(crowd.send_slowly)
        await all_at_once([partial(crowd.open_sessions, 4)] * 500)
        await served(crowd)
        nursery.cancel_scope.cancel()
    return crowd.taken


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """The statuses that each got, and the most memory that the server had above what it had at the start."""
    path = tmp_path_factory.mktemp("fair") / "openapi.yaml"
    path.write_text(DOCUMENT)
    tokens = [{"name": name, "token": token} for name, token in TOKENS.items()]
    tokens[0]["rate"] = RATE
    settings = {"INBOUND_AUTH": "token", "INBOUND_TOKENS": msgspec.json.encode(tokens).decode(), "AUDIT": "none"}
    settings["MEMORY_BUDGET_BYTES"] = str(BUDGET_MIB * 2**20)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            [listener] = await nursery.start(partial(trio.serve_tcp, answer, 0, host="127.0.0.1"))
            api = f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
            argv = ("serve", "--spec-path", str(path), "--transport", "http", "--port", "0", "--api-url", api)
            with started(*argv, "--allow-private-networks", **settings) as server:
                url = await trio.to_thread.run_sync(lambda: server.url)
                before = most_mib(server)
                with trio.fail_after(120):
                    found.update(await crowded(int(url.split(":")[2].partition("/")[0]), server))
                found["memory"] = most_mib(server) - before
            nursery.cancel_scope.cancel()

    found: dict[str, object] = {}
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4_096)), hard))
    trio.run(main)
    return found


def most_mib(server: Server) -> float:
    """Resident, at most so far."""
    assert server.process.poll() is None
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1024


def test_the_others_get_everything(told):
    assert told["other"] == {"200": 102}


def test_each_of_the_four_gets_its_limit(told):
    assert told["idle"] == {"200": SESSION_LIMIT, "429": 2_000 - SESSION_LIMIT}
    assert set(told["storm"]) == {"200", "429"}
    assert told["storm"]["200"] < told["storm"]["429"]
    assert set(told["large"]) <= {"503", "closed"}
    assert 256 - told["large"].total() <= BUDGET_MIB * 2**20 // 2 // BODY_BYTES  # of which something was kept


def test_memory_stays_within_the_budget(told):
    assert told["memory"] < BUDGET_MIB
