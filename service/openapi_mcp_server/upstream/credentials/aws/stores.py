"""Secrets that AWS keeps: ``secretsmanager:ARN[:json-key]`` and ``ssm:NAME`` as the value of a setting."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import anyio
import msgspec

from openapi_mcp_server.errors import CredentialError
from openapi_mcp_server.openapi.text import numbers
from openapi_mcp_server.settings.readers import boolean
from openapi_mcp_server.settings.ways import before_settings
from openapi_mcp_server.upstream.addresses import AddressRule
from openapi_mcp_server.upstream.credentials.aws.keys import KeyChain, region_of
from openapi_mcp_server.upstream.credentials.aws.services import SECRETS_MANAGER, SSM, Aws
from openapi_mcp_server.upstream.credentials.login import Web
from openapi_mcp_server.upstream.credentials.tokens import Failed
from openapi_mcp_server.upstream.ways import way

STORE_SECONDS = 30.0
"""For one secret in all, the login at AWS included."""


def read(place: str, environ: Mapping[str, str]) -> str:
    """The secret at a place. Runs a loop of its own, so it is for the start, and for threads. Raises CredentialError.

    The settings are not read yet: those of the address rule and of the way there are taken from the environment.
    """
    try:
        return anyio.run(partial(_read_in_time, place, environ), backend="trio")
    except Failed as error:
        raise CredentialError(str(error), transient=error.transient) from None
    except TimeoutError:
        raise CredentialError(f"no answer within {STORE_SECONDS:g} s", transient=True) from None


async def _read_in_time(place: str, environ: Mapping[str, str]) -> str:
    rule = AddressRule(
        allow_private=_is_on(environ, "ALLOW_PRIVATE_NETWORKS"), allow_insecure=_is_on(environ, "ALLOW_INSECURE_HTTP")
    )
    there = way(before_settings(environ, _text), rule)
    web = Web(dialler=there.dialler, rule=rule, tls=there.anonymous_tls)
    with anyio.fail_after(STORE_SECONDS):
        return await fetched(place, environ, web)


def _text(path: str) -> str:
    return Path(path).read_text("utf-8")


def _is_on(environ: Mapping[str, str], name: str) -> bool:
    try:
        return boolean(environ.get(name, "false"))
    except ValueError:
        return False  # config refuses it


async def fetched(place: str, environ: Mapping[str, str], web: Web) -> str:
    """Raises CredentialError or Failed."""
    store, _, name = place.partition(":")
    name, key = _parts(name) if store == "secretsmanager" else (name, "")
    region = _region(name) or region_of(environ)
    if not region:
        raise CredentialError("no region: write the whole ARN, or set AWS_REGION")
    aws = Aws(region=region, environ=environ, web=web)
    keys = await KeyChain(environ, web).keys()
    if store == "ssm":
        said = await aws.call(SSM, "GetParameter", {"Name": name, "WithDecryption": True}, keys)
        parameter = said.get("Parameter")
        value = parameter.get("Value") if isinstance(parameter, dict) else None
    else:
        said = await aws.call(SECRETS_MANAGER, "GetSecretValue", {"SecretId": name}, keys)
        value = said.get("SecretString")
        value = _member(value, key) if key and isinstance(value, str) else value
    if not isinstance(value, str) or not value:
        raise CredentialError("it holds no text")
    return value


def _parts(name: str) -> tuple[str, str]:
    """(the secret, the key in its JSON); an ARN has seven parts itself."""
    parts = name.split(":")
    own = 7 if name.startswith("arn:") else 1
    return ":".join(parts[:own]), ":".join(parts[own:]).rstrip(":")


def _region(name: str) -> str:
    return name.split(":")[3] if name.startswith("arn:") and name.count(":") >= 5 else ""


def _member(text: str, key: str) -> str:
    try:
        members = numbers.decode(text)
    except (msgspec.DecodeError, RecursionError):
        members = None
    if not isinstance(members, dict):
        raise CredentialError("it holds no JSON object to take a key from")
    if key not in members:
        raise CredentialError(f"its JSON has no key {key[:64]!r}")
    value = members[key]
    return value if isinstance(value, str) else numbers.encode(value).decode()
