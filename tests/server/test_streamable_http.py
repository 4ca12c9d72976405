"""``POST /mcp`` as an ASGI application: what is refused before a message is read, and how answers travel."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from itertools import pairwise
from typing import Any

import anyio
import msgspec
import pytest
import trio
import trio.testing

from asked import META, message
from openapi_mcp_server.bridge.http_messages import HttpRequest, HttpResponse
from openapi_mcp_server.gateway.gateway import Gateway
from openapi_mcp_server.mcp.methods import LEGACY
from openapi_mcp_server.server.access import hosts
from openapi_mcp_server.server.events import QUIET_SECONDS
from openapi_mcp_server.server.posts import BODY_BYTES, BODY_PIECES, BODY_SECONDS
from openapi_mcp_server.server.principals.limits import OF_ONE_ADDRESS
from openapi_mcp_server.server.streamable_http import StreamableHttp, streamable_http
from openapi_mcp_server.server.streams import TEND_SECONDS
from openapi_mcp_server.server.subscribers import SUBSCRIPTIONS
from openapi_mcp_server.server.visitors import Visitors
from scripted import ScriptedApi, Silence, Step, gateway, ok, slowly
from served import VISITORS
from without_socket import Client

CALL = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_pet","arguments":{"id":5}}}'
WITH_TOKEN = CALL.replace(b'"name"', b'"_meta":{"progressToken":"p"},"name"')
HEADERS = {
    "host": "127.0.0.1:8000",
    "accept": "application/json, text/event-stream",
    "content-type": "application/json",
    "mcp-protocol-version": "2025-11-25",
}


ERAS = {
    "legacy": (CALL, {}),
    "modern": (
        CALL.replace(b'"name"', b'"_meta":%b,"name"' % msgspec.json.encode(META)),
        {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "get_pet"},
    ),
}
"""The same call in both, with the headers that differ."""


class Exchange:
    """One request to the application and what it sent back, event by event."""

    def __init__(self, *body: bytes, method: str = "POST", changes: dict[str, str | None] | None = None) -> None:
        headers = HEADERS | (changes or {})
        self.scope: MutableMapping[str, Any] = {
            "path": "/mcp",
            "type": "http",
            "method": method,
            "headers": [(name.encode(), value.encode()) for name, value in headers.items() if value is not None],
            "whole_body": lambda: None,
        }
        self.sent: list[MutableMapping[str, Any]] = []
        self.times: list[float] = []
        self.recycled = False
        self._incoming, self._outgoing = anyio.create_memory_object_stream[MutableMapping[str, Any]](math.inf)
        for piece in body:
            self._incoming.send_nowait({"type": "http.request", "body": piece, "more_body": True})

    def complete(self) -> Exchange:
        self._incoming.send_nowait({"type": "http.request", "body": b"", "more_body": False})
        return self

    def disconnect(self) -> None:
        self._incoming.send_nowait({"type": "http.disconnect"})

    async def with_app(self, app: StreamableHttp) -> Exchange:
        async def send(event: MutableMapping[str, Any]) -> None:
            await anyio.lowlevel.checkpoint()
            self.sent.append(event)
            self.times.append(trio.current_time())
            if event["type"] == "http.response.body" and not event.get("more_body"):
                self.disconnect()  # as hypercorn does within the last send, before it readies the connection
                await anyio.sleep(1)
                self.recycled = True

        with self._incoming, self._outgoing, trio.CancelScope() as answering:
            self.scope["abandon"] = answering.cancel
            await app(self.scope, self._outgoing.receive, send)
        return self

    @property
    def status(self) -> int:
        return self.sent[0]["status"]

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(event["body"] for event in self.sent[1:])

    @property
    def message(self) -> dict[str, Any]:
        return msgspec.json.decode(self.body)

    @property
    def messages(self) -> list[dict[str, Any]]:
        """Those of an event stream."""
        lines = self.body.decode().splitlines()
        return [msgspec.json.decode(line[6:]) for line in lines if line.startswith("data: ")]


Main = Callable[[StreamableHttp], Awaitable[Any]]


def run(main: Main, built: Gateway | None = None, *, draining: bool = False, idle: float = 0.0) -> Any:
    """On a clock that jumps when nothing happens for ``idle`` seconds: what a thread does is nothing to it."""

    async def served() -> Any:
        visitors = Visitors(hosts.hosts(hosts.LOOPBACK_HOSTS), hosts.origins(hosts.LOOPBACK_ORIGINS))
        async with streamable_http(built or gateway(ScriptedApi()), visitors, draining=lambda: draining) as app:
            return await main(app)

    return trio.run(served, clock=trio.testing.MockClock(autojump_threshold=idle))


def post(
    body: bytes = CALL,
    built: Gateway | None = None,
    *,
    draining: bool = False,
    idle: float = 0.0,
    **changes: str | None,
) -> Exchange:
    headers = {name.replace("_", "-"): value for name, value in changes.items()}
    return run(Exchange(body, changes=headers).complete().with_app, built, draining=draining, idle=idle)


def test_a_call_is_answered_with_json_and_its_length() -> None:
    exchange = post()
    assert exchange.status == 200
    assert exchange.headers == {"content-type": "application/json", "content-length": str(len(exchange.body))}
    assert exchange.message["result"]["content"][0]["text"] == '{"id":5}'


def test_a_notification_is_accepted_without_a_body() -> None:
    exchange = post(b'{"jsonrpc":"2.0","method":"notifications/initialized"}')
    assert (exchange.status, exchange.headers, exchange.body) == (202, {"content-length": "0"}, b"")


def test_a_batch_is_answered_as_an_array() -> None:
    exchange = post(b"[" + CALL + b"," + CALL.replace(b'"id":1', b'"id":2') + b"]", mcp_protocol_version="2025-03-26")
    assert [response["id"] for response in msgspec.json.decode(exchange.body)] == [1, 2]


def test_a_batch_of_notifications_is_accepted_without_a_body() -> None:
    exchange = post(b'[{"jsonrpc":"2.0","method":"notifications/initialized"}]', mcp_protocol_version=None)
    assert (exchange.status, exchange.body) == (202, b"")


def test_a_rejected_message_has_the_status_of_its_fault() -> None:
    assert (post(b"{").status, post(b"{").message["error"]["code"]) == (400, -32700)


def test_no_session_is_made_and_a_foreign_one_is_ignored() -> None:
    exchange = post(mcp_session_id="made-up-by-the-platform")
    assert exchange.status == 200
    assert "mcp-session-id" not in exchange.headers


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"host": "localhost"}, 200),
        ({"host": "LOCALHOST:8000"}, 200),
        ({"host": "[::1]:8000"}, 200),
        ({"host": "evil.example.com"}, 421),
        ({"host": "localhost.evil.example.com"}, 421),
        ({"host": "localhost:8000.evil.example.com"}, 421),
        ({"host": "localhost@evil.example.com"}, 421),
        ({"host": "localhost, evil.example.com"}, 421),
        ({"host": "127.0.0.1.:8000"}, 421),
        ({"host": ""}, 421),
        ({"host": None}, 421),
        ({"origin": "http://localhost:3000"}, 200),
        ({"origin": "http://evil.example.com"}, 403),
        ({"origin": "http://localhost"}, 200),
        ({"origin": "https://127.0.0.1:8443"}, 200),
        ({"origin": "http://localhost.evil.example.com"}, 403),
        ({"origin": "http://localhost@evil.example.com"}, 403),
        ({"origin": "http://localhost:80:80"}, 403),
        ({"origin": "ftp://localhost"}, 403),
        ({"origin": "localhost"}, 403),
        ({"origin": ""}, 403),
        ({"origin": "null"}, 403),
        ({"content-type": "application/json; charset=UTF-8"}, 200),
        ({"content-type": "application/json; charset=latin-1"}, 415),
        ({"content-type": "Application/JSON"}, 200),
        ({"content-type": "application/json; odata=verbose"}, 200),
        ({"content-type": "application/json-seq"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": None}, 415),
        ({"content-encoding": "gzip"}, 415),
        ({"accept": None}, 200),
        ({"accept": "*/*"}, 200),
        ({"accept": "application/json"}, 200),
        ({"accept": "APPLICATION/JSON;q=0.5, text/event-stream"}, 200),
        ({"accept": "text/event-stream"}, 200),
        ({"accept": "application/*"}, 200),
        ({"accept": "text/*"}, 200),
        ({"accept": "application/json;q=0"}, 406),
        ({"accept": "text/html"}, 406),
        ({"accept": ""}, 406),
        ({"expect": "100-Continue"}, 200),
        ({"expect": "a-pony"}, 417),
        ({"content-length": str(BODY_BYTES + 1)}, 413),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else " ".join(f"{k}={v}" for k, v in value.items()),
)
@pytest.mark.parametrize("era", ERAS)
def test_the_headers_decide_before_the_message(changes: dict[str, str | None], status: int, era: str) -> None:
    body, headers = ERAS[era]
    exchange = run(Exchange(body, changes=headers | changes).complete().with_app)
    assert exchange.status == status
    if status != 200:
        assert exchange.message["error"]["code"] == -32600
        assert exchange.headers["connection"] == "close"


@pytest.mark.parametrize(
    ("changes", "code", "status"),
    [
        ({}, None, 200),
        ({"mcp-protocol-version": "2025-11-25"}, -32020, 400),
        ({"mcp-protocol-version": None}, -32020, 400),
        ({"mcp-protocol-version": ""}, -32020, 400),
        ({"mcp-method": None}, -32020, 400),
        ({"mcp-method": "ping"}, -32020, 400),
        ({"mcp-name": None}, -32020, 400),
        ({"mcp-name": "=?base64?Z2V0X3BldA==?="}, None, 200),
        ({"mcp-name": "=?base64?Z2V0X3BldHM=?="}, -32020, 400),
        ({"mcp-session-id": "foreign"}, None, 200),
        ({"last-event-id": "7"}, None, 200),
    ],
    ids=lambda value: " ".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else str(value),
)
def test_the_headers_of_2026_07_28_must_repeat_the_body(
    changes: dict[str, str | None], code: int | None, status: int
) -> None:
    body, headers = ERAS["modern"]
    exchange = run(Exchange(body, changes=headers | changes).complete().with_app)
    assert (exchange.status, exchange.message.get("error", {}).get("code")) == (status, code)


@pytest.mark.parametrize(
    ("version", "code", "status"),
    [
        *[(version, None, 200) for version in (None, *LEGACY)],
        ("2024-10-07", -32022, 400),
        ("2026-07-29", -32022, 400),
        ("DRAFT", -32022, 400),
        ("", -32022, 400),
        ("2026-07-28", -32602, 400),  # whose requests say so in themselves, too
    ],
)
def test_the_version_header_decides_the_era_of_a_message_that_names_none(
    version: str | None, code: int | None, status: int
) -> None:
    exchange = post(mcp_protocol_version=version)
    assert (exchange.status, exchange.message.get("error", {}).get("code")) == (status, code)


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "HEAD", "OPTIONS"])
def test_only_post_is_served(method: str) -> None:
    exchange = run(Exchange(method=method).complete().with_app)
    assert (exchange.status, exchange.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("size", [BODY_BYTES, BODY_BYTES + 1])
def test_a_body_may_have_its_limit_and_not_a_byte_more(size: int) -> None:
    pieces = [b" " * min(65536, size - at) for at in range(0, size, 65536)]
    exchange = run(Exchange(*pieces).complete().with_app, idle=0.5)
    assert exchange.status == (400 if size == BODY_BYTES else 413)


@pytest.mark.parametrize("pieces", [BODY_PIECES - 1, BODY_PIECES])
def test_a_body_that_comes_in_crumbs_is_refused(pieces: int) -> None:
    exchange = run(Exchange(CALL, *[b" "] * (pieces - 1)).complete().with_app)
    assert exchange.status == (200 if pieces < BODY_PIECES else 413)


def test_a_body_that_does_not_arrive_is_given_up() -> None:
    async def main(app: StreamableHttp) -> None:
        exchange = await Exchange(CALL[:10]).with_app(app)
        assert exchange.status == 408
        assert exchange.times[0] == pytest.approx(began + BODY_SECONDS, abs=0.1)

    began = 0.0

    async def timed(app: StreamableHttp) -> None:
        nonlocal began
        began = trio.current_time()
        await main(app)

    run(timed)


def test_a_client_that_leaves_within_its_body_gets_nothing() -> None:
    async def main(app: StreamableHttp) -> None:
        exchange = Exchange(CALL[:10])
        exchange.disconnect()
        assert (await exchange.with_app(app)).sent == []

    run(main)


def test_answers_close_their_connection_while_the_server_drains() -> None:
    assert post(draining=True).headers["connection"] == "close"
    assert post(b"{", draining=True).headers["connection"] == "close"


def test_a_client_that_leaves_cancels_its_call_within_a_second() -> None:
    silence = Silence()

    async def main(app: StreamableHttp) -> float:
        exchange = Exchange(CALL).complete()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(exchange.with_app, app)
            await silence.reached.wait()
            began = trio.current_time()
            exchange.disconnect()
            await silence.cancelled.wait()
        assert exchange.sent == []
        return trio.current_time() - began

    assert run(main, gateway(ScriptedApi(silence))) < 1


@pytest.mark.parametrize(("seconds", "asks"), [(0.1, 1), (0.3, 2)])
def test_only_a_call_that_takes_a_while_is_watched(seconds: float, asks: int) -> None:
    """A task that watches its client costs as much as a third of a call."""

    async def main(app: StreamableHttp) -> int:
        exchange = Exchange(changes={"content-length": str(len(CALL))})
        asked = 0

        async def receive() -> MutableMapping[str, Any]:
            nonlocal asked
            asked += 1
            return {"type": "http.request", "body": CALL} if asked == 1 else await trio.sleep_forever()

        async def send(event: MutableMapping[str, Any]) -> None:
            exchange.sent.append(event)

        with exchange._incoming, exchange._outgoing:
            await app(exchange.scope | {"abandon": None}, receive, send)
        assert exchange.status == 200
        return asked

    assert run(main, gateway(ScriptedApi(slowly(seconds)))) == asks


def test_a_client_that_leaves_after_a_while_cancels_its_call_at_once() -> None:
    silence = Silence()

    async def main(app: StreamableHttp) -> None:
        exchange = Exchange(CALL).complete()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(exchange.with_app, app)
            await anyio.sleep(40)
            exchange.disconnect()
            await silence.cancelled.wait()
            assert trio.current_time() == pytest.approx(began + 40)

    began = 0.0

    async def timed(app: StreamableHttp) -> None:
        nonlocal began
        began = trio.current_time()
        await main(app)

    run(timed, gateway(ScriptedApi(silence)))


@pytest.mark.parametrize("body", [CALL, WITH_TOKEN], ids=["JSON", "events"])
@pytest.mark.parametrize("seconds", [0.0, 0.3, 5.0])
def test_the_end_of_a_response_is_not_taken_for_a_client_that_left(seconds: float, body: bytes) -> None:
    exchange = post(body, gateway(ScriptedApi(slowly(seconds))))
    assert exchange.recycled


def streamed(step: Step, body: bytes = CALL, *, idle: float = 0.0, **changes: str | None) -> Exchange:
    return post(body, gateway(ScriptedApi(step)), idle=idle, **changes)


def test_progress_makes_the_answer_an_event_stream() -> None:
    exchange = streamed(slowly(3.5), WITH_TOKEN)
    assert exchange.headers["content-type"] == "text/event-stream"
    assert exchange.headers["cache-control"] == "no-store"
    assert exchange.headers["x-accel-buffering"] == "no"
    assert [message.get("method", "answer") for message in exchange.messages] == [
        "notifications/progress",
        "notifications/progress",
        "answer",
    ]


def test_an_event_ends_with_a_blank_line_and_nothing_else_has_one() -> None:
    body = streamed(slowly(2.5), WITH_TOKEN).body
    assert body.startswith(b"event: message\ndata: {")
    assert body.endswith(b"}\n\n")
    assert body.count(b"\n\n") == 2


def test_silence_is_broken_by_comments_so_that_no_proxy_gives_up() -> None:
    exchange = streamed(slowly(50))
    assert exchange.headers["content-type"] == "text/event-stream"
    assert exchange.body.count(b"\n\n: ") + exchange.body.startswith(b": ") == 3
    gaps = [later - earlier for earlier, later in zip(exchange.times[1:], exchange.times[2:], strict=False)]
    assert max(gaps) <= QUIET_SECONDS + 0.1
    assert exchange.messages[-1]["result"]["content"][0]["text"] == '{"id":5}'


def test_an_answer_that_has_become_a_stream_is_no_longer_than_clients_read() -> None:
    picture = HttpResponse(status=200, reason="", headers=(("content-type", "image/png"),), body=b"x" * 2_000_000)

    async def late(_: HttpRequest) -> HttpResponse:
        await anyio.sleep(QUIET_SECONDS + 1)
        return picture

    told = streamed(late, idle=0.02).messages[-1]["result"]["content"]
    assert [each["type"] for each in told] == ["text", "text"]
    [at_once] = msgspec.json.decode(streamed(picture, idle=0.5).body)["result"]["content"]
    assert at_once["type"] == "image"


def listening(accept: str = "text/event-stream", address: str = "127.0.0.1") -> Exchange:
    """A subscription of 2026-07-28 to the list of tools."""
    asked = message("subscriptions/listen", "s", _meta=META, notifications={"toolsListChanged": True})
    headers = {"accept": accept, "mcp-protocol-version": "2026-07-28", "mcp-method": "subscriptions/listen"}
    exchange = Exchange(asked, changes=headers).complete()
    exchange.scope["client"] = (address, 1)
    return exchange


@pytest.mark.parametrize("accept", ["*/*", "application/json, text/*"])
def test_a_client_that_takes_anything_can_listen(accept: str) -> None:
    async def main(app: StreamableHttp) -> None:
        exchange = listening(accept)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(exchange.with_app, app)
            await anyio.sleep(1)
            exchange.disconnect()
        assert (exchange.status, exchange.headers["content-type"]) == (200, "text/event-stream")

    run(main)


def test_the_silence_of_a_subscription_is_broken_by_comments_so_that_no_proxy_gives_up() -> None:
    async def main(app: StreamableHttp) -> list[float]:
        exchange = listening()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(exchange.with_app, app)
            await anyio.sleep(10 * QUIET_SECONDS - 1)
            exchange.disconnect()
        assert exchange.body.count(b"\n\n: ") == 9
        return exchange.times[1:]

    times = run(main)
    assert max(later - earlier for earlier, later in pairwise(times)) <= QUIET_SECONDS + TEND_SECONDS


def test_one_address_leaves_subscriptions_to_others() -> None:
    async def main(app: StreamableHttp) -> None:
        of_one = SUBSCRIPTIONS * OF_ONE_ADDRESS // 8
        exchanges = [listening() for _ in range(of_one)]
        async with anyio.create_task_group() as tasks:
            for exchange in exchanges:
                tasks.start_soon(exchange.with_app, app)
            await anyio.sleep(1)
            refused = await listening().with_app(app)
            assert (refused.status, refused.headers["retry-after"]) == (429, "5")
            other = listening(address="127.0.0.2")
            tasks.start_soon(other.with_app, app)
            await anyio.sleep(1)
            for exchange in [*exchanges, other]:
                assert exchange.status == 200
                exchange.disconnect()

    run(main)


def test_subscriptions_are_limited_in_all_and_those_that_leave_make_room() -> None:
    async def main(app: StreamableHttp) -> None:
        exchanges = [listening(address=f"127.0.0.{number % 2}") for number in range(SUBSCRIPTIONS)]
        async with anyio.create_task_group() as tasks:
            for exchange in exchanges:
                tasks.start_soon(exchange.with_app, app)
            await anyio.sleep(1)
            refused = await listening().with_app(app)
            assert (refused.status, refused.message["id"]) == (503, "s")
            exchanges[0].disconnect()
            await anyio.sleep(1)
            exchanges[0] = listening()
            tasks.start_soon(exchanges[0].with_app, app)
            await anyio.sleep(1)
            for exchange in exchanges:
                assert exchange.status == 200
                exchange.disconnect()

    run(main)


@pytest.mark.parametrize("accept", ["application/json", "*/*"])
def test_a_client_that_asks_for_no_events_gets_json_however_long_it_takes(accept: str) -> None:
    exchange = streamed(slowly(50), WITH_TOKEN, accept=accept)
    assert exchange.headers["content-type"] == "application/json"
    assert exchange.message["result"]["content"][0]["text"] == '{"id":5}'


def test_a_client_that_takes_events_only_gets_events() -> None:
    exchange = post(accept="text/event-stream")
    assert exchange.headers["content-type"] == "text/event-stream"
    assert exchange.messages[0]["result"]["content"][0]["text"] == '{"id":5}'


def test_a_slow_reader_is_not_sent_a_comment_into_its_json() -> None:
    """The response has begun as JSON: what the watcher would say has no place in it any more."""

    async def main(app: StreamableHttp) -> list[str]:
        exchange = Exchange(CALL).complete()
        types: list[str] = []

        async def send(event: MutableMapping[str, Any]) -> None:
            types.append(event["type"])
            await anyio.sleep(2 * QUIET_SECONDS)
            if len(types) == 2:
                exchange.disconnect()

        await app(exchange.scope | {"abandon": None}, exchange._outgoing.receive, send)
        exchange._incoming.close()
        exchange._outgoing.close()
        return types

    assert run(main, gateway(ScriptedApi(slowly(1)))) == ["http.response.start", "http.response.body"]


def test_many_exchanges_at_once_get_their_own_answers_whatever_their_ids() -> None:
    async def echo(request: Any) -> Any:
        await anyio.sleep(1)
        return ok(msgspec.json.encode({"path": request.path}))

    exchanges = {n: Exchange(CALL.replace(b'"id":5', b'"id":%d' % n)).complete() for n in range(50)}

    async def main(app: StreamableHttp) -> None:
        async with anyio.create_task_group() as tasks:
            for exchange in exchanges.values():
                tasks.start_soon(exchange.with_app, app)

    run(main, gateway(ScriptedApi(echo)))
    for number, exchange in exchanges.items():
        assert exchange.message["id"] == 1
        assert f"/pets/{number}" in _texts(exchange)


def _texts(exchange: Exchange) -> Iterable[str]:
    return msgspec.json.decode(exchange.message["result"]["content"][0]["text"]).values()


@pytest.mark.parametrize("is_taken", [True, False])
def test_a_call_is_told_of_when_its_answer_is_on_the_way_and_also_if_nobody_takes_it(is_taken: bool) -> None:
    order: list[str] = []

    class Slow(Client):
        async def _send(self, event: MutableMapping[str, Any]) -> None:
            order.append(event["type"])
            if not is_taken and "body" in event:
                await trio.sleep_forever()

    async def main() -> None:
        built = gateway(ScriptedApi(), observe=lambda record: order.append(record.outcome))
        async with streamable_http(built, VISITORS, lambda: False) as app:
            with trio.move_on_after(1):
                await Slow(app, "x").ask(CALL)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert order == ["http.response.start", "http.response.body", "ok"]
