"""The story of one message, with a scripted API behind the gateway."""

from __future__ import annotations

import logging
import sys
from collections.abc import Awaitable, Callable
from threading import get_ident
from typing import Any

import anyio
import msgspec
import pytest
import trio
import trio.testing
from mcp_types.methods import validate_server_result

from clocks import run
from descriptions import filterable
from openapi_mcp_server.bridge.http_messages import HttpRequest, HttpResponse
from openapi_mcp_server.bridge.model import OutputContract, Tool, ToolCatalog
from openapi_mcp_server.errors import BadResponse, CredentialError, Refused, Timeout, TooLarge, Unreachable
from openapi_mcp_server.gateway.calls import GUARD_SECONDS
from openapi_mcp_server.gateway.gateway import Gateway
from openapi_mcp_server.gateway.serving import Authorize
from openapi_mcp_server.mcp.inbound import Batch, Call, Notification, Rejection, from_line
from openapi_mcp_server.mcp.messages import Pieces, size
from openapi_mcp_server.observe.record import CallRecord
from scripted import ScriptedApi, Silence, Step, gateway, ok, slowly, tool, unchanged

VERSIONS = ["2024-11-05", "2025-11-25", "2026-07-28"]


def call(version: str = "2025-11-25", arguments: object = None, method: str = "tools/call", **more: object) -> Call:
    raw = msgspec.Raw(msgspec.json.encode({"id": 5} if arguments is None else arguments))
    name = "use_get_pet" if method == "prompts/get" else "get_pet"
    return Call(**{"id": 1, "method": method, "version": version, "size": 9, "name": name, "arguments": raw, **more})


def decoded(answer: Pieces) -> Any:
    return msgspec.json.decode(b"".join(answer))


def answered(built: Gateway, asked: Call) -> dict[str, Any]:
    async def main() -> bytes:
        return b"".join(await built.answer(asked, "http"))

    response = msgspec.json.decode(run(main))
    assert response["id"] == asked.id
    return response


