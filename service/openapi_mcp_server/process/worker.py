"""A process that is one of several: which one, and how it and its supervisor learn of each other's end."""

from __future__ import annotations

import logging
import os
import signal
import socket
from contextlib import suppress
from functools import partial

import msgspec

from openapi_mcp_server.aside import start_thread
from openapi_mcp_server.process import lifecycle
from openapi_mcp_server.process.sources import Sources
from openapi_mcp_server.process.supervisor import BEAT, READY, WorkerPlace
from openapi_mcp_server.settings.config import Config

logger = logging.getLogger(__name__)


def run(config: Config, place: WorkerPlace, sources: Sources | None = None) -> int:
    """Serves at its port, and tells the supervisor over the line when it is ready. Returns the exit code."""
    start_thread(partial(_stop_with, place.line), "supervisor's end")
    mine = msgspec.structs.replace(
        config,
        worker=place.number,
        port=config.port + place.number,
        prometheus_port=place.metrics_port,
        warnings=(),
    )
    return lifecycle.run(
        mine, ready=partial(_say, place.line, READY), beat=partial(_say, place.line, BEAT), sources=sources
    )


def _say(line: socket.socket, message: bytes) -> None:
    with suppress(OSError):  # a supervisor that is gone, or does not listen, is the other end's business
        line.send(message, socket.MSG_DONTWAIT)


def _stop_with(line: socket.socket) -> None:
    """Stops this process when the supervisor ends, so that one that was killed leaves no orphans. Nothing else comes on
    the line.

    This runs in a thread, since the end must also be noticed while a document is being read.
    """
    with suppress(ConnectionResetError):  # of one that had not read all that was said to it
        line.recv(1)
    logger.warning("the supervisor is gone: stopping")
    os.kill(os.getpid(), signal.SIGTERM)
