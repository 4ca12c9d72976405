"""What one client of HTTP+SSE can take of the server, and how the sessions end when the server does."""

from __future__ import annotations

import re
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import real_sockets
from clocks import hurried
from openapi_mcp_server import aside
from openapi_mcp_server.bridge.http_messages import HttpRequest, HttpResponse
from openapi_mcp_server.gateway.gateway import Gateway
from openapi_mcp_server.observe.record import CallRecord
from openapi_mcp_server.server.http11.connection import WRITE_SECONDS
from openapi_mcp_server.server.principals.limits import OF_ONE_ADDRESS
from openapi_mcp_server.server.sse.http_sse import SESSIONS, http_sse
from openapi_mcp_server.server.sse.session import CALLS, WAITING_BYTES, WAITING_CALLS, WAITING_SECONDS
from scripted import ScriptedApi, Silence, gateway, ok
from served import VISITORS
from sessions import Server, request, sse_server

CANCEL = b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":%d}}'
LARGE = ok(b'"%b"' % (b"x" * 3_000_000))
"""Several of these are more than the buffers of two sockets take for a client that does not read."""


def run(use: Callable[[Server], Awaitable[Any]], built: Gateway, clock: MockClock | None = None) -> Any:
    async def main() -> Any:
        async with sse_server(built) as server:
            return await use(server)

    return real_sockets.run(main, clock)


class Answered:
    """Observes calls, and so knows of an answer that was made in a thread."""

    def __init__(self) -> None:
        self._calls = trio.Semaphore(0)

    def __call__(self, _: CallRecord) -> None:
        self._calls.release()

    async def once(self) -> None:
        await self._calls.acquire()
        await wait_all_tasks_blocked()


class Held:
    """An API that answers when it is released."""

    def __init__(self) -> None:
        self.released = trio.Event()

    async def __call__(self, request: HttpRequest) -> HttpResponse:
        await self.released.wait()
        return ok()


def paths(api: ScriptedApi) -> list[str]:
    return [one.path for one in api.requests]


def pets(*numbers: int) -> list[str]:
    return [f"/pets/{number}" for number in numbers]


def test_one_call_more_than_the_limit_waits_for_its_turn():
    held = Held()
    api = ScriptedApi(held)

    async def use(server: Server) -> None:
        session, another = await server.open(), await server.open()
        assert [await session.call(number, number) for number in range(CALLS + 1)] == [202] * (CALLS + 1)
        assert await another.call(0, 99) == 202  # a limit of the session, not of all
        await wait_all_tasks_blocked()
        assert sorted(paths(api)) == sorted(pets(*range(CALLS), 99))
        held.released.set()
        assert {(await session.message())["id"] for _ in range(CALLS + 1)} == set(range(CALLS + 1))
        assert paths(api)[-1] == f"/pets/{CALLS}"

    run(use, gateway(api))


def test_calls_that_wait_take_their_turns_in_the_order_in_which_they_came():
    released: list[trio.Event] = []

    async def one_by_one(request: HttpRequest) -> HttpResponse:
        released.append(trio.Event())
        await released[-1].wait()
        return ok()

    api = ScriptedApi(one_by_one)

    async def use(server: Server) -> None:
        session = await server.open()
        for number in range(CALLS + 3):
            await session.call(number, number)
        for number in range(3):
            released[number].set()
            await session.message()
            await wait_all_tasks_blocked()
            assert paths(api)[CALLS:] == pets(*range(CALLS, CALLS + number + 1))
        for event in released:
            event.set()

    run(use, gateway(api))


def test_a_cancelled_call_makes_room_for_one_that_waits():
    api = ScriptedApi(Silence())

    async def use(server: Server) -> None:
        session = await server.open()
        for number in range(CALLS + 1):
            await session.call(number, number)
        await wait_all_tasks_blocked()
        assert len(api.requests) == CALLS
        assert (await session.post(CANCEL % 0)).status == 202
        await wait_all_tasks_blocked()
        assert paths(api)[CALLS:] == pets(CALLS)

    run(use, gateway(api))


def test_a_call_that_is_cancelled_while_it_waits_is_never_carried_out():
    held = Held()
    api = ScriptedApi(held)

    async def use(server: Server) -> None:
        session = await server.open()
        for number in range(CALLS + 2):
            await session.call(number, number)
        await session.post(CANCEL % CALLS)
        held.released.set()
        assert {(await session.message())["id"] for _ in range(CALLS + 1)} == {*range(CALLS), CALLS + 1}
        assert f"/pets/{CALLS}" not in paths(api)

    run(use, gateway(api))


