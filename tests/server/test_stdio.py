"""stdio over real pipes: the reader and the writer are threads, so the clock is the real one."""

from __future__ import annotations

import fcntl
import os
import select
import socket
import subprocess
import sys
import textwrap
import threading
import tracemalloc
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
import trio.testing
from mcp import Client as OfficialClient
from mcp import StdioServerParameters

from asked import META
from openapi_mcp_server.bridge.http_messages import HttpRequest, HttpResponse
from openapi_mcp_server.gateway.gateway import Gateway
from openapi_mcp_server.server.stdio import CALLS, LINE_BYTES, QUEUED_MESSAGES, STALL_SECONDS, serve_stdio
from scripted import ScriptedApi, Silence, gateway, ok, slowly, tool
from stdio_client import Client, call, cancel, line


def converse(use: Callable[[Client], Awaitable[Any]], *script: Any) -> Any:
    """Runs ``use`` beside the server, and ends the input after it."""

    async def main() -> Any:
        client = Client(gateway(ScriptedApi(*script)))
        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(client.serve)
                outcome = await use(client)
                if client._to_server >= 0:
                    client.end()
        client.close()
        return outcome

    return trio.run(main)


def test_both_eras_are_answered_line_by_line() -> None:
    async def use(client: Client) -> None:
        await client.say(line("initialize", 1, protocolVersion="2025-06-18"), line("server/discover", "a", _meta=META))
        assert (await client.hear())["result"]["protocolVersion"] == "2025-06-18"
        assert "2026-07-28" in (await client.hear())["result"]["supportedVersions"]
        await client.say(call(2), call(3, _meta=META))
        answers = {answer["id"]: answer["result"] for answer in [await client.hear(), await client.hear()]}
        assert "resultType" not in answers[2]
        assert answers[3]["resultType"] == "complete"

    converse(use)


def test_calls_do_not_wait_for_each_other() -> None:
    others_are_answered = trio.Event()

    async def use(client: Client) -> None:
        await client.say(call("slow", pet=1), call("fast"), line("ping", "ping"))
        assert [(await client.hear())["id"] for _ in range(2)] == ["ping", "fast"]
        others_are_answered.set()
        assert (await client.hear())["id"] == "slow"

    async def step(request: HttpRequest) -> HttpResponse:
        if request.path == "/pets/1":
            await others_are_answered.wait()
        return ok()

    converse(use, step)


@pytest.mark.parametrize(
    "bad",
    [b"{\n", b"\xff\xfe\n", b'{"jsonrpc":"2.0","id":1,"method":"p\xff"}\n', b"x" * (LINE_BYTES + 1) + b"\n"],
    ids=["no JSON", "no UTF-8", "no UTF-8 within", "too long"],
)
def test_a_bad_line_is_answered_and_the_next_one_too(bad: bytes) -> None:
    async def use(client: Client) -> None:
        await client.say(bad, line("ping", 2))
        error = await client.hear()
        assert (error["id"], error["error"]["code"]) == (None, -32700)
        assert (await client.hear())["id"] == 2

    converse(use)


