"""One call to an API: a place in the queue, one deadline, a bounded answer, and no surprise left unnamed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self
from urllib.parse import quote, urljoin, urlsplit

import anyio
import h11
import httpcore2
import msgspec

from service import __version__
from service.bridge.content import ANSWER_LIMIT
from service.bridge.model import IDEMPOTENT_METHODS, HttpRequest, HttpResponse, Origin
from service.edge.answer import Answer
from service.edge.connections import Connections
from service.edge.http11 import Connection
from service.errors import BadResponse, Refused, Timeout, TooLarge, Unreachable, UpstreamError

QUEUE_LIMIT = 1_000
"""Calls that may wait for a connection. More are refused at once: they would only wait for their deadline."""
REDIRECT_LIMIT = 3
_DETAIL_LIMIT = 200
"""Characters of a library's words in an error of ours: h11 quotes the bytes that it does not understand."""

_FAILURES: tuple[tuple[type[Exception], type[UpstreamError], str], ...] = (
    (httpcore2.ConnectTimeout, Timeout, "no connection to {origin} in time"),
    (httpcore2.ConnectError, Unreachable, "no connection to {origin}: {detail}"),
    (httpcore2.NetworkError, BadResponse, "the connection to {origin} broke before its answer was whole"),
    (httpcore2.TimeoutException, Timeout, "{origin} stopped sending or receiving"),
    (h11.RemoteProtocolError, BadResponse, "{origin} sent no valid HTTP answer: {detail}"),
    (h11.LocalProtocolError, Refused, "the request cannot be written as HTTP/1.1"),  # its detail may hold a secret
)
"""Every exception of the libraries below, and what it is to us. The first that matches holds."""
_USER_AGENT = f"openapi-mcp-server/{__version__}".encode("ascii")
_LIBRARY_ERRORS = tuple(kind for kind, _, _ in _FAILURES)


class Upstream:
    """Sends requests to APIs. One for the whole process; enter it before the first request.

    It keeps no cookies, reads no proxy from the environment and follows a redirect only where a GET or HEAD stays
    at its own origin, which is also where its credentials belong.
    """

    def __init__(
        self,
        backend: httpcore2.AsyncNetworkBackend,
        *,
        max_connections: int = 100,
        max_keepalive: int = 20,
        attempt_seconds: float = 30.0,
        answer_limit: int = ANSWER_LIMIT,
    ) -> None:
        self._connections = Connections(backend, limit=max_connections, idle_limit=max_keepalive)
        self._places = anyio.CapacityLimiter(max_connections)
        self._calls = 0
        self._calls_limit = max_connections + QUEUE_LIMIT
        self._attempt_seconds = attempt_seconds
        self._answer_limit = answer_limit

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._connections.close()

    async def send(self, request: HttpRequest, *, deadline_seconds: float) -> HttpResponse:
        """The answer, whatever its status. ``deadline_seconds`` is what is left of the call.

        Raises an `UpstreamError`: Refused, Unreachable, Timeout, TooLarge or BadResponse.
        """
        if self._calls >= self._calls_limit:
            raise Refused("too many calls wait for a connection; try again later", outcome_unknown=False)
        seconds = min(deadline_seconds, self._attempt_seconds)
        call = _Call(request)
        self._calls += 1
        try:
            with anyio.move_on_after(seconds):
                async with self._places:
                    return (await self._follow(call)).response()
        finally:
            self._calls -= 1
        return call.at_deadline(seconds)

    async def _follow(self, call: _Call) -> Answer:
        """The answer at the end of the redirects that are followed."""
        answer = await self._carry_out(call)
        for _ in range(REDIRECT_LIMIT):
            target = _redirected(call.request, answer)
            if target is None:
                break
            call.request, call.answer = target, None
            answer = await self._carry_out(call)
        return answer

    async def _carry_out(self, call: _Call) -> Answer:
        """Once, and once more where a kept connection had been closed by the API and repeating does no harm."""
        origin = call.request.origin
        repeatable = call.request.method in IDEMPOTENT_METHODS
        with _mapped(call):
            connection = await self._connections.take(origin, repeatable=repeatable)
            try:
                return await self._exchange(connection, call)
            except (h11.RemoteProtocolError, httpcore2.ReadError):
                if not (connection.was_stale and repeatable):
                    raise
            return await self._exchange(await self._connections.dial(origin), call)

    async def _exchange(self, connection: Connection, call: _Call) -> Answer:
        try:
            head = _head(call.request)
            call.may_be_sent = True
            answer = call.answer = Answer(await connection.ask(head, call.request.body), self._answer_limit)
            await self._read_body(connection, answer, call.request.origin)
        except BaseException:
            await self._connections.drop(connection)
            raise
        await self._connections.give_back(connection)
        return answer

    async def _read_body(self, connection: Connection, answer: Answer, origin: Origin) -> None:
        """To its end, or of a stream as far as it gets."""
        try:
            while not answer.is_full and (piece := await connection.read()):
                answer.add(piece)
        except (h11.RemoteProtocolError, httpcore2.ReadError):
            if not answer.is_stream:
                raise
            answer.cut = "where the connection broke"
            return
        if not answer.is_full:
            answer.finish()
            return
        limit = f"{self._answer_limit / 2**20:g} MiB"
        if not answer.is_stream:
            raise TooLarge(f"the answer of {origin} exceeds {limit}", outcome_unknown=True)
        answer.cut = f"after {limit}"


