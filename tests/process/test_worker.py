"""A worker and the line to its supervisor."""

from __future__ import annotations

import signal
import socket

import pytest

from openapi_mcp_server.process import worker


@pytest.mark.parametrize("said", [b"", b"."], ids=["all was read", "something was not read"])
def test_the_end_of_the_supervisor_stops_the_worker(said):
    """A socket whose other end is closed with something unread in it is reset (unix(7)), which is no other end."""
    told: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: told.append(number))
    mine, supervisors = socket.socketpair()
    try:
        with mine:
            mine.sendall(said)
            supervisors.close()
            worker._stop_with(mine)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert told == [signal.SIGTERM]
