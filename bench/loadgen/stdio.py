"""A server that a command starts, over its standard input and output: a message a line."""

from __future__ import annotations

import subprocess
from contextlib import suppress

import trio

from loadgen.failures import Failure
from loadgen.ledger import Ledger
from loadgen.mailbox import Mailbox
from loadgen.messages import Arrived, Request
from loadgen.plan import Target
from loadgen.sessions import Beside
from loadgen.wire import Lines, WireError

END_SECONDS = 5.0
"""A server has to leave once its input ends; after this it is killed."""
_LAST_BYTES = 4096
"""Of its log, whose last line may say why it left."""


class Stdio:
    """A client and its server."""

    def __init__(self, process: trio.Process, ledger: Ledger, tasks: trio.Nursery) -> None:
        self._process = process
        self._mailbox = Mailbox(ledger)
        self._outbox, self._unsent = trio.open_memory_channel[bytes](0)
        self._last_words = b""
        self._tasks = [Beside(tasks, each) for each in (self._read, self._read_log, self._write)]

    async def _read(self) -> None:
        assert self._process.stdout is not None
        lines = Lines()
        try:
            async for piece in self._process.stdout:
                for line in lines.feed(piece):
                    self._mailbox.deliver(line.strip())
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        except WireError as error:
            self._mailbox.end(Failure("closed", f"{error}; nothing more is read", is_lost=True))
            return
        with trio.move_on_after(1):  # the last line of its log says why it left
            await self._process.wait()
        await trio.lowlevel.checkpoint()
        self._mailbox.end(Failure("closed", f"the server ended{self._why()}", is_lost=True))

    async def _read_log(self) -> None:
        assert self._process.stderr is not None
        async for piece in self._process.stderr:
            self._last_words = (self._last_words + piece)[-_LAST_BYTES:]

    def _why(self) -> str:
        said = self._last_words.rstrip().rpartition(b"\n")[2].decode("utf-8", "replace")
        code = self._process.returncode
        return (f" with exit code {code}" if code is not None else "") + (f": {said}" if said else "")

    async def ask(self, request: Request, number: int) -> Arrived:
        self._mailbox.expect(number)
        try:
            await self._send(request.body(b"%d" % number))
            return await self._mailbox.wait(number)
        finally:
            self._mailbox.forget(number)

    async def notify(self, request: Request) -> None:
        await self._send(request.body(b""))

    async def _send(self, body: bytes) -> None:
        try:
            await self._outbox.send(body)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise Failure("closed", f"the server does not read any more{self._why()}", is_lost=True) from error

    async def _write(self) -> None:
        """A message that has begun is written to its end, though its call was given up: the next one follows it."""
        assert self._process.stdin is not None
        with self._unsent, suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for body in self._unsent:
                await self._process.stdin.send_all(body + b"\n")

    async def listen(self, _: trio.Nursery) -> None:
        """The stream is there already."""
        await trio.lowlevel.checkpoint()

    @property
    def is_alive(self) -> bool:
        return not self._mailbox.is_over

    @property
    def aside(self) -> str:
        return self._mailbox.garbage.decode("utf-8", "replace")

    async def aclose(self) -> None:
        assert self._process.stdin is not None
        self._outbox.close()
        with trio.move_on_after(END_SECONDS):
            await self._process.stdin.aclose()
            await self._process.wait()
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        for task in self._tasks:
            task.stop()


async def open_stdio(target: Target, ledger: Ledger, tasks: trio.Nursery) -> Stdio:
    pipe = subprocess.PIPE
    try:
        process = await trio.lowlevel.open_process(target.command, stdin=pipe, stdout=pipe, stderr=pipe)
    except OSError as error:
        raise Failure("connect", f"{target.command[0]}: {error.strerror or error}") from error
    return Stdio(process, ledger, tasks)
