"""HTTP+SSE over several tasks: whose session it is, whoever gets the message; and what becomes of one of nobody's."""

from __future__ import annotations

import base64
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from mcp import Client
from mcp.client.sse import sse_client

import nginx
from openapi_mcp_server.bridge.http_messages import HttpRequest, HttpResponse
from openapi_mcp_server.errors import ConfigError, Refused
from openapi_mcp_server.process import tasks
from openapi_mcp_server.server.posts import Refusal
from openapi_mcp_server.server.sse.http_sse import http_sse
from openapi_mcp_server.server.sse.peers import HOP, Peers, SessionIds
from openapi_mcp_server.settings.config import load
from processes import Server as Program
from processes import started
from real_sockets import run
from scripted import ScriptedApi, gateway
from served import VISITORS
from sessions import Server, Session, request, sse_server
from without_socket import Client as WithoutSocket

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
PATH = "/messages/w0/"
OWN = "10.0.0.7:8080"

pytestmark = pytest.mark.filterwarnings(
    "ignore:Async generator 'httpx2:ResourceWarning", "ignore:Async generator 'httpcore2:ResourceWarning"
)


# Ids


@pytest.mark.parametrize("own", [OWN, "[2001:db8::7]:8080", "task-7.internal:80"])
def test_any_task_with_the_key_knows_the_owner(own: str) -> None:
    session_id = SessionIds([KEY], own).mint(PATH)
    assert SessionIds([KEY], "10.0.0.8:8080").owner(session_id, PATH) == own
    assert len(f"{PATH}?session_id={session_id}") <= 125


def test_a_new_key_signs_while_the_old_one_is_verified() -> None:
    old, both, new = (SessionIds(keys, OWN) for keys in ([OTHER_KEY], [KEY, OTHER_KEY], [KEY]))
    assert both.owner(old.mint(PATH), PATH) == new.owner(both.mint(PATH), PATH) == OWN
    assert new.owner(old.mint(PATH), PATH) is None


def test_no_two_ids_are_the_same() -> None:
    ids = SessionIds([KEY], OWN)
    assert len({ids.mint(PATH) for _ in range(1_000)}) == 1_000


def readdressed(session_id: str, address: bytes) -> str:
    return f"{session_id.partition('.')[0]}.{base64.urlsafe_b64encode(address).rstrip(b'=').decode()}"


GENUINE = SessionIds([KEY], OWN).mint(PATH)
FORGED = {
    "empty": "",
    "a dot": ".",
    "shorter": GENUINE[:-1],
    "longer": GENUINE + "A",
    "no address": GENUINE.partition(".")[0],
    "no token": GENUINE.partition(".")[2],
    "metadata": readdressed(GENUINE, b"169.254.169.254:80"),
    "nowhere": readdressed(GENUINE, b""),
    "bytes": readdressed(GENUINE, b"\xff\xfe:80"),
    "zeros": readdressed("A" * 43, OWN.encode()),
    "another key": SessionIds([OTHER_KEY], OWN).mint(PATH),
    "another worker": SessionIds([KEY], OWN).mint("/messages/w1/"),
    "huge": "A" * 8_192,
    "of one task alone": "0" * 32,
}


@pytest.mark.parametrize("session_id", [*FORGED.values(), "é" * 40], ids=[*FORGED, "not ASCII"])
def test_a_forged_id_has_no_owner(session_id: str) -> None:
    assert SessionIds([KEY], "10.0.0.8:8080").owner(session_id, PATH) is None


@given(st.text(max_size=220) | st.from_regex(r"[A-Za-z0-9_-]{0,60}\.[A-Za-z0-9_-]{0,60}", fullmatch=True))
def test_no_text_makes_it_raise(session_id: str) -> None:
    assert SessionIds([KEY], OWN).owner(session_id, PATH) is None


# Two tasks


