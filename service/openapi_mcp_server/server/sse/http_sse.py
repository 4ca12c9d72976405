"""HTTP+SSE, the transport of revision 2024-11-05: ``GET /sse`` opens a session, ``POST /messages/w<N>/`` sends to it.

Every answer travels on the session's stream, whose first event names the address for messages. That address carries
the number of the worker, so that a proxy finds the worker again by path alone: clients keep no cookies.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple
from urllib.parse import parse_qs

import anyio
from anyio.abc import TaskGroup

from openapi_mcp_server.bridge.policy import Principal
from openapi_mcp_server.gateway.gateway import Gateway
from openapi_mcp_server.mcp.inbound import Batch, Message, Notification, Rejection
from openapi_mcp_server.mcp.messages import Pieces
from openapi_mcp_server.memory import Hold
from openapi_mcp_server.observe.trace import Carrier
from openapi_mcp_server.server import fields
from openapi_mcp_server.server.asgi import Receive, Scope, Send
from openapi_mcp_server.server.events import event
from openapi_mcp_server.server.posts import (
    RETRY_AFTER,
    Arrivals,
    Header,
    Refusal,
    carrier,
    check_form,
    opened,
    reply,
    retry_headers,
)
from openapi_mcp_server.server.principals.limits import Limits, calls
from openapi_mcp_server.server.principals.pauses import leave
from openapi_mcp_server.server.sse.peers import HOP, HOP_ANSWER, Peers
from openapi_mcp_server.server.sse.session import Session
from openapi_mcp_server.server.streams import EventStream, Streams
from openapi_mcp_server.server.visitors import Entrant, Visitors

SESSIONS = 2000
"""The most at once: 30 MB of memory when all are idle, and as many descriptors."""
SESSION_ID_BYTES = 16
"""128 random bits. A client that has them may send to the session."""

_PASSED_BACK = frozenset({"retry-after", "www-authenticate"})
"""Headers by which a client knows what to do after the refusal of another task."""
_Answer = tuple[int, Pieces, tuple[Header, ...]]
"""The status, the body and further headers of the answer to a POST."""


@asynccontextmanager
async def http_sse(
    gateway: Gateway,
    visitors: Visitors,
    *,
    worker: int,
    prefix: str = "",
    peers: Peers | None = None,
    limits: Limits | None = None,
) -> AsyncIterator[HttpSse]:
    """The application, tended for as long as the context lasts. ``worker`` is its number in addresses; ``prefix``: the
    path below which a proxy serves it; ``peers``: other tasks with sessions of their own.
    """
    async with anyio.create_task_group() as tasks:
        app = HttpSse(gateway, visitors, Address(f"/messages/w{worker}/", prefix), tasks, peers)
        app.limit(limits or Limits())
        gateway.tell_changes(app.tell_changes)
        tasks.start_soon(app.streams.tend)
        yield app
        tasks.cancel_scope.cancel()


class Address(NamedTuple):
    """The address for messages: ``path`` as it arrives here; clients write ``prefix`` before it."""

    path: str
    prefix: str


class HttpSse:
    """The ASGI application for ``/sse`` and everything below ``/messages/``; made by `http_sse`."""

    def __init__(
        self, gateway: Gateway, visitors: Visitors, address: Address, tasks: TaskGroup, peers: Peers | None
    ) -> None:
        self._peers = peers
        self._gateway = gateway
        self._visitors = visitors
        self._address = address
        self._tasks = tasks
        self._sessions: dict[str, Session] = {}
        self._limits = Limits()
        self._shares: Counter[str] = Counter()
        self._of_owner: dict[str, set[Session]] = {}
        self._is_draining = False
        self._arrivals = Arrivals()
        self.streams = Streams()

    def limit(self, limits: Limits) -> None:
        """Applies these limits from now on; they are the same for all transports."""
        self._limits = limits
        limits.count(self._outstanding)

    @property
    def sessions(self) -> int:
        """The number of open sessions."""
        return len(self._sessions)

    def drain(self) -> None:
        """Accepts no new session and no new call from now on. A session ends when its last call is answered."""
        self._is_draining = True
        self._arrivals.drain()
        for session in self._sessions.values():
            session.finish()

    def tell_changes(self) -> None:
        self.streams.tell([session.tell_changes for session in self._sessions.values()])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        opening = await self._entered(scope, receive, send)
        if opening is not None:
            await self._open(opening, receive, send)  # here, where nothing else of the request is kept

    async def _entered(self, scope: Scope, receive: Receive, send: Send) -> Entrant | None:
        """Accepts a message, or returns the caller that wants to open a session."""
        headers = fields.by_name(scope["headers"])
        hop = (HOP_ANSWER,) if HOP in headers else ()
        try:
            entrant = await self._visitors.enter(scope, headers)
        except Refusal as refusal:
            await self._visitors.refuse(send, refusal, *hop)
            return None
        if scope["path"] == "/sse":
            return entrant if await self._opens(scope, headers, entrant, send) else None
        await self._take(scope, headers, entrant, receive, send)
        return None

    async def _opens(self, scope: Scope, headers: Mapping[bytes, bytes], entrant: Entrant, send: Send) -> bool:
        """Whether a client may open a session. Otherwise it is told why not."""
        try:
            self._check_opening(scope["method"], headers, entrant)
        except Refusal as refusal:
            await self._visitors.pauses.wait(entrant.share, headers)
            await self._visitors.refuse(send, refusal)
            return False
        return True

    def _check_opening(self, method: str, headers: Mapping[bytes, bytes], entrant: Entrant) -> None:
        if method != "GET":
            raise Refusal(405, "/sse takes GET; messages go to the address that its first event names", _allow(b"GET"))
        if not fields.accepts(fields.media_ranges(headers.get(b"accept", b"*/*")), b"text/event-stream"):
            raise Refusal(406, "Accept must list text/event-stream")
        if self._is_draining:
            raise _stopping()
        if len(self._sessions) >= SESSIONS:
            raise Refusal(503, f"{SESSIONS} sessions are open, which is the limit; try again later", RETRY_AFTER)
        if problem := self._limits.crowd(entrant, self._shares, SESSIONS, "sessions"):
            raise Refusal(429, problem, RETRY_AFTER)

    async def _open(self, entrant: Entrant, receive: Receive, send: Send) -> None:
        session_id = self._peers.mint(self._address.path) if self._peers else secrets.token_hex(SESSION_ID_BYTES)
        stream = EventStream(send, self.streams)
        owner, share = entrant.principal.key, entrant.share
        session = self._sessions[session_id] = Session(self._gateway, self._tasks, stream, owner)
        self._shares[share] += 1
        self._of_owner.setdefault(owner, set()).add(session)
        address = f"{entrant.seen.prefix or self._address.prefix}{self._address.path}?session_id={session_id}"
        stream.put(event(address.encode(), kind=b"endpoint"))
        try:
            await stream.serve(receive, session.advance)
        finally:
            del self._sessions[session_id]
            leave(self._shares, share)
            self._forget(session)
            session.leave()

    async def _take(
        self, scope: Scope, headers: Mapping[bytes, bytes], entrant: Entrant, receive: Receive, send: Send
    ) -> None:
        hop = (HOP_ANSWER,) if HOP in headers else ()
        try:
            answer = await self._heard(scope, headers, entrant, receive)
        except Refusal as refusal:
            refused = refusal.bare()
        else:
            if answer is not None:
                status, body, more = answer
                await reply(send, status, body, *more, *hop)
            return
        await self._visitors.pauses.wait(entrant.share, headers)
        await self._visitors.refuse(send, refused, *hop)

    async def _heard(
        self, scope: Scope, headers: Mapping[bytes, bytes], entrant: Entrant, receive: Receive
    ) -> _Answer | None:
        """The answer to the POST. None if the client left before the message was whole."""
        session = self._session(scope, headers, entrant)
        check_form(headers)
        hold = opened(self._gateway.memory, entrant.share)
        try:
            body = await self._arrivals.read(scope, receive, headers, hold)
            if body is None:
                hold.close()
                return None
            beside = carrier(scope["path"], headers, entrant.principal, self._visitors.forwarded)
            if isinstance(session, _Elsewhere):
                return await self._passed_on(session, body, headers, hold, entrant.seen.client)
            message = await self._gateway.read(len(body), lambda: session.read(body), hold.client)
            if isinstance(message, Rejection) and message.id is None:  # a client could not tell its answer from others
                hold.close()
                await self._visitors.pauses.wait(entrant.share, headers)
                return message.status, self._gateway.refuse(message, "sse", beside), retry_headers(message.status)
            return await self._start(session, message, len(body), beside, entrant.share, hold)
        except BaseException:
            hold.close()
            raise

    async def _passed_on(
        self, session: _Elsewhere, body: bytes, headers: Mapping[bytes, bytes], hold: Hold, client: str
    ) -> _Answer:
        """The answer of the owner of the session."""
        assert self._peers is not None  # noqa: S101 - for the type checker: else there are no sessions elsewhere
        answer = await self._peers.pass_on(session.owner, self._address.path, session.id, body, headers, client)
        hold.close()
        if answer is None:
            raise _unknown()
        passed_back = [(name.encode(), text.encode("latin-1")) for name, text in answer.headers if name in _PASSED_BACK]
        return answer.status, (answer.body,) if answer.body else (), tuple(passed_back)

    async def _start(
        self, session: Session, message: Message | Batch, size: int, beside: Carrier, share: str, hold: Hold
    ) -> _Answer:
        """The answer to the POST. The session closes the hold."""
        try:
            self._admit(message, session, beside.principal)  # first: what is refused here costs nothing of the rate
            if count := calls(message):
                await self._limits.spend(beside.principal, count, share)
                self._admit(message, session, beside.principal)  # again: with SHARED_STATE the line above waits
        except Refusal as refusal:
            raise refusal.of(message) from None
        await session.take(message, size, beside, hold)
        return 202, (), ()

    def _session(self, scope: Scope, headers: Mapping[bytes, bytes], entrant: Entrant) -> Session | _Elsewhere:
        """A session of another worker or principal is unknown, like one that never existed. A session of another task
        is found by its id."""
        if scope["method"] != "POST":
            raise Refusal(405, "messages are posted", _allow(b"POST"))
        named = parse_qs(scope["query_string"].decode("latin-1")).get("session_id", [])
        if len(named) != 1 or scope["path"] != self._address.path:
            raise _unknown()
        session = self._sessions.get(named[0])
        if session is not None:
            if session.owner != entrant.principal.key:
                raise _unknown()
            return session
        owner = self._peers.owner(named[0], self._address.path) if self._peers and HOP not in headers else None
        if owner is None:
            raise _unknown()
        return _Elsewhere(owner, named[0])

    def _admit(self, message: Message | Batch, session: Session, principal: Principal) -> None:
        """Checks limits before anything is carried out. Notifications pass: one may be the cancel that makes room."""
        if session.is_over:
            raise _unknown()
        if isinstance(message, Notification):
            return
        if self._is_draining:
            raise _stopping()
        if problem := session.congestion():
            raise Refusal(429, problem, RETRY_AFTER)
        self._limits.check(principal, calls(message))

    def _outstanding(self, owner: str) -> int:
        """The calls of a principal in all its sessions."""
        return sum([session.outstanding for session in self._of_owner.get(owner, ())])

    def _forget(self, session: Session) -> None:
        others = self._of_owner[session.owner]
        others.discard(session)
        if not others:
            del self._of_owner[session.owner]


class _Elsewhere(NamedTuple):
    """A session that another task has."""

    owner: str
    id: str


def _allow(method: bytes) -> Header:
    return b"allow", method


def _unknown() -> Refusal:
    return Refusal(404, "there is no such session here; open one with GET /sse")


def _stopping() -> Refusal:
    return Refusal(503, "the server is stopping; open a session again", RETRY_AFTER)
