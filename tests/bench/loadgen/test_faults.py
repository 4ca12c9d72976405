"""Answers that are lost, mixed up, doubled or wrong are counted, over each transport; a sound server has none."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import msgspec
import pytest
import trio
import trio.testing

import planted
from certificates import certificate
from clocks import hurried
from loadgen import wire
from loadgen.connections import dialled
from loadgen.engine import Client, Engine, Mix
from loadgen.failures import Failure
from loadgen.ledger import REMEMBERED, Ledger
from loadgen.messages import call
from loadgen.pace import pace_of
from loadgen.plan import LEGACY, MODERN, SSE_REVISION, Load, Target, Template
from loadgen.sessions import Session
from loadgen.stdio import open_stdio
from loadgen.streamable_http import open_http
from loadgen.tally import Tally
from loadgen.transports import opened
from planted import Planted, serving

CALLS = 40
EVERY = 20
PLANTED = CALLS // EVERY
PATHS = {"http": (LEGACY, "/mcp"), "modern http": (MODERN, "/mcp"), "sse": (SSE_REVISION, "/sse")}
TRANSPORTS = ("http", "modern http", "http with events", "sse", "stdio")
ECHO = Template(tool="echo", arguments=msgspec.Raw(b'{"text":"I am {nonce}"}'), is_checked=True)

FOUND = {
    "none": ({}, {}),
    "mixed up": ({"mixed-up": PLANTED}, {"mixed-up": PLANTED}),
    "lost": ({"timeout": PLANTED}, {}),
    "doubled": ({}, {"doubled": PLANTED}),
    "number missing": ({"number missing": PLANTED}, {"unnumbered": PLANTED}),
    "tool error": ({"tool error": PLANTED}, {}),
    "error": ({"error -32603": PLANTED}, {}),
}
"""Errors by kind, and answers that nobody waited for, by what is planted."""


@asynccontextmanager
async def target_of(transport: str, fault: str) -> AsyncIterator[Target]:
    if transport == "stdio":
        command = (sys.executable, planted.__file__, fault, str(EVERY))
        yield Target(transport="stdio", command=command, revision=LEGACY)
        return
    events = transport == "http with events"
    revision, path = PATHS["http" if events else transport]
    async with serving(Planted(fault, EVERY, events=events)) as origin:
        yield Target(transport="sse" if path == "/sse" else "http", url=origin + path, revision=revision)


async def loaded(target: Target, load: Load) -> tuple[Tally, Ledger]:
    ledger, start = Ledger(100), trio.current_time()
    with trio.fail_after(30):
        async with trio.open_nursery() as tasks:

            async def open_session() -> Session:
                return await opened(target, ledger, tasks)

            clients = [Client(open_session) for _ in range(load.clients)]
            engine = Engine(load, Mix([ECHO], target.revision, 0), ledger, clients)
            await engine.run(pace_of(load, 0, start), start)
            tasks.cancel_scope.cancel()
    return engine.tally, ledger


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("fault", FOUND)
def test_what_is_planted_is_counted_and_nothing_else(transport: str, fault: str):
    at_once = {"at_once": 4} if transport in {"sse", "stdio"} else {}
    load = Load(clients=2 if transport != "stdio" else 1, calls=CALLS, timeout_seconds=1.0, **at_once)

    async def main() -> tuple[Tally, Ledger]:
        async with target_of(transport, fault) as target:
            return await loaded(target, load)

    tally, ledger = trio.run(main)
    second, totals = tally.second(0), tally.totals()
    errors, strays = FOUND[fault]
    assert (second.calls, second.errors) == (CALLS, errors)
    assert +ledger.strays == strays
    assert totals.tools["echo"].checked == CALLS - sum(errors.values())
    assert totals.lost == errors.get("timeout", 0)


@pytest.mark.parametrize("transport", ["http", "modern http", "http with events", "sse"])
def test_a_connection_that_ends_without_an_answer_loses_its_calls_and_no_others(transport: str):
    async def main() -> Tally:
        async with target_of(transport, "closed") as target:
            tally, _ = await loaded(target, Load(clients=1, calls=EVERY + 3))
            return tally

    tally = trio.run(main)
    second = tally.second(0)
    assert (second.calls, second.errors, tally.lost) == (EVERY + 3, {"closed": 1}, 1)


def test_a_server_over_stdio_that_leaves_is_started_again_and_its_last_words_are_shown():
    async def main() -> Tally:
        async with target_of("stdio", "closed") as target:
            tally, _ = await loaded(target, Load(clients=1, calls=EVERY + 3))
            return tally

    tally = trio.run(main)
    assert tally.second(0).errors == {"closed": 1}
    assert tally.totals().examples == {"closed": "the server ended with exit code 3: planted: I leave"}


def test_two_calls_that_get_each_others_answers_are_mixed_up_by_their_ids_alone():
    async def main() -> tuple[Tally, Ledger]:
        async with target_of("http", "swapped") as target:
            return await loaded(target, Load(clients=2, calls=20))

    tally, ledger = trio.run(main)
    assert tally.second(0).errors == {"mixed-up": 2}
    assert ledger.strays == {"mixed-up": 2, "doubled": 0}


def test_an_answer_on_the_stream_of_another_session_is_mixed_up_and_its_call_is_lost():
    async def main() -> tuple[Tally, Ledger]:
        async with target_of("sse", "elsewhere") as target:
            return await loaded(target, Load(clients=2, calls=CALLS, timeout_seconds=1.0))

    tally, ledger = trio.run(main)
    assert tally.second(0).errors == {"timeout": PLANTED}
    assert +ledger.strays == {"mixed-up": PLANTED}


def test_a_server_with_sessions_is_told_when_they_end():
    planted_here = Planted(modern=False, sessions=True)

    async def main() -> Tally:
        async with serving(planted_here) as origin:
            target = Target(transport="http", url=f"{origin}/mcp", revision=LEGACY)
            return (await loaded(target, Load(clients=3, calls=CALLS)))[0]

    second = trio.run(main).second(0)
    assert (second.calls, second.errors) == (CALLS, {})
    assert planted_here.sessions == sorted(planted_here.ended)
    assert len(planted_here.sessions) == 3


GONE = {
    "nothing": b"",
    "nobody's error": b'{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found"}}',
    "an error with a word": b'{"jsonrpc":"2.0","id":"server-error","error":{"code":-32600,"message":"no session"}}',
}
"""How servers say with 404 that a session has ended."""


@pytest.mark.parametrize("said", GONE)
def test_a_session_that_the_server_has_ended_fails_one_call_and_is_opened_anew(said: str):
    planted_here = Planted(modern=False, sessions=True, lasting=9, gone=GONE[said])

    async def main() -> Tally:
        async with serving(planted_here) as origin:
            target = Target(transport="http", url=f"{origin}/mcp", revision=LEGACY)
            return (await loaded(target, Load(clients=1, calls=20)))[0]

    second = trio.run(main).second(0)
    assert (second.calls, second.errors) == (20, {"HTTP 404": 2})  # 8 calls of each session, since one greets
    assert len(planted_here.sessions) == 3


def test_an_answer_counts_from_its_event_though_the_stream_stays_open():
    """Its latency would be the timeout's."""

    async def main() -> Tally:
        async with serving(Planted(stays_open=True)) as origin:
            target = Target(transport="http", url=f"{origin}/mcp", revision=LEGACY)
            return (await loaded(target, Load(clients=2, calls=10, timeout_seconds=20.0)))[0]

    tally = trio.run(main, clock=hurried())
    assert (tally.second(0).errors, tally.totals().tools["echo"].checked) == ({}, 10)
    assert tally.last < 20.0


