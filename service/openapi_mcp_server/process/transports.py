"""The transports, in front of the gateway: HTTP from the first request to the drained one, and standard input."""

from __future__ import annotations

import logging
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio
import msgspec
import trio

from openapi_mcp_server.bridge.model import ToolCatalog
from openapi_mcp_server.documents import policies
from openapi_mcp_server.documents.configured import address_rule
from openapi_mcp_server.gateway.gateway import Gateway
from openapi_mcp_server.process.rotation import Secrets
from openapi_mcp_server.process.stopping import LAST_WORD_SECONDS, Stop, until_signal
from openapi_mcp_server.server import ports
from openapi_mcp_server.server.access.cors import for_pages
from openapi_mcp_server.server.app import Health, Readiness, WorkerApp
from openapi_mcp_server.server.http11 import connections
from openapi_mcp_server.server.metrics_port import Watched
from openapi_mcp_server.server.principals.guarding import anybody, guarding
from openapi_mcp_server.server.principals.limits import Limits
from openapi_mcp_server.server.principals.static_tokens import StaticTokens
from openapi_mcp_server.server.visitors import Visitors, allowed
from openapi_mcp_server.settings.config import Config
from openapi_mcp_server.upstream.ways import way

if TYPE_CHECKING:
    from openapi_mcp_server.page.app import Page

logger = logging.getLogger(__name__)


class Views(NamedTuple):
    """Where people see what is served; the page is None where it is off."""

    health: Health
    page: Page | None

    def load(self, catalog: ToolCatalog) -> None:
        self.health.load(catalog)
        if self.page is not None:
            self.page.load(catalog)


def views(config: Config, catalog: ToolCatalog) -> Views:
    """The views of these tools; the page only where it is on."""
    if not config.web_page:
        return Views(Health(catalog), None)
    from openapi_mcp_server.page.app import Page  # noqa: PLC0415 - for servers that have it on

    return Views(Health(catalog), Page(catalog))


class Served(NamedTuple):
    """The parts that a transport is in front of."""

    gateway: Gateway
    views: Views
    limits: Limits
    secrets: Secrets


async def over_stdio(gateway: Gateway, stop: Stop, readiness: Readiness) -> None:
    if sys.stdin.isatty():
        logger.warning("speaking MCP over standard input and output; for HTTP give --transport http")
    from openapi_mcp_server.server.stdio import claim_stdout, serve_stdio  # noqa: PLC0415 - for clients that start it

    reading = trio.CancelScope()

    async def stop_reading() -> None:
        await stop.requested.wait()
        reading.cancel()

    async with until_signal(stop), anyio.create_task_group() as tasks:
        tasks.start_soon(stop_reading)
        readiness.state = "ready"
        await serve_stdio(gateway, sys.stdin.fileno(), claim_stdout(), reading)
        tasks.cancel_scope.cancel()


async def over_http(config: Config, stop: Stop, served: Served, listener: socket.socket, watched: Watched) -> None:
    # Ten modules that a server on standard input has no use for:
    from openapi_mcp_server.process.tasks import peers  # noqa: PLC0415
    from openapi_mcp_server.server.sse.http_sse import http_sse  # noqa: PLC0415
    from openapi_mcp_server.server.streamable_http import streamable_http  # noqa: PLC0415

    readiness, metrics = watched
    gateway, shown, limits, secrets = served
    grace_seconds = config.shutdown_grace_seconds
    async with (
        _visitors(config, secrets) as visitors,
        streamable_http(gateway, visitors, readiness.is_draining, limits) as mcp,
        peers(config) as others,
        http_sse(
            gateway, visitors, worker=config.worker or 0, prefix=config.public_path_prefix, peers=others, limits=limits
        ) as sse,
        until_signal(stop),
        anyio.create_task_group() as tasks,
    ):
        if metrics is not None:
            metrics.follow_sessions(lambda: sse.sessions)
            metrics.follow_refused(visitors.refused)
            if others is not None:
                metrics.follow_forwarded(others.outcomes)

        async def drained() -> None:  # the server calls it once it listens
            readiness.state = "ready"
            stop.ready()
            _say_where(config, ports.url(listener))
            await stop.requested.wait()
            readiness.state = "draining"
            logger.info("stopping: calls in flight are finished", extra={"grace_seconds": grace_seconds})
            await anyio.sleep(config.shutdown_lame_duck_seconds)
            mcp.drain()
            sse.drain()
            tasks.start_soon(_give_up_later, gateway, grace_seconds)

        at_mcp = None if config.transport == "sse" else for_pages(mcp, visitors)
        at_sse = None if config.transport == "streamable-http" else for_pages(sse, visitors)
        app = WorkerApp(at_mcp, shown.health, readiness, visitors, sse=at_sse)
        if shown.page is not None:
            shown.page.follow(visitors, lambda: _now(config, gateway, app) | shown.health.reload())
            app.page = shown.page
        await connections.serve(app, listener, until=drained, grace_seconds=grace_seconds + LAST_WORD_SECONDS)
        tasks.cancel_scope.cancel()


def _say_where(config: Config, url: str) -> None:
    if config.web_page:
        logger.info("a page to look at is at %s/", url)
    logger.info("serving MCP at %s/%s", url, "sse" if config.transport == "sse" else "mcp")


def _now(config: Config, gateway: Gateway, app: WorkerApp) -> dict[str, Any]:
    """The state that the page shows beside its own numbers."""
    return app.told() | {
        "name": config.server_name,
        "worker": config.worker,
        "workers": config.workers,
        "in_flight": gateway.in_flight,
        "grace_seconds": config.shutdown_grace_seconds,
    }


@asynccontextmanager
async def _visitors(config: Config, secrets: Secrets) -> AsyncIterator[Visitors]:
    policy = policies.policy(config)
    rule = address_rule(config)
    async with guarding(config, policy, rule, way(config.way, rule)) as guard:
        if guard is not None and config.inbound.kind == "token":
            secrets.join(lambda now: guard.replace(StaticTokens(now.inbound.tokens, policy)))
        yield msgspec.structs.replace(allowed(config), guard=guard, anybody=anybody(policy))


async def _give_up_later(gateway: Gateway, seconds: float) -> None:
    await anyio.sleep(seconds)
    gateway.give_up()
