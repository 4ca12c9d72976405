"""Large work leaves the loop: where it is done, for how long it is waited for, and what is left for the loop."""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from functools import cache, partial
from math import inf
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import large
from garbage import uncollected
from openapi_mcp_server.aside import LARGE, OF_ARGUMENTS, REST_EVERY_SECONDS, Aside, FairPlaces, run_in_thread
from openapi_mcp_server.bridge import catalog
from openapi_mcp_server.bridge.arguments.check import check
from openapi_mcp_server.bridge.http_messages import HttpRequest, HttpResponse
from openapi_mcp_server.bridge.media.exact_json import decode
from openapi_mcp_server.bridge.model import BodyPlan, CheckedSchema, InputContract, OutputContract, Tool, ToolForm
from openapi_mcp_server.bridge.origins import base_url
from openapi_mcp_server.bridge.request import build
from openapi_mcp_server.bridge.results.echoes import without_secrets
from openapi_mcp_server.bridge.results.redaction import of as redacting
from openapi_mcp_server.bridge.results.response_filter import selection
from openapi_mcp_server.bridge.results.result import OutputValidators, render
from openapi_mcp_server.gateway.gateway import Gateway
from openapi_mcp_server.gateway.serving import Serving
from openapi_mcp_server.mcp.inbound import Call, from_line
from openapi_mcp_server.observe.record import CallRecord
from openapi_mcp_server.openapi.operations import describe
from openapi_mcp_server.openapi.text.document import parse
from openapi_mcp_server.pausing import in_turns, make_way, pausing_by
from scripted import SERVER, ScriptedApi, gateway, ok, tool, unchanged
from stepped import Longest, Step

STEP_MS = 20.0
"""Of CPU, for the longest step of the loop."""
LONG_CALL_MS = 80.0
"""The same for one call into C that reads a text of 4 MB."""
MOST_AT_ONCE_MS = 80.0
"""The same for what is rare, and takes 0.2 to 0.8 s where it is looked through in one call."""


class Gate:
    """Work that says on which thread it is done, and lasts until it is let go."""

    def __init__(self, *, is_open: bool = False) -> None:
        self.threads: list[int] = []
        self._go = threading.Event()
        if is_open:
            self._go.set()

    def __call__(self, value: str) -> tuple[str, bytes]:
        """Writes a body."""
        self.threads.append(threading.get_ident())
        assert self._go.wait(30)
        return "text/plain", value.encode()

    def let_go(self) -> None:
        self._go.set()


def writing(write: Callable[[Any], tuple[str, bytes]]) -> Tool:
    """A tool that sends its only argument as a text."""
    schema = b'{"type":"object","properties":{"body":{"type":"string"}}}'
    return msgspec.structs.replace(
        tool("write", "POST"),
        slots=(),
        path=("/pets",),
        body=BodyPlan(required=True, whole="body", properties={}, writers={"text/plain": write}),
        input=InputContract(checked=CheckedSchema(schema), names=("body",)),
    )


def asking(size: int, name: str = "write") -> Call:
    arguments = msgspec.Raw(msgspec.json.encode({"body": "x" * size} if name == "write" else {"id": 5}))
    return Call(id=1, method="tools/call", version="2025-11-25", size=size, name=name, arguments=arguments)


async def text(built: Gateway, call: Call) -> str:
    result = msgspec.json.decode(b"".join(await built.answer(call, "http")))["result"]
    told: str = result["content"][0]["text"]
    return told


def run(main: Callable[[], Awaitable[Any]], clock: MockClock | None = None) -> Any:
    return trio.run(main, clock=clock)


@contextmanager
def held(gate: Gate) -> Iterator[None]:
    try:
        yield
    finally:
        gate.let_go()


HEAVY = LARGE // OF_ARGUMENTS


@pytest.mark.parametrize(("size", "aside"), [(100, False), (HEAVY - 20, False), (HEAVY, True), (3_900_000, True)])
def test_large_arguments_are_read_and_written_in_another_thread_and_small_ones_are_not(size: int, aside: bool) -> None:
    gate = Gate(is_open=True)
    run(partial(text, gateway(ScriptedApi(), writing(gate)), asking(size)))
    assert [thread != threading.get_ident() for thread in gate.threads] == [aside]


