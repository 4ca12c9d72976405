"""Whole calls to an API on a raw socket: what it answers, byte for byte, and what a model is given for it."""

from __future__ import annotations

import base64
import gzip
from decimal import Decimal
from typing import Any

import msgspec
import pytest
import trio
from hypothesis import example, given, settings
from hypothesis import strategies as st

from documents import described
from loopback import NEXT, Do, Reply, chunked, client, loopback, sized
from openapi_mcp_server.bridge import catalog
from openapi_mcp_server.bridge.origins import BaseUrl, Origin
from openapi_mcp_server.bridge.results import failure
from openapi_mcp_server.gateway.gateway import Gateway
from openapi_mcp_server.gateway.serving import Serving
from openapi_mcp_server.mcp.inbound import Call
from scripted import SERVER, unchanged

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG\r\n\x1a\n\x00\xff"
ANSWER = {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]}
EXACT = msgspec.json.Decoder(float_hook=Decimal)
"""Reads numbers that no float holds."""
UNKNOWN = failure.UNKNOWN_OUTCOME


def typed(content_type: str, body: bytes, headers: bytes = b"", status: bytes = b"200 OK") -> bytes:
    return sized(body, b"Content-Type: %b\r\n%b" % (content_type.encode(), headers), status)


async def told(reply: Reply, method: str = "get", seconds: float = 10) -> dict[str, Any]:
    """The result of a call that the API answers so. The next call gets its own answer whatever came before."""
    async with loopback([reply, (NEXT,)], [(NEXT,)]) as api, client() as upstream:
        gateway = Gateway(
            built(api.origin),
            Serving(server=SERVER, call_seconds=seconds),
            send=upstream.send,
            authorize=unchanged,
            observe=lambda _: None,
        )
        with trio.fail_after(20):
            first = await answered(gateway, f"{method}_x")
            assert (await answered(gateway, "get_x"))["content"][0]["text"] == "next"
        return first


def built(origin: Origin) -> catalog.ToolCatalog:
    operation = {"responses": {"200": {"content": {"application/json": {"schema": ANSWER}}}}}
    description = described({"/x": {"get": operation, "post": {}, "head": {}}})
    return catalog.build([catalog.ApiSource(name="pets", base=BaseUrl(origin, ""), description=description)])


async def answered(gateway: Gateway, tool: str) -> dict[str, Any]:
    call = Call(id=1, method="tools/call", version="2025-11-25", size=2, name=tool, arguments=msgspec.Raw(b"{}"))
    response = EXACT.decode(b"".join(await gateway.answer(call, "http")))
    result: dict[str, Any] = response["result"]
    return result


def words(result: dict[str, Any]) -> str:
    return "\n".join(block["text"] for block in result["content"] if block["type"] == "text")


# Media types and charsets


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        ("application/json", b'{ "id": 1.50, "a": 12345678901234567890 }', '{"id":1.50,"a":12345678901234567890}'),
        ("application/json", b'{"id": 1e400}', '{"id":1e400}'),
        ("application/json; charset=utf-8", b'\xef\xbb\xbf{"id":1}', '{"id":1}'),
        ("application/json; charset=utf-16", '{"id":1}'.encode("utf-16"), '{"id":1}'),
        ("application/json; charset=iso-8859-1", b'{"a":"\xe9"}', '{"a":"é"}'),
        ("application/vnd.api+json", b"[1, 2]", "[1,2]"),
        ("application/hal+json", b'{"a": null}', '{"a":null}'),
        ("text/json", b'"a"', '"a"'),
        ("text/plain", "naïve".encode(), "naïve"),
        ("text/plain; charset=iso-8859-1", b"na\xefve", "naïve"),
        ("text/plain; charset=windows-1252", b"\x80 5", "€ 5"),
        ("text/plain; charset=utf-16le", "ä".encode("utf-16le"), "ä"),
        ("text/plain; charset=shift_jis", "日本".encode("shift_jis"), "日本"),
        ("text/csv; header=present", b"a;b\r\n1;2\r\n", "a;b\r\n1;2\r\n"),
        ("text/html", b"<p>hi</p>", "<p>hi</p>"),
        ("text/markdown", b"# hi", "# hi"),
        ("application/xml", b"<?xml version='1.0' encoding='iso-8859-1'?><a>\xe9</a>",
         "<?xml version='1.0' encoding='iso-8859-1'?><a>é</a>"),
        ("application/soap+xml; charset=utf-8", b"<a/>", "<a/>"),
        ("image/svg+xml", b"<svg/>", "<svg/>"),
        ("application/yaml", b"a: 1\n", "a: 1\n"),
        ("text/event-stream", b"event: x\ndata: 1\n\n", "event: x\ndata: 1\n\n"),
        ("application/x-ndjson", b'{"a":1}\n{"a":2}\n', '{"a":1}\n{"a":2}\n'),
        ("application/jsonl", b"1\n2\n", "1\n2\n"),
        ("application/json-seq", b'\x1e{"a":1}\n', '\x1e{"a":1}\n'),
        ("application/x-www-form-urlencoded", b"a=1&b=2", "a=1&b=2"),
    ],
)  # fmt: skip
async def test_text_of_every_type_and_charset(content_type: str, body: bytes, text: str) -> None:
    result = await told((typed(content_type, body),))
    assert "isError" not in result or result["isError"] is False
    assert result["content"][0] == {"type": "text", "text": text}


