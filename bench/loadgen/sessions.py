"""One client of a server, whatever the transport: what is asked with a number gets its answer, or fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import trio

from loadgen import wire
from loadgen.failures import Failure
from loadgen.ledger import Ledger
from loadgen.messages import INITIALIZED, Arrived, Message, Request, initialize
from loadgen.plan import Target

OPEN_SECONDS = 30.0
"""For a session to open and for what is asked before the load: servers with large documents take some seconds."""


class Session(Protocol):
    """``ask`` raises Failure, and settles the number of what was answered; its caller sets the deadline."""

    async def ask(self, request: Request, number: int) -> Arrived: ...

    async def notify(self, request: Request) -> None: ...

    async def listen(self, tasks: trio.Nursery) -> None:
        """Keeps something open that the server can speak on, from now on."""

    @property
    def is_alive(self) -> bool:
        """Whether what `listen` keeps open is."""

    @property
    def aside(self) -> str:
        """Its first words that were no message, for people; mostly empty."""

    async def aclose(self) -> None: ...


Open = Callable[[Target, Ledger, trio.Nursery], Awaitable[Session]]


async def greet(session: Session, target: Target, ledger: Ledger) -> Message:
    """The handshake of the revisions up to 2025-11-25."""
    answer = await asked(session, initialize(target.revision), ledger)
    await session.notify(INITIALIZED)
    return answer


async def asked(session: Session, request: Request, ledger: Ledger) -> Message:
    """Anything but a call that is measured. Raises Failure, for an error in the answer as well."""
    number = ledger.issue()
    try:
        with within(OPEN_SECONDS, f"no answer to {request.method.decode()}"):
            answer = (await session.ask(request, number)).message
    except Failure as failure:
        if session.aside:
            raise Failure(
                failure.kind, f"{failure.example}; it said {session.aside!r}, which is no message"
            ) from failure
        raise
    finally:
        ledger.settle(number)
    if answer.error is not None:
        raise Failure(f"error {answer.error.code}", answer.error.message)
    return answer


@contextmanager
def within(seconds: float, otherwise: str) -> Iterator[None]:
    """Raises Failure when the time is over."""
    with trio.move_on_after(seconds) as scope:
        yield
    if scope.cancelled_caught:
        raise Failure("timeout", f"{otherwise} within {seconds:g} s", is_lost=True)


@contextmanager
def read_errors() -> Iterator[None]:
    """Turns what goes wrong on a connection into Failure."""
    try:
        yield
    except wire.ClosedError as error:
        raise Failure("closed", str(error), is_lost=True) from error
    except wire.WireError as error:
        raise Failure("not HTTP", str(error)) from error


class Beside:
    """A task that reads for as long as its session is open."""

    def __init__(self, tasks: trio.Nursery, read: Callable[[], Awaitable[None]]) -> None:
        self._scope = trio.CancelScope()
        self._read = read
        tasks.start_soon(self._run)

    async def _run(self) -> None:
        with self._scope:
            await self._read()

    def stop(self) -> None:
        self._scope.cancel()