class Looking:
    """In place of what hides values: says on which thread an answer is looked into."""

    def __init__(self) -> None:
        self.threads: list[int] = []

    def applied(self, answer: HttpResponse) -> tuple[HttpResponse, int]:
        self.threads.append(threading.get_ident())
        return answer, 0


@pytest.mark.parametrize(("size", "aside"), [(100, False), (LARGE, False), (LARGE + 1, True), (3_900_000, True)])
def test_a_large_answer_is_made_into_a_result_in_another_thread_and_a_small_one_is_not(size: int, aside: bool) -> None:
    looking = Looking()
    answer = ok(b'"%b"' % (b"x" * (size - 2)))
    run(partial(text, gateway(ScriptedApi(answer), redaction=looking), asking(10, "get_pet")))
    assert [thread != threading.get_ident() for thread in looking.threads] == [aside]


@pytest.mark.parametrize(("budget", "aside"), [(0, False), (20_000, False), (19_999, True), (1_000, True)])
def test_an_answer_that_is_cut_is_made_into_a_result_in_another_thread(budget: int, aside: bool) -> None:
    looking, api = Looking(), ScriptedApi(ok(b'"%b"' % (b"x" * 19_998)))
    run(partial(text, gateway(api, redaction=looking, result_budget_bytes=budget), asking(10, "get_pet")))
    assert [thread != threading.get_ident() for thread in looking.threads] == [aside]


@pytest.mark.parametrize(("size", "aside"), [(LARGE, False), (LARGE + 1, True)])
def test_a_large_message_is_read_in_another_thread(size: int, aside: bool) -> None:
    threads: list[int] = []

    def read() -> Call:
        threads.append(threading.get_ident())
        return asking(10)

    run(partial(gateway(ScriptedApi()).read, size, read))
    assert [thread != threading.get_ident() for thread in threads] == [aside]


def test_one_thing_at_a_time_is_done_aside_and_small_calls_do_not_wait_for_it() -> None:
    gate = Gate()
    built = gateway(ScriptedApi(), writing(gate), tool())
    ended: list[str] = []

    async def asked(name: str, call: Call) -> None:
        await text(built, call)
        ended.append(name)

    async def main() -> None:
        with held(gate):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(asked, "first", asking(HEAVY))
                nursery.start_soon(asked, "second", asking(HEAVY))
                await wait_all_tasks_blocked(0.05)
                for _ in range(5):
                    await asked("small", asking(10, "get_pet"))
                assert len(gate.threads) == 1
                gate.let_go()

    run(main)
    assert ended[:5] == ["small"] * 5
    assert sorted(ended[5:]) == ["first", "second"]


def test_a_client_that_cancels_is_let_go_at_once_and_the_next_waits_for_the_thread() -> None:
    gate = Gate()
    records: list[CallRecord] = []
    built = gateway(ScriptedApi(), writing(gate), records=records)

    async def main() -> None:
        with held(gate):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(text, built, asking(HEAVY))
                await wait_all_tasks_blocked(0.05)
                nursery.cancel_scope.cancel()
            assert [record.outcome for record in records] == ["cancelled"]
            async with trio.open_nursery() as nursery:
                nursery.start_soon(text, built, asking(HEAVY))
                await wait_all_tasks_blocked(0.05)
                assert len(gate.threads) == 1
                gate.let_go()

    run(main)
    assert [record.outcome for record in records] == ["cancelled", "ok"]


def test_a_search_that_finds_no_turn_is_recorded_as_refused_and_not_as_a_fault_of_its_arguments() -> None:
    records: list[CallRecord] = []
    gate, serving = Gate(), {"mode": "search", "call_seconds": 5.0}
    built = gateway(ScriptedApi(), writing(gate), tool(), records=records, **serving)
    arguments = msgspec.Raw(msgspec.json.encode({"query": "x" * HEAVY}))

    async def main() -> None:
        with held(gate):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(built.read, LARGE + 1, partial(gate, ""))
                await wait_all_tasks_blocked()
                search = msgspec.structs.replace(asking(HEAVY, "search_operations"), arguments=arguments)
                assert "too many large calls were before this one, for 5 s" in await text(built, search)
                gate.let_go()

    run(main, MockClock(autojump_threshold=0.05))
    assert [(record.outcome, record.error) for record in records] == [("tool_error", "Refused")]


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (asking(HEAVY), "Not sent: too many large calls were before this one, for 55 s"),
        (asking(10, "get_pet"), "the API answered 200, but too many large calls were before this one, for 55 s"),
    ],
    ids=["arguments", "answer"],
)
def test_a_call_waits_for_its_turn_no_longer_than_it_may_take(call: Call, told: str) -> None:
    gate = Gate()
    answer = ok(b'"%b"' % (b"x" * LARGE))
    built = gateway(ScriptedApi(answer), writing(gate), tool(), call_seconds=55.0)

    async def main() -> None:
        with held(gate):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(text, built, asking(HEAVY))
                await wait_all_tasks_blocked()
                assert told in await text(built, call)
                assert trio.current_time() <= 60
                gate.let_go()

    run(main, MockClock(autojump_threshold=0.05))


