"""APIs that fail: which requests they see again, when, and how many in all."""

from __future__ import annotations

import random
import time
from collections import Counter
from email.utils import formatdate
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from certificates import certificate
from loopback import MIB, NEXT, OK, Do, Reply, client, clocked, failing, get, loopback, outcome, sized
from openapi_mcp_server.bridge.http_messages import IDEMPOTENT_METHODS, HttpResponse
from openapi_mcp_server.bridge.origins import Origin
from openapi_mcp_server.errors import Refused, Timeout, Unreachable, UpstreamError
from openapi_mcp_server.memory import MESSAGE_BYTES, Budget
from openapi_mcp_server.upstream.addresses import AddressRule, CheckedDialler
from openapi_mcp_server.upstream.call import Upstream, UpstreamSettings
from openapi_mcp_server.upstream.retries import CALLS_PER_RETRY, SAVED_RETRIES
from openapi_mcp_server.upstream.sockets import TcpDialler

CALM = {"retries": 2, "breaker": False}


class Reluctant(TcpDialler):
    """Its first connections go to a port that is closed."""

    def __init__(self, refusals: int) -> None:
        self.dialled = 0
        self._refusals = refusals

    async def connect(self, host: str, port: int, *args: Any, **options: Any) -> Any:
        self.dialled += 1
        return await super().connect(host, 1 if self.dialled <= self._refusals else port, *args, **options)


# Which requests are sent again


@pytest.mark.parametrize("method", ["GET", "DELETE", "POST", "PATCH"])
@clocked
async def test_what_was_not_sent_is_tried_again_whatever_its_method(method: str) -> None:
    async with loopback([(OK,)]) as api, Upstream(Reluctant(2), UpstreamSettings()) as one:
        answer = await one.send(get(api.origin, method=method), deadline_seconds=60)
        assert (answer.status, answer.retries, answer.doubtful) == (200, 2, False)
        assert len(api.requests) == 1


@clocked
async def test_a_connection_that_takes_too_long_is_given_up_for_another() -> None:
    class Swallowed(Reluctant):
        async def connect(self, host: str, port: int, *args: Any, **options: Any) -> Any:
            if not self.dialled:
                self.dialled = 1
                await trio.sleep_forever()
            return await super().connect(host, port, *args, **options)

    async with loopback([(OK,)]) as api, Upstream(Swallowed(0), UpstreamSettings(attempt_seconds=5)) as one:
        answer = await one.send(get(api.origin, method="POST"), deadline_seconds=60)
        assert (answer.status, answer.retries, answer.doubtful) == (200, 1, False)
        assert 5 <= trio.current_time() < 5.3


@clocked
async def test_three_attempts_are_all() -> None:
    dialler = Reluctant(3)
    async with loopback([(OK,)]) as api, Upstream(dialler, UpstreamSettings()) as one:
        with pytest.raises(Unreachable) as caught:
            await one.send(get(api.origin), deadline_seconds=60)
        assert (dialler.dialled, caught.value.retries, caught.value.outcome_unknown) == (3, 2, False)
        assert trio.current_time() < 1


BROKEN = [
    pytest.param((Do.CLOSE,), id="closed before the answer"),
    pytest.param((Do.RESET,), id="reset before the answer"),
    pytest.param((OK[:20], Do.CLOSE), id="closed in the headers"),
    pytest.param((OK[:-1], Do.CLOSE), id="closed in the body"),
    pytest.param((OK[:-1], Do.RESET), id="reset in the body"),
    pytest.param((Do.HANG,), id="no answer"),
    pytest.param((OK[:-1], Do.HANG), id="no end of the answer"),
]


@pytest.mark.parametrize("reply", BROKEN)
@pytest.mark.parametrize("method", sorted(IDEMPOTENT_METHODS - {"HEAD"}))
@clocked
async def test_what_may_have_been_carried_out_is_repeated_if_it_does_no_harm(method: str, reply: Reply) -> None:
    async with loopback([reply], [(sized(b""),)]) as api, client(**CALM, attempt_seconds=5) as one:
        answer = await one.send(get(api.origin, method=method), deadline_seconds=60)
        assert (answer.status, answer.retries, answer.doubtful) == (200, 1, True)
        assert len(api.requests) == 2
        assert trio.current_time() < 6


@pytest.mark.parametrize("reply", [*BROKEN, failing(b"500 No"), failing(b"503 Busy", b"Retry-After: 0\r\n")])
@pytest.mark.parametrize("method", ["POST", "PATCH"])
@clocked
async def test_an_api_gets_a_request_that_might_do_harm_once(method: str, reply: Reply) -> None:
    async with loopback([reply], [(OK,)]) as api, client(**CALM, attempt_seconds=5) as one:
        result = await outcome(one, api.origin, method=method)
        assert result.retries == 0
        assert len(api.requests) == 1
        if isinstance(result, UpstreamError):
            assert result.outcome_unknown


