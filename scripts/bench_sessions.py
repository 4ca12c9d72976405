"""What sessions of HTTP+SSE cost the server.

Memory of idle sessions, memory that stays when sessions were opened and closed, and CPU of a trivial tools/call whose
answer travels on a stream. Three processes on loopback, as in bench_calls.
"""

import argparse
import re
import subprocess
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import trio
from bench_calls import DOCUMENT, RUN_SECONDS, api, cpu_seconds, listening, receive, resident_mib, started

SETTLE_SECONDS = 1.0
AT_ONCE = 200
"""Sessions that are open together while many are opened and closed."""
ACCEPTED = b"HTTP/1.1 202 "


async def opened(port: int) -> tuple[trio.SocketStream, str]:
    """A session's stream, and the address for its messages."""
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    await stream.send_all(b"GET /sse HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n")
    received = b""
    while (found := re.search(rb"data: (/messages/\S+)\n\n", received)) is None:
        received += await receive(stream)
    return stream, found[1].decode()


async def idle(port: int, pid: int, sessions: int, seconds: float) -> None:
    before = resident_mib(pid)
    async with AsyncExitStack() as stack:
        streams = [await stack.enter_async_context((await opened(port))[0]) for _ in range(sessions)]
        await trio.sleep(SETTLE_SECONDS)
        each = (resident_mib(pid) - before) * 1024 / sessions
        print(f"{sessions} idle sessions: {each:.1f} KiB each")
        cpu = cpu_seconds(pid)
        dropped = 0
        with trio.move_on_after(seconds):
            async with trio.open_nursery() as nursery:

                async def hold(stream: trio.SocketStream) -> None:
                    nonlocal dropped
                    while await stream.receive_some():
                        pass
                    dropped += 1

                for stream in streams:
                    nursery.start_soon(hold, stream)
        cpu = cpu_seconds(pid) - cpu
        print(f"held for {seconds:g} s: {dropped} dropped, {cpu / seconds * 100:.1f} % of a core for their comments")


async def churn(port: int, pid: int, sessions: int) -> None:
    await rounds(port, sessions // 10)  # what the allocator keeps for good
    before = resident_mib(pid)
    await rounds(port, sessions)
    await trio.sleep(SETTLE_SECONDS)
    print(f"{sessions} sessions opened and closed: {resident_mib(pid) - before:+.1f} MiB")


async def rounds(port: int, sessions: int) -> None:
    for _ in range(0, sessions, AT_ONCE):
        async with AsyncExitStack() as stack:
            for _ in range(AT_ONCE):
                await stack.enter_async_context((await opened(port))[0])


async def calls(port: int, pid: int, number: int, sessions: int) -> None:
    await drive(port, number // 10, sessions)
    cpu = cpu_seconds(pid)
    await drive(port, number, sessions)
    print(f"{number} calls over {sessions} sessions: {(cpu_seconds(pid) - cpu) / number * 1e6:.0f} us of CPU a call")


async def drive(port: int, number: int, sessions: int) -> None:
    left = number

    async def one_session() -> None:
        nonlocal left
        stream, target = await opened(port)
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "getPet", "arguments": {"id": 7}}}
        body = msgspec.json.encode(call)
        head = (
            f"POST {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        async with stream, await trio.open_tcp_stream("127.0.0.1", port) as posts:
            while left > 0:
                left -= 1
                await posts.send_all(head.encode() + body)
                accepted = await receive(posts)
                answer = b""
                while b"\n\n" not in answer:
                    answer += await receive(stream)
                if not accepted.startswith(ACCEPTED) or b"Rex" not in answer or b'"isError":true' in answer:
                    raise SystemExit(f"a call failed: {accepted!r} {answer!r}")

    async with trio.open_nursery() as nursery:
        for _ in range(sessions):
            nursery.start_soon(one_session)


async def measure(port: int, pid: int, options: argparse.Namespace) -> None:
    with trio.fail_after(RUN_SECONDS + options.seconds):
        await calls(port, pid, options.calls, 32)
        await idle(port, pid, options.idle, options.seconds)
        await churn(port, pid, options.churn)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--idle", type=int, default=1000, help="sessions that are held open")
    parser.add_argument("--seconds", type=float, default=60, help="for how long")
    parser.add_argument("--churn", type=int, default=10_000, help="sessions that are opened and closed")
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--api", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.api:
        trio.run(api)
        return
    with tempfile.TemporaryDirectory() as folder, started(__file__, "--api", stdout=subprocess.PIPE) as upstream:
        assert upstream.stdout is not None
        base = f"http://127.0.0.1:{int(upstream.stdout.readline())}"
        document, log = Path(folder, "bench.yaml"), Path(folder, "log")
        document.write_bytes(DOCUMENT)
        where = ["--spec-path", str(document), "--api-url", base, "--allow-private-networks"]
        with (
            log.open("wb") as stderr,
            started("-m", "service", "--transport", "http", "--port", "0", *where, stderr=stderr.fileno()) as server,
        ):
            trio.run(measure, listening(log, server), server.pid, options)


if __name__ == "__main__":
    main()