def test_a_message_that_finds_no_turn_is_refused_so_that_it_may_be_sent_again() -> None:
    gate = Gate()
    built = gateway(ScriptedApi(), writing(gate), call_seconds=55.0)

    async def main() -> None:
        with held(gate):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(text, built, asking(HEAVY))
                await wait_all_tasks_blocked()
                refused = await built.read(LARGE + 1, lambda: asking(10))
                assert getattr(refused, "status", None) == 503
                gate.let_go()

    run(main, MockClock(autojump_threshold=0.05))


def test_calls_that_wait_for_their_turn_are_answered_when_the_server_stops() -> None:
    gate = Gate()
    built = gateway(ScriptedApi(), writing(gate))
    told: list[str] = []

    async def asked() -> None:
        told.append(await text(built, asking(HEAVY)))

    async def main() -> None:
        with held(gate):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(asked)
                nursery.start_soon(asked)
                await wait_all_tasks_blocked(0.05)
                built.give_up()

    run(main)
    assert len(told) == 2
    assert all("Not sent: the server stops" in each for each in told)


class Queue:
    """Work of several clients, none of which is over before all have asked; ``done``: whose it was, in order."""

    def __init__(self) -> None:
        self._aside = Aside()
        self._go_on = threading.Event()
        self.done: list[str] = []

    async def ask(self, client: str) -> None:
        await self._aside.do(partial(self._work, client), client)

    def _work(self, client: str) -> None:
        assert self._go_on.wait(30)
        self.done.append(client)

    def go_on(self) -> None:
        self._go_on.set()


def test_clients_take_turns_and_one_that_asks_for_much_delays_itself() -> None:
    async def main() -> list[str]:
        queue = Queue()
        async with trio.open_nursery() as nursery:
            for client in ("greedy", "greedy", "greedy", "greedy", "modest", "other"):
                nursery.start_soon(queue.ask, client)
                await wait_all_tasks_blocked()
            queue.go_on()
        return queue.done

    assert run(main) == ["greedy", "greedy", "modest", "other", "greedy", "greedy"]


def test_who_leaves_before_its_turn_takes_none() -> None:
    async def main() -> list[str]:
        queue = Queue()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(queue.ask, "first")
            await wait_all_tasks_blocked()
            with trio.move_on_after(0.01):
                await queue.ask("second")
            nursery.start_soon(queue.ask, "third")
            await wait_all_tasks_blocked()
            queue.go_on()
        return queue.done

    assert run(main) == ["first", "third"]


class Pausing:
    """Work that pauses once the loop says so, and what it and the loop have done, in order."""

    def __init__(self) -> None:
        self._go_on = threading.Event()
        self.done: list[str] = []

    def __call__(self) -> None:
        assert self._go_on.wait(30)
        make_way()
        self.done.append("work")

    async def turns(self, count: int) -> None:
        """The loop has something to do meanwhile."""
        for _ in range(count):
            await trio.lowlevel.checkpoint()
        self.done.append("loop")
        self._go_on.set()


def test_large_work_pauses_until_the_loop_has_nothing_to_do() -> None:
    async def main() -> list[str]:
        pausing = Pausing()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Aside(wait_seconds=30.0).do, pausing)
            await pausing.turns(10)
            await pausing.turns(1_000)
        return pausing.done

    assert run(main) == ["loop", "loop", "work"]


def test_large_work_goes_on_beside_a_loop_that_never_waits() -> None:
    async def main() -> list[str]:
        pausing = Pausing()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Aside().do, pausing)
            while "work" not in pausing.done:
                await pausing.turns(1)
        return pausing.done

    assert run(main)[-1:] == ["loop"]


