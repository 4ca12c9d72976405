"""Requests that are sent at once, and answers that are soon there: as all others, but without a cancel scope."""

from __future__ import annotations

import gzip
import random
import socket
import sys
import threading
import weakref
from collections import Counter
from contextlib import suppress
from functools import partial
from itertools import chain
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from loopback import (
    MIB,
    NEXT,
    OK,
    Do,
    Reply,
    chunked,
    client,
    clocked,
    failing,
    get,
    loopback,
    outcome,
    read_request,
    send,
    sized,
)
from openapi_mcp_server.bridge.http_messages import HttpRequest
from openapi_mcp_server.bridge.origins import Origin
from openapi_mcp_server.errors import Refused, Timeout, UpstreamError
from openapi_mcp_server.memory import FREE, Budget, Hold
from openapi_mcp_server.upstream.breaker import OPEN_SECONDS, WINDOW
from openapi_mcp_server.upstream.call import SentCall, Upstream, UpstreamSettings
from openapi_mcp_server.upstream.sockets import Stream, TcpDialler, TcpStream
from openapi_mcp_server.upstream.soon import AT_ONCE, SOON_SECONDS, Looks, Soon

CALLS = 20
FAR = Origin("http", "api.example.com", 80)


def at_once(one: Upstream, *args: Any, seconds: float = 60, **named: Any) -> SentCall | None:
    return one.send_at_once(get(*args, **named), deadline_seconds=seconds, hold=FREE)


@pytest.mark.skipif(threading.gettrace() is not None, reason="something else counts already")
@clocked
async def test_an_answer_that_is_soon_there_needs_no_cancel_scope() -> None:
    entered: Counter[str] = Counter()

    def count(frame: Any, event: str, _: object) -> None:
        if event == "call":
            entered[frame.f_code.co_qualname] += 1

    async with loopback([(OK,)] * (CALLS + 1)) as api, client() as one:
        await one.send(get(api.origin), deadline_seconds=60)
        sys.setprofile(count)
        try:
            for _ in range(CALLS):
                await one.send(get(api.origin), deadline_seconds=60)
        finally:
            sys.setprofile(None)
    assert entered["Connection.soon"] >= CALLS
    assert entered["CancelScope.__enter__"] <= CALLS / 4  # those of who tends


@pytest.mark.parametrize("seconds", [0.1, 1, 8])
@clocked
async def test_an_answer_that_is_not_soon_there_is_waited_for(seconds: float) -> None:
    slow: Reply = (partial(trio.sleep, seconds), OK)
    async with loopback([(OK,), slow, (NEXT,)]) as api, client() as one:
        await send(one, get(api.origin))
        began = trio.current_time()
        assert (await one.send(get(api.origin), deadline_seconds=60)).body == b"ok"
        assert trio.current_time() - began == pytest.approx(seconds, abs=0.02)
        assert (await send(one, get(api.origin))).body == b"next"
        assert api.connections == 1


@pytest.mark.parametrize(("attempt", "left"), [(5, 60), (30, 4), (0.1, 60), (30, 0.1)])
@clocked
async def test_the_deadline_is_kept_to_the_moment(attempt: float, left: float) -> None:
    async with loopback([(OK,), (Do.HANG,)]) as api, client(attempt_seconds=attempt) as one:
        await one.send(get(api.origin), deadline_seconds=60)
        began = trio.current_time()
        with pytest.raises(Timeout, match=f"no whole answer .* within {min(attempt, left)} s") as caught:
            await one.send(get(api.origin), deadline_seconds=left)
        assert trio.current_time() - began == pytest.approx(min(attempt, left), abs=0.02)
        assert caught.value.outcome_unknown


@clocked
async def test_the_part_that_is_not_scoped_ends_by_itself() -> None:
    async with loopback([(OK,), (Do.HANG,)]) as api, client() as one:
        await one.send(get(api.origin), deadline_seconds=60)
        sent, began = at_once(one, api.origin), trio.current_time()
        assert sent is not None
        assert await sent.soon() is None
        assert trio.current_time() - began <= SOON_SECONDS + 0.01
        with trio.move_on_after(1) as scope:
            await sent.rest()
        assert scope.cancelled_caught


@clocked
async def test_a_client_that_leaves_meanwhile_leaves_nothing_behind() -> None:
    async with loopback([(OK,), (Do.HANG,)], [(NEXT,)]) as api, client(max_connections=1) as one:
        await one.send(get(api.origin), deadline_seconds=60)
        with trio.move_on_after(0.05) as scope:
            await one.send(get(api.origin), deadline_seconds=60)
        assert scope.cancelled_caught
        assert (await one.send(get(api.origin), deadline_seconds=60)).body == b"next"
        assert api.open == 1