def test_a_line_may_have_its_limit() -> None:
    async def use(client: Client) -> None:
        start = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"none","arguments":{"x":"'
        await client.say(start, b"x" * (LINE_BYTES - len(start) - 4), b'"}}}\n')
        assert (await client.hear())["error"]["message"].startswith("unknown tool")

    converse(use)


def test_a_line_without_end_does_not_fill_the_memory() -> None:
    async def use(client: Client) -> None:
        tracemalloc.start()
        for _ in range(5):
            await client.say(b"x" * LINE_BYTES)
        await client.say(b"\n")
        assert (await client.hear())["error"]["code"] == -32700
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 4 * LINE_BYTES  # the test itself holds one line, and a buffer grows by copying

    converse(use)


def test_blank_lines_and_carriage_returns_are_nothing() -> None:
    async def use(client: Client) -> None:
        await client.say(b"\n \n\r\n", line("ping").replace(b"\n", b"\r\n"))
        assert (await client.hear())["id"] == 1

    converse(use)


def test_a_cancelled_call_stops_and_is_never_answered() -> None:
    silence = Silence()

    async def use(client: Client) -> None:
        await client.say(call("a"))
        await silence.reached.wait()
        await client.say(cancel("a"))
        await silence.cancelled.wait()
        await client.say(line("ping", 2))
        assert (await client.hear())["id"] == 2

    converse(use, silence)


def test_a_call_that_is_cancelled_in_the_same_breath_is_not_answered() -> None:
    async def use(client: Client) -> None:
        await client.say(call("a") + cancel("a") + line("ping", 2))
        assert (await client.hear())["id"] == 2
        client.end()
        await client.hear_end()

    converse(use)


class Thief(trio.abc.Instrument):
    """Another process with the same standard input, which reads after the server was told that it can."""

    def __init__(self, stdin: int) -> None:
        self._stdin = stdin
        self.stolen = b""

    def after_io_wait(self, timeout: float) -> None:
        if not self.stolen and select.select([self._stdin], [], [], 0)[0]:
            self.stolen = os.read(self._stdin, 65_536)


def sockets() -> tuple[int, int]:
    ours, theirs = socket.socketpair()
    return ours.detach(), theirs.detach()


@pytest.mark.parametrize("pair", [os.pipe, sockets])
def test_what_another_reader_has_taken_holds_nothing_up(pair: Callable[[], tuple[int, int]]) -> None:
    async def main() -> None:
        client = Client(gateway(ScriptedApi()), pair)
        thief = Thief(client.stdin)
        rescue = threading.Timer(5, os.write, (client._to_server, call("too late")))
        trio.lowlevel.add_instrument(thief)
        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(client.serve)
                await trio.testing.wait_all_tasks_blocked()
                rescue.start()
                await client.say(call("stolen"))
                while not thief.stolen:
                    await trio.lowlevel.checkpoint()
                await client.say(call("ours"))
                assert (await client.hear())["id"] == "ours"
                rescue.cancel()
                client.end()
        client.close()

    trio.run(main)


def test_cancelling_what_is_not_in_flight_does_nothing() -> None:
    async def use(client: Client) -> None:
        await client.say(cancel("unknown"), cancel(1.5), line("ping", 2))
        assert (await client.hear())["id"] == 2

    converse(use)


def test_progress_is_told_between_the_answers() -> None:
    async def use(client: Client) -> None:
        await client.say(call(1, _meta={"progressToken": "p"}))
        assert (await client.hear())["params"]["progressToken"] == "p"
        assert (await client.hear())["id"] == 1

    converse(use, slowly(2.5))


def test_a_batch_is_taken_once_its_revision_is_negotiated() -> None:
    batch = b"[" + call(1).strip() + b"," + line("ping", 2).strip() + b"]\n"

    async def use(client: Client) -> None:
        await client.say(batch)
        assert (await client.hear())["error"]["code"] == -32600
        await client.say(line("initialize", 0, protocolVersion="2025-03-26"), batch)
        await client.hear()
        assert [answer["id"] for answer in await client.hear()] == [1, 2]

    converse(use)


def batch(*messages: bytes) -> bytes:
    return b"[" + b",".join(message.strip() for message in messages) + b"]\n"


def ready() -> bytes:
    return b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n'


@pytest.mark.parametrize("asked", [[], [line("ping", 3)]], ids=["alone", "beside a call"])
def test_a_notification_in_a_batch_is_heard_as_one_by_itself(asked: list[bytes]) -> None:
    """2025-03-26, Base Protocol, Batching: whoever takes the revision takes batches of requests and notifications."""
    silence = Silence()
    built = gateway(ScriptedApi(silence))

    async def main() -> None:
        client = Client(built)
        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(client.serve)
                await client.say(line("initialize", 1, protocolVersion="2025-03-26"), call("a"))
                await client.hear()
                await silence.reached.wait()
                await client.say(batch(ready(), *asked, cancel("a")))
                assert [await client.hear() for _ in asked] == [
                    [{"jsonrpc": "2.0", "id": 3, "result": {}}] for _ in asked
                ]
                await silence.cancelled.wait()
                await client.say(line("ping", 2))
                assert (await client.hear())["id"] == 2
                built.lists_changed()
                assert (await client.hear())["method"] == "notifications/tools/list_changed"
                client.end()
        client.close()

    trio.run(main)


def test_calls_in_flight_are_bounded() -> None:
    silence = Silence()

    async def use(client: Client) -> None:
        for number in range(CALLS):
            await client.say(call(number))
        await client.say(call("one too many"), line("ping", "ping"))
        refused = await client.hear()
        assert (refused["id"], refused["error"]["code"]) == ("one too many", -32603)
        assert (await client.hear())["id"] == "ping"
        await client.say(cancel(0))
        await silence.cancelled.wait()
        await client.say(call("again"), line("ping", "ping"))
        assert (await client.hear())["id"] == "ping"

    converse(use, silence)


def test_what_takes_no_time_is_answered_however_many_calls_are_in_flight() -> None:
    silence = Silence()

    async def use(client: Client) -> None:
        await client.say(*(call(number) for number in range(CALLS)))
        await client.say(line("ping", "ping"), line("tools/list", "list"), call("one more"))
        answers = {one["id"]: one for one in [await client.hear() for _ in range(3)]}
        assert answers["ping"]["result"] == {}
        assert "tools" in answers["list"]["result"]
        assert "in flight" in answers["one more"]["error"]["message"]

    converse(use, silence)


def test_the_last_line_needs_no_end_and_is_answered_after_the_input_has_ended() -> None:
    async def use(client: Client) -> None:
        await client.say(call("last").strip())
        client.end()
        assert (await client.hear())["id"] == "last"
        await client.hear_end()

    converse(use, slowly(0.2))


def ended(built: Gateway, *lines: bytes) -> None:
    """The client says this, closes the input and never reads: the server must be gone within two seconds."""

    async def main() -> None:
        client = Client(built)
        await client.say(*lines)
        client.end()
        with trio.fail_after(2):
            await client.serve()
        client.close()

    trio.run(main)


def test_the_end_of_input_cancels_what_is_in_flight() -> None:
    silence = Silence()
    ended(gateway(ScriptedApi(silence)), call())
    assert silence.cancelled.is_set()


ENDS = pytest.mark.parametrize("end", [Client.end, Client.stop_server], ids=["end of input", "signal"])


@ENDS
def test_a_call_in_flight_at_the_end_is_waited_for(end: Callable[[Client], None]) -> None:
    async def use(client: Client) -> None:
        await client.say(call("short"), line("ping", "read"))
        assert (await client.hear())["id"] == "read"
        end(client)
        answer = await client.hear()
        assert (answer["id"], "isError" in answer["result"]) == ("short", False)
        await client.hear_end()

    converse(use, slowly(0.2))


@ENDS
def test_a_call_that_takes_too_long_at_the_end_is_answered_with_what_is_known_of_it(
    end: Callable[[Client], None],
) -> None:
    async def use(client: Client) -> None:
        await client.say(call("long"), line("ping", "read"))
        assert (await client.hear())["id"] == "read"
        end(client)
        answer = await client.hear()
        assert (answer["id"], answer["result"]["isError"]) == ("long", True)
        assert answer["result"]["content"][0]["text"].startswith("the server stops and could not wait for it")
        await client.hear_end()

    converse(use, Silence())


def test_the_end_of_input_ends_the_server_though_nobody_reads_its_answers() -> None:
    tools = [tool(f"tool_{number}") for number in range(20)]  # 40 lists of 3 kB: more than a pipe holds
    ended(gateway(ScriptedApi(), *tools), *[line("tools/list")] * 40)


def test_the_server_ends_when_so_much_is_not_read_that_it_can_say_no_more(caplog: pytest.LogCaptureFixture) -> None:
    """Its reader waits then, and would not notice the end of its input."""

    async def main() -> float:
        client = Client(gateway(ScriptedApi(), *[tool(f"tool_{number}") for number in range(20)]))
        await client.say(*[line("tools/list")] * 200)  # of 3 kB each
        client.end()
        began = trio.current_time()
        with trio.fail_after(10 * STALL_SECONDS):
            await client.serve()
        client.close()
        return trio.current_time() - began

    took = trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0.2))
    assert STALL_SECONDS <= took < STALL_SECONDS + 1
    assert "standard output was not read for 15 s" in caplog.text


