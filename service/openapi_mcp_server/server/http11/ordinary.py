"""Reads and answers ordinary requests without a protocol library (docs/adr/0033).

All other requests go to h11. Nothing is refused in this module, and h11 would read the same requests in the same way. A
test compares both with generated requests.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from email.utils import formatdate
from functools import lru_cache
from typing import Any, NamedTuple

from openapi_mcp_server.grammar import FIELD_NAME, head_fields

Header = tuple[bytes, bytes]

_HEAD = re.compile(rb"(GET|POST) (/[!-$&-~]*+) HTTP/1\.1\r\n((?>(?:" + FIELD_NAME + rb":[\t -~]*+\r\n)+))\r\n")
"""No percent sign, after which the path would have to be decoded."""
_SENT = re.compile(rb"(?>(?:" + FIELD_NAME + rb": [\t -~\x80-\xff]*+\r\n)*)")
_PLAINLY_SENT = re.compile(rb"(?>(?:[a-z-]++: (?>[!-~]++(?: [!-~]++)*)\r\n)*)")
"""The same for names in lower case and values without white space around them, which is the usual form."""
_LINE: Callable[[Header], bytes] = b"%b: %b\r\n".__mod__
_UNUSUAL = frozenset({b"transfer-encoding", b"expect", b"upgrade"})
_AT_MOST_ONCE = frozenset({b"host", b"content-length", b"connection"})
_LENGTH = re.compile(rb"[0-9]{1,9}")
_WITHOUT_BODY = frozenset({204, 304})

Event = MutableMapping[str, Any]


class OrdinaryHead(NamedTuple):
    """The head of a request, as received and as parsed. ``length``: bytes of the body."""

    text: bytes
    method: str
    path: bytes
    query: bytes
    headers: tuple[Header, ...]
    length: int


class OrdinaryRequest(NamedTuple):
    """``begun``: the received part of its body. ``missing``: bytes of it that are still to come."""

    head: OrdinaryHead
    begun: bytes
    missing: int


def read(data: bytes, known: OrdinaryHead | None = None) -> OrdinaryRequest | None:
    """A request with a whole head, and nothing after its body. None if h11 must read it. ``known`` is the head of the
    request before. Most clients send an identical head again, which is then not parsed again."""
    head = known if known is not None and data.startswith(known.text) else _head(data)
    if head is None:
        return None
    begun = data[len(head.text) :]
    missing = head.length - len(begun)
    return None if missing < 0 else OrdinaryRequest(head, begun, missing)


def _head(data: bytes) -> OrdinaryHead | None:
    found = _HEAD.match(data)
    if found is None:
        return None
    headers = head_fields(found[3])
    length = _body_length(headers)
    if length is None:
        return None
    path, _, query = found[2].partition(b"?")
    return OrdinaryHead(found[0], found[1].decode(), path, query, tuple(headers), length)


def _body_length(headers: Sequence[Header]) -> int | None:
    """The length of the body. None if the head asks for more than reading so many bytes and answering."""
    fields = dict(headers)
    if b"host" not in fields or not _UNUSUAL.isdisjoint(fields):
        return None
    if len(fields) < len(headers) and not _AT_MOST_ONCE.isdisjoint(_repeated(headers)):
        return None
    length = fields.get(b"content-length", b"0")
    if fields.get(b"connection", b"keep-alive").lower() != b"keep-alive" or _LENGTH.fullmatch(length) is None:
        return None
    return int(length)


def _repeated(headers: Sequence[Header]) -> list[bytes]:
    counted = Counter(name for name, _ in headers)
    return [name for name, times in counted.items() if times > 1]


class OrdinaryExchange:
    """``receive`` and ``send`` of one request that is answered in its connection's own task.

    ``read(most)`` waits for more of the body, nothing at the end of the connection; ``left()`` waits until the client
    has left; ``write(data, last)`` sends; ``stops()``: the process ends. ``closes``: nothing may follow on this
    connection.
    """

    __slots__ = (
        "_begun",
        "_chunked",
        "_has_left",
        "_head",
        "_is_over",
        "_left",
        "_promised",
        "_read",
        "_stops",
        "_write",
        "closes",
        "missing",
    )

    def __init__(
        self,
        request: OrdinaryRequest,
        read: Callable[[int], Awaitable[bytes]],
        left: Callable[[], Awaitable[None]],
        write: Callable[[bytes, bool], Awaitable[None]],
        stops: Callable[[], bool],
    ) -> None:
        self._stops = stops
        self._begun: bytes | None = request.begun
        self.missing = request.missing
        self._read = read
        self._left = left
        self._write = write
        self._head: bytes | None = None  # until it is sent with what follows it
        self._chunked = False
        self._promised = -1  # bytes of the body that are still to be sent; none is promised before the head is made
        self._is_over = False
        self._has_left = False  # within the body
        self.closes = False

    def whole_body(self) -> bytes | None:
        """The body. None if a part of it is still to come, or if it was received already."""
        if self.missing:
            return None
        data, self._begun = self._begun, None
        return data

    async def receive(self) -> Event:
        """The body as it comes, then the client's leaving."""
        if self._begun is not None:
            data, self._begun = self._begun, None
            if data or not self.missing:
                return {"type": "http.request", "body": data, "more_body": self.missing > 0}
        if self.missing:
            data = await self._read(self.missing)
            self.missing -= len(data)
            if data:
                return {"type": "http.request", "body": data, "more_body": self.missing > 0}
            self._has_left = True
        else:
            await self._left()
        return {"type": "http.disconnect"}

    async def send(self, event: Event | None) -> None:
        """Sends an event of the application. None: the application has ended."""
        if event is None:
            await self._end()
        elif event["type"] == "http.response.start" and self._promised == -1:
            self._start(event["status"], event["headers"])
        elif event["type"] == "http.response.body" and self._promised != -1 and not self._is_over:
            await self._body(bytes(event.get("body", b"")), last=not event.get("more_body", False))
        else:
            raise RuntimeError(f"{event['type']} does not come next")

    def _start(self, status: int, headers: Sequence[Header]) -> None:
        ends = self.missing > 0 or self._stops()  # RFC 9112 section 9.6: a client has to be told
        if ends:
            headers = [(name.lower(), value) for name, value in headers if name.lower() != b"connection"]
        fields = b"".join(map(_LINE, headers))
        if fields.count(b"\r\n") == len(headers) and _PLAINLY_SENT.fullmatch(fields) is not None:
            named = dict(headers)
        else:
            fields = b"".join([_LINE((name.strip(), value.strip())) for name, value in headers])
            if fields.count(b"\r\n") != len(headers) or _SENT.fullmatch(fields) is None:
                raise RuntimeError("a header of the answer cannot be written")  # its value may be a secret
            named = {name.lower(): value for name, value in headers}
        length = named.get(b"content-length")
        self._chunked = length is None and status not in _WITHOUT_BODY
        self._promised = int(length or b"0")
        self.closes = ends or named.get(b"connection", b"").lower() == b"close"
        said = b"connection: close\r\n" if ends else b""
        end = b"Transfer-Encoding: chunked\r\n\r\n" if self._chunked else b"\r\n"
        self._head = b"HTTP/1.1 %d \r\n%bdate: %b\r\n%b%b" % (status, fields, _date(int(time.time())), said, end)

    async def _body(self, data: bytes, *, last: bool) -> None:
        if self._chunked:
            data = (b"%x\r\n%b\r\n" % (len(data), data) if data else b"") + (b"0\r\n\r\n" if last else b"")
        else:
            self._promised -= len(data)
            if self._promised < 0:
                raise RuntimeError("the body of the answer is longer than its Content-Length")
        head, self._head = self._head or b"", None
        is_whole = last and not self._promised
        if head or data:
            await self._write(head + data, is_whole)
        if last and not is_whole:
            raise RuntimeError("the body of the answer is shorter than its Content-Length")
        self._is_over = last

    async def _end(self) -> None:
        if self._is_over:
            return
        self._is_over = self.closes = True
        if self._head is None and self._promised == -1:
            status = 400 if self._has_left else 500  # one that has only ended its body early may still be reading
            headers = b"content-length: 0\r\nconnection: close\r\ndate: %b\r\n\r\n" % _date(int(time.time()))
            await self._write(b"HTTP/1.1 %d \r\n%b" % (status, headers), True)  # noqa: FBT003 - the last


@lru_cache(maxsize=1)
def _date(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()
