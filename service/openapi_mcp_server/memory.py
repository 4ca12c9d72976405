"""The bytes that the process keeps for its clients, within one budget (docs/adr/0020).

A `Hold` is opened at a message's first byte and closed when the last byte of its answer is taken. It counts the data
that is kept while the loop does other things: the message, the request made from it, the API's answer as it arrives,
and the result until its client has read it. Data that a single step of the loop makes and drops is not counted. There
is one such step at a time, and it has limits of its own.
"""

from __future__ import annotations

from types import TracebackType
from typing import Literal, Self

import anyio

from openapi_mcp_server.errors import NoRoom

CALL_BYTES = 64 * 1024
"""Counted for every message, and for each call of a batch: its tasks and sockets (30 kB), and its small data."""
SMALL_BYTES = 16 * 1024
"""Up to this size a message, a request and an answer are within `CALL_BYTES`, and nothing more is counted."""
MESSAGE_BYTES = 32 * 1024 * 1024
"""The limit of one message with its request and answers: the largest of each, or a batch with two such answers."""
CLIENT_SHARE = 0.5
"""Part of the budget that one client may fill."""
LEAST_BYTES = 2 * MESSAGE_BYTES
"""The smallest budget; one client may fill all of it."""
ROOM_SECONDS = 20.0
"""How long an answer that has begun to arrive waits for room: less than the 30 s of an attempt."""
WAITING_CALLS = 80
"""The most calls of one client that wait for room, each with a connection to the API. An API has 100 connections, so
some are left for others."""

Use = Literal[0, 1, 2, 3]
"""The purposes of room. Each use may fill an account further than the one before, since the later data of a message
must find room once its request was sent. A call with room for a whole answer needs no more: some call always ends."""
LARGE_MESSAGE: Use = 0
GROWING: Use = 1
"""An answer that is not whole, up to `GROWING_BYTES`."""
WHOLE: Use = 2
"""Room for an answer as large as it may be."""
SMALL: Use = 3
"""Small calls find room beside everything else of the same client, and of all."""
_OF_CLIENT = (2, 4, 6, 8)
_OF_MESSAGE = (MESSAGE_BYTES,) * 4
_OF_ALL = (5, 6, 7, 8)
"""Eighths that each use may fill. Of the whole budget, some room for each use is left when one client has filled its
share."""
GROWING_BYTES = 2 * 1024 * 1024


class _Account:
    """An account of what is kept for somebody, which is part of what is kept for the account above."""

    __slots__ = ("above", "held", "limits")

    def __init__(self, limits: tuple[int, ...], above: _Account | None = None) -> None:
        self.above = above
        self.held = 0
        self.limits = limits  # for each use

    def has_room(self, size: int, use: Use) -> bool:
        account: _Account | None = self
        while account is not None:
            if account.held + size > account.limits[use]:
                return False
            account = account.above
        return True

    def add(self, size: int) -> None:
        account: _Account | None = self
        while account is not None:
            account.held += size
            account = account.above