@pytest.mark.parametrize("beside", [b"", b',{"jsonrpc":"2.0","id":99,"method":"ping"}'], ids=["alone", "beside a call"])
def test_a_cancel_in_a_batch_is_heard_though_the_batch_waits(beside: bytes):
    held = Held()
    api = ScriptedApi(held)

    async def use(server: Server) -> None:
        session = await server.open()
        await session.post(request("initialize", 0, {"protocolVersion": "2025-03-26"}))
        await session.message()
        for number in range(1, CALLS + 3):
            await session.call(number, number)
        await session.post(b"[%b%b]" % (CANCEL % (CALLS + 1), beside))
        held.released.set()
        answered = [await session.message() for _ in range(CALLS + 1 + bool(beside))]
        ids = {each["id"] for one in answered for each in (one if isinstance(one, list) else [one])}
        assert ids == {*range(1, CALLS + 1), CALLS + 2, *([99] if beside else [])}
        assert f"/pets/{CALLS + 1}" not in paths(api)

    run(use, gateway(api))


def test_a_call_that_has_waited_for_too_long_is_refused_instead_of_carried_out_late():
    held = Held()
    api = ScriptedApi(held)

    async def use(server: Server) -> None:
        session = await server.open()
        for number in range(CALLS + 1):
            await session.call(number, number)
        await trio.sleep(WAITING_SECONDS + 1)
        held.released.set()
        answers = {}
        while len(answers) < CALLS + 1:
            kind, data = await session.event()
            if kind:
                answer = msgspec.json.decode(data)
                answers[answer["id"]] = answer
        assert answers[CALLS]["error"]["code"] == -32603
        assert "not carried out" in answers[CALLS]["error"]["message"]
        assert sorted(paths(api)) == sorted(pets(*range(CALLS)))

    run(use, gateway(api, call_seconds=1000), hurried())


def test_a_batch_that_has_waited_for_too_long_is_refused_call_by_call():
    held = Held()
    api = ScriptedApi(held)

    async def use(server: Server) -> None:
        session = await server.open()
        await session.post(request("initialize", 99, {"protocolVersion": "2025-03-26"}))
        await session.message()
        for number in range(CALLS):
            await session.call(number, number)
        late = [request("tools/call", number, {"name": "get_pet", "arguments": {"id": number}}) for number in (77, 78)]
        await session.post(b"[%b]" % b",".join(late))
        await trio.sleep(WAITING_SECONDS + 1)
        held.released.set()
        answers = []
        while len(answers) < CALLS + 1:
            kind, data = await session.event()
            answers += [msgspec.json.decode(data)] if kind else []
        [refused] = [each for each in answers if isinstance(each, list)]
        assert [(each["id"], each["error"]["code"]) for each in refused] == [(77, -32603), (78, -32603)]
        assert sorted(paths(api)) == sorted(pets(*range(CALLS)))

    run(use, gateway(api, call_seconds=1000), hurried())


def test_a_large_message_that_finds_no_turn_is_told_when_to_come_again():
    built, go_on = gateway(ScriptedApi(), call_seconds=0.1), threading.Event()

    async def use(server: Server) -> None:
        session = await server.open()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(built.read, aside.LARGE + 1, go_on.wait)
            await wait_all_tasks_blocked()
            refused = await session.post(request("ping", 1, {"padding": "x" * aside.LARGE}))
            assert (refused.status, refused.headers["retry-after"]) == (503, "5")
            go_on.set()

    run(use, built)


def test_a_flood_is_refused_and_nothing_of_it_is_carried_out():
    held = Held()
    api = ScriptedApi(held)

    async def use(server: Server) -> None:
        session, another = await server.open(), await server.open()
        allowed = CALLS + WAITING_CALLS
        assert [await session.call(number, number) for number in range(allowed)] == [202] * allowed
        refused = await session.post(request("tools/call", 9999, {"name": "get_pet", "arguments": {"id": 9999}}))
        assert (refused.status, refused.headers["retry-after"]) == (429, "5")
        assert (await session.post(CANCEL % (allowed - 1))).status == 202
        assert await session.call("in its place", 9998) == 202
        held.released.set()
        ids = {(await session.message())["id"] for _ in range(allowed)}
        assert ids == {*range(allowed - 1), "in its place"}
        assert "/pets/9999" not in paths(api)
        assert await another.call() == 202

    run(use, gateway(api))


