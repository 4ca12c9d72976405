"""Log lines: what a line says of a call, what can never be in one, and that nobody waits for them to be read."""

from __future__ import annotations

import fcntl
import logging
import os
import re
import threading
from collections.abc import Callable, Iterator

import msgspec
import pytest

from openapi_mcp_server.observe import logs
from processes import CHECKOUT
from records import record

RECORD = record(
    seconds=0.1234, request_bytes=10, response_bytes=100, tool="getPet", api="pets", status=200, upstream_seconds=0.1
)


@pytest.fixture
def written() -> Iterator[Callable[[], str]]:
    """Everything that was logged since the last time; `logs.configure` has to be told ``written.descriptor``."""
    root = logging.getLogger()
    before = (list(root.handlers), root.level, logging.getLogger("openapi_mcp_server").level)
    reading, writing = os.pipe()

    def read() -> str:
        for handler in root.handlers:
            handler.flush()
        return os.read(reading, 1_000_000).decode()

    read.descriptor = writing
    yield read
    logging.captureWarnings(capture=False)
    root.handlers, level, service_level = before
    root.setLevel(level)
    logging.getLogger("openapi_mcp_server").setLevel(service_level)
    os.close(reading)
    os.close(writing)


def test_a_call_is_one_line_of_json(written):
    logs.configure("INFO", "json", written.descriptor)
    logs.call_logger("INFO")(RECORD)
    line = written()
    fields = msgspec.json.decode(line)
    assert line.count("\n") == 1
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}", fields.pop("time"))
    assert fields == {
        "level": "INFO",
        "logger": "openapi_mcp_server.calls",
        "message": "call",
        "method": "tools/call",
        "transport": "http",
        "version": "2025-11-25",
        "outcome": "ok",
        "ms": 123.4,
        "request_bytes": 10,
        "response_bytes": 100,
        "tool": "getPet",
        "api": "pets",
        "upstream_ms": 100.0,
        "status": 200,
    }