def _rests(cpu_seconds: float) -> int:
    """How often the thread gave up its core by itself, in work that pauses all the time."""
    before, began = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw, time.thread_time()
    while time.thread_time() - began < cpu_seconds:
        make_way()
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw - before


def test_large_work_lets_go_of_its_core_every_half_millisecond_for_a_loop_that_waits_for_it() -> None:
    assert run(partial(Aside().do, partial(_rests, 0.05))) >= 0.05 / REST_EVERY_SECONDS / 2


def test_items_are_taken_in_turns_and_none_before_it_is_asked_for() -> None:
    seen: list[str] = []

    def take() -> None:
        pausing_by(lambda: seen.append("way"))
        made = (seen.append(each) or each for each in "abc")
        seen.extend(taken.upper() for taken in in_turns(made, 2))

    copy_context().run(take)
    assert seen == ["a", "way", "A", "b", "B", "c", "way", "C"]


def test_what_work_aside_raises_is_raised_where_it_was_asked_for() -> None:
    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(partial(Aside().do, fail))


@cache
def api() -> dict[str, HttpResponse]:
    return {
        path: HttpResponse(status=200, reason="", headers=(("content-type", kind),), body=body)
        for path, (kind, body) in large.answers().items()
    }


@cache
def tools() -> catalog.ToolCatalog:
    source = catalog.ApiSource(
        name="large", base=base_url("http://api.example.com"), description=describe(parse(large.document()))
    )
    return catalog.build([source], ToolForm(response_filter=True))


async def answering(request: HttpRequest, **_: object) -> HttpResponse:
    return api().get(request.path, api()["/pets"])


def longest_step(main: Callable[[Longest], Awaitable[None]], most_ms: float) -> float:
    def tried() -> float:
        longest = Longest()
        with uncollected():
            trio.run(main, longest, instruments=[longest])
        return longest.step.cpu_ms

    return _least(tried, most_ms)


YARDSTICK_MS = 0.8
"""Of CPU, for `_yardstick` on the machine on which the limits above were set."""


def _yardstick() -> float:
    began = time.thread_time()
    sum(len(str(number)) for number in range(10_000))
    return (time.thread_time() - began) * 1000


def _least(tried: Callable[[], float], most_ms: float) -> float:
    """Of three tries at most, since whatever else the machine does makes one slower, and none faster. A machine that
    is slower all along takes as much longer for the yardstick."""
    times: list[float] = []
    while len(times) < 3 and min(times, default=inf) >= most_ms:
        slowness = max(1.0, min(_yardstick() for _ in range(5)) / YARDSTICK_MS)
        times.append(tried() / slowness)
    return min(times)


CASES = [(name, 100_000) for name in large.MESSAGES] + [(f"answer {kind}", 0) for kind in ("dense", "text", "picture")]
"""Messages, and what is shown of their answers; 0: all."""


@pytest.mark.parametrize(("name", "budget"), CASES)
def test_no_step_of_the_loop_takes_long_however_large_a_call_is(name: str, budget: int) -> None:
    serving = Serving(server=SERVER, call_seconds=300.0, result_budget_bytes=budget)
    said, _ = large.MESSAGES[name](), api()  # made before the loop runs

    async def main(_: Longest) -> None:
        built = Gateway(tools(), serving, send=answering, authorize=unchanged, observe=lambda _: None)
        message = await built.read(len(said), partial(from_line, said, "2025-11-25"))
        if isinstance(message, Call):
            await built.answer(message, "http")

    assert longest_step(main, STEP_MS) < STEP_MS