@asynccontextmanager
async def two() -> AsyncIterator[tuple[Server, Server, list[Peers]]]:
    """Two tasks with the same key, and what each knows of the other."""
    known: list[Peers] = []

    def peers(send: Any, port: int) -> Peers:
        known.append(Peers(SessionIds([KEY], f"127.0.0.1:{port}"), send))
        return known[-1]

    async with AsyncExitStack() as stack:
        send = await stack.enter_async_context(tasks.reached())
        servers = [
            await stack.enter_async_context(sse_server(gateway(ScriptedApi()), peers=partial(peers, send)))
            for _ in range(2)
        ]
        yield servers[0], servers[1], known


async def call(server: Server, session: Session, request_id: int = 1, **changes: str | None) -> Any:
    body = request("tools/call", request_id, {"name": "get_pet", "arguments": {"id": 5}})
    return await server.ask("POST", session.target, body, **changes)


def test_a_message_for_another_tasks_session_is_answered_on_its_stream() -> None:
    async def test() -> None:
        async with two() as (first, second, peers):
            session = await first.open()
            for request_id, server in enumerate((first, second, second, first)):
                assert (await call(server, session, request_id)).status == 202
                assert (await session.message())["id"] == request_id
            assert peers[1].outcomes == {"passed": 2, "gone": 0, "broken": 0}
            assert peers[0].outcomes == {"passed": 0, "gone": 0, "broken": 0}

    run(test)


def test_what_the_owner_refuses_is_passed_back() -> None:
    async def test() -> None:
        async with two() as (first, second, _):
            session = await first.open()
            answer = await second.ask("POST", session.target, b"{")
            assert (answer.status, msgspec.json.decode(answer.body)["error"]["code"]) == (400, -32700)

    run(test)


@pytest.mark.parametrize(("status", "name", "value"), [(429, "Retry-After", "7"), (401, "WWW-Authenticate", "Bearer")])
def test_what_a_client_is_to_do_is_passed_back_with_the_owners_refusal(status: int, name: str, value: str) -> None:
    async def test() -> None:
        said = f"HTTP/1.1 {status} \r\nX-Mcp-Session-Hop: 1\r\n{name}: {value}\r\nContent-Length: 0\r\n\r\n"
        async with two() as (first, second, _), stranger(said.encode()) as (port, _):
            session = await first.open()
            session.target = owned_by(port)
            answer = await call(second, session)
            assert (answer.status, answer.headers[name.lower()]) == (status, value)

    run(test)


def test_the_host_that_a_client_names_is_checked_wherever_it_arrives() -> None:
    async def test() -> None:
        async with two() as (first, second, _):
            session = await first.open()
            assert (await call(second, session, host="localhost")).status == 202
            assert (await call(second, session, host="evil.example")).status == 421

    run(test)


def test_there_is_no_second_hop() -> None:
    async def test() -> None:
        async with two() as (first, second, peers):
            session = await first.open()
            assert (await call(second, session, x_mcp_session_hop="1")).status == 404
            assert sum(peers[1].outcomes.values()) == 0

    run(test)


@pytest.mark.parametrize("session_id", FORGED.values(), ids=FORGED)
def test_a_forged_id_dials_nothing(session_id: str) -> None:
    async def test() -> None:
        async with two() as (first, second, peers):
            session = await first.open()
            session.target = f"{PATH}?session_id={session_id}"
            assert (await call(second, session)).status == 404
            assert sum(peers[1].outcomes.values()) == 0

    run(test)


def owned_by(port: int) -> str:
    return f"{PATH}?session_id={SessionIds([KEY], f'127.0.0.1:{port}').mint(PATH)}"


def test_a_session_whose_owner_is_gone_is_unknown_at_once() -> None:
    async def test() -> None:
        async with two() as (first, second, peers):
            session = await first.open()
            session.target = owned_by(nginx.free_port())
            began = trio.current_time()
            assert (await call(second, session)).status == 404
            assert trio.current_time() - began < 5
            assert peers[1].outcomes["gone"] == 1

    run(test)


