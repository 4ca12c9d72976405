"""A server that a command starts, over its standard input and output: a message a line."""

from __future__ import annotations

import subprocess
from collections import deque

import trio

from loadgen.failures import Failure
from loadgen.ledger import Ledger
from loadgen.mailbox import Mailbox
from loadgen.messages import Message, Request
from loadgen.plan import Target
from loadgen.sessions import Beside
from loadgen.wire import Lines

END_SECONDS = 5.0
"""A server has to leave once its input ends; after this it is killed."""


class Stdio:
    """A client and its server."""

    def __init__(self, process: trio.Process, ledger: Ledger, tasks: trio.Nursery) -> None:
        self._process = process
        self._mailbox = Mailbox(ledger)
        self._turn = trio.StrictFIFOLock()
        self._last_words: deque[bytes] = deque(maxlen=1)
        self._readers = (Beside(tasks, self._read), Beside(tasks, self._read_log))

    async def _read(self) -> None:
        assert self._process.stdout is not None
        lines = Lines()
        try:
            async for piece in self._process.stdout:
                for line in lines.feed(piece):
                    if line.strip():
                        self._mailbox.deliver(line)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        with trio.move_on_after(1):  # the last line of its log says why it left
            await self._process.wait()
        await trio.lowlevel.checkpoint()
        self._mailbox.end(Failure("closed", f"the server ended{self._why()}", is_lost=True))

    async def _read_log(self) -> None:
        assert self._process.stderr is not None
        lines = Lines()
        async for piece in self._process.stderr:
            self._last_words.extend(line for line in lines.feed(piece) if line.strip())

    def _why(self) -> str:
        said = self._last_words[-1].decode("utf-8", "replace") if self._last_words else ""
        code = self._process.returncode
        return (f" with exit code {code}" if code is not None else "") + (f": {said}" if said else "")

    async def ask(self, request: Request, number: int) -> Message:
        self._mailbox.expect(number)
        try:
            await self._write(request.body(b"%d" % number))
            return await self._mailbox.wait(number)
        finally:
            self._mailbox.forget(number)

    async def notify(self, request: Request) -> None:
        await self._write(request.body(b""))

    async def _write(self, body: bytes) -> None:
        assert self._process.stdin is not None
        try:
            async with self._turn:
                await self._process.stdin.send_all(body + b"\n")
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise Failure("closed", f"the server does not read any more{self._why()}", is_lost=True) from error

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
        with trio.move_on_after(END_SECONDS):
            await self._process.stdin.aclose()
            await self._process.wait()
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        for reader in self._readers:
            reader.stop()


async def open_stdio(target: Target, ledger: Ledger, tasks: trio.Nursery) -> Stdio:
    pipe = subprocess.PIPE
    try:
        process = await trio.lowlevel.open_process(target.command, stdin=pipe, stdout=pipe, stderr=pipe)
    except OSError as error:
        raise Failure("connect", f"{target.command[0]}: {error.strerror or error}") from error
    return Stdio(process, ledger, tasks)