def test_the_end_of_a_subscription_that_nobody_reads_keeps_the_server_no_longer() -> None:
    async def main() -> float:
        client = Client(gateway(ScriptedApi(), *[tool(f"tool_{number}") for number in range(600)]))
        lists = [line("tools/list")] * (QUEUED_MESSAGES + 1)  # each more than a pipe holds
        await client.say(listen("all", toolsListChanged=True), *lists)
        client.end()
        began = trio.current_time()
        await client.serve()
        client.close()
        return trio.current_time() - began

    assert trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0.2)) < STALL_SECONDS / 5


def test_an_unread_answer_is_never_written_to_a_file_that_was_given_its_descriptor(tmp_path: Path) -> None:
    """The thread that writes it is left behind at the end, and goes on as soon as somebody reads."""
    stdin, asking = os.pipe()
    unread, stdout = os.pipe()
    with (tmp_path / "other").open("w+b") as other, os.fdopen(unread, "rb") as answers:
        os.write(asking, line("tools/list"))
        os.close(asking)
        tools = [tool(f"tool_{number}") for number in range(2000)]  # a list of 300 kB
        trio.run(serve_stdio, gateway(ScriptedApi(), *tools), stdin, stdout)
        os.dup2(other.fileno(), stdout)
        assert len(msgspec.json.decode(answers.read())["result"]["tools"]) == len(tools)
        assert not other.read()
    os.close(stdin)
    os.close(stdout)