def test_the_guide_names_every_field_of_a_calls_line(written):
    logs.configure("INFO", "json", written.descriptor)
    logs.call_logger("INFO")(
        msgspec.structs.replace(
            RECORD, retries=1, error="Timeout", principal="alice", request_id="r", trace_id="0" * 32
        )
    )
    fields = msgspec.json.decode(written()).keys() - {"time", "level", "logger", "message"}
    page = (CHECKOUT / "docs" / "monitoring.md").read_text("utf-8")
    table = page.partition("## The log")[2].partition("## ")[0]
    told = {name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    assert told == fields


def test_a_call_is_one_line_of_text(written):
    logs.configure("INFO", "text", written.descriptor)
    logs.call_logger("INFO")(RECORD)
    assert re.fullmatch(r"\d\d:\d\d:\d\d INFO    call method=tools/call .* tool=getPet .* status=200\n", written())


@pytest.mark.parametrize(
    "about",
    [
        record(method="", version="", request_bytes=0, outcome="protocol_error", error="-32700"),
        record(tool="search_operations"),
    ],
    ids=["refused before it was a call", "a tool of search mode"],
)
def test_a_field_without_a_value_is_left_out(written, about):
    logs.configure("INFO", "json", written.descriptor)
    logs.call_logger("INFO")(about)
    fields = msgspec.json.decode(written())
    assert "" not in fields.values()
    assert "request_bytes" in fields or not about.method


def test_a_call_that_was_tried_again_says_how_often(written):
    logs.configure("INFO", "json", written.descriptor)
    logs.call_logger("INFO")(msgspec.structs.replace(RECORD, retries=2))
    assert msgspec.json.decode(written())["retries"] == 2


@pytest.mark.parametrize(
    ("outcome", "level"),
    [
        ("ok", "INFO"),
        ("tool_error", "INFO"),
        ("cancelled", "INFO"),
        ("protocol_error", "WARNING"),
        ("internal_error", "ERROR"),
    ],
)
def test_the_level_of_a_line_is_that_of_its_outcome(written, outcome, level):
    logs.configure("INFO", "json", written.descriptor)
    logs.call_logger("INFO")(msgspec.structs.replace(RECORD, outcome=outcome))
    assert msgspec.json.decode(written())["level"] == level


@pytest.mark.parametrize(("level", "lines"), [("INFO", 0), ("DEBUG", 1)])
def test_what_is_no_call_is_told_only_when_debugging(written, level, lines):
    logs.configure(level, "json", written.descriptor)
    logs.call_logger(level)(record(method="ping"))
    logging.getLogger("openapi_mcp_server.last").error("last")
    assert written().count("\n") == lines + 1


@pytest.mark.parametrize(("form", "shown"), [("json", '"worker":3'), ("text", " worker=3")])
def test_one_of_several_workers_has_its_number_in_every_line(written, form, shown):
    logs.configure("INFO", form, written.descriptor, worker=3)
    logs.call_logger("INFO")(RECORD)
    assert shown in written()


def test_the_lines_of_several_workers_that_share_a_pipe_do_not_mix():
    reading, writing = os.pipe()
    handlers = [logs.BackgroundHandler(writing) for _ in range(2)]
    lines = [("a" * 300, handlers[0]), ("b" * 300, handlers[1])]
    for _ in range(2_000):  # many times what the pipe holds: both wait for its reader
        for text, handler in lines:
            handler.emit(logging.makeLogRecord({"msg": text}))
    with os.fdopen(reading) as pipe:
        read = [pipe.readline().rstrip("\n") for _ in range(4_000)]
    assert set(read) == {text for text, _ in lines}
    os.close(writing)


def test_a_line_that_cannot_be_written_stops_none_of_those_after_it(written):
    failures = [MemoryError(), ValueError("a clock that is tampered with")]

    class Failing(logs.BackgroundHandler):
        def _write(self, data: bytes) -> None:
            if failures:
                raise failures.pop()
            super()._write(data)

    handler = Failing(written.descriptor)
    for text in ("one", "two", "three"):
        handler.emit(logging.makeLogRecord({"msg": text}))
        handler.flush()
    assert written() == "three\n"


HOSTILE = "a\nb\rc\x1b[2Jd\x9be\u2028f\x00g\u202eh\u2066i\u200fj"


@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize("place", ["message", "extra", "exception"])
def test_nothing_that_is_logged_breaks_a_line_or_moves_a_cursor(written, form, place):
    logs.configure("INFO", form, written.descriptor)
    log = logging.getLogger("openapi_mcp_server.test")
    if place == "message":
        log.warning(HOSTILE)
    elif place == "extra":
        log.warning("x", extra={"name_of_it": HOSTILE})
    else:
        try:
            int(HOSTILE)
        except ValueError:
            log.exception("x")
    line = written()
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e\u2066\u200f]", line)
    assert "[2J" in line
    if form == "json":
        assert line.count("\n") == 1
    if (form, place) == ("json", "extra"):
        assert msgspec.json.decode(line)["name_of_it"] == HOSTILE


def test_the_audit_names_what_was_denied_by_whatever_tool_it_was_asked_for(written):
    logs.configure("INFO", "json", written.descriptor)
    logs.audit_logger()(msgspec.structs.replace(RECORD, tool="call_operation", api="", denied="deletePet"))
    line = msgspec.json.decode(written())
    assert (line["tool"], line["decision"]) == ("deletePet", "denied")


@pytest.mark.parametrize(
    "name",
    ["bob tool=deletePet decision=allowed", 'bob" tool="x', "bob\ttool=x", "bob\u00a0tool=x", "tool=x", "b\\", ""],
)
def test_no_name_of_a_caller_looks_like_fields_of_a_line_of_text(written, name):
    logs.configure("INFO", "text", written.descriptor)
    logs.audit_logger()(msgspec.structs.replace(RECORD, principal=name))
    fields = re.findall(r'(?<=\s)(\w+)=(?:"(?:[^"\\]|\\.)*"|[^\s"]+)(?=\s)', written())
    assert fields == ["principal", "tool", "api", "decision", "outcome", "status", *fields[6:]]
    assert fields.count("tool") == 1


def test_a_reader_that_stalls_stops_nobody_and_is_told_how_much_it_missed():
    reading, writing = os.pipe()
    handler = logs.BackgroundHandler(writing, queued_lines=100)
    for _ in range(1_000):
        handler.emit(logging.makeLogRecord({"msg": "x" * 1_000}))  # a pipe holds 64 of these
    threading.Thread(target=read_to_the_end, args=(reading,)).start()
    handler.flush()
    last = logging.makeLogRecord({"msg": "x"})
    handler.emit(last)
    handler.flush()
    os.close(writing)
    assert 0 < last.lost_lines < 1_000


