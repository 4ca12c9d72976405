"""Limits over several tasks: a real store, and one that is slow, gone, back, or not one at all."""

from __future__ import annotations

from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from functools import partial

import msgspec
import pytest
import trio

import nginx
from asked import call, fetch, post
from certificates import certificate
from loopback import Do, play
from openapi_mcp_server.bridge.http_messages import HttpResponse
from openapi_mcp_server.bridge.origins import Origin
from openapi_mcp_server.bridge.policy import Principal
from openapi_mcp_server.errors import ConfigError, Refused
from openapi_mcp_server.mcp.strict_json import BATCH_MESSAGES
from openapi_mcp_server.server.posts import Refusal
from openapi_mcp_server.server.principals.limits import Limits
from openapi_mcp_server.settings.config import load
from openapi_mcp_server.settings.readers import rate
from openapi_mcp_server.settings.store import Store
from openapi_mcp_server.upstream.credentials.tokens import Token, TokenLogin
from openapi_mcp_server.upstream.gates import Gate
from openapi_mcp_server.upstream.pace import Pace
from openapi_mcp_server.upstream.shared_state import ANSWER_SECONDS, CONNECT_SECONDS, SharedState, shared_state
from openapi_mcp_server.upstream.turns import TaskTurns
from processes import CHECKOUT, run, started
from scraped import scraped
from store import PASSWORD, PROGRAMS, running_store

API = Origin("https", "api.example.com", 443)
AGENT = Principal(key="token agent", name="agent")
RATE = 50.0
PATIENT_SECONDS = 5.0

pytestmark = pytest.mark.anyio


@pytest.fixture
def store(tmp_path):
    with running_store(tmp_path) as running:
        yield running


@pytest.fixture(params=PROGRAMS)
def each_store(request, tmp_path):
    """For what a store itself decides."""
    with running_store(tmp_path, request.param) as running:
        yield running


@asynccontextmanager
async def tasks(store: Store, number: int = 1, seconds: float = PATIENT_SECONDS):
    """States as so many tasks have them; on a busy machine they wait for longer."""
    async with AsyncExitStack() as stack:
        states = [await stack.enter_async_context(shared_state(store, "shop", seconds)) for _ in range(number)]
        await until(lambda: all(state.is_up for state in states))
        yield states


async def counted(states: list[SharedState]) -> None:
    """Until each has seen all the others, which takes a heartbeat."""
    await until(lambda: all(state.tasks == len(states) for state in states))


async def until(holds) -> None:
    with trio.fail_after(10):
        while not holds():  # noqa: ASYNC110 - other processes have no event
            await trio.sleep(0.005)


async def admitted(limits: Limits, principal: Principal = AGENT, calls: int = 1) -> bool:
    try:
        await limits.spend(principal, calls, "203.0.113.9")
    except Refusal:
        return False
    return True


async def at_ten_times_the_rate(limits: list[Limits], ticks: int, principal: Principal = AGENT) -> list[bool]:
    """Each of three tasks is asked a third of ten times the rate, at fixed times of Trio's clock."""
    begun, made = trio.current_time(), []
    for tick in range(ticks):
        await trio.sleep_until(begun + tick / 50)
        made += [await admitted(limits[number % len(limits)], principal) for number in range(int(RATE * 10 / 50))]
    return made


async def test_a_principal_at_ten_times_its_rate_gets_it_over_three_tasks(each_store):
    async with tasks(each_store.store, 3) as states:
        limits = [Limits(RATE, shared=state) for state in states]
        begun = each_store.clock()
        made = await at_ten_times_the_rate(limits, ticks=75)
        seconds = each_store.clock() - begun
    assert sum(made) == pytest.approx(RATE + RATE * seconds, rel=0.05)  # a second's worth may come at once
    assert sum(state.fallbacks for state in states) == 0


async def test_two_principals_do_not_touch_one_another(store):
    other = Principal(key="token other", name="other")
    async with tasks(store.store, 2) as states:
        limits = [Limits(0.01, shared=state) for state in states]
        assert [await admitted(limits[0]) for _ in range(2)] == [True, False]
        assert [await admitted(limits[1]), await admitted(limits[1], other)] == [False, True]


