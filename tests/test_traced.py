"""The whole program with tracing: spans as X-Ray and a collector get them, and that nothing of it costs a call."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import msgspec
import pytest
from aws_xray_sdk.core import xray_recorder
from botocore.config import Config
from moto.server import ThreadedMotoServer

from asked import call, fetch, message, post
from collector import attributes, collector
from processes import PROFILED, Server, command, environment, imported, started
from scraped import metrics_url
from xray_daemon import daemon

xray_recorder.emitter._socket.close()  # which moto opens, as it imports the SDK

TRACE, SPAN = "1-4bf92f35-77b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HEADER = f"Root={TRACE};Parent={SPAN};Sampled=1"
NOWHERE = "127.0.0.1:9"  # the discard service, which nobody runs
METRICS = {"ENABLE_PROMETHEUS": "true", "PROMETHEUS_PORT": "0"}
DEADLINE_SECONDS = 30


def get_pet(url: str, pet: object = 1, **headers: str) -> dict[str, Any]:
    """The result."""
    status, answer = post(url, call("getPet", petId=pet), **headers)
    assert status == 200
    return dict(msgspec.json.decode(answer)["result"])


def stopped(server: Server) -> dict[str, Any]:
    """The last line of the log."""
    server.process.terminate()
    return server.wait_for("^stopped$")


@pytest.fixture(scope="module")
def xray() -> Iterator[Any]:
    """A client of X-Ray's API, of which moto is the server."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    client = boto3.client(
        "xray",
        region_name="us-east-1",
        endpoint_url=f"http://{host}:{port}",
        aws_access_key_id="tests",
        aws_secret_access_key="tests",
        config=Config(retries={"total_max_attempts": 1}),
    )
    yield client
    client.close()
    server.stop()


@pytest.mark.filterwarnings("ignore:datetime.datetime.utc:DeprecationWarning")
def test_x_ray_has_the_trace_with_the_right_parents(xray: Any) -> None:
    with daemon() as running, started("demo", "--port", "0", TRACING="xray", **address(running.address)) as server:
        url = server.url
        get_pet(url, X_Amzn_Trace_Id=HEADER)
        get_pet(url, 99, X_Amzn_Trace_Id=f"Root={TRACE};Sampled=1")
        documents = [running.document() for _ in range(2)]
        assert running.rejected == []
    put = xray.put_trace_segments(TraceSegmentDocuments=[msgspec.json.encode(each).decode() for each in documents])
    assert put["UnprocessedTraceSegments"] == []
    [trace] = xray.batch_get_traces(TraceIds=[TRACE])["Traces"]
    first, second = (msgspec.json.decode(segment["Document"]) for segment in trace["Segments"])
    assert (first["parent_id"], first["annotations"]["gen_ai_tool_name"]) == (SPAN, "getPet")
    assert first["http"] == {"request": {"method": "POST", "url": url}, "response": {"status": 200}}
    assert first["subsegments"][0]["http"]["response"] == {"status": 200}
    assert ("parent_id" in second, second["error"]) == (False, True)
    now = datetime.now(UTC)
    hour = timedelta(hours=1)
    [summary] = xray.get_trace_summaries(StartTime=now - hour, EndTime=now + hour)["TraceSummaries"]
    assert (summary["Id"], summary["HasError"], summary["HasFault"]) == (TRACE, True, False)


def test_a_collector_has_the_spans_with_the_right_parents() -> None:
    with (
        collector() as running,
        started(
            "demo", "--port", "0", TRACING="otlp", OTEL_EXPORTER_OTLP_ENDPOINT=running.url, OTEL_SERVICE_NAME="pets"
        ) as server,
    ):
        get_pet(server.url, traceparent=f"00-4bf92f3577b34da6a3ce929d0e0e4736-{SPAN}-01")
        request, upstream = running.spans(2)
        assert stopped(server)["dropped_spans_otlp"] == 0
    assert (request.name, upstream.name) == ("tools/call getPet", "GET /pets/{petId}")
    assert (request.parent_span_id.hex(), upstream.parent_span_id) == (SPAN, request.span_id)
    assert attributes(upstream.attributes)["http.response.status_code"] == 200
    assert running.resource["service.name"] == "pets"


def test_both_at_once_have_the_same_trace_and_the_log_has_it_too() -> None:
    with daemon() as xray, collector() as otlp:
        endpoints = {"OTEL_EXPORTER_OTLP_ENDPOINT": otlp.url, **address(xray.address)}
        with started("demo", "--port", "0", TRACING="xray,otlp", **endpoints) as server:
            get_pet(server.url, X_Request_Id="r-1")
            line = server.wait_for("^call$")
            document = xray.document()
            request, upstream = otlp.spans(2)
    assert document["trace_id"].replace("-", "")[1:] == request.trace_id.hex() == line["trace_id"]
    assert (document["id"], document["subsegments"][0]["id"]) == (request.span_id.hex(), upstream.span_id.hex())
    assert line["request_id"] == "r-1"


