"""Encodes and reads ordinary requests and answers without a protocol library (docs/adr/0033).

Everything else is left to h11. Nothing is refused in this module, and h11 would write and read the same messages in the
same way. Tests compare both with generated requests and answers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from openapi_mcp_server import __version__
from openapi_mcp_server.bridge.http_messages import HttpRequest
from openapi_mcp_server.grammar import FIELD_NAME, head_fields
from openapi_mcp_server.memory import SMALL_BYTES

_REQUEST = re.compile(
    rb"[A-Z]++ [!-~]++ HTTP/1\.1\r\n(?>(?:" + FIELD_NAME + rb": (?![ \t])[\t -~\x80-\xff]*+(?<![ \t])\r\n)+)\r\n"
)
_ANSWER = re.compile(
    rb"HTTP/1\.1 ([2-5][0-9][0-9]) ([!-~][ -~]*+)\r\n((?>(?:" + FIELD_NAME + rb":[\t -~]*+\r\n)+))\r\n"
)
_FRAMING = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "expect", "upgrade", "te", "trailer"}
)
"""Fields that say how a message is transferred. If a request sets one itself, h11 decides whether it may."""
_CARRYING = frozenset({b"content-length", b"transfer-encoding", b"connection", b"upgrade"})
_KEPT = {(b"connection", b"keep-alive"), (b"connection", b"Keep-Alive")}
_LINE: Callable[[tuple[str, str]], str] = "%s: %s\r\n".__mod__
_LENGTH = re.compile(rb"[0-9]{1,12}")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,6})\r\n")
_LAST_CHUNK = b"0\r\n\r\n"
_WITHOUT_BODY = frozenset({204, 304})
_USER_AGENT = f"openapi-mcp-server/{__version__}"
_FIELDS_LIMIT = 100
_CHUNKS_LIMIT = 256
"""An answer with more chunks is read with h11, which counts them and lets other tasks run."""

Header = tuple[bytes, bytes]


class OrdinaryMessage(NamedTuple):
    """The head of a request, in the order in which it is encoded. Values are latin-1 text. ``is_ordinary``: only our
    own fields say how it is transferred."""

    method: str
    target: str
    headers: Sequence[tuple[str, str]]
    is_ordinary: bool


class Head(NamedTuple):
    """The head of an answer; names are in lower case."""

    status_code: int
    reason: bytes
    headers: list[Header]


class Answer(NamedTuple):
    """``begun``: the received part of its body, without chunk headers. ``missing``: bytes still to come."""

    head: Head
    begun: bytes
    missing: int


def carries(names: Iterable[str]) -> bool:
    """Whether one of these fields says how a message is transferred. ``names`` are in lower case."""
    return not _FRAMING.isdisjoint(names)


def encoded_whole(request: HttpRequest) -> bytes | None:
    """The whole of an ordinary request that is small."""
    body = request.body or b""
    head = encoded(message_of(request)) if len(body) <= SMALL_BYTES else None
    return head + body if head and body else head


def message_of(request: HttpRequest) -> OrdinaryMessage:
    """The head of a request, with the fields that all our requests have."""
    own = {name.lower() for name, _ in request.headers}
    headers = [("Host", request.authority or request.origin.authority)]
    if "user-agent" not in own:  # which some APIs let their callers set
        headers.append(("User-Agent", _USER_AGENT))
    headers.append(("Accept-Encoding", "gzip"))
    headers += request.headers
    if request.body is not None:
        headers.append(("Content-Length", str(len(request.body))))
    elif request.method in {"POST", "PUT", "PATCH"}:  # RFC 9110 section 8.6: servers may insist on it
        headers.append(("Content-Length", "0"))
    return OrdinaryMessage(request.method, request.target, headers, not carries(own))


def encoded(request: OrdinaryMessage) -> bytes | None:
    """The head as bytes. None if h11 must decide whether it can be encoded."""
    start = f"{request.method} {request.target} HTTP/1.1\r\n"
    if not request.is_ordinary or not start.isascii():
        return None
    fields = "".join(map(_LINE, request.headers))
    try:
        head = f"{start}{fields}\r\n".encode("latin-1")
    except UnicodeEncodeError:
        return None
    if head.count(b"\r\n") != len(request.headers) + 2 or _REQUEST.fullmatch(head) is None:
        return None
    return head


def read(data: bytes) -> Answer | None:
    """An answer with a whole head, and nothing after its end. A body in chunks is whole, too. None if h11 must read
    it."""
    found = _ANSWER.match(data)
    if found is None or int(found[1]) in _WITHOUT_BODY:
        return None
    headers = head_fields(found[3])
    if len(headers) > _FIELDS_LIMIT:
        return None
    head, begun = Head(int(found[1]), found[2], headers), data[found.end() :]
    match [each for each in headers if each[0] in _CARRYING and each not in _KEPT]:
        case [(b"content-length", length)] if _LENGTH.fullmatch(length) and len(begun) <= int(length):
            return Answer(head, begun, int(length) - len(begun))
        case [(b"transfer-encoding", b"chunked")] if (body := _unchunked(begun)) is not None:
            return Answer(head, body, 0)
    return None


def _unchunked(data: bytes) -> bytes | None:
    """A body in chunks without extensions and trailers, decoded, if it ends where the data ends; else None."""
    pieces: list[bytes] = []
    at = 0
    while not data.startswith(_LAST_CHUNK, at):
        found = _CHUNK.match(data, at)
        if found is None:
            return None
        at, size = found.end(), int(found[1], 16)
        if not size or len(pieces) == _CHUNKS_LIMIT or not data.startswith(b"\r\n", at + size):
            return None
        pieces.append(data[at : at + size])
        at += size + 2
    return b"".join(pieces) if at + len(_LAST_CHUNK) == len(data) else None
