"""Settings of what is traced and where it goes: ``TRACING``, and the variables of OpenTelemetry's SDKs and of the X-Ray
daemon.

The latter are read only if TRACING needs them. Platforms set ``OTEL_…`` for everything that they run, and a server that
does not trace must not stop because of a value that it does not use.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, NamedTuple, TypeVar, get_args
from urllib.parse import unquote, urlsplit

import msgspec

from openapi_mcp_server.errors import ConfigError
from openapi_mcp_server.grammar import is_token
from openapi_mcp_server.settings.command_line import Given
from openapi_mcp_server.settings.readers import boolean, integer, one_of, words
from openapi_mcp_server.settings.table import COLLECTOR, COLLECTOR_TIMEOUT_MILLISECONDS, DAEMON

Propagator = Literal["tracecontext", "xray"]
Sampler = Literal["always_on", "always_off", "traceidratio", "xray"]

SAMPLERS = (
    "xray",
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
)
_ADDRESS = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[^\s:\[\]]+)):(?P<port>\d{1,5})")
_LEAST_TIMEOUT_MILLISECONDS = 100
"""The specification counts in milliseconds, Python's own SDK in seconds: a value below this is meant for that one."""

_T = TypeVar("_T")

_EXPORTS = ("OTEL_EXPORTER_OTLP_", "OTEL_TRACES_EXPORTER")
"""Variables whose presence shows that spans are expected."""
_SIGNED = re.compile(r"https://xray\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|api\.aws)(?::443)?/")
"""AWS's own endpoints for spans, which take signed requests alone (CloudWatch User Guide, "OTLP endpoints")."""

_NOT_SENT = re.compile(r"[^\t -~]")
_CHANCE = re.compile(r"[01]|[01]?\.\d{1,15}")


class DaemonAddress(NamedTuple):
    """Where a daemon listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Otlp(msgspec.Struct, frozen=True, kw_only=True):
    """A collector that takes OTLP over HTTP. ``headers`` may hold its key: the repr tells only their names.
    ``signed_for``: AWS's region where it is AWS itself, which takes signed requests."""

    endpoint: str
    headers: Mapping[str, str]
    timeout_seconds: float
    compression: Literal["none", "gzip", "deflate"]
    certificate: str | None
    client_key: str | None
    client_certificate: str | None
    signed_for: str = ""

    def __repr__(self) -> str:
        return f"Otlp(endpoint={self.endpoint!r}, headers={sorted(self.headers)})"


class Tracing(msgspec.Struct, frozen=True, kw_only=True):
    """``follows_parent``: the caller's decision to sample is kept. ``ratio`` is that of ``traceidratio``.

    ``resource`` describes the service to readers of its spans; the name is beside it.
    """

    to_xray: bool
    otlp: Otlp | None
    service_name: str
    resource: Mapping[str, str]
    propagators: frozenset[Propagator]
    sampler: Sampler
    follows_parent: bool
    ratio: float
    daemon_udp: DaemonAddress
    daemon_tcp: DaemonAddress
    in_ecs: bool


def tracing(given: Mapping[str, Given], environ: Mapping[str, str], read_file: Callable[[str], str]) -> Tracing | None:
    """None where nothing is traced. Raises ConfigError, which names the variable."""
    exporters = given["TRACING"].value
    if not exporters or _disabled(given):
        return None
    read = _Reading(given)
    sampler, follows_parent = read("OTEL_TRACES_SAMPLER", _sampler, "xray" if "xray" in exporters else None)
    resource = read("OTEL_RESOURCE_ATTRIBUTES", _pairs, "")
    udp, tcp = read("AWS_XRAY_DAEMON_ADDRESS", _daemon, DAEMON)
    return Tracing(
        to_xray="xray" in exporters,
        otlp=_otlp(read, read_file) if "otlp" in exporters else None,
        service_name=given["OTEL_SERVICE_NAME"].value or resource.get("service.name") or given["SERVER_NAME"].value,
        resource={name: value for name, value in resource.items() if name != "service.name"},
        propagators=read("OTEL_PROPAGATORS", _propagators, "tracecontext,xray"),
        sampler=sampler,
        follows_parent=follows_parent,
        ratio=_ratio(given["OTEL_TRACES_SAMPLER_ARG"], sampler),
        daemon_udp=udp,
        daemon_tcp=tcp,
        in_ecs=any(name in environ for name in ("ECS_CONTAINER_METADATA_URI_V4", "ECS_CONTAINER_METADATA_URI")),
    )


def overlooked(given: Mapping[str, Given], environ: Mapping[str, str]) -> Iterator[str]:
    """At most one sentence with a reason why there are no spans."""
    if given["TRACING"].value:
        if _disabled(given):
            yield "OTEL_SDK_DISABLED is true: TRACING does nothing"
        return
    is_off = (given["OTEL_TRACES_EXPORTER"].value or "").strip().lower() == "none"
    named = {each.label for name, each in given.items() if each.value and name.startswith(_EXPORTS)}
    named |= {name for name in environ if name.startswith("OTEL_PYTHON_")}
    if named and not is_off:
        verb = "is" if len(named) == 1 else "are"
        yield f"{', '.join(sorted(named))} {verb} not used: TRACING says whether and where spans are sent"


class _Reading:
    """Reads one variable, or the first of two that is set; what cannot be used is refused by its name."""

    def __init__(self, given: Mapping[str, Given]) -> None:
        self._given = given

    def __call__(self, name: str, reader: Callable[[Any], _T], default: str | None) -> _T:
        return self.either((name,), reader, default)

    def either(self, names: tuple[str, ...], reader: Callable[[Any], _T], default: str | None) -> _T:
        found = next((self._given[name] for name in names if self._given[name].value), Given(default, names[-1]))
        try:
            return reader(found.value)
        except ValueError as error:
            raise ConfigError(found.label, str(error)) from None

    def otlp(self, name: str, reader: Callable[[Any], _T], default: str | None) -> _T:
        """The variable for traces, or else the one for all signals."""
        return self.either((f"OTEL_EXPORTER_OTLP_TRACES_{name}", f"OTEL_EXPORTER_OTLP_{name}"), reader, default)