def error_text(api: ScriptedApi, asked: Call | None = None, *tools: Tool) -> str:
    result = answered(gateway(api, *tools), asked or call())["result"]
    assert result["isError"] is True
    return result["content"][0]["text"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_call_becomes_its_request_and_the_answer_its_result(version: str) -> None:
    api = ScriptedApi(ok(b'{"id": 5}'))
    result = answered(gateway(api), call(version))["result"]
    validate_server_result("tools/call", version, result)
    assert result["content"][0]["text"] == '{"id":5}'
    assert [(request.method, str(request.origin), request.path) for request in api.requests] == [
        ("GET", "https://api.example.com", "/pets/5")
    ]


def test_only_the_modern_era_says_the_type_of_a_result_and_the_server() -> None:
    result = answered(gateway(ScriptedApi()), call("2026-07-28"))["result"]
    assert result["resultType"] == "complete"
    assert result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "tests"
    assert "resultType" not in answered(gateway(ScriptedApi()), call("2025-11-25"))["result"]


@pytest.mark.parametrize("arguments", [{}, {"id": "five"}, {"id": 5, "colour": "red"}])
def test_a_wrong_argument_is_named_to_the_model_and_nothing_is_sent(arguments: object) -> None:
    api = ScriptedApi()
    text = error_text(api, call(arguments=arguments))
    assert "id" in text or "colour" in text
    assert api.requests == []


def test_an_argument_that_had_to_be_read_as_another_type_is_noted() -> None:
    result = answered(gateway(ScriptedApi()), call(arguments={"id": "5"}))["result"]
    assert result["_meta"] == {"openapi-mcp-server/coerced": ["id"]}


@pytest.mark.parametrize("version", VERSIONS)
def test_an_unknown_tool_is_a_protocol_error(version: str) -> None:
    error = answered(gateway(ScriptedApi()), call(version, name="x" * 1000))["error"]
    assert error["code"] == -32602
    assert len(error["message"]) < 100


@pytest.mark.parametrize(
    "fault",
    [
        Timeout("no answer within 60 s", outcome_unknown=True),
        Unreachable("no address for api.example.com", outcome_unknown=False),
        Refused("the queue is full", outcome_unknown=False),
        TooLarge("more than 10 MiB", outcome_unknown=True),
        BadResponse("not HTTP", outcome_unknown=True),
    ],
    ids=lambda fault: type(fault).__name__,
)
def test_what_keeps_the_api_from_answering_is_told_to_the_model(fault: Exception) -> None:
    assert str(fault) in error_text(ScriptedApi(fault))


def test_the_error_of_the_api_is_told_with_its_status() -> None:
    assert "404" in error_text(ScriptedApi(ok(b'{"detail":"no such pet"}', 404)))


def test_an_answer_over_the_budget_is_cut_for_the_model() -> None:
    api = ScriptedApi(ok(b"[%b1]" % (b"1," * 2_000)))  # few enough for the loop: the clock would not wait for a thread
    first, about = answered(gateway(api, result_budget_bytes=1_000), call())["result"]["content"]
    assert len(msgspec.json.decode(first["text"])) == 499
    assert "the first 499 of 2,001 items" in about["text"]


def test_a_picture_that_no_event_carries_never_becomes_text() -> None:
    picture = HttpResponse(status=200, reason="", headers=(("content-type", "image/png"),), body=bytes(3_000_000))

    async def main() -> tuple[int, int]:
        built = gateway(ScriptedApi(picture))
        return size(await built.answer(call(), "sse")), size(await built.answer(call(), "http"))

    over_sse, over_http = trio.run(main)
    assert over_sse < 1_000
    assert over_http > 4_000_000


def test_a_filter_selects_from_the_answer_and_never_reaches_the_api() -> None:
    api = ScriptedApi(ok(b'{"id": 5, "price": 1.10}'))
    asked = call(name="list_pets", arguments={"response_filter": "price"})
    result = answered(gateway(api, filterable("POST")), asked)["result"]
    assert result["content"][0]["text"] == "1.10"
    assert result["structuredContent"] == {"filtered": 1.1}
    (request,) = api.requests
    assert (request.target, request.body) == ("/v1/pets", None)
    assert "price" not in str(request.headers)


def test_a_filter_that_may_take_long_lets_other_calls_go_on_meanwhile() -> None:
    rows = b'[{"id":1}%b]' % (b',{"id":2}' * 50_000)
    built = gateway(ScriptedApi(ok(rows), ok()), filterable("POST"), tool())
    heavy = call(name="list_pets", arguments={"response_filter": "[].id | length(@)"})
    ended: list[str] = []

    async def both() -> None:
        async def filtered() -> None:
            assert b'"text":"50001"' in b"".join(await built.answer(heavy, "http"))
            ended.append("heavy")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(filtered)
            await anyio.wait_all_tasks_blocked()  # it waits for its thread
            for _ in range(10):
                await built.answer(call(), "http")
                ended.append("light")

    anyio.run(both, backend="trio")
    assert ended == ["light"] * 10 + ["heavy"]


def test_a_filter_that_finds_no_time_leaves_the_answer_whole_and_says_so() -> None:
    rows = b'[{"id":1}%b]' % (b',{"id":2}' * 5_000)
    built = gateway(ScriptedApi(ok(rows)), filterable("POST"))
    slow = f"[?{' && '.join(['id < `3`'] * 60)}].id"
    heavy = call(name="list_pets", arguments={"response_filter": slow})

    async def asked() -> dict[str, Any]:
        result: dict[str, Any] = decoded(await built.answer(heavy, "http"))["result"]
        return result

    first, about = run(asked)["content"]  # its clock passes the deadline before a thread has ended
    assert first["text"].startswith('[{"id":1}')
    assert "response_filter was not applied: too many others" in about["text"]


def test_a_filter_that_is_no_expression_is_told_before_anything_is_sent() -> None:
    api = ScriptedApi()
    text = error_text(api, call(name="list_pets", arguments={"response_filter": "a["}), filterable())
    assert "at character 3" in text
    assert api.requests == []


def test_a_request_that_gets_no_credentials_is_not_sent() -> None:
    api = ScriptedApi()

    def authorize(request: HttpRequest, *_: object) -> HttpRequest:
        raise CredentialError("no bearer token is configured")

    built = gateway(api, authorize=authorize)
    assert "no bearer token" in answered(built, call())["result"]["content"][0]["text"]
    assert api.requests == []


def test_the_deadline_is_given_to_the_upstream_and_kept_by_the_gateway() -> None:
    async def main() -> float:
        began = trio.current_time()
        text = decoded(await gateway(api, call_seconds=7.0).answer(call(), "http"))
        assert "no answer within 7 s" in text["result"]["content"][0]["text"]
        return trio.current_time() - began

    api = ScriptedApi(Silence())
    assert run(main) == pytest.approx(7.0 + GUARD_SECONDS)
    assert api.deadlines == [7.0]


@pytest.mark.parametrize(
    ("method", "known"), [("GET", "can be repeated safely"), ("POST", "may have been carried out")]
)
def test_calls_that_are_given_up_at_a_stop_are_told_so_and_later_ones_are_not_sent(method: str, known: str) -> None:
    silence = Silence()
    api = ScriptedApi(silence)
    built = gateway(api, tool(method=method))
    told: list[str] = []

    async def ask() -> None:
        result = decoded(await built.answer(call(), "http"))["result"]
        told.append(result["content"][0]["text"])

    async def main() -> None:
        async with trio.open_nursery() as calls:
            calls.start_soon(ask)
            await silence.reached.wait()
            built.give_up()
            assert built.given_up == 1
        await ask()

    run(main)
    assert told[0].startswith("the server stops and could not wait for it\n")
    assert known in told[0]
    assert told[1] == "Not sent: the server stops; call again"
    assert len(api.requests) == 1


class SentAtOnce:
    """A request whose answer is not there soon; ``rest`` is what the API does then."""

    def __init__(self, rest: Callable[[HttpRequest], Awaitable[HttpResponse]]) -> None:
        self._rest = rest
        self.looked = anyio.Event()
        self.go_on = anyio.Event()

    async def soon(self) -> None:
        self.looked.set()
        await self.go_on.wait()

    async def rest(self) -> HttpResponse:
        return await self._rest(REQUEST)


REQUEST = HttpRequest(method="GET", origin=tool().origin, path="/pets/5", query="", headers=())


@pytest.mark.parametrize("stops", [True, False])
def test_what_was_sent_at_once_ends_with_its_call_and_with_the_server(stops: bool) -> None:
    silence = Silence()
    sent = SentAtOnce(silence)
    built = gateway(api := ScriptedApi(), call_seconds=7.0)
    built.send_by(lambda *_, **__: sent)
    told: list[str] = []

    async def ask() -> None:
        told.append(decoded(await built.answer(call(), "http"))["result"]["content"][0]["text"])

    async def main() -> float:
        async with trio.open_nursery() as calls:
            calls.start_soon(ask)
            await sent.looked.wait()
            if stops:
                built.give_up()
            sent.go_on.set()
        return trio.current_time()

    began = trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert told[0].startswith("the server stops and could not" if stops else "no answer within 7 s")
    assert began == pytest.approx(0 if stops else 7 + GUARD_SECONDS)
    assert built.given_up == stops
    assert silence.cancelled.is_set()
    assert api.requests == []


def test_an_answer_that_is_there_when_the_server_stops_is_told_and_its_call_not_given_up() -> None:
    async def rest(_: HttpRequest) -> HttpResponse:
        return ok(b"none", 404)

    sent = SentAtOnce(rest)
    built = gateway(ScriptedApi())
    built.send_by(lambda *_, **__: sent)

    async def stop() -> None:
        await sent.looked.wait()
        built.give_up()
        sent.go_on.set()

    async def main() -> str:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stop)
            return str(decoded(await built.answer(call(), "http"))["result"]["content"][0]["text"])

    assert "404" in run(main)
    assert built.given_up == 0


def test_a_bug_is_answered_with_an_incident_whose_details_are_in_the_log_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    records: list[CallRecord] = []
    with caplog.at_level(logging.ERROR):
        error = answered(gateway(ScriptedApi(KeyError("secret")), records=records), call())["error"]
    incident = error["message"].rpartition(" ")[2]
    assert error["code"] == -32603
    assert "secret" not in error["message"]
    assert incident in caplog.text
    assert "KeyError: 'secret'" in caplog.text
    assert records[0].outcome == "internal_error"


def test_two_incidents_have_two_ids() -> None:
    built = gateway(ScriptedApi(KeyError()))
    assert answered(built, call())["error"] != answered(built, call())["error"]


def test_a_cancelled_call_cancels_the_upstream_and_is_recorded() -> None:
    records: list[CallRecord] = []
    silence = Silence()

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(gateway(ScriptedApi(silence), records=records).answer, call(), "http")
            await silence.reached.wait()
            tasks.cancel_scope.cancel()

    run(main)
    assert silence.cancelled.is_set()
    assert [record.outcome for record in records] == ["cancelled"]


def notified(step: Step, **more: object) -> list[dict[str, Any]]:
    notifications: list[bytes] = []

    async def notify(message: bytes) -> None:
        notifications.append(message)

    async def main() -> None:
        await gateway(ScriptedApi(step)).answer(call(**more), "http", notify)

    run(main)
    return [msgspec.json.decode(message)["params"] for message in notifications]