async def test_services_that_share_a_store_do_not_touch_one_another(store):
    async with tasks(store.store) as (shop,), shared_state(store.store, "bank", PATIENT_SECONDS) as bank:
        await until(lambda: bank.is_up)
        assert await admitted(Limits(0.01, shared=shop))
        assert await admitted(Limits(0.01, shared=bank))
        assert not await admitted(Limits(0.01, shared=shop))


async def test_a_batch_above_the_rate_is_carried_out_once_and_paid_for_by_all_tasks(store):
    async with tasks(store.store, 2) as (here, there):
        assert await admitted(Limits(1.0, shared=here), calls=30)
        with pytest.raises(Refusal, match=r"try again in (29|30) s"):
            await Limits(1.0, shared=there).spend(AGENT, 1)


async def test_the_largest_debt_at_the_lowest_rate_takes_the_store_from_nobody(store):
    async with tasks(store.store) as (state,):
        limits = Limits(rate("0.000001"), shared=state)
        assert [await admitted(limits, calls=BATCH_MESSAGES), await admitted(limits)] == [True, False]
        assert (state.is_up, state.fallbacks) == (True, 0)


async def test_nothing_that_is_kept_names_anybody_and_all_of_it_expires(each_store):
    async with tasks(each_store.store) as (state,):
        await Limits(RATE, shared=state).spend(AGENT, 1)
        await Pace(API, RATE, state).turn(trio.current_time() + 1)
        keys = each_store.ask("KEYS", "*").split(b"\r\n")[2::2]
        assert len(keys) == 3
        assert all(key.startswith(b"openapi-mcp:") and len(key) == 44 for key in keys)
        assert all(0 < int(each_store.ask("PTTL", key.decode())[1:]) <= 5_000 for key in keys)


async def _asked(pace: Pace, number: int, times: list[float]) -> None:
    for _ in range(number):
        await pace.turn(trio.current_time() + 60)
        times.append(trio.current_time())


async def test_an_api_is_asked_as_often_as_it_may_be_by_two_tasks_together(store):
    async with tasks(store.store, 2) as states:
        times: list[float] = []
        begun = store.clock()
        async with trio.open_nursery() as nursery:
            for state in states:
                nursery.start_soon(_asked, Pace(API, 20.0, state), 25, times)
        # The first second's worth comes at once, the other thirty turns are 50 ms apart.
        assert store.clock() - begun >= 30 / 20 - 0.01
    assert len(times) == 50


async def test_who_would_wait_beyond_its_deadline_is_refused_and_takes_no_turn_of_any_task(store):
    async with tasks(store.store, 2) as (here, there):
        first, second = Pace(API, 0.01, here), Pace(API, 0.01, there)
        await first.turn(trio.current_time() + 10)
        for pace in (first, second):
            with pytest.raises(Refused, match=r"API_RATE_LIMIT.* in (9\d|100) s") as refused:
                await pace.turn(trio.current_time() + 10)
            assert not refused.value.outcome_unknown


async def test_all_tasks_leave_an_api_alone_that_asks_for_it(each_store):
    busy = HttpResponse(status=429, reason="", headers=(("retry-after", "30"),), body=b"")
    async with tasks(each_store.store, 2) as states:
        gates = [Gate(API, connections=9, breaks=False, rate=100.0, shared=state) for state in states]
        now = trio.current_time()
        gates[0].leave(await gates[0].enter(now + 10), busy)
        for gate in gates:
            with pytest.raises(Refused, match="Retry-After allows; the next turn is in 30 s"):
                await gate.enter(now + 10)


async def test_a_call_that_waits_for_its_turn_hears_that_the_api_wants_to_be_left_alone(store):
    async with tasks(store.store, 2) as (here, there):
        first, second = Pace(API, 1.0, here), Pace(API, 1.0, there)
        await first.turn(trio.current_time() + 1)

        async def wait() -> None:
            with pytest.raises(Refused, match=r"the next turn is in (8|9|10) s"):
                await second.turn(trio.current_time() + 3)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await until(lambda: evaluated(store) >= 2)
            first.hold(10)