def _disabled(given: Mapping[str, Given]) -> bool:
    return _Reading(given)("OTEL_SDK_DISABLED", boolean, "false") is True


def _otlp(read: _Reading, read_file: Callable[[str], str]) -> Otlp:
    read.otlp("PROTOCOL", _protocol, "http/protobuf")

    def readable(path: str | None) -> str | None:
        if path is not None:
            try:
                read_file(path)
            except (OSError, ValueError):
                raise ValueError(f"cannot read {path} as text (PEM)") from None
        return path

    whole = read("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", _endpoint, None)
    endpoint = whole or f"{read('OTEL_EXPORTER_OTLP_ENDPOINT', _endpoint, COLLECTOR)}/v1/traces"
    signed = _SIGNED.match(endpoint)
    return Otlp(
        endpoint=endpoint,
        signed_for=signed[1] if signed else "",
        headers=read.otlp("HEADERS", _headers, ""),
        timeout_seconds=read.otlp("TIMEOUT", _milliseconds, COLLECTOR_TIMEOUT_MILLISECONDS) / 1000,
        compression=read.otlp("COMPRESSION", one_of("none", "gzip", "deflate"), "none"),
        certificate=read.otlp("CERTIFICATE", readable, None),
        client_key=read.otlp("CLIENT_KEY", readable, None),
        client_certificate=read.otlp("CLIENT_CERTIFICATE", readable, None),
    )


def _endpoint(value: str | None) -> str | None:
    if value is None:
        return None
    try:
        parts = urlsplit(value.strip())
        is_usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable:
        raise ValueError("must be an address like http://collector:4318")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("must be an address alone; what a collector asks for goes into OTEL_EXPORTER_OTLP_HEADERS")
    return value.strip().rstrip("/")


def _protocol(value: str) -> None:
    if value.strip().lower() != "http/protobuf":
        raise ValueError(f"{value[:100]!r} is not spoken; use http/protobuf, which collectors take at port 4318")


def _milliseconds(value: str) -> int:
    try:
        return int(integer(_LEAST_TIMEOUT_MILLISECONDS, 600_000)(value))
    except ValueError as error:
        raise ValueError(f"{value[:100]!r} {error}, of milliseconds") from None


def _headers(value: str) -> dict[str, str]:
    headers = {name.lower(): text for name, text in _pairs(value).items()}
    if any(not is_token(name) or _NOT_SENT.search(text) for name, text in headers.items()):
        raise ValueError("must be headers as name=value, separated by commas, values percent-encoded")
    return headers


def _pairs(value: str) -> dict[str, str]:
    """``a=1,b=2``, the values percent-encoded. The value is not shown: headers hold keys."""
    pairs = [word.partition("=") for word in words(value)]
    if any(not name.strip() or not equals for name, equals, _ in pairs):
        raise ValueError("must be name=value, separated by commas")
    return {unquote(name.strip()): unquote(text.strip()) for name, _, text in pairs}


def _propagators(value: str) -> frozenset[Propagator]:
    """Baggage is in OpenTelemetry's default; it is not passed on, since a client could send an API what it likes."""
    asked = {word.lower() for word in words(value)}
    if strange := asked - {*get_args(Propagator), "baggage", "none"}:
        raise ValueError(f"{min(strange)!r} is not known; use tracecontext, xray or none")
    return frozenset(known for known in get_args(Propagator) if known in asked and "none" not in asked)


def _sampler(value: str | None) -> tuple[Sampler, bool]:
    """(what decides about a trace that begins here, whether its caller decides about any other)."""
    name = "parentbased_always_on" if value is None else value.strip().lower()
    if name not in SAMPLERS:
        raise ValueError(f"{name[:100]!r} must be one of {', '.join(SAMPLERS)}")
    root: Any = name.removeprefix("parentbased_")
    return root, root != name or root == "xray"


def _ratio(given: Given, sampler: Sampler) -> float:
    if not given.value:
        return 1.0
    if sampler != "traceidratio":
        raise ConfigError(given.label, f"is for traceidratio; OTEL_TRACES_SAMPLER is {sampler}")
    if not _CHANCE.fullmatch(given.value.strip()) or not float(given.value) <= 1:
        raise ConfigError(given.label, f"{given.value[:100]!r} must be a number from 0 to 1")
    return float(given.value)


def _daemon(value: str) -> tuple[DaemonAddress, DaemonAddress]:
    """(UDP, TCP) of ``host:port``, or of ``tcp:host:port udp:host:port`` in either order."""
    pieces = value.split()
    if len(pieces) == 1 and not value.startswith(("udp:", "tcp:")):
        return _address(value, value), _address(value, value)
    by_protocol = {piece[:4].lower(): piece[4:] for piece in pieces}
    if len(pieces) != 2 or by_protocol.keys() != {"udp:", "tcp:"}:
        raise _no_daemon(value)
    return _address(by_protocol["udp:"], value), _address(by_protocol["tcp:"], value)


def _address(text: str, whole: str) -> DaemonAddress:
    found = _ADDRESS.fullmatch(text.strip())
    if found is None or not 0 < int(found["port"]) < 65_536:
        raise _no_daemon(whole)
    return DaemonAddress(found["v6"] or found["name"], int(found["port"]))


def _no_daemon(value: str) -> ValueError:
    return ValueError(f"{value[:100]!r} must be host:port, or tcp:host:port udp:host:port")