def test_a_client_that_reads_late_loses_nothing() -> None:
    async def use(client: Client) -> None:
        client_writes = [line("ping", number) for number in range(2000)]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.say, *client_writes)
            await trio.testing.wait_all_tasks_blocked(0.05)
            assert [(await client.hear())["id"] for _ in client_writes] == list(range(2000))

    converse(use)


def test_output_that_does_not_wait_loses_nothing() -> None:
    """Whoever has started the server may share its standard output, and set the mode of it: programs of Node do."""

    async def main() -> None:
        client = Client(gateway(ScriptedApi(), *(tool(f"tool_{number}") for number in range(100))))
        os.set_blocking(client._stdout, False)
        fcntl.fcntl(client._stdout, fcntl.F_SETPIPE_SZ, select.PIPE_BUF)
        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(client.serve)
                await client.say(line("tools/list", 1), line("tools/list", 2))
                await trio.testing.wait_all_tasks_blocked(0.05)
                assert [(await client.hear())["id"] for _ in range(2)] == [1, 2]
                client.end()
        client.close()

    trio.run(main)


def listen(request_id: object, **asked: bool) -> bytes:
    return line("subscriptions/listen", request_id, notifications=asked, _meta=META)


TAG = "io.modelcontextprotocol/subscriptionId"


@ENDS
def test_subscriptions_share_the_channel_and_end_with_the_server(end: Callable[[Client], None]) -> None:
    built = gateway(ScriptedApi())

    async def main() -> None:
        client = Client(built)
        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(client.serve)
                await client.say(listen("a", toolsListChanged=True), listen(2, promptsListChanged=True))
                for request_id in ("a", 2):
                    assert (await client.hear())["params"]["_meta"] == {TAG: request_id}
                built.lists_changed()
                told = [await client.hear(), await client.hear()]
                assert [(one["method"], one["params"]["_meta"][TAG]) for one in told] == [
                    ("notifications/tools/list_changed", "a"),
                    ("notifications/prompts/list_changed", 2),
                ]
                await client.say(cancel("a"), line("ping", "ping"))
                assert (await client.hear())["id"] == "ping"
                end(client)
                last = await client.hear()
                assert (last["id"], last["result"]["_meta"][TAG]) == (2, 2)
                cancelled = await client.hear()
                assert (cancelled["method"], cancelled["params"]) == ("notifications/cancelled", {"requestId": 2})
                built.lists_changed()  # while the server ends: nobody is left to be told
                await client.hear_end()
        built.lists_changed()
        client.close()

    trio.run(main)