def evaluated(store) -> int:
    """How many turns were asked for."""
    line = next((one for one in store.ask("INFO", "commandstats").split(b"\r\n") if b"cmdstat_evalsha:" in one), b"")
    return int(line.split(b"calls=")[1].split(b",")[0]) if line else 0


class Endpoint:
    """Gives a token after a moment; ``most`` asked at the same time."""

    def __init__(self) -> None:
        self.asking = self.most = self.given = 0
        self.go_on = trio.Event()

    async def __call__(self) -> Token:
        self.asking += 1
        self.most = max(self.most, self.asking)
        await trio.sleep(0.02)
        await self.go_on.wait()
        self.asking, self.given = self.asking - 1, self.given + 1
        return Token(text=f"t{self.given}", seconds=3600)


def logged_in(endpoint: Endpoint, shared: SharedState, patience_seconds: float = 5.0) -> TokenLogin:
    turns = TaskTurns(patience_seconds)
    turns.shared = shared
    return TokenLogin("pets", endpoint, 3600, turns)


async def test_one_task_at_a_time_asks_for_a_token_and_each_gets_its_own(each_store):
    async with tasks(each_store.store, 3) as states, trio.open_nursery() as nursery:
        endpoint = Endpoint()
        logins = [logged_in(endpoint, state) for state in states]
        for login in logins * 2:
            nursery.start_soon(login.token)
        await until(lambda: endpoint.asking == 1)
        assert each_store.ask("KEYS", "*").count(b"openapi-mcp:") == 2  # the turn and the tasks
        endpoint.go_on.set()
        await until(lambda: endpoint.given == 3)
        assert endpoint.most == 1
        assert len({(await login.token()).text for login in logins}) == 3
        await until(lambda: each_store.ask("KEYS", "*").count(b"openapi-mcp:") == 1)


async def test_a_token_that_lasts_is_used_on_while_another_task_asks(store):
    async with tasks(store.store, 2) as (here, there):
        assert await there.take("token pets", 60) == 0.0
        turns = TaskTurns()
        turns.shared = here
        async with turns.turn("pets", patient=False) as is_ours:
            assert not is_ours
        there.give_back("token pets")
        await until(lambda: store.ask("KEYS", "*").count(b"openapi-mcp:") == 1)
        async with turns.turn("pets", patient=False) as is_ours:
            assert is_ours


@pytest.mark.parametrize("how", ["the store is gone", "the other task is gone"])
async def test_a_token_is_asked_for_whatever_becomes_of_the_turn(store, how):
    async with tasks(store.store, 2) as (here, there):
        assert await there.take("token pets", 60) == 0.0
        if how == "the store is gone":
            store.kill()
        endpoint = Endpoint()
        endpoint.go_on.set()
        with trio.fail_after(5):
            assert (await logged_in(endpoint, here, 0.3).token()).text == "t1"


@pytest.mark.parametrize("how", ["killed", "stalled", "started again"])
async def test_no_call_is_lost_whatever_becomes_of_the_store_and_the_shares_make_up_the_limit(each_store, how):
    async with tasks(each_store.store, 3, ANSWER_SECONDS) as states:
        await counted(states)

        async def happens() -> None:
            await trio.sleep(0.3)
            (each_store.stall if how == "stalled" else each_store.kill)()
            if how == "started again":
                await trio.to_thread.run_sync(each_store.start_again)

        begun = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(happens)
            made = await at_ten_times_the_rate([Limits(RATE, shared=state) for state in states], ticks=75)
        seconds = trio.current_time() - begun
        assert len(made) == 750  # each was answered: yes or no
        fallbacks = sum(state.fallbacks for state in states)
        assert fallbacks > 0
        # At a failure, and again when an empty store comes, a second's worth may come at once.
        bursts = 3 if how == "started again" else 2
        assert RATE * seconds * 0.9 <= sum(made) <= (bursts * RATE + RATE * seconds) * 1.05
        if how == "stalled":
            each_store.go_on()
        if how != "killed":
            await until(lambda: all(state.is_up for state in states))


