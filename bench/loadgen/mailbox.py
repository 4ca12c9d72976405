"""Answers that come on one stream for many calls: each is handed to the call that waits for its number."""

from __future__ import annotations

import msgspec
import trio

from loadgen.failures import Failure
from loadgen.ledger import Ledger
from loadgen.messages import Message, messages


class _Slot:
    def __init__(self) -> None:
        self.came = trio.Event()
        self.message: Message | None = None


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

    async def wait(self, number: int) -> Message:
        """Raises Failure where the stream ended first."""
        slot = self._slots[number]
        await slot.came.wait()
        if slot.message is None:
            raise self._over or Failure("closed", "the stream ended", is_lost=True)
        return slot.message

    def forget(self, number: int) -> None:
        self._slots.pop(number, None)

    def deliver(self, data: bytes) -> None:
        """One message or a batch; whatever is no answer is passed over."""
        try:
            decoded = messages.decode(data)
        except msgspec.DecodeError:
            self.garbage = self.garbage or data[:100]
            self._ledger.strays["unasked"] += 1
            return
        for message in decoded if isinstance(decoded, list) else [decoded]:
            if not message.method:
                self._hand_over(message)

    def _hand_over(self, message: Message) -> None:
        slot = self._slots.get(message.id) if isinstance(message.id, int) else None
        if slot is None or slot.message is not None:
            self._ledger.stray(message.id)
            return
        slot.message = message
        assert isinstance(message.id, int)
        self._ledger.settle(message.id)
        slot.came.set()

    def end(self, failure: Failure) -> None:
        """Nothing more will come."""
        self._over = failure
        for slot in self._slots.values():
            slot.came.set()
