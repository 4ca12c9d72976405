"""Nothing of a connection that is over waits for the collector, which holds the loop for 10 ms for what 600 leave.

Each client connects, sends, waits for what comes and leaves, with a plain socket in a thread.
"""

from __future__ import annotations

import gc
import socket
from contextlib import suppress

import msgspec
import pytest
import trio

from asked import META
from garbage import uncollected
from openapi_mcp_server.bridge.policy import Principal
from openapi_mcp_server.server.principals.guard import Guard, InvalidToken
from openapi_mcp_server.upstream.soon import LOOK_SECONDS
from scripted import ScriptedApi, gateway, slowly
from served import VISITORS, endpoint
from sessions import request

CLIENTS = 20
OF_A_SESSION = 12
"""Objects of a session with its conversation, which hold each other."""
CALL = request("tools/call", 1, {"name": "get_pet", "arguments": {"id": 5}})
LARGE = request("tools/call", 1, {"name": "get_pet", "arguments": {"id": "x" * 100_000}})
LISTEN = request("subscriptions/listen", 1, {"notifications": {"toolsListChanged": True}, "_meta": META})
MODERN = b"MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: subscriptions/listen\r\n"


def sent(body, line=b"POST /mcp", more=b"", token=b"alice", length=None):
    size = len(body) if length is None else length
    return (
        b"%b HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: Bearer %b\r\n"
        b"Accept: application/json, text/event-stream\r\n%bContent-Length: %d\r\n\r\n%b"
    ) % (line, token, more, size, body)


LEFT = {
    "a call": (sent(CALL), 0),
    "a call by h11": (sent(CALL, more=b"Connection: close\r\n"), 0),
    "401": (sent(CALL, token=b"nobody"), 0),
    "413": (sent(b"{", length=80_000_000), 0),
    "415": (sent(CALL).replace(b"/json\r\nAuth", b"/xml\r\nAuth"), 0),
    "no HTTP": (b"garbage\r\n\r\n", 0),
    "no chunk": (
        sent(b"", more=b"Transfer-Encoding: chunked\r\n").replace(b"Content-Length: 0\r\n", b"") + b"x\r\n",
        0,
    ),
    "no whole body": (sent(b"{", length=1_000), 0),
    "a call that is refused": (sent(LARGE.replace(b"x" * 99_999, b"")), 0),
    "a large call that is refused": (sent(LARGE), 0),
    "a large message that is none": (sent(LARGE[:-1]), 0),
    "a subscription": (sent(LISTEN, more=MODERN), 0),
    "a session": (sent(b"", b"GET /sse"), OF_A_SESSION),
}


async def verify(token: bytes) -> Principal:
    if token == b"nobody":
        raise InvalidToken("the token is not known here")
    return Principal(key=f"token {token.decode()}", name=token.decode())


def visit(port: int, data: bytes, seconds: float = 0.05) -> None:
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.settimeout(seconds)
        client.sendall(data)
        with suppress(TimeoutError, ConnectionError):
            client.recv(65_536)


@pytest.mark.parametrize("kind", LEFT)
def test_nothing_of_a_connection_waits_for_the_collector(kind):
    data, most = LEFT[kind]

    async def main() -> int:
        async with endpoint(gateway(ScriptedApi()), msgspec.structs.replace(VISITORS, guard=Guard(verify))) as running:
            with uncollected():
                for _ in range(CLIENTS):
                    await trio.to_thread.run_sync(visit, running.port, data)
                await trio.testing.wait_all_tasks_blocked()
                return gc.collect()

    assert trio.run(main) <= CLIENTS * most + CLIENTS


@pytest.mark.parametrize("stays", [True, False])
@pytest.mark.parametrize("kind", ["a call", "a call by h11"])
def test_nothing_of_a_call_that_was_watched_waits_for_the_collector(kind, stays):
    data, _ = LEFT[kind]
    api = ScriptedApi(slowly(3 * LOOK_SECONDS))

    async def main() -> int:
        async with endpoint(built := gateway(api)) as running:
            with uncollected():
                async with trio.open_nursery() as clients:
                    for _ in range(CLIENTS):
                        clients.start_soon(trio.to_thread.run_sync, visit, running.port, data, 20 if stays else 0.05)
                while built.in_flight:
                    await trio.lowlevel.checkpoint()
                await trio.testing.wait_all_tasks_blocked()
                return gc.collect()

    assert trio.run(main) <= CLIENTS
    assert len(api.requests) == CLIENTS