def read_to_the_end(descriptor: int) -> None:
    while os.read(descriptor, 100_000):
        pass
    os.close(descriptor)


def test_a_reader_that_is_gone_stops_nobody():
    reading, writing = os.pipe()
    os.close(reading)
    handler = logs.BackgroundHandler(writing)
    for _ in range(3):
        handler.emit(logging.makeLogRecord({"msg": "x"}))
        handler.flush()
    again, other = os.pipe()
    os.set_blocking(again, False)
    os.dup2(other, writing)
    handler.emit(logging.makeLogRecord({"msg": "y"}))
    handler.flush()
    assert os.read(again, 99) == b"y\n"
    for descriptor in (writing, again, other):
        os.close(descriptor)


def test_lines_for_which_the_disk_had_no_room_are_counted_when_it_has_some_again(written):
    logs.configure("INFO", "json", written.descriptor)
    [handler] = logging.getLogger().handlers
    handler._descriptor = os.open("/dev/full", os.O_WRONLY)
    for _ in range(3):
        logs.call_logger("INFO")(RECORD)
        handler.flush()
    os.dup2(written.descriptor, handler._descriptor)
    logs.call_logger("INFO")(RECORD)
    handler.flush()
    begun, *whole = written().splitlines()
    lines = [msgspec.json.decode(line) for line in whole]
    assert begun == ""  # the last line that was lost may have been begun
    assert [line.get("lost_lines") for line in lines] == [None, 3]
    assert lines[1]["level"] == "WARNING"
    os.close(handler._descriptor)


def test_a_pipe_that_does_not_wait_gets_every_line_whole():
    """Another process that shares it may have set its mode."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, logs.ATOMIC_BYTES)
    os.set_blocking(writing, False)
    handler = logs.BackgroundHandler(writing)
    for _ in range(40):
        handler.put({"message": "x" * 1_000})
    got: list[bytes] = []
    with os.fdopen(reading, "rb") as slow:
        reader = threading.Thread(target=lambda: got.extend(slow))
        reader.start()
        handler.flush()
        os.close(writing)
        reader.join()
    assert [msgspec.json.decode(line)["message"] for line in got] == ["x" * 1_000] * 40


OF_CALLS = {
    "usual": RECORD,
    "hostile": msgspec.structs.replace(
        RECORD, tool=HOSTILE, api="päts \x7f", error="é\u2029", request_id="r", trace_id="0" * 32, principal='a"\\/<b>'
    ),
    "refused": record(method="", version="", outcome="protocol_error", error="-32600", seconds=0.0),
    "failed": msgspec.structs.replace(RECORD, outcome="internal_error", status=None, retries=2, seconds=12_345.678),
}


@pytest.mark.parametrize("worker", [None, 3])
@pytest.mark.parametrize("about", OF_CALLS.values(), ids=OF_CALLS)
def test_the_line_of_a_call_is_the_same_whoever_else_listens(written, about, worker):
    """Alone, our handler of JSON gets it in one encode; beside others, by way of `logging`."""
    logs.configure("INFO", "json", written.descriptor, worker=worker)
    logs.call_logger("INFO")(about)
    alone = written()
    other = logging.NullHandler()
    logging.getLogger().addHandler(other)
    logs.call_logger("INFO")(about)
    beside = written()
    assert re.sub('"time":"[^"]*"', "", alone) == re.sub('"time":"[^"]*"', "", beside)


def test_a_call_beyond_what_may_wait_is_counted_in_the_next_line():
    reading, writing = os.pipe()
    handler = logs.BackgroundHandler(writing, queued_lines=100)
    for _ in range(1_000):
        handler.put({"message": "x" * 1_000})
    threading.Thread(target=read_to_the_end, args=(reading,)).start()
    handler.flush()
    reading_again, handler._descriptor = os.pipe()
    handler.put({"message": "last"})
    handler.flush()
    os.close(writing)
    assert 0 < msgspec.json.decode(os.read(reading_again, 1_000))["lost_lines"] < 1_000
    os.close(reading_again)
    os.close(handler._descriptor)
