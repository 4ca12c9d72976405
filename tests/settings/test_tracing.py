"""What TRACING and the variables of others ask for, and how what cannot be used is refused."""

from __future__ import annotations

import pytest

from openapi_mcp_server.errors import ConfigError
from openapi_mcp_server.settings.config import Config, load
from openapi_mcp_server.settings.tracing import DaemonAddress, Tracing

FILES = {"/etc/ca.pem": "-----BEGIN CERTIFICATE-----", "/run/secrets/headers": "api-key=s3cret\n"}


def config(**environ: str) -> Config:
    def read(path: str) -> str:
        if path not in FILES:
            raise FileNotFoundError(2, "No such file or directory")
        return FILES[path]

    return load(["demo"], environ, read)


def traced(to: str, **environ: str) -> Tracing:
    found = config(TRACING=to, **environ).tracing
    assert found is not None
    return found


def test_nothing_is_traced_unless_it_is_asked_for() -> None:
    assert config().tracing is None
    assert config(TRACING="none").tracing is None


@pytest.mark.parametrize(
    ("text", "to_xray", "to_otlp"),
    [("xray", True, False), ("otlp", False, True), ("xray,otlp", True, True), ("OTLP, xray", True, True)],
)
def test_tracing_says_where_spans_go(text: str, to_xray: bool, to_otlp: bool) -> None:
    found = traced(text)
    assert (found.to_xray, found.otlp is not None) == (to_xray, to_otlp)


def test_what_others_set_for_everybody_does_not_stop_a_server_that_traces_nothing() -> None:
    strange = {"OTEL_PROPAGATORS": "b3", "OTEL_TRACES_SAMPLER": "jaeger_remote", "AWS_XRAY_DAEMON_ADDRESS": "?"}
    assert config(**strange, OTEL_EXPORTER_OTLP_PROTOCOL="grpc", OTEL_RESOURCE_ATTRIBUTES="?").tracing is None


LOCAL, UDP, TCP = DaemonAddress("127.0.0.1", 2000), DaemonAddress("xray", 2000), DaemonAddress("proxy", 2001)


@pytest.mark.parametrize(
    ("text", "udp", "tcp"),
    [
        ("", LOCAL, LOCAL),
        ("xray:2000", UDP, UDP),
        ("tcp:proxy:2001 udp:xray:2000", UDP, TCP),
        ("udp:xray:2000  tcp:proxy:2001", UDP, TCP),
        ("[::1]:2000", DaemonAddress("::1", 2000), DaemonAddress("::1", 2000)),
    ],
)
def test_the_daemons_address_has_two_forms(text: str, udp: DaemonAddress, tcp: DaemonAddress) -> None:
    found = traced("xray", AWS_XRAY_DAEMON_ADDRESS=text)
    assert (found.daemon_udp, found.daemon_tcp) == (udp, tcp)


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({}, "openapi-mcp-server"),
        ({"SERVER_NAME": "pets"}, "pets"),
        ({"SERVER_NAME": "pets", "OTEL_RESOURCE_ATTRIBUTES": "service.name=shop%20floor"}, "shop floor"),
        ({"OTEL_SERVICE_NAME": "till", "OTEL_RESOURCE_ATTRIBUTES": "service.name=shop"}, "till"),
    ],
)
def test_the_service_is_named_as_opentelemetry_says(environ: dict[str, str], name: str) -> None:
    assert traced("xray", **environ).service_name == name


def test_the_resource_is_described_by_pairs() -> None:
    assert traced("otlp", OTEL_RESOURCE_ATTRIBUTES="a=1, deployment.environment=p%2Cq,").resource == {
        "a": "1",
        "deployment.environment": "p,q",
    }