def test_an_owner_whose_address_swallows_everything_is_given_up_soon() -> None:
    async def test() -> None:
        async with two() as (first, second, peers):
            session = await first.open()
            with full() as port:
                session.target = owned_by(port)
                began = trio.current_time()
                assert (await call(second, session)).status == 404
                assert trio.current_time() - began < 5
            assert peers[1].outcomes["gone"] == 1

    run(test)


@contextmanager
def full() -> Iterator[int]:
    """A port whose queue is full: who connects hears nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, ExitStack() as stack:
        for _ in range(2):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@asynccontextmanager
async def stranger(answer: bytes) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Somebody else at an address, who says so much and closes; and what was asked of him."""
    asked: list[bytes] = []

    async def serve(stream: trio.SocketStream) -> None:
        asked.append(bytes(await stream.receive_some()))
        await stream.send_all(answer)

    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        yield listener.socket.getsockname()[1], asked
        nursery.cancel_scope.cancel()


def test_a_stranger_at_the_owners_address_is_not_passed_back() -> None:
    async def test() -> None:
        said = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret"
        async with two() as (first, second, peers), stranger(said) as (port, _):
            session = await first.open()
            session.target = owned_by(port)
            answer = await call(second, session)
            assert (answer.status, b"secret" in answer.body) == (404, False)
            assert peers[1].outcomes["gone"] == 1

    run(test)


def test_an_owner_that_breaks_off_may_have_the_message_and_is_not_asked_twice() -> None:
    async def test() -> None:
        async with two() as (first, second, peers), stranger(b"") as (port, asked):
            session = await first.open()
            session.target = owned_by(port)
            answer = await call(second, session)
            assert (answer.status, b"may have arrived" in answer.body) == (502, True)
            assert (peers[1].outcomes["broken"], len(asked)) == (1, 1)

    run(test)


def test_a_session_is_not_unknown_because_this_task_is_short_of_something() -> None:
    """The client would give up a session that its owner still has."""

    async def short(request: HttpRequest, *, deadline_seconds: float) -> HttpResponse:
        raise Refused("this server cannot open a connection: Too many open files", outcome_unknown=False)

    async def test() -> None:
        peers = Peers(SessionIds([KEY], OWN), short)
        with pytest.raises(Refusal) as caught:
            await peers.pass_on("10.0.0.8:8080", PATH, "id", b"{}", {}, "")
        assert (caught.value.status, dict(caught.value.headers)[b"retry-after"]) == (503, b"5")
        assert peers.outcomes == {"passed": 0, "gone": 0, "broken": 1}

    run(test)


@pytest.mark.parametrize(
    ("address", "written", "told"),
    [
        ("9.9.9.9", None, "9.9.9.9"),
        ("9.9.9.9", "198.51.100.1", "9.9.9.9"),  # its own claim
        ("2a00::9", "198.51.100.1", "2a00::9"),
        ("10.0.0.1", "198.51.100.1, 9.9.9.9", "9.9.9.9"),  # a proxy's
        ("10.0.0.1", "nonsense", "10.0.0.1"),
    ],
)
def test_the_owner_counts_a_message_for_the_address_that_its_first_task_saw(
    address: str, written: str | None, told: str
) -> None:
    passed: list[HttpRequest] = []

    async def send(request: HttpRequest, *, deadline_seconds: float) -> HttpResponse:
        passed.append(request)
        return HttpResponse(status=202, reason="", headers=((HOP.decode(), "1"),), body=b"")

    async def test() -> None:
        peers = Peers(SessionIds([KEY], OWN), send, forwarded=[b"x-forwarded-for"])
        query = f"session_id={SessionIds([KEY], '10.0.0.8:8080').mint(PATH)}"
        async with http_sse(gateway(ScriptedApi()), VISITORS, worker=0, peers=peers) as sse:
            client = WithoutSocket(sse, "alice", path=PATH, query=query, address=address)
            body = request("ping", 1)
            assert await client.ask(body, **({} if written is None else {"x_forwarded_for": written})) == 202

    run(test)
    assert [value for name, value in passed[0].headers if name == "x-forwarded-for"] == [told]


