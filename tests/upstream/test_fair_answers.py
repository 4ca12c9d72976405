"""What comes from an API at the same moment: of one client it does not all go before another's."""

from __future__ import annotations

import gc
from contextlib import suppress

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from clocks import run
from garbage import uncollected
from loopback import OK, Do, chunked, get, sized
from openapi_mcp_server.bridge.origins import Origin
from openapi_mcp_server.errors import UpstreamError
from openapi_mcp_server.memory import UNBOUNDED
from openapi_mcp_server.server.principals.turns import MOST, Turns
from openapi_mcp_server.upstream.call import Upstream, UpstreamSettings
from openapi_mcp_server.upstream.sockets import ReadError

CALLS = 60
ROUNDS = 20


class Network:
    """Connections on which nothing comes until `go`; then everything does in one turn."""

    def __init__(self, answer: bytes | Do) -> None:
        self._answer = answer
        self._go = trio.Event()

    def go(self) -> None:
        self._go.set()

    async def connect(self, *_: object, **__: object) -> Network._Stream:
        await trio.lowlevel.checkpoint()
        return self._Stream(self)

    class _Stream:
        def __init__(self, network: Network) -> None:
            self._network = network
            self._left = network._answer

        async def write(self, data: bytes) -> None:
            pass

        async def read(self, most: int) -> bytes:
            await self._network._go.wait()
            if self._left is Do.RESET:
                raise ReadError("reset")
            if self._left is Do.HANG:
                await trio.sleep_forever()
            data, self._left = self._left, b""
            return data

        async def close(self) -> None:
            await trio.lowlevel.checkpoint()

        plain = None

        def is_quiet(self) -> bool:
            return True


ANSWERS = {
    "answers": OK,
    "answers in chunks": chunked(b"ok"),
    "refusals": sized(b"", status=b"500 No"),
    "broken connections": Do.RESET,
    "deadlines": Do.HANG,
}


async def answered(network: Network, turns: Turns) -> list[str]:
    """Whose calls were over, in order."""
    over: list[str] = []
    asking = UpstreamSettings(max_connections=CALLS + 1, retries=0, breaker=False, attempt_seconds=5)
    async with Upstream(network, asking, turn=turns.wait) as one, trio.open_nursery() as nursery:

        async def call(client: str) -> None:
            with UNBOUNDED.open(client) as hold, suppress(UpstreamError):
                await one.send(get(Origin("http", "api.example.com", 80)), deadline_seconds=9, hold=hold)
            over.append(client)

        await turns.wait("other")
        for client in ["greedy"] * CALLS + ["other"]:
            nursery.start_soon(call, client)
        await wait_all_tasks_blocked()
        network.go()
    return over


@pytest.mark.parametrize("answer", ANSWERS)
def test_another_client_gets_its_answer_after_a_few_of_many(answer: str) -> None:
    async def main() -> None:
        turns = Turns()
        for _ in range(ROUNDS):  # Trio runs what is ready in one turn in any order
            over = await answered(Network(ANSWERS[answer]), turns)
            assert len(over) == CALLS + 1
            assert over.index("other") <= 2 * MOST

    run(main)


WRONG = {
    "no HTTP": b"garbage\r\n\r\n",
    "no answer": b"",
    "half a body": sized(b"ok")[:-1],
    "half a chunk": chunked(b"ok")[:-1],
    "no chunk": chunked(b"ok").replace(b"2\r\n", b"x\r\n"),
    "no gzip": sized(b"ok", b"Content-Encoding: gzip\r\n"),
    "another protocol": b"HTTP/1.1 101 Switching\r\nUpgrade: a\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
    "a stream that breaks": chunked(b"data: 1\n\n", headers=b"Content-Type: text/event-stream\r\n", end=b"x\r\n"),
}


@pytest.mark.parametrize("answer", [*ANSWERS, *WRONG])
def test_nothing_of_a_call_waits_for_the_collector(answer: str) -> None:
    async def main() -> int:
        network = Network((ANSWERS | WRONG)[answer])
        network.go()
        await answered(network, Turns())
        with uncollected():
            await answered(network, Turns())
            return gc.collect()

    assert run(main) < CALLS
