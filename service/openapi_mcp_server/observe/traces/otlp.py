"""Spans to a collector by OTLP over HTTP, with OpenTelemetry's own exporter: it connects, compresses, retries."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import requests  # noqa: TID251 - what OpenTelemetry's exporter sends with
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import SpanExportResult

from openapi_mcp_server.observe.traces.otlp_spans import encode
from openapi_mcp_server.observe.traces.outbox import CallSpans, Delivery, Sign
from openapi_mcp_server.settings.tracing import Otlp

REASON_CHARACTERS = 300
_LOCATION_CHARACTERS = 100

_COMPRESSION = {"none": Compression.NoCompression, "gzip": Compression.Gzip, "deflate": Compression.Deflate}


class OtlpExporter:
    """Retries for as long as a batch may take."""

    name = "otlp"
    gather_seconds = 0.5  # a request for each half second, or for each full batch

    def __init__(self, config: Otlp, sign: Sign | None = None) -> None:
        self._sign = sign
        session = requests.Session()
        session.auth = self._signed
        session.hooks["response"].append(_refuse_redirect)
        # Each is said here, so that no variable of OpenTelemetry's is read a second time and in another way. The way to
        # a collector has no setting of ours: requests reads HTTPS_PROXY, NO_PROXY and REQUESTS_CA_BUNDLE.
        self._exporter = OTLPSpanExporter(
            endpoint=config.endpoint,
            headers=dict(config.headers),
            timeout=config.timeout_seconds,
            compression=_COMPRESSION[config.compression],
            certificate_file=config.certificate,
            client_key_file=config.client_key,
            client_certificate_file=config.client_certificate,
            session=session,
        )
        # Its encoder costs more than everything else of a trace, so it gets bytes of ours where it takes some; the
        # attribute is its own business, and a version that has it no more encodes for itself.
        self._send_bytes = getattr(getattr(self._exporter, "_client", None), "export", None)
        self._said = _Said()
        for name in (
            "opentelemetry.exporter.otlp.proto.http.trace_exporter",
            "opentelemetry.exporter.otlp.common.http",
        ):
            library = logging.getLogger(name)
            library.propagate = False
            library.addHandler(self._said)

    def deliver(self, calls: Sequence[CallSpans]) -> Delivery:
        spans = [span for call in calls for span in call]
        if self._sign is not None and (problem := self._sign.prepare()):
            return Delivery(len(spans), problem[:REASON_CHARACTERS])
        self._said.first = ""
        cause = None
        if self._send_bytes is not None:
            sent = self._send_bytes(encode(spans))
            is_sent, cause = sent.success, sent.error
        else:
            is_sent = self._exporter.export(spans) is SpanExportResult.SUCCESS
        if is_sent:
            return Delivery()
        return Delivery(len(spans), (str(cause) if cause else self._said.first)[:REASON_CHARACTERS])

    def _signed(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """The request, signed if there is a signer. Without this, a session looks for a password in ~/.netrc, which
        would replace the configured key."""
        if self._sign is not None:
            body = request.body if isinstance(request.body, bytes) else b""
            request.headers.update(self._sign.headers(request.url or "", body))
        return request

    def close(self) -> None:
        self._exporter.shutdown()  # type: ignore[no-untyped-call]  # the library's


def _refuse_redirect(response: requests.Response, **_: object) -> None:
    """Raises RequestException for a redirect, which the library neither follows nor takes for a failure."""
    if 300 <= response.status_code < 400:
        response.close()
        target = response.headers.get("location", "")[:_LOCATION_CHARACTERS]
        said = f"answered {response.status_code}{f' to {target}' if target else ''}, and redirects are not followed"
        raise requests.RequestException(f"{said}: give the address itself in OTEL_EXPORTER_OTLP_ENDPOINT")


class _Said(logging.Handler):
    """The library's first line about a batch, which names the cause. It has one for each attempt; the outbox says once
    that spans are lost, and counts them."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.first = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.first = self.first or record.getMessage()
