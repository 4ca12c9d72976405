"""The numbers of calls, and what an answer that carries the wrong one means.

Each call has a number that no other call has, in any process of the run: its JSON-RPC id, and the nonce in its
arguments. So an answer tells by itself whose it is.
"""

from __future__ import annotations

import re
from collections import Counter, OrderedDict
from typing import Literal

DIGITS = 15
"""Of every number: integers stay exact in a double (2**53), and messages of one template are equally long."""
_RUN, _PROCESS = 10**12, 10**10
REMEMBERED = 100_000
"""Calls that were given up, the newest: a server that refuses all calls of a day is no reason to run out of memory."""

Stray = Literal["mixed-up", "doubled", "late", "unasked", "unnumbered"]
"""The last is an answer without the number that it had to carry."""


class Ledger:
    """The calls of one process. ``run`` is a number from 100 to 999 that tells one run's numbers from another's."""

    def __init__(self, run: int, process: int = 0) -> None:
        self._first = self._last = run * _RUN + process * _PROCESS
        self._ours = re.compile(rb"(?<!\d)%d\d{%d}(?!\d)" % (run, DIGITS - len(str(run))))
        self._waiting: set[int] = set()
        self._given_up: OrderedDict[int, None] = OrderedDict()
        self.strays: Counter[Stray] = Counter()

    def issue(self) -> int:
        self._last += 1
        self._waiting.add(self._last)
        return self._last

    def settle(self, number: int) -> None:
        """It was answered, or never sent."""
        self._waiting.discard(number)

    def give_up(self, number: int) -> None:
        """Nobody waits for it any more; its answer may still come."""
        self._waiting.discard(number)
        self._given_up[number] = None
        if len(self._given_up) > REMEMBERED:
            self._given_up.popitem(last=False)

    def stray(self, number: object) -> Stray:
        """Counts an answer that came where it was not waited for, and says what it is."""
        kind = self._kind(number)
        self.strays[kind] += 1
        return kind

    def _kind(self, number: object) -> Stray:
        if not isinstance(number, int) or not self._ours.fullmatch(b"%d" % number):
            return "unasked"
        if number in self._given_up:
            del self._given_up[number]
            return "late"
        if self._first < number <= self._last and number not in self._waiting:
            return "doubled"
        return "mixed-up"

    def carries_another(self, text: bytes) -> bool:
        """Whether an answer without its own number has one of another call."""
        return self._ours.search(text) is not None
