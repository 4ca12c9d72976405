"""One request to a service of AWS that speaks JSON: Cognito, Secrets Manager, Systems Manager."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import msgspec

from openapi_mcp_server.bridge.http_messages import HttpRequest, HttpResponse
from openapi_mcp_server.upstream.credentials.aws.sigv4 import Keys, Scope, signed
from openapi_mcp_server.upstream.credentials.login import Web, json_object, words
from openapi_mcp_server.upstream.credentials.tokens import Failed
from openapi_mcp_server.upstream.retries import retry_after


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """``variable``: what AWS_ENDPOINT_URL_ ends with for it; ``target``: what its operations are prefixed with."""

    name: str
    variable: str
    target: str = ""


COGNITO = Service(name="cognito-idp", variable="COGNITO_IDENTITY_PROVIDER", target="AWSCognitoIdentityProviderService")
SECRETS_MANAGER = Service(name="secretsmanager", variable="SECRETS_MANAGER", target="secretsmanager")
SSM = Service(name="ssm", variable="SSM", target="AmazonSSM")
STS = Service(name="sts", variable="STS")

ENDPOINT = "AWS_ENDPOINT_URL"
_TRANSIENT = frozenset(
    {"TooManyRequestsException", "ThrottlingException", "InternalErrorException", "RequestLimitExceeded"}
)


class AwsFailed(Failed):
    """``code``: AWS's name of the error."""

    def __init__(self, code: str, problem: str, *, after: float | None = None, transient: bool = True) -> None:
        super().__init__(problem, after=after, transient=transient)
        self.code = code


def endpoint(service: Service, region: str, environ: Mapping[str, str]) -> str:
    """The address of a service, by AWS's own variables or else by the region."""
    own = environ.get(f"{ENDPOINT}_{service.variable}") or environ.get(ENDPOINT)
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return own or f"https://{service.name}.{region}.{suffix}"


class Aws(msgspec.Struct, frozen=True, kw_only=True):
    """AWS in one region. ``environ``: its own variables."""

    region: str
    environ: Mapping[str, str]
    web: Web

    def __repr__(self) -> str:
        return f"Aws({self.region})"

    def check(self, service: Service) -> None:
        """Raises ConfigError where the address of a service cannot be asked."""
        self._request(service, (), b"")

    async def call(
        self,
        service: Service,
        operation: str,
        fields: Mapping[str, Any],
        keys: Keys | None,
        hidden: tuple[str, ...] = (),
    ) -> dict[str, Any]:
        """The fields of the answer; signed where there are ``keys``. Raises AwsFailed, or CredentialError without an
        answer."""
        headers = (
            ("Content-Type", "application/x-amz-json-1.1"),
            ("X-Amz-Target", f"{service.target}.{operation}"),
        )
        request = self._request(service, headers, msgspec.json.encode(fields))
        if keys is not None:
            request = signed(request, keys, Scope(region=self.region, service=service.name), time.time())
        answer = await self.web.ask(request)
        said = json_object(answer)
        if answer.status != 200:
            raise _failed(service, answer, said, hidden)
        return said

    def _request(self, service: Service, headers: tuple[tuple[str, str], ...], body: bytes) -> HttpRequest:
        url = endpoint(service, self.region, self.environ)
        return self.web.request("POST", url, headers, body, f"{ENDPOINT}_{service.variable}")


def _failed(service: Service, answer: HttpResponse, said: Mapping[str, Any], hidden: tuple[str, ...]) -> AwsFailed:
    code = str(said.get("__type") or answer.header("x-amzn-errortype") or "").rpartition("#")[2].partition(":")[0]
    text = said.get("message") or said.get("Message") or ""
    why = words(f"{code}: {text}" if code else str(text), hidden)
    return AwsFailed(
        code,
        f"{service.name} answered {answer.status}{f' ({why})' if why else ''}",
        after=retry_after(answer, time.time()),
        transient=answer.status >= 500 or answer.status == 429 or code in _TRANSIENT,
    )