def test_a_client_that_began_with_initialize_is_told_of_changes_without_asking() -> None:
    built = gateway(ScriptedApi())

    async def main() -> None:
        client = Client(built)
        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(client.serve)
                await client.say(line("initialize", 1, protocolVersion="2025-06-18"))
                assert (await client.hear())["result"]["capabilities"]["tools"] == {"listChanged": True}
                built.lists_changed()  # nobody is told before it has said that it is ready
                ready = msgspec.json.encode({"jsonrpc": "2.0", "method": "notifications/initialized"}) + b"\n"
                await client.say(ready, line("ping", 2))
                assert (await client.hear())["id"] == 2
                built.lists_changed()
                assert await client.hear() == {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
                assert await client.hear() == {"jsonrpc": "2.0", "method": "notifications/prompts/list_changed"}
                client.end()
        client.close()

    trio.run(main)


def test_a_client_that_closes_its_end_stops_the_server() -> None:
    async def use(client: Client) -> None:
        client.stop_reading()
        await client.say(line("ping"))
        await client.left.wait()

    converse(use)


def test_a_client_on_one_socket_that_leaves_an_answer_unread_ends_the_server(caplog: pytest.LogCaptureFixture) -> None:
    """socat and inetd start servers in this way. The kernel then reports a reset to the reader, not an end
    (unix(7))."""
    ours, theirs = socket.socketpair()

    async def main() -> None:
        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(serve_stdio, gateway(ScriptedApi()), ours.fileno(), ours.fileno())
                theirs.sendall(line("ping"))
                await trio.lowlevel.wait_readable(theirs)
                theirs.close()

    with ours, theirs:
        trio.run(main)
    assert [record.message for record in caplog.records] == [
        "standard input cannot be read: Connection reset by peer: ending"
    ]


def program(body: str) -> list[str]:
    start = (
        "import sys, trio\nfrom scripted import ScriptedApi, gateway\nfrom openapi_mcp_server.server.stdio import *\n"
    )
    return [sys.executable, "-c", start + textwrap.dedent(body)]


@pytest.fixture
def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def test_a_process_that_is_cancelled_while_it_reads_ends_at_once(environment: dict[str, str]) -> None:
    command = program("""
        async def main():
            with trio.move_on_after(0.1):
                await serve_stdio(gateway(ScriptedApi()), 0, 1)
        trio.run(main)
    """)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        assert process.wait(timeout=10) == 0


def test_standard_input_may_be_a_file(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "input").write_bytes(line("ping") + call(2))
    command = program("trio.run(serve_stdio, gateway(ScriptedApi()), 0, 1)")
    with (tmp_path / "input").open("rb") as stdin:
        done = subprocess.run(command, stdin=stdin, capture_output=True, timeout=10, env=environment, check=True)
    assert [msgspec.json.decode(answer)["id"] for answer in done.stdout.splitlines()] == [1, 2]


def test_what_is_printed_does_not_reach_the_client(environment: dict[str, str]) -> None:
    command = program("""
        stdout = claim_stdout()
        print("chatter", flush=True)
        trio.run(serve_stdio, gateway(ScriptedApi()), 0, stdout)
    """)
    done = subprocess.run(command, input=line("ping"), capture_output=True, timeout=10, env=environment, check=True)
    assert done.stdout == b'{"jsonrpc":"2.0","id":1,"result":{}}\n'
    assert b"chatter" in done.stderr


@pytest.mark.parametrize(("mode", "version"), [("legacy", "2025-11-25"), ("auto", "2026-07-28")])
def test_the_official_client_converses(mode: str, version: str, environment: dict[str, str]) -> None:
    python, *arguments = program("trio.run(serve_stdio, gateway(ScriptedApi()), 0, claim_stdout())")

    async def main() -> None:
        server = StdioServerParameters(command=python, args=arguments, env=environment)
        with trio.fail_after(20):
            async with OfficialClient(server, mode=mode) as client:
                assert client.protocol_version == version
                assert [one.name for one in (await client.list_tools()).tools] == ["get_pet"]
                assert (await client.call_tool("get_pet", {"id": 5})).content[0].text == '{"id":5}'
                if mode == "auto":
                    async with client.listen(tools_list_changed=True) as changes:
                        assert changes.honored.tools_list_changed is True

    trio.run(main)
