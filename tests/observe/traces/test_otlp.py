"""Spans to a collector: what arrives there, and what becomes of those that do not."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import msgspec
import pytest
import trio
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from collector import attributes, collector
from openapi_mcp_server.observe.trace import NO_CARRIER, Carrier
from openapi_mcp_server.observe.traces.otlp import OtlpExporter
from openapi_mcp_server.observe.traces.otlp_spans import encode
from openapi_mcp_server.observe.traces.outbox import Outbox
from openapi_mcp_server.observe.traces.tracing import tracer
from openapi_mcp_server.settings.ways import USUAL
from openapi_mcp_server.upstream.addresses import AddressRule
from openapi_mcp_server.upstream.credentials.aws.signing import SpanSigner
from openapi_mcp_server.upstream.ways import way
from records import record
from scripted import ScriptedApi, gateway, ok
from traced import Seen, call, recorded, settings

W3C = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
OTHER = "00-11111111111111111111111111111111-2222222222222222-01"


def exporter(endpoint: str, **environ: str) -> OtlpExporter:
    found = settings("otlp", OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, **environ).otlp
    assert found is not None
    return OtlpExporter(found)


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_the_collector_gets_the_span_with_its_parent_and_its_headers(compression: str) -> None:
    with collector() as running:
        traces = tracer(
            settings(
                "otlp",
                OTEL_EXPORTER_OTLP_ENDPOINT=running.url,
                OTEL_EXPORTER_OTLP_HEADERS="Authorization=Bearer%20k3y",
                OTEL_EXPORTER_OTLP_COMPRESSION=compression,
                OTEL_RESOURCE_ATTRIBUTES="service.name=pets,deployment.environment=test",
            )
        )
        begun = traces.begin(call(traceparent=W3C, tracestate="a=1"), "http", Carrier(traceparent=OTHER))
        begun.end(record(outcome="tool_error", tool="get_pet"))
        traces.close(10)
        [span] = running.spans(1)
        assert (span.name, span.kind, span.status.code) == (
            "tools/call get_pet",
            Span.SPAN_KIND_SERVER,
            Status.STATUS_CODE_ERROR,
        )
        assert (span.trace_id.hex(), span.parent_span_id.hex()) == (W3C[3:35], W3C[36:52])
        assert [link.span_id.hex() for link in span.links] == ["2222222222222222"]
        assert span.trace_state == "a=1"
        assert attributes(span.attributes)["error.type"] == "tool_error"
        assert (running.resource["service.name"], running.resource["deployment.environment"]) == ("pets", "test")
        assert running.headers[0]["authorization"] == "Bearer k3y"
        assert traces.dropped() == {"otlp": 0}


def test_spans_are_encoded_as_the_library_encodes_them() -> None:
    seen = Seen("otlp", OTEL_RESOURCE_ATTRIBUTES="deployment.environment=test")
    built = gateway(ScriptedApi(ok(), ok(b"{}", 503)), trace=seen.tracer.begin)
    carriers = [Carrier(), Carrier(traceparent=OTHER), Carrier(traceparent=W3C, tracestate="a=1,b=2")]

    async def main() -> None:
        for carrier in carriers:
            asked = msgspec.structs.replace(call(traceparent=W3C), arguments=msgspec.Raw(b'{"id":5}'))
            await built.answer(asked, "http", None, carrier)
            await built.answer(call(name="made_up"), "stdio", None, carrier)
        await built.answer(msgspec.structs.replace(call(), arguments=msgspec.Raw(b'{"id":"x"}')), "http")

    trio.run(main)
    spans = [span for one in seen.spans() for span in one]
    assert len(spans) == 10
    assert spans[-1].status.description == "ArgumentError"
    assert ExportTraceServiceRequest.FromString(encode(spans)) == encode_spans(spans)


def test_a_library_that_takes_no_bytes_encodes_for_itself() -> None:
    with collector() as running:
        sending = exporter(running.url)
        assert sending._send_bytes is not None
        sending._send_bytes = None
        assert sending.deliver([recorded(tool="get_pet")]) == (0, "")
        sending.close()
        assert [span.name for span in running.spans(1)] == ["tools/call get_pet"]


def test_a_trace_that_begins_here_has_an_id_all_of_which_is_random() -> None:
    with collector() as running:
        traces = tracer(settings("otlp", OTEL_EXPORTER_OTLP_ENDPOINT=running.url))
        for _ in range(2):
            traces.begin(call(), "http", NO_CARRIER).end(record())
        traces.close(10)
        one, other = running.spans(2)
        assert one.trace_id[:4] != other.trace_id[:4]


AWS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "s3cret", "AWS_SESSION_TOKEN": "t0ken"}
LOOPBACK = AddressRule(allow_private=True, allow_insecure=True)


def signed_for_aws(url: str, environ: dict[str, str], **more: str) -> tuple[OtlpExporter, SpanSigner]:
    otlp = settings("otlp", OTEL_EXPORTER_OTLP_ENDPOINT=url, **more).otlp
    assert otlp is not None
    sign = SpanSigner(environ, LOOPBACK, way(USUAL, LOOPBACK), "eu-west-1")
    return OtlpExporter(otlp, sign), sign


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_spans_for_aws_are_signed_as_aws_signs(compression: str) -> None:
    """By botocore's own signature over the same bytes and the same time."""
    with collector() as running:
        one, _ = signed_for_aws(running.url, AWS, OTEL_EXPORTER_OTLP_COMPRESSION=compression)
        assert one.deliver([recorded()]).lost == 0
        assert len(running.spans(1)) == 1
        one.close()
        sent, body = running.headers[0], running.bodies[0]
    assert sent["x-amz-security-token"] == "t0ken"
    assert sent["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    again = AWSRequest("POST", f"{running.url}/v1/traces", {"Content-Type": "application/x-protobuf"}, body)
    again.headers["X-Amz-Date"], again.headers["X-Amz-Security-Token"] = sent["x-amz-date"], "t0ken"
    again.context["timestamp"] = sent["x-amz-date"]
    theirs = SigV4Auth(Credentials("AKIDEXAMPLE", "s3cret", "t0ken"), "xray", "eu-west-1")
    signature = theirs.signature(theirs.string_to_sign(again, theirs.canonical_request(again)), again)
    assert sent["authorization"].endswith(f"Signature={signature}")


def test_spans_for_aws_without_keys_are_dropped_with_the_reason() -> None:
    with collector() as running:
        one, _ = signed_for_aws(running.url, {"AWS_EC2_METADATA_DISABLED": "true"})
        lost, reason = one.deliver([recorded()])
        assert (lost, reason.startswith("no AWS credentials: set AWS_ACCESS_KEY_ID")) == (1, True)
        assert running.headers == []


def test_a_password_in_netrc_is_not_for_the_collector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would take the place of the key in OTEL_EXPORTER_OTLP_HEADERS."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password s3cret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with collector() as running:
        sending = exporter(running.url, OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20key")
        assert sending.deliver([recorded()]) == (0, "")
        sending.close()
        assert running.headers[0]["authorization"] == "Bearer key"


def test_a_proxy_of_the_environment_is_the_way_to_a_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    with collector() as proxy:
        proxy.status = 403
        for name in ("http_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        sending = exporter("http://collector.invalid:4318")
        lost, reason = sending.deliver([recorded()])
        sending.close()
    assert lost == 1
    assert "Forbidden" in reason


def test_a_collector_that_refuses_costs_the_spans_and_says_why() -> None:
    with collector() as running:
        running.status = 403
        sending = exporter(running.url)
        lost, reason = sending.deliver([recorded(), recorded()])
        sending.close()
    assert lost == 2
    assert "403" in reason


@pytest.mark.parametrize("status", [300, 302, 304, 307, 308])
def test_a_collector_that_redirects_costs_the_spans_and_says_where_to(status: int) -> None:
    with collector() as other, collector() as running:
        running.status, running.location = status, f"{other.url}/v1/traces"
        sending = exporter(running.url, OTEL_EXPORTER_OTLP_HEADERS="key=s3cret")
        lost, reason = sending.deliver([recorded(), recorded()])
        sending.close()
        assert other.headers == []
    assert lost == 2
    assert reason.startswith(f"answered {status} to {other.url}/v1/traces, and redirects are not followed: give")


def test_a_collector_that_is_not_there_costs_the_spans_and_never_shows_its_headers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    sending = exporter(
        f"http://127.0.0.1:{port}", OTEL_EXPORTER_OTLP_TIMEOUT="100", OTEL_EXPORTER_OTLP_HEADERS="key=s3cret"
    )
    lost, reason = sending.deliver([recorded()])
    sending.close()
    assert lost == 1
    assert "Connection refused" in reason
    assert "s3cret" not in reason


def test_a_collector_that_does_not_answer_keeps_nobody_at_the_end() -> None:
    with collector() as running:
        running.held.clear()
        outbox = Outbox(exporter(running.url))
        outbox.put(recorded())
        closing = threading.Thread(target=outbox.close, args=(0.05,))
        closing.start()
        closing.join(10)
        assert not closing.is_alive()
        assert outbox.dropped == 1