@pytest.mark.parametrize(
    ("content_type", "body", "kind"),
    [
        ("image/png", PNG, "image"),
        ("image/jpeg", PNG, "image"),
        ("audio/mpeg", PNG, "audio"),
        ("video/mp4", PNG, "resource"),
        ("application/pdf", b"%PDF-1.7\x00", "resource"),
        ("application/octet-stream", b"id: 1", "resource"),
        ("application/zip", b"PK\x03\x04", "resource"),
        ("application/x-unheard-of", b"\xff", "resource"),
        ("multipart/mixed; boundary=b", b"--b\r\n\r\n\xff\r\n--b--\r\n", "resource"),
        ("text/plain", b"na\xefve", "resource"),
        ("text/plain; charset=us-ascii", b"\xe9", "resource"),
        ("text/plain; charset=unknown-8bit", b"\xe9", "resource"),
        ("text/html", PNG, "resource"),
    ],
)
async def test_bytes_of_every_other_type_are_whole(content_type: str, body: bytes, kind: str) -> None:
    result = await told((typed(content_type, body),))
    block = result["content"][0]
    assert block["type"] == kind
    holder = block["resource"] if kind == "resource" else block
    data = holder["blob"] if kind == "resource" else holder["data"]
    assert (base64.b64decode(data), holder["mimeType"]) == (body, content_type)


@pytest.mark.parametrize(("body", "text"), [(b'{"id":1}', '{"id":1}'), (b"hello", "hello")])
async def test_a_body_without_a_type_is_what_it_looks_like(body: bytes, text: str) -> None:
    assert (await told((sized(body),)))["content"][0]["text"] == text


TYPES = ["application/json", "text/plain; charset=latin-1", "image/png", "application/zip", "multipart/mixed", "a", ""]


UNICODE = ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "windows-1252"]


def means(body: bytes, charset: str, text: str) -> bool:
    """Whether the body in this charset is the text, or the same JSON, or nothing but white space, which is said."""
    try:
        meant = body.decode(charset)
    except UnicodeError:
        return False
    if not meant.strip("\0 \t\r\n\ufeff\ufffe") and "success, without content" in text:
        return True
    return meant == text or (bool(meant) and compact(meant) == text)


def compact(text: str) -> str | None:
    try:
        return msgspec.json.format(text.encode(), indent=-1).decode()
    except (msgspec.DecodeError, UnicodeError):
        return None


@settings(max_examples=60)
@example(body=b"\xef", content_type="application/json", zipped=False, pieces=False)
@example(body=b"\xc2\x80", content_type="a", zipped=False, pieces=False)
@example(body=b" ", content_type="text/plain; charset=latin-1", zipped=False, pieces=False)
@given(st.binary(min_size=1, max_size=300), st.sampled_from(TYPES), st.booleans(), st.booleans())
def test_no_byte_of_an_answer_is_lost_in_silence(body: bytes, content_type: str, zipped: bool, pieces: bool) -> None:
    data = gzip.compress(body) if zipped else body
    headers = (b"Content-Encoding: gzip\r\n" if zipped else b"") + f"Content-Type: {content_type}\r\n".encode()
    reply = chunked(data[:5], data[5:] or b"\0", headers=headers) if pieces and data[5:] else sized(data, headers)
    result = trio.run(told, (reply,))
    block = result["content"][0]
    assert not result.get("isError")
    if block["type"] == "text" and content_type == "application/json":
        assert any(means(body, charset, block["text"]) for charset in UNICODE)
    elif block["type"] == "text":
        assert any(means(body, charset, block["text"]) for charset in (*UNICODE, "windows-1252", "latin-1"))
    else:
        assert base64.b64decode(block["resource"]["blob"] if "resource" in block else block["data"]) == body


