"""The load as values: whom to ask, how much, how fast; and the moment when each call is due."""

from __future__ import annotations

import bisect
import math
import re
from typing import Literal

import msgspec

LEGACY = "2025-11-25"
"""The last revision that begins with a handshake."""
MODERN = "2026-07-28"
"""The first without one: each request says what it speaks."""
SSE_REVISION = "2024-11-05"
"""The revision whose transport HTTP+SSE is."""
REVISIONS = (SSE_REVISION, "2025-03-26", "2025-06-18", LEGACY, MODERN)

NONCE = "{nonce}"
"""Stands for a call's number in a text of its arguments."""
NONCE_INTEGER = "{nonce:int}"
"""As a whole text: becomes the call's number as an integer."""

Transport = Literal["http", "sse", "stdio"]


class UsageError(Exception):
    """Bad input: one line that names the option, the file or the argument, and the cure."""


def _takes_a_secret(option: str) -> bool:
    """Whether the next word may be a secret. ``python -m`` and ``npx -y`` stand before the name of the server."""
    return option.startswith("-") and "=" not in option and option not in {"-m", "-y"}


def _without_value(word: str) -> str:
    """An option or a variable without the value that is written together with it: ``-HAuthorization: …`` as well."""
    return re.split(r"[=:]", word, maxsplit=1)[0] if word.startswith("-") else word.partition("=")[0]


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A server, by URL or by the command that starts it over stdio. ``revision`` is empty until it is negotiated."""

    transport: Transport
    url: str = ""
    command: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    revision: str = ""

    @property
    def shown(self) -> str:
        """For reports: without the query of a URL and the values of options, which may be secrets."""
        if self.url:
            return self.url.partition("?")[0]
        is_hidden = [False, *(_takes_a_secret(word) for word in self.command[:-1])]
        words = zip(self.command, is_hidden, strict=True)
        return " ".join("…" if hidden and word[:1] != "-" else _without_value(word) for word, hidden in words)

    @property
    def is_modern(self) -> bool:
        return self.revision == MODERN


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """How much is asked. ``rate`` 0 is the closed loop: a client calls again when it was answered.

    ``at_once``: calls that one client has in flight. ``calls`` 0: the seconds alone end it.
    """

    clients: int
    at_once: int = 1
    rate: float = 0.0
    seconds: float = 10.0
    calls: int = 0
    ramp_seconds: float = 0.0
    think_seconds: float = 0.0
    idle: int = 0
    processes: int = 1
    timeout_seconds: float = 30.0

    @property
    def is_open(self) -> bool:
        return self.rate > 0

    @property
    def longest_seconds(self) -> float:
        """All that a run can take: the last call may be made when the time is over, and be given up."""
        return self.seconds + 2 * self.timeout_seconds


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """A call that is made again and again. ``arguments`` is JSON, `NONCE` or `NONCE_INTEGER` where the number goes.

    ``is_checked``: the answer must carry the number back.
    """

    tool: str
    arguments: msgspec.Raw
    weight: int = 1
    is_checked: bool = False


def due_seconds(index: int, rate: float, ramp_seconds: float) -> float:
    """Seconds from the start to the call with this index (from 0) of an open loop.

    While it ramps up the rate grows in a straight line, so that ``rate * t**2 / (2 * ramp)`` calls are due by ``t``.
    """
    in_ramp = rate * ramp_seconds / 2
    if index < in_ramp:
        return math.sqrt(2 * ramp_seconds * index / rate)
    return ramp_seconds + (index - in_ramp) / rate


def due_count(rate: float, ramp_seconds: float, seconds: float) -> int:
    """How many calls of an open loop are due before so many seconds."""
    most = range(math.ceil(rate * seconds) + 1)
    return bisect.bisect_left(most, seconds, key=lambda index: due_seconds(index, rate, ramp_seconds))


def share(whole: int, part: int, parts: int) -> int:
    """The whole number that one of several parts gets, so that all together get all."""
    return whole // parts + (part < whole % parts)
