"""Ordinary requests and answers: written and read as h11 does it."""

from __future__ import annotations

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from growth import is_linear
from openapi_mcp_server.upstream import ordinary

HEADERS = (
    *(("A", value) for value in ("b", "b c", "", " b", "b ", "b\tc", "\xff", "b\r\nC: d", "b\nc", "b\x00", "b\r")),
    *((name, "b") for name in ("x-y", "A B", "", "A:", "\xff", "A\r\nB")),
)
latin_1 = st.binary(max_size=4).map(lambda data: data.decode("latin-1"))
written_requests = st.builds(
    ordinary.OrdinaryMessage,
    st.sampled_from(["GET", "POST", "get", "G T", ""]),
    st.sampled_from(["/a?b=c", "/", "/a b", "/a\r\nB: c", "/ä", ""]),
    st.lists(st.sampled_from(HEADERS) | st.tuples(latin_1, latin_1), max_size=4).map(
        lambda headers: [("Host", "x"), *headers]
    ),
    st.just(True),
)


@given(written_requests)
@example(ordinary.OrdinaryMessage("GET", "/", [("Host", "x"), ("A", "b")], True))
@example(ordinary.OrdinaryMessage("GET", "/", [("Host", "x"), ("A", "b\r\nC: d")], True))
def test_what_is_written_h11_writes_in_the_same_way(request):
    head = ordinary.encoded(request)
    names = [name.lower() for name, _ in request.headers[1:]]
    if head is not None and not ordinary.carries(names):
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers]
        expected = h11.Request(method=request.method, target=request.target, headers=headers)
        assert head == h11.Connection(h11.CLIENT).send(expected)


@pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding", "CONNECTION", "Expect", "Upgrade"])
def test_a_field_that_says_how_a_request_is_carried_is_for_h11(name):
    assert ordinary.carries(["accept", name.lower()])
    assert ordinary.encoded(ordinary.OrdinaryMessage("GET", "/", [("Host", "x")], is_ordinary=False)) is None


LINES = (
    *(b"Content-Length: %b" % value for value in (b"0", b"5", b"3", b"+5", b"5, 5", b"", b"9" * 13)),
    *(b"Transfer-Encoding: %b" % value for value in (b"chunked", b"Chunked", b"gzip, chunked", b"identity")),
    *(b"Connection: %b" % value for value in (b"keep-alive", b"close")),
    *(b"A: b", b"A:", b"A : b", b" folded", b"A: \xff", b"A: b\x00", b"A: b\nC: d", b": b", b"Upgrade: h2c"),
)
STATUSES = (
    *(b"HTTP/1.1 200 OK", b"HTTP/1.1 404 Not Found", b"HTTP/1.1 204 No Content", b"HTTP/1.1 304 Not Modified"),
    *(
        b"HTTP/1.0 200 OK",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 ",
        b"HTTP/1.1 100 Continue",
        b"HTTP/1.1 999 x",
        b"HTTP/1.1 20 OK",
    ),
)
BODIES = (
    *(b"", b"abc", b"abcde", b"abcdef", b"0\r\n\r\n", b"5\r\nabcde\r\n0\r\n\r\n", b"5\r\nabcde\r\n0\r\n\r\nx"),
    *(
        b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n",
        b"5;x=y\r\nabcde\r\n0\r\n\r\n",
        b"5\r\nabcdef\r\n0\r\n\r\n",
        b"5\nabcde\r\n0\r\n\r\n",
    ),
    *(
        b"0005\r\nabcde\r\n0\r\n\r\n",
        b"0x5\r\nabcde\r\n0\r\n\r\n",
        b"5\r\nabcde\r\n0\r\nA: b\r\n\r\n",
        b"5\r\nabcde\r\n",
    ),
)
answers = st.builds(
    lambda status, lines, body: b"\r\n".join([status, *lines, b"", body]),
    st.sampled_from(STATUSES) | st.binary(max_size=12),
    st.lists(st.sampled_from(LINES) | st.binary(max_size=12), max_size=4),
    st.sampled_from(BODIES) | st.binary(max_size=12),
)


def by_h11(data):
    """What h11 makes of an answer that is whole, and nothing else."""
    reading = h11.Connection(h11.CLIENT)
    reading.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
    reading.send(h11.EndOfMessage())
    reading.receive_data(data)
    head, body = reading.next_event(), b""
    while type(event := reading.next_event()) is h11.Data:
        body += event.data
    assert type(head) is h11.Response
    assert type(event) is h11.EndOfMessage
    assert not event.headers
    assert not reading.trailing_data[0]
    reading.start_next_cycle()  # it is kept
    return (head.status_code, head.reason, list(head.headers)), body


@given(answers)
@example(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc")
@example(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n")
@example(b"HTTP/1.1 200 OK  \r\nA: \tb \r\nContent-Length: 0\r\n\r\n")
def test_what_is_read_h11_reads_in_the_same_way(data):
    read = ordinary.read(data)
    if read is not None:
        rest = bytes(read.missing)
        assert (tuple(read.head), read.begun + rest) == by_h11(data + rest)


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "data",
    [
        OK + b"\r\n",
        OK + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nabcde",
        OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n",
        OK + b"Content-Length: 5\r\n\r\nabcdeHTTP/1.1 200 OK\r\n",
        OK + b"Content-Length: 5\r\nConnection: close\r\n\r\nabcde",
        OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 257 + b"0\r\n\r\n",
        OK + b"A: b\r\n" * 101 + b"Content-Length: 0\r\n\r\n",
        OK + b"Content-Length: 5\r\n",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"",
    ],
)
def test_what_is_not_plainly_one_answer_is_left_to_h11(data):
    assert ordinary.read(data) is None


@pytest.mark.parametrize("filling", [b" ", b" a", b"\t", b":", b"\x00"])
def test_a_head_is_read_in_linear_time(filling):
    def made(size):
        return OK + b"A:" + filling * size + b"\r\nContent-Length: 0\r\n\r\n"

    assert is_linear(ordinary.read, made)
