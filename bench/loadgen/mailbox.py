"""Answers that come on one stream for many calls: each is handed to the call that waits for its number."""

from __future__ import annotations

import trio

from loadgen.failures import Failure
from loadgen.ledger import Ledger
from loadgen.messages import Arrived, Message, answers_of


class _Slot:
    def __init__(self) -> None:
        self.came = trio.Event()
        self.message: Message | None = None
        self.at = 0.0


class Mailbox:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._slots: dict[int, _Slot] = {}
        self._over: Failure | None = None
        self.garbage = b""
        """The first that came and was no message."""

    @property
    def is_over(self) -> bool:
        return self._over is not None

    def expect(self, number: int) -> None:
        """From now on: before the call is sent."""
        if self._over is not None:
            raise self._over
        self._slots[number] = _Slot()

    async def wait(self, number: int) -> Arrived:
        """Raises Failure where the stream ended first."""
        slot = self._slots[number]
        await slot.came.wait()
        if slot.message is None:
            raise self._over or Failure("closed", "the stream ended", is_lost=True)
        return Arrived(slot.message, slot.at)

    def forget(self, number: int) -> None:
        self._slots.pop(number, None)

    def deliver(self, data: bytes) -> None:
        """One message or a batch; whatever is no answer is passed over, and so is an event without data (2025-11-25,
        Resumability, begins a stream with one)."""
        if not data:
            return
        answers = answers_of(data)
        if answers is None:
            self.garbage = self.garbage or data[:100]
            self._ledger.strays["unasked"] += 1
        for message in answers or ():
            self._hand_over(message)

    def _hand_over(self, message: Message) -> None:
        slot = self._slots.get(message.id) if isinstance(message.id, int) else None
        if slot is None or slot.message is not None:
            self._ledger.stray(message.id)
            return
        slot.message, slot.at = message, trio.current_time()
        assert isinstance(message.id, int)
        self._ledger.settle(message.id)
        slot.came.set()

    def end(self, failure: Failure) -> None:
        """Nothing more will come."""
        self._over = failure
        for slot in self._slots.values():
            slot.came.set()
