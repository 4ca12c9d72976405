"""Connections to one place, kept for the next request; and the heads of requests."""

from __future__ import annotations

import os
import ssl
from typing import NamedTuple

from loadgen import wire
from loadgen.failures import Failure
from loadgen.plan import Target
from loadgen.sessions import OPEN_SECONDS, read_errors, within


class Answer(NamedTuple):
    head: wire.Head
    body: bytes

    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


class Pool:
    """Connections that wait for their next request."""

    def __init__(self, where: wire.Place) -> None:
        self._where = where
        self._idle: list[wire.Connection] = []

    async def take(self) -> wire.Connection:
        while self._idle:
            connection = self._idle.pop()
            if not await connection.is_over():
                return connection
            await connection.aclose()
        return await dialled(self._where)

    async def warm(self) -> None:
        """With a connection for the first request, whose latency it is then no part of. Raises Failure."""
        self._idle.append(await dialled(self._where))

    async def put(self, connection: wire.Connection, head: wire.Head) -> None:
        """Back, after the answer with this head."""
        if head.is_last:
            await connection.aclose()
        else:
            self._idle.append(connection)

    async def post(self, data: bytes) -> Answer:
        """Raises Failure where no answer comes."""
        connection = await self.take()
        try:
            with read_errors():
                await connection.send(data)
                head = await connection.head()
                answer = Answer(head, await connection.body(head))
        except BaseException:
            await connection.aclose()
            raise
        await self.put(connection, head)
        return answer

    async def aclose(self) -> int:
        """How many connections had more to say than was asked."""
        unread = 0
        while self._idle:
            connection = self._idle.pop()
            unread += connection.has_unread() and not await connection.is_over()
            await connection.aclose()
        return unread


async def dialled(where: wire.Place) -> wire.Connection:
    """Raises Failure. A server that accepts and then says nothing, where TLS is spoken, fails here as well."""
    try:
        with within(OPEN_SECONDS, f"no connection to {where.authority}"):
            return await wire.connect(where)
    except OSError as error:
        raise Failure("connect", f"{where.authority}: {_reason(error)}") from error


def refusal(head: wire.Head, said: str) -> Failure:
    """An answer of HTTP that is none of MCP, by its status and in its own words, or with where it leads."""
    place = head.field(b"location").decode("latin-1").partition("?")[0]
    leads = f"it leads to {place}" if 300 <= head.status < 400 and place else ""
    return Failure(f"HTTP {head.status}", leads or said or "no body")


def _reason(error: BaseException) -> str:
    """Trio has what happened at each address in a group behind its own error."""
    if isinstance(error, BaseExceptionGroup):
        return _reason(error.exceptions[0])
    if error.__cause__ is not None:
        return _reason(error.__cause__)
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message}); SSL_CERT_FILE may name who signed it"
    if isinstance(error, ssl.SSLError):
        return f"no TLS is spoken there ({error.reason}); try http://"
    number = getattr(error, "errno", None) or 0
    return os.strerror(number) if number > 0 else str(getattr(error, "strerror", None) or error)


def post_head(where: wire.Place, target: Target, accept: bytes) -> bytes:
    """The head of a POST up to the fields that differ from call to call."""
    return _head(b"POST", where, target, accept) + b"Content-Type: application/json\r\n"


def get_head(where: wire.Place, target: Target) -> bytes:
    """The head of a GET that asks for a stream of events, up to the fields that the transport adds."""
    return _head(b"GET", where, target, b"text/event-stream")


def delete_head(where: wire.Place, target: Target) -> bytes:
    """The head of the DELETE that ends a session, likewise."""
    return _head(b"DELETE", where, target, b"application/json")


def _head(method: bytes, where: wire.Place, target: Target, accept: bytes) -> bytes:
    own = "".join(f"{name}: {value}\r\n" for name, value in target.headers)
    start = f"{where.target} HTTP/1.1\r\nHost: {where.authority}\r\nUser-Agent: loadgen\r\n{own}".encode("latin-1")
    return b"%b %bAccept: %b\r\nAccept-Encoding: identity\r\n" % (method, start, accept)
