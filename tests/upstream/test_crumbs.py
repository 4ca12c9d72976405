"""An API that sends its answer in crumbs: they are joined and counted, and others go on meanwhile."""

from __future__ import annotations

import gzip
import re
import zlib
from itertools import repeat

import pytest
import trio

from loopback import Do, Reply, chunked, client, get, loopback, outcome, sized
from openapi_mcp_server.bridge.http_messages import HttpResponse
from openapi_mcp_server.errors import UpstreamError
from openapi_mcp_server.upstream.http11 import BYTES_PER_PIECE, FIELDS_LIMIT, PIECES_FREE
from openapi_mcp_server.upstream.reader import MEMBERS_LIMIT

pytestmark = pytest.mark.anyio
ZIPPED = b"Content-Encoding: gzip\r\n"


async def received(reply: Reply, **settings: int) -> HttpResponse | UpstreamError:
    async with loopback([reply]) as api, client(**settings) as upstream:
        return await outcome(upstream, api.origin)


async def answer(reply: Reply) -> HttpResponse:
    result = await received(reply)
    assert isinstance(result, HttpResponse)
    return result


async def refusal(reply: Reply, **settings: int) -> str:
    """The name of the error and what it says."""
    result = await received(reply, **settings)
    assert isinstance(result, UpstreamError)
    return f"{type(result).__name__}: {result}"


async def test_an_answer_in_bytes_is_whole_as_long_as_it_is_small() -> None:
    pieces = [b"%d" % (number % 10) for number in range(PIECES_FREE)]
    assert (await answer((chunked(*pieces),))).body == b"".join(pieces)


async def test_an_answer_in_rows_is_whole_however_many_there_are() -> None:
    row = b"x" * BYTES_PER_PIECE
    assert (await answer((chunked(*repeat(row, 2 * PIECES_FREE)),))).body == row * 2 * PIECES_FREE


@pytest.mark.parametrize("crumb", [b"a", b"ab"])
async def test_an_answer_in_more_crumbs_than_that_is_refused(crumb: bytes) -> None:
    said = await refusal((chunked(*repeat(crumb, 2 * PIECES_FREE)),))
    assert said.startswith("BadResponse")
    assert re.search(r"it comes in 3\d{4} pieces", said)


async def test_what_came_before_a_stream_broke_in_the_same_read_is_kept() -> None:
    head = b"Content-Type: text/event-stream\r\n"
    cut = await answer((chunked(b"data: 1\n\n", b"data: 2\n\n", headers=head, end=b"z\r\n"), Do.CLOSE))
    assert (cut.body, cut.cut) == (b"data: 1\n\ndata: 2\n\n", "where the connection broke")


async def test_others_go_on_while_crumbs_are_counted() -> None:
    """Each of their steps comes after a millisecond's worth of chunks, not after all that the socket had."""
    steps = 0

    async def step() -> None:
        nonlocal steps
        while True:
            await trio.lowlevel.checkpoint()
            steps += 1

    async with loopback([(chunked(*repeat(b"a", 10_000)),)]) as api, client() as upstream, trio.open_nursery() as tasks:
        tasks.start_soon(step)
        await upstream.send(get(api.origin, "/warm"), deadline_seconds=10)
        tasks.cancel_scope.cancel()
    assert steps > 10_000 // 256


async def test_header_lines_are_counted() -> None:
    few, many = (b"a:b\r\n" * count for count in (FIELDS_LIMIT - 1, FIELDS_LIMIT))
    assert (await answer((sized(b"ok", few),))).body == b"ok"
    assert "header fields" in await refusal((sized(b"ok", many),))


async def test_gzip_members_are_counted() -> None:
    empty = gzip.compress(b"")
    body = empty * (MEMBERS_LIMIT - 1) + gzip.compress(b"ok")
    assert (await answer((sized(body, ZIPPED),))).body == b"ok"
    assert "members" in await refusal((sized(empty + body, ZIPPED),))


async def test_compressed_bytes_that_decode_to_nothing_are_bounded() -> None:
    blocks = b"\0\0\0\xff\xff" * 100_000  # empty blocks, stored
    packed = zlib.compress(b"", wbits=31)[:10] + blocks
    assert (await refusal((chunked(packed, headers=ZIPPED),), answer_bytes=100_000)).startswith("TooLarge")
