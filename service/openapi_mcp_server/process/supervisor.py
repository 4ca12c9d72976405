"""Several worker processes: started, watched, started again, stopped. The process that does it serves nothing itself.

Workers are this same program, started anew with the same arguments, each with a number. A worker listens on SERVER_PORT
plus its number, and a proxy in front knows all the ports. They share nothing, so the others go on serving if one of
them fails.
"""

from __future__ import annotations

import errno
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Literal, NamedTuple

import trio

from openapi_mcp_server.errors import ConfigError
from openapi_mcp_server.observe import logs
from openapi_mcp_server.process import watchdog
from openapi_mcp_server.settings.config import Config

if TYPE_CHECKING:
    from openapi_mcp_server.server.worker_metrics import WorkerMetrics

PLACE = "OPENAPI_MCP_WORKER"
"""In the environment of a worker only: a `WorkerPlace` as numbers, the line as its descriptor."""
READY = b"\n"
"""The word of a worker on that line once it serves. When the line ends, either of the two is gone."""
BEAT = b"."
"""Its word every second from then on, as long as its event loop runs."""
LINE_BYTES = 64
SILENT_SECONDS = 60
"""A worker that is silent for so long is killed, unless it ends itself before (WATCHDOG_SECONDS)."""
SILENT_EXTRA_SECONDS = 5
"""For a worker that ends itself."""
STEADY_SECONDS = 60.0
"""A worker that has served for so long and ends did not end for the same reason as the one before."""
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
"""Between two starts of a worker that fails again and again, doubled each time."""
STRAGGLER_SECONDS = 5.0
"""Beyond the lame duck and the grace of its stop: a worker that is still there is stuck, and is killed."""
FORCED_SECONDS = 2.0
"""The same after a second signal."""

logger = logging.getLogger(__name__)


def run(config: Config, environ: Mapping[str, str]) -> int:
    """Until a signal, or until the workers cannot be started. Returns the exit code."""
    logs.configure(config.log_level, config.log_format)
    for warning in config.warnings:
        logger.warning(warning)
    return trio.run(_Supervisor(config, environ).run)


class WorkerPlace(NamedTuple):
    """A worker's place: its number, its line to the supervisor, and its port for metrics, 0 if nobody asks."""

    number: int
    line: socket.socket
    metrics_port: int


def place(environ: Mapping[str, str]) -> WorkerPlace | None:
    """The place of this process among the workers; None where nobody supervises it."""
    said = environ.get(PLACE)
    if said is None:
        return None
    try:
        number, descriptor, metrics_port = map(int, said.split(":"))
        return WorkerPlace(number, socket.socket(fileno=descriptor), metrics_port)
    except (ValueError, OSError):
        raise ConfigError(PLACE, "is for the workers that a supervisor starts; leave it out") from None


