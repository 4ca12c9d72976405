"""The generator's own HTTP and event streams, by the bytes of servers that differ."""

from __future__ import annotations

from itertools import pairwise

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from loadgen.failures import Failure
from loadgen.result import Sample
from loadgen.scrape import SAMPLES, Scraper, values_in
from loadgen.streamable_http import answers_in
from loadgen.wire import ClosedError, Connection, Events, Head, Lines, WireError, place

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
BODIES = {
    "by length": (OK + b"content-length:  5 \r\n\r\nhello", b"hello"),
    "in chunks": (CHUNKED + b"2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", b"hello"),
    "in chunks with trailers": (CHUNKED + b"5\r\nhello\r\n0\r\nA: b\r\n\r\n", b"hello"),
    "chunks beside a length": (
        OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"hello",
    ),
    "to the end": (b"HTTP/1.0 200 OK\r\n\r\nhello", b"hello"),
    "none": (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    "after informational ones": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\n\r\n" + OK + b"Content-Length: 1\r\n\r\nx",
        b"x",
    ),
}
BROKEN = {
    "no HTTP": (b"220 smtp.example.com\r\n\r\n", WireError),
    "closed before": (b"", ClosedError),
    "closed in the head": (OK, ClosedError),
    "closed in the body": (OK + b"Content-Length: 5\r\n\r\nhel", ClosedError),
    "closed in a chunk": (CHUNKED + b"5\r\nhel", ClosedError),
    "no size": (CHUNKED + b"five\r\nhello\r\n0\r\n\r\n", WireError),
    "a negative size": (CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n", WireError),
    "a head without an end": (b"HTTP/1.1 200 OK\r\nA: " + b"x" * 70_000, WireError),
    "a body without bounds": (OK + b"Content-Length: 999999999999\r\n\r\n", WireError),
}


def read(data: bytes, step: int) -> bytes:
    """The body of an answer that comes in pieces of so many bytes."""

    class Pieces:
        """A stream that is read."""

        def __init__(self) -> None:
            self.socket = None
            self._rest = data

        async def receive_some(self, _: int) -> bytes:
            await trio.lowlevel.checkpoint()
            piece, self._rest = self._rest[:step], self._rest[step:]
            return piece

    async def main() -> bytes:
        stream = Pieces()
        connection = Connection(stream, stream)  # type: ignore[arg-type]
        return await connection.body(await connection.head())

    return trio.run(main)


@pytest.mark.parametrize("step", [1, 7, 10**6])
@pytest.mark.parametrize("case", BODIES)
def test_a_body_is_read_however_it_is_framed_and_cut(case: str, step: int):
    data, body = BODIES[case]
    assert read(data, step) == body


@pytest.mark.parametrize("case", BROKEN)
def test_an_answer_that_is_none_is_named(case: str):
    data, error = BROKEN[case]
    with pytest.raises(error):
        read(data, 10_000)


REFUSAL = b'{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"say who you are"}}'
OF_NOBODY = REFUSAL.replace(b"null", b'"server-error"')
OWN = REFUSAL.replace(b"null", b"7")


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, REFUSAL, "HTTP 401: say who you are"),
        (403, b"", "HTTP 403: no body"),
        (404, b"<html>gone</html>", "HTTP 404: <html>gone</html>"),
        (200, b"<html>hello</html>", "not MCP: HTTP 200 without an answer: <html>hello</html>"),
        (200, b'{"x":' + b"[" * 100_000, "not MCP: HTTP 200 without an answer: " + ('{"x":' + "[" * 200)[:172]),
        (200, b'{"method":"\xff"}', 'not MCP: HTTP 200 without an answer: {"method":"\ufffd"}'),
        (404, REFUSAL, "HTTP 404: say who you are"),
        (404, OF_NOBODY, "HTTP 404: say who you are"),
        (429, OWN, "HTTP 429: say who you are"),
        (503, REFUSAL, "HTTP 503: say who you are"),
    ],
)
def test_an_answer_of_http_that_holds_none_of_mcp_is_named_by_its_status(status: int, body: bytes, kind: str):
    head = Head(status, is_last=False, raw=b"HTTP/1.1 %d x\r\nContent-Type: text/html\r\n\r\n" % status)
    with pytest.raises(Failure) as failed:
        answers_in(head, body)
    assert str(failed.value) == kind


