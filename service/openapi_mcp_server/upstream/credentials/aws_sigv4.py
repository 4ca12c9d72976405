"""Requests signed for API Gateway, Lambda URLs and every other service of AWS."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from openapi_mcp_server.bridge.model import HttpRequest, HttpResponse
from openapi_mcp_server.errors import CredentialError
from openapi_mcp_server.settings.auth import Auth
from openapi_mcp_server.upstream.credentials.aws_keys import KeyChain, region_of
from openapi_mcp_server.upstream.credentials.sigv4 import Keys, Scope, signed
from openapi_mcp_server.upstream.credentials.tokens import Failed

SKEW_SECONDS = 60.0
"""By which two clocks may differ before ours is set by AWS's; it takes five minutes itself."""
_REGION = re.compile(r"\.([a-z]{2}(?:-[a-z]+)+-\d)\.(?:on\.aws|amazonaws\.com(?:\.cn)?|vpce\.amazonaws\.com)$")


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
        try:
            keys = await self._chain.keys()
        except Failed as error:
            raise CredentialError(f"no AWS credentials for {self._api}: {error}", passing=error.passing) from error
        scope = Scope(region=region, service=self._service or _service(request.origin.host))
        return signed(request, keys, scope, time.time() + self._clock_offset), keys

    async def renewed(self, used: object, answer: HttpResponse) -> bool:
        """A wrong clock is set by the answer's date; keys that were exchanged meanwhile are asked for again."""
        if answer.status not in {401, 403}:
            return False
        try:
            offset = parsedate_to_datetime(answer.header("date") or "").timestamp() - time.time()
        except (ValueError, TypeError):
            offset = self._clock_offset
        if abs(offset - self._clock_offset) > SKEW_SECONDS:
            self._clock_offset = offset
            return True
        if not isinstance(used, Keys) or used.ends is None or b"xpired" not in answer.body[:2_000]:
            return False
        self._chain.forget()
        return True


def _service(host: str) -> str:
    return "lambda" if host.endswith(".on.aws") else "execute-api"