async def test_a_store_that_stalls_keeps_each_task_waiting_once(store):
    async with tasks(store.store, 1, ANSWER_SECONDS) as (state,):
        store.stall()
        begun = trio.current_time()
        async with trio.open_nursery() as nursery:
            for _ in range(100):
                nursery.start_soon(partial(state.seconds_until, "a", gap=1.0, cost=1))
        assert ANSWER_SECONDS <= trio.current_time() - begun < CONNECT_SECONDS
        with trio.CancelScope() as scope:
            scope.cancel()  # raises at the first wait
            for _ in range(1000):
                assert await state.seconds_until("a", gap=1.0, cost=1) is None
        assert (state.is_up, state.fallbacks) == (False, 1100)
        store.go_on()


async def test_cancelled_calls_leave_every_answer_with_its_own_command(store):
    async with tasks(store.store) as (state,):
        right: list[bool] = []

        async def ask(number: int) -> None:
            # A key of its own that is taken for so many seconds: the second answer can only be that number.
            with trio.move_on_after(0 if number % 3 else 60):
                await state.seconds_until(f"{number}", gap=float(number), cost=1)
                await state.seconds_until("all", gap=1e-6, cost=1)
            wait = await state.seconds_until(f"{number}", gap=1.0, cost=1)
            right.append(wait is not None and number - 1 < wait <= number)

        for batch in range(20):
            async with trio.open_nursery() as nursery:
                for number in range(30):
                    nursery.start_soon(ask, batch * 30 + number + 1)
        assert (right, state.fallbacks) == ([True] * 600, 0)


async def test_the_last_number_of_tasks_is_what_a_share_is_made_of(store):
    async with tasks(store.store, 2) as (here, there):
        await counted([here, there])
        store.kill()
        await until(lambda: not here.is_up and not there.is_up)
        assert (here.tasks, there.tasks) == (2, 2)
        limits = Limits(0.5, shared=here)
        assert await admitted(limits)
        with pytest.raises(Refusal, match="try again in 4 s"):
            await limits.spend(AGENT, 1)


async def test_a_process_that_never_reached_the_store_takes_its_share():
    nowhere = Store("127.0.0.1", nginx.free_port(), tls=False, database=0, username="", password="")
    async with shared_state(nowhere, "shop", tasks=4) as state:
        limits = Limits(20.0, shared=state)
        assert sum([await admitted(limits) for _ in range(20)]) == 5


@pytest.mark.parametrize(
    ("settings", "refused"), [({}, 2), ({"SHARED_STATE_TASKS": "5"}, 5), ({"SHARED_STATE_TASKS": "1"}, 1)]
)
def test_a_server_whose_store_was_never_there_divides_its_limits_by_the_tasks_that_are_said(settings, refused):
    """One of a second is one of so many seconds then."""
    there = {"SHARED_STATE": f"valkey://127.0.0.1:{nginx.free_port()}", "RATE_LIMIT": "0.01", **settings}
    with started("demo", "--port", "0", **there) as server:
        url = server.url
        assert post(url, call("getPet", petId=1))[0] == 200
        status, headers, _ = fetch(url, "POST", call("getPet", petId=1), content_type="application/json")
        assert (status, round(int(headers["retry-after"]) / 100)) == (429, refused)


HELLO = b"%3\r\n+version\r\n+7.0.0\r\n+proto\r\n:3\r\n+id\r\n:1\r\n"
LOADED = b"$4\r\nabcd\r\n"
HOSTILE = {
    "garbage": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "an error": b"-OOM command not allowed when used memory > 'maxmemory'.\r\n",
    "a script that is not known": b"-NOSCRIPT No matching script.\r\n",
    "text": b"$5\r\nhello\r\n",
    "nothing": b"_\r\n",
    "true": b"#t\r\n",
    "a fraction": b",0.5\r\n",
    "less than no time": b":-1\r\n",
    "a million years": b":31556952000000000000\r\n",
    "a number of 5,000 digits": b":" + b"9" * 5000 + b"\r\n",
    "a list": b"*1\r\n:0\r\n",
    "lists in lists": b"*1\r\n" * 20_000,
    "a huge text, announced": b"$999999999\r\nabc",
    "a huge text, sent": b"$99999999\r\n" + b"a" * 3_000_000,
    "the end": Do.CLOSE,
    "a reset": Do.RESET,
    "silence": Do.HANG,
}