@pytest.mark.parametrize(
    ("status", "body", "number"), [(400, REFUSAL, None), (400, OF_NOBODY, None), (404, OWN, 7), (500, OWN, 7)]
)
def test_an_error_of_json_rpc_is_an_answer_whatever_its_status(status: int, body: bytes, number: int | None):
    head = Head(status, is_last=False, raw=b"HTTP/1.1 %d x\r\n\r\n" % status)
    assert [(each.id, each.error.code) for each in answers_in(head, body) if each.error] == [(number, -32600)]


@pytest.mark.parametrize(
    ("status", "field", "kind"),
    [
        (307, b"Location: https://example.com/mcp?key=s3cret", "HTTP 307: it leads to https://example.com/mcp"),
        (200, b"Content-Encoding: gzip", "not MCP: HTTP 200 with Content-Encoding gzip, which was not accepted"),
    ],
)
def test_what_a_header_says_of_an_answer_that_cannot_be_used_is_said(status: int, field: bytes, kind: str):
    with pytest.raises(Failure) as failed:
        answers_in(Head(status, is_last=False, raw=b"HTTP/1.1 %d x\r\n%b\r\n\r\n" % (status, field)), b"\x1f\x8b")
    assert str(failed.value) == kind


STREAM = b": hello\r\nevent: endpoint\ndata: /m\n\ndata: {\r\ndata:  }\r\n\r\nid: 5\n\nevent: x\n\ndata\n\ndata: last"


@given(
    st.sampled_from([STREAM, STREAM.replace(b"\r", b""), STREAM.replace(b"\r", b"").replace(b"\n", b"\r")]),
    st.lists(st.integers(0, len(STREAM)), max_size=8),
)
def test_events_are_the_same_whatever_ends_a_line_and_wherever_the_stream_is_cut(stream: bytes, cuts: list[int]):
    events, places = Events(), [0, *sorted(cuts), len(stream)]
    found = [event for start, end in pairwise(places) for event in events.feed(stream[start:end])]
    assert found == [("endpoint", b"/m"), ("message", b"{\n }"), ("message", b"")]


@pytest.mark.parametrize(
    ("reader", "piece"), [(Lines(1000), b"x" * 99), (Events(1000), b"x" * 99), (Events(1000), b"data: x\n" * 9)]
)
def test_what_never_ends_is_not_kept_for_ever(reader: Lines | Events, piece: bytes):
    for _ in range(1000 // len(piece)):
        assert reader.feed(piece) == []
    with pytest.raises(WireError, match=r"has more than 1,000 bytes"):
        reader.feed(piece * 4)


def test_a_line_in_many_pieces_is_put_together_once():
    lines = Lines()
    for _ in range(10_000):
        assert lines.feed(b"x" * 100) == []
    assert lines.feed(b"\nrest") == [b"x" * 1_000_000]


@pytest.mark.parametrize("url", ["ftp://example.com/", "http:///mcp", "mcp", "http://user:secret@example.com/"])
def test_an_address_that_cannot_be_asked_is_refused_without_its_secret(url: str):
    with pytest.raises(ValueError, match="must") as refused:
        place(url)
    assert "secret" not in str(refused.value)


def test_an_address_in_brackets_is_dialled_without_them():
    assert place("http://[::1]:8000/mcp?x=1")[:2] + place("http://[::1]:8000/mcp?x=1")[3:] == (
        "::1",
        8000,
        "[::1]:8000",
        "/mcp?x=1",
    )


def test_of_a_long_load_fewer_readings_of_metrics_are_kept():
    scraper = Scraper("http://127.0.0.1/metrics")
    for second in range(5 * SAMPLES):
        scraper.keep(Sample(float(second), {}))
    seconds = [each.second for each in scraper.samples]
    assert SAMPLES / 2 <= len(seconds) <= SAMPLES
    assert seconds[0] == 0.0


def test_metrics_are_summed_over_labels_and_histograms_left_out():
    page = """# TYPE calls_total counter
calls_total{tool="a"} 2
calls_total{tool="b"} 3
# TYPE calls_created gauge
calls_created{tool="a"} 1.7e9
# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes 1048576
# TYPE process_start_time_seconds gauge
process_start_time_seconds 1.7e9
# TYPE took histogram
took_bucket{le="+Inf"} 1
took_count 1
took_sum 1
"""
    assert values_in(page) == {"calls_total": 5.0, "process_resident_memory_bytes": 1048576.0}