# Statuses


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (sized(b"", status=b"204 No Content"), "The API answered 204 No Content: success, without content."),
        (sized(b"", status=b"205 Reset Content"), "The API answered 205 Reset Content: success, without content."),
        (sized(b""), "The API answered 200 OK: success, without content."),
        (typed("text/plain", b"a", status=b"201 Created", headers=b"Location: /x/1\r\n"), "Status: 201 Created"),
        (typed("text/plain", b"a", status=b"202 Accepted"), "Status: 202 Accepted"),
        (typed("text/plain", b"a", status=b"206 Partial Content"), "Status: 206 Partial Content"),
        (typed("text/plain", b"a", headers=b'Link: </x?page=2>; rel="next"\r\n'), "Link next: /x?page=2"),
        (typed("text/plain", b"a", headers=b'ETag: "1"\r\n'), 'ETag: "1"'),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + typed("text/plain", b"a"), "a"),
    ],
)  # fmt: skip
async def test_a_success_of_any_status_is_a_result(reply: bytes, said: str) -> None:
    result = await told((reply,))
    assert not result.get("isError")
    assert said in words(result)


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (sized(b"", b"Location: https://elsewhere.example/\r\n", b"302 Found"), "It points to elsewhere.example."),
        (sized(b"", b"Location: http://169.254.169.254/\r\n", b"307 Moved"), "It points to 169.254.169.254."),
        (sized(b"", b"Location: http://[::1\r\n", b"301 Moved"), "It names no place to go to instead."),
        (sized(b"", status=b"303 See Other"), "It names no place to go to instead."),
        (b"HTTP/1.1 304 Not Modified\r\n\r\n", "sends no content to a conditional request"),
        (typed("application/problem+json", b'{"title":"No","detail":"why"}', status=b"400 Bad Request"), "No: why"),
        (typed("application/json", b'{"detail":"who?"}', status=b"401 Unauthorized"), "401 Unauthorized"),
        (typed("text/plain", b"no", status=b"403 Forbidden"), "403 Forbidden"),
        (typed("text/plain", b"gone", status=b"404 Not Found"), "gone"),
        (sized(b"", status=b"409 Conflict"), "409 Conflict"),
        (typed("application/json", b"{broken", status=b"422 Unprocessable Content"), "{broken"),
        (sized(b"", b"Retry-After: 7\r\n", b"429 Too Many Requests"), "Retry-After: 7"),
        (sized(b"", b"Retry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\n", b"429 Slow"), "21 Oct 2015"),
        (sized(b"", b"Retry-After: -1\r\n", b"429 Slow"), "429 Slow"),
        (sized(b"", b"Retry-After: 99999999999999999999\r\n", b"503 Busy"), "503 Busy"),
        (typed("text/html", b"<h1>Bad &amp; worse</h1><script>x</script>", status=b"500 Oops"), "Bad & worse"),
        (typed("text/html", b"<p>" + b"long " * 9_999, status=b"502 Bad Gateway"), "long long"),
        (typed("image/png", PNG, status=b"503 Busy"), "Its body is 10 bytes of image/png."),
        (sized(b"", status=b"600 What"), "600 What"),
    ],
)  # fmt: skip
async def test_every_other_status_is_an_error_with_the_useful_part_of_its_body(reply: bytes, said: str) -> None:
    result = await told((reply,))
    assert result["isError"] is True
    assert said in words(result)
    assert len(words(result)) < 2_600


async def test_a_redirect_at_the_same_origin_is_followed_without_the_cookie_that_came_with_it() -> None:
    headers = b"Location: /y\r\nSet-Cookie: a=1\r\n"
    async with loopback([(sized(b"", headers, b"302 Found"),), (typed("text/plain", b"there"),)]) as api:
        async with client() as upstream:
            serving = Serving(server=SERVER, call_seconds=10)
            gateway = Gateway(
                built(api.origin), serving, send=upstream.send, authorize=unchanged, observe=lambda _: None
            )
            assert words(await answered(gateway, "get_x")) == "there"
        assert api.requests[1].startswith(b"GET /y ")
        assert b"cookie" not in api.requests[1].lower()


async def test_an_answer_to_head_is_its_headers() -> None:
    result = await told((b'HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\nETag: "a"\r\n\r\n',), method="head")
    assert 'ETag: "a"' in words(result)
    assert not result.get("isError")


# Schemas


