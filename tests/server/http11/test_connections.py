"""The HTTP server on real sockets: what hypercorn's protocol does inside our own connections, and how they end."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import pytest
import trio
from hypercorn.config import Config as HypercornConfig
from trio.testing import wait_all_tasks_blocked

from clocks import hurried
from openapi_mcp_server.server import ports
from openapi_mcp_server.server.http11 import any_request, connection, connections
from openapi_mcp_server.server.http11.accepting import PAUSE_SECONDS
from real_sockets import rest, run, serving_app

GET = b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
OK = b"HTTP/1.1 200 "


async def answer(stream: trio.SocketStream) -> bytes:
    """One answer of `hello`, which is one write of the server's and short."""
    return bytes(await stream.receive_some())


async def hello(scope: Any, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body"):
        pass
    await say_hello(send)


async def say_hello(send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


class Held:
    """An application that answers when it is released."""

    def __init__(self) -> None:
        self.reached, self.released = trio.Event(), trio.Event()
        self.cancelled = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.reached.set()
        try:
            await self.released.wait()
        except trio.Cancelled:
            self.cancelled = True
            raise
        await hello(scope, receive, send)


async def endless(scope: Any, receive: Any, send: Any) -> None:
    """Sends until its client is gone."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    async with trio.open_nursery() as nursery:

        async def pour() -> None:
            while True:
                await send({"type": "http.response.body", "body": bytes(1_000_000), "more_body": True})

        nursery.start_soon(pour)
        while (await receive())["type"] != "http.disconnect":
            pass
        nursery.cancel_scope.cancel()


def test_a_connection_carries_one_request_after_another():
    async def main() -> None:
        async with serving_app(hello) as server, await server.connect() as stream:
            for _ in range(3):
                await stream.send_all(GET)
                assert (await answer(stream)).startswith(OK)

    run(main)


def test_head_and_body_go_out_together():
    async def main() -> None:
        async with serving_app(hello) as server, await server.connect() as stream:
            await stream.send_all(GET)
            assert (await answer(stream)).endswith(b"\r\n\r\nhello")

    run(main)


def test_an_answer_to_head_is_that_to_get_without_its_body():
    """RFC 9110 section 9.3.2. Applications say the same for both."""

    async def main() -> None:
        async with serving_app(hello) as server, await server.connect() as stream:
            for _ in range(2):  # a body would be taken for the beginning of the next answer
                await stream.send_all(GET.replace(b"GET", b"HEAD"))
                said = await answer(stream)
                assert said.startswith(OK)
                assert said.endswith(b"\r\n\r\n")
                assert b"content-length: 5" in said

    run(main)


@pytest.mark.parametrize("lines", [b"\r\n", b"\n", b"\r\n\r\n\n"])
def test_empty_lines_before_a_request_are_ignored(lines):
    """RFC 9112 section 2.2."""

    async def test() -> None:
        async with serving_app(hello) as server, await server.connect() as stream:
            for _ in range(2):
                await stream.send_all(lines + GET)
                assert (await answer(stream)).startswith(OK)
            await stream.send_all(GET[:-2])  # the line end that ends the head is none of these
            await wait_all_tasks_blocked()
            await stream.send_all(b"\r\n")
            assert (await answer(stream)).startswith(OK)

    run(test)


def test_without_descriptors_clients_wait_and_the_log_says_so_once(caplog):
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)

    async def test() -> None:
        async with serving_app(hello) as server:
            highest = max(map(int, os.listdir("/proc/self/fd")))  # noqa: PTH208 - of numbers
            with socket.socket() as first, socket.socket() as second, every_descriptor(highest + 2):
                resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 3, limits[1]))
                for client in (first, second):
                    client.connect(("127.0.0.1", server.port))
                    client.sendall(GET)
                await trio.sleep(20 * PAUSE_SECONDS)  # of a clock that jumps
                assert len(caplog.records) == 1
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)
                for client in (first, second):
                    waiting = trio.socket.from_stdlib_socket(client.dup())
                    assert (await waiting.recv(4096)).startswith(OK)
                    waiting.close()

    try:
        run(test, hurried())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert "no connection can be taken in: Too many open files" in caplog.text


def test_a_stop_without_descriptors_finishes_what_is_in_flight():
    """A client that still waits cannot be accepted, but all others get their answers."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    app = Held()

    async def test() -> None:
        async with serving_app(app) as server, await server.connect() as served:
            await served.send_all(GET)
            await app.reached.wait()
            highest = max(map(int, os.listdir("/proc/self/fd")))  # noqa: PTH208 - of numbers
            with socket.socket() as waiting, every_descriptor(highest + 2):
                resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 3, limits[1]))
                waiting.connect(("127.0.0.1", server.port))
                server.stopping.set()
                await wait_all_tasks_blocked()
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)
                app.released.set()
                assert (await answer(served)).startswith(OK)

    try:
        run(test)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@contextmanager