@clocked
async def test_a_request_of_which_the_network_takes_a_part_goes_out_whole() -> None:
    body = b"x" * 16_000
    received = bytearray()

    class Narrow:
        async def connect(self, *_: object, **__: object) -> Stream:
            ours, self.theirs = trio.socket.socketpair()
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
            return TcpStream(trio.SocketStream(ours), ours)

    async with Upstream(narrow := Narrow(), UpstreamSettings(retries=0)) as one, trio.open_nursery() as nursery:
        nursery.start_soon(partial(one.send, get(FAR), deadline_seconds=60))
        await wait_all_tasks_blocked()
        await narrow.theirs.send(OK)
        await wait_all_tasks_blocked()
        received += await narrow.theirs.recv(1000)
        sent = at_once(one, FAR, method="PUT", body=body)
        assert sent is not None
        assert await sent.soon() is None

        async def answer() -> None:
            while not received.endswith(body):
                received.extend(await narrow.theirs.recv(1000))
            await narrow.theirs.send(NEXT)

        nursery.start_soon(answer)
        assert (await sent.rest()).body == b"next"
    narrow.theirs.close()
    assert received.count(b"PUT /pets") == 1


@clocked
async def test_a_request_that_cannot_be_written_takes_no_place_with_it() -> None:
    async with loopback([(OK,), (NEXT,)], [(NEXT,)]) as api, client(max_connections=1) as one:
        await one.send(get(api.origin), deadline_seconds=60)
        unwritable = msgspec.structs.replace(get(api.origin), headers=(("X-Name", "\N{SNOWMAN}"),))
        with pytest.raises(UnicodeEncodeError):
            await one.send(unwritable, deadline_seconds=60)
        assert (await one.send(get(api.origin), deadline_seconds=1)).body == b"next"


# In line for a place


@pytest.mark.skipif(threading.gettrace() is not None, reason="something else counts already")
@clocked
async def test_a_place_that_is_soon_free_needs_no_cancel_scope() -> None:
    entered: Counter[str] = Counter()

    def count(frame: Any, event: str, _: object) -> None:
        if event == "call":
            entered[frame.f_code.co_qualname] += 1

    async with loopback([(OK,)] * (CALLS + 1)) as api, client(max_connections=1) as one:
        await one.send(get(api.origin), deadline_seconds=60)
        sys.setprofile(count)
        try:
            async with trio.open_nursery() as nursery:
                for _ in range(CALLS):
                    nursery.start_soon(partial(one.send, get(api.origin), deadline_seconds=60))
        finally:
            sys.setprofile(None)
        assert len(api.requests) == CALLS + 1
    assert entered["FairPlaces.wait"] >= CALLS - 1
    assert entered["CancelScope.__enter__"] <= CALLS / 4  # those of who tends, and of the nursery


@clocked
async def test_who_waits_for_long_keeps_its_turn() -> None:
    slow: Reply = (partial(trio.sleep, 0.35), OK)
    async with loopback([(OK,), slow, (OK,), (OK,), (OK,)]) as api, client(max_connections=1) as one:
        async with trio.open_nursery() as nursery:
            for path in ("/first", "/slow", "/early", "/later", "/last"):
                nursery.start_soon(partial(one.send, get(api.origin, path), deadline_seconds=60))
                await trio.sleep(0.1)
        assert [request.split()[1] for request in api.requests] == [b"/first", b"/slow", b"/early", b"/later", b"/last"]
        assert one.waiting() == 0


@pytest.mark.parametrize("free_after", [0.1, 0.7, 9])
@pytest.mark.parametrize("seconds", [0.3, 0.8, 2])
@clocked
async def test_the_time_in_line_is_a_part_of_what_a_call_may_take(free_after: float, seconds: float) -> None:
    script: list[Reply] = [(OK,), (partial(trio.sleep, free_after), OK), (Do.HANG,)]
    async with loopback(script) as api, client(max_connections=1) as one, trio.open_nursery() as nursery:
        await one.send(get(api.origin), deadline_seconds=60)
        nursery.start_soon(partial(one.send, get(api.origin), deadline_seconds=60))
        await wait_all_tasks_blocked()
        began = trio.current_time()
        with pytest.raises(Timeout) as caught:
            await one.send(get(api.origin), deadline_seconds=seconds)
        assert trio.current_time() - began == pytest.approx(seconds, abs=0.02)
        assert caught.value.outcome_unknown == (free_after < seconds)  # whether it was sent


