"""Resolves names by the system's resolver, with one lookup for a name at a time. No name waits for another.

`getaddrinfo` blocks, for 20 s and more if a name server is down. Each lookup has its own thread, so a name that does
not resolve takes no thread from other names, from files or from standard input. Further callers with the same name wait
for the same lookup. There are at most as many threads as hosts in the documents.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import outcome
import trio

Entries = list[tuple[Any, ...]]
"""The list that `socket.getaddrinfo` returns."""


class Lookups:
    """Raises the errors of `socket.getaddrinfo`. A caller that leaves stops waiting; the lookup continues."""

    def __init__(self, ask: Callable[..., Entries] = socket.getaddrinfo) -> None:
        self._ask = ask
        self._running: dict[str, _Lookup] = {}

    async def __call__(self, host: str, port: int) -> list[str]:
        """Every address of a host as text, in the resolver's order."""
        try:  # what is an address already is asked of nobody
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        except socket.gaierror:
            found = await self._looked_up(host)
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))

    async def _looked_up(self, host: str) -> Entries:
        lookup = self._running.get(host)
        if lookup is None:
            lookup = _Lookup()
            ask = partial(self._ask, host, None, type=socket.SOCK_STREAM)
            try:
                trio.lowlevel.start_thread_soon(ask, lookup.delivery(partial(self._running.pop, host)), "name lookup")
            except RuntimeError:  # the system gives this process no further thread
                raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from None
            self._running[host] = lookup  # not before: there is nobody else who would end it
        await lookup.done.wait()
        if isinstance(lookup.answer, Exception):
            raise _shortage() or lookup.answer
        return lookup.answer


class _Lookup:
    def __init__(self) -> None:
        self.done = trio.Event()
        self.answer: Entries | Exception = []

    def delivery(self, finished: Callable[[], object]) -> Callable[[outcome.Outcome[Entries]], None]:
        """Passes the answer from the thread to the loop."""
        loop = trio.lowlevel.current_trio_token()

        def settle(answer: outcome.Outcome[Entries]) -> None:
            self.answer = answer.value if isinstance(answer, outcome.Value) else _error(answer)
            finished()
            self.done.set()

        def deliver(answer: outcome.Outcome[Entries]) -> None:
            with suppress(trio.RunFinishedError):  # the process ends, and nobody waits
                loop.run_sync_soon(settle, answer)

        return deliver


def _error(answer: outcome.Outcome[Entries]) -> Exception:
    if isinstance(answer, outcome.Error) and isinstance(answer.error, Exception):
        return answer.error
    raise AssertionError("a thread ends with a value or with an exception")


def _shortage() -> OSError | None:
    """The error that the resolver hides if this process has no descriptor left: glibc 2.36 then says that there is no
    such name."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        return error if error.errno in {errno.EMFILE, errno.ENFILE} else None
    return None
