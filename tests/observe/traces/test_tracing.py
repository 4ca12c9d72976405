"""Spans of calls through the gateway: what they are called, what they say, whose children they are."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest
import trio
import trio.testing
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from clocks import run
from openapi_mcp_server.bridge.http_messages import HttpRequest, HttpResponse
from openapi_mcp_server.bridge.origins import Origin
from openapi_mcp_server.errors import Timeout
from openapi_mcp_server.mcp.inbound import Call
from openapi_mcp_server.observe.record import CallRecord
from openapi_mcp_server.observe.trace import NO_CARRIER, Carrier
from openapi_mcp_server.observe.traces import sampling
from openapi_mcp_server.upstream.credentials.requests import Pending
from records import record
from scripted import ScriptedApi, Silence, Step, gateway, ok, slowly, tool
from traced import Seen, call, parent_id, recorded

TRACE, SPAN = 0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7
W3C = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
UNSAMPLED = W3C[:-2] + "00"
OTHER = "00-11111111111111111111111111111111-2222222222222222-01"


def asked(arguments: object = None, **more: Any) -> Call:
    return msgspec.structs.replace(call(**more), arguments=msgspec.Raw(msgspec.json.encode(arguments or {"id": 5})))


def answered(
    *steps: Step, message: Call | None = None, carrier: Carrier = NO_CARRIER, seen: Seen | None = None, **more: Any
) -> tuple[tuple[ReadableSpan, ...], ScriptedApi, CallRecord]:
    """The spans of one call, what the API was asked, and the record."""
    seen, api, records = seen or Seen(), ScriptedApi(*steps), []
    built = gateway(api, records=records, trace=seen.tracer.begin, **more)
    run(lambda: built.answer(message or asked(), "http", None, carrier))
    spans = seen.spans()
    return (spans[0] if spans else ()), api, records[0]


def test_a_call_is_a_span_and_what_it_asks_of_the_api_another_inside() -> None:
    (request, upstream), _, _ = answered(ok())
    assert (request.name, request.kind) == ("tools/call get_pet", SpanKind.SERVER)
    assert dict(request.attributes or {}) == {
        "mcp.method.name": "tools/call",
        "mcp.protocol.version": "2025-11-25",
        "jsonrpc.request.id": "1",
        "network.transport": "tcp",
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "get_pet",
    }
    assert (upstream.name, upstream.kind) == ("GET /pets/{id}", SpanKind.CLIENT)
    assert dict(upstream.attributes or {}) == {
        "http.request.method": "GET",
        "url.scheme": "https",
        "server.address": "api.example.com",
        "server.port": 443,
        "url.template": "/pets/{id}",
        "http.response.status_code": 200,
    }
    assert upstream.parent == request.context
    assert upstream.context.trace_id == request.context.trace_id
    assert (request.status.status_code, upstream.status.status_code) == (StatusCode.UNSET, StatusCode.UNSET)


def test_the_span_of_a_request_lies_within_that_of_its_call() -> None:
    before = time.time_ns()
    (request, upstream), _, kept = answered(ok())
    assert before <= request.start_time <= upstream.start_time <= upstream.end_time <= request.end_time
    assert request.end_time - request.start_time == int(kept.seconds * 1e9)
    assert upstream.end_time - upstream.start_time == int(kept.upstream_seconds * 1e9)


def test_the_path_of_the_base_is_in_the_template_and_no_value_is_in_any_span() -> None:
    one = msgspec.structs.replace(tool(), path=("/v1/pets/", 0), origin=Origin("http", "10.0.0.1", 8080))
    seen, api = Seen(), ScriptedApi(ok())
    built = gateway(api, one, trace=seen.tracer.begin)
    run(lambda: built.answer(asked({"id": 98765}), "http"))
    [(request, upstream)] = seen.spans()
    assert upstream.attributes["url.template"] == "/v1/pets/{id}"
    assert "98765" not in request.to_json() + upstream.to_json()


@pytest.mark.parametrize(
    ("step", "kind", "upstream_kind", "status"),
    [
        (ok(b"{}", 404), "tool_error", "404", 404),
        (ok(b"{}", 503), "tool_error", "503", 503),
        (Timeout("no answer", outcome_unknown=True), "tool_error", "Timeout", None),
        (RuntimeError("a bug"), "-32603", "internal_error", None),
    ],
)
def test_what_went_wrong_is_named_as_the_conventions_do(
    step: Step, kind: str, upstream_kind: str, status: int | None
) -> None:
    (request, upstream), _, _ = answered(step)
    assert request.attributes["error.type"] == kind
    assert upstream.attributes["error.type"] == upstream_kind
    assert upstream.attributes.get("http.response.status_code") == status
    assert {request.status.status_code, upstream.status.status_code} == {StatusCode.ERROR}
    assert "a bug" not in request.to_json() + upstream.to_json()


def test_attempts_of_a_call_are_one_span_that_counts_them() -> None:
    (_, upstream), _, _ = answered(msgspec.structs.replace(ok(), retries=2))
    assert upstream.attributes["http.request.resend_count"] == 2


class Expired:
    """A login whose credentials take a moment, and are refused once."""

    is_last = False

    async def applied(self, request: HttpRequest) -> tuple[HttpRequest, object]:
        until = time.perf_counter() + 0.003
        while time.perf_counter() < until:
            await trio.lowlevel.checkpoint()
        return request, None

    async def renewed(self, _: object, answer: HttpResponse) -> bool:
        return answer.status == 401


def with_expired(request: HttpRequest, _: object, __: Carrier) -> Pending:
    return Pending(request, [Expired()])


def test_a_request_that_is_sent_again_with_fresh_credentials_is_of_the_same_span_within_the_calls() -> None:
    (request, upstream), api, kept = answered(ok(b"{}", 401), ok(), authorize=with_expired)
    told = {dict(sent.headers)["traceparent"] for sent in api.requests}
    assert (len(api.requests), told) == (2, {f"00-{request.context.trace_id:032x}-{upstream.context.span_id:016x}-01"})
    assert request.start_time <= upstream.start_time <= upstream.end_time <= request.end_time
    assert upstream.attributes["http.request.resend_count"] == kept.retries == 1


def test_the_time_of_the_api_is_without_that_in_which_credentials_are_fetched() -> None:
    _, _, kept = answered(ok(), authorize=with_expired)
    assert kept.seconds - kept.upstream_seconds >= 0.003


def test_a_call_that_sent_nothing_has_one_span() -> None:
    (request,), api, _ = answered(message=asked({"id": "x"}))
    assert (request.attributes["error.type"], api.requests) == ("tool_error", [])


def test_a_tool_that_a_client_made_up_is_in_no_name() -> None:
    (request,), _, _ = answered(message=asked(name="made_up"))
    assert request.name == "tools/call"
    assert request.attributes["rpc.response.status_code"] == request.attributes["error.type"] == "-32602"
    assert "made_up" not in request.to_json()


def test_a_call_whose_client_leaves_is_recorded_as_cancelled() -> None:
    seen, silence = Seen(), Silence()
    built = gateway(ScriptedApi(silence), trace=seen.tracer.begin)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(built.answer, asked(), "http")
            await silence.reached.wait()
            nursery.cancel_scope.cancel()

    run(main)
    [(request, upstream)] = seen.spans()
    assert request.attributes["error.type"] == upstream.attributes["error.type"] == "cancelled"


@pytest.mark.parametrize(
    ("method", "name", "span"),
    [
        ("initialize", "", "initialize"),
        ("tools/list", "", "tools/list"),
        ("prompts/get", "use_get_pet", "prompts/get use_get_pet"),
        ("prompts/get", "made_up", "prompts/get"),
        ("ping", "", None),
    ],
)
def test_every_request_but_ping_has_a_span(method: str, name: str, span: str | None) -> None:
    spans, _, _ = answered(message=asked({"id": "5"}, method=method, name=name))
    assert [one.name for one in spans] == ([span] if span else [])


def test_a_stream_of_progress_makes_no_more_spans() -> None:
    seen = Seen()
    built = gateway(ScriptedApi(slowly(30)), trace=seen.tracer.begin)
    events = []

    async def notify(event: bytes) -> None:
        events.append(event)

    run(lambda: built.answer(msgspec.structs.replace(asked(), progress_token="p"), "sse", notify))
    [spans] = seen.spans()
    assert (len(events) > 10, len(spans)) == (True, 2)


@pytest.mark.parametrize(
    ("meta", "headers", "trace", "parent"),
    [
        ({}, {"traceparent": W3C}, TRACE, SPAN),
        ({"traceparent": W3C}, {}, TRACE, SPAN),
        ({"traceparent": W3C}, {"traceparent": OTHER}, TRACE, SPAN),
        ({}, {"amzn_trace_id": "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736"}, TRACE, None),
    ],
)
def test_a_span_continues_the_trace_of_its_caller(
    meta: dict[str, str], headers: dict[str, str], trace: int, parent: int | None
) -> None:
    (request, upstream), _, kept = answered(message=asked(**meta), carrier=Carrier(**headers))
    assert (request.context.trace_id, parent_id(request)) == (trace, parent)
    assert (upstream.context.trace_id, kept.trace_id) == (trace, f"{trace:032x}")
    assert request.parent is None or request.parent.is_remote


@pytest.mark.parametrize(
    ("meta", "header", "links"), [(W3C, OTHER, 1), (W3C, W3C, 0), (W3C, "", 0), ("", OTHER, 0), ("nonsense", OTHER, 0)]
)
def test_the_trace_of_what_carried_the_message_is_linked_where_it_is_another(
    meta: str, header: str, links: int
) -> None:
    (request, _), _, _ = answered(message=asked(traceparent=meta), carrier=Carrier(traceparent=header))
    assert [link.context.span_id for link in request.links] == [0x2222222222222222] * links


def test_the_api_is_told_the_span_that_asks_it() -> None:
    (request, upstream), api, _ = answered(message=asked(traceparent=W3C, tracestate="a=1"))
    headers = dict(api.requests[0].headers)
    trace, span = f"{request.context.trace_id:032x}", f"{upstream.context.span_id:016x}"
    assert headers["traceparent"] == f"00-{trace}-{span}-01"
    assert headers["tracestate"] == "a=1"
    assert headers["X-Amzn-Trace-Id"] == f"Root=1-{trace[:8]}-{trace[8:]};Parent={span};Sampled=1"


@pytest.mark.parametrize(
    ("traceparent", "decide", "sampler", "is_recorded"),
    [
        (W3C, sampling.never, "parentbased_always_off", True),
        (UNSAMPLED, sampling.always, "parentbased_always_on", False),
        (W3C, sampling.never, "always_off", False),
        (UNSAMPLED, sampling.always, "always_on", True),
        ("", sampling.never, "parentbased_always_off", False),
        ("", sampling.always, "parentbased_always_on", True),
        (W3C, sampling.never, "xray", True),
        (UNSAMPLED, sampling.always, "xray", False),
    ],
)
def test_the_callers_decision_holds_unless_the_sampler_is_told_to_decide(
    traceparent: str, decide: sampling.Decide, sampler: str, is_recorded: bool
) -> None:
    seen = Seen(decide=decide, OTEL_TRACES_SAMPLER=sampler)
    spans, api, kept = answered(message=asked(traceparent=traceparent), seen=seen)
    assert (len(spans), kept.trace_id != "") == ((2, True) if is_recorded else (0, False))
    assert dict(api.requests[0].headers)["traceparent"].endswith("-01" if is_recorded else "-00")


def test_a_decision_that_is_left_to_us_is_made_here() -> None:
    header = "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=?"
    for decide, count in ((sampling.always, 2), (sampling.never, 0)):
        spans, _, _ = answered(carrier=Carrier(amzn_trace_id=header), seen=Seen(decide=decide))
        assert len(spans) == count


def test_a_trace_that_begins_here_has_an_id_that_x_ray_can_date() -> None:
    (request, _), _, _ = answered(ok())
    assert abs((request.context.trace_id >> 96) - time.time()) < 60


def test_the_resource_says_who_the_service_is() -> None:
    seen = Seen(OTEL_SERVICE_NAME="shop", OTEL_RESOURCE_ATTRIBUTES="deployment.environment=test")
    (request, _), _, _ = answered(seen=seen)
    resource = request.resource.attributes
    assert (resource["service.name"], resource["deployment.environment"]) == ("shop", "test")
    assert resource["telemetry.sdk.language"] == "python"


@pytest.mark.parametrize(
    ("host", "address", "port"),
    [
        ("mcp.example.com", "mcp.example.com", None),
        ("mcp.example.com:8000", "mcp.example.com", 8000),
        ("[::1]:8000", "[::1]", 8000),
        ("[::1]", "[::1]", None),
        ("a:123456", "a:123456", None),
        ("a:²", "a:²", None),
    ],
)
def test_the_host_and_the_port_of_a_request_are_two_attributes(host: str, address: str, port: int | None) -> None:
    (request,) = recorded(Carrier(host=host, path="/mcp"))
    assert (request.attributes["server.address"], request.attributes.get("server.port")) == (address, port)


def test_over_stdio_the_transport_is_a_pipe() -> None:
    [request] = recorded(transport="stdio")
    assert request.attributes["network.transport"] == "pipe"


def test_without_tracing_the_api_is_told_nothing_and_what_a_document_asks_for_is_its_own_business() -> None:
    api = ScriptedApi(ok())
    run(lambda: gateway(api).answer(asked(traceparent=W3C), "http", None, Carrier(traceparent=W3C)))
    assert {name for name, _ in api.requests[0].headers} == {"accept"}


def test_the_record_knows_the_proxys_request() -> None:
    _, _, kept = answered(carrier=Carrier(request_id="abc-123"))
    assert kept.request_id == "abc-123"


def test_a_tracer_says_what_each_exporter_has_dropped() -> None:
    seen = Seen()
    seen.tracer.begin(call(), "http", NO_CARRIER).end(record())
    assert seen.tracer.dropped() == {"kept": 0}
    seen.spans()
