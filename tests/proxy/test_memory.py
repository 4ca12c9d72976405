"""What bodies that do not end cost the proxy and the worker behind it, and who is served beside them."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import trio

import nginx
from openapi_mcp_server.server.posts import BODY_BYTES
from processes import started

CONNECTIONS = 100
"""With 4 MiB each: 400 MB, if anybody kept them."""
MIB = 2**20
CALL = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"listPets"}}'
HEAD = "POST /mcp HTTP/1.1\r\nHost: localhost:{}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n"


def most_mib(pid: int) -> float:
    """Resident, at most so far."""
    return int(re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[0]) / 1024


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def send_slowly(port: int, sent: trio.abc.SendChannel[None]) -> None:
    """A body that lacks its last byte, or as much of it as is taken."""
    body = b'{"a":"' + b"a" * (BODY_BYTES - 10)
    async with sent, await trio.open_tcp_stream("127.0.0.1", port) as stream:
        try:
            with trio.move_on_after(1.5):
                await stream.send_all(HEAD.format(port, BODY_BYTES).encode() + body)
        except trio.BrokenResourceError:
            pass  # it was refused
        await sent.send(None)
        await trio.sleep_forever()


def test_bodies_that_do_not_end_are_kept_by_nobody_and_others_are_served(tmp_path):
    async def main(port: int) -> bytes:
        send, receive = trio.open_memory_channel[None](CONNECTIONS)
        async with trio.open_nursery() as nursery:
            async with send:
                for _ in range(CONNECTIONS):
                    nursery.start_soon(send_slowly, port, send.clone())
            for _ in range(CONNECTIONS):
                await receive.receive()
            async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                await stream.send_all(HEAD.format(port, len(CALL)).encode() + CALL)
                answered = bytes(await stream.receive_some())
            nursery.cancel_scope.cancel()
        return answered

    with started("demo", "--port", "0", MEMORY_BUDGET_BYTES=str(256 * MIB)) as server:
        address = re.findall(r"127\.0\.0\.1:\d+", server.url)[0]
        with nginx.proxy(tmp_path, **nginx.every_worker(address)) as front:
            base = most_mib(server.process.pid)
            answered = trio.run(partial(main, front.port))
            assert answered.startswith(b"HTTP/1.1 200 ")
            assert sum(most_mib(pid) for pid in children(front.process.pid)) < 64
            assert most_mib(server.process.pid) - base < 256 / 4 + 64
