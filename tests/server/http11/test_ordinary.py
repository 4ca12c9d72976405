"""Ordinary requests: read as h11 reads them, and answered with the same bytes."""

from __future__ import annotations

import re
from functools import partial

import h11
import pytest
import trio
from hypothesis import example, given
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from growth import is_linear
from openapi_mcp_server.server.http11 import ordinary
from real_sockets import rest, run, serving_app

HEAD = b"POST /mcp HTTP/1.1\r\nHost: x\r\n"
LINES = (
    *(b"Content-Length: %b" % value for value in (b"0", b"5", b"05", b"+5", b"5,5", b"5 5", b"", b"9" * 12)),
    *(b"Connection: %b" % value for value in (b"keep-alive", b"close", b"Keep-Alive", b"upgrade")),
    *(b"Transfer-Encoding: chunked", b"Expect: 100-continue", b"Upgrade: h2c", b"Host: y", b"Host : y", b" folded"),
    *(b"A:", b"A: \tb\t ", b"A: b\x00", b"A: \xff", b"A: b\nC: d", b"A: b\rC: d", b": b", b"A b: c", b"\xc3: d"),
)
STARTS = (
    *(
        b"POST /mcp HTTP/1.1",
        b"GET / HTTP/1.1",
        b"GET /%41?b=%20 HTTP/1.1",
        b"GET http://x/ HTTP/1.1",
        b"get / HTTP/1.1",
    ),
    *(
        b"POST /mcp HTTP/1.0",
        b"POST  /mcp HTTP/1.1",
        b"POST /m\xc3p HTTP/1.1",
        b"POST /mcp HTTP/2.0",
        b"\r\nGET / HTTP/1.1",
    ),
)


def by_h11(data):
    """What h11 makes of a request that is whole, and nothing else."""
    reading = h11.Connection(h11.SERVER)
    reading.receive_data(data)
    request, body = reading.next_event(), b""
    while type(event := reading.next_event()) is h11.Data:
        body += event.data
    assert type(event) is h11.EndOfMessage
    assert not reading.trailing_data[0]
    return request.method.decode(), request.target, list(request.headers), body, request.http_version


requests = st.builds(
    lambda start, lines, end, body: b"\r\n".join([start, *lines, b"", body]) if end else b"\r\n".join([start, *lines]),
    st.sampled_from(STARTS) | st.binary(max_size=20),
    st.lists(st.sampled_from((b"Host: x", *LINES)) | st.binary(max_size=12), max_size=5),
    st.booleans(),
    st.binary(max_size=6),
)


@given(requests)
@example(HEAD + b"Content-Length: 5\r\n\r\nabcde")
@example(HEAD + b"A: \tb\t \r\nContent-Length: 0\r\n\r\n")
def test_what_is_taken_h11_reads_in_the_same_way(data):
    taken = ordinary.read(data)
    if taken is None:
        return
    method, target, headers, body, version = by_h11(data + bytes(taken.missing))
    head = taken.head
    assert (head.method, (head.path, head.query), [*head.headers]) == (method, target.partition(b"?")[::2], headers)
    assert taken.begun + bytes(taken.missing) == body
    assert version == b"1.1"


@pytest.mark.parametrize(
    "data",
    [
        *(
            HEAD + line + b"\r\nContent-Length: 0\r\n\r\n"
            for line in LINES
            if not re.match(rb"A:|Connection: k", line, re.IGNORECASE)
        ),
        *(start + b"\r\nHost: x\r\n\r\n" for start in STARTS[2:]),
        HEAD + b"A: b\x00\r\n\r\n",
        HEAD + b"A: \xff\r\n\r\n",
        HEAD + b"Content-Length: 1\r\n\r\nab",
        HEAD + b"Content-Length: 1\r\n",
        b"POST /mcp HTTP/1.1\r\n\r\n",
        b"",
    ],
)
def test_what_is_not_plainly_one_request_is_left_to_h11(data):
    assert ordinary.read(data) is None