@pytest.mark.parametrize("leaves_after", [0.05, 0.6])
@clocked
async def test_a_client_that_leaves_stands_in_line_no_more(leaves_after: float) -> None:
    slow: Reply = (partial(trio.sleep, 1), OK)
    async with loopback([(OK,), slow, (NEXT,)]) as api, client(max_connections=1) as one:
        await one.send(get(api.origin), deadline_seconds=60)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(one.send, get(api.origin), deadline_seconds=60))
            await wait_all_tasks_blocked()
            with trio.move_on_after(leaves_after) as scope:
                await one.send(get(api.origin, "/left"), deadline_seconds=60)
            assert scope.cancelled_caught
            assert one.waiting() == 0
        assert (await one.send(get(api.origin), deadline_seconds=60)).body == b"next"
        assert len(api.requests) == 3


@pytest.mark.parametrize("after", [0.1, 0.6])
@clocked
async def test_who_stands_in_line_when_its_api_is_found_to_fail_is_refused(after: float) -> None:
    last: Reply = (partial(trio.sleep, after), *failing(b"500 No"))
    async with loopback([failing(b"500 No")] * (WINDOW - 1) + [last]) as api, client(max_connections=1) as one:
        for _ in range(WINDOW - 1):
            await outcome(one, api.origin)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(outcome, one, api.origin)
            await wait_all_tasks_blocked()
            with pytest.raises(Refused, match="fails too often"):
                await one.send(get(api.origin), deadline_seconds=60)
        assert len(api.requests) == WINDOW
        assert one.waiting() == 0


# As all others


class Patient(Upstream):
    """Sends nothing at once."""

    def send_at_once(self, request: HttpRequest, *, deadline_seconds: float, hold: Hold = FREE) -> None:
        pass


