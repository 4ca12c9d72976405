"""Segment documents and the datagrams they go out in, held against what X-Ray asks for."""

from __future__ import annotations

import re
import socket
from typing import Any

import msgspec
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, SpanKind

from openapi_mcp_server.observe.trace import Carrier
from openapi_mcp_server.observe.traces import xray
from openapi_mcp_server.observe.traces.outbox import CallSpans
from openapi_mcp_server.observe.traces.tracing import tracer
from openapi_mcp_server.observe.traces.xray import DATAGRAM_BYTES, HEADER, XRayExporter, datagrams
from openapi_mcp_server.settings.tracing import DaemonAddress
from records import record
from traced import call, recorded, settings
from xray_daemon import check, daemon

RESOURCE = {"service.name": "pets", "service.version": "1.0", "deployment.environment": "test"}
W3C = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def document(spans: CallSpans, origin: str | None = None, resource: dict[str, str] | None = None) -> dict[str, Any]:
    """As it goes out, and as X-Ray takes it."""
    resource = resource or RESOURCE
    whole = xray.document(spans, xray.common(resource, origin), msgspec.Raw(msgspec.json.encode(resource)))
    read = msgspec.json.decode(msgspec.json.encode(whole))
    check(read)
    return dict(read)


def with_request(spans: CallSpans, **attributes: object) -> CallSpans:
    """The same call, as if it had asked an API."""
    asked = {"http.request.method": "GET", "url.scheme": "https", "server.address": "api.example.com"}
    asked |= {"server.port": 443, "url.template": "/v1/pets/{id}"}
    request = spans[0]
    upstream = ReadableSpan(
        name="GET",
        context=SpanContext(request.context.trace_id, 7, is_remote=False),
        parent=request.context,
        attributes={**asked, **attributes},  # type: ignore[arg-type]
        kind=SpanKind.CLIENT,
        start_time=request.start_time,
        end_time=request.end_time,
    )
    return (request, upstream)


def test_a_call_is_a_segment_with_its_request_to_the_api_inside() -> None:
    spans = with_request(recorded(asked=call(traceparent=W3C)), **{"http.response.status_code": 200})
    whole = document(spans, origin="AWS::ECS::Container")
    [inside] = whole["subsegments"]
    assert (whole["name"], whole["origin"], whole["service"]) == ("pets", "AWS::ECS::Container", {"version": "1.0"})
    assert whole["trace_id"] == "1-4bf92f35-77b34da6a3ce929d0e0e4736"
    assert (whole["parent_id"], whole["id"]) == ("00f067aa0ba902b7", f"{spans[0].context.span_id:016x}")
    assert whole["end_time"] - whole["start_time"] == pytest.approx(0.25, abs=1e-5)
    assert (inside["id"], inside["name"], inside["namespace"]) == ("0000000000000007", "api.example.com", "remote")
    assert inside["http"] == {
        "request": {"method": "GET", "url": "https://api.example.com/v1/pets/{id}"},
        "response": {"status": 200},
    }
    assert not {"error", "throttle", "fault", "cause"} & {*whole, *inside}


def test_what_a_trace_is_searched_by_is_an_annotation_and_the_rest_metadata() -> None:
    whole = document(recorded(tool="get_pet"))
    assert whole["annotations"] == {
        "mcp_method_name": "tools/call",
        "mcp_protocol_version": "2025-11-25",
        "network_transport": "tcp",
        "gen_ai_operation_name": "execute_tool",
        "gen_ai_tool_name": "get_pet",
    }
    assert whole["metadata"]["span"] == {"name": "tools/call get_pet", "jsonrpc_request_id": "1"}
    assert whole["metadata"]["resource"] == RESOURCE


