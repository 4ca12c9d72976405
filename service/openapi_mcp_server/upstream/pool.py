"""The connections to all APIs: dialled through the address rule, kept while they are useful, and bounded.

A connection belongs to one caller from `take` to `give_back` or `drop`. No await in between can lose it, so a cancelled
call leaves nothing behind.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable

import trio

from openapi_mcp_server.bridge.origins import Origin
from openapi_mcp_server.upstream import http11
from openapi_mcp_server.upstream.http11 import Connection
from openapi_mcp_server.upstream.sockets import Dialler, Stream
from openapi_mcp_server.upstream.ways import Way

IDLE_SECONDS = 50.0
"""How long an idle connection is kept: load balancers close theirs after 60 s and more."""
FRESH_SECONDS = 4.0
"""How long an idle connection may serve a request that must not be repeated: servers close theirs after 5 s and
more, and a request that meets the closing has an unknown outcome."""


Ways = Callable[[str], Way | None]
"""An API's own way by its name; None for the usual way."""


def only_usual(api: str) -> Way | None:  # noqa: ARG001 - the type's
    return None


class Connections:
    """Idle connections, at most ``idle_limit``; the caller limits how many are taken. None is shared by two ways."""

    def __init__(self, dialler: Dialler, *, idle_limit: int, ways: Ways = only_usual) -> None:
        self._dialler = dialler
        self._ways = ways
        self._idle_limit = idle_limit
        self._idle: list[Connection] = []  # the one used last at the end: the others get a chance to expire
        self._tls: ssl.SSLContext | None = None

    async def take(self, origin: Origin, way: str, *, repeatable: bool) -> Connection:
        """An idle connection if there is a good one, else a new one."""
        while (connection := self._pop_idle(origin, way)) is not None:
            if self._is_good(connection, trio.current_time(), repeatable=repeatable):
                return connection
            await self.drop(connection)
        return await self.dial(origin, way)

    def take_at_once(self, origin: Origin, way: str, now: float, *, repeatable: bool) -> Connection | None:
        """An idle connection, if the one that comes next is a good one."""
        connection = self._pop_idle(origin, way)
        if connection is None or self._is_good(connection, now, repeatable=repeatable):
            return connection
        self.put_back(connection)
        return None

    def put_back(self, connection: Connection) -> None:
        """Puts back a connection that was not used."""
        self._idle.append(connection)

    async def dial(self, origin: Origin, way: str) -> Connection:
        """A new connection. Raises ConnectError or ConnectTimeout, and what the address rule raises."""
        made = self._ways(way) if way else None
        return Connection(origin, await self._connect(origin, made), way, made)

    async def give_back(self, connection: Connection) -> None:
        """Keeps the connection after an answer, if it can be used again."""
        if not connection.recycle() or not self._idle_limit:
            await self.drop(connection)
            return
        connection.idle_since = trio.current_time()
        self._idle.append(connection)
        if len(self._idle) > self._idle_limit:
            await self.drop(self._idle.pop(0))

    async def drop(self, connection: Connection) -> None:
        await connection.close()

    async def close(self) -> None:
        """Closes idle connections. A connection in use is dropped by its holder."""
        while self._idle:
            await self.drop(self._idle.pop())

    async def _connect(self, origin: Origin, way: Way | None) -> Stream:
        dialler, tls = (self._dialler, None) if way is None else (way.dialler, way.tls)
        stream = await dialler.connect(origin.host, origin.port)
        if origin.scheme == "http":
            return stream
        try:
            return await stream.start_tls(tls or self._tls_context(), origin.host)
        except BaseException:
            await http11.close(stream)
            raise

    def _pop_idle(self, origin: Origin, way: str) -> Connection | None:
        for index in range(len(self._idle) - 1, -1, -1):
            if self._idle[index].origin == origin and self._idle[index].way == way:
                return self._idle.pop(index)
        return None

    def _is_good(self, connection: Connection, now: float, *, repeatable: bool) -> bool:
        """False also after a change of the API's way: its server would still see the old certificate."""
        way, limit = connection.way, IDLE_SECONDS if repeatable else FRESH_SECONDS
        is_current = not way or connection.dialled_by is self._ways(way)
        return is_current and now - connection.idle_since < limit and connection.is_quiet()

    def _tls_context(self) -> ssl.SSLContext:
        """Made once, when first needed: reading the system's certificates takes 20 ms."""
        if self._tls is None:
            self._tls = ssl.create_default_context()  # its OpenSSL honours SSL_CERT_FILE and SSL_CERT_DIR
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls
