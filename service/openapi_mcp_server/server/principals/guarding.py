"""Makes a guard from the settings, and runs its tasks for as long as the server runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import anyio

from openapi_mcp_server.bridge.policy import ANYBODY, OPEN, Permit, Policy, Principal
from openapi_mcp_server.errors import ConfigError
from openapi_mcp_server.server.principals.guard import Guard
from openapi_mcp_server.server.principals.static_tokens import StaticTokens
from openapi_mcp_server.settings.config import Config
from openapi_mcp_server.upstream.addresses import AddressRule
from openapi_mcp_server.upstream.ways import Way


def anybody(policy: Policy) -> Principal:
    """The caller if there is no authentication: no name, no scope, no group."""
    if policy is OPEN:
        return ANYBODY
    return Principal(permit=Permit(granted=policy.granted("", (), ())))


@asynccontextmanager
async def guarding(config: Config, policy: Policy, rule: AddressRule, way: Way) -> AsyncIterator[Guard | None]:
    """None if there is no authentication. ``way``: how issuers are reached. Raises ConfigError."""
    inbound = config.inbound
    if inbound.kind == "none":
        yield None
        return
    if inbound.kind == "token":
        yield Guard(StaticTokens(inbound.tokens, policy))
        return
    try:
        from openapi_mcp_server.server.principals.issuers import Issuer  # noqa: PLC0415 - joserfc and cryptography
        from openapi_mcp_server.server.principals.jwt_tokens import JwtTokens  # noqa: PLC0415
    except ModuleNotFoundError:
        raise ConfigError("INBOUND_AUTH", "jwt needs joserfc: install openapi-mcp-service[jwt]") from None
    for name in inbound.issuers:
        parts = urlsplit(name)
        if problem := rule.url_problem(parts.scheme, parts.hostname or ""):
            raise ConfigError("INBOUND_JWT_ISSUERS", f"{name}: {problem}")
    issuers = {name: Issuer(name, rule, way.dialler, way.anonymous_tls) for name in inbound.issuers}
    async with anyio.create_task_group() as tasks:
        for issuer in issuers.values():
            tasks.start_soon(issuer.tend)
        guard = Guard(JwtTokens(inbound, issuers, policy), issuers=inbound.issuers, scopes=inbound.required_scopes)
        yield guard.known_as(inbound.audience)
        tasks.cancel_scope.cancel()