LATER = partial(trio.sleep, 0.6)
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n: a\n\r\n"
REPLIES: dict[str, Reply] = {
    "at once": (OK,),
    "byte by byte": tuple(bytes([each]) for each in OK),
    "in two": (OK[:20], LATER, OK[20:]),
    "with more": (OK + NEXT,),
    "with more later": (OK, LATER, b"x"),
    "large": (sized(b"x" * 300_000),),
    "too large": (sized(b"x" * 2 * MIB),),
    "the last one": (sized(b"ok", b"Connection: close\r\n"),),
    "closing": (OK, Do.CLOSE),
    "closed": (Do.CLOSE,),
    "reset": (Do.RESET,),
    "broken": (OK[:-1], Do.RESET),
    "silence": (Do.HANG,),
    "half": (OK[:-1], Do.HANG),
    "103": (b"HTTP/1.1 103 Early Hints\r\n\r\n", LATER, OK),
    "101": (b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",),
    "204": (b"HTTP/1.1 204 None\r\n\r\n",),
    "304": (b"HTTP/1.1 304 Same\r\nContent-Length: 2\r\n\r\n",),
    "chunks": (chunked(b"a", b"b"),),
    "chunks with more": (chunked(b"a") + b"x",),
    "chunks in two": (chunked(b"a", end=b""), LATER, b"0\r\n\r\n"),
    "trailers": (chunked(b"a", end=b"0\r\nA: b\r\n\r\n"),),
    "HTTP/1.0": (OK.replace(b"1.1", b"1.0"),),
    "packed": (sized(gzip.compress(b"ok"), b"Content-Encoding: gzip\r\n"),),
    "badly packed": (sized(b"ok", b"Content-Encoding: gzip\r\n"),),
    "404": (sized(b"no", status=b"404 No"),),
    "429": (sized(b"no", b"Retry-After: 1\r\n", b"429 Later"),),
    "500": (sized(b"no", status=b"500 No"),),
    "elsewhere": (sized(b"", b"Location: /there\r\n", b"301 Moved"),),
    "events": (EVENTS, Do.HANG),
    "broken events": (EVENTS, Do.RESET),
    "no HTTP": (b"\0\1", LATER, Do.CLOSE),
}


async def became(kind: type[Upstream], reply: Reply, method: str) -> tuple[list[object], float]:
    """Returns what comes of a request on a kept connection and of the one after it, and how long both take."""
    settings = UpstreamSettings(retries=1, attempt_seconds=3, answer_bytes=MIB)
    seen: list[object] = []
    async with loopback([(OK,), reply, (NEXT,)], [(NEXT,), (NEXT,)]) as api, kind(TcpDialler(), settings) as one:
        await one.send(get(api.origin), deadline_seconds=60)
        began = trio.current_time()
        for asked in (method, "GET"):
            result = await outcome(one, api.origin, method=asked)
            seen.append(str(result).replace(str(api.origin.port), ""))
            if isinstance(result, UpstreamError):
                seen.append((type(result), result.outcome_unknown, result.transient, result.retries))
        took = trio.current_time() - began
        return [*seen, [request.split()[0] for request in api.requests], api.connections], took


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("reply", REPLIES)
@clocked
async def test_whatever_comes_means_the_same_as_for_what_is_not_sent_at_once(reply: str, method: str) -> None:
    seen, took = await became(Upstream, REPLIES[reply], method)
    expected, seconds = await became(Patient, REPLIES[reply], method)
    assert seen == expected
    assert took == pytest.approx(seconds, abs=0.4)  # pauses are of random length


class TurnsOfTheLoop(trio.abc.Instrument):
    count = 0

    def before_io_wait(self, timeout: float) -> None:
        self.count += 1


@clocked
async def test_of_many_a_few_are_woken_in_one_turn_of_the_loop() -> None:
    soon, pairs, turns = Soon(), [socket.socketpair() for _ in range(10 * AT_ONCE)], TurnsOfTheLoop()
    woken: Counter[int] = Counter()

    async def wait(one: socket.socket) -> None:
        assert not await soon.is_readable(one)
        woken[turns.count] += 1

    trio.lowlevel.add_instrument(turns)
    soon.begin()
    async with trio.open_nursery() as nursery:
        for one, _ in pairs:
            nursery.start_soon(wait, one)
    soon.end()
    assert woken.total() == len(pairs)
    assert max(woken.values()) <= 2 * AT_ONCE
    assert trio.current_time() <= SOON_SECONDS + 0.05
    for one in chain.from_iterable(pairs):
        one.close()


@clocked
async def test_what_has_lasted_is_kept_by_nobody_once_it_is_over() -> None:
    class One:
        pass

    looks = Looks[One](lambda _: None)
    one = One()
    known = weakref.ref(one)
    looks.add(one)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(looks.tend)
        await trio.sleep(2 * SOON_SECONDS)
        looks.remove(one)
        del one
        assert known() is None
        nursery.cancel_scope.cancel()


# Whatever happens


async def echo(stream: trio.SocketStream, luck: random.Random, trouble: list[float]) -> None:
    """Answers each request with its path; some late, some wrongly, some not at all."""
    while (request := await read_request(stream)) is not None:
        await trio.sleep(luck.choice([0, 0, 0, 0.1, 0.2, 0.3, 0.6, 3]))
        whole, dice = sized(request.split()[1], b"Connection: close\r\n" * (luck.random() < 0.1)), luck.random()
        if dice < trouble[0] / 3:
            return
        if dice < trouble[0]:
            whole = whole.replace(b"200 OK", b"500 No")
        await stream.send_all(whole[:20])
        if dice > 0.9:
            await trio.sleep(0.3)
        await stream.send_all(whole[20:])


async def caller(one: Upstream, request: HttpRequest, hold: Hold, luck: random.Random) -> None:
    deadline, leaves_after = luck.choice([0.1, 0.3, 0.5, 0.6, 2, 10, 60]), luck.choice([0.05, 0.25, 0.26, 1, 99, 99])
    await trio.sleep(luck.choice([0, 0, luck.random()]))
    began = trio.current_time()
    with trio.move_on_after(leaves_after):
        try:
            answer = await one.send(request, deadline_seconds=deadline, hold=hold)
            assert answer.body.decode() == request.path
        except UpstreamError:
            pass
    assert trio.current_time() - began <= deadline + 0.1
    hold.close()


@pytest.mark.parametrize("seed", range(6))
@clocked
async def test_whoever_leaves_fails_or_waits_no_place_is_lost_and_no_answer_is_anothers(seed: int) -> None:
    luck, budget, trouble = random.Random(seed), Budget(100 * MIB), [seed % 4 / 5]
    settings = UpstreamSettings(max_connections=1 + seed, retries=seed % 3, breaker=seed % 2 == 1)

    async def serve(stream: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError):
            await echo(stream, luck, trouble)
        await stream.aclose()

    async with Upstream(TcpDialler(), settings) as one, trio.open_nursery() as nursery:
        [listener] = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        origin = Origin("http", "127.0.0.1", listener.socket.getsockname()[1])
        async with trio.open_nursery() as callers:
            for number in range(80):
                callers.start_soon(caller, one, get(origin, f"/{number}"), budget.open(luck.choice("aaab")), luck)
        assert (one.waiting(), budget.held) == (0, 0)
        trouble[0] = 0
        await trio.sleep(OPEN_SECONDS)  # where the API was left alone
        assert (await send(one, get(origin, "/well"))).body == b"/well"
        async with trio.open_nursery() as all_there_may_be:
            for _ in range(settings.max_connections):
                all_there_may_be.start_soon(send, one, get(origin))
            await wait_all_tasks_blocked()
            assert one.waiting() == 0
        nursery.cancel_scope.cancel()