def test_a_long_call_reports_the_seconds_that_have_passed() -> None:
    told = notified(slowly(4.5), progress_token="p")
    assert [(params["progressToken"], params["progress"]) for params in told] == [("p", 2), ("p", 3), ("p", 4)]


def test_progress_is_reported_for_errors_too() -> None:
    async def fails_late(request: HttpRequest) -> Any:
        await anyio.sleep(2.5)
        raise Timeout("late", outcome_unknown=True)

    assert len(notified(fails_late, progress_token=0)) == 1


def test_nothing_is_reported_of_a_short_call_or_without_a_token() -> None:
    assert notified(slowly(1.9), progress_token="p") == []
    assert notified(slowly(30)) == []


def test_every_message_leaves_one_record_without_its_arguments() -> None:
    records: list[CallRecord] = []
    built = gateway(
        ScriptedApi(ok(), ok(b'{"detail":"gone"}', 410), Unreachable("x", outcome_unknown=False)), records=records
    )
    for asked in (*[call()] * 3, call(name="other"), call(method="ping"), call(method="resources/read")):
        answered(built, asked)
    assert [(one.outcome, one.error, one.status, one.tool, one.api) for one in records] == [
        ("ok", "", 200, "get_pet", "pets"),
        ("tool_error", "", 410, "get_pet", "pets"),
        ("tool_error", "Unreachable", None, "get_pet", "pets"),
        ("protocol_error", "-32602", None, "", ""),
        ("ok", "", None, "", ""),
        ("protocol_error", "-32002", None, "", ""),
    ]
    assert all(one.request_bytes == 9 and one.response_bytes > 0 and one.seconds >= 0 for one in records)


def test_a_record_says_what_the_result_costs_and_what_is_wrong_with_it() -> None:
    records: list[CallRecord] = []
    steps = (ok(b'{"id":5}'), ok(b'{"id":"five"}'), ok(b'{"id":5,"tags":[%b1]}' % (b"1," * 4_000)), ok(b"", 404))
    built = gateway(ScriptedApi(*steps), filterable(), records=records, result_budget_bytes=1_000)
    for _ in steps:
        answered(built, call(name="list_pets", arguments={}))
    assert [(one.truncated, one.mismatch) for one in records] == [
        (False, False),
        (False, True),
        (True, False),
        (False, False),
    ]
    assert [one.result_tokens for one in records[:2]] == [2, 3]
    assert 250 < records[2].result_tokens < 350


async def replaced(built: Gateway, *tools: Tool, authorize: Authorize = unchanged) -> None:
    await built.replace(ToolCatalog(apis=(), tools={one.name: one for one in tools}, skipped=()), authorize)


def test_a_call_in_flight_ends_with_the_tool_and_the_checks_that_it_began_with() -> None:
    asked, release = anyio.Event(), anyio.Event()

    async def answer_later(request: HttpRequest) -> HttpResponse:
        asked.set()
        await release.wait()
        return ok(b'{"id":"five"}')

    def checked(kind: str) -> Tool:
        schema = msgspec.Raw(b'{"type":"object","properties":{"id":{"type":"%b"}}}' % kind.encode())
        return msgspec.structs.replace(tool(), output=OutputContract(schema=schema, wrapped=False))

    api = ScriptedApi(answer_later, ok(b'{"id":"five"}'))
    built = gateway(api, checked("integer"))

    async def main() -> list[bytes]:
        answers = []

        async def first() -> None:
            answers.append(b"".join(await built.answer(call(), "http")))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(first)
            await asked.wait()
            await replaced(built, checked("string"))
            answers.append(b"".join(await built.answer(call(), "http")))
            release.set()
        return answers

    answers = trio.run(main)  # by the real clock: another waits for no thread
    second, first = (msgspec.json.decode(answer)["result"]["structuredContent"] for answer in answers)
    assert (list(first), second) == (["undocumented"], {"id": "five"})