@asynccontextmanager
async def scripted(*steps):
    """A store that logs in everybody, loads the script and counts one task, and answers a turn like this."""

    async def serve(stream: trio.SocketStream) -> None:
        try:
            for step in (HELLO, LOADED, b":1\r\n", *steps, Do.HANG):
                if step is not Do.HANG:
                    await stream.receive_some()
                await play(step, stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass

    async with trio.open_nursery() as nursery:
        (listener, *_) = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        port = listener.socket.getsockname()[1]
        yield Store("127.0.0.1", port, tls=False, database=0, username="", password="")
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("name", HOSTILE)
async def test_an_answer_that_is_none_leaves_the_limit_to_the_task(name):
    async with scripted(HOSTILE[name]) as store, tasks(store, 1, 0.5) as (state,):
        limits = Limits(0.001, shared=state)
        made = [await admitted(limits) for _ in range(3)]
        assert (made, state.is_up) == ([True, False, False], False)


async def test_a_store_that_talks_unasked_is_left():
    async with scripted(b":0\r\n" + b":0\r\n" * 100_000) as store, tasks(store) as (state,):
        await state.seconds_until("a", gap=1.0, cost=1)
        await until(lambda: not state.is_up)


QUOTED = b"-ERR unknown command 'HELLO', with args beginning with: '3' 'AUTH' 'default' 'sesame, open'\r\n"
WRONG = b"-WRONGPASS invalid username-password pair\r\n"


@pytest.mark.parametrize("greeting", [QUOTED, WRONG, b"hello\r\n", b"$999999\r\n", b"+OK\r\n", b""])
async def test_a_store_that_does_not_log_in_holds_up_nobody_and_its_words_are_not_repeated(greeting, caplog):
    async def serve(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(greeting)
        if greeting:
            await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        (listener, *_) = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        port = listener.socket.getsockname()[1]
        store = Store("127.0.0.1", port, tls=False, database=0, username="", password=PASSWORD)
        with trio.fail_after(10):
            async with shared_state(store, "shop") as state:
                assert not state.is_up
                assert await state.seconds_until("a", gap=1.0, cost=1) is None
        nursery.cancel_scope.cancel()
    told = [record for record in caplog.records if record.name.startswith(("openapi_mcp_server", "coredis"))]
    assert [record.levelname for record in told] == ["WARNING"]
    assert PASSWORD not in str([vars(record) for record in told])


async def test_a_store_over_tls_is_used_if_its_certificate_is_right(tmp_path, monkeypatch):
    _, trusted = certificate(tmp_path)
    files = ("--tls-cert-file", str(trusted), "--tls-key-file", str(tmp_path / "key.pem"), "--tls-auth-clients", "no")
    with running_store(tmp_path, "redis-server", *files) as running:  # Valkey's of PyPI has no TLS
        port = nginx.free_port()
        assert running.ask("CONFIG", "SET", "tls-port", str(port)) == b"+OK\r\n"
        store = Store("localhost", port, tls=True, database=0, username="default", password=PASSWORD)
        async with shared_state(store, "shop") as state:
            assert not state.is_up
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        async with tasks(store) as (state,):
            assert await state.seconds_until("a", gap=1.0, cost=1) == 0.0


@pytest.mark.parametrize("said", [b"", b"-ERR\r\n" * 9, Do.RESET, Do.CLOSE])
async def test_a_store_that_does_not_speak_tls_holds_up_nobody(said):
    async def serve(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await play(said, stream)

    async with trio.open_nursery() as nursery:
        (listener, *_) = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        port = listener.socket.getsockname()[1]
        async with shared_state(
            Store("127.0.0.1", port, tls=True, database=0, username="", password=""), "shop"
        ) as state:
            assert not state.is_up
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("host", ["no.such.host.invalid", "a" * 70, "a..b", "ä" * 70])
async def test_a_name_that_leads_nowhere_holds_up_nobody(host):
    async with shared_state(Store(host, 6379, tls=False, database=0, username="", password=""), "shop") as state:
        assert not state.is_up


async def test_a_store_that_is_always_slow_is_left_too():
    async def serve(stream: trio.SocketStream) -> None:
        for step in (HELLO, LOADED, b":1\r\n"):
            await stream.receive_some()
            await stream.send_all(step)
        async with trio.open_nursery() as nursery:
            while await stream.receive_some():
                nursery.start_soon(late, stream)

    async def late(stream: trio.SocketStream) -> None:
        await trio.sleep(0.2)
        await stream.send_all(b":0\r\n")

    async with trio.open_nursery() as nursery:
        (listener, *_) = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        port = listener.socket.getsockname()[1]
        store = Store("127.0.0.1", port, tls=False, database=0, username="", password="")
        async with tasks(store, 1, 0.1) as (state,):
            with trio.fail_after(10):
                while state.is_up:
                    assert await state.seconds_until("a", gap=1.0, cost=1) is None
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("url", [
    "localhost:6379", "http://localhost", "valkey://", "valkey://host:0", "valkey://host:99999", "valkey://host/name",
    "valkey://host?db=1", "valkey://host#1", "redis://:pass#word@host", "rediss://:pass/word@host", "valkey://sesame@host",
    "unix:///run/valkey.sock",
])  # fmt: skip
def test_an_address_that_is_none_is_refused_without_being_shown(url):
    with pytest.raises(ConfigError) as refused:
        load(["demo"], {"SHARED_STATE": url}, lambda path: "")
    assert str(refused.value).startswith("SHARED_STATE: the value ")
    assert "valkey://" in str(refused.value) or "write user:password@host" in str(refused.value)
    assert not any(secret in str(refused.value) for secret in ("pass#word", "pass/word", "sesame"))


@pytest.mark.parametrize(
    ("url", "store"),
    [
        ("valkey://host", Store("host", 6379, tls=False, database=0, username="", password="")),
        ("redis://:a%40b@10.0.0.1:7000/3", Store("10.0.0.1", 7000, tls=False, database=3, username="", password="a@b")),
        ("rediss://me:it@[::1]:7000/", Store("::1", 7000, tls=True, database=0, username="me", password="it")),
        (
            "valkeys://cache.example.com",
            Store("cache.example.com", 6379, tls=True, database=0, username="", password=""),
        ),
    ],
)
def test_an_address_says_where_the_store_is_and_how_one_logs_in(url, store):
    config = load(["demo"], {"SHARED_STATE_FILE": "/secret"}, {"/secret": f"{url}\n"}.__getitem__)
    assert config.shared_state == store
    assert "it" not in repr(store).split(":")


def test_without_what_it_needs_the_start_says_what_to_install(tmp_path):
    (tmp_path / "coredis.py").write_text("raise ModuleNotFoundError('coredis')")
    path = f"{tmp_path}:{CHECKOUT / 'service'}"
    done = run("demo", "--port", "0", SHARED_STATE="valkey://localhost", PYTHONPATH=path)
    assert done.returncode == 2
    assert done.stderr.strip().endswith("SHARED_STATE: needs coredis: install openapi-mcp-service[shared]")
    assert "Traceback" not in done.stderr


def test_processes_share_the_rate_of_a_client_and_say_how_the_store_is(store):
    settings = {"SHARED_STATE": store.url, "RATE_LIMIT": "0.01", "ENABLE_PROMETHEUS": "true", "PROMETHEUS_PORT": "0"}
    with ExitStack() as stack:
        urls, pages = [], []
        for _ in range(2):
            server = stack.enter_context(started("demo", "--port", "0", **settings))
            pages.append(str(server.wait_for("^serving metrics at ")["message"]).removeprefix("serving metrics at "))
            urls.append(server.url)
        assert [post(url, call("getPet", petId=1))[0] for url in urls] == [200, 429]
        for url, page in zip(urls, pages, strict=True):
            assert msgspec.json.decode(fetch(url.removesuffix("/mcp") + "/health")[2])["shared_state"] == "up"
            assert scraped(page).value("openapi_mcp_shared_state_up") == 1
            assert scraped(page).value("openapi_mcp_shared_state_fallbacks_total") == 0
        assert store.url.encode() not in fetch(urls[0].removesuffix("/mcp") + "/health")[2]
