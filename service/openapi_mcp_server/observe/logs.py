"""Log lines on standard error: JSON for machines, or text for people, one line for each call.

Standard output belongs to MCP over stdio. What comes from outside (names, addresses, errors) cannot break a line or
move a terminal's cursor: control characters are shown escaped in both formats.

Lines are written by a thread: many clients that start a server over stdio never read its standard error, and a pipe
that is full must not stop the calls.
"""

from __future__ import annotations

import logging
import re
import select
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from queue import SimpleQueue
from typing import Any, Literal

import msgspec
from pythonjsonlogger.msgspec import MsgspecFormatter

from openapi_mcp_server.aside import start_thread
from openapi_mcp_server.observe.record import CallRecord, Observe
from openapi_mcp_server.observe.writing import FULL_DISK, write_whole

QUEUED_LINES = 10_000
"""Lines that wait to be written, 3 MB or so; more are lost, and the next that is not says how many (`lost_lines`)."""
WRITE_EVERY_SECONDS = 0.02
"""Lines that come sooner than that after one another are written together."""
ATOMIC_BYTES = select.PIPE_BUF
"""Bytes that a pipe takes in one piece: the lines of several workers that write to one do not mix. Longer lines may."""
ARGUMENTS_BYTES = 4_000
"""The most bytes of a call's arguments in the audit."""
FLUSH_SECONDS = 0.5
"""How long the process waits at its end for its last lines to be taken."""

logger = logging.getLogger("openapi_mcp_server.calls")

_encode = msgspec.json.Encoder().encode
_DATED = "%Y-%m-%dT%H:%M:%S%z"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""With the marks for the direction of a text, which show a line in another order than it has (Unicode TR 36)."""
_WORD = re.compile(r'[^\s="]+')
_LEVELS = {
    "ok": logging.INFO,
    "tool_error": logging.INFO,
    "cancelled": logging.INFO,
    "protocol_error": logging.WARNING,
    "internal_error": logging.ERROR,
}


def configure(level: str, form: Literal["json", "text"], descriptor: int = 2, worker: int | None = None) -> None:
    """Sets up logging, once in a process and nowhere else. A worker's number is in each of its lines."""
    handler = BackgroundHandler(descriptor)
    if worker is not None:
        handler.number(worker)
    handler.setFormatter(_TextFormatter() if form == "text" else _json_formatter())
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)  # libraries speak up when something is wrong
    logging.getLogger("openapi_mcp_server").setLevel(level)
    logging.captureWarnings(capture=True)


def call_logger(level: str) -> Observe:
    """An observer that writes a line for each call: tools/call at INFO, the protocol's small talk at DEBUG."""
    small_talk = level == "DEBUG"

    def observe(record: CallRecord) -> None:
        if record.tool or record.outcome != "ok" or small_talk:
            _tell(_LEVELS[record.outcome], _fields(record))

    return observe


def _tell(level: int, fields: dict[str, Any]) -> None:
    """A call's line, in one encode where nobody listens but our own handler of JSON: `logging` takes 35 µs more."""
    if not logger.isEnabledFor(level):
        return
    listening = logging.getLogger().handlers
    if len(listening) == 1 and isinstance(listening[0], BackgroundHandler) and listening[0].writes_json:
        listening[0].put({"level": logging.getLevelName(level), "logger": logger.name, "message": "call", **fields})
    else:
        logger.log(level, "call", extra=fields)


def audit_logger() -> Observe:
    """An observer that writes who called what on a logger of its own, whatever the log's level is."""
    audit = logging.getLogger("openapi_mcp_server.audit")
    audit.setLevel(logging.INFO)

    def observe(record: CallRecord) -> None:
        if record.tool or record.denied:
            audit.info("tool call", extra=_audited(record))

    return observe


def _audited(record: CallRecord) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "principal": record.principal,
        "tool": record.denied or record.tool,
        "api": record.api,
        "decision": "denied" if record.denied else "allowed",
        "outcome": record.outcome,
        "status": record.status,
        "request_bytes": record.request_bytes,
        "response_bytes": record.response_bytes,
        "request_id": record.request_id,
        "trace_id": record.trace_id,
    }
    if record.arguments:
        fields["arguments"] = record.arguments[:ARGUMENTS_BYTES].decode(errors="replace")
    return fields


def _fields(record: CallRecord) -> dict[str, Any]:
    """The fields of a line; what is not known is left out."""
    fields: dict[str, Any] = {
        "method": record.method,
        "transport": record.transport,
        "version": record.version,
        "outcome": record.outcome,
        "ms": round(record.seconds * 1000, 1),
        "request_bytes": record.request_bytes,
        "response_bytes": record.response_bytes,
    }
    if not record.method:  # refused before it was a call
        del fields["method"], fields["version"], fields["request_bytes"]
    if record.tool:
        fields["tool"] = record.tool
    if record.api:
        fields |= {"api": record.api, "upstream_ms": round(record.upstream_seconds * 1000, 1)}
    if record.status is not None:
        fields["status"] = record.status
    if record.retries:
        fields["retries"] = record.retries
    if record.error:
        fields["error"] = record.error
    if record.principal:
        fields["principal"] = record.principal
    if record.request_id:
        fields["request_id"] = record.request_id
    if record.trace_id:
        fields["trace_id"] = record.trace_id
    return fields


