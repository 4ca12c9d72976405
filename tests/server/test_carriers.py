"""What comes beside a message, and in its _meta, reaches the trace and the log over every transport."""

from __future__ import annotations

import msgspec
import pytest
import trio

from openapi_mcp_server.bridge.http_messages import HttpRequest, HttpResponse
from openapi_mcp_server.mcp.inbound import Batch, Call, from_http
from openapi_mcp_server.mcp.messages import Pieces
from openapi_mcp_server.memory import Hold
from openapi_mcp_server.observe.trace import Carrier
from openapi_mcp_server.server.conversation import Conversation
from openapi_mcp_server.server.posts import carrier
from openapi_mcp_server.server.sse.session import CALLS
from scripted import ScriptedApi, gateway, ok
from sessions import request, sse_server
from traced import Seen, parent_id

W3C = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
SPAN = 0x00F067AA0BA902B7
CALL = {"name": "get_pet", "arguments": {"id": 5}}


@pytest.mark.parametrize(
    ("header", "request_id"),
    [
        (b"4c2f8be09f", "4c2f8be09f"),
        (b"0b5c1c4e-3a1d-4f55-9d2c-1a2b3c4d5e6f", "0b5c1c4e-3a1d-4f55-9d2c-1a2b3c4d5e6f"),
        (b"x" * 128, "x" * 128),
        (b"x" * 129, ""),
        (b"a b", ""),
        (b"a\x1b[2J", ""),
        (b'a"b', ""),
        (b"\xe9", ""),
        (b"", ""),
    ],
)
def test_a_request_id_is_kept_if_it_can_stand_in_a_log(header: bytes, request_id: str) -> None:
    assert carrier("/mcp", {b"x-request-id": header}).request_id == request_id


def test_only_headers_that_are_of_interest_are_kept() -> None:
    headers = {
        b"authorization": b"Bearer s3cret",
        b"host": b"localhost:8000",
        b"traceparent": W3C.encode(),
        b"tracestate": b"a=1",
        b"x-amzn-trace-id": b"Root=1",
    }
    kept = carrier("/mcp", headers)
    assert kept == Carrier(
        host="localhost:8000", path="/mcp", traceparent=W3C, tracestate="a=1", amzn_trace_id="Root=1"
    )


@pytest.mark.parametrize(
    ("meta", "expected"),
    [
        ({"traceparent": W3C, "tracestate": "a=1"}, (W3C, "a=1")),
        ({"traceparent": W3C, "progressToken": 1}, (W3C, "")),
        ({"traceparent": 5, "tracestate": ["a"]}, ("", "")),
        ({"traceparent": None}, ("", "")),
        ({}, ("", "")),
    ],
)
def test_a_message_tells_its_trace_in_meta_and_is_not_refused_for_nonsense(meta: object, expected: object) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {**CALL, "_meta": meta}}
    message = from_http([], msgspec.json.encode(body))
    assert isinstance(message, Call)
    assert (message.traceparent, message.tracestate) == expected


def test_a_message_of_a_session_carries_its_own_headers() -> None:
    seen, records = Seen(), []
    built = gateway(ScriptedApi(), records=records, trace=seen.tracer.begin)

    async def main() -> None:
        with trio.fail_after(10):
            async with sse_server(built) as server:
                session = await server.open()
                body = request("tools/call", 1, CALL)
                await session.post(body, traceparent=W3C, x_request_id="first")
                await session.message()
                await session.post(body, x_request_id="second")
                await session.message()

    trio.run(main)
    assert [parent_id(one[0]) for one in seen.spans()] == [SPAN, None]
    assert [record.request_id for record in records] == ["first", "second"]


def test_a_message_that_has_to_wait_for_its_turn_keeps_what_came_beside_it() -> None:
    released, records = trio.Event(), []
    asked = [f"r-{number}" for number in range(CALLS + 2)]

    async def held(_: HttpRequest) -> HttpResponse:
        await released.wait()
        return ok()

    async def main() -> None:
        with trio.fail_after(10):
            async with sse_server(gateway(ScriptedApi(held), records=records)) as server:
                session = await server.open()
                for number, request_id in enumerate(asked):
                    await session.post(request("tools/call", number, CALL), x_request_id=request_id)
                released.set()
                for _ in asked:
                    await session.message()

    trio.run(main)
    assert sorted(record.request_id for record in records) == sorted(asked)


def test_every_call_of_a_batch_has_a_span_of_its_own_in_the_trace_that_carried_it() -> None:
    seen = Seen()
    built = gateway(ScriptedApi(), trace=seen.tracer.begin)
    said = []

    async def say(message: Pieces, _: Hold) -> None:
        said.append(message)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            calls = (
                Call(id=1, method="tools/list", version="2025-03-26", size=9),
                Call(id=2, method="tools/list", version="2025-03-26", size=9),
            )
            conversation = Conversation(built, "sse", nursery, say)  # type: ignore[arg-type]
            await conversation.take(Batch(calls), Carrier(traceparent=W3C))

    trio.run(main)
    assert len(said) == 1
    assert [parent_id(one[0]) for one in seen.spans()] == [SPAN, SPAN]
