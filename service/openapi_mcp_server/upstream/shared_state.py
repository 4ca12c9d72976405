"""Limits that hold over all tasks, in a shared Valkey or Redis (SHARED_STATE).

One script in the store decides about a turn by the store's own clock, so tasks need not agree on the time. A call asks
once and waits for 50 ms at most. After a failure no call asks. The connection is made again in the background. Until
then each limit is divided by the number of processes that were last seen, or that were configured.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import anyio
from anyio.abc import ByteStream, TaskGroup, TaskStatus
from anyio.lowlevel import checkpoint
from coredis.connection import TCPConnection, TCPLocation
from coredis.exceptions import AuthenticationError, RedisError

from openapi_mcp_server.settings.store import Store
from openapi_mcp_server.upstream.sockets import cause

ANSWER_SECONDS = 0.05
"""The longest that a call waits for the store. Within one zone it answers in less than 1 ms."""
LATE_SECONDS = 1.0
"""A store that has not answered in time for so long is too slow."""
CONNECT_SECONDS = 1.0
"""The time for a usable connection: name, TCP, TLS, login and script. A heartbeat has as much."""
PAUSE_SECONDS = 1.0
"""The time until the next attempt after a failure."""
BEAT_SECONDS = 1.0
GONE_SECONDS = 5.0
"""A task without a heartbeat for so long counts no more."""
MOST_TASKS = 10_000
"""The most tasks that count. A store with more would leave no share for any."""
UNASKED_BYTES = 65_536
"""Bytes by which a store's answers may exceed the commands. All answers but the first are shorter than theirs."""
LONGEST_SECONDS = 40_000_000.0
"""The longest wait that a store may answer: more than the debt of a whole batch, 32 calls, at the lowest rate, 0.000001
a second. A longer one is invalid. If a caller's own debt counted as invalid, the caller would end the connection for
all."""

_TURN = """
local at = redis.call('TIME')
local now = at[1] * 1000000 + at[2]
local cost, gap, slack = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local most, hold = tonumber(ARGV[4]), tonumber(ARGV[5])
local kept = redis.call('HMGET', KEYS[1], 'free', 'held')
local free, held = tonumber(kept[1] or 0), math.max(tonumber(kept[2] or 0), now + hold)
local start = math.max(now, held)
local wait = start - now
if cost > 0 then wait = math.ceil(math.max(start, free - slack) - now) end
if cost > 0 and wait <= most then free = math.max(free, start) + cost * gap
elseif hold == 0 then return wait end
redis.call('HSET', KEYS[1], 'free', string.format('%.3f', free), 'held', string.format('%.3f', held))
redis.call('PEXPIRE', KEYS[1], math.ceil((math.max(free, held) - now) / 1000) + 1000)
return wait
"""
"""GCRA (ITU-T I.371) in microseconds. ``free`` is the time at which all turns are paid for. Nobody has a turn before
``held``. Cost 0 takes nothing and asks how long the hold still lasts."""
_BEAT = """
local at = redis.call('TIME')
redis.call('ZADD', KEYS[1], at[1], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', at[1] - ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return redis.call('ZCARD', KEYS[1])
"""

_TAKE = """
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 0 end
return math.max(redis.call('PTTL', KEYS[1]), 1) * 1000
"""
"""0, or the microseconds until the other task's turn ends."""
_GIVE_BACK = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end return 0"

_NOT_DIALLED = (OSError, ValueError, anyio.EndOfStream, anyio.BrokenResourceError)
"""An impossible name is a ValueError. The last two come from peers that leave in the middle of TLS."""

Words = tuple[bytes | str | int, ...]

logger = logging.getLogger(__name__)


@asynccontextmanager
async def shared_state(
    store: Store, service: str, answer_seconds: float = ANSWER_SECONDS, tasks: int = 1
) -> AsyncIterator[SharedState]:
    """Connects for as long as the context lasts, while the store answers. ``service`` is the common name of all tasks:
    others may use the store, too. ``tasks`` is their number until the store knows it."""
    # It writes a traceback for each attempt; what there is to say of them is in two lines of ours.
    logging.getLogger("coredis").setLevel(logging.CRITICAL)
    state = SharedState(store, service, answer_seconds, tasks)
    async with anyio.create_task_group() as beside:
        await beside.start(state.keep)
        yield state
        beside.cancel_scope.cancel()