@pytest.mark.parametrize(
    ("to", "environ", "sampler", "follows_parent"),
    [
        ("xray", {}, "xray", True),
        ("xray,otlp", {}, "xray", True),
        ("otlp", {}, "always_on", True),
        ("otlp", {"OTEL_TRACES_SAMPLER": "always_on"}, "always_on", False),
        ("xray", {"OTEL_TRACES_SAMPLER": "parentbased_always_off"}, "always_off", True),
        ("otlp", {"OTEL_TRACES_SAMPLER": "xray"}, "xray", True),
    ],
)
def test_what_is_sampled_depends_on_where_it_goes(
    to: str, environ: dict[str, str], sampler: str, follows_parent: bool
) -> None:
    found = traced(to, **environ)
    assert (found.sampler, found.follows_parent) == (sampler, follows_parent)


def test_a_part_is_sampled_by_its_ratio() -> None:
    environ = {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.25"}
    assert traced("otlp", **environ).ratio == 0.25


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", {"tracecontext", "xray"}), ("tracecontext,baggage", {"tracecontext"}), ("xray", {"xray"}), ("none", set())],
)
def test_propagators_are_chosen(text: str, expected: set[str]) -> None:
    assert traced("xray", OTEL_PROPAGATORS=text).propagators == expected


@pytest.mark.parametrize(
    ("environ", "endpoint"),
    [
        ({}, "http://localhost:4318/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c.example/otlp/"}, "https://c.example/otlp/v1/traces"),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c.example", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://t:1/x"},
            "http://t:1/x",
        ),
    ],
)
def test_the_collector_is_where_the_environment_says(environ: dict[str, str], endpoint: str) -> None:
    found = traced("otlp", **environ).otlp
    assert found is not None
    assert found.endpoint == endpoint


def test_what_is_said_for_traces_wins_over_what_is_said_for_all_signals() -> None:
    found = traced(
        "otlp",
        OTEL_EXPORTER_OTLP_HEADERS="a=all",
        OTEL_EXPORTER_OTLP_TRACES_HEADERS="Authorization=Bearer%20t",
        OTEL_EXPORTER_OTLP_TIMEOUT="10000",
        OTEL_EXPORTER_OTLP_TRACES_TIMEOUT="2500",
        OTEL_EXPORTER_OTLP_COMPRESSION="gzip",
        OTEL_EXPORTER_OTLP_CERTIFICATE="/etc/ca.pem",
    ).otlp
    assert found is not None
    assert found.headers == {"authorization": "Bearer t"}
    assert (found.timeout_seconds, found.compression, found.certificate) == (2.5, "gzip", "/etc/ca.pem")


def test_a_collectors_key_may_be_a_file_and_is_in_no_representation() -> None:
    given = config(TRACING="otlp", OTEL_EXPORTER_OTLP_HEADERS_FILE="/run/secrets/headers")
    assert given.tracing is not None
    assert given.tracing.otlp is not None
    assert given.tracing.otlp.headers == {"api-key": "s3cret"}
    assert "s3cret" not in repr(given)


def test_the_seeds_agentcore_stack_is_understood() -> None:
    """Its launcher's two variables are for a launcher that is not used."""
    environ = {
        "OTEL_PYTHON_DISTRO": "aws_distro",
        "OTEL_PYTHON_CONFIGURATOR": "aws_configurator",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    }
    assert traced("otlp", **environ).otlp is not None
    unused = "OTEL_EXPORTER_OTLP_PROTOCOL, OTEL_PYTHON_CONFIGURATOR, OTEL_PYTHON_DISTRO are not used"
    assert config(**environ).warnings == (f"{unused}: TRACING says whether and where spans are sent",)


@pytest.mark.parametrize(
    ("endpoint", "region"),
    [
        ("https://xray.eu-west-1.amazonaws.com/v1/traces", "eu-west-1"),
        ("https://xray.cn-north-1.amazonaws.com.cn:443/v1/traces", "cn-north-1"),
        ("http://xray.eu-west-1.amazonaws.com/v1/traces", ""),
        ("https://xray.eu-west-1.amazonaws.com.evil.example/v1/traces", ""),
        ("https://collector:4318/xray.eu-west-1.amazonaws.com/v1/traces", ""),
    ],
)
def test_what_is_sent_to_aws_itself_is_signed(endpoint: str, region: str) -> None:
    otlp = traced("otlp", OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=endpoint).otlp
    assert otlp is not None
    assert otlp.signed_for == region


