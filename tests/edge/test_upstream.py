"""Calls to an API that behaves, and to APIs that do not: conversations on real sockets, byte for byte."""

from __future__ import annotations

import contextlib
import gzip
import random
import ssl
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpcore2
import pytest
import trio
import trio.testing
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from loopback import Do, Reply, loopback

from service import __version__
from service.bridge.model import HttpRequest, HttpResponse, Origin
from service.edge import upstream
from service.edge.connections import FRESH_SECONDS, IDLE_SECONDS
from service.edge.upstream import Upstream
from service.errors import BadResponse, Refused, Timeout, TooLarge, Unreachable, UpstreamError

pytestmark = pytest.mark.anyio

NEXT = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
MIB = 2**20


def get(origin: Origin, path: str = "/pets", method: str = "GET", body: bytes | None = None) -> HttpRequest:
    return HttpRequest(method=method, origin=origin, path=path, query="", headers=(), body=body)


def chunked(*pieces: bytes, headers: bytes = b"", end: bytes = b"0\r\n\r\n") -> bytes:
    body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + headers + b"\r\n" + body + end


def sized(body: bytes, headers: bytes = b"", status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n%b\r\n%b" % (status, len(body), headers, body)


def client(**settings: Any) -> Upstream:
    return Upstream(httpcore2.TrioBackend(), **settings)


async def send(one: Upstream, request: HttpRequest, seconds: float = 10) -> HttpResponse:
    with trio.fail_after(20):  # a wrong one hangs: the suite must not
        return await one.send(request, deadline_seconds=seconds)


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


@pytest.mark.parametrize(("method", "length"), [("POST", b"\r\nContent-Length: 0\r\n"), ("DELETE", b""), ("GET", b"")])
async def test_only_methods_that_expect_a_body_say_that_there_is_none(method: str, length: bytes) -> None:
    async with loopback([(OK,)]) as api, client() as one:
        await send(one, get(api.origin, method=method))
    assert (b"Content-Length" in api.requests[0]) is bool(length)
    assert length in api.requests[0]


KEPT, NOT_KEPT = 1, 2


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
        pytest.param((sized(b"", b"Content-Encoding: gzip\r\n"),), 200, b"", KEPT, id="gzip of nothing"),
        pytest.param((sized(b"ok", b"Content-Encoding: identity\r\n"),), 200, b"ok", KEPT, id="identity"),
        pytest.param((sized(b"no", status=b"404 Nope"),), 404, b"no", KEPT, id="404"),
        pytest.param((sized(b"no", status=b"503 Busy"),), 503, b"no", KEPT, id="503"),
    ],
)
async def test_an_answer_is_read_and_the_next_call_gets_its_own(
    reply: Reply, status: int, body: bytes, connections: int
) -> None:
    async with loopback([reply, (NEXT,)], [(NEXT,)]) as api, client() as one:
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
        pytest.param((b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",), "bad Content-Length", id="a bad length"),
        pytest.param((b"SSH-2.0-OpenSSH_9.2\r\n\r\n",), "no valid HTTP answer", id="another protocol"),
        pytest.param((b"HTTP/1.1 200 OK\r\nA: " + b"a" * 200_000,), "too long", id="an endless header"),
        pytest.param((b"HTTP/1.1 200 OK\r\n" + b"A: a\r\n" * 40_000,), "too long", id="endless headers"),
        pytest.param((b"HTTP/1.1 200 OK\r\n A: a\r\n\r\n",), "no valid HTTP answer", id="a header that starts folded"),
        pytest.param((b"HTTP/1.1 100 Continue\r\n\r\n" * 100,), "more than 20 informational", id="a flood of 1xx"),
        pytest.param(
            (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",), "no valid HTTP answer", id="an upgrade"
        ),
        pytest.param((sized(b"ok", b"Content-Encoding: br\r\n"),), "'br' was not asked for", id="another encoding"),
        pytest.param(
            (sized(gzip.compress(gzip.compress(b"ok")), b"Content-Encoding: gzip, gzip\r\n"),),
            "'gzip, gzip' was not asked for",
            id="encoded twice",
        ),
        pytest.param((sized(b"plain", GZIP),), "gzip data of the answer is broken", id="not gzip"),
        pytest.param((sized(gzip.compress(b"ok")[:-3], GZIP),), "gzip data of the answer ends", id="gzip cut short"),
        pytest.param((sized(gzip.compress(b"ok") + b"x", GZIP),), "gzip data of the answer", id="gzip and garbage"),
    ],
)
async def test_a_broken_answer_is_an_error_of_unknown_outcome_and_the_next_call_is_right(
    reply: Reply, problem: str
) -> None:
    async with loopback([reply], [(NEXT,)]) as api, client() as one:
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
async def test_an_answer_over_the_limit_is_an_error(reply: bytes) -> None:
    async with loopback([(reply,)], [(NEXT,)]) as api, client(answer_limit=1000) as one:
        with pytest.raises(TooLarge, match="exceeds"):
            await send(one, get(api.origin))
        assert (await send(one, get(api.origin))).body == b"next"
        assert api.connections == NOT_KEPT


async def test_an_answer_of_exactly_the_limit_is_none() -> None:
    replies: list[Reply] = [(over(999),), (sized(gzip.compress(b"x" * 1000), GZIP),)]
    async with loopback(replies) as api, client(answer_limit=1000) as one:
        for _ in replies:
            assert len((await send(one, get(api.origin))).body) == 1000


@pytest.mark.parametrize("content_type", [b"text/event-stream", b"application/x-ndjson; charset=utf-8"])
async def test_of_a_stream_over_the_limit_the_beginning_is_kept(content_type: bytes) -> None:
    endless = chunked(b"data: 1\n\n" * 300, headers=b"Content-Type: %b\r\n" % content_type, end=b"")
    async with loopback([(endless, Do.HANG)]) as api, client(answer_limit=MIB // 512) as one:
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
        for _ in range(2 + upstream.QUEUE_LIMIT):
            nursery.start_soon(send, one, get(api.origin))
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(Refused, match="too many calls") as caught:
            await send(one, get(api.origin))
        assert not caught.value.outcome_unknown
        nursery.cancel_scope.cancel()


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


async def test_a_new_connection_that_closes_is_not_tried_again() -> None:
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


# Redirects


def moved(to: bytes, status: bytes = b"302 Found") -> bytes:
    return sized(b"", b"Location: %b\r\n" % to, status)


@pytest.mark.parametrize(
    ("location", "line"),
    [
        (b"/b?q=1", b"GET /b?q=1 "),
        (b"c", b"GET /pets/c "),
        (b"?page=2", b"GET /pets/a?page=2 "),
        (b"../../../x", b"GET /x "),
        (b"http://127.0.0.1:%d", b"GET / "),
        (b"HTTP://127.0.0.1:%d/y#part", b"GET /y "),
        ("/é ü".encode(), b"GET /%C3%A9%20%C3%BC "),
    ],
)
@pytest.mark.parametrize("status", [b"301 A", b"302 B", b"303 C", b"307 D", b"308 E"])
async def test_a_redirect_at_the_same_origin_is_followed(location: bytes, line: bytes, status: bytes) -> None:
    script: list[Reply] = []
    async with loopback(script) as api, client() as one:
        to = location % api.origin.port if b"%d" in location else location
        script += [(moved(to, status),), (NEXT,)]
        assert (await send(one, get(api.origin, "/pets/a"))).body == b"next"
        assert api.requests[1].startswith(line)


@pytest.mark.parametrize(
    "location",
    [
        b"http://127.0.0.1:1/",
        b"https://127.0.0.1:%d/",
        b"//127.0.0.2:%d/",
        b"http://user:secret@127.0.0.1:%d/",
        b"http://127.0.0.1.evil.example:%d/",
        b"http://localhost:%d/",
        b"file:///etc/passwd",
        b"http://[",
        b"http://127.0.0.1:99999/",
        b"",
    ],
)
async def test_any_other_redirect_is_the_answer(location: bytes) -> None:
    script: list[Reply] = []
    async with loopback(script) as api, client() as one:
        to = location % api.origin.port if b"%d" in location else location
        script += [(moved(to),), (NEXT,)]
        assert (await send(one, get(api.origin))).status == 302
        assert len(api.requests) == 1


async def test_a_redirect_of_what_changes_something_is_the_answer() -> None:
    async with loopback([(moved(b"/b"),), (NEXT,)]) as api, client() as one:
        assert (await send(one, get(api.origin, method="POST", body=b"x"))).status == 302
        assert len(api.requests) == 1


async def test_the_fourth_redirect_is_the_answer() -> None:
    async with loopback([(moved(b"/%d" % n),) for n in range(5)]) as api, client() as one:
        assert (await send(one, get(api.origin))).header("location") == "/3"
        assert len(api.requests) == 4


# No connection


async def test_a_closed_port_is_unreachable_and_nothing_was_sent() -> None:
    async with client() as one:
        with pytest.raises(Unreachable, match=r"http://127\.0\.0\.1:1: .*[Rr]efused") as caught:
            await send(one, get(Origin("http", "127.0.0.1", 1)))
    assert not caught.value.outcome_unknown


class Unconnected(httpcore2.AsyncNetworkBackend):
    def __init__(self, error: Exception) -> None:
        self._error = error

    async def connect_tcp(self, *args: Any, **options: Any) -> httpcore2.AsyncNetworkStream:
        await trio.lowlevel.checkpoint()
        raise self._error


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (Refused("10.0.0.1 is private", outcome_unknown=False), Refused),
        (httpcore2.ConnectTimeout(), Timeout),
        (httpcore2.ConnectError("no such host"), Unreachable),
    ],
)
async def test_what_stops_a_connection_is_named_and_nothing_was_sent(
    raised: Exception, kind: type[UpstreamError]
) -> None:
    async with Upstream(Unconnected(raised)) as one:
        with pytest.raises(kind) as caught:
            await send(one, get(Origin("http", "api.example.com", 80)))
    assert not caught.value.outcome_unknown


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


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's context for localhost, and the file a client has to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "cert.pem", folder / "key.pem"
    public.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(public, private)
    return context, public