class _Worker:
    """A place among the workers, and the process that fills it now."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.process: trio.Process | None = None
        self._is_told = False
        self.ready = trio.Event()
        self.ready_since: float | None = None
        self.restarts: dict[str, int] = {"asked": 0, "failed": 0}

    def fill(self, process: trio.Process) -> None:
        self.process, self._is_told = process, False

    def finish(self, number: int) -> None:
        """Asks the worker to finish its calls, once only: a second signal would end it at once."""
        if not self._is_told:
            self._is_told = True
            self.signal(number)

    def signal(self, number: int) -> None:
        if self.process is not None:
            self.process.send_signal(number)


class _Supervisor:
    """Raises ConfigError where the port for metrics cannot be had."""

    def __init__(self, config: Config, environ: Mapping[str, str]) -> None:
        self._metrics: WorkerMetrics | None = None
        if config.prometheus:
            from openapi_mcp_server.server.visitors import allowed  # noqa: PLC0415 - for those who ask for metrics
            from openapi_mcp_server.server.worker_metrics import WorkerMetrics  # noqa: PLC0415 - 5 MiB

            self._metrics = WorkerMetrics(config.host, config.prometheus_port, config.workers, allowed(config))
            self._metrics.follow(lambda: [worker.restarts for worker in self._workers])
        self._workers = [_Worker(number) for number in range(config.workers)]
        self._environ = environ
        self._port = config.port
        own = int(config.watchdog_seconds)
        self._silent_seconds = own + SILENT_EXTRA_SECONDS if own else SILENT_SECONDS
        self._stop_seconds = config.shutdown_lame_duck_seconds + config.shutdown_grace_seconds + STRAGGLER_SECONDS
        self._first_started = trio.Event()
        self._all_started = False
        self._is_renewing = False
        self._stopping = trio.Event()
        self._code = 0
        self._tasks: trio.Nursery

    async def run(self) -> int:
        # From a terminal, SIGHUP says that it was closed: the default is right, which ends this process.
        numbers = {signal.SIGTERM, signal.SIGINT} | (set() if sys.stderr.isatty() else {signal.SIGHUP})
        with trio.open_signal_receiver(*numbers) as signals:
            async with trio.open_nursery() as self._tasks:
                self._tasks.start_soon(self._obey, signals)
                async with nullcontext() if self._metrics is None else self._metrics.served():
                    await self._keep_all()
                self._tasks.cancel_scope.cancel()
        if self._all_started:
            logger.info("all workers have stopped")
        return self._code

    async def _keep_all(self) -> None:
        """The first worker alone at first: what all would stumble over, a bad document, is said once."""
        async with trio.open_nursery() as places:
            first, *others = self._workers
            places.start_soon(self._keep, first)
            await self._first_started.wait()
            for worker in others:
                places.start_soon(self._keep, worker)

    async def _keep(self, worker: _Worker) -> None:
        """Fills a place, and fills it again whenever its process ends, until the stop."""
        failures = 0
        while not self._stopping.is_set():
            code, served_seconds = await self._live(worker)
            if self._stopping.is_set():
                self._settle(worker, code)
            elif served_seconds is None and not self._can_wait():
                self._give_up(worker, code)
            elif code == 0 and served_seconds is not None:
                failures = 0
                worker.restarts["asked"] += 1
                logger.info("worker %d has stopped: starting it again", worker.number)
            else:
                worker.restarts["failed"] += 1
                failures = 1 if (served_seconds or 0) > STEADY_SECONDS else failures + 1
                await self._pause(worker, code, failures)

    def _can_wait(self) -> bool:
        """Whether a worker that did not come up is tried again: not at the start, and not where nobody serves."""
        return self._all_started and any(worker.ready_since is not None for worker in self._workers)

    def _give_up(self, worker: _Worker, code: int) -> None:
        if code < 0:  # else it has said itself why
            logger.error("worker %d %s before it served", worker.number, _ended(code))
        self._code = code if code > 0 else 1
        self._stop(signal.SIGTERM)

    async def _live(self, worker: _Worker) -> tuple[int, float | None]:
        """One process, from its start to its end: its exit code, or the negative number of a signal, and how many
        seconds it has served, if it came to that."""
        try:
            process, line = await self._start(worker.number)
        except OSError as error:  # the system has no process or no descriptor left
            logger.error("worker %d: no process can be started: %s", worker.number, error.strerror)  # noqa: TRY400 - no bug
            return 1, None
        worker.fill(process)
        if self._stopping.is_set():  # in the meantime
            worker.finish(signal.SIGTERM)
        async with line, trio.open_nursery() as hearing:
            hearing.start_soon(self._hear, worker, line)
            code = await process.wait()
            hearing.cancel_scope.cancel()
        since, worker.process, worker.ready_since = worker.ready_since, None, None
        return code, None if since is None else trio.current_time() - since

    async def _start(self, number: int) -> tuple[trio.Process, trio.SocketStream]:
        """This same program with its number, and our end of the line to it."""
        metrics_port = 0 if self._metrics is None else self._metrics.ports[number]
        ours, theirs = socket.socketpair()
        line = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
        with theirs:
            try:
                process = await trio.lowlevel.open_process(
                    [sys.executable, *sys.orig_argv[1:]],
                    stdin=subprocess.DEVNULL,
                    env={**self._environ, PLACE: f"{number}:{theirs.fileno()}:{metrics_port}"},
                    pass_fds=[theirs.fileno()],
                    process_group=0,  # a terminal's Ctrl-C is for this process, which passes it on once
                )
            except RuntimeError:  # Trio starts it in a thread, and the system gives none
                raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from None
        return process, line

    async def _hear(self, worker: _Worker, line: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError):
            while said := await line.receive_some(LINE_BYTES):
                if READY in said:
                    self._is_ready(worker)
                    await self._listen(worker, line)
                    return

    async def _listen(self, worker: _Worker, line: trio.SocketStream) -> None:
        """Until the line ends, or a worker that is not about to stop has been silent for too long. By seconds that are
        waited one by one: if the whole machine was held up, only one of them is long."""
        silent = 0
        while silent < self._silent_seconds or self._stopping.is_set():
            with trio.move_on_after(1):
                if not await line.receive_some(LINE_BYTES):
                    return
                silent = -1
            silent += 1
        logger.error("worker %d does nothing any more: killing it", worker.number)
        worker.signal(signal.SIGKILL)

    def _is_ready(self, worker: _Worker) -> None:
        pid = None if worker.process is None else worker.process.pid
        logger.info("worker %d is ready", worker.number, extra={"pid": pid, "port": self._port + worker.number})
        worker.ready_since = trio.current_time()
        worker.ready.set()
        self._first_started.set()
        if not self._all_started and all(one.ready_since is not None for one in self._workers):
            self._all_started = True
            self._tell("ready")
            last = self._port + len(self._workers) - 1
            logger.info("%d workers serve on ports %d to %d", len(self._workers), self._port, last)

    async def _pause(self, worker: _Worker, code: int, failures: int) -> None:
        seconds = min(FIRST_PAUSE_SECONDS * 2 ** (failures - 1), LONGEST_PAUSE_SECONDS)
        logger.error("worker %d %s: starting it again in %g s", worker.number, _ended(code), seconds)
        with trio.move_on_after(seconds):
            await self._stopping.wait()

    async def _obey(self, signals: AsyncIterator[int]) -> None:
        async for number in signals:
            if number != signal.SIGHUP:
                self._stop(number)
            elif self._is_renewing or not self._all_started or self._stopping.is_set():
                logger.warning("SIGHUP is ignored: the workers are being started or stopped")
            else:
                self._is_renewing = True
                self._tasks.start_soon(self._renew)

    def _stop(self, number: int) -> None:
        """The first signal lets every worker finish its calls, the second ends them at once."""
        is_second = self._stopping.is_set()
        if is_second:
            self._code = self._code or 1
        self._stopping.set()
        self._first_started.set()
        self._tell("draining")
        for worker in self._workers:
            (worker.signal if is_second else worker.finish)(number)
            self._tasks.start_soon(self._kill_later, worker, FORCED_SECONDS if is_second else self._stop_seconds)

    def _tell(self, state: Literal["ready", "draining"]) -> None:
        if self._metrics is not None:
            self._metrics.readiness.state = state

    async def _kill_later(self, worker: _Worker, seconds: float) -> None:
        process = worker.process
        if process is None:
            return
        with trio.move_on_after(seconds):
            await process.wait()
            return
        logger.error("worker %d does not stop: killing it", worker.number)
        process.kill()

    def _settle(self, worker: _Worker, code: int) -> None:
        """Judges how a worker ended at a stop; one that was still starting ends by the signal itself, in good order."""
        if code not in {0, *(sign for each in (signal.SIGTERM, signal.SIGINT) for sign in (128 + each, -each))}:
            logger.error("worker %d %s", worker.number, _ended(code))
            self._code = self._code or 1

    async def _renew(self) -> None:
        """Restarts one worker after the other. The next one waits until the last one serves again, so all but one
        always serve."""
        logger.info("SIGHUP: restarting the workers one after the other")
        for worker in self._workers:
            worker.ready = trio.Event()
            worker.finish(signal.SIGTERM)
            self._tasks.start_soon(self._kill_later, worker, self._stop_seconds)
            await worker.ready.wait()
        self._is_renewing = False
        logger.info("all workers have been restarted")


def _ended(code: int) -> str:
    if code == watchdog.EXIT_CODE:
        return "did nothing any more and ended itself, the stack above says where"
    return f"ended with {code}" if code >= 0 else f"was ended by signal {-code}"