@pytest.mark.parametrize(
    ("environ", "warning"),
    [
        ({"OTEL_TRACES_EXPORTER": "otlp"}, "OTEL_TRACES_EXPORTER is not used: TRACING says"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a:4318"}, "OTEL_EXPORTER_OTLP_ENDPOINT is not used: TRACING says"),
        ({"OTEL_PYTHON_DISTRO": "aws_distro"}, "OTEL_PYTHON_DISTRO is not used: TRACING says"),
        ({"TRACING": "otlp", "OTEL_SDK_DISABLED": "true"}, "OTEL_SDK_DISABLED is true: TRACING does nothing"),
    ],
)
def test_who_may_wait_for_spans_in_vain_is_warned(environ: dict[str, str], warning: str) -> None:
    given = config(**environ)
    assert given.tracing is None
    assert [text for text in given.warnings if text.startswith(warning)]


@pytest.mark.parametrize(
    ("to", "variable", "value", "problem"),
    [
        ("zipkin", "TRACING", "zipkin", "'zipkin' must be none, xray, otlp or xray,otlp"),
        ("none,xray", "TRACING", "none,xray", "must be none, xray, otlp or xray,otlp"),
        ("xray", "AWS_XRAY_DAEMON_ADDRESS", "xray", "'xray' must be host:port, or tcp:host:port udp:host:port"),
        ("xray", "AWS_XRAY_DAEMON_ADDRESS", "xray:0", "must be host:port"),
        ("xray", "AWS_XRAY_DAEMON_ADDRESS", "udp:xray:2000", "must be host:port"),
        ("xray", "AWS_XRAY_DAEMON_ADDRESS", "udp:a:1 udp:b:2", "must be host:port"),
        ("xray", "OTEL_TRACES_SAMPLER", "often", "'often' must be one of xray, always_on"),
        ("xray", "OTEL_TRACES_SAMPLER_ARG", "0.5", "is for traceidratio; OTEL_TRACES_SAMPLER is xray"),
        ("xray", "OTEL_PROPAGATORS", "b3", "'b3' is not known; use tracecontext, xray or none"),
        ("xray", "OTEL_RESOURCE_ATTRIBUTES", "a", "must be name=value, separated by commas"),
        ("xray", "OTEL_SDK_DISABLED", "perhaps", "must be true or false"),
        ("otlp", "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "'grpc' is not spoken; use http/protobuf"),
        ("otlp", "OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "must be an address like http://collector:4318"),
        ("otlp", "OTEL_EXPORTER_OTLP_ENDPOINT", "http://u:s3cret@c:1", "must be an address alone"),
        ("otlp", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c/?key=s3cret", "must be an address alone"),
        ("otlp", "OTEL_EXPORTER_OTLP_HEADERS", "s3cret", "must be name=value, separated by commas"),
        ("otlp", "OTEL_EXPORTER_OTLP_HEADERS", "key=s3cret%0d%0a", "must be headers as name=value"),
        ("otlp", "OTEL_EXPORTER_OTLP_TIMEOUT", "10", "'10' must be a whole number from 100 to 600000, of milliseconds"),
        ("otlp", "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "zstd", "must be one of none, gzip, deflate"),
        ("otlp", "OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere", "cannot read /nowhere as text (PEM)"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(to: str, variable: str, value: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config(**{"TRACING": to, variable: value})
    message = str(caught.value)
    assert message.startswith(f"{variable}: ")
    assert problem in message
    assert "s3cret" not in message


@pytest.mark.parametrize("ratio", ["1.5", "-1", "nan", "half"])
def test_a_ratio_is_from_0_to_1(ratio: str) -> None:
    with pytest.raises(ConfigError, match=r"OTEL_TRACES_SAMPLER_ARG: .* must be a number from 0 to 1"):
        config(TRACING="otlp", OTEL_TRACES_SAMPLER="traceidratio", OTEL_TRACES_SAMPLER_ARG=ratio)