def every_descriptor(below: int) -> Iterator[None]:
    """Takes all that are free up to this one."""
    taken = [os.open(os.devnull, os.O_RDONLY)]
    while taken[-1] < below:
        taken.append(os.open(os.devnull, os.O_RDONLY))
    try:
        yield
    finally:
        for descriptor in taken:
            os.close(descriptor)


def test_requests_that_were_sent_ahead_are_answered_in_turn():
    async def main() -> None:
        async with serving_app(hello) as server:
            received = await server.ask(GET + GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert received.count(OK) == 2

    run(main)


def test_a_client_that_waits_for_100_continue_is_told_to_go_on():
    async def main() -> None:
        async with serving_app(hello) as server, await server.connect() as stream:
            await stream.send_all(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
            assert (await answer(stream)).startswith(b"HTTP/1.1 100 ")
            await stream.send_all(b"hi")
            assert (await answer(stream)).startswith(OK)

    run(main)


async def refused_by_its_head(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 403, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


def test_a_client_that_waits_for_100_continue_is_not_told_to_send_what_is_refused_by_its_head():
    """RFC 9110 section 10.1.1: the final status comes at once where the head decides it."""

    async def main() -> None:
        async with serving_app(refused_by_its_head) as server:
            head = b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
            received = await server.ask(head)
        assert received.startswith(b"HTTP/1.1 403 ")
        assert b"connection: close" in received

    run(main)


@pytest.mark.parametrize(
    "upgrade",
    [
        b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__",
        b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AA==",
    ],
    ids=["h2c", "websocket"],
)
def test_an_upgrade_is_ignored(upgrade):
    async def main() -> None:
        async with serving_app(hello) as server, await server.connect() as stream:
            await stream.send_all(GET.replace(b"\r\n\r\n", b"\r\n" + upgrade + b"\r\n\r\n"))
            assert (await answer(stream)).startswith(OK)

    run(main)


def test_http_2_without_an_upgrade_is_refused():
    async def main() -> None:
        async with serving_app(hello) as server:
            assert (await server.ask(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")).startswith(b"HTTP/1.1 505 ")

    run(main)


CHUNKED = b"Transfer-Encoding: chunked\r\n"
HI = b"2\r\nhi\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    "head",
    [
        b"POST / HTTP/1.1\r\n" + CHUNKED + b"Content-Length: 12\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 12\r\n" + CHUNKED,
        b"POST / HTTP/1.0\r\nConnection: keep-alive\r\n" + CHUNKED,
    ],
    ids=["both", "both, the other way", "HTTP/1.0"],
)
def test_a_body_that_may_end_in_two_places_is_refused_and_what_follows_is_no_request(head):
    async def main() -> None:
        async with serving_app(hello) as server:
            received = await server.ask(head + b"Host: x\r\n\r\n" + HI + GET)
        assert received.startswith(b"HTTP/1.1 400 ")
        assert received.count(b"HTTP/1.1 ") == 1

    run(main)


async def told(scope: Any, receive: Any, send: Any) -> None:
    """An application that says how it understands for whom the request is."""
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    body = b" ".join([*hosts, scope["path"].encode(), scope["query_string"]])
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


@pytest.mark.parametrize(
    ("target", "host", "understood"),
    [
        (b"/mcp?a=b", b"localhost", b"localhost /mcp a=b"),
        (b"http://localhost:8000/mcp?a=b", b"evil.example", b"localhost:8000 /mcp a=b"),
        (b"HTTP://evil.example/mcp", b"localhost", b"evil.example /mcp "),
        (b"https://localhost", b"localhost", b"localhost / "),
        (b"http://localhost?a=b", b"localhost", b"localhost / a=b"),
        (b"http://a@localhost/mcp", b"localhost", None),
        (b"localhost:443", b"localhost", None),
        (b"%2fmcp", b"localhost", None),
        (b"ftp://localhost/mcp", b"localhost", None),
    ],
)
def test_a_target_that_is_a_whole_url_names_the_host_itself(target, host, understood):
    async def main() -> None:
        async with serving_app(told) as server, await server.connect() as stream:
            await stream.send_all(b"GET " + target + b" HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n")
            received = await rest(stream)
        assert understood in received if understood else received.startswith(b"HTTP/1.1 400 ")

    run(main)


def test_a_later_minor_version_is_answered_as_the_latest_that_is_known():
    async def main() -> None:
        async with serving_app(hello) as server, await server.connect() as stream:
            await stream.send_all(GET.replace(b"1.1", b"1.2"))
            assert (await answer(stream)).startswith(OK)

    run(main)


@pytest.mark.parametrize(("size", "status"), [(60_000, 200), (140_000, 431)])
def test_headers_have_a_limit(size, status):
    async def main() -> None:
        async with serving_app(hello) as server, await server.connect() as stream:
            await stream.send_all(GET.replace(b"\r\n\r\n", b"\r\nA: " + b"a" * size + b"\r\n\r\n"))
            assert (await answer(stream)).startswith(b"HTTP/1.1 %d " % status)

    run(main)


def test_an_answer_before_the_whole_body_was_read_ends_the_connection_and_leaves_nothing():
    async def refuse(scope: Any, receive: Any, send: Any) -> None:
        await wait_all_tasks_blocked()  # until everything that can be read ahead has been
        headers = [(b"content-length", b"2"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 413, "headers": headers})
        await send({"type": "http.response.body", "body": b"no"})

    async def main() -> None:
        async with serving_app(refuse, grace_seconds=60) as server, trio.open_nursery() as nursery:
            stream = await server.connect()

            async def send_too_much() -> None:
                with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                    await stream.send_all(
                        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n" + bytes(9_000_000)
                    )

            nursery.start_soon(send_too_much)
            assert (await rest(stream)).startswith(b"HTTP/1.1 413 ")
            await stream.aclose()
            server.stopping.set()
            await server.stopped.wait()

    run(main)


def test_an_answer_before_the_whole_body_was_read_says_that_the_connection_ends():
    async def hello_at_once(scope: Any, receive: Any, send: Any) -> None:
        await say_hello(send)

    async def main() -> None:
        async with serving_app(hello_at_once) as server, await server.connect() as stream:
            await stream.send_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n")
            head = await rest_of_one_that_sends(stream, b"{}")
            assert (head.startswith(OK), head.lower().count(b"connection: close\r\n")) == (True, 1)

    run(main)


@pytest.mark.parametrize("pieces", [[b"x"], [b"x", b"x"]])
@pytest.mark.parametrize("protocol", [b"", b"Expect: nothing\r\n"], ids=["ordinary", "h11"])
def test_who_goes_on_sending_after_such_an_answer_is_heard_for_a_second(pieces, protocol):
    async def hello_at_once(scope: Any, receive: Any, send: Any) -> None:
        await say_hello(send)

    async def main() -> float:
        async with serving_app(hello_at_once) as server, await server.connect() as stream:
            await stream.send_all(b"POST / HTTP/1.1\r\nHost: x\r\n%bContent-Length: 9000000\r\n\r\n" % protocol)
            await rest(stream)
            began = trio.current_time()
            for piece in pieces:
                await stream.send_all(piece)
                await wait_all_tasks_blocked()
            with suppress(trio.BrokenResourceError), trio.move_on_after(60):
                while True:
                    await trio.sleep(0.1)
                    await stream.send_all(b"x")
            return trio.current_time() - began

    assert run(main, hurried()) < 5


async def rest_of_one_that_sends(stream: trio.SocketStream, body: bytes) -> bytes:
    """The answer to a head, whose body is sent when the answer has begun to arrive."""
    begun = await answer(stream)
    await stream.send_all(body)
    return begun + await rest(stream)


@pytest.mark.parametrize("size", [0, 2, 200_000])
def test_an_answer_after_the_whole_body_was_read_keeps_the_connection(size):
    async def main() -> None:
        async with serving_app(hello) as server, await server.connect() as stream:
            for _ in range(2):
                await stream.send_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size)
                await stream.send_all(bytes(size))
                head = await answer(stream)
                assert (head.startswith(OK), b"close" in head) == (True, False)

    run(main)


def test_a_client_that_leaves_is_a_disconnect_for_the_application():
    left = trio.Event()

    async def wait_for_disconnect(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        left.set()

    async def main() -> None:
        async with serving_app(wait_for_disconnect) as server:
            async with await server.connect() as stream:
                await stream.send_all(GET)
                await wait_all_tasks_blocked()
            await left.wait()

    run(main)


async def hello_until_disconnect(scope: Any, receive: Any, send: Any) -> None:
    """Answers like `hello`, and cancels itself as soon as it hears that its client is gone."""
    async with trio.open_nursery() as nursery:

        async def watch() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            nursery.cancel_scope.cancel()

        nursery.start_soon(watch)
        await wait_all_tasks_blocked()
        await say_hello(send)


@pytest.mark.parametrize("body", [b"", b"h"], ids=["none of it", "some of it"])
def test_a_body_that_ends_early_is_the_clients_fault(body):
    """It may have ended only what it sends, and still read (RFC 9112 section 8)."""

    async def takes_bodies(scope: Any, receive: Any, send: Any) -> None:
        while (event := await receive()).get("more_body"):
            pass
        assert event["type"] == "http.disconnect"

    async def main() -> None:
        async with serving_app(takes_bodies) as server, await server.connect() as stream:
            await stream.send_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n" + body)
            await stream.send_eof()
            assert (await rest(stream)).startswith(b"HTTP/1.1 400 ")

    run(main)


def test_an_application_that_cancels_itself_at_the_disconnect_leaves_its_connection_whole():
    """hypercorn reports a disconnect as soon as a response is complete, before it has seen to the connection."""

    async def main() -> None:
        async with serving_app(hello_until_disconnect) as server, await server.connect() as stream:
            for _ in range(3):
                await stream.send_all(GET)
                assert (await answer(stream)).startswith(OK)
            began = trio.current_time()
            await rest(stream)
            assert trio.current_time() - began == pytest.approx(connection.KEEP_ALIVE_SECONDS, abs=1)
            received = await server.ask(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            assert received.startswith(OK)

    run(main, hurried())


def test_an_application_that_fails_costs_only_its_own_answer(caplog):
    async def fail(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] != "/hello":
            raise ZeroDivisionError
        await hello(scope, receive, send)

    async def main() -> None:
        async with serving_app(fail) as server:
            assert (await server.ask(GET.replace(b"hello", b"fail"))).startswith(b"HTTP/1.1 500 ")
            async with await server.connect() as stream:
                await stream.send_all(GET)
                assert (await answer(stream)).startswith(OK)

    run(main)
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost:", GET], ids=["nothing", "half a head", "a request"])
def test_a_connection_may_be_idle_for_its_time_and_no_longer(sent):
    async def main() -> None:
        async with serving_app(hello) as server, await server.connect() as stream:
            await stream.send_all(sent)
            began = trio.current_time()
            await rest(stream)
            assert trio.current_time() - began == pytest.approx(connection.KEEP_ALIVE_SECONDS, abs=1)

    run(main, hurried())


def test_an_answer_may_take_longer_than_a_connection_may_be_idle():
    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await trio.sleep(10 * connection.KEEP_ALIVE_SECONDS)
        await hello(scope, receive, send)

    async def main() -> None:
        async with serving_app(slow) as server, await server.connect() as stream:
            await stream.send_all(GET)
            assert (await answer(stream)).startswith(OK)

    run(main, hurried())


def test_a_client_that_does_not_read_is_given_up():
    async def main() -> None:
        ended = trio.Event()

        async def pour(scope: Any, receive: Any, send: Any) -> None:
            await endless(scope, receive, send)
            ended.set()

        async with serving_app(pour) as server, await server.connect() as stream:
            await stream.send_all(GET)
            began = trio.current_time()
            await ended.wait()
            assert trio.current_time() - began == pytest.approx(connection.WRITE_SECONDS, abs=1)

    run(main, hurried())


@pytest.mark.parametrize(("grace_seconds", "held_up"), [(1000, connection.LAST_WRITE_SECONDS), (0.5, 0.5)])
def test_a_client_that_does_not_read_does_not_hold_up_a_stop(grace_seconds, held_up):
    async def main() -> None:
        async with serving_app(endless, grace_seconds=grace_seconds) as server, await server.connect() as stream:
            await stream.send_all(GET)
            await trio.sleep(1)
            began = trio.current_time()
            server.stopping.set()
            await server.stopped.wait()
            assert trio.current_time() - began == pytest.approx(held_up, abs=0.2)

    run(main, hurried())


def test_a_stop_waits_for_a_client_that_reads_slowly():
    size = 8_000_000  # of which the kernel takes some

    async def much(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-length", b"%d" % size), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": bytes(size)})

    async def main() -> None:
        async with serving_app(much, grace_seconds=1000) as server, await server.connect() as stream:
            await stream.send_all(GET)
            await wait_all_tasks_blocked()
            server.stopping.set()
            began, received = trio.current_time(), 0
            while piece := await stream.receive_some(1_000_000):
                received += len(piece)
                await trio.sleep(1)
            assert received > size
            assert trio.current_time() - began > 2 * connection.LAST_WRITE_SECONDS

    run(main, hurried())


def test_a_stop_finishes_what_is_in_flight_and_takes_nothing_new():
    async def main() -> None:
        held = Held()
        async with serving_app(held) as server, await server.connect() as stream:
            await stream.send_all(GET)
            await held.reached.wait()
            server.stopping.set()
            await wait_all_tasks_blocked()
            with pytest.raises(OSError, match="failed"):
                await server.connect()
            held.released.set()
            answered = await rest(stream)
            assert (answered.startswith(OK), b"connection: close\r\n" in answered) == (True, True)
            await server.stopped.wait()

    run(main)


def test_a_stop_still_reads_a_request_that_is_on_its_way():
    async def main() -> None:
        async with serving_app(hello) as server, await server.connect() as stream:
            await wait_all_tasks_blocked()
            server.stopping.set()
            await wait_all_tasks_blocked()
            await stream.send_all(GET)
            assert (await rest(stream)).startswith(OK)

    run(main)


async def refuse(scope: Any, receive: Any, send: Any) -> None:
    """Answers without having read the body."""
    await send({"type": "http.response.start", "status": 413, "headers": [(b"connection", b"close")]})
    await send({"type": "http.response.body", "body": b""})


@pytest.mark.parametrize("more", [[], [b"x"], [b"x"] * 9, [GET, GET]], ids=["nothing", "once", "always", "requests"])
@pytest.mark.parametrize("head", ["Content-Length: 99999", "Transfer-Encoding: chunked", "Content-Length: 1"])
def test_who_was_refused_and_stays_is_left_soon_whatever_else_it_sends(head: str, more: list[bytes]) -> None:
    """Nor does it hold up a stop."""

    async def main() -> None:
        async with serving_app(refuse, grace_seconds=1000) as server, await server.connect() as stream:
            await stream.send_all(f"POST / HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n{{".encode())
            assert b" 413 " in await answer(stream)
            for piece in more:
                await trio.sleep(connection.LINGER_SECONDS / 20)
                with suppress(trio.BrokenResourceError):
                    await stream.send_all(piece)
            began = trio.current_time()
            server.stopping.set()
            await server.stopped.wait()
            assert trio.current_time() - began <= connection.LINGER_SECONDS + 0.1

    run(main, hurried())


async def hello_later(scope: Any, receive: Any, send: Any) -> None:
    """Says hello long after a stop has closed idle connections, if its client is still there."""
    while (event := await receive()).get("more_body"):
        pass
    with trio.move_on_after(10 * connection.FAREWELL_SECONDS):
        event = await receive()
    if event["type"] != "http.disconnect":
        await say_hello(send)


CHUNKED = b"POST /hello HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
LENGTHY = b"POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n"


@pytest.mark.parametrize("before", [b"", GET, CHUNKED + b"0\r\n\r\n"], ids=["new", "ordinary before", "by h11 before"])
@pytest.mark.parametrize(
    "pieces", [[GET], [CHUNKED, b"2\r\n{}\r\n0\r\n\r\n"], [LENGTHY, b"{}"]], ids=["GET", "in chunks", "body later"]
)
def test_a_stop_waits_for_the_answer_to_a_request_that_was_on_its_way(before, pieces):
    async def main() -> None:
        async with serving_app(hello_later) as server, await server.connect() as stream:
            if before:
                await stream.send_all(before)
                await answer(stream)
            await wait_all_tasks_blocked()
            server.stopping.set()
            await wait_all_tasks_blocked()
            for piece in pieces:
                await stream.send_all(piece)
                await trio.sleep(2 * connection.FAREWELL_SECONDS)
            answered = await rest(stream)
            assert (answered.startswith(OK), answered.endswith(b"hello")) == (True, True)

    run(main, hurried())


def test_a_stop_waits_for_nobody_who_is_idle():
    async def main() -> None:
        async with serving_app(hello, grace_seconds=1000) as server, await server.connect() as stream:
            await stream.send_all(GET)
            await answer(stream)
            began = trio.current_time()
            server.stopping.set()
            await server.stopped.wait()
            assert trio.current_time() - began < 1

    run(main, hurried())


def test_what_takes_longer_than_the_grace_is_cut_off():
    async def main() -> None:
        held = Held()
        async with serving_app(held, grace_seconds=7) as server, await server.connect() as stream:
            await stream.send_all(GET)
            await held.reached.wait()
            began = trio.current_time()
            server.stopping.set()
            await server.stopped.wait()
            assert trio.current_time() - began == pytest.approx(7, abs=1)
            assert held.cancelled

    run(main, hurried())


def test_every_setting_of_hypercorns_is_one_that_it_knows():
    """It takes a misspelt one without a word."""
    assert set(vars(any_request._config())) - set(dir(HypercornConfig())) == set()


def test_a_client_that_has_connected_but_was_not_accepted_at_the_stop_gets_its_answer():
    listener = ports.bind("127.0.0.1", 0)
    ports.listen(listener)

    async def hello(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    with socket.create_connection(listener.getsockname()) as client:
        client.sendall(GET)
        client.settimeout(10)

        async def at_once():
            """The stop comes before anything was accepted."""

        trio.run(partial(connections.serve, hello, listener, until=at_once, grace_seconds=5))
        assert client.recv(1000).startswith(OK)
