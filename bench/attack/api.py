"""The scripted API: says by the path of a request what an API may say, honest or not. As a program it is one.

It prints its port, and lives until it is ended.
"""

from __future__ import annotations

import gzip
import re
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from functools import cache, partial

import msgspec
import trio

from attack.documents import hostile_text

PET = b'{"name":"Mia"}'
SLOW_SECONDS = 5.0
BLOCK = 20_000
"""Crumbs that are sent together: how they arrive is the kernel's business."""
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
SAMPLING_RULES = {
    "SamplingRuleRecords": [
        {
            "SamplingRule": {
                "RuleName": "wild",
                "Priority": 1,
                "FixedRate": 0.0,
                "ReservoirSize": 0,
                "ServiceName": "*",
                "ServiceType": "*",
                "Host": host,
                "HTTPMethod": "*",
                "URLPath": "*",
                "ResourceARN": "*",
                "Version": 1,
            }
        }
        for host in ("*-*-*-*.example.com", "*a*a*a*a*a*a*b")
    ]
}
"""As X-Ray's daemon gives them; the second has the name that makes it the second."""
SAMPLING_RULES["SamplingRuleRecords"][1]["SamplingRule"]["RuleName"] = "wilder"


def whole(body: bytes, media_type: str = "application/json", *lines: str, status: str = "200 OK") -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Type: {media_type}", f"Content-Length: {len(body)}", *lines, "", ""]
    return "\r\n".join(head).encode("latin-1") + body


def chunked(*lines: str) -> bytes:
    """The beginning of an answer in chunks."""
    return "\r\n".join(["HTTP/1.1 200 OK", *lines, "Transfer-Encoding: chunked", "", ""]).encode()


@cache
def picture() -> bytes:
    return whole(b"\x89PNG\r\n\x1a\n" + b"p" * 9 * 2**20, "image/png")


@cache
def answer_of_10_mb() -> bytes:
    return whole(msgspec.json.encode([{"id": n, "text": "x" * 80} for n in range(98_000)]))


@cache
def ones() -> bytes:
    """10 kB that become 10 MiB."""
    return whole(gzip.compress(b"[" + b"1," * (5 * 2**20 - 2) + b"1]"), "application/json", "Content-Encoding: gzip")


@cache
def items() -> bytes:
    """150 kB."""
    return whole(msgspec.json.encode([{"a": n, "b": "b" * 20, "c": {"d": [n, n]}} for n in range(2_000)]))


@cache
def words() -> bytes:
    """8.5 MB of text that is not in order."""
    return whole(msgspec.json.encode([f"{n * 7919 % 700_001:08d}" for n in range(770_000)]))


@cache
def one_string() -> bytes:
    return whole(msgspec.json.encode({"v": hostile_text(9_000_000)}))


def hostile_type() -> bytes:
    return whole(PET, "application/json" + "; " * 60 + ";(")


def reason() -> bytes:
    return whole(b'{"title":"no"}', status="500 " + "\x1b[2Jreason " * 6_000)


def header_lines() -> bytes:
    return whole(PET, "application/json", *(f"Link: </{n}>; rel=next{'x' * 200}" for n in range(120)), *_rates())


def _rates() -> Iterator[str]:
    return (f"RateLimit-Limit: {'9' * 200}{n}" for n in range(100))


def two_lengths() -> bytes:
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"e\r\n" + PET + b"\r\n0\r\n\r\n"
    )


def http_2() -> bytes:
    return whole(PET).replace(b"HTTP/1.1", b"HTTP/2.0", 1)


def illegal_header() -> bytes:
    return whole(PET, "application/json", "Bad header\x01: x")


def once() -> bytes:
    return whole(PET, "application/json", "Connection: close")


