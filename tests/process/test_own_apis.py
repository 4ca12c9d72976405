"""The bundled API beside its tools."""

from __future__ import annotations

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from openapi_mcp_server.process import own_apis
from openapi_mcp_server.settings.config import load
from real_sockets import run


def test_when_its_tools_have_stopped_nobody_waits_for_what_it_is_still_asked() -> None:
    """A client that started the program over stdio would wait as well, and kills it after two seconds."""

    async def main() -> None:
        async with own_apis.demo(load(["demo"], {}, lambda _: "")) as (_, tools):
            port = tools.tools["waitSlowly"].origin.port
            async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                await stream.send_all(b"GET /slow?seconds=20 HTTP/1.1\r\nHost: localhost\r\n\r\n")
                await wait_all_tasks_blocked(0.01)
        assert trio.current_time() - began < 0.1

    clock = MockClock(autojump_threshold=0.1)
    began = clock.current_time()
    run(main, clock)
