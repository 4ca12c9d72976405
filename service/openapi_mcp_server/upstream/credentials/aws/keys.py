"""The access keys that AWS gives this process: from the environment, for a web identity, to a container, to a machine.

The order is that of AWS's SDKs. Files of a person's own (~/.aws) are not read.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import anyio

from openapi_mcp_server.aside import run_in_thread
from openapi_mcp_server.bridge.http_messages import HttpResponse
from openapi_mcp_server.errors import ConfigError, CredentialError
from openapi_mcp_server.upstream.credentials.aws import addresses
from openapi_mcp_server.upstream.credentials.aws.addresses import AwsAddresses
from openapi_mcp_server.upstream.credentials.aws.services import STS, endpoint
from openapi_mcp_server.upstream.credentials.aws.sigv4 import Keys
from openapi_mcp_server.upstream.credentials.login import Web, json_object
from openapi_mcp_server.upstream.credentials.tokens import Failed
from openapi_mcp_server.upstream.retries import sent_at

MARGIN_SECONDS = 300.0
"""Keys are asked for again so long before their end; AWS has new ones ready five minutes before."""
LEAST_SECONDS = 30.0
"""The time between two requests for keys that end soon."""
MACHINE_SECONDS = 2.0
"""The time for the metadata service of a machine. On AWS it answers at once; otherwise there is none."""
_METADATA_TOKEN_SECONDS = "300"  # noqa: S105 - no secret
_OWN = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_WEB_IDENTITY = ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN")
NONE_FOUND = (
    "no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the task, pod or instance a role"
)


def region_of(environ: Mapping[str, str]) -> str:
    return environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or ""


class KeyChain:
    """The keys, asked for once however many wait for them. ``environ``: AWS's own variables."""

    def __init__(self, environ: Mapping[str, str], web: Web, machine: AwsAddresses | None = None) -> None:
        self._environ = environ
        self._web = web
        machine = machine or AwsAddresses()
        self._machine = Web(dialler=machine, rule=machine, seconds=MACHINE_SECONDS)
        self._lock = anyio.Lock()
        self._keys: Keys | None = None
        self._asked_at = 0.0
        self._failed: Failed | None = None  # the last failure; this object itself is never raised

    async def keys(self) -> Keys:
        """The keys of now. Raises CredentialError or Failed."""
        if self._keys is not None and not self._is_due(self._keys):
            return self._keys
        failed = self._failed
        async with self._lock:
            if self._keys is not None and not self._is_due(self._keys):
                return self._keys
            if self._failed is not None and self._failed is not failed:  # somebody has asked in vain meanwhile
                raise Failed(str(self._failed), transient=self._failed.transient)
            self._keys = await self._asked()
            return self._keys

    async def _asked(self) -> Keys:
        """New keys. If there are none, the old ones, unless they have ended."""
        self._asked_at = time.time()
        try:
            return await self._found()
        except (CredentialError, Failed, ConfigError) as error:
            if self._keys is not None and (self._keys.ends or 0.0) > time.time():
                return self._keys
            self._failed = Failed(str(error), transient=getattr(error, "transient", False))
            if isinstance(error, ConfigError):  # of an address in AWS's variables
                raise CredentialError(str(error)) from None
            raise

    def forget(self) -> None:
        """Asks for other keys the next time: these were refused."""
        self._keys = None

    def _is_due(self, keys: Keys) -> bool:
        now = time.time()
        return keys.ends is not None and keys.ends - now < MARGIN_SECONDS and now - self._asked_at > LEAST_SECONDS

    async def _found(self) -> Keys:
        environ = self._environ
        if _has_all(environ, _OWN):
            return Keys(
                access_key=environ["AWS_ACCESS_KEY_ID"],
                secret_key=environ["AWS_SECRET_ACCESS_KEY"],
                session_token=environ.get("AWS_SESSION_TOKEN", ""),
            )
        if _has_all(environ, _WEB_IDENTITY):
            return await self._of_web_identity()
        if _is_in_container(environ):
            return await self._of_container()
        if _asks_machine(environ):
            return await self._of_instance()
        raise CredentialError(NONE_FOUND)

    async def _of_web_identity(self) -> Keys:
        """STS AssumeRoleWithWebIdentity, which needs no signature."""
        token = await _text_of(self._environ["AWS_WEB_IDENTITY_TOKEN_FILE"], "AWS_WEB_IDENTITY_TOKEN_FILE")
        form = {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": "2011-06-15",
            "RoleArn": self._environ["AWS_ROLE_ARN"],
            "RoleSessionName": self._environ.get("AWS_ROLE_SESSION_NAME") or "openapi-mcp-server",
            "WebIdentityToken": token,
        }
        url = endpoint(STS, region_of(self._environ) or "us-east-1", self._environ)
        headers = (("Content-Type", "application/x-www-form-urlencoded"),)
        body = urlencode(form).encode("ascii")
        answer = await self._web.ask(self._web.request("POST", url, headers, body, "AWS_ENDPOINT_URL_STS"))
        text = answer.body.decode("utf-8", errors="replace")
        names = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration", "Code")
        found = {name: text.partition(f"<{name}>")[2].partition("<")[0] for name in names if f"<{name}>" in text}
        if answer.status != 200:
            raise Failed(f"sts answered {answer.status} ({found.get('Code', 'no code')[:80]})")
        return _keys({**found, "Token": found.get("SessionToken")}, answer, "sts")

    async def _of_container(self) -> Keys:
        environ = self._environ
        relative = environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
        url = f"http://{addresses.TASK}{relative}" if relative else environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
        token = environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")
        if path := environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"):
            token = await _text_of(path, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
        headers = (("Authorization", token),) if token else ()
        setting = f"AWS_CONTAINER_CREDENTIALS_{'RELATIVE' if relative else 'FULL'}_URI"
        web = self._web if url.startswith("https://") else self._machine
        answer = await web.ask(web.request("GET", url, headers, None, setting))
        return _keys(_members(answer, "the container's credentials endpoint"), answer, "the container's endpoint")

    async def _of_instance(self) -> Keys:
        """IMDSv2: a token first, which no server that merely follows a URL can get."""
        base = self._environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or f"http://{addresses.INSTANCE}"
        ask = partial(self._ask_instance, base.rstrip("/"))
        try:
            token = await ask("PUT", "api/token", ("X-aws-ec2-metadata-token-ttl-seconds", _METADATA_TOKEN_SECONDS))
        except CredentialError as error:
            raise CredentialError(NONE_FOUND, transient=True) from error
        proof = ("X-aws-ec2-metadata-token", token.body.decode("latin-1").strip())
        roles = await ask("GET", "meta-data/iam/security-credentials/", proof)
        role = roles.body.decode("latin-1").split("\n")[0].strip()
        answer = await ask("GET", f"meta-data/iam/security-credentials/{role}", proof)
        return _keys(_members(answer, "the instance's metadata"), answer, "the instance's metadata")

    async def _ask_instance(self, base: str, method: str, path: str, header: tuple[str, str]) -> HttpResponse:
        url = f"{base}/latest/{path}"
        request = self._machine.request(method, url, (header,), None, "AWS_EC2_METADATA_SERVICE_ENDPOINT")
        answer = await self._machine.ask(request)
        if answer.status != 200:
            raise Failed(f"the instance's metadata answered {answer.status} for {path}")
        return answer


async def _text_of(path: str, setting: str) -> str:
    """The text of a file, which is read each time: the platform replaces it."""
    try:
        return (await run_in_thread(partial(Path(path).read_text, "utf-8"))).strip()
    except (OSError, ValueError) as error:
        raise CredentialError(f"{setting}: cannot read {path}: {getattr(error, 'strerror', 'not UTF-8')}") from None


def _members(answer: HttpResponse, where: str) -> dict[str, Any]:
    said = json_object(answer)
    if answer.status != 200 or not said:
        raise Failed(f"{where} answered {answer.status}")
    return said


def _keys(said: Mapping[str, Any], answer: HttpResponse, where: str) -> Keys:
    access_key, secret_key = said.get("AccessKeyId"), said.get("SecretAccessKey")
    if not isinstance(access_key, str) or not isinstance(secret_key, str) or not access_key or not secret_key:
        raise Failed(f"{where} gave no access key")
    return Keys(
        access_key=access_key,
        secret_key=secret_key,
        session_token=str(said.get("Token") or ""),
        ends=_end(said.get("Expiration"), answer),
    )


def _end(written: object, answer: HttpResponse) -> float | None:
    """The end of keys by our clock. Their remaining time is counted from the answer's own date, if it has one."""
    try:
        end = datetime.fromisoformat(str(written)).timestamp()
    except (ValueError, OverflowError):
        return None
    sent = sent_at(answer)
    return end if sent is None else time.time() + end - sent


def require_keys(environ: Mapping[str, str], setting: str) -> None:
    """Raises ConfigError where it is certain that there will be none."""
    if bool(environ.get("AWS_ACCESS_KEY_ID")) != bool(environ.get("AWS_SECRET_ACCESS_KEY")):
        raise ConfigError(setting, "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY belong together; one is missing")
    named = _has_all(environ, _OWN) or _has_all(environ, _WEB_IDENTITY) or _is_in_container(environ)
    if not named and not _asks_machine(environ):
        raise ConfigError(setting, f"{NONE_FOUND}; AWS_EC2_METADATA_DISABLED is true")


def _has_all(environ: Mapping[str, str], names: Iterable[str]) -> bool:
    return all(environ.get(name) for name in names)


def _is_in_container(environ: Mapping[str, str]) -> bool:
    return any(map(environ.get, ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI")))


def _asks_machine(environ: Mapping[str, str]) -> bool:
    return environ.get("AWS_EC2_METADATA_DISABLED", "").lower() != "true"