@pytest.mark.parametrize(
    ("changes", "path", "response"),
    [
        ({"transport": "http"}, "/mcp", {"response": {"status": 200}}),
        ({"transport": "sse", "outcome": "tool_error"}, "/messages/w0/", {"response": {"status": 202}}),
        ({"outcome": "cancelled"}, "/mcp", {}),
    ],
)
def test_a_call_over_http_is_listed_by_its_address_and_status(
    changes: dict[str, str], path: str, response: dict[str, Any]
) -> None:
    over_http = document(recorded(Carrier(host="mcp.example.com:8080", path=path), **changes))
    assert over_http["http"] == {
        "request": {"method": "POST", "url": f"http://mcp.example.com:8080{path}"},
        **response,
    }
    elsewhere = document(recorded(**changes))
    assert "http" not in elsewhere
    assert over_http["annotations"] == elsewhere["annotations"]


def test_a_trace_that_begins_here_or_at_a_load_balancer_has_no_parent() -> None:
    assert "parent_id" not in document(recorded())
    root = "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736"
    whole = document(recorded(Carrier(amzn_trace_id=root)))
    assert ("parent_id" in whole, whole["trace_id"]) == (False, root[5:])


@pytest.mark.parametrize(
    ("changes", "status", "kind", "flags"),
    [
        ({"outcome": "tool_error"}, 404, "404", {"error"}),
        ({"outcome": "tool_error"}, 429, "429", {"error", "throttle"}),
        ({"outcome": "tool_error"}, 500, "500", {"fault"}),
        ({"outcome": "tool_error"}, None, "Timeout", {"fault"}),
        ({"outcome": "cancelled"}, None, "cancelled", {"error"}),
        ({"outcome": "internal_error", "error": "-32603"}, None, "internal_error", {"fault"}),
        ({"outcome": "tool_error", "error": "ArgumentError"}, "unsent", None, {"error"}),
        ({"outcome": "tool_error", "error": "CredentialError"}, "unsent", None, {"fault"}),
        ({"outcome": "tool_error", "error": "NoRoom"}, "unsent", None, {"fault"}),
        ({"outcome": "protocol_error", "error": "-32602"}, "unsent", None, {"error"}),
        ({"outcome": "internal_error", "error": "-32603"}, "unsent", None, {"fault"}),
        ({"outcome": "ok"}, 404, "404", set()),  # the tool made something of it
    ],
)
def test_whose_fault_it_was_is_told(changes: dict[str, str], status: Any, kind: str | None, flags: set[str]) -> None:
    spans = recorded(Carrier(host="localhost", path="/mcp"), **changes)
    if status != "unsent":
        answered = {} if status is None else {"http.response.status_code": status}
        spans = with_request(spans, **{"error.type": kind, **answered})
    whole = document(spans)
    assert {"error", "throttle", "fault"} & set(whole) == flags
    assert ("cause" in whole) == bool(flags)
    if changes["outcome"] == "tool_error":
        assert whole["cause"]["exceptions"][0].get("message", "") == changes.get("error", "")
    if flags and kind:
        [inside] = whole["subsegments"]
        assert {"error", "throttle", "fault"} & set(inside) == flags
        assert inside["cause"]["exceptions"][0]["type"] == kind


def test_names_have_only_the_characters_and_the_length_that_x_ray_takes() -> None:
    whole = document(recorded(), resource={**RESOURCE, "service.name": "<shop>\n{floor}" + "é" * 300})
    assert whole["name"].startswith("_shop_\n_floor_é")
    assert len(whole["name"]) == 200


def sent(whole: dict[str, Any]) -> list[dict[str, Any]]:
    """The documents that go out for one."""
    out = list(datagrams(whole))
    assert all(len(datagram) <= DATAGRAM_BYTES and datagram.startswith(HEADER) for datagram in out)
    parts = [msgspec.json.decode(datagram[len(HEADER) :]) for datagram in out]
    for part in parts:
        check(part)
    return parts


def large(**parts: int) -> dict[str, Any]:
    """A document of which these parts have so many bytes. ``inside``: the subsegment's metadata."""
    whole = document(with_request(recorded(outcome="tool_error"), **{"error.type": "404"}))
    for name in parts.keys() & {"metadata", "cause"}:
        whole[name] = {**whole.get(name, {}), "text": "x" * parts[name]}
    whole["annotations"]["text"] = "x" * parts.get("annotations", 0)
    whole["subsegments"][0]["http"]["request"]["url"] += "x" * parts.get("url", 0)
    return whole