async def test_tls_trusts_what_ssl_cert_file_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tls, trusted = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    async with loopback([(OK,), (NEXT,)], tls=tls) as api, client() as one:
        assert (await send(one, get(api.origin))).body == b"ok"
        assert (await send(one, get(api.origin))).body == b"next"
        assert api.connections == KEPT


async def test_tls_without_trust_is_unreachable_and_says_why(tmp_path: Path) -> None:
    tls, _ = certificate(tmp_path)
    async with loopback([(OK,)], tls=tls) as api, client() as one:
        with pytest.raises(Unreachable, match="certificate verify failed") as caught:
            await send(one, get(api.origin))
        assert not caught.value.outcome_unknown
        await api.all_closed()


# Time


class Recorded(httpcore2.AsyncNetworkBackend, httpcore2.AsyncNetworkStream):
    """Connections in memory: each `read` gives the next piece and then waits for ever. For a clock that jumps."""

    def __init__(self, *pieces: bytes, connects: bool = True) -> None:
        self._pieces = pieces
        self._left: list[bytes] = []
        self._connects = connects
        self.connections = 0

    async def connect_tcp(self, *args: Any, **options: Any) -> httpcore2.AsyncNetworkStream:
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

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()

    def get_extra_info(self, info: str) -> Any:
        return False