@pytest.mark.parametrize(
    "reply",
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n",),
        (sized(b"ok", b"Content-Encoding: br\r\n"),),
        (sized(b"x" * 2_000),),
        failing(b"404 Not Found"),
        failing(b"429 Too Many Requests"),
        failing(b"501 Not Implemented"),
    ],
)
@clocked
async def test_what_would_only_be_repeated_is_not(reply: Reply) -> None:
    async with loopback([reply], [(OK,)]) as api, client(**CALM, answer_bytes=1_000) as one:
        assert (await outcome(one, api.origin)).retries == 0
        assert len(api.requests) == 1


@clocked
async def test_a_server_error_is_repeated_once() -> None:
    async with loopback([failing(b"500 First"), failing(b"502 Second"), (OK,)]) as api, client(**CALM) as one:
        answer = await one.send(get(api.origin), deadline_seconds=60)
        assert (answer.status, answer.reason, answer.retries, answer.doubtful) == (502, "Second", 1, True)
        assert len(api.requests) == 2


@clocked
async def test_nothing_is_sent_again_where_retries_are_off() -> None:
    async with loopback([failing(b"500 No")]) as api, client(retries=0) as one:
        assert (await one.send(get(api.origin), deadline_seconds=60)).retries == 0
        assert len(api.requests) == 1


@pytest.mark.anyio  # a name is resolved in a thread, for which the other clock would not wait
async def test_a_certificate_is_not_better_at_the_second_look(tmp_path: Path) -> None:
    tls, _ = certificate(tmp_path)
    dialler = Reluctant(0)
    async with loopback([(OK,)], tls=tls) as api, Upstream(dialler, UpstreamSettings()) as one:
        with pytest.raises(Unreachable, match="certificate verify failed") as caught:
            await one.send(get(api.origin), deadline_seconds=60)
    assert (dialler.dialled, caught.value.retries) == (1, 0)


@clocked
async def test_an_address_that_is_not_allowed_is_asked_for_once() -> None:
    asked = []

    async def resolve(host: str, port: int) -> list[str]:
        await trio.lowlevel.checkpoint()
        asked.append(host)
        return ["10.0.0.1"]

    rule = AddressRule(allow_private=False, allow_insecure=True)
    async with Upstream(CheckedDialler(rule, resolve), UpstreamSettings()) as one:
        with pytest.raises(Refused, match=r"10\.0\.0\.1"):
            await one.send(get(Origin("http", "api.example.com", 80)), deadline_seconds=60)
    assert asked == ["api.example.com"]


@clocked
async def test_that_nothing_was_sent_is_not_said_once_something_was() -> None:
    class Gone(Reluctant):
        async def connect(self, host: str, port: int, *args: Any, **options: Any) -> Any:
            return await super().connect(host, 1 if self.dialled else port, *args, **options)

    async with loopback([(Do.CLOSE,)]) as api, Upstream(Gone(0), UpstreamSettings()) as one:
        with pytest.raises(Unreachable) as caught:
            await one.send(get(api.origin, method="PUT"), deadline_seconds=60)
        assert (caught.value.outcome_unknown, caught.value.retries) == (True, 2)


# When


@pytest.mark.parametrize(
    ("headers", "waited"),
    [
        (b"Retry-After: 0\r\n", 0),
        (b"Retry-After: 7\r\n", 7),
        (b"Retry-After: Sun, 01 Mar 2026 12:00:07 GMT\r\nDate: Sun, 01 Mar 2026 12:00:00 GMT\r\n", 7),
        (b"Retry-After: %b\r\n" % formatdate(0, usegmt=True).encode(), 0),
    ],
)
@pytest.mark.parametrize("status", [b"429 Slow Down", b"503 Busy"])
@clocked
async def test_an_api_that_says_when_is_asked_then(status: bytes, headers: bytes, waited: float) -> None:
    async with loopback([failing(status, headers), (OK,)]) as api, client(**CALM) as one:
        answer = await one.send(get(api.origin), deadline_seconds=60)
        assert (answer.status, answer.retries, answer.doubtful) == (200, 1, False)
        assert waited <= trio.current_time() <= waited + 0.3


@pytest.mark.parametrize(
    "after",
    [b"59.5", b"60", b"9" * 300, formatdate(time.time() + 3600, usegmt=True).encode()],
    ids=["1", "2", "3", "4"],
)
@clocked
async def test_an_api_that_says_when_it_is_too_late_is_not_asked_again(after: bytes) -> None:
    async with (
        loopback([failing(b"429 Slow Down", b"Retry-After: %b\r\n" % after), (OK,)]) as api,
        client(**CALM) as one,
    ):
        answer = await one.send(get(api.origin), deadline_seconds=60)
        assert (answer.status, answer.retries, len(api.requests)) == (429, 0, 1)
        assert trio.current_time() < 0.1


@clocked
async def test_all_attempts_and_pauses_are_inside_the_deadline_of_the_call() -> None:
    async with loopback([(Do.HANG,)]) as api, client(**CALM, attempt_seconds=25) as one:
        with pytest.raises(Timeout) as caught:
            await one.send(get(api.origin), deadline_seconds=60)
        assert trio.current_time() == pytest.approx(60, abs=0.1)
        assert (len(api.requests), caught.value.retries) == (3, 2)