@given(requests, requests, st.binary(max_size=6))
@example(HEAD + b"Content-Length: 2\r\n\r\nab", HEAD + b"Content-Length: 3\r\n\r\nab", b"cd")
@example(HEAD + b"Content-Length: 2\r\n\r\nab", HEAD + b"Content-Length: 2\r\nHost: y\r\n\r\nab", b"cdef")
@example(HEAD + b"\r\n", HEAD + b"\r\n\r\n", b"\r\n")
def test_a_head_that_comes_again_is_read_as_one_that_is_new(before, data, body):
    taken = ordinary.read(before)
    known = taken and taken.head
    for again in (data, before, before[:-1], before + body, known.text + body if known else body):
        assert ordinary.read(again, known) == ordinary.read(again)


@pytest.mark.parametrize("filling", [b" ", b" a", b"\t", b":", b"\x00"])
def test_a_head_is_read_in_linear_time(filling):
    def made(size):
        return HEAD + b"A:" + filling * size + b"\r\nContent-Length: 0\r\n\r\n"

    assert is_linear(ordinary.read, made)


START = {"type": "http.response.start", "status": 200, "headers": [(b"Content-Length", b"2"), (b"a", b"b")]}
BODY = {"type": "http.response.body", "body": b"hi"}
PART = {**BODY, "more_body": True}
CHUNKED = {"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]}
ANSWERS = {
    "whole": [START, BODY],
    "with names in lower case": [{**START, "headers": [(b"content-length", b"2"), (b"a", b"b c; d")]}, BODY],
    "with white space": [{**START, "headers": [(b"content-length", b"2"), (b"a ", b"\tb  "), (b"c", b"d  e")]}, BODY],
    "in parts": [START, {**PART, "body": b"h"}, {**BODY, "body": b"i"}],
    "in chunks": [CHUNKED, PART, {**PART, "body": b""}, {**BODY, "body": b"x" * 100_000}],
    "in chunks, an end by itself": [CHUNKED, PART, {"type": "http.response.body"}],
    "without content": [{**CHUNKED, "status": 204}, {"type": "http.response.body", "body": b""}],
    "empty": [{**START, "status": 202, "headers": [(b"content-length", b"0")]}, {"type": "http.response.body"}],
    "the last": [{**START, "headers": [*START["headers"], (b"connection", b"close")]}, BODY],
    "none": [],
    "a head only": [START],
    "a part only": [CHUNKED, PART],
    "too short": [START, {**BODY, "body": b"h"}],
    "too long": [START, {**BODY, "body": b"high"}],
    "a header that would be two": [{**START, "headers": [(b"a", b"b\r\nc: d")]}, BODY],
    "a body first": [BODY],
    "two heads": [START, START, BODY],
}
REQUEST = HEAD + b"Content-Length: 5\r\n\r\nabcde"
LAST = HEAD + b"Connection: close\r\n\r\n"  # not ordinary, so both ways end alike


def answered(events, request, *, at_once):
    """Everything that comes back for a request, and for one after it."""
    received = []

    async def app(scope, receive, send):
        while (await receive()).get("more_body"):
            pass
        for event in events:
            await send(dict(event))

    async def test():
        async with serving_app(app) as server, await server.connect() as stream:
            if not at_once:  # a part of a head is h11's
                await stream.send_all(request[:9])
                await wait_all_tasks_blocked(0.02)
                request_left = request[9:]
            else:
                request_left = request
            await stream.send_all(request_left)
            await wait_all_tasks_blocked(0.02)
            try:
                await stream.send_all(LAST)
                received.append(await rest(stream))
            except trio.BrokenResourceError:
                received.append(b"")

    run(test)
    return re.sub(rb"(?i)\r\ndate: [^\r]*", b"", received[0])


@pytest.mark.parametrize("events", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_has_the_same_bytes_as_by_way_of_h11(events):
    assert answered(events, REQUEST, at_once=True) == answered(events, REQUEST, at_once=False)


@pytest.mark.parametrize("start", [START, CHUNKED])
def test_an_answer_before_the_whole_body_has_the_same_bytes_as_by_way_of_h11(start):
    async def early(scope, receive, send):
        await send(dict(start))
        await send(BODY)

    received = []

    async def test():
        for pieces in ((REQUEST[:-2],), (REQUEST[:9], REQUEST[9:-2])):
            async with serving_app(early) as server, await server.connect() as stream:
                for piece in pieces:
                    await stream.send_all(piece)
                    await wait_all_tasks_blocked(0.02)
                received.append(re.sub(rb"\r\ndate: [^\r]*", b"", await rest(stream)))

    run(test)
    assert received[0] == received[1]
    assert b"connection: close" in received[0]


@pytest.mark.parametrize("cut", [len(REQUEST) - 5, len(REQUEST) - 2])
def test_a_body_that_comes_later_is_waited_for(cut):
    seen = []

    async def app(scope, receive, send):
        while (event := await receive())["more_body"]:
            seen.append(event["body"])
        seen.append(event["body"])
        await send(START)
        await send(BODY)

    async def test():
        async with serving_app(app) as server, await server.connect() as stream:
            await stream.send_all(REQUEST[:cut])
            await wait_all_tasks_blocked(0.02)
            await stream.send_all(REQUEST[cut:])
            assert (await stream.receive_some()).endswith(b"\r\n\r\nhi")

    run(test)
    assert b"".join(seen) == b"abcde"


def test_a_client_that_leaves_is_noticed_while_its_answer_is_waited_for():
    left = trio.Event()

    async def app(scope, receive, send):
        await receive()
        assert (await receive())["type"] == "http.disconnect"
        left.set()

    async def test():
        async with serving_app(app) as server:
            stream = await server.connect()
            await stream.send_all(REQUEST)
            await wait_all_tasks_blocked(0.02)
            await stream.aclose()
            await left.wait()

    run(test)


def test_a_request_behind_another_is_answered_after_it():
    first = trio.Event()

    async def app(scope, receive, send):
        await receive()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(receive))  # a watcher, which must not take what is not its own
            await first.wait()
            nursery.cancel_scope.cancel()
        await send(START)
        await send(BODY)

    async def test():
        async with serving_app(app) as server, await server.connect() as stream:
            await stream.send_all(REQUEST)
            await wait_all_tasks_blocked(0.02)
            await stream.send_all(REQUEST)
            await wait_all_tasks_blocked(0.02)
            first.set()
            received = b""
            while received.count(b"\r\n\r\nhi") < 2:
                received += await stream.receive_some()

    run(test)


WAYS = {
    "at once": (REQUEST,),
    "by way of h11": (REQUEST[:9], REQUEST[9:]),
    "its body later": (REQUEST[:-5], REQUEST[-5:]),
}


@pytest.mark.parametrize(("way", "whole"), [("at once", b"abcde"), ("by way of h11", None), ("its body later", None)])
def test_a_body_that_came_with_its_head_needs_no_waiting(way, whole):
    bodies = []

    async def app(scope, receive, send):
        bodies.append(scope["whole_body"]())
        while bodies == [None] and (await receive())["more_body"]:
            pass
        bodies.append(scope["whole_body"]())
        await send(START)
        await send(BODY)

    async def test():
        async with serving_app(app) as server, await server.connect() as stream:
            for piece in WAYS[way]:
                await stream.send_all(piece)
                await wait_all_tasks_blocked(0.02)
            assert (await stream.receive_some()).endswith(b"\r\n\r\nhi")

    run(test)
    assert bodies == [whole, None]


@pytest.mark.parametrize("way", ["at once", "by way of h11"])
def test_an_application_is_cancelled_when_its_client_is_abandoned_and_no_other_is(way):
    began, ended = trio.Event(), trio.Event()

    async def app(scope, receive, send):
        if scope["path"] == "/":
            await send(START)
            await send(BODY)
            return
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(watch, scope, receive)
                began.set()
        finally:
            ended.set()

    async def watch(scope, receive):
        while (await receive())["type"] != "http.disconnect":
            pass
        scope["abandon"]()
        await trio.sleep_forever()

    async def test():
        async with serving_app(app) as server, await server.connect() as other:
            stream = await server.connect()
            for piece in WAYS[way]:
                await stream.send_all(piece)
                await wait_all_tasks_blocked(0.02)
            await began.wait()
            await stream.aclose()
            await ended.wait()
            await other.send_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await other.receive_some()).endswith(b"\r\n\r\nhi")

    run(test)