@pytest.mark.parametrize(
    ("parts", "kept", "documents"),
    [
        ({}, {"metadata", "cause", "subsegments"}, 1),
        ({"metadata": 200_000}, {"cause", "subsegments"}, 1),
        ({"metadata": 200_000, "cause": 200_000}, {"subsegments"}, 1),
        ({"annotations": 40_000, "url": 40_000}, set(), 2),
    ],
)
def test_what_does_not_fit_is_sent_without_what_matters_least(
    parts: dict[str, int], kept: set[str], documents: int
) -> None:
    whole = large(**parts)
    first, *rest = sent(whole)
    assert {"metadata", "cause", "subsegments"} & set(first) == kept
    assert len(rest) == documents - 1
    for part in rest:
        assert (part["type"], part["parent_id"], part["trace_id"]) == ("subsegment", whole["id"], whole["trace_id"])


def test_a_document_that_just_fits_is_sent_whole_and_one_byte_more_is_not() -> None:
    whole = large()
    room = DATAGRAM_BYTES - len(HEADER) - len(msgspec.json.encode(whole)) - len('"text":"",')
    for more, is_whole in ((0, True), (1, False)):
        whole["metadata"]["text"] = "x" * (room + more)
        assert ("metadata" in sent(whole)[0]) == is_whole


@pytest.mark.parametrize("parts", [{"annotations": 200_000}, {"url": 200_000}])
def test_what_fits_in_no_way_is_refused(parts: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="larger than a datagram"):
        sent(large(**parts))


def test_the_daemon_gets_every_document() -> None:
    with daemon() as running:
        exporter = XRayExporter(settings(AWS_XRAY_DAEMON_ADDRESS=running.address).daemon_udp, RESOURCE)
        calls = [with_request(recorded()) for _ in range(3)]
        assert exporter.deliver(calls) == (0, "")
        assert [running.document()["id"] for _ in calls] == [f"{one[0].context.span_id:016x}" for one in calls]
        assert running.rejected == []
        exporter.close()


def test_spans_for_a_port_where_nothing_listens_are_counted() -> None:
    """All but the last, whose fate is known only with the next."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    exporter = XRayExporter(DaemonAddress("127.0.0.1", port), RESOURCE)
    lost, reason = exporter.deliver([recorded() for _ in range(10)])
    exporter.close()
    assert lost == 9
    assert re.fullmatch(r"udp:127.0.0.1:\d+: .*refused", reason)


@pytest.mark.parametrize("host", ["no-such-daemon.invalid", "a..b"])
def test_spans_for_a_daemon_that_has_no_address_are_counted(host: str) -> None:
    exporter = XRayExporter(DaemonAddress(host, 2000), RESOURCE)
    lost, reason = exporter.deliver([with_request(recorded()), recorded()])
    assert lost == 3
    assert reason.startswith(f"udp:{host}:2000: ")


def test_a_document_of_200_kb_costs_itself_only() -> None:
    with daemon() as running:
        exporter = XRayExporter(settings(AWS_XRAY_DAEMON_ADDRESS=running.address).daemon_udp, RESOURCE)
        huge = with_request(recorded(), **{"url.template": "x" * 200_000})
        lost, reason = exporter.deliver([recorded(), huge, recorded()])
        assert (lost, "larger than a datagram" in reason) == (2, True)
        assert [running.document()["name"] for _ in range(2)] == ["pets", "pets"]
        exporter.close()


def test_a_process_in_ecs_says_so() -> None:
    with daemon() as running:
        config = settings(
            AWS_XRAY_DAEMON_ADDRESS=running.address,
            ECS_CONTAINER_METADATA_URI_V4="http://169.254.170.2/v4/x",
            OTEL_TRACES_SAMPLER="always_on",
        )
        traces = tracer(config)
        traces.begin(call(), "http", Carrier()).end(record())
        traces.close(10)
        assert running.document()["origin"] == "AWS::ECS::Container"
