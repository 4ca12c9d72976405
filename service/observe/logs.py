"""Log lines on standard error: JSON for machines, or text for people, one line for each call.

Standard output belongs to MCP over stdio. What comes from outside (names, addresses, errors) cannot break a line or
move a terminal's cursor: JSON escapes control characters, the text format shows them escaped too.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import Any, Literal

from pythonjsonlogger.msgspec import MsgspecFormatter

from service.observe.record import CallRecord, Observe

logger = logging.getLogger("service.calls")

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_LEVELS = {
    "ok": logging.INFO,
    "tool_error": logging.INFO,
    "cancelled": logging.INFO,
    "protocol_error": logging.WARNING,
    "internal_error": logging.ERROR,
}


def configure(level: str, form: Literal["json", "text"]) -> None:
    """The one place where logging is set up; safe to call again."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_TextFormatter() if form == "text" else _json_formatter())
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)  # libraries speak up when something is wrong
    logging.getLogger("service").setLevel(level)
    logging.captureWarnings(capture=True)


def call_logger(level: str) -> Observe:
    """An observer that writes a line for each call: tools/call at INFO, the protocol's small talk at DEBUG."""
    small_talk = level == "DEBUG"

    def observe(record: CallRecord) -> None:
        if record.tool or record.outcome != "ok" or small_talk:
            logger.log(_LEVELS[record.outcome], "call", extra=_fields(record))

    return observe


def _fields(record: CallRecord) -> dict[str, Any]:
    """What a line says; what is not known is left out."""
    fields: dict[str, Any] = {
        "method": record.method,
        "transport": record.transport,
        "version": record.version,
        "outcome": record.outcome,
        "ms": round(record.seconds * 1000, 1),
        "request_bytes": record.request_bytes,
        "response_bytes": record.response_bytes,
    }
    if record.tool:
        fields |= {"tool": record.tool, "api": record.api, "upstream_ms": round(record.upstream_seconds * 1000, 1)}
    if record.status is not None:
        fields["status"] = record.status
    if record.error:
        fields["error"] = record.error
    return fields


def _json_formatter() -> logging.Formatter:
    return MsgspecFormatter(
        ["asctime", "levelname", "name", "message"],
        rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
        datefmt="%Y-%m-%dT%H:%M:%S%z",
    )


_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class _TextFormatter(logging.Formatter):
    """``12:00:00 INFO call tool=getPet outcome=ok``: what was passed as ``extra`` follows the message."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the base class's name
        extra = [f"{name}={value}" for name, value in vars(record).items() if name not in _STANDARD]
        line = " ".join([super().formatMessage(record), *extra])
        return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", line.replace("\n", "\\n"))
