"""One call to an API: attempts under one deadline, each with a bounded answer, and a name for every failure."""

from __future__ import annotations

import random
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self

import h11
import msgspec
import trio

from openapi_mcp_server.aside import InLine
from openapi_mcp_server.bridge.http_messages import IDEMPOTENT_METHODS, HttpRequest, HttpResponse
from openapi_mcp_server.bridge.media.content import ANSWER_LIMIT
from openapi_mcp_server.bridge.origins import Origin
from openapi_mcp_server.errors import BadResponse, NoRoom, Refused, Timeout, TooLarge, Unreachable, UpstreamError
from openapi_mcp_server.memory import FREE, SMALL_BYTES, Hold
from openapi_mcp_server.settings.table import default
from openapi_mcp_server.upstream import ordinary, retries
from openapi_mcp_server.upstream.breaker import BreakerState, Ticket
from openapi_mcp_server.upstream.gates import Gate
from openapi_mcp_server.upstream.http11 import Connection, Ended
from openapi_mcp_server.upstream.pool import Connections, Ways, only_usual
from openapi_mcp_server.upstream.reader import AnswerReader, whole_response
from openapi_mcp_server.upstream.redirects import REDIRECT_LIMIT, redirected
from openapi_mcp_server.upstream.sockets import (
    ConnectError,
    ConnectTimeout,
    Dialler,
    NetworkError,
    OutOfResources,
    ReadError,
    cause,
    reason,
)
from openapi_mcp_server.upstream.soon import SOON_SECONDS, Soon

if TYPE_CHECKING:
    from openapi_mcp_server.upstream.shared_state import SharedState

_FAILURES: tuple[tuple[type[Exception], type[UpstreamError], str, bool], ...] = (
    (ConnectTimeout, Timeout, "no connection to {origin} in time", True),
    (OutOfResources, Refused, "this server cannot open a connection to {origin}: {detail}", True),
    (ConnectError, Unreachable, "no connection to {origin}: {detail}", True),
    (NetworkError, BadResponse, "the connection to {origin} broke before its answer was whole", True),
    (Ended, BadResponse, "{origin} sent no valid HTTP answer: {detail}", True),
    (h11.RemoteProtocolError, BadResponse, "{origin} sent no valid HTTP answer: {detail}", False),
    # its detail may hold a secret:
    (h11.LocalProtocolError, Refused, "the request cannot be written as HTTP/1.1", False),
)
"""Every exception of h11 and the network, our error for it, and whether it is transient. The first match counts."""
_LIBRARY_ERRORS = tuple(kind for kind, *_ in _FAILURES)
HASTY_SECONDS = 2 * SOON_SECONDS
"""The longest wait for a place and the answer without a scope. A call with less time has its deadlines at once."""


class UpstreamSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How APIs are asked. ``max_connections`` holds for each API, ``max_keepalive`` for all of them together."""

    max_connections: int = default("HTTP_MAX_CONNECTIONS")
    max_keepalive: int = default("HTTP_MAX_CONNECTIONS")
    attempt_seconds: float = default("HTTP_TIMEOUT")
    answer_bytes: int = ANSWER_LIMIT
    retries: int = default("HTTP_RETRIES")
    breaker: bool = default("HTTP_BREAKER")
    rate: float | None = None  # requests a second to each API


class Upstream:
    """Sends requests to APIs. There is one for the whole process; enter it before the first request.

    It keeps no cookies and reads no proxy from the environment. It follows a redirect only if a GET or HEAD stays at
    its own origin, which is also where its credentials belong. When something has come for a client, ``turn`` waits for
    that client's turn.
    """

    def __init__(
        self,
        dialler: Dialler,
        settings: UpstreamSettings,
        ways: Ways = only_usual,
        shared: SharedState | None = None,
        turn: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        self._turn = turn
        self._connections = Connections(dialler, idle_limit=settings.max_keepalive, ways=ways)
        self._gates: dict[Origin, Gate] = {}
        self._settings = settings
        self._shared = shared
        self._soon = Soon()
        self._joining = trio.CapacityLimiter(1)

    async def __aenter__(self) -> Self:
        self._soon.begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._soon.end()
        await self._connections.close()

    def breakers(self) -> Mapping[str, BreakerState]:
        """The state of each API that was called so far, by its origin."""
        now = trio.current_time()
        return {str(origin): gate.breaker.state(now) for origin, gate in self._gates.items()}

    def waiting(self) -> int:
        """Calls that wait for a connection or their turn, to any API."""
        return sum(gate.waiting for gate in self._gates.values())

    async def send(self, request: HttpRequest, *, deadline_seconds: float, hold: Hold = FREE) -> HttpResponse:
        """The answer to the last attempt, whatever its status. ``deadline_seconds`` is the call's remaining time. The
        answer is counted in ``hold``.

        Raises an `UpstreamError`: Refused, Unreachable, Timeout, TooLarge or BadResponse.
        """
        sent = self.send_at_once(request, deadline_seconds=deadline_seconds, hold=hold)
        if sent is not None:
            return await sent.soon() or await sent.rest()
        gate = self._gate(request.origin)
        gate.budget.earn()
        return await self._rest(_Call(request, hold), gate, deadline_seconds)

    def send_at_once(self, request: HttpRequest, *, deadline_seconds: float, hold: Hold = FREE) -> SentCall | None:
        """Sends a request that has nothing to wait for: on a kept connection, through an open gate. If there is no
        place at the API, it waits in line for one. None if it must go through `send`."""
        is_hasty = min(deadline_seconds, self._settings.attempt_seconds) < HASTY_SECONDS
        if is_hasty or request.origin.scheme != "http" or request.method == "HEAD":
            return None
        gate, client, now = self._gate(request.origin), hold.client, trio.current_time()
        entered = gate.enter_at_once(now, client)
        if entered is None:
            return None
        call = _Call(request, hold, asked=now)
        if isinstance(entered, InLine):
            call.line = entered
        elif self._begin(call, now):
            call.ticket = entered
        else:
            gate.leave(entered, None, client)
            return None
        gate.budget.earn()
        return SentCall(partial(self._answer_soon, call, gate), partial(self._rest, call, gate, deadline_seconds))

    def _begin(self, call: _Call, now: float) -> bool:
        """Sends the request on a kept connection. False if this is not possible at once."""
        request = call.request
        repeatable = request.method in IDEMPOTENT_METHODS
        connection = self._connections.take_at_once(request.origin, request.way, now, repeatable=repeatable)
        data = connection and ordinary.encoded_whole(request)
        if not connection or not data or not connection.begin(data, self._turn_of(call.hold.client)):
            if connection:
                self._connections.put_back(connection)
            return False
        call.connection, call.began, call.may_be_sent = connection, now, True
        call.hold.may_be_sent = True
        return True

    async def _enter_soon(self, call: _Call, line: InLine, gate: Gate) -> bool:
        """Sends the request of a call that waits in line. False if this is not possible soon."""
        ticket = await gate.enter_soon(line, self._soon)
        if ticket is None:
            return False
        call.line, call.ticket = None, ticket
        return self._begin(call, trio.current_time())

    async def _answer_soon(self, call: _Call, gate: Gate) -> HttpResponse | None:
        if call.line is not None and not await self._enter_soon(call, call.line, gate):
            return None
        connection, ticket, client = call.connection, call.ticket, call.hold.client
        assert connection is not None and ticket is not None  # noqa: S101, PT018 - for the type checker
        try:
            answer = await connection.soon(self._soon)
            result = None if answer is None else self._response(answer)
        except BaseException:
            await self._connections.drop(connection)
            gate.leave(ticket, None, client)
            raise
        if result is not None:
            gate.leave(ticket, result, client)
            await self._connections.give_back(connection)
        return result

    def _response(self, answer: ordinary.Answer) -> HttpResponse | None:
        """The response, if it is a success, small and not encoded, as most are; else None."""
        head, is_small = answer.head, len(answer.begun) <= min(SMALL_BYTES, self._settings.answer_bytes)
        if not 200 <= head.status_code < 300 or not is_small or b"content-encoding" in dict(head.headers):
            return None
        return whole_response(head, answer.begun)

    def _turn_of(self, client: str) -> Callable[[], Awaitable[None]] | None:
        return None if self._turn is None else partial(self._turn, client)

    async def _rest(self, call: _Call, gate: Gate, deadline_seconds: float) -> HttpResponse:
        """Makes all attempts. The first may have begun already."""
        until = (trio.current_time() if call.asked is None else call.asked) + deadline_seconds
        ended: list[retries.AttemptOutcome] = []
        request, hold = call.request, call.hold
        kept = hold.held
        while True:
            try:
                result = await self._attempt(call, gate, until)
            except UpstreamError:  # the gate refused the attempt
                if not ended:
                    raise
                break
            if not ended and isinstance(result, HttpResponse) and result.status < 400:  # the usual case
                return result
            has_failed = isinstance(result, UpstreamError)
            if has_failed:
                hold.shrink(kept)  # nothing of its answer is kept
            call = _Call(request, hold)
            if has_failed and self._turn is not None:  # many calls may fail at the same moment
                await self._turn(hold.client)
            ended.append(retries.outcome(result))
            pause = self._pause(request.method, result, ended, until)
            if pause is None or not gate.spend_retry():
                break
            await trio.sleep(pause)
        try:
            return retries.concluded(result, ended)
        finally:
            del result  # an error's traceback holds this frame: only the collector would free the two

    def _gate(self, origin: Origin) -> Gate:
        gate = self._gates.get(origin)
        if gate is None:
            settings = self._settings
            gate = self._gates[origin] = Gate(
                origin,
                connections=settings.max_connections,
                breaks=settings.breaker,
                rate=settings.rate,
                shared=self._shared,
            )
        return gate

    def _pause(
        self, method: str, result: HttpResponse | UpstreamError, ended: list[retries.AttemptOutcome], until: float
    ) -> float | None:
        """Seconds until the next attempt; None if there is to be none."""
        made = len(ended) - 1
        if not retries.may_repeat(ended[-1], method, retries=made, limit=self._settings.retries):
            return None
        asked = None if isinstance(result, UpstreamError) else retries.retry_after(result, time.time())
        pause = retries.pause(made, asked, random.random())  # noqa: S311 - nobody gains by guessing it
        return pause if trio.current_time() + pause + retries.LEAST_SECONDS <= until else None

    async def _attempt(self, call: _Call, gate: Gate, until: float) -> HttpResponse | UpstreamError:
        """Returns the answer or error of one attempt. Raises an UpstreamError if the gate refused it."""
        client = call.hold.client
        ticket = call.ticket or await gate.enter(until, client, call.line)
        result = None
        try:
            result = await self._outcome(call, until)
            return result
        finally:
            gate.leave(ticket, result, client)
            del result  # an error's traceback holds this frame since Python 3.13: see `_rest`

    async def _outcome(self, call: _Call, until: float) -> HttpResponse | UpstreamError:
        began = trio.current_time() if call.began is None else call.began
        seconds = max(0.0, min(until - began, self._settings.attempt_seconds))
        try:
            with trio.CancelScope(deadline=began + seconds):  # `move_on_after` takes longer
                return await (await self._follow(call)).response(self._joining)
            return await call.at_deadline(seconds).response(self._joining)
        except UpstreamError as error:  # no local variable of a frame in its traceback keeps it
            return error

    async def _follow(self, call: _Call) -> AnswerReader:
        """The answer after all redirects that are followed."""
        answer = await self._carry_out(call)
        for _ in range(REDIRECT_LIMIT):
            target = redirected(call.request, answer.status, next(iter(answer.values("location")), None))
            if target is None:
                break
            call.request, call.answer = target, None
            answer = await self._carry_out(call)
        return answer

    async def _carry_out(self, call: _Call) -> AnswerReader:
        """Sends the request, and again if the API had closed a kept connection and repeating does no harm."""
        origin, way = call.request.origin, call.request.way
        repeatable = call.request.method in IDEMPOTENT_METHODS
        try:
            connection = call.connection or await self._connections.take(origin, way, repeatable=repeatable)
            try:
                return await self._exchange(connection, call)
            except (h11.RemoteProtocolError, ReadError):
                if not (connection.was_stale and repeatable):
                    raise
            return await self._exchange(await self._connections.dial(origin, way), call)
        except _LIBRARY_ERRORS as error:
            raise _ours(error, call) from error

    async def _exchange(self, connection: Connection, call: _Call) -> AnswerReader:
        try:
            head, body = ordinary.message_of(call.request), call.request.body
            if call.connection is None:
                call.begin()
                answered = await connection.ask(head, body, self._turn_of(call.hold.client))
            else:
                call.connection = None
                answered = await connection.go_on(head, body)
            answer = call.answer = AnswerReader(answered, self._settings.answer_bytes)
            await self._read_body(connection, answer, call)
        except BaseException:
            await self._connections.drop(connection)
            raise
        await self._connections.give_back(connection)
        return answer

    async def _read_body(self, connection: Connection, answer: AnswerReader, call: _Call) -> None:
        """Reads the body to its end. A stream is read as far as it gets."""
        try:
            while not answer.is_full and (piece := await connection.read()):
                for _ in answer.add(piece):
                    await answer.make_room(call.hold)
        except NoRoom as error:
            if answer.is_stream:
                answer.cut = "where there was no room for more"
                return
            raise Refused(f"there was no room for the answer: {error}", outcome_unknown=True) from error
        except (h11.RemoteProtocolError, ReadError):
            if not answer.is_stream:
                raise
            answer.cut = "where the connection broke"
            return
        if not answer.is_full:
            answer.finish()
            return
        limit = f"{self._settings.answer_bytes / 2**20:g} MiB"
        if not answer.is_stream:
            raise TooLarge(f"the answer of {call.request.origin} exceeds {limit}", outcome_unknown=True)
        answer.cut = f"after {limit}"


class SentCall(NamedTuple):
    """A request that was sent at once, or waits in line. ``soon`` must be asked first and needs no cancel scope. It
    gives an answer that is whole, small and a success, if the place and the answer come within `SOON_SECONDS` each.
    Otherwise ``rest`` must be asked. Both raise what `Upstream.send` raises."""

    soon: Callable[[], Awaitable[HttpResponse | None]]
    rest: Callable[[], Awaitable[HttpResponse]]


class _Call:
    """The progress of a call. Its deadline may come at any point, and needs to know what can be told then.

    ``connection`` and ``ticket`` belong to a call that has begun, until it is continued. ``line`` belongs to a call
    that waits for its place. ``asked`` is the time at which it was to be sent at once.
    """

    def __init__(self, request: HttpRequest, hold: Hold, asked: float | None = None) -> None:
        self.request = request
        self.hold = hold
        self.asked = asked
        self._kept = hold.held
        self.line: InLine | None = None
        self.connection: Connection | None = None
        self.ticket: Ticket | None = None
        self.began: float | None = None
        self.may_be_sent = False
        self.answer: AnswerReader | None = None

    def begin(self) -> None:
        """Begins another exchange. Nothing of the last answer is kept."""
        self.may_be_sent = self.hold.may_be_sent = True
        self.hold.shrink(self._kept)

    def at_deadline(self, seconds: float) -> AnswerReader:
        """Returns what has arrived of a stream. Raises Timeout otherwise."""
        origin, within = self.request.origin, f"{round(seconds, 1):g} s"
        if not self.may_be_sent:
            raise Timeout(f"no connection to {origin} within {within}", outcome_unknown=False, transient=True)
        if self.answer is None or not self.answer.is_stream:
            raise Timeout(f"no whole answer from {origin} within {within}", outcome_unknown=True, transient=True)
        self.answer.cut = f"at the deadline of {within}"
        return self.answer


def _ours(error: Exception, call: _Call) -> UpstreamError:
    """Translates a library's exception into one of our errors, with the exception as its cause."""
    _, kind, text, transient = next(row for row in _FAILURES if isinstance(error, row[0]))
    return kind(
        text.format(origin=call.request.origin, detail=reason(error)),
        outcome_unknown=call.may_be_sent and kind is not Refused,
        transient=transient and not isinstance(cause(error), ssl.SSLCertVerificationError),
    )
