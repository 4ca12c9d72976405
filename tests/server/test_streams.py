"""Streams that are told something at the same moment do not all go before what a client has asked."""

from __future__ import annotations

from collections import Counter

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from clocks import Turn, run
from openapi_mcp_server.server.events import QUIET_SECONDS
from openapi_mcp_server.server.streams import AT_ONCE, EventStream, Streams

STREAMS = 90
OPENED = b"opened"


@pytest.mark.parametrize("said", ["a change of lists", "that nothing is new"])
def test_few_streams_are_told_in_each_turn(said):
    turn, told = Turn(), Counter[int]()

    async def send(event):
        if event.get("body", OPENED) != OPENED:
            told[turn.number] += 1

    async def main():
        trio.lowlevel.add_instrument(turn)
        streams = Streams()
        opened = [EventStream(send, streams) for _ in range(STREAMS)]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(streams.tend)
            for stream in opened:
                nursery.start_soon(stream.serve, trio.sleep_forever)
                stream.put((OPENED,))
            await wait_all_tasks_blocked()
            if said == "a change of lists":
                streams.tell([lambda stream=stream: stream.put((b"changed",)) for stream in opened])
            else:
                await trio.sleep(QUIET_SECONDS + 1)
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()

    run(main)
    assert told.total() == STREAMS
    assert max(told.values()) <= AT_ONCE


def test_nothing_comes_after_the_end_of_a_stream():
    """The lists may change while the server drains, and the end of a subscription is the answer to its request."""
    sent = []

    async def send(event):
        sent.append(event.get("body"))

    async def main():
        stream = EventStream(send, Streams())
        stream.put((b"the answer",))
        stream.end()
        stream.put((b"a change of lists",))
        await stream.serve(trio.sleep_forever)

    run(main)
    assert sent == [None, b"the answer", b""]