class SharedState:
    """Made by `shared_state`. ``fallbacks`` counts the turns that the store did not decide. ``tasks``: the processes
    with a heartbeat when the store last answered, or the expected number."""

    def __init__(self, store: Store, service: str, answer_seconds: float, tasks: int) -> None:
        self._store = store
        self._service = service
        self._answer_seconds = answer_seconds
        self._name = secrets.token_hex(8)
        self._connection: _Connection | None = None
        self._script = b""
        self._lost = anyio.Event()
        self._late_since: float | None = None
        self._told = ""
        self.fallbacks = 0
        self.tasks = tasks

    @property
    def is_up(self) -> bool:
        return self._connection is not None

    async def seconds_until(
        self, key: str, *, gap: float = 0.0, slack: float = 0.0, cost: int = 0, most_wait: float = 0.0
    ) -> float | None:
        """The next turn, which is taken if it comes within ``most_wait``. None if the store does not answer.

        ``gap``: the seconds for each unit of ``cost``. ``slack``: the seconds that may be taken in advance. Cost 0
        takes no turn, and asks for how long nobody has one.
        """
        connection = self._connection
        if connection is not None:
            most = min(max(most_wait, 0.0), LONGEST_SECONDS)
            seconds = await self._asked(connection, b"EVALSHA", self._words(key, cost, gap, slack, most, 0.0))
            if seconds is not None:
                return seconds
        self.fallbacks += 1
        return None

    def hold(self, key: str, seconds: float) -> None:
        """Stops all turns for so long, without waiting for the store's answer."""
        if self._connection is not None:
            with suppress(RedisError):
                self._connection.create_request(b"EVALSHA", *self._words(key, 0, 0.0, 0.0, 0.0, seconds))

    async def take(self, key: str, seconds: float) -> float | None:
        """0 if this task now has it, until it gives it back or for so long. Otherwise the seconds for which another
        task may still have it. None if the store does not answer."""
        connection = self._connection
        if connection is None:
            return None
        return await self._asked(connection, b"EVAL", (_TAKE, 1, self._key(key), self._name, b"%d" % (seconds * 1e3)))

    def give_back(self, key: str) -> None:
        """Gives it back, without waiting for the store's answer."""
        if self._connection is not None:
            with suppress(RedisError):
                self._connection.create_request(b"EVAL", _GIVE_BACK, 1, self._key(key), self._name)

    async def keep(self, *, task_status: TaskStatus[None]) -> None:
        """Connects, again and again. It is started after the first attempt."""
        starting: TaskStatus[None] | None = task_status
        while True:
            async with anyio.create_task_group() as tasks:
                self._lost = anyio.Event()
                problem = await self._opened(tasks)
                self._tell(problem)
                if starting is not None:
                    starting.started()
                    starting = None
                if self._connection is not None:
                    await self._beat_until_lost(self._connection)
                tasks.cancel_scope.cancel()
            await anyio.sleep(PAUSE_SECONDS)

    async def _opened(self, tasks: TaskGroup) -> str | None:
        """Makes a connection for calls. Otherwise returns why there is none."""
        with anyio.move_on_after(CONNECT_SECONDS):
            try:
                connection = _Connection(self._store, await _dialled(self._store))
            except _NOT_DIALLED as error:
                return _problem(error)
            problem = await tasks.start(self._run, connection)
            if problem is not None:
                return str(problem)
            loaded = await _said(connection, b"SCRIPT LOAD", _TURN)
            if not isinstance(loaded, bytes):
                return _problem(loaded)
            self._script = loaded
            problem = await self._beat(connection, self._answer_seconds)
            if problem is None:
                self._connection, self._late_since = connection, None
            return problem
        return f"no connection within {CONNECT_SECONDS:g} s"

    async def _run(self, connection: _Connection, *, task_status: TaskStatus[str | None]) -> None:
        try:
            await connection.run(task_status=task_status)
        except RedisError as error:
            task_status.started(_problem(error))
        self._lose(connection, "the connection has ended")

    async def _beat_until_lost(self, connection: _Connection) -> None:
        while not self._lost.is_set():
            with anyio.move_on_after(BEAT_SECONDS):
                await self._lost.wait()
                return
            if problem := await self._beat(connection, CONNECT_SECONDS):
                self._lose(connection, problem)

    async def _beat(self, connection: _Connection, seconds: float) -> str | None:
        """Announces this task, and learns the number of the others. Returns why it failed, if it did."""
        with anyio.move_on_after(seconds):
            count = await _said(connection, b"EVAL", _BEAT, 1, self._key("tasks"), self._name, b"%d" % GONE_SECONDS)
            if type(count) is not int or not 0 < count <= MOST_TASKS:
                return _problem(count)
            self.tasks = count
            return None
        return f"no answer within {seconds * 1e3:g} ms"

    async def _asked(self, connection: _Connection, command: bytes, words: Words) -> float | None:
        """Sends a command. It is shielded: a caller that leaves has its turn or not, and answers stay with their
        commands."""
        try:
            request = connection.create_request(command, *words, raise_exceptions=False)
        except RedisError as error:
            self._lose(connection, _problem(error))
            return None
        answer: object = None
        with anyio.CancelScope(shield=True):
            with anyio.move_on_after(self._answer_seconds):
                await request
            if not request.complete:
                await checkpoint()  # what came while this process was busy is read now
            if request.complete:
                answer = await request
        if type(answer) is int and 0 <= answer <= LONGEST_SECONDS * 1e6:
            self._late_since = None
            return answer / 1e6
        if request.complete:
            self._lose(connection, _problem(answer))
        elif self._is_late(connection):
            self._lose(connection, f"no answer within {self._answer_seconds * 1e3:g} ms")
        return None

    def _is_late(self, connection: _Connection) -> bool:
        """Whether the store is slow. From 400 calls at one moment on, a call's time also passes in this process: before
        its command is written, and while earlier answers are read."""
        now = anyio.current_time()
        if self._late_since is None:
            self._late_since = now
        is_silent = connection.waiting_since is not None and now > connection.waiting_since + self._answer_seconds / 2
        return is_silent or now > self._late_since + LATE_SECONDS

    def _words(self, key: str, cost: int, *seconds: float) -> Words:
        """A command as `_TURN` takes it: gap, slack, the most to wait and the hold after the cost."""
        return self._script, 1, self._key(key), cost, *(b"%.3f" % (each * 1e6) for each in seconds)

    def _key(self, name: str) -> str:
        """The name in the store. It is hashed, so that the store does not show who calls which API."""
        return f"openapi-mcp:{hashlib.sha256(f'{self._service} {name}'.encode()).hexdigest()[:32]}"

    def _lose(self, connection: _Connection, problem: str) -> None:
        """Ends asking. Calls that wait for an answer get none."""
        connection.invalidate()
        if self._connection is connection:
            self._connection = None
            self._lost.set()
            self._tell(problem)

    def _tell(self, problem: str | None) -> None:
        """Logs a line for each change."""
        before, self._told = self._told, problem or "up"
        about: dict[str, object] = {"store": str(self._store), "tasks": self.tasks}
        if problem is None:
            logger.info("limits are shared by all tasks", extra=about)
        elif before in {"", "up"}:
            about["problem"] = problem
            logger.warning("SHARED_STATE does not answer: this task keeps to its share of each limit", extra=about)


