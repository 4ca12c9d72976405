"""The load itself: clients with their lanes, each making one call after another and judging each answer."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import trio

from loadgen.failures import Failure
from loadgen.ledger import Ledger
from loadgen.messages import UNDECODABLE, Message, Request, call, tool_result
from loadgen.pace import Pace
from loadgen.plan import Load, Template
from loadgen.sessions import Session
from loadgen.tally import Tally

BACK_OFF_SECONDS = 0.5
"""After a session that broke or could not be opened, so that a server that is away is not asked in a tight loop."""
LINGER_SECONDS = 0.25
"""After the last answer: a second answer to it would come now."""

_OPENED_AT_ONCE = 16
_OF_CONNECTION = frozenset({"closed", "connect", "not HTTP", "HTTP 404"})

OpenSession = Callable[[], Awaitable[Session]]


class Mix:
    """The templates in turn, each as often as its weight says; shuffled, so that no two clients go in step."""

    def __init__(self, templates: Sequence[Template], revision: str, seed: int) -> None:
        turn = [(each, call(each, revision)) for each in templates for _ in range(each.weight)]
        random.Random(seed).shuffle(turn)
        self._turn = turn
        self._next = 0

    def next(self) -> tuple[Template, Request]:
        self._next = (self._next + 1) % len(self._turn)
        return self._turn[self._next]


class Client:
    """A session that is opened when it is needed, and anew after it broke; its lanes share it."""

    def __init__(self, open_session: OpenSession) -> None:
        self._open = open_session
        self._turn = trio.Lock()
        self._session: Session | None = None

    async def session(self) -> Session:
        """Raises Failure where it cannot be opened."""
        if self._session is None:
            async with self._turn:
                if self._session is None:
                    self._session = await self._open()
        return self._session

    async def open(self) -> None:
        """Ahead of the first call, whose latency it is no part of. Where it fails, that call will say why."""
        with suppress(Failure):
            await self.session()

    async def failed(self, failure: Failure, session: Session | None) -> None:
        """What is left of a session whose connection broke, or which the server has forgotten, is of no use."""
        if failure.kind not in _OF_CONNECTION:
            return
        if session is not None and self._session is session:
            await self.aclose()
        await trio.sleep(BACK_OFF_SECONDS)

    async def aclose(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            with trio.CancelScope(shield=True):
                await session.aclose()


async def open_all(clients: Sequence[Client]) -> None:
    """A few at a time."""
    turn = trio.CapacityLimiter(_OPENED_AT_ONCE)

    async def one(client: Client) -> None:
        async with turn:
            await client.open()

    async with trio.open_nursery() as nursery:
        for client in clients:
            nursery.start_soon(one, client)


class Engine:
    """The calls of one process."""

    def __init__(self, load: Load, mix: Mix, ledger: Ledger, clients: Sequence[Client]) -> None:
        self._load = load
        self._mix = mix
        self._ledger = ledger
        self._clients = clients
        self.tally = Tally(is_open=load.is_open)
        self._cpu_before = 0.0
        self.cpu_seconds = 0.0
        """Of this process, until its last call was answered."""

    def count_cpu(self) -> None:
        self.cpu_seconds = time.process_time() - self._cpu_before

    async def run(self, pace: Pace, start: float) -> None:
        """Until the pace says that it is over and the last call is answered or given up."""
        self._cpu_before = time.process_time()
        ramp = 0.0 if self._load.is_open else self._load.ramp_seconds
        async with trio.open_nursery() as nursery:
            for number, client in enumerate(self._clients):
                nursery.start_soon(self._client, client, pace, start + ramp * number / len(self._clients))
        for due, count in pace.unsent():
            self.tally.unsent(self._mix.next()[0].tool, max(self.tally.last - due, 0.0), count)

    async def _client(self, client: Client, pace: Pace, begin: float) -> None:
        try:
            if not await pace.reached(begin):
                return
            with trio.move_on_at(self._last_moment(pace)):
                await client.open()
            async with trio.open_nursery() as lanes:
                for _ in range(self._load.at_once):
                    lanes.start_soon(self._lane, client, pace)
            self.count_cpu()
            await trio.sleep(LINGER_SECONDS)
        finally:
            await client.aclose()

    async def _lane(self, client: Client, pace: Pace) -> None:
        while (due := await pace.next()) is not None:
            template, request = self._mix.next()
            self.tally.busy += 1
            await self._call(client, template, request, due, pace)
            self.tally.busy -= 1
            if self._load.think_seconds:
                await pace.reached(trio.current_time() + self._load.think_seconds)

    async def _call(self, client: Client, template: Template, request: Request, due: float, pace: Pace) -> None:
        session, sent = None, trio.current_time()
        try:
            session = await self._session(client, pace)
            sent = trio.current_time()
            at = await self._asked(session, template, request)
        except Failure as failure:
            now = self.tally.last = trio.current_time()
            self.tally.failed(template.tool, failure, now - due, now - sent)
            await client.failed(failure, session)
        else:
            self.tally.last = max(self.tally.last, at)
            self.tally.answered(template.tool, at - due, at - sent, checked=template.is_checked)

    async def _session(self, client: Client, pace: Pace) -> Session:
        """Raises Failure where it cannot be opened."""
        with trio.move_on_at(self._last_moment(pace)):
            return await client.session()
        raise Failure("timeout", "no session could be opened before the load was over", is_lost=True)

    def _last_moment(self, pace: Pace) -> float:
        """A session may take longer to open than a call may, but not longer than the load and its last calls."""
        return max(pace.end, trio.current_time()) + self._load.timeout_seconds

    async def _asked(self, session: Session, template: Template, request: Request) -> float:
        """The moment of the answer. Raises Failure unless it is a good one."""
        number = self._ledger.issue()
        answer = None
        try:
            with trio.move_on_after(self._load.timeout_seconds):
                answer = await session.ask(request, number)
        finally:
            if answer is None:
                self._ledger.give_up(number)
        if answer is None:
            aside = f"; it said {session.aside!r}, which is no message" if session.aside else ""
            raise Failure("timeout", f"no answer within {self._load.timeout_seconds:g} s{aside}", is_lost=True)
        judge(answer.message, template, number, self._ledger)
        return answer.at


def judge(answer: Message, template: Template, number: int, ledger: Ledger) -> None:
    """Raises Failure for an answer that is none, is another call's, or is an error."""
    if answer.error is not None:
        raise Failure(f"error {answer.error.code}", answer.error.message)
    text = bytes(answer.result)
    try:
        result = tool_result.decode(text)
    except UNDECODABLE as error:
        raise Failure("not MCP", f"no result of a tool: {error}") from None
    is_missing = template.is_checked and b"%d" % number not in text
    if is_missing and ledger.carries_another(text):
        ledger.strays["mixed-up"] += 1
        raise Failure("mixed-up", f"{template.tool}: the answer carries the number of another call")
    if result.is_error:
        raise Failure("tool error", f"{template.tool}: {result.text()}")
    if is_missing:
        ledger.strays["unnumbered"] += 1
        raise Failure("number missing", f"{template.tool}: the answer does not carry the number of its call")
