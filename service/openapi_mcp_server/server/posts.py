"""A message that is posted over HTTP: its sender, form and size. `/mcp` and `/messages` share this module."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

import trio

from openapi_mcp_server.bridge.policy import ANYBODY, Principal
from openapi_mcp_server.errors import NoRoom
from openapi_mcp_server.mcp.inbound import Batch, Message, Notification
from openapi_mcp_server.mcp.messages import INTERNAL_ERROR, INVALID_REQUEST, Pieces, RequestId, error_response, size
from openapi_mcp_server.memory import SMALL_BYTES, Budget, Hold
from openapi_mcp_server.observe.trace import Carrier
from openapi_mcp_server.server import fields
from openapi_mcp_server.server.asgi import Receive, Scope, Send
from openapi_mcp_server.server.events import WRITE_BYTES, slices

BODY_BYTES = 4 * 1024 * 1024
"""The most bytes of a request. It is larger than any argument that a model writes. The proxy's configuration has the
same number."""
BODY_PIECES = 20_000
"""The most pieces of a body. The largest body may come in chunks of 256 bytes, which are 16,384; the rest is for chunks
that are read in two halves, at every 64 kB. A body in chunks of one byte costs 9 µs a byte."""
BODY_SECONDS = 30.0
"""The time for the whole body to arrive. Clients send a message at once."""
LAST_BODY_SECONDS = 3.0
"""The same once the server stops. Nothing of the message is carried out before, so a client may send it again."""

Header = tuple[bytes, bytes]

JSON: Final[Header] = (b"content-type", b"application/json")
CLOSE: Final[Header] = (b"connection", b"close")
RETRY_AFTER: Final[Header] = (b"retry-after", b"5")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:=+/-]{1,128}")
"""The id of a request, the proxy's or that of a client without one: it goes into the log, so it is short and moves no
cursor."""
_BESIDE = frozenset({b"x-request-id", b"traceparent", b"tracestate", b"x-amzn-trace-id"})
_HOST_CHARACTERS = 255


class Refusal(Exception):
    """Ends the exchange with this status before any message is carried out.

    ``id``: that of the message, if it was read, and None otherwise (null, JSON-RPC 2.0 section 5). A client then takes
    the error for the answer to the request of its exchange.
    """

    def __init__(self, status: int, problem: str, *headers: Header) -> None:
        super().__init__(problem)
        self.status = status
        self.problem = problem
        self.headers = headers
        self.id: RequestId | None = None

    def of(self, message: Message | Batch) -> Refusal:
        """The same, as the answer to this message. A batch and a notification have no id."""
        self.id = None if isinstance(message, Batch | Notification) else message.id
        return self

    def bare(self) -> Refusal:
        """The same without its traceback and cause, which would keep the message."""
        bare = Refusal(self.status, self.problem, *self.headers)
        bare.id = self.id
        return bare


def check_form(headers: Mapping[bytes, bytes]) -> None:
    """Checks a message as far as possible without its body."""
    if not fields.is_json(headers.get(b"content-type", b"")):
        raise Refusal(415, "the Content-Type must be application/json, in UTF-8")
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise Refusal(415, "the body must not be compressed", (b"accept-encoding", b"identity"))
    if headers.get(b"expect", b"100-continue").lower() != b"100-continue":
        raise Refusal(417, "the only expectation that is met is 100-continue")


def carrier(
    path: str, headers: Mapping[bytes, bytes], principal: Principal = ANYBODY, forwarded: Collection[bytes] = ()
) -> Carrier:
    """The headers of a message that must be kept. ``forwarded``: headers that APIs want, in lower case."""
    host = headers.get(b"host", b"")[:_HOST_CHARACTERS].decode("latin-1")
    if _BESIDE.isdisjoint(headers) and not forwarded:
        return Carrier(host=host, path=path, principal=principal)
    request_id = headers.get(b"x-request-id", b"")
    return Carrier(
        request_id=request_id.decode("ascii") if _REQUEST_ID.fullmatch(request_id) else "",
        traceparent=headers.get(b"traceparent", b"").decode("latin-1"),
        tracestate=headers.get(b"tracestate", b"").decode("latin-1"),
        amzn_trace_id=headers.get(b"x-amzn-trace-id", b"").decode("latin-1"),
        host=host,
        path=path,
        principal=principal,
        forwarded=_chosen(headers, forwarded) if forwarded else {},
    )


def _chosen(headers: Mapping[bytes, bytes], names: Collection[bytes]) -> Mapping[str, str]:
    return {name.decode("ascii"): headers[name].decode("latin-1") for name in names if name in headers}


def retry_headers(status: int) -> tuple[Header, ...]:
    """The headers of an answer with this status that say when to come again."""
    return (RETRY_AFTER,) if status in {429, 503} else ()


def opened(memory: Budget, share: str) -> Hold:
    """The hold of a message that is about to be read. ``share``: the client whose part of the memory it takes."""
    try:
        return memory.open(share)
    except NoRoom as error:
        raise _no_room(error) from error


class Arrivals:
    """Reads the bodies of messages, until the server stops."""

    def __init__(self) -> None:
        self._is_draining = False
        self._arriving: set[trio.CancelScope] = set()

    def drain(self) -> None:
        """Refuses from now on what is not whole soon: it would hold the stop up."""
        self._is_draining = True
        for scope in self._arriving:
            scope.deadline = min(scope.deadline, trio.current_time() + LAST_BODY_SECONDS)

    async def read(self, scope: Scope, receive: Receive, headers: Mapping[bytes, bytes], hold: Hold) -> bytes | None:
        """The whole body, counted in ``hold``; None if the client left before it had sent it."""
        whole: bytes | None = scope["whole_body"]()
        if whole is None:
            return await self._within_time(receive, headers, hold)
        if len(whole) > SMALL_BYTES:
            _count(hold, len(whole))
        return whole

    async def _within_time(self, receive: Receive, headers: Mapping[bytes, bytes], hold: Hold) -> bytes | None:
        with trio.move_on_after(LAST_BODY_SECONDS if self._is_draining else BODY_SECONDS) as scope:
            self._arriving.add(scope)
            try:
                return await _read_pieces(receive, headers, hold)
            finally:
                self._arriving.discard(scope)
        if self._is_draining:
            raise Refusal(503, "the server is stopping, and the body is not whole; send it again", RETRY_AFTER)
        raise Refusal(408, f"the body did not arrive within {BODY_SECONDS:g} s")


async def _read_pieces(receive: Receive, headers: Mapping[bytes, bytes], hold: Hold) -> bytes | None:
    declared = int(headers.get(b"content-length", BODY_BYTES))  # h11 lets nothing but digits through
    if declared > BODY_BYTES:
        raise _too_large()
    body = bytearray()
    is_counted = False
    for _ in range(BODY_PIECES):
        event = await receive()
        if event["type"] == "http.disconnect":
            return None
        body += event.get("body", b"")
        if len(body) > BODY_BYTES:
            raise _too_large()
        if len(body) > SMALL_BYTES and not is_counted:
            _count(hold, declared)  # at once, so that of too many the first find room
            is_counted = True
        if not event.get("more_body", False):
            return bytes(body)
    raise Refusal(413, f"a body may come in {BODY_PIECES} pieces; send it in larger ones")


async def reply(send: Send, status: int, body: Pieces, *headers: Header) -> None:
    """The whole response; a body is JSON."""
    described = (JSON,) if body else ()
    length = size(body)
    everything = [*described, (b"content-length", b"%d" % length), *headers]
    await send({"type": "http.response.start", "status": status, "headers": everything})
    if length <= WRITE_BYTES:  # as most are
        await send({"type": "http.response.body", "body": b"".join(body)})
    else:
        await send_pieces(send, body, last=True)


async def send_pieces(send: Send, pieces: Pieces, *, last: bool) -> None:
    """Sends a part of a response's body, as fast as the client takes it. The ``last`` part ends the response."""
    parts = [*slices(pieces)]
    for part in parts[:-1]:
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": parts[-1], "more_body": not last})


async def refuse(send: Send, refusal: Refusal, *headers: Header) -> None:
    """Closes the connection, too: the rest of the body is not worth reading."""
    code = INTERNAL_ERROR if refusal.status >= 500 else INVALID_REQUEST
    problem = error_response(refusal.id, code, refusal.problem)
    await reply(send, refusal.status, (problem,), *refusal.headers, *headers, CLOSE)


def _no_room(error: NoRoom) -> Refusal:
    return Refusal(503, str(error), RETRY_AFTER)


def _count(hold: Hold, size: int) -> None:
    try:
        hold.take(size)
    except NoRoom as error:
        raise _no_room(error) from error


def _too_large() -> Refusal:
    return Refusal(413, f"a message may have {BODY_BYTES // 1024 // 1024} MiB")