def test_from_a_reload_on_there_are_the_new_tools_with_the_new_credentials() -> None:
    api = ScriptedApi()
    built = gateway(api, tool("old"))

    def sign(request: HttpRequest, *_: object) -> HttpRequest:
        return msgspec.structs.replace(request, headers=(("Authorization", "new"),))

    trio.run(lambda: replaced(built, tool("new"), authorize=sign))
    assert answered(built, call(name="old"))["error"]["code"] == -32602
    assert answered(built, call(method="prompts/get", name="use_old"))["error"]["code"] == -32602
    for method, member, name in (("tools/list", "tools", "new"), ("prompts/list", "prompts", "use_new")):
        assert [one["name"] for one in answered(built, call(method=method))["result"][member]] == [name]
    answered(built, call(name="new"))
    assert api.requests[-1].headers == (("Authorization", "new"),)


class Walked(dict[str, Tool]):
    """Writes down which threads go through all of it."""

    def __init__(self, *tools: Tool) -> None:
        super().__init__({one.name: one for one in tools})
        self.threads: set[int] = set()

    def items(self) -> Any:
        self.threads.add(get_ident())
        return super().items()

    def values(self) -> Any:
        self.threads.add(get_ident())
        return super().values()

    def keys(self) -> Any:
        self.threads.add(get_ident())
        return super().keys()

    def __iter__(self) -> Any:
        self.threads.add(get_ident())
        return super().__iter__()


def test_no_tools_of_a_reload_are_gone_through_on_the_loop() -> None:
    built, listing = gateway(ScriptedApi()), call(method="tools/list")
    served = [Walked(tool("one"), tool("two")), Walked(tool("one"), tool("three"))]
    at_once: list[None] = []

    async def listed() -> list[str]:
        answer = b"".join(await built.answer(listing, "http"))
        return [one["name"] for one in msgspec.json.decode(answer)["result"]["tools"]]

    async def main() -> None:
        await listed()
        for tools in served:
            await built.replace(ToolCatalog(apis=(), tools=tools, skipped=()), unchanged, lambda: at_once.append(None))
            assert await listed() == [*dict.keys(tools)]

    trio.run(main)
    assert at_once == [None, None]
    for tools in served:
        assert tools.threads - {get_ident()}
        assert get_ident() not in tools.threads


@pytest.mark.parametrize(
    ("later", "told"),
    [
        ((tool("get_pet"), tool("more")), 1),
        ((), 1),
        ((tool("get_pet", method="POST"),), 0),
        ((msgspec.structs.replace(tool(), summary="Another"),), 1),
    ],
    ids=["one more", "none", "only how it is called", "only its prompt"],
)
def test_clients_are_told_where_what_they_see_has_changed(later: tuple[Tool, ...], told: int) -> None:
    built = gateway(ScriptedApi())
    heard: list[None] = []
    built.tell_changes(lambda: heard.append(None))
    trio.run(replaced, built, *later)
    assert len(heard) == told


def test_what_is_being_answered_is_in_flight_until_it_is_answered_or_given_up() -> None:
    silence = Silence()
    built = gateway(ScriptedApi(silence))

    async def main() -> list[int]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(built.answer, call(), "http")
            await silence.reached.wait()
            seen = [built.in_flight]
            tasks.cancel_scope.cancel()
        return [*seen, built.in_flight]

    assert run(main) == [1, 0]


def test_the_record_of_a_call_says_how_often_it_was_tried_again() -> None:
    records: list[CallRecord] = []
    gone = Unreachable("x", outcome_unknown=False)
    gone.retries = 2
    built = gateway(ScriptedApi(ok(), msgspec.structs.replace(ok(), retries=1), gone), records=records)
    for _ in range(3):
        answered(built, call())
    assert [one.retries for one in records] == [0, 1, 2]


@pytest.mark.parametrize(
    ("version", "kind"), [("2024-11-05", "resource"), ("2025-03-26", "audio"), ("2026-07-28", "audio")]
)
def test_sound_is_told_to_each_revision_in_what_it_has(version: str, kind: str) -> None:
    sound = HttpResponse(status=200, reason="", headers=(("content-type", "audio/mpeg"),), body=b"\xff\xfb")
    result = answered(gateway(ScriptedApi(sound)), call(version))["result"]
    validate_server_result("tools/call", version, result)
    [content] = result["content"]
    assert content["type"] == kind
    told = content.get("resource", content)
    assert (told["mimeType"], told.get("blob", told.get("data"))) == ("audio/mpeg", "//s=")