FAR = get(Origin("http", "api.example.com", 80))


def under_clock(backend: Recorded, seconds: float, **settings: Any) -> tuple[HttpResponse | UpstreamError, float]:
    """What one call comes to, and after how long."""

    async def call() -> tuple[HttpResponse | UpstreamError, float]:
        async with Upstream(backend, **settings) as one:
            began = trio.current_time()
            try:
                return await one.send(FAR, deadline_seconds=seconds), trio.current_time() - began
            except UpstreamError as error:
                return error, trio.current_time() - began

    return trio.run(call, clock=trio.testing.MockClock(autojump_threshold=0))


@pytest.mark.parametrize(
    ("backend", "unknown"),
    [
        pytest.param(Recorded(connects=False), False, id="no connection"),
        pytest.param(Recorded(), True, id="no answer"),
        pytest.param(Recorded(b"HTTP/1.1 200 OK\r\n"), True, id="no end of the headers"),
        pytest.param(Recorded(sized(b"ok")[:-1]), True, id="no end of the body"),
    ],
)
@pytest.mark.parametrize(("left", "attempt", "expected"), [(7, 30, 7), (60, 30, 30)])
def test_the_earlier_deadline_ends_a_call(
    backend: Recorded, unknown: bool, left: float, attempt: float, expected: float
) -> None:
    outcome, seconds = under_clock(backend, left, attempt_seconds=attempt)
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
    backend = Recorded(OK)
    clock = trio.testing.MockClock()

    async def calls() -> None:
        async with Upstream(backend) as one:
            await one.send(FAR, deadline_seconds=9)
            clock.jump(idle)
            await one.send(get(FAR.origin, method=method), deadline_seconds=9)

    trio.run(calls, clock=clock)
    assert backend.connections == connections


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
