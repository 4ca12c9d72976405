"""The gateway and all that is behind it, built of the configuration and closed in reverse."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from openapi_mcp_server import __version__
from openapi_mcp_server.bridge.model import ToolCatalog
from openapi_mcp_server.bridge.results import redaction
from openapi_mcp_server.bridge.results.redaction import Redaction
from openapi_mcp_server.documents import policies
from openapi_mcp_server.documents.configured import address_rule, keyring
from openapi_mcp_server.errors import ConfigError
from openapi_mcp_server.gateway.gateway import Gateway
from openapi_mcp_server.gateway.serving import Send, Serving
from openapi_mcp_server.mcp.messages import ServerInfo
from openapi_mcp_server.memory import Budget
from openapi_mcp_server.observe.record import Observe
from openapi_mcp_server.observe.trace import Begin, untraced
from openapi_mcp_server.process import limits
from openapi_mcp_server.server.app import Health
from openapi_mcp_server.server.principals.guarding import anybody
from openapi_mcp_server.server.principals.turns import Turns
from openapi_mcp_server.settings.config import Config
from openapi_mcp_server.upstream.addresses import CheckedDialler
from openapi_mcp_server.upstream.call import Upstream, UpstreamSettings
from openapi_mcp_server.upstream.credentials.keyring import Keyring

if TYPE_CHECKING:
    from openapi_mcp_server.observe.metrics.metrics import Metrics
    from openapi_mcp_server.upstream.shared_state import SharedState

FEWEST_TASKS = 2
"""Tasks that share limits, where nobody says how many do: one alone would have asked for no store."""


class Outgoing(NamedTuple):
    """The means of calls: the credentials of APIs, where limits hold over all tasks, if they do, and what tells of each
    call, if anything does."""

    keys: Keyring
    shared: SharedState | None = None
    overhear: Callable[[Send], Send] | None = None


@asynccontextmanager
async def opened(
    config: Config,
    tools: ToolCatalog,
    observe: Observe,
    metrics: Metrics | None = None,
    trace: Begin = untraced,
    outgoing: Outgoing | None = None,
) -> AsyncIterator[Gateway]:
    """A gateway with everything behind it; closed in reverse. ``metrics`` follow what it is doing."""
    keys, shared, overhear = outgoing or Outgoing(keyring(config))
    authorize = keys.credentials(tools).authorize
    dialler = CheckedDialler(address_rule(config))
    async with Upstream(dialler, _upstream_settings(config), keys.way, shared, Turns().wait) as upstream:
        send = upstream.send if overhear is None else overhear(upstream.send)
        gateway = Gateway(tools, _serving(config), send=send, authorize=authorize, observe=observe, trace=trace)
        if overhear is None:
            gateway.send_by(upstream.send_at_once)
        del tools  # a reload replaces them
        if metrics is not None:
            metrics.follow_calls(lambda: gateway.in_flight, upstream.waiting)
            metrics.follow_breakers(upstream.breakers)
            metrics.follow_memory(gateway.memory)
        yield gateway


def _serving(config: Config) -> Serving:
    return Serving(
        server=ServerInfo(name=config.server_name, version=__version__),
        call_seconds=config.message_timeout_seconds,
        page_size=config.tools_page_size,
        anybody=anybody(policies.policy(config)).permit,
        private=config.inbound.kind != "none",
        redaction=hidden(config),
        tell_arguments=config.audit == "arguments",
        prompts=config.operation_prompts,
        validate_output=config.validate_output,
        result_budget_bytes=config.result_budget_bytes,
        mode=config.tool_mode,
        portable=config.tool_schemas == "portable",
        list_tokens=config.tool_budget_tokens,
        memory=Budget(config.memory_budget_bytes or limits.budget_bytes(config.workers)),
    )


def _upstream_settings(config: Config) -> UpstreamSettings:
    return UpstreamSettings(
        max_connections=config.http_max_connections,
        max_keepalive=config.http_max_keepalive,
        attempt_seconds=config.http_timeout_seconds,
        retries=config.http_retries,
        breaker=config.http_breaker,
        rate=config.api_rate_limit,
    )


def hidden(config: Config) -> Redaction | None:
    """The values that results and records leave out; None if there are none. Raises ConfigError."""
    try:
        return redaction.of(config.redact)
    except ValueError as error:
        raise ConfigError("REDACT", str(error)) from None


@asynccontextmanager
async def sharing(config: Config, health: Health, metrics: Metrics | None) -> AsyncIterator[SharedState | None]:
    """The store for limits over all tasks, with its health and metrics; None without SHARED_STATE."""
    if config.shared_state is None:
        yield None
        return
    try:
        from openapi_mcp_server.upstream.shared_state import shared_state  # noqa: PLC0415 - coredis, for those who want it
    except ModuleNotFoundError:
        raise ConfigError("SHARED_STATE", "needs coredis: install openapi-mcp-service[shared]") from None
    expected = config.shared_state_tasks or max(config.workers, FEWEST_TASKS)
    async with shared_state(config.shared_state, config.server_name, tasks=expected) as shared:
        health.follow_shared_state(lambda: shared.is_up)
        if metrics is not None:
            metrics.follow_shared_state(lambda: shared.is_up, lambda: shared.fallbacks)
        yield shared
