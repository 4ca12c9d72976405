"""The requests and answers that nearly all are, encoded and read without a protocol's machinery (docs/adr/0033).

Whatever is not encoded exactly as here is for h11: nothing is refused in this module, and what it takes h11 would write
and read in the same way, which tests try with generated requests and answers.
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
"""Fields that say how a message is carried: where a request has one of its own, h11 says whether it may."""
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
"""More are read as they are by h11: with a look at the other tasks, and counted."""

Header = tuple[bytes, bytes]


class OrdinaryMessage(NamedTuple):
    """The head of a request, in the order in which it is encoded; values are latin-1 text. ``is_ordinary``: none of its
    fields but our own says how it is carried."""

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
    """``begun``: what has come of its body, as it is meant; ``missing``: bytes of it that have not."""

    head: Head
    begun: bytes
    missing: int


def carries(names: Iterable[str]) -> bool:
    """Whether a field among these says how a message is carried. ``names`` in lower case."""
    return not _FRAMING.isdisjoint(names)


def encoded_whole(request: HttpRequest) -> bytes | None:
    """The whole of an ordinary request that is small."""
    body = request.body or b""
    head = encoded(message_of(request)) if len(body) <= SMALL_BYTES else None
    return head + body if head and body else head


def message_of(request: HttpRequest) -> OrdinaryMessage:
    """The head of a request, with the fields that every one of ours has."""
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
    """The head as bytes. None: it is for h11 to say whether it can be encoded."""
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
    """An answer whose head is whole, and its body as well where it comes in chunks; nothing follows it. None: it is for
    h11 to say what it is."""
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
    """The body in chunks without extensions and trailers, which ends where the data does; else None."""
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