# Settings


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        ({"SESSION_KEY": "k" * 32}, "SESSION_ADDRESS: is missing; SESSION_KEY is of use with it only"),
        ({"SESSION_ADDRESS": OWN}, "SESSION_KEY: is missing"),
        ({"SESSION_KEY": "short", "SESSION_ADDRESS": OWN}, "SESSION_KEY: the value must be one key, or two"),
        ({"SESSION_KEY": f"{'k' * 32},short", "SESSION_ADDRESS": OWN}, "SESSION_KEY: the value must be one key, or"),
        ({"SESSION_KEY": "k" * 32, "SESSION_ADDRESS": "10.0.0.7"}, "SESSION_ADDRESS: '10.0.0.7' must be host:port"),
        ({"SESSION_KEY": "k" * 32, "SESSION_ADDRESS": "a/b:80"}, "SESSION_ADDRESS: 'a/b:80' must be host:port"),
        ({"SESSION_KEY": "k" * 32, "SESSION_ADDRESS": "a:0"}, "SESSION_ADDRESS: 'a:0' must have a port"),
        ({"SESSION_KEY": "k" * 32, "SESSION_ADDRESS": "ecs"}, "SESSION_ADDRESS: ecs is not where this runs"),
    ],
)
def test_half_a_configuration_is_refused(environ: dict[str, str], problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(["demo"], {"SERVER_TRANSPORT": "http", **environ}, lambda path: "")
    assert str(caught.value).startswith(problem)
    assert "k" * 32 not in str(caught.value)


def test_where_there_are_no_sessions_a_key_alone_is_only_warned_about() -> None:
    """A secret that several deployments share may have one."""
    config = load(["demo"], {"SERVER_TRANSPORT": "streamable-http", "SESSION_KEY": "k" * 32}, lambda path: "")
    (warning,) = config.warnings
    assert "SESSION_KEY" in warning
    assert "k" * 32 not in warning


# The program


@contextmanager
def alternating(folder: Path, ports: list[int]) -> Iterator[str]:
    """The address of an nginx that gives each request to another task."""
    port = nginx.free_port()
    upstreams = " ".join(f"server 127.0.0.1:{each};" for each in ports)
    (folder / "conf.d").mkdir()
    (folder / "conf.d" / "default.conf").write_text(
        f"upstream tasks {{ {upstreams} }} server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://tasks; "
        "proxy_http_version 1.1; proxy_set_header Connection ''; proxy_set_header Host localhost; "
        "proxy_buffering off; } }"
    )
    main = folder / "nginx.conf"
    main.write_text(nginx.MAIN.format(folder=folder, workers=1))
    argv = [nginx.program(), "-p", str(folder), "-c", str(main), "-g", "daemon off;"]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        proxy = nginx.Nginx(process, port, folder / "access.log")
        try:
            proxy.wait_for(b"start worker process ")
            yield proxy.url
        finally:
            proxy.stop()


@contextmanager
def task(port: int) -> Iterator[Program]:
    settings = {"SESSION_KEY": "k" * 40, "SESSION_ADDRESS": f"127.0.0.1:{port}"}
    with started("demo", "--port", str(port), **settings) as server:
        assert server.url
        yield server


async def converse(url: str, calls: int, right: list[int]) -> None:
    async with Client(sse_client(f"{url}/sse"), mode="legacy") as client:
        for _ in range(calls):
            result = await client.call_tool("getPet", {"petId": 1})
            right.append(result.structured_content["id"])


@pytest.mark.anyio
async def test_official_clients_lose_nothing_behind_a_proxy_without_affinity(tmp_path: Path) -> None:
    ports = [nginx.free_port(), nginx.free_port()]
    right: list[int] = []
    with anyio.fail_after(60), task(ports[0]), task(ports[1]), alternating(tmp_path, ports) as url:
        async with anyio.create_task_group() as clients:
            for _ in range(10):
                clients.start_soon(converse, url, 10, right)
    assert right == [1] * 100