class _Connection(TCPConnection):
    """One connection for all calls. Commands are written as they come, and answered in their order."""

    def __init__(self, store: Store, stream: ByteStream) -> None:
        super().__init__(
            TCPLocation(store.host, store.port),
            username=store.username or None,
            password=store.password or None,
            db=store.database,
        )
        self._bounded = _Bounded(stream)

    @property
    def waiting_since(self) -> float | None:
        """The time of the first command since the last answer."""
        return self._bounded.waiting_since

    async def _connect(self) -> ByteStream:
        return self._bounded


class _Bounded(ByteStream):
    """Ends the connection if the store sends more than was asked: the parser would keep all of it."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._room = UNASKED_BYTES
        self.waiting_since: float | None = None

    async def receive(self, max_bytes: int = 65_536) -> bytes:
        received = await self._stream.receive(max_bytes)
        self.waiting_since = None
        self._room -= len(received)
        if self._room < 0:
            raise anyio.BrokenResourceError
        return received

    async def send(self, item: bytes) -> None:
        self._room = min(self._room + len(item), 2 * UNASKED_BYTES)
        if self.waiting_since is None:
            self.waiting_since = anyio.current_time()
        await self._stream.send(item)

    async def send_eof(self) -> None:
        await self._stream.send_eof()

    async def aclose(self) -> None:
        await self._stream.aclose()


async def _dialled(store: Store) -> ByteStream:
    if not store.tls:
        return await anyio.connect_tcp(store.host, store.port)
    context = ssl.create_default_context()
    return await anyio.connect_tcp(store.host, store.port, ssl_context=context, tls_standard_compatible=False)


async def _said(connection: _Connection, command: bytes, *words: bytes | str | int) -> object:
    """The answer, or the error that came in its place."""
    try:
        return await connection.create_request(command, *words, raise_exceptions=False)
    except RedisError as error:
        return error


def _problem(answer: object) -> str:
    """A text of our own: an old store quotes the login with its password (unknown command 'HELLO', with args…)."""
    if isinstance(answer, AuthenticationError):
        return "the credentials are refused"
    if not isinstance(answer, BaseException):
        return "the answer is none of this script"
    return type(cause(answer)).__name__
