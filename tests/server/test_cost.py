"""What a call costs beside its own work: counted, not timed."""

from __future__ import annotations

import socket
import sys
import threading
from collections import Counter
from typing import Any

import pytest
import trio

from real_sockets import run
from scripted import ScriptedApi, gateway
from served import endpoint

BODY = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_pet","arguments":{"id":5}}}'
CALL = (
    b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Accept: application/json, text/event-stream\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
)
CALLS = 20


def ask(port: int) -> None:
    """One call after the other, in a thread, so that nothing of it is counted."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        for _ in range(CALLS):
            connection.sendall(CALL)
            assert b'"isError":true' not in connection.recv(65_536)


def counted() -> Counter[str]:
    """How often the loop has entered each function, the first calls not counted."""
    entered: Counter[str] = Counter()

    def count(frame: Any, event: str, _: object) -> None:
        if event == "call":
            entered[frame.f_code.co_qualname] += 1

    async def test() -> None:
        async with endpoint(gateway(ScriptedApi())) as running:
            await trio.to_thread.run_sync(ask, running.port)
            sys.setprofile(count)
            try:
                await trio.to_thread.run_sync(ask, running.port)
            finally:
                sys.setprofile(None)

    run(test)
    return entered


@pytest.mark.skipif(threading.gettrace() is not None, reason="something else counts already")
def test_an_ordinary_call_enters_one_cancel_scope_before_its_api_is_asked() -> None:
    """Each takes 6 µs, a thirtieth of a call: none for its client's leaving, its body's time, its connection's."""
    entered = counted()
    assert entered["Calls.answer"] >= CALLS
    assert entered["CancelScope.__enter__"] <= 1.5 * CALLS  # and those of the connection, and of who tends
    assert entered["CancelScope.deadline"] <= 0.5 * CALLS
    assert entered["Runner.spawn_impl"] <= 0.5 * CALLS


@pytest.mark.skipif(threading.gettrace() is not None, reason="something else counts already")
def test_a_head_that_comes_again_on_its_connection_is_not_read_again() -> None:
    assert counted()["head_fields"] == 1