@clocked
async def test_no_attempt_begins_when_the_call_is_as_good_as_over() -> None:
    async with loopback([(Do.HANG,)]) as api, client(**CALM, attempt_seconds=5) as one:
        with pytest.raises(Timeout, match="within 5 s"):
            await one.send(get(api.origin), deadline_seconds=5.9)
        assert (trio.current_time(), len(api.requests)) == (pytest.approx(5, abs=0.1), 1)


@clocked
async def test_a_client_that_leaves_during_a_pause_is_forgotten() -> None:
    replies = [failing(b"503 Busy", b"Retry-After: 5\r\n"), (NEXT,)]
    async with loopback(replies) as api, client(**CALM, max_connections=1) as one:
        with trio.move_on_after(2) as scope:
            await one.send(get(api.origin), deadline_seconds=60)
        assert scope.cancelled_caught
        await trio.sleep(10)
        assert len(api.requests) == 1
        assert (await one.send(get(api.origin), deadline_seconds=60)).body == b"next"


@clocked
async def test_a_pause_holds_no_connection() -> None:
    slow: list[Reply] = [failing(b"503 Busy", b"Retry-After: 5\r\n"), (NEXT,), (OK,)]
    async with loopback(slow) as api, client(**CALM, max_connections=1) as one, trio.open_nursery() as nursery:
        nursery.start_soon(partial(one.send, get(api.origin), deadline_seconds=60))
        await trio.sleep(1)
        assert (await one.send(get(api.origin), deadline_seconds=60)).body == b"next"
        assert trio.current_time() < 2


@clocked
async def test_what_came_of_answers_that_broke_takes_no_room_from_the_next() -> None:
    whole = sized(b"x" * 9 * MIB)
    broken: list[Reply] = [(whole[: 5 * MIB], Do.CLOSE)]
    async with loopback(broken, broken, [(whole,)]) as api, client(**CALM) as one:
        with Budget(8 * MESSAGE_BYTES).open("a") as hold:
            answer = await one.send(get(api.origin), deadline_seconds=60, hold=hold)
            assert (len(answer.body), answer.retries) == (9 * MIB, 2)
            assert hold.held < 13 * MIB


# How many in all


@clocked
async def test_an_outage_is_not_multiplied() -> None:
    calls = 300
    async with loopback([failing(b"500 Down")] * 2 * calls) as api, client(**CALM) as one:
        for _ in range(calls):
            await one.send(get(api.origin), deadline_seconds=60)
        assert len(api.requests) == calls + SAVED_RETRIES + (calls - 1) // CALLS_PER_RETRY


NONCES = 400
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b"


class Flaky:
    """Answers with the path it was asked for, if it answers; counts what it carried out."""

    def __init__(self, chance: random.Random) -> None:
        self.carried_out: Counter[str] = Counter()
        self._chance = chance

    async def serve(self, stream: trio.SocketStream) -> None:
        with trio.CancelScope() as scope:
            try:
                while request := await stream.receive_some():
                    method, path, _ = request.decode().split(" ", 2)
                    self.carried_out[f"{method} {path}"] += 1
                    whole = WHOLE % (len(path), path.encode())
                    match self._chance.randrange(8):
                        case 0:
                            break
                        case 1:
                            await stream.send_all(whole[: self._chance.randrange(len(whole))])
                            break
                        case 2:
                            await stream.send_all(sized(path.encode(), status=b"503 Busy"))
                        case 3:
                            await stream.send_all(sized(b"", b"Retry-After: 1\r\n", b"429 Slow Down"))
                        case 4:
                            await stream.send_all(whole + b"\0")
                        case _:
                            await stream.send_all(whole)
            except trio.BrokenResourceError:
                pass  # the client had enough
            scope.cancel()
            await stream.aclose()


@clocked
async def test_of_calls_that_fail_in_every_way_each_has_one_outcome_and_its_own() -> None:
    chance = random.Random(11)
    flaky = Flaky(chance)
    results: Counter[str] = Counter()
    calls = iter([(chance.choice(["GET", "PUT", "POST"]), f"/{nonce:x}") for nonce in range(NONCES)])

    async def caller(one: Upstream, origin: Origin) -> None:
        for method, path in calls:
            result = await outcome(one, origin, path, method)
            results[f"{method} {path}"] += 1
            assert not isinstance(result, HttpResponse) or result.status == 429 or result.body.decode() == path
            seen = flaky.carried_out[f"{method} {path}"]
            assert 1 + result.retries <= seen <= (1 if method == "POST" else 6)  # a stale connection costs one more

    async with trio.open_nursery() as nursery, client(**CALM, max_connections=8) as one:
        [listener] = await nursery.start(partial(trio.serve_tcp, flaky.serve, 0, host="127.0.0.1"))
        origin = Origin("http", "127.0.0.1", listener.socket.getsockname()[1])
        async with trio.open_nursery() as callers:
            for _ in range(20):
                callers.start_soon(caller, one, origin)
        nursery.cancel_scope.cancel()
    assert (results.total(), set(results.values())) == (NONCES, {1})
