"""A call that a stop or its deadline ends while it waits: its client learns whether anything was sent to the API.

The gateway stands before the real upstream, and an API on a socket.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import msgspec
import pytest
import trio

from loopback import OK, Do, Reply, client, clocked, get, loopback
from openapi_mcp_server.bridge.http_messages import HttpRequest, HttpResponse
from openapi_mcp_server.bridge.model import Tool
from openapi_mcp_server.gateway.gateway import Gateway
from openapi_mcp_server.gateway.serving import Authorize
from openapi_mcp_server.mcp.inbound import Call
from openapi_mcp_server.memory import MESSAGE_BYTES, Budget, Hold
from openapi_mcp_server.observe.trace import Carrier
from openapi_mcp_server.upstream.call import Upstream, UpstreamSettings
from openapi_mcp_server.upstream.credentials.requests import Pending
from openapi_mcp_server.upstream.sockets import Stream, TcpDialler
from scripted import ScriptedApi, gateway, tool, unchanged

CALL = Call(id=1, method="tools/call", version="2025-11-25", size=9, name="act", arguments=msgspec.Raw(b'{"id":5}'))
NOT_SENT = "Not sent: the server stops; call again"
DOUBTFUL = "the server stops and could not wait for it\nThe request may have been carried out"
SOON, LATER = 0.05, 5.0
"""Moments of a stop: while an answer is waited for without a cancel scope, and with one."""


class NoConnection(TcpDialler):
    async def connect(self, host: str, port: int, seconds: float = math.inf) -> Stream:
        await trio.sleep_forever()
        raise AssertionError


class NoToken:
    """A login that waits for its token."""

    is_last = False

    async def applied(self, _: HttpRequest) -> tuple[HttpRequest, object]:
        await trio.sleep_forever()
        raise AssertionError

    async def renewed(self, _: object, __: HttpResponse) -> bool:
        raise AssertionError


def with_token(request: HttpRequest, _: Tool, __: Carrier) -> Pending:
    return Pending(request, [NoToken()])


def unconnected() -> Upstream:
    return Upstream(NoConnection(), UpstreamSettings(retries=0))


class Unsent(ScriptedApi):
    """An upstream that sends nothing, and does not keep the deadline."""

    async def send(self, request: HttpRequest, *, deadline_seconds: float, hold: Hold) -> HttpResponse:
        await trio.sleep_forever()
        raise AssertionError


async def told(built: Gateway) -> str:
    with Budget(4 * MESSAGE_BYTES).open("a client") as hold:
        answer = msgspec.json.decode(b"".join(await built.answer(CALL, "http", hold=hold)))
    text: str = answer["result"]["content"][0]["text"]
    return text


HANGING: list[Reply] = [(OK,), (Do.HANG,)]
ANSWERING: list[Reply] = [(OK,)] * 3


@pytest.mark.parametrize("seconds", [SOON, LATER])
@pytest.mark.parametrize(
    ("make", "authorize", "replies", "first", "expected"),
    [
        pytest.param(lambda: client(max_connections=1), unchanged, HANGING, "hangs", NOT_SENT, id="a place at the API"),
        pytest.param(lambda: client(rate=0.1), unchanged, ANSWERING, "ends", NOT_SENT, id="its turn of a rate"),
        pytest.param(unconnected, unchanged, ANSWERING, "", NOT_SENT, id="a connection"),
        pytest.param(client, with_token, ANSWERING, "", NOT_SENT, id="a token"),
        pytest.param(client, unchanged, [(Do.HANG,)], "", DOUBTFUL, id="an answer on a new connection"),
        pytest.param(client, unchanged, HANGING, "ends", DOUBTFUL, id="an answer on a kept connection"),
    ],
)
@clocked
async def test_a_stop_tells_a_call_whether_anything_was_sent_for_it(
    make: Callable[..., Upstream], authorize: Authorize, replies: list[Reply], first: str, expected: str, seconds: float
) -> None:
    heard: list[str] = []
    async with loopback(replies) as api, make() as one, trio.open_nursery() as nursery:
        built = gateway(one, msgspec.structs.replace(tool("act", "POST"), origin=api.origin), authorize=authorize)
        if first:
            await one.send(get(api.origin), deadline_seconds=60)
        if first == "hangs":
            nursery.start_soon(partial(one.send, get(api.origin), deadline_seconds=600))
            await trio.sleep(LATER)

        async def ask() -> None:
            heard.append(await told(built))
            nursery.cancel_scope.cancel()

        nursery.start_soon(ask)
        await trio.sleep(seconds)
        built.give_up()
        await trio.sleep(1)
    assert len(heard) == 1
    assert heard[0].startswith(expected)


@clocked
async def test_a_call_that_outlasts_its_deadline_unsent_can_be_repeated() -> None:
    """The upstream keeps the deadline itself. This is the gateway's own, after `GUARD_SECONDS`."""
    heard = await told(gateway(Unsent(), tool("act", "POST"), call_seconds=7.0))
    assert heard == "no answer within 7 s\nNothing was sent: the call can be repeated."