BESIDE = {f"k{number:x}": 1 for number in range(large.ARGUMENTS_BYTES // 12)}
SEARCHING = {
    "an operation's name": ("call_operation", {"name": "send " * (large.ARGUMENTS_BYTES // 5)}),
    "a name to describe": ("describe_operation", {"name": "send " * (large.ARGUMENTS_BYTES // 5)}),
    "arguments in others": (
        "call_operation",
        {"name": "sendJson", "arguments": {"body": {"objects": large.objects()}}},
    ),
    "members beside": ("call_operation", {"name": "sendJson", **BESIDE}),
    "members of a search": ("search_operations", {**BESIDE, "x": None}),
}


@pytest.mark.parametrize("name", SEARCHING)
def test_nor_does_it_in_search_mode(name: str) -> None:
    asked, given = SEARCHING[name]
    serving = Serving(server=SERVER, call_seconds=300.0, mode="search")
    arguments, _ = msgspec.Raw(msgspec.json.encode(given)), api()  # made before the loop runs
    call = Call(
        id=1, method="tools/call", version="2025-11-25", size=len(bytes(arguments)), name=asked, arguments=arguments
    )

    async def main(longest: Longest) -> None:
        built = Gateway(tools(), serving, send=answering, authorize=unchanged, observe=lambda _: None)
        await built.answer(msgspec.structs.replace(call, arguments=None), "http")  # which makes what is kept
        longest.step = Step()
        await built.answer(call, "http")

    assert longest_step(main, STEP_MS) < STEP_MS


CHOICES = {
    "anyOf": [
        {"type": "object", "additionalProperties": {"type": "string"}},
        {"type": "array", "items": {"oneOf": [{"type": "object", "required": [name]} for name in "ab"]}},
    ]
}
MISFITS = {"lists": b"[]", "numbers": b"1", "texts": b'"a"', "numbers near the end of the range": b"1.5e300"}


@pytest.mark.parametrize("item", MISFITS.values(), ids=MISFITS)
def test_an_answer_that_does_not_fit_its_schema_holds_up_nobody(item: bytes) -> None:
    """It is small enough to be looked at on the loop: to explain it took 50 to 300 ms."""
    schema = {"type": "object", "properties": {"result": CHOICES}}
    contract = OutputContract(schema=msgspec.Raw(msgspec.json.encode(schema)), wrapped=True)
    body = b"[%b%b]" % ((item + b",") * ((LARGE - 20) // (len(item) + 1)), item)

    async def main(_: Longest) -> None:
        built = gateway(ScriptedApi(ok(body)), msgspec.structs.replace(tool(), output=contract), validate_output=True)
        assert "undocumented" in b"".join(await built.answer(asking(10, "get_pet"), "http")).decode()

    assert longest_step(main, 2 * STEP_MS) < 2 * STEP_MS


class Stretch:
    """The longest time of CPU between two places where work makes way, in ms."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._since = time.thread_time()

    def __call__(self) -> None:
        self.longest = max(self.longest, (time.thread_time() - self._since) * 1000)
        self._since = time.thread_time()

    def of(self, work: Callable[[], object]) -> None:
        pausing_by(self)
        work()
        self()


def longest_stretch(work: Callable[[], object], most_ms: float) -> float:
    def tried() -> float:
        with uncollected():
            copy_context().run((stretch := Stretch()).of, work)
        return stretch.longest

    return _least(tried, most_ms)


def _work(call: Call, made: Tool) -> None:
    checked = check(made, call.arguments)
    expression = checked.values.pop("response_filter", None)
    request = build(made, checked.values, checked.others)
    select = selection(expression) if expression else None
    render(made, api().get(request.path, api()["/pets"]), OutputValidators(), select=select, budget_bytes=100_000)


MIB = 2**20
UNUSUAL = {
    "white space": ("application/json", b" " * (10 * MIB)),
    "JSON in a text": ("application/json", b'{"log":"%b"}' % (b'{\\"a\\":1},' * MIB)),
    "escapes of HTML": ("text/html", b"&#112;" * (10 * MIB // 6)),
    "ampersands": ("text/plain", b"&#" * (5 * MIB)),
    "octets": ("application/octet-stream", bytes(range(256)) * (10 * MIB // 256)),
    "events": ("text/event-stream", b"\n" * (10 * MIB) + b"data: password\n\n"),
    "numbers near the end of the range": ("application/json", b'{"a":[%b1]}' % (b"1.5e300," * 60_000)),
}
"""Answers that are rare, each of which was once looked through in one call."""


@pytest.mark.parametrize("name", UNUSUAL)
@pytest.mark.parametrize("status", [200, 500])
def test_work_makes_way_whatever_an_api_answers(name: str, status: int) -> None:
    content_type, body = UNUSUAL[name]
    answer = HttpResponse(status=status, reason="", headers=(("content-type", content_type),), body=body)
    redaction, contract = (
        redacting(["password"]),
        OutputContract(schema=msgspec.Raw(b'{"type":"object"}'), wrapped=False),
    )
    assert redaction is not None

    def work() -> None:
        without_large, _ = redaction.applied(without_secrets(answer, ("s3cret-of-ours",)))
        render(
            msgspec.structs.replace(tool(), output=contract), without_large, OutputValidators(), budget_bytes=100_000
        )

    assert longest_stretch(work, MOST_AT_ONCE_MS) < MOST_AT_ONCE_MS


@pytest.mark.parametrize("name", ["filter 10 MB", "answer dense", "form numbers"])
def test_work_makes_way_all_along(name: str) -> None:
    call, _ = from_line(large.MESSAGES[name](), "2025-11-25"), api()  # made before it begins
    assert isinstance(call, Call)
    called = tools().tools[call.name]
    assert longest_stretch(partial(_work, call, called), STEP_MS) < STEP_MS


def _ping(name: str) -> bytes:
    return b'{"jsonrpc":"2.0","id":1,"method":"ping","\\u0061%b":1}' % name.encode()


NAMES = {"plain": "x" * large.ARGUMENTS_BYTES, "escaped": "\\u0061" * (large.ARGUMENTS_BYTES // 6)}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "read", [lambda text: from_line(_ping(text), ""), lambda text: decode(b'{"a" :"%b"}' % text.encode())]
)
def test_a_long_text_is_read_in_short_calls(name: str, read: Callable[[str], object]) -> None:
    """As a name of a message, and within arguments."""
    assert longest_stretch(partial(read, NAMES[name]), LONG_CALL_MS) < LONG_CALL_MS


def test_a_place_that_comes_in_the_moment_in_which_its_call_is_cancelled_is_not_lost() -> None:
    async def main() -> None:
        places = FairPlaces(1)
        await places.take("first")
        async with trio.open_nursery() as nursery:
            scope = trio.CancelScope()

            async def wait() -> None:
                with scope:
                    await places.take("second")

            nursery.start_soon(wait)
            await wait_all_tasks_blocked()
            scope.cancel()
            places.give_back("first")
        assert places.take_at_once("third")

    run(main)


def test_a_client_has_no_more_places_than_it_may_and_others_find_one() -> None:
    async def main() -> None:
        places, order = FairPlaces(10, most=9), []

        async def take(client: str) -> None:
            await places.take(client)
            order.append(client)

        async with trio.open_nursery() as nursery:
            for _ in range(12):
                nursery.start_soon(take, "greedy")
            await wait_all_tasks_blocked()
            assert len(order) == 9
            assert (places.waiting("greedy"), places.before("greedy"), places.before("other")) == (3, 3, 1)
            for client in ("other", "third", "third", "other"):
                nursery.start_soon(take, client)
                await wait_all_tasks_blocked()
            for _ in range(6):
                places.give_back("greedy")
                await wait_all_tasks_blocked()
        assert order == ["greedy"] * 9 + ["other", "greedy", "third", "other", "greedy", "third", "greedy"]

    run(main)


@contextmanager
def without_threads() -> Iterator[None]:
    """The limit of threads is reached, as in a container (pids.max), and no other one is idle."""

    def no_thread(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("trio._threads.start_thread_soon", no_thread)
        yield


@pytest.mark.parametrize("do", [run_in_thread, Aside().do], ids=["in any thread", "aside"])
def test_without_a_thread_work_is_done_on_the_loop(do: Callable[[Callable[[], int]], Awaitable[int]]) -> None:
    with without_threads():
        assert trio.run(do, threading.get_ident) == threading.get_ident()
    assert trio.run(do, threading.get_ident) != threading.get_ident()


def test_work_that_may_block_waits_for_a_thread() -> None:
    async def main() -> None:
        where: list[int] = []

        async def work() -> None:
            where.append(await run_in_thread(threading.get_ident, may_block=True))

        async with trio.open_nursery() as nursery:
            with without_threads():
                nursery.start_soon(work)
                await trio.sleep(1)
                assert not where
        assert where != [threading.get_ident()]

    trio.run(main, clock=MockClock(autojump_threshold=0.05))


@pytest.mark.parametrize("do", [run_in_thread, Aside().do], ids=["in any thread", "aside"])
def test_an_error_of_the_work_is_no_lack_of_threads(do: Callable[[Callable[[], int]], Awaitable[int]]) -> None:
    tried: list[int] = []

    def work() -> int:
        tried.append(1)
        raise RuntimeError("of the work")

    with pytest.raises(RuntimeError, match="of the work"):
        trio.run(do, work)
    assert tried == [1]
