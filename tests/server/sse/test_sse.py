"""HTTP+SSE on real sockets: the session's stream, what is posted to it, and who is turned away."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock

import real_sockets
from clocks import hurried
from openapi_mcp_server.bridge.http_messages import HttpResponse
from openapi_mcp_server.gateway.gateway import Gateway
from openapi_mcp_server.observe.record import CallRecord
from openapi_mcp_server.server.posts import BODY_BYTES
from scripted import ScriptedApi, Silence, echo, gateway, ok, slowly, tool
from sessions import Server, request, sse_server


def run(use: Callable[[Server], Awaitable[Any]], built: Gateway | None = None, clock: MockClock | None = None) -> Any:
    async def main() -> Any:
        async with sse_server(built or gateway(ScriptedApi())) as server:
            return await use(server)

    return real_sockets.run(main, clock)


def test_the_stream_begins_at_once_with_the_address_for_messages():
    async def use(server: Server) -> None:
        http = await server.connect()
        async with http.stream:
            head = await http.ask("GET", "/sse")
            headers = dict(head.headers)
            assert headers[b"content-type"] == b"text/event-stream"
            assert headers[b"cache-control"] == b"no-store"
            assert headers[b"x-accel-buffering"] == b"no"
            first = bytes((await http.next()).data)
            assert re.fullmatch(rb"event: endpoint\ndata: /messages/w0/\?session_id=[0-9a-f]{32}\n\n", first)

    run(use)


def test_a_conversation_is_accepted_by_post_and_answered_on_the_stream():
    async def use(server: Server) -> None:
        session = await server.open()
        identity = {"protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        accepted = await session.post(request("initialize", "a", identity))
        assert (accepted.status, accepted.body) == (202, b"")
        assert (await session.message())["result"]["protocolVersion"] == "2024-11-05"
        assert (await session.post(b'{"jsonrpc":"2.0","method":"notifications/initialized"}')).status == 202
        await session.post(request("tools/list", 2))
        assert [tool["name"] for tool in (await session.message())["result"]["tools"]] == ["get_pet"]
        assert await session.call(3) == 202
        answer = await session.message()
        assert (answer["id"], answer["result"]["content"][0]["text"]) == (3, '{"id":5}')

    run(use)


def test_a_message_of_2026_07_28_says_so_in_itself():
    async def use(server: Server) -> None:
        session = await server.open()
        version = "io.modelcontextprotocol/protocolVersion"
        meta = {version: "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
        await session.post(request("server/discover", 1, {"_meta": meta}))
        assert "2026-07-28" in (await session.message())["result"]["supportedVersions"]

    run(use)


def test_a_batch_is_answered_in_one_event_once_its_revision_is_negotiated():
    async def use(server: Server) -> None:
        session = await server.open()
        identity = {"protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        await session.post(request("initialize", 0, identity))
        await session.message()
        await session.post(b"[%b,%b]" % (request("ping", 1), request("ping", 2)))
        assert [answer["id"] for answer in await session.message()] == [1, 2]

    run(use)


def test_an_error_about_a_call_is_on_the_stream_where_the_client_waits_for_it():
    records: list[CallRecord] = []

    async def use(server: Server) -> None:
        session = await server.open()
        assert (await session.post(request("no/such/method", 7))).status == 202
        answer = await session.message()
        assert (answer["id"], answer["error"]["code"]) == (7, -32601)

    run(use, gateway(ScriptedApi(), records=records))
    assert [(one.transport, one.outcome) for one in records] == [("sse", "protocol_error")]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", -32700),
        (b'"\xff"', -32700),
        (b"[]", -32600),
        (request("ping", 1).replace(b'"id":1', b'"id":null'), -32600),
        (request("ping", 1).replace(b'"id":1', b'"id":1.5'), -32600),
    ],
    ids=["no JSON", "no UTF-8", "an empty batch", "id null", "id a float"],
)
def test_a_message_without_a_usable_id_is_refused_where_it_was_posted(body: bytes, code: int):
    async def use(server: Server) -> None:
        session = await server.open()
        refused = await session.post(body)
        assert (refused.status, msgspec.json.decode(refused.body)["error"]["code"]) == (400, code)
        assert (await session.post(request("ping", 9))).status == 202
        assert (await session.message())["id"] == 9

    run(use)


def test_calls_with_the_same_id_are_answered_each_on_its_own_stream():
    async def use(server: Server) -> None:
        sessions = [await server.open() for _ in range(6)]
        for pet, session in enumerate(sessions):
            await session.call(1, pet)
        for pet, session in enumerate(sessions):
            answer = await session.message()
            assert (answer["id"], answer["result"]["content"][0]["text"]) == (1, f'{{"path":"/pets/{pet}"}}')

    run(use, gateway(ScriptedApi(echo)))


def test_calls_with_the_same_id_within_a_session_are_all_answered():
    async def use(server: Server) -> None:
        session = await server.open()
        async with trio.open_nursery() as nursery:
            for pet in range(6):
                nursery.start_soon(session.call, 1, pet)
        answers = [await session.message() for _ in range(6)]
        assert {answer["id"] for answer in answers} == {1}
        texts = {answer["result"]["content"][0]["text"] for answer in answers}
        assert texts == {f'{{"path":"/pets/{pet}"}}' for pet in range(6)}

    run(use, gateway(ScriptedApi(echo)))


def test_an_answer_of_many_lines_is_one_event():
    async def use(server: Server) -> None:
        session = await server.open()
        await session.call()
        text = (await session.message())["result"]["content"][0]["text"]
        assert msgspec.json.decode(text) == {"id": 5}

    run(use, gateway(ScriptedApi(ok(b'{\n  "id":\r\n  5\n\n}'))))


def test_progress_is_on_the_stream_before_the_answer():
    async def use(server: Server) -> None:
        session = await server.open()
        await session.call(progress=True)
        told = [(await session.message()).get("method", "the answer") for _ in range(3)]
        assert told == ["notifications/progress", "notifications/progress", "the answer"]

    run(use, gateway(ScriptedApi(slowly(3.5))), hurried())


def test_a_call_is_cancelled_by_its_client_and_the_session_goes_on():
    silence = Silence()

    async def use(server: Server) -> None:
        session = await server.open()
        await session.call(1)
        await silence.reached.wait()
        params = b'{"requestId":1}'
        await session.post(b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":%b}' % params)
        await silence.cancelled.wait()
        await session.call(2)
        assert (await session.message())["id"] == 2

    run(use, gateway(ScriptedApi(silence, ok())))


def test_silence_is_broken_by_a_comment_every_fifteen_seconds():
    async def use(server: Server) -> None:
        session = await server.open()
        began = trio.current_time()
        for number in range(1, 10):
            assert (await session.event())[0] == ""
            assert trio.current_time() - began == pytest.approx(15 * number, abs=1)

    run(use, clock=hurried())


@pytest.mark.parametrize("half", [False, True], ids=["closed", "only its sending side"])
def test_a_client_that_leaves_ends_its_session_and_its_calls_within_a_second(half: bool):
    silence = Silence()

    async def use(server: Server) -> None:
        session = await server.open()
        await session.call()
        await silence.reached.wait()
        await (session.http.stream.send_eof() if half else session.leave())
        with trio.fail_after(1):
            await silence.cancelled.wait()
        assert (await session.post(request("ping"))).status == 404

    run(use, gateway(ScriptedApi(silence)))


@pytest.mark.parametrize(
    "change",
    [
        lambda target: "/messages/w0/",
        lambda target: "/messages/w0/?session_id=",
        lambda target: f"/messages/w0/?session_id={'0' * 32}",
        lambda target: target[:-1],
        lambda target: target + "0",
        lambda target: target.upper().replace("/MESSAGES/W0/?SESSION_ID", "/messages/w0/?session_id") + "%20",
        lambda target: target + "&session_id=" + target[-32:],
        lambda target: target.replace("session_id", "sessionId"),
        lambda target: target.replace("/w0/", "/w1/"),
        lambda target: target.replace("/w0/", "/w0"),
        lambda target: target.replace("/w0/", "/"),
        lambda target: target.replace("/w0/", "/w0/more"),
    ],
    ids=range(12),
)
def test_a_session_that_is_unknown_forged_or_another_workers_is_not_found(change: Callable[[str], str]):
    api = ScriptedApi()

    async def use(server: Server) -> None:
        session = await server.open()
        call = request("tools/call", 1, {"name": "get_pet", "arguments": {"id": 5}})
        assert (await server.ask("POST", change(session.target), call)).status == 404
        assert api.requests == []

    run(use, gateway(api))


@pytest.mark.parametrize(
    ("method", "target", "changes", "status"),
    [
        ("GET", "/sse", {"host": "evil.example.com"}, 421),
        ("GET", "/sse", {"origin": "http://evil.example.com"}, 403),
        ("GET", "/sse", {"accept": "application/json"}, 406),
        ("POST", "/sse", {}, 405),
        ("HEAD", "/sse", {}, 405),
        ("POST", "messages", {"host": "evil.example.com"}, 421),
        ("POST", "messages", {"origin": "null"}, 403),
        ("POST", "messages", {"content_type": "text/plain"}, 415),
        ("POST", "messages", {"content_encoding": "gzip"}, 415),
        ("GET", "messages", {}, 405),
        ("DELETE", "messages", {}, 405),
    ],
)
def test_who_asks_wrongly_is_told_so(method: str, target: str, changes: dict[str, str], status: int):
    async def use(server: Server) -> None:
        session = await server.open()
        refused = await server.ask(method, session.target if target == "messages" else target, **changes)
        assert refused.status == status
        if status == 405:
            assert refused.headers["allow"] == ("GET" if target == "/sse" else "POST")

    run(use)


def test_a_body_that_is_too_large_is_refused_and_the_session_goes_on():
    async def use(server: Server) -> None:
        session = await server.open()
        assert (await session.post(b" " * (BODY_BYTES + 1))).status == 413
        assert (await session.post(request("ping", 2))).status == 202
        assert (await session.message())["id"] == 2

    run(use)


def test_no_event_is_longer_than_clients_read() -> None:
    picture = HttpResponse(status=200, reason="", headers=(("content-type", "image/png"),), body=b"x" * 2_000_000)
    entry = msgspec.Raw(msgspec.json.encode({"name": "a", "description": "x" * 30_000}))
    many = [msgspec.structs.replace(tool(f"tool_{number}"), entry=entry) for number in range(50)]

    async def use(server: Server) -> None:
        session = await server.open()
        await session.post(request("tools/list", 1))
        first = (await session.message())["result"]
        await session.post(request("tools/list", 2, {"cursor": first["nextCursor"]}))
        rest = (await session.message())["result"]
        assert len(first["tools"]) + len(rest["tools"]) == 51
        assert await session.call(3) == 202
        [picture, note] = (await session.message())["result"]["content"]
        assert picture["text"].startswith("[image/png, ")
        assert "the rest was left out" in note["text"]

    run(use, gateway(ScriptedApi(picture), tool(), *many))