def test_a_message_of_a_call_that_was_given_up_is_still_written_to_its_end(tmp_path: Path):
    """What follows it over stdio would else be a part of it. The server reads nothing until a fifo is written."""
    os.mkfifo(gate := tmp_path / "gate")
    command = (sys.executable, "-S", "-c", COUNTS_LINES, str(gate))
    large = call(Template(tool="echo", arguments=msgspec.Raw(b'{"text":"%b"}' % (b"x" * 1_000_000))), LEGACY)
    ledger = Ledger(100)

    async def main() -> bytes:
        async with trio.open_nursery() as tasks:
            session = await open_stdio(Target(transport="stdio", command=command), ledger, tasks)
            async with trio.open_nursery() as given_up:
                given_up.start_soon(session.ask, large, ledger.issue())
                await trio.testing.wait_all_tasks_blocked()
                given_up.cancel_scope.cancel()
            await trio.to_thread.run_sync(gate.write_text, "read")
            with trio.fail_after(30):
                answer = await session.ask(call(ECHO, LEGACY), ledger.issue())
            await session.aclose()
            tasks.cancel_scope.cancel()
        return bytes(answer.message.result)

    assert trio.run(main) == b"2"


COUNTS_LINES = """
import json, sys
open(sys.argv[1]).read()
lines = [json.loads(sys.stdin.readline()) for _ in range(2)]
print(json.dumps({"jsonrpc": "2.0", "id": lines[1]["id"], "result": len(lines)}), flush=True)
sys.stdin.read()
"""