WHOLE: dict[str, Callable[[], bytes]] = {
    "/pet": partial(whole, PET),
    "/pet-once": once,
    "/picture": picture,
    "/answer": answer_of_10_mb,
    "/ones": ones,
    "/items": items,
    "/words": words,
    "/string": one_string,
    "/hostile-type": hostile_type,
    "/reason": reason,
    "/header-lines": header_lines,
    "/two-lengths": two_lengths,
    "/http-2": http_2,
    "/illegal-header": illegal_header,
    "/GetSamplingRules": lambda: whole(msgspec.json.encode(SAMPLING_RULES)),
    "/SamplingTargets": lambda: whole(b'{"SamplingTargetDocuments":[],"LastRuleModification":0}'),
}
EMPTY_MEMBER = gzip.compress(b"")
ENDLESS: dict[str, tuple[bytes, bytes]] = {
    "/crumbs/1": (chunked("Content-Type: text/plain"), b"1\r\nx\r\n"),
    "/crumbs/2": (chunked("Content-Type: text/plain"), b"2\r\nxx\r\n"),
    "/crumbs/7": (chunked("Content-Type: text/plain"), b"7\r\nxxxxxxx\r\n"),
    "/crumbs/json": (chunked("Content-Type: application/json") + b"1\r\n[\r\n", b"2\r\n1,\r\n"),
    "/crumbs/events": (chunked("Content-Type: text/event-stream"), b"8\r\ndata:x\n\n\r\n"),
    "/crumbs/extensions": (chunked("Content-Type: text/plain"), b"1;a=b\r\nx\r\n"),
    "/crumbs/gzip-empty": (
        chunked("Content-Type: text/plain", "Content-Encoding: gzip"),
        b"%x\r\n%b\r\n" % (len(EMPTY_MEMBER), EMPTY_MEMBER),
    ),
    "/crumbs/gzip-empty-to-the-end": (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\n\r\n",
        EMPTY_MEMBER,
    ),
    "/crumbs/trailers": (chunked("Content-Type: text/plain") + b"0\r\n", b"a: b\r\n"),
    "/crumbs/header-lines": (b"HTTP/1.1 200 OK\r\n", b"a:b\r\n"),
    "/crumbs/informational": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
}
"""How an answer begins, and what comes again and again after it."""
BYTE_BY_BYTE = {
    "/segments/sized": b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 9000000\r\n\r\n",
    "/segments/head": b"HTTP/1.1 200 OK\r\nX: ",
    "/segments/to-the-end": b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n",
}
"""How an answer begins, after which every byte is a TCP segment of its own."""


async def pieces(path: str, request: bytes) -> AsyncIterator[bytes]:
    if path in WHOLE:
        yield WHOLE[path]()
    elif path in ENDLESS:
        begin, crumb = ENDLESS[path]
        yield begin
        block = crumb * BLOCK
        while True:
            yield block
    elif path in BYTE_BY_BYTE:
        yield BYTE_BY_BYTE[path]
        while True:
            yield b"x"
    elif path == "/slow":
        await trio.sleep(SLOW_SECONDS)
        yield whole(PET)
    elif path.startswith("/echo"):
        yield whole(request, "text/plain")
    else:
        yield whole(b'{"ok":true}')


async def serve(stream: trio.SocketStream) -> None:
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        while request := await _request(stream):
            path = request.split(b" ", 2)[1].partition(b"?")[0].decode("latin-1")
            async for piece in pieces(path, request):
                await stream.send_all(piece)
            if path == "/pet-once":
                return
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass  # the server has had enough


async def _request(stream: trio.SocketStream) -> bytes:
    received = bytearray()
    while b"\r\n\r\n" not in received:
        piece = await stream.receive_some(65_536)
        if not piece:
            return b""
        received += piece
    found = _LENGTH.search(received)
    end = received.index(b"\r\n\r\n") + 4 + (int(found[1]) if found else 0)
    while len(received) < end:
        piece = await stream.receive_some(2**20)
        if not piece:
            return b""
        received += piece
    return bytes(received)


async def main() -> None:
    async with trio.open_nursery() as nursery:
        [listener] = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        print(listener.socket.getsockname()[1], flush=True)


if __name__ == "__main__":
    trio.run(main)