def test_calls_that_wait_are_limited_in_bytes_too():
    padding = "x" * (WAITING_BYTES // 4)

    async def use(server: Server) -> None:
        session = await server.open()
        for number in range(CALLS):
            await session.call(number)
        large = [request("tools/call", number, {"name": padding}) for number in range(100, 106)]
        statuses = [(await session.post(body)).status for body in large]
        assert statuses == [202, 202, 202, 202, 429, 429]

    run(use, gateway(ScriptedApi(Silence())))


def test_a_batch_counts_as_its_messages():
    held = Held()
    api = ScriptedApi(held)

    async def use(server: Server) -> None:
        session = await server.open()
        identity = {"protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        await session.post(request("initialize", 0, identity))
        await session.message()
        call = request("tools/call", 1, {"name": "get_pet", "arguments": {"id": 5}})
        await session.post(b"[%b]" % b",".join([call] * CALLS))
        await session.call(2, 99)
        await wait_all_tasks_blocked()
        assert paths(api) == pets(5) * CALLS
        held.released.set()
        assert len(await session.message()) == CALLS
        assert (await session.message())["id"] == 2

    run(use, gateway(api))


def test_for_a_client_that_does_not_read_nothing_more_is_carried_out_until_it_does():
    api, answered = ScriptedApi(LARGE), Answered()

    async def use(server: Server) -> None:
        session = await server.open()
        for number in range(CALLS):
            asked = len(api.requests)
            assert await session.call(number) == 202
            await wait_all_tasks_blocked()
            if len(api.requests) > asked:
                await answered.once()
        assert 3 <= len(api.requests) < CALLS - 2
        assert {(await session.message())["id"] for _ in range(CALLS)} == set(range(CALLS))
        assert len(api.requests) == CALLS

    run(use, gateway(api, observe=answered))


def test_answers_that_need_no_call_wait_behind_those_that_nobody_reads():
    answered = Answered()

    async def use(server: Server) -> None:
        session = await server.open()
        await session.call("large")
        await answered.once()
        statuses = [(await session.post(request("ping", number))).status for number in range(WAITING_CALLS + CALLS)]
        assert statuses.index(429) >= WAITING_CALLS
        taken = statuses.count(202)
        ids = [(await session.message())["id"] for _ in range(1 + taken)]
        assert ids == ["large", *range(taken)]

    run(use, gateway(ScriptedApi(ok(b'"%b"' % (b"x" * 7_900_000))), observe=answered))


def test_calls_that_wait_are_answered_before_the_session_ends_with_the_server():
    held = Held()

    async def use(server: Server) -> None:
        session = await server.open()
        for number in range(CALLS + 5):
            await session.call(number)
        server.stop()
        await wait_all_tasks_blocked()
        held.released.set()
        assert {(await session.message())["id"] for _ in range(CALLS + 5)} == set(range(CALLS + 5))
        with pytest.raises(EOFError):
            await session.event()

    run(use, gateway(ScriptedApi(held)))


def test_calls_that_wait_are_forgotten_with_their_session():
    silence = Silence()
    api = ScriptedApi(silence)

    async def use(server: Server) -> None:
        session = await server.open()
        for number in range(CALLS + 5):
            await session.call(number)
        await silence.reached.wait()
        await session.leave()
        await silence.cancelled.wait()
        await wait_all_tasks_blocked()
        assert len(api.requests) == CALLS

    run(use, gateway(api))


def test_a_client_that_never_reads_is_closed_at_its_deadline_and_its_calls_are_cancelled():
    silence, answered, clock = Silence(), Answered(), MockClock()

    async def use(server: Server) -> None:
        session, another = await server.open(), await server.open()
        for number in range(4):
            await session.call(number)
        for _ in range(3):
            await answered.once()
        clock.autojump_threshold = 0.05  # not before: it knows nothing of the threads in which large answers are made
        began = trio.current_time()
        await another.post(request("ping", 7))
        assert (await another.message())["id"] == 7
        assert trio.current_time() - began < 1
        await silence.cancelled.wait()
        assert trio.current_time() - began == pytest.approx(WRITE_SECONDS, abs=1)
        assert (await session.post(request("ping"))).status == 404
        assert (await another.post(request("ping"))).status == 202

    run(use, gateway(ScriptedApi(silence, LARGE), observe=answered), clock)


def test_sessions_are_limited_in_all_and_for_one_address():
    async def main() -> None:
        def scope(address: str) -> dict[str, Any]:
            headers = [(b"host", b"localhost")]
            return {"type": "http", "method": "GET", "path": "/sse", "headers": headers, "client": (address, 1)}

        of_one = SESSIONS * OF_ONE_ADDRESS // 8
        sent: list[MutableMapping[str, Any]] = []

        async def receive() -> MutableMapping[str, Any]:
            return await trio.sleep_forever()

        async def send(event: MutableMapping[str, Any]) -> None:
            sent.append(event)

        async def opened(count: int, address: str) -> None:
            for _ in range(count):
                nursery.start_soon(sse, scope(address), receive, send)
            await wait_all_tasks_blocked()
            assert {event["status"] for event in sent if "status" in event} == {200}
            sent.clear()

        async with http_sse(gateway(ScriptedApi()), VISITORS, worker=0) as sse, trio.open_nursery() as nursery:
            await opened(of_one, "127.0.0.1")
            await sse(scope("127.0.0.1"), receive, send)
            assert sent[0]["status"] == 429
            sent.clear()
            await opened(SESSIONS - of_one, "127.0.0.2")
            await sse(scope("127.0.0.3"), receive, send)
            assert sent[0]["status"] == 503
            assert (b"retry-after", b"5") in sent[0]["headers"]
            nursery.cancel_scope.cancel()

    trio.run(main)


def test_idle_sessions_end_properly_when_the_server_drains():
    async def use(server: Server) -> None:
        sessions = [await server.open() for _ in range(20)]
        server.stop()
        for session in sessions:
            with pytest.raises(EOFError):
                await session.event()
        with trio.fail_after(2):
            await server.stopped.wait()

    run(use, gateway(ScriptedApi()))


def test_a_busy_session_ends_with_its_last_answer_when_the_server_drains():
    held = Held()

    async def use(server: Server) -> None:
        session = await server.open()
        for number in range(3):
            await session.call(number)
        server.stop()
        await wait_all_tasks_blocked()
        held.released.set()
        assert {(await session.message())["id"] for _ in range(3)} == {0, 1, 2}
        with pytest.raises(EOFError):
            await session.event()
        with trio.fail_after(2):
            await server.stopped.wait()

    run(use, gateway(ScriptedApi(held)))


def test_nothing_new_begins_while_the_server_drains_but_a_cancel_is_heard():
    api = ScriptedApi(Silence())

    async def use(server: Server) -> None:
        session = await server.open()
        await session.call(1)
        server.sse.drain()
        opened = await server.ask("GET", "/sse")
        assert (opened.status, opened.headers["retry-after"]) == (503, "5")
        assert await session.call(2) == 503
        assert (await session.post(CANCEL % 1)).status == 202
        with pytest.raises(EOFError):
            await session.event()
        assert len(api.requests) == 1

    run(use, gateway(api))


def test_a_client_that_never_reads_holds_no_stop_up_beyond_its_write():
    async def use(server: Server) -> None:
        session = await server.open()
        for number in range(3):
            await session.call(number)
        began = trio.current_time()
        server.stop()
        await server.stopped.wait()
        assert trio.current_time() - began <= 6  # the grace of this server is 5 s

    run(use, gateway(ScriptedApi(LARGE)), hurried())


def test_session_ids_do_not_repeat_and_are_not_made_by_clients():
    async def use(server: Server) -> None:
        targets = [(await server.open()).target for _ in range(50)]
        assert len(set(targets)) == 50
        assert all(re.search(r"=[0-9a-f]{32}$", target) for target in targets)

    run(use, gateway(ScriptedApi()))


@pytest.mark.anyio
async def test_a_session_below_a_path_of_a_proxy_is_posted_to_below_it() -> None:
    async with http_sse(gateway(ScriptedApi()), VISITORS, worker=2, prefix="/team1") as sse:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)
            if message.get("body"):
                opened.set()

        opened = trio.Event()
        scope = {
            "type": "http",
            "method": "GET",
            "path": "/sse",
            "headers": [(b"host", b"localhost")],
            "query_string": b"",
        }
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sse, scope, trio.sleep_forever, send)
            with trio.fail_after(5):
                await opened.wait()
            nursery.cancel_scope.cancel()
    assert b"data: /team1/messages/w2/?session_id=" in b"".join(each.get("body", b"") for each in sent)