def test_what_was_dropped_is_a_metric_and_a_recorded_call_an_exemplar() -> None:
    settings = {"TRACING": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{NOWHERE}", **METRICS}
    with started("demo", "--port", "0", OTEL_EXPORTER_OTLP_TIMEOUT="100", **settings) as server:
        metrics = metrics_url(server)
        get_pet(server.url)
        trace_id = server.wait_for("^call$")["trace_id"]
        server.wait_for("^spans cannot be delivered")
        page = fetch(metrics, accept="application/openmetrics-text")[2].decode()
    assert 'openapi_mcp_dropped_spans_total{exporter="otlp"} 2.0' in page
    assert f'# {{trace_id="{trace_id}"}}' in page


def test_over_stdio_a_message_tells_its_trace_in_meta_and_all_is_delivered_at_the_end() -> None:
    meta = {"traceparent": f"00-4bf92f3577b34da6a3ce929d0e0e4736-{SPAN}-01"}
    with daemon() as running:
        ended = subprocess.run(
            command("demo", "--transport", "stdio"),
            input=message("tools/list", _meta=meta) + b"\n",
            env=environment(TRACING="xray", **address(running.address)),
            capture_output=True,
            timeout=DEADLINE_SECONDS,
            check=True,
        )
        document = running.document()
    assert (document["trace_id"], document["parent_id"]) == (TRACE, SPAN)
    assert document["annotations"]["network_transport"] == "pipe"
    assert b'"tools":[' in ended.stdout


def test_what_cannot_be_delivered_costs_no_call_and_is_counted() -> None:
    """Neither a daemon nor a collector is there, and everything is recorded."""
    settings = {"TRACING": "xray,otlp", "OTEL_TRACES_SAMPLER": "always_on", **address(NOWHERE)}
    endpoints = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{NOWHERE}", "OTEL_EXPORTER_OTLP_TIMEOUT": "100"}
    with started("demo", "--port", "0", **settings, **endpoints) as server:
        url = server.url
        answers = [get_pet(url)["structuredContent"]["name"] for _ in range(50)]
        last = stopped(server)
    assert answers == ["Mia"] * 50
    assert last["ok"] == 50
    assert last["dropped_spans_otlp"] == 100
    assert 90 <= last["dropped_spans_xray"] <= 98  # that the last datagram reached nobody is never known
    warnings = [line for line in server.log if line["level"] == "WARNING"]
    assert sorted(str(line.get("exporter", "rules")) for line in warnings if "listen" not in line["message"]) == [
        "otlp",
        "xray",
    ]


def test_with_x_rays_rules_out_of_reach_the_first_call_of_a_second_is_recorded() -> None:
    with daemon() as running:
        udp = running.address.partition(" ")[2]
        settings = address(f"tcp:{NOWHERE} {udp}")
        with started("demo", "--port", "0", TRACING="xray", **settings) as server:
            get_pet(server.url)
            assert running.document()["annotations"]["gen_ai_tool_name"] == "getPet"
            stopped(server)
    [line] = [line for line in server.log if "rules cannot be had" in str(line["message"])]
    assert line["level"] == "WARNING"


LIBRARIES = ("opentelemetry", "requests", "google.protobuf")


@pytest.mark.parametrize(
    ("tracing", "loaded"),
    [
        ("none", set()),
        ("xray", {"opentelemetry"}),
        ("otlp", set(LIBRARIES)),
    ],
)
def test_only_what_is_asked_for_is_loaded(tracing: str, loaded: set[str]) -> None:
    settings = {**PROFILED, "OTEL_EXPORTER_OTLP_TIMEOUT": "100"}
    with started("demo", "--port", "0", TRACING=tracing, **settings, **address(NOWHERE)) as server:
        get_pet(server.url)
        stopped(server)
    modules = imported(server)
    assert "openapi_mcp_server.process.lifecycle" in modules
    assert {name for name in LIBRARIES if any(f"{module}.".startswith(f"{name}.") for module in modules)} == loaded


def test_no_secret_is_in_the_log_however_much_it_tells() -> None:
    secrets = {"AUTH_TYPE": "bearer", "AUTH_TOKEN": "s3cret-token", "OTEL_EXPORTER_OTLP_HEADERS": "key=s3cret-key"}
    settings = {
        "TRACING": "otlp",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "100",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{NOWHERE}",
    }
    with started("demo", "--port", "0", SERVER_DEBUG="true", **secrets, **settings) as server:
        url = server.url
        get_pet(url, Authorization="Bearer s3cret-client", Cookie="s3cret-cookie")
        post(url, call("listPets", limit="s3cret-argument"))
        stopped(server)
    assert "s3cret" not in msgspec.json.encode(server.log).decode()
    assert len(server.log) > 5


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_call_is_one_line_of_the_log(form: str) -> None:
    with started("demo", "--port", "0", LOG_FORMAT=form) as server:
        url = server.wait_for("serving MCP at ")["message"]
        before = len(server.log)
        get_pet(str(url).rpartition(" at ")[2], X_Request_Id="r-1")
        server.process.terminate()
        server.wait_for("stopped")
    lines = [line for line in server.log[before:] if "getPet" in str(line)]
    assert len(lines) == 1
    assert "request_id=r-1" in str(lines[0]["message"]) or lines[0]["request_id"] == "r-1"


def address(text: str) -> dict[str, str]:
    return {"AWS_XRAY_DAEMON_ADDRESS": text}