class Budget:
    """``limit`` bytes for all clients. ``refusals``: how often there was no room."""

    def __init__(self, limit: int) -> None:
        share = max(int(limit * CLIENT_SHARE), min(limit, LEAST_BYTES))
        self._all = _Account(tuple(limit * eighths // 8 for eighths in _OF_ALL))
        self._of_client = tuple(share * eighths // 8 for eighths in _OF_CLIENT)
        self._clients: dict[str, _Account] = {}
        self._waiting: list[_Waiting] = []
        self.refusals = 0

    @property
    def limit(self) -> int:
        return self._all.limits[-1]

    @property
    def held(self) -> int:
        return self._all.held

    def open(self, client: str) -> Hold:
        """Opens a hold for a message of this client. Raises NoRoom."""
        account = self._clients.get(client)
        if account is None:
            account = self._clients[client] = _Account(self._of_client, self._all)
        if not account.has_room(CALL_BYTES, SMALL):
            self.leave(client, account)
            raise self.no_room()
        hold = Hold(self, client, account)
        hold.add(CALL_BYTES)
        return hold

    def leave(self, client: str, account: _Account) -> None:
        """Called when something was closed. Forgets a client without data, and lets in waiting calls."""
        if not account.held:
            self._clients.pop(client, None)
        self.let_in()

    def let_in(self) -> None:
        """Lets in the calls for which there is room now, in the order of their waits."""
        if not self._waiting:
            return
        for one in list(self._waiting):
            if one.hold.has_room(one.size, one.use):
                self._waiting.remove(one)
                one.hold.add(one.size)
                one.came.set()

    async def wait(self, waiting: _Waiting) -> None:
        """Waits until there is room. Raises NoRoom."""
        if sum(one.hold.client == waiting.hold.client for one in self._waiting) >= WAITING_CALLS:
            raise self.no_room()
        self._waiting.append(waiting)
        try:
            with anyio.move_on_after(ROOM_SECONDS):
                await waiting.came.wait()
        finally:
            if not waiting.came.is_set():
                self._waiting.remove(waiting)
        if not waiting.came.is_set():
            raise self.no_room()

    def no_room(self) -> NoRoom:
        self.refusals += 1
        return NoRoom()


class Hold(_Account):
    """The account of one message, or of one call of a batch, which counts towards the batch's account.

    ``may_be_sent``: whether an API may have received a request for it. The upstream sets it when it sends.
    """

    __slots__ = ("_budget", "client", "is_part", "may_be_sent")

    def __init__(self, budget: Budget, client: str, above: _Account, *, is_part: bool = False) -> None:
        super().__init__(_OF_MESSAGE, above)
        self._budget = budget
        self.client = client
        self.is_part = is_part
        self.may_be_sent = False

    def part(self) -> Hold:
        """Opens a hold for one call of a batch. It is closed with its batch. Raises NoRoom."""
        part = Hold(self._budget, self.client, self, is_part=True)
        part.take(CALL_BYTES)
        return part

    def take(self, size: int) -> None:
        """Adds ``size`` bytes before anything was carried out. Raises NoRoom."""
        if not self.has_room(size, SMALL if self.held + size <= 2 * CALL_BYTES else LARGE_MESSAGE):
            raise self._budget.no_room()
        self.add(size)

    async def grow(self, size: int) -> None:
        """Adds ``size`` bytes, and waits for room if there is none. Raises NoRoom."""
        after = self.held + size
        use = SMALL if after <= 2 * CALL_BYTES else GROWING if after <= GROWING_BYTES else WHOLE
        if self.has_room(size, use):
            self.add(size)
        else:
            await self._budget.wait(_Waiting(self, size, use))

    def settle(self, size: int) -> None:
        """Sets the account to `CALL_BYTES` and ``size`` bytes. It does not ask for room: the data is there already."""
        more = CALL_BYTES + size - self.held
        if more > 0:
            self.add(more)
        elif more:
            self.shrink(CALL_BYTES + size)

    def shrink(self, held: int) -> None:
        """Goes back to ``held`` bytes, if more are held."""
        if held < self.held:
            self.add(held - self.held)
            self._budget.let_in()

    def close(self) -> None:
        """Gives back all that is held. It may be closed again."""
        if self.held and self.above is not None:
            self.above.add(-self.held)
            self.held = 0
            self._budget.leave(self.client, self.above)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Waiting:
    """A call that waits for room, and for how much."""

    def __init__(self, hold: Hold, size: int, use: Use) -> None:
        self.hold = hold
        self.size = size
        self.use = use
        self.came = anyio.Event()


class _Free(Hold):
    """Counts nothing, and has room for everything. Many calls may share it, so it never says that nothing was sent."""

    def __init__(self) -> None:
        super().__init__(UNBOUNDED, "", _Account(()))
        self.may_be_sent = True

    def part(self) -> Hold:
        return self

    def has_room(self, size: int, use: Use) -> bool:  # noqa: ARG002 - there always is
        return True

    def add(self, size: int) -> None:
        pass


UNBOUNDED = Budget(2**62)
FREE = _Free()
"""For commands, which serve nobody else, and for tests of other things."""