class _Call:
    """How far a call has got. Its deadline may come at any point, and has to know what there is to tell."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        self.may_be_sent = False
        self.answer: Answer | None = None

    def at_deadline(self, seconds: float) -> HttpResponse:
        """Of a stream, what has arrived. Raises Timeout otherwise."""
        origin = self.request.origin
        if not self.may_be_sent:
            raise Timeout(f"no connection to {origin} within {seconds:g} s", outcome_unknown=False)
        if self.answer is None or not self.answer.is_stream:
            raise Timeout(f"no whole answer from {origin} within {seconds:g} s", outcome_unknown=True)
        self.answer.cut = f"at the deadline of {seconds:g} s"
        return self.answer.response()


@contextmanager
def _mapped(call: _Call) -> Iterator[None]:
    """The seam: what a library raises becomes ours, with the library's as its cause."""
    try:
        yield
    except _LIBRARY_ERRORS as error:
        kind, text = next((kind, text) for raised, kind, text in _FAILURES if isinstance(error, raised))
        problem = text.format(origin=call.request.origin, detail=_detail(error))
        raise kind(problem, outcome_unknown=call.may_be_sent and kind is not Refused) from error


def _detail(error: BaseException) -> str:
    """The words of the first cause: ``Connection refused``, ``certificate verify failed``."""
    while (cause := error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error.__cause__) is not None:
        error = cause
    return str(error)[:_DETAIL_LIMIT] or type(error).__name__


def _head(request: HttpRequest) -> h11.Request:
    headers = [
        (b"Host", request.origin.authority.encode("ascii")),
        (b"User-Agent", _USER_AGENT),
        (b"Accept-Encoding", b"gzip"),
    ]
    headers += [(name.encode("ascii"), value.encode("latin-1")) for name, value in request.headers]
    if request.body is not None:
        headers.append((b"Content-Length", b"%d" % len(request.body)))
    elif request.method in {"POST", "PUT", "PATCH"}:  # RFC 9110 section 8.6: servers may insist on it
        headers.append((b"Content-Length", b"0"))
    return h11.Request(method=request.method, target=request.target, headers=headers)


def _redirected(request: HttpRequest, answer: Answer) -> HttpRequest | None:
    """The request that the answer asks for instead, if it is one that we make: a GET or HEAD at the same origin."""
    if answer.status not in {301, 302, 303, 307, 308}:
        return None
    if request.method not in {"GET", "HEAD"} or request.body is not None:
        return None
    location = quote("".join(answer.values("location")[:1]).encode("latin-1"), safe="%:/?#[]@!$&'()*+,;=~")
    try:
        parts = urlsplit(urljoin(f"{request.origin}{request.target}", location))
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    except ValueError:
        return None
    if not location or "@" in parts.netloc or Origin(parts.scheme, parts.hostname or "", port) != request.origin:
        return None
    return msgspec.structs.replace(request, path=parts.path or "/", query=parts.query)
