"""Calls to an API that behaves, and to APIs that do not: conversations on real sockets, byte for byte."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from functools import partial

import msgspec
import pytest
import trio
import trio.testing

from loopback import KEPT, MIB, NEXT, NOT_KEPT, OK, Do, Reply, chunked, client, get, loopback, send, sized
from openapi_mcp_server import __version__
from openapi_mcp_server.bridge.http_messages import HttpRequest
from openapi_mcp_server.bridge.origins import Origin
from openapi_mcp_server.errors import BadResponse, Refused, TooLarge
from openapi_mcp_server.upstream import gates

pytestmark = pytest.mark.anyio
WARM = pytest.mark.parametrize("warm", [[], [(OK,)]], ids=["a new connection", "a kept one"])
"""The replies before the one that a test is about: on a kept connection requests are sent at once."""


async def test_a_request_is_on_the_wire_as_it_was_built() -> None:
    async with loopback([(OK,)]) as api, client() as one:
        request = HttpRequest(
            method="POST",
            origin=api.origin,
            path="/pets/a%2Fb",
            query="q=%C3%A9",
            headers=(("Accept", "*/*"), ("X-Name", "é")),
            body=b"{}",
        )
        await send(one, request)
    assert api.requests == [
        b"POST /pets/a%%2Fb?q=%%C3%%A9 HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: openapi-mcp-server/%b\r\n"
        b"Accept-Encoding: gzip\r\nAccept: */*\r\nX-Name: \xe9\r\nContent-Length: 2\r\n\r\n{}"
        % (api.origin.port, __version__.encode())
    ]


async def test_an_operation_with_a_user_agent_of_its_own_sends_one() -> None:
    async with loopback([(OK,)]) as api, client() as one:
        request = msgspec.structs.replace(get(api.origin), headers=(("user-agent", "pets/1"),))
        await send(one, request)
    assert api.requests[0].lower().count(b"user-agent:") == 1
    assert b"\r\nuser-agent: pets/1\r\n" in api.requests[0]


@pytest.mark.parametrize(("method", "length"), [("POST", b"\r\nContent-Length: 0\r\n"), ("DELETE", b""), ("GET", b"")])
async def test_only_methods_that_expect_a_body_say_that_there_is_none(method: str, length: bytes) -> None:
    async with loopback([(OK,)]) as api, client() as one:
        await send(one, get(api.origin, method=method))
    assert (b"Content-Length" in api.requests[0]) is bool(length)
    assert length in api.requests[0]


@pytest.mark.parametrize(
    ("reply", "status", "body", "connections"),
    [
        pytest.param((OK,), 200, b"ok", KEPT, id="a length"),
        pytest.param(tuple(bytes([byte]) for byte in OK), 200, b"ok", KEPT, id="byte by byte"),
        pytest.param((chunked(b"o", b"k"),), 200, b"ok", KEPT, id="chunks"),
        pytest.param((chunked(b"ok", end=b"0\r\nDigest: x\r\n\r\n"),), 200, b"ok", KEPT, id="trailers"),
        pytest.param((b"HTTP/1.1 200\r\n\r\nok", Do.CLOSE), 200, b"ok", NOT_KEPT, id="a body up to the end"),
        pytest.param((b"HTTP/1.0 200 OK\r\n\r\nok", Do.CLOSE), 200, b"ok", NOT_KEPT, id="HTTP/1.0"),
        pytest.param((sized(b"ok", b"Connection: close\r\n"),), 200, b"ok", NOT_KEPT, id="Connection: close"),
        pytest.param((b"HTTP/1.1 204 No Content\r\n\r\n",), 204, b"", KEPT, id="204"),
        pytest.param((sized(b"", status=b"205 Reset Content"),), 205, b"", KEPT, id="205"),
        pytest.param((b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",), 304, b"", KEPT, id="304"),
        pytest.param(
            (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n", OK), 200, b"ok", KEPT, id="1xx"
        ),
        pytest.param((OK + NEXT.replace(b"next", b"evil"),), 200, b"ok", NOT_KEPT, id="an answer too many"),
        pytest.param((OK + b"\r\n",), 200, b"ok", NOT_KEPT, id="bytes after the body"),
        pytest.param((chunked(b"ok") + b"x",), 200, b"ok", NOT_KEPT, id="bytes after the last chunk"),
        pytest.param((b"HTTP/1.1 204 No\r\n\r\nbody",), 204, b"", NOT_KEPT, id="204 with a body"),
        pytest.param((sized(gzip.compress(b"ok"), b"Content-Encoding: gzip\r\n"),), 200, b"ok", KEPT, id="gzip"),
        pytest.param(
            (chunked(*(bytes([byte]) for byte in gzip.compress(b"ok")), headers=b"Content-Encoding: x-gzip\r\n"),),
            200,
            b"ok",
            KEPT,
            id="gzip byte by byte",
        ),
        pytest.param(
            (sized(gzip.compress(b"o") + gzip.compress(b"k"), b"Content-Encoding: gzip\r\n"),),
            200,
            b"ok",
            KEPT,
            id="two gzip members",
        ),
        pytest.param(
            (sized(gzip.compress(b"ok") + bytes(600), b"Content-Encoding: gzip\r\n"),),
            200,
            b"ok",
            KEPT,
            id="gzip padded to whole blocks",
        ),
        pytest.param(
            (chunked(gzip.compress(b"o"), b"\0", b"\0" + gzip.compress(b"k"), headers=b"Content-Encoding: gzip\r\n"),),
            200,
            b"ok",
            KEPT,
            id="gzip members with padding between them, in pieces",
        ),
        pytest.param((sized(b"", b"Content-Encoding: gzip\r\n"),), 200, b"", KEPT, id="gzip of nothing"),
        pytest.param((sized(zlib.compress(b"ok"), b"Content-Encoding: deflate\r\n"),), 200, b"ok", KEPT, id="deflate"),
        pytest.param(
            (sized(zlib.compress(b"ok", wbits=-15), b"Content-Encoding: deflate\r\n"),), 200, b"ok", KEPT, id="bare"
        ),
        pytest.param(
            (sized(gzip.compress(zlib.compress(b"ok")), b"Content-Encoding: deflate\r\nContent-Encoding: gzip\r\n"),),
            200,
            b"ok",
            KEPT,
            id="packed twice",
        ),
        pytest.param((sized(b"ok", b"Content-Encoding: identity\r\n"),), 200, b"ok", KEPT, id="identity"),
        pytest.param((sized(b"no", status=b"404 Nope"),), 404, b"no", KEPT, id="404"),
        pytest.param((sized(b"no", status=b"503 Busy"),), 503, b"no", KEPT, id="503"),
    ],
)
@WARM
async def test_an_answer_is_read_and_the_next_call_gets_its_own(
    reply: Reply, status: int, body: bytes, connections: int, warm: list[Reply]
) -> None:
    async with loopback([*warm, reply, (NEXT,)], [(NEXT,)]) as api, client() as one:
        for _ in warm:
            await send(one, get(api.origin))
        first = await send(one, get(api.origin))
        assert (first.status, first.body, first.cut) == (status, body, None)
        assert (await send(one, get(api.origin))).body == b"next"
        assert api.connections == connections


GZIP = b"Content-Encoding: gzip\r\n"


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        pytest.param((Do.CLOSE,), "closed the connection without an answer", id="closed before the answer"),
        pytest.param((Do.RESET,), "broke before its answer was whole", id="reset before the answer"),
        pytest.param((b"HTTP/1.1 200 OK\r\nContent-", Do.CLOSE), "no valid HTTP answer", id="closed in the headers"),
        pytest.param((sized(b"ok")[:-1], Do.CLOSE), "no valid HTTP answer", id="closed in the body"),
        pytest.param((sized(b"ok")[:-1], Do.RESET), "broke before its answer was whole", id="reset in the body"),
        pytest.param((chunked(b"ok", end=b""), Do.CLOSE), "no valid HTTP answer", id="closed before the last chunk"),
        pytest.param((chunked(end=b"zz\r\nok\r\n"),), "no valid HTTP answer", id="a bad chunk size"),
        pytest.param((chunked(end=b"-2\r\nok\r\n"),), "no valid HTTP answer", id="a negative chunk size"),
        pytest.param((chunked(end=b"2\r\nokay\r\n"),), "no valid HTTP answer", id="a chunk longer than its size"),
        pytest.param((chunked(end=b"f" * 30 + b"\r\n"),), "no valid HTTP answer", id="an absurd chunk size"),
        pytest.param((chunked(end=b"1;" + b"x" * 200_000),), "no valid HTTP answer", id="an endless chunk header"),
        pytest.param(
            (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",),
            "conflicting Content-Length",
            id="two lengths",
        ),
        pytest.param(
            (chunked(b"ok", headers=b"Content-Length: 2\r\n"),),
            "both Content-Length and Transfer-Encoding",
            id="two ways to say the length",
        ),
        pytest.param((b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok",), "calls itself HTTP/2.0", id="HTTP/2.0"),
        pytest.param((b"HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\nok",), "calls itself HTTP/1.2", id="HTTP/1.2"),
        pytest.param((b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",), "bad Content-Length", id="a bad length"),
        pytest.param((b"SSH-2.0-OpenSSH_9.2\r\n\r\n",), "illegal status line$", id="another protocol"),
        pytest.param(
            (b"HTTP/1.1 200 OK\r\nX-Your-Key s3cret\r\n\r\n",), "illegal header line$", id="a header without a colon"
        ),
        pytest.param((chunked(end=b"s3cret\r\n"),), "illegal chunk header$", id="words for a chunk size"),
        pytest.param((b"HTTP/1.1 200 OK\r\nA: " + b"a" * 200_000,), "too long", id="an endless header"),
        pytest.param((b"HTTP/1.1 200 OK\r\n" + b"A: a\r\n" * 40_000,), "too long", id="endless headers"),
        pytest.param((b"HTTP/1.1 200 OK\r\n A: a\r\n\r\n",), "no valid HTTP answer", id="a header that starts folded"),
        pytest.param((b"HTTP/1.1 100 Continue\r\n\r\n" * 100,), "more than 20 informational", id="a flood of 1xx"),
        pytest.param(
            (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",), "no valid HTTP answer", id="an upgrade"
        ),
        pytest.param(
            (sized(b"ok", b"Content-Encoding: br\r\n"),),
            "'br' of the API's answer 200 was not asked for",
            id="another encoding",
        ),
        pytest.param(
            (sized(b"ok", b"Content-Encoding: gzip, br\r\n"),),
            "'br' of the API's answer 200 was not asked for",
            id="one of two",
        ),
        pytest.param((sized(b"plain", GZIP),), "packed data of the API's answer 200 is broken", id="not gzip"),
        pytest.param(
            (sized(gzip.compress(b"ok")[:-3], GZIP),), "packed data of the API's answer 200 ends", id="gzip cut short"
        ),
        pytest.param(
            (sized(gzip.compress(b"ok") + b"x", GZIP),), "packed data of the API's answer 200", id="gzip and garbage"
        ),
    ],
)
@WARM
async def test_a_broken_answer_is_an_error_of_unknown_outcome_and_the_next_call_is_right(
    reply: Reply, problem: str, warm: list[Reply]
) -> None:
    async with loopback([*warm, reply], [(NEXT,)]) as api, client() as one:
        for _ in warm:
            await send(one, get(api.origin))
        with pytest.raises(BadResponse, match=problem) as caught:
            await send(one, get(api.origin, method="POST"))
        assert caught.value.outcome_unknown
        assert len(str(caught.value)) < 400
        assert (await send(one, get(api.origin))).body == b"next"


@pytest.mark.parametrize("extra", [b"", b"body"])
async def test_an_answer_to_head_has_no_body(extra: bytes) -> None:
    reply = (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n" + extra,)
    async with loopback([reply, (NEXT,)], [(NEXT,)]) as api, client() as one:
        head = await send(one, get(api.origin, method="HEAD"))
        assert (head.body, head.header("content-length")) == (b"", "4")
        assert (await send(one, get(api.origin))).body == b"next"


async def test_headers_arrive_in_lower_case_and_cookies_do_not() -> None:
    async with loopback([(sized(b"", b"ETag: W/\xe9\r\nSet-Cookie: a=1\r\n"), OK)]) as api, client() as one:
        answer = await send(one, get(api.origin))
        assert answer.headers == (("content-length", "0"), ("etag", "W/é"))
        await send(one, get(api.origin))
    assert b"ookie" not in b"".join(api.requests)


async def test_an_answer_before_the_request_was_read_is_an_answer() -> None:
    async def reject(stream: trio.SocketStream) -> None:
        await stream.receive_some(1000)
        await stream.send_all(sized(b"too big", b"Connection: close\r\n", b"413 Too Large"))
        await stream.aclose()

    async with trio.open_nursery() as nursery, client() as one:
        (listener,) = await nursery.start(partial(trio.serve_tcp, reject, 0, host="127.0.0.1"))
        origin = Origin("http", "127.0.0.1", listener.socket.getsockname()[1])
        answer = await send(one, get(origin, method="POST", body=b"x" * (8 * MIB)))
        assert (answer.status, answer.body) == (413, b"too big")
        nursery.cancel_scope.cancel()


# Limits


def over(limit: int, headers: bytes = b"") -> bytes:
    return sized(b"x" * (limit + 1), headers)


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(over(1000), id="as it is"),
        pytest.param(sized(gzip.compress(b"x" * 1001), GZIP), id="once decoded"),
        pytest.param(chunked(b"x" * 999, b"xx"), id="in chunks"),
    ],
)
@WARM
async def test_an_answer_over_the_limit_is_an_error(reply: bytes, warm: list[Reply]) -> None:
    async with loopback([*warm, (reply,)], [(NEXT,)]) as api, client(answer_bytes=1000) as one:
        for _ in warm:
            await send(one, get(api.origin))
        with pytest.raises(TooLarge, match="exceeds"):
            await send(one, get(api.origin))
        assert (await send(one, get(api.origin))).body == b"next"
        assert api.connections == NOT_KEPT


async def test_an_answer_of_exactly_the_limit_is_none() -> None:
    replies: list[Reply] = [(over(999),), (sized(gzip.compress(b"x" * 1000), GZIP),)]
    async with loopback(replies) as api, client(answer_bytes=1000) as one:
        for _ in replies:
            assert len((await send(one, get(api.origin))).body) == 1000


@pytest.mark.parametrize("content_type", [b"text/event-stream", b"application/x-ndjson; charset=utf-8"])
async def test_of_a_stream_over_the_limit_the_beginning_is_kept(content_type: bytes) -> None:
    endless = chunked(b"data: 1\n\n" * 300, headers=b"Content-Type: %b\r\n" % content_type, end=b"")
    async with loopback([(endless, Do.HANG)]) as api, client(answer_bytes=MIB // 512) as one:
        answer = await send(one, get(api.origin))
        assert (len(answer.body), answer.cut) == (2048, "after 0.00195312 MiB")


async def test_of_a_stream_that_breaks_what_arrived_is_kept() -> None:
    events = chunked(b"data: 1\n\n", headers=b"Content-Type: text/event-stream\r\n", end=b"")
    async with loopback([(events, Do.CLOSE)], [(NEXT,)]) as api, client() as one:
        answer = await send(one, get(api.origin))
        assert (answer.body, answer.cut) == (b"data: 1\n\n", "where the connection broke")
        assert (await send(one, get(api.origin))).body == b"next"


async def test_a_compression_bomb_takes_no_more_memory_than_its_limit() -> None:
    bomb = gzip.compress(b"\0" * (200 * MIB), compresslevel=9)
    async with loopback([(sized(bomb, GZIP),)]) as api, client() as one:
        tracemalloc.start()
        try:
            with pytest.raises(TooLarge, match="10 MiB"):
                await send(one, get(api.origin))
            assert tracemalloc.get_traced_memory()[1] < 16 * MIB
        finally:
            tracemalloc.stop()


async def test_calls_beyond_the_queue_are_refused_at_once() -> None:
    async with loopback([(Do.HANG,)]) as api, client(max_connections=2) as one, trio.open_nursery() as nursery:
        for _ in range(2 + gates.QUEUE_LIMIT):
            nursery.start_soon(send, one, get(api.origin))
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(Refused, match="too many calls") as caught:
            await send(one, get(api.origin))
        assert not caught.value.outcome_unknown
        nursery.cancel_scope.cancel()