def test_calls_that_were_given_up_are_remembered_only_while_they_are_new():
    ledger = Ledger(100)
    numbers = [ledger.issue() for _ in range(REMEMBERED + 1)]
    for number in numbers:
        ledger.give_up(number)
    assert len(ledger._given_up) == REMEMBERED
    assert ledger.stray(numbers[-1]) == "late"


def test_a_server_that_closes_connections_it_does_not_use_loses_no_call_over_tls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """It says goodbye first, which is something to read."""
    context, public = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(public))
    planted_here = Planted()

    async def one_answer(stream: trio.SSLStream) -> None:
        body = (await stream.receive_some()).partition(b"\r\n\r\n")[2]
        [answer] = await planted_here.answers(body) or ()
        sent = msgspec.json.encode(answer)
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(sent), sent))
        await stream.aclose()

    async def main() -> Tally:
        async with trio.open_nursery() as nursery:
            serve = partial(trio.serve_ssl_over_tcp, one_answer, 0, context, host="127.0.0.1")
            [listener] = await nursery.start(serve)
            port = listener.transport_listener.socket.getsockname()[1]
            target = Target(transport="http", url=f"https://localhost:{port}/mcp", revision=MODERN)
            tally, _ = await loaded(target, Load(clients=2, calls=6, think_seconds=0.2))
            nursery.cancel_scope.cancel()
        return tally

    second = trio.run(main).second(0)
    assert (second.calls, second.errors) == (6, {})


def test_where_nobody_speaks_tls_the_wait_for_it_has_an_end():
    async def silent(_: trio.SocketStream) -> None:
        await trio.sleep_forever()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            [listener] = await nursery.start(partial(trio.serve_tcp, silent, 0, host="127.0.0.1"))
            place = wire.place(f"https://127.0.0.1:{listener.socket.getsockname()[1]}/sse")
            with pytest.raises(Failure, match=r"^timeout: no connection to 127\.0\.0\.1:\d+ within 30 s"):
                await dialled(place)
            nursery.cancel_scope.cancel()

    trio.run(main, clock=hurried())
    gc.collect()  # a connection that was left open is a warning, and so a failure of this test


def test_an_answer_on_the_stream_of_a_session_that_asks_nothing_is_mixed_up():
    """But the answer to the request that opened the stream: it has its own number."""
    ledger = Ledger(100)
    number = ledger.issue()

    async def serve(stream: trio.SocketStream) -> None:
        own = int((await stream.receive_some()).partition(b'"id":')[2][:15])
        sent = b'data: {"id":%d,"result":{}}\n\ndata: {"id":%d,"result":{}}\n\n' % (number, own)
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + sent)

    async def main() -> bool:
        async with trio.open_nursery() as tasks:
            [listener] = await tasks.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
            url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}/mcp"
            session = await open_http(Target(transport="http", url=url, revision=MODERN), ledger, tasks)
            await session.listen(tasks)
            with trio.fail_after(10):
                while session.is_alive:
                    await trio.testing.wait_all_tasks_blocked()
            await session.aclose()
            tasks.cancel_scope.cancel()
        return session.is_alive

    trio.run(main)
    assert +ledger.strays == {"mixed-up": 1}


def test_an_answer_that_comes_after_its_call_was_given_up_is_late_and_not_doubled():
    ledger = Ledger(100)
    number, other = ledger.issue(), ledger.issue()
    ledger.give_up(number)
    assert ledger.stray(number) == "late"
    assert ledger.stray(number) == "doubled"
    assert ledger.stray(other) == "mixed-up"
    ledger.settle(other)
    assert ledger.stray(other) == "doubled"


def test_numbers_of_other_processes_of_the_run_are_known_and_other_digits_are_not():
    ours, theirs, foreign = (Ledger(run, part).issue() for run, part in ((100, 1), (100, 2), (101, 1)))
    ledger = Ledger(100, 1)
    assert ledger.issue() == ours
    assert ledger.carries_another(b'{"id":%d}' % theirs)
    assert not ledger.carries_another(b'{"id":%d}' % foreign)
    assert not ledger.carries_another(b'{"id":1%d}' % theirs)
    assert ledger.stray(theirs) == "mixed-up"
    assert [ledger.stray(each) for each in (foreign, "text", None, 1.5)] == ["unasked"] * 4


def test_a_server_that_is_away_is_asked_again_and_not_in_a_tight_loop():
    async def main() -> Tally:
        async with serving(Planted()) as origin:
            pass
        tally, _ = await loaded(
            Target(transport="sse", url=f"{origin}/sse", revision=SSE_REVISION),
            Load(clients=1, calls=3, seconds=1000.0),
        )
        return tally

    tally = trio.run(main, clock=trio.testing.MockClock(rate=100))
    assert tally.second(0).errors == {"connect": 3}
    assert "refused" in tally.totals().examples["connect"].lower()
