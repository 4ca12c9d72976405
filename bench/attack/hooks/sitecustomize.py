"""Faults of the machine, put into the server's process by Python's own hook where an attack asks for them.

A name server that does not answer, an interpreter that is held with its lock, a write to the log that fails once.
"""

import os
import re
import signal
import socket
import time
from pathlib import Path
from typing import Any

SLOW_NAMES = os.environ.get("ATTACK_SLOW_NAMES", "")
HANG = os.environ.get("ATTACK_HANG", "")
LOG_FAILS = os.environ.get("ATTACK_LOG_FAILS", "")

_getaddrinfo, _write = socket.getaddrinfo, os.write


def _resolved(host: Any, *args: Any, **named: Any) -> Any:  # noqa: ANN401 - as the original
    """Names below .slow.test are looked up for so many seconds, and do not exist."""
    name = host.decode() if isinstance(host, bytes) else str(host)
    is_lookup = not named.get("flags", args[4] if len(args) > 4 else 0) & socket.AI_NUMERICHOST
    if is_lookup and name.endswith(".slow.test"):
        time.sleep(float(SLOW_NAMES))
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    return _getaddrinfo(host, *args, **named)


def _hang(*_: object) -> None:
    """For ever, and no other thread runs: the regular expression engine keeps the interpreter's lock."""
    re.match(r"(a|a)*b", "a" * 99)


def _written(descriptor: int, data: Any) -> int:  # noqa: ANN401 - whatever holds bytes
    """The next write to standard error fails once the file named by the variable is there; then the file goes."""
    if descriptor == 2 and Path(LOG_FAILS).exists():
        Path(LOG_FAILS).unlink()
        raise MemoryError
    return _write(descriptor, data)


if SLOW_NAMES:
    socket.getaddrinfo = _resolved
if HANG:
    signal.signal(signal.SIGUSR2, _hang)
if LOG_FAILS:
    os.write = _written
