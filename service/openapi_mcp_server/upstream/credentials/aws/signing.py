"""Signs requests for API Gateway, Lambda URLs and every other service of AWS, and those that send spans to AWS."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Mapping

import anyio

from openapi_mcp_server.bridge.http_messages import HttpRequest, HttpResponse
from openapi_mcp_server.errors import CredentialError
from openapi_mcp_server.settings.auth import Auth
from openapi_mcp_server.upstream.addresses import AddressRule
from openapi_mcp_server.upstream.credentials.aws.keys import KeyChain, region_of
from openapi_mcp_server.upstream.credentials.aws.sigv4 import Keys, Scope, signed
from openapi_mcp_server.upstream.credentials.login import Web, made_of_body
from openapi_mcp_server.upstream.credentials.tokens import Failed
from openapi_mcp_server.upstream.retries import sent_at
from openapi_mcp_server.upstream.ways import Way

KEY_SECONDS = 10.0
"""For the keys of a batch of spans, which are dropped without."""
_SPANS = "xray"
_SPANS_SETTING = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
_SPANS_TYPE = (("Content-Type", "application/x-protobuf"),)
SKEW_SECONDS = 60.0
"""Seconds by which two clocks may differ before ours is set by AWS's; it takes five minutes itself."""
_REGION = re.compile(r"\.([a-z]{2}(?:-[a-z]+)+-\d)\.(?:on\.aws|amazonaws\.com(?:\.cn)?|vpce\.amazonaws\.com)$")


logger = logging.getLogger(__name__)


class SigningLogin:
    """See `login.Login`. Its request is signed last, as it goes out."""

    is_last = True

    def __init__(self, api: str, auth: Auth, chain: KeyChain, environ: Mapping[str, str]) -> None:
        self._api = api
        self._service = auth.aws_service
        self._region = auth.aws_region
        self._else_region = region_of(environ)
        self._chain = chain
        self._clock_offset = 0.0

    async def applied(self, request: HttpRequest) -> tuple[HttpRequest, object]:
        found = _REGION.search(request.origin.host)
        region = self._region or (found[1] if found else self._else_region)
        if not region:
            raise CredentialError(f"{self._api}: no region to sign for; set AUTH_AWS_REGION or AWS_REGION")
        keys = await self._keys()
        scope = Scope(region=region, service=self._service or _service(request.origin.host))
        now = time.time() + self._clock_offset
        return await made_of_body(request, lambda: signed(request, keys, scope, now)), keys

    async def ahead(self) -> None:
        """See `login.Ahead`."""
        try:
            await self._keys()
        except CredentialError as error:
            logger.warning("no AWS credentials", extra={"api": self._api, "problem": str(error)})
            raise

    async def _keys(self) -> Keys:
        try:
            return await self._chain.keys()
        except Failed as error:
            raise CredentialError(f"no AWS credentials for {self._api}: {error}", transient=error.transient) from error

    async def renewed(self, used: object, answer: HttpResponse) -> bool:
        """A wrong clock is set by the answer's date; keys that were exchanged meanwhile are asked for again."""
        if answer.status not in {401, 403}:
            return False
        sent = sent_at(answer)
        offset = self._clock_offset if sent is None else sent - time.time()
        if abs(offset - self._clock_offset) > SKEW_SECONDS:
            self._clock_offset = offset
            return True
        if not isinstance(used, Keys) or used.ends is None or b"xpired" not in answer.body[:2_000]:
            return False
        self._chain.forget()
        return True


class SpanSigner:
    """Signs spans that AWS takes itself, at https://xray.REGION.amazonaws.com/v1/traces. OpenTelemetry's exporter sends
    them from a thread of its own, so the keys are fetched in a loop of that thread. ``environ`` has AWS's own
    variables."""

    def __init__(self, environ: Mapping[str, str], rule: AddressRule, way: Way, region: str) -> None:
        self._web = Web(dialler=way.dialler, rule=rule, tls=way.anonymous_tls)
        self._chain = KeyChain(environ, self._web)
        self._region = region
        self._keys: Keys | None = None

    def prepare(self) -> str:
        """Has keys for the next requests. Returns why there are none."""
        try:
            self._keys = anyio.run(self._asked, backend="trio")
        except (CredentialError, Failed, TimeoutError) as error:
            return str(error) or f"no AWS credentials within {KEY_SECONDS:g} s"
        return ""

    async def _asked(self) -> Keys:
        with anyio.fail_after(KEY_SECONDS):
            return await self._chain.keys()

    def headers(self, url: str, body: bytes) -> dict[str, str]:
        """The headers that a request with these bytes has to have."""
        assert self._keys is not None  # noqa: S101 - for the type checker: `prepare` was called
        request = self._web.request("POST", url, _SPANS_TYPE, body, _SPANS_SETTING)
        return dict(signed(request, self._keys, Scope(region=self._region, service=_SPANS), time.time()).headers)


def _service(host: str) -> str:
    return "lambda" if host.endswith(".on.aws") else "execute-api"
