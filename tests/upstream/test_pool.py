"""Connections: kept, refused, secured, awaited and left alone by clients that go away."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from certificates import certificate
from clocks import run
from loopback import KEPT, NEXT, NOT_KEPT, OK, Do, Reply, client, clocked, get, loopback, send, sized
from openapi_mcp_server.bridge.http_messages import HttpRequest, HttpResponse
from openapi_mcp_server.bridge.origins import Origin
from openapi_mcp_server.errors import BadResponse, Refused, Timeout, Unreachable, UpstreamError
from openapi_mcp_server.upstream.call import Upstream, UpstreamSettings
from openapi_mcp_server.upstream.pool import FRESH_SECONDS, IDLE_SECONDS
from openapi_mcp_server.upstream.sockets import ConnectError, ConnectTimeout, OutOfResources, TcpDialler

pytestmark = pytest.mark.anyio

# Kept connections

TWO = {"max_connections": 2, "max_keepalive": 2}


@pytest.mark.parametrize("last_words", [b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n", b"\0", b""])
async def test_what_arrives_on_an_idle_connection_is_no_answer(last_words: bytes) -> None:
    go, gone = trio.Event(), trio.Event()

    async def finish() -> None:
        gone.set()

    reply: Reply = (OK, go.wait, last_words, *(() if last_words else (Do.CLOSE,)), finish)
    async with loopback([reply], [(NEXT,)]) as api, client() as one:
        await send(one, get(api.origin))
        go.set()
        await gone.wait()
        assert (await send(one, get(api.origin, method="POST"))).body == b"next"
        assert api.connections == NOT_KEPT


@pytest.mark.parametrize("end", [Do.CLOSE, Do.RESET])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
async def test_a_repeatable_request_that_meets_a_closing_connection_goes_out_once_more(method: str, end: Do) -> None:
    async with loopback([(OK,), (end,)], [(sized(b""),)]) as api, client() as one:
        await send(one, get(api.origin))
        assert (await send(one, get(api.origin, method=method))).status == 200
        assert (len(api.requests), api.connections) == (3, 2)


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_one_that_must_not_be_repeated_does_not(method: str) -> None:
    async with loopback([(OK,), (Do.CLOSE,)], [(NEXT,)]) as api, client() as one:
        await send(one, get(api.origin))
        with pytest.raises(BadResponse) as caught:
            await send(one, get(api.origin, method=method))
        assert caught.value.outcome_unknown
        assert len(api.requests) == 2


async def test_a_new_connection_that_closes_is_no_stale_one() -> None:
    async with loopback([(Do.CLOSE,)]) as api, client() as one:
        with pytest.raises(BadResponse):
            await send(one, get(api.origin))
        assert api.connections == 1


async def test_idle_connections_make_room_for_other_origins() -> None:
    async with loopback([(OK,)]) as first, loopback([(OK,)]) as second, loopback([(OK,)]) as third:
        async with client(**TWO) as one:
            for api in (first, second, third):
                await send(one, get(api.origin))
            await first.all_closed()
            assert (second.open, third.open) == (1, 1)
        await second.all_closed()
        await third.all_closed()


async def test_connections_that_were_closed_take_no_room() -> None:
    closing: list[Reply] = [(sized(b"", b"Connection: close\r\n"),)]
    kept: list[Reply] = [(OK,)]
    async with loopback(closing) as first, loopback(kept) as second, loopback(kept) as third, client(**TWO) as one:
        for api in (first, first, first, second, third):
            await send(one, get(api.origin))
        await first.all_closed()
        assert (second.open, third.open) == (1, 1)


async def test_no_more_connections_are_kept_than_allowed() -> None:
    async with loopback([(OK,)]) as first, loopback([(OK,)]) as second, client(max_keepalive=1) as one:
        await send(one, get(first.origin))
        await send(one, get(second.origin))
        await first.all_closed()
        assert second.open == 1


# No connection


async def test_a_closed_port_is_unreachable_and_nothing_was_sent() -> None:
    async with client() as one:
        with pytest.raises(
            Unreachable, match=r"^no connection to http://127\.0\.0\.1:1: Connection refused$"
        ) as caught:
            await send(one, get(Origin("http", "127.0.0.1", 1)))
    assert not caught.value.outcome_unknown


@clocked
async def test_an_address_that_does_not_answer_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, contextlib.ExitStack() as waiting:
        for _ in range(2):
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        with pytest.raises(ConnectTimeout):
            await TcpDialler().connect(*full.getsockname(), seconds=2)
    assert trio.current_time() == pytest.approx(2, abs=0.1)


class Unconnected:
    def __init__(self, error: Exception) -> None:
        self._error = error

    async def connect(self, *args: Any, **options: Any) -> Any:
        await trio.lowlevel.checkpoint()
        raise self._error


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (Refused("10.0.0.1 is private", outcome_unknown=False), Refused),
        (ConnectTimeout(), Timeout),
        (ConnectError("no such host"), Unreachable),
        (OutOfResources("Too many open files"), Refused),
    ],
)
async def test_what_stops_a_connection_is_named_and_nothing_was_sent(
    raised: Exception, kind: type[UpstreamError]
) -> None:
    async with Upstream(Unconnected(raised), UpstreamSettings(retries=0)) as one:
        with pytest.raises(kind) as caught:
            await send(one, get(Origin("http", "api.example.com", 80)))
    assert not caught.value.outcome_unknown


async def test_what_cannot_be_a_name_is_no_connection() -> None:
    with pytest.raises(ConnectError):
        await TcpDialler().connect("a..b", 80)


async def test_a_shortage_of_our_own_descriptors_is_told_as_ours() -> None:
    async with loopback([(OK,)]) as api, client(retries=0) as one:
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        with open_descriptors() as taken:
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(taken) + 1, limits[1]))
            try:
                with pytest.raises(Refused, match=r"this server cannot open a connection to .*: Too many open files"):
                    await send(one, get(api.origin))
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@contextlib.contextmanager
def open_descriptors() -> Iterator[list[int]]:
    """Takes every descriptor below the highest one that is open."""
    taken = [os.open(os.devnull, os.O_RDONLY)]
    highest = max(int(each.name) for each in Path("/proc/self/fd").iterdir())
    while taken[-1] < highest:
        taken.append(os.open(os.devnull, os.O_RDONLY))
    try:
        yield taken
    finally:
        for descriptor in taken:
            os.close(descriptor)


async def test_a_shortage_of_our_own_opens_no_breaker() -> None:
    async with Upstream(Unconnected(OutOfResources("Too many open files")), UpstreamSettings(retries=0)) as one:
        for _ in range(40):
            with pytest.raises(Refused, match="cannot open a connection"):
                await send(one, get(Origin("http", "api.example.com", 80)))
        assert list(one.breakers().values()) == ["closed"]


async def test_a_header_that_is_none_is_refused_without_a_word_of_it() -> None:
    async with loopback([(OK,)]) as api, client() as one:
        request = HttpRequest(
            method="GET", origin=api.origin, path="/", query="", headers=(("X-Key", "secret\r\nX-Evil: 1"),)
        )
        with pytest.raises(Refused) as caught:
            await send(one, request)
        assert "secret" not in str(caught.value)
        assert not caught.value.outcome_unknown
        assert api.requests == []


async def test_tls_trusts_what_ssl_cert_file_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tls, trusted = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    async with loopback([(OK,), (NEXT,)], tls=tls) as api, client() as one:
        assert (await send(one, get(api.origin))).body == b"ok"
        assert (await send(one, get(api.origin))).body == b"next"
        assert api.connections == KEPT


async def test_a_tls_record_after_the_answer_is_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tls, trusted = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    head = sized(b"x" * 16_000)[:-16_000]
    whole_record = sized(b"x" * (2**14 - len(head)))  # the largest one: what follows is in another, sent with it
    assert len(whole_record) == 2**14
    async with loopback([(whole_record + NEXT.replace(b"next", b"evil"),)], [(NEXT,)], tls=tls) as api, client() as one:
        await send(one, get(api.origin))
        assert (await send(one, get(api.origin))).body == b"next"


async def test_tls_without_trust_is_unreachable_and_says_why(tmp_path: Path) -> None:
    tls, _ = certificate(tmp_path)
    async with loopback([(OK,)], tls=tls) as api, client() as one:
        with pytest.raises(Unreachable, match="certificate verify failed") as caught:
            await send(one, get(api.origin))
        assert not caught.value.outcome_unknown
        await api.all_closed()


# Time


class Recorded:
    """Connections in memory: each `read` gives the next piece and then waits for ever. For a clock that jumps."""

    def __init__(self, *pieces: bytes, connects: bool = True) -> None:
        self._pieces = pieces
        self._left: list[bytes] = []
        self._connects = connects
        self.connections = 0

    async def connect(self, *args: Any, **options: Any) -> Any:
        if not self._connects:
            await trio.sleep_forever()
        await trio.lowlevel.checkpoint()
        self.connections += 1
        return self

    async def write(self, *args: Any) -> None:
        await trio.lowlevel.checkpoint()
        self._left = list(self._pieces)

    async def read(self, *args: Any) -> bytes:
        if not self._left:
            await trio.sleep_forever()
        await trio.lowlevel.checkpoint()
        return self._left.pop(0)

    async def close(self) -> None:
        await trio.lowlevel.checkpoint()

    plain = None

    def is_quiet(self) -> bool:
        return True


FAR = get(Origin("http", "api.example.com", 80))


def under_clock(dialler: Recorded, seconds: float, **settings: Any) -> tuple[HttpResponse | UpstreamError, float]:
    """What one call comes to, and after how long."""

    async def call() -> tuple[HttpResponse | UpstreamError, float]:
        async with Upstream(dialler, UpstreamSettings(retries=0, **settings)) as one:
            began = trio.current_time()
            try:
                return await one.send(FAR, deadline_seconds=seconds), trio.current_time() - began
            except UpstreamError as error:
                return error, trio.current_time() - began

    return run(call)


@pytest.mark.parametrize(
    ("dialler", "unknown"),
    [
        pytest.param(Recorded(connects=False), False, id="no connection"),
        pytest.param(Recorded(), True, id="no answer"),
        pytest.param(Recorded(b"HTTP/1.1 200 OK\r\n"), True, id="no end of the headers"),
        pytest.param(Recorded(sized(b"ok")[:-1]), True, id="no end of the body"),
    ],
)
@pytest.mark.parametrize(("left", "attempt", "expected"), [(7, 30, 7), (60, 30, 30)])
def test_the_earlier_deadline_ends_a_call(
    dialler: Recorded, unknown: bool, left: float, attempt: float, expected: float
) -> None:
    outcome, seconds = under_clock(dialler, left, attempt_seconds=attempt)
    assert isinstance(outcome, Timeout)
    assert (outcome.outcome_unknown, seconds) == (unknown, pytest.approx(expected))
    assert f"within {expected} s" in str(outcome)


def test_of_a_stream_without_end_what_arrived_by_the_deadline_is_kept() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    outcome, seconds = under_clock(Recorded(head, b"data: 1\n\n", b"data: 2\n\n"), 5)
    assert isinstance(outcome, HttpResponse)
    assert (outcome.body, outcome.cut) == (b"data: 1\n\ndata: 2\n\n", "at the deadline of 5 s")
    assert seconds == pytest.approx(5)


@pytest.mark.parametrize(
    ("method", "idle", "connections"),
    [
        ("GET", FRESH_SECONDS + 1, KEPT),
        ("GET", IDLE_SECONDS + 1, NOT_KEPT),
        ("POST", FRESH_SECONDS - 1, KEPT),
        ("POST", FRESH_SECONDS + 1, NOT_KEPT),
    ],
)
def test_the_older_a_kept_connection_the_less_it_is_trusted_with(method: str, idle: float, connections: int) -> None:
    dialler = Recorded(OK)
    clock = trio.testing.MockClock()

    async def calls() -> None:
        async with Upstream(dialler, UpstreamSettings()) as one:
            await one.send(FAR, deadline_seconds=9)
            clock.jump(idle)
            await one.send(get(FAR.origin, method=method), deadline_seconds=9)

    trio.run(calls, clock=clock)
    assert dialler.connections == connections


# Cancellation


CANCELLED_CALLS = 2_000


async def cancelled_calls(one: Upstream, requests: Iterator[HttpRequest], chance: random.Random) -> int:
    """Thirty clients at a time that leave after some steps of the event loop; how many calls they did not cancel."""
    ended = 0

    async def client_that_leaves() -> None:
        nonlocal ended
        for request in requests:
            with trio.CancelScope() as scope:
                nursery.start_soon(leave, scope)
                with contextlib.suppress(BadResponse):
                    await one.send(request, deadline_seconds=10)
            ended += not scope.cancelled_caught

    async def leave(scope: trio.CancelScope) -> None:
        for _ in range(chance.randrange(60)):
            await trio.lowlevel.checkpoint()
        scope.cancel()

    async with trio.open_nursery() as nursery:
        for _ in range(30):
            nursery.start_soon(client_that_leaves)
    return ended


async def test_cancelled_calls_leave_everything_as_it_was() -> None:
    chance = random.Random(7)
    everyone = trio.Event()
    at_once = 0

    async def meet() -> None:
        nonlocal at_once
        at_once += 1
        if at_once == 10:
            everyone.set()
        await everyone.wait()

    fast: list[Reply] = [(OK,)] * 5
    slow: list[Reply] = [(OK[:20], trio.lowlevel.checkpoint, OK[20:])] * 3 + [(Do.HANG,)]
    async with loopback(fast, [(Do.HANG,)], slow, [(Do.CLOSE,)], fast) as api, loopback([(meet, OK)]) as meeting:
        async with client(max_connections=10) as one:
            requests = (get(api.origin, method=chance.choice(["GET", "POST"])) for _ in range(CANCELLED_CALLS))
            assert 0 < await cancelled_calls(one, requests, chance) < CANCELLED_CALLS
            with trio.fail_after(5):  # every place is free again
                async with trio.open_nursery() as nursery:
                    for _ in range(10):
                        nursery.start_soon(send, one, get(meeting.origin))
        await api.all_closed()
        await meeting.all_closed()