def test_a_prompt_without_what_it_needs_is_a_protocol_error_in_words() -> None:
    error = answered(gateway(ScriptedApi()), call(method="prompts/get", arguments={}))["error"]
    assert (error["code"], error["message"]) == (-32602, "missing required arguments: id")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_prompt_of_an_operation_is_answered_at_once(version: str) -> None:
    response = gateway(ScriptedApi()).at_once(call(version, {"id": "5"}, "prompts/get"), "http")
    assert response is not None
    validate_server_result("prompts/get", version, decoded(response)["result"])


def test_a_message_that_is_refused_leaves_a_record_too() -> None:
    records: list[CallRecord] = []
    refused = gateway(ScriptedApi(), records=records).refuse(Rejection(code=-32700, message="not valid JSON"), "stdio")
    assert decoded(refused)["error"] == {"code": -32700, "message": "not valid JSON"}
    assert [(one.method, one.outcome, one.error, one.transport) for one in records] == [
        ("", "protocol_error", "-32700", "stdio")
    ]


def test_a_prompt_is_found_by_its_tools_name_too() -> None:
    asked = call(method="prompts/get", arguments={"id": "5"}, name="get_pet")
    assert "get_pet" in answered(gateway(ScriptedApi()), asked)["result"]["messages"][0]["content"]["text"]


def test_prompts_can_be_turned_off() -> None:
    built = gateway(ScriptedApi(), prompts=False)
    for name in ("get_pet", "use_get_pet"):
        assert answered(built, call(method="prompts/get", name=name))["error"]["code"] == -32602
    assert answered(built, call(method="prompts/list"))["result"]["prompts"] == []


def test_an_unknown_prompt_is_a_protocol_error() -> None:
    assert answered(gateway(ScriptedApi()), call(method="prompts/get", name="x"))["error"]["code"] == -32602


def test_a_prompt_with_a_wrong_argument_is_a_protocol_error() -> None:
    error = answered(gateway(ScriptedApi()), call(method="prompts/get", arguments={"colour": "red"}))["error"]
    assert error["code"] == -32602
    assert "colour" in error["message"]


def test_only_tool_calls_have_to_wait() -> None:
    built = gateway(ScriptedApi())
    assert built.at_once(call(), "http") is None
    assert built.at_once(call(method="tools/list"), "http") is not None


def test_a_batch_is_answered_in_its_order_with_its_calls_side_by_side() -> None:
    batch = Batch(
        (
            call(id="slow"),
            Notification(method="notifications/x"),
            Rejection(id="bad", code=-32600, message="no"),
            call(id="fast"),
        )
    )

    async def main() -> float:
        began = trio.current_time()
        responses = await gateway(ScriptedApi(slowly(3), slowly(1))).answer_all(batch, "http")
        assert [response["id"] for response in decoded(responses)] == ["slow", "bad", "fast"]
        return trio.current_time() - began

    assert run(main) == pytest.approx(3)


def test_a_batch_of_notifications_has_no_answer() -> None:
    async def main() -> Pieces:
        return await gateway(ScriptedApi()).answer_all(Batch((Notification(method="notifications/x"),)), "http")

    assert run(main) == ()


def test_calls_in_flight_with_the_same_id_get_their_own_answers() -> None:
    async def echo(request: HttpRequest) -> Any:
        await anyio.sleep(1)
        return ok(msgspec.json.encode({"path": request.path}))

    built = gateway(ScriptedApi(echo))
    answers: dict[int, bytes] = {}

    async def ask(number: int) -> None:
        answers[number] = b"".join(await built.answer(call(arguments={"id": number}), "http"))

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(ask, number)

    run(main)
    assert all(b"/pets/%d\\" % number in answer for number, answer in answers.items())


@pytest.mark.parametrize("given", [b'{"name":"get_pet","arguments":{"id":%b}}', b'{"name":"get_pet","id":%b}'])
def test_arguments_in_search_mode_are_no_bug_at_any_depth_that_some_reader_has_no_stack_for(given: bytes) -> None:
    records: list[CallRecord] = []
    built, limit = gateway(ScriptedApi(), records=records, mode="search"), sys.getrecursionlimit()

    async def main() -> None:
        for depth in range(limit - 100, limit):
            line = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"call_operation","arguments":%b}}'
            message = from_line(line % (given % (b"[" * depth + b"]" * depth)), "2025-11-25")
            if isinstance(message, Call):
                await built.answer(message, "http")

    run(main)
    assert {record.outcome for record in records} == {"tool_error"}