class BackgroundHandler(logging.Handler):
    """Formats a line where it is logged, and leaves writing it to a thread of its own."""

    def __init__(self, descriptor: int, queued_lines: int = QUEUED_LINES) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._queued_lines = queued_lines
        self._queue: SimpleQueue[bytes | threading.Event] = SimpleQueue()
        self._lost = 0
        self._unwritten = 0  # lines for which the disk had no room, the last one perhaps cut
        self._of_worker: dict[str, int] = {}
        start_thread(self._write_for_ever, "log writer")

    def number(self, worker: int) -> None:
        """Has every line say from now on which worker it is of."""
        self._of_worker = {"worker": worker}

    @property
    def writes_json(self) -> bool:
        return isinstance(self.formatter, _JsonFormatter)

    def emit(self, record: logging.LogRecord) -> None:
        if self._has_room():
            vars(record).update(self._beside())
            self._queue.put(_written(self.format(record)))

    def put(self, fields: dict[str, Any]) -> None:
        """A line of JSON that is said now."""
        if self._has_room():
            line = _encode({"time": _dated(int(time.time())), **fields, **self._beside()})
            is_plain = line.isascii() and b"\x7f" not in line
            self._queue.put(line if is_plain else _written(_escaped(line.decode())))

    def _has_room(self) -> bool:
        has_room = self._queue.qsize() < self._queued_lines
        self._lost += not has_room
        return has_room

    def _beside(self) -> dict[str, int]:
        """The fields that every line has beside its own."""
        lost, self._lost = self._lost, 0
        return {**self._of_worker, "lost_lines": lost} if lost else self._of_worker

    def flush(self) -> None:
        """Until what was logged so far is written; `logging` calls this as the process ends."""
        written = threading.Event()
        self._queue.put(written)
        written.wait(FLUSH_SECONDS)

    def _write_for_ever(self) -> None:
        while True:
            with suppress(Exception):  # no memory, a clock that is tampered with: the next lines must come out
                self._write_batch()

    def _write_batch(self) -> None:
        batch = [self._queue.get()]
        try:
            batch += [self._queue.get() for _ in range(self._queue.qsize())]
            for piece in _together([line for line in batch if isinstance(line, bytes)]):
                self._write(piece)
        finally:
            for flushed in batch:
                if isinstance(flushed, threading.Event):
                    flushed.set()
        time.sleep(WRITE_EVERY_SECONDS)

    def _write(self, data: bytes) -> None:
        """The calls go on, whatever becomes of a line."""
        try:
            write_whole(self._descriptor, b"\n" + data if self._unwritten else data)
        except OSError as error:
            if error.errno in FULL_DISK:  # otherwise nobody can read it any more
                self._unwritten += data.count(b"\n")
            return
        lost, self._unwritten = self._unwritten, 0
        if lost:
            self.handle(_missing(lost))


def _missing(lines: int) -> logging.LogRecord:
    fields = {"name": __name__, "levelno": logging.WARNING, "levelname": "WARNING", "lost_lines": lines}
    return logging.makeLogRecord({"msg": "the log could not be written for a while", **fields})


def _written(line: str) -> bytes:
    return line.encode("utf-8", "backslashreplace")


def _together(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Joins whole lines, as many as go into a pipe in one piece."""
    piece = b""
    for line in lines:
        if piece and len(piece) + len(line) >= ATOMIC_BYTES:
            yield piece
            piece = b""
        piece += line + b"\n"
    if piece:
        yield piece


class _JsonFormatter(MsgspecFormatter):
    """JSON leaves C1 controls and the Unicode line separators as they are; terminals and log readers act on them."""

    def format(self, record: logging.LogRecord) -> str:
        return _escaped(super().format(record))


def _escaped(line: str) -> str:
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", line)


@lru_cache(maxsize=1)
def _dated(second: int) -> str:
    return time.strftime(_DATED, time.localtime(second))


def _json_formatter() -> logging.Formatter:
    return _JsonFormatter(
        ["asctime", "levelname", "name", "message"],
        rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
        datefmt=_DATED,
    )


_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class _TextFormatter(logging.Formatter):
    """``12:00:00 INFO call tool=getPet outcome=ok``: what was passed as ``extra`` follows the message. Values with
    white space, an equals sign or a quotation mark are quoted."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the base class's name
        return _visible(" ".join([super().formatMessage(record), *details(record)]).replace("\n", "\\n"))

    def formatException(self, ei: Any) -> str:  # noqa: N802, ANN401 - the base class's
        return _visible(super().formatException(ei))


def details(record: logging.LogRecord) -> list[str]:
    """The fields of a line that follow its message, as ``name=value``."""
    return [f"{name}={_word(str(value))}" for name, value in vars(record).items() if name not in _STANDARD]


def _word(value: str) -> str:
    """A value as one word: a caller's name must not look like further fields of the line."""
    return value if _WORD.fullmatch(value) else '"{}"'.format(value.replace("\\", "\\\\").replace('"', '\\"'))


def _visible(text: str) -> str:
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