@pytest.mark.parametrize(
    ("body", "structured", "reason"),
    [
        (b'{"id": 5}', {"id": 5}, ""),
        (b'{"id": "five"}', {"undocumented": {"id": "five"}}, "#/id"),
        (b"[1]", {"undocumented": [1]}, "not an object"),
    ],
)
async def test_an_answer_that_does_not_fit_its_schema_is_still_the_answer(
    body: bytes, structured: Any, reason: str
) -> None:
    result = await told((typed("application/json", body),))
    assert msgspec.json.decode(result["content"][0]["text"]) == msgspec.json.decode(body)
    assert result["structuredContent"] == structured
    assert reason in str(result.get("_meta", ""))
    assert not result.get("isError")


# Broken answers

ENDLESS = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nTransfer-Encoding: chunked\r\n\r\n" + b"100000\r\n%b\r\n" * 11


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ((Do.CLOSE,), "closed the connection without an answer"),
        ((Do.RESET,), "broke before its answer was whole"),
        ((b"HTTP/1.1 200", Do.CLOSE), "no valid HTTP answer"),
        ((b"SSH-2.0-OpenSSH\r\n\r\n",), "no valid HTTP answer"),
        ((b"HTTP/1.1 abc OK\r\n\r\n",), "no valid HTTP answer"),
        ((b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000,), "no valid HTTP answer"),
        ((b"HTTP/1.1 100 Continue\r\n\r\n" * 5_000, Do.CLOSE), ""),
        ((typed("text/plain", b"half")[:-2], Do.CLOSE), "no valid HTTP answer"),
        ((typed("text/plain", b"half")[:-2], Do.RESET), "broke before its answer was whole"),
        ((chunked(end=b"zz\r\nok\r\n"),), "no valid HTTP answer"),
        ((chunked(b"ok", end=b""), Do.CLOSE), "no valid HTTP answer"),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",), "Content-Length"),
        ((sized(b"no gzip", b"Content-Encoding: gzip\r\n"),), "packed data of the API's answer 200 is broken"),
        ((sized(gzip.compress(b"cut")[:-9], b"Content-Encoding: gzip\r\n"),), "ends too early"),
        ((sized(b"?", b"Content-Encoding: br\r\n"),), "was not asked for"),
        ((sized(gzip.compress(b"?"), b"Content-Encoding: gzip, gzip\r\n"),), "answer 200 ends too early"),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\nbegin",), "10 MiB"),
        ((ENDLESS % ((b"text/plain",) + (b"x" * 0x100000,) * 11),), "10 MiB"),
        ((sized(gzip.compress(b"\0" * 0x1000000), b"Content-Encoding: gzip\r\n"),), "10 MiB"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["get", "post"])
async def test_a_broken_answer_is_an_error_that_says_whether_the_call_may_count(
    reply: Reply, said: str, method: str
) -> None:
    result = await told(reply, method)
    assert result["isError"] is True
    assert said in words(result)
    assert "Traceback" not in words(result)
    assert (UNKNOWN in words(result)) is (method == "post")


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize(("body", "text"), [(b'{"a":', '{"a":'), (b"OK", "OK"), (b'{"a":"\xff"}', '{"a":"ÿ"}')])
async def test_a_whole_answer_that_is_not_the_json_it_claims_is_a_success(body: bytes, text: str, method: str) -> None:
    result = await told((typed("application/json", body, status=b"201 Created"),), method)
    assert not result.get("isError")
    assert result["content"][0]["text"] == text
    assert UNKNOWN not in words(result)


@pytest.mark.parametrize(
    "reply",
    [
        (Do.HANG,),
        (b"HTTP/1.1 200 OK\r\nContent-", Do.HANG),
        (typed("text/plain", b"slow")[:-1], Do.HANG),
        (b"HTTP/1.1 100 Continue\r\n\r\n", Do.HANG),
    ],
)
async def test_an_answer_that_does_not_end_meets_the_deadline(reply: Reply) -> None:
    result = await told(reply, "post", seconds=0.3)
    assert result["isError"] is True
    assert UNKNOWN in words(result)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [("text/event-stream", b"data: 1\n\n"), ("application/x-ndjson", b'{"a":1}\n')],
)
async def test_of_a_stream_that_does_not_end_what_arrived_is_told_as_cut(content_type: str, body: bytes) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n\r\n".encode()
    result = await told((head + body, Do.HANG), seconds=0.3)
    assert not result.get("isError")
    assert result["content"][0]["text"] == body.decode()
    assert "the answer was cut" in words(result)


@pytest.mark.parametrize("extra", [b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", b"\r\n", b"\x00"])
async def test_bytes_after_an_answer_reach_nobody(extra: bytes) -> None:
    assert words(await told((typed("text/plain", b"mine") + extra,))) == "mine"
