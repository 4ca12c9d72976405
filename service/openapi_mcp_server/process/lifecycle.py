"""The way from settings to a running server and back: build in order, serve, drain, close in reverse.

Everything that can fail at start does so before the first request is accepted: the port is taken first, then the
documents are read, then the server listens.
"""

from __future__ import annotations

import gc
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import anyio

from openapi_mcp_server import aside
from openapi_mcp_server.bridge.model import ToolCatalog
from openapi_mcp_server.documents import policies
from openapi_mcp_server.documents.configured import keyring
from openapi_mcp_server.documents.loading import Documents
from openapi_mcp_server.documents.refresh import Refresh, running
from openapi_mcp_server.documents.report import report
from openapi_mcp_server.gateway.gateway import Gateway
from openapi_mcp_server.observe import logs
from openapi_mcp_server.process import limits, own_apis
from openapi_mcp_server.process.building import Outgoing, hidden, opened, sharing
from openapi_mcp_server.process.observing import Tally, observers, traced
from openapi_mcp_server.process.own_apis import InFront
from openapi_mcp_server.process.rotation import Secrets, rotating
from openapi_mcp_server.process.sources import Sources
from openapi_mcp_server.process.stopping import LAST_WORD_SECONDS, Stop
from openapi_mcp_server.process.transports import Served, Views, over_http, over_stdio, views
from openapi_mcp_server.process.watchdog import guarded
from openapi_mcp_server.server import ports
from openapi_mcp_server.server.access.cors import for_pages
from openapi_mcp_server.server.app import Starting
from openapi_mcp_server.server.http11 import connections
from openapi_mcp_server.server.metrics_port import watch
from openapi_mcp_server.server.principals.limits import Limits
from openapi_mcp_server.server.visitors import allowed
from openapi_mcp_server.settings.config import Config
from openapi_mcp_server.upstream.credentials.keyring import Keyring

if TYPE_CHECKING:
    from openapi_mcp_server.observe.metrics.metrics import Metrics

COLLECTED = (20_000, 1_000, 20)
"""Thresholds of the garbage collector while calls are served. Hardly anything of a call is in a cycle; with the usual
700 it took 4 % of the CPU at 32 connections and 14 % at 256, in steps of 45 to 100 ms with many calls in flight. 20,000
young objects take 3 ms, and are looked at once: as many times more of them, as 1,000 calls are, took 50 to 130."""

logger = logging.getLogger(__name__)


class Listeners(NamedTuple):
    """The ports that were taken; None where a client is on standard input, or nobody asked for metrics."""

    mcp: socket.socket | None
    metrics: socket.socket | None

    def listen(self) -> None:
        if self.mcp is not None:
            ports.listen(self.mcp)
        if self.metrics is not None:
            ports.listen(self.metrics, setting="PROMETHEUS_PORT")


def _nobody_asked() -> None:
    """Stands for the reports to a supervisor (the server serves, it still lives) if there is none."""


def run(
    config: Config,
    ready: Callable[[], None] = _nobody_asked,
    beat: Callable[[], None] = _nobody_asked,
    sources: Sources | None = None,
) -> int:
    """Serve until a signal or, over stdio, the end of input. Returns the exit code.

    Calls ``ready`` when it serves, and ``beat`` every second from about then on. ``sources``: what the configuration
    was read from, which may change meanwhile.
    """
    logs.configure(config.log_level, config.log_format, worker=config.worker)
    for warning in config.warnings:
        logger.warning(warning)
    allowed(config)  # raises for what cannot be used, before anything is started
    policies.policy(config)
    hidden(config)
    stop = Stop(ready, beat)
    anyio.run(_main(config, sources), config, stop, backend="trio")
    return 1 if stop.forced else 0


def _main(config: Config, sources: Sources | None) -> Callable[[Config, Stop], Awaitable[None]]:
    match config.command:
        case "serve" if "--mock" in config.options:
            return partial(_serve_in_front, start=own_apis.mocked)
        case "serve":
            return partial(_serve, sources=sources)
        case "demo" if "--api-only" in config.options and config.transport != "stdio":
            return own_apis.serve_demo_api
        case "demo":
            return partial(_serve_in_front, start=own_apis.demo)
        case _:
            return own_apis.serve_mock


def _bind(config: Config) -> Listeners:
    watched_at = config.host if config.worker is None else "127.0.0.1"  # a supervisor has the port that is not private
    return Listeners(
        mcp=ports.bind(config.host, config.port) if config.transport != "stdio" else None,
        metrics=ports.bind(watched_at, config.prometheus_port, setting="PROMETHEUS_PORT")
        if config.prometheus
        else None,
    )


async def _serve(config: Config, stop: Stop, sources: Sources | None = None) -> None:
    listeners = _bind(config)
    secrets = Secrets(keyring(config))
    documents = Documents(config, secrets.keys)
    again = documents if config.spec_refresh_seconds else None
    async with rotating(sources, secrets.replace, config.spec_refresh_seconds):
        await _serve_tools(config, stop, await _read(config, documents, listeners.mcp), listeners, secrets, again)


async def _read(config: Config, documents: Documents, listener: socket.socket | None) -> ToolCatalog:
    """The documents. Where they are waited for, probes are answered meanwhile: alive, and not ready."""
    if not config.spec_wait_seconds or listener is None:
        return await documents.read(wait_seconds=config.spec_wait_seconds)
    are_there = anyio.Event()
    answer = partial(connections.serve, until=are_there.wait, grace_seconds=LAST_WORD_SECONDS)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(answer, for_pages(Starting(), allowed(config)), listener.dup())
        tools = await documents.read(wait_seconds=config.spec_wait_seconds)
        are_there.set()
    return tools


async def _serve_in_front(
    config: Config, stop: Stop, start: Callable[[Config], AbstractAsyncContextManager[InFront]]
) -> None:
    """The tools of an API of our own, which runs as long as they are served."""
    listeners = _bind(config)
    async with start(config) as (ours, tools):
        await _serve_tools(ours, stop, tools, listeners, Secrets(keyring(ours)))


async def _serve_tools(
    config: Config,
    stop: Stop,
    catalog: ToolCatalog,
    listeners: Listeners,
    secrets: Secrets,
    documents: Documents | None = None,
) -> None:
    """``documents``: where the tools are from, if these are read again."""
    listeners.listen()
    tally = Tally(config)
    async with AsyncExitStack() as stack:
        watched = await stack.enter_async_context(watch(listeners.metrics, allowed(config)))  # first in, last out
        metrics = watched.metrics
        if metrics is not None:
            metrics.load(catalog)
        shown = views(config, catalog)
        observe = observers(config, tally, metrics, shown.page)
        trace = await stack.enter_async_context(traced(config, tally, metrics))
        shared = await stack.enter_async_context(sharing(config, shown.health, metrics))
        secrets.keys.turns.shared = shared
        outgoing = Outgoing(secrets.keys, shared)
        gateway = await stack.enter_async_context(opened(config, catalog, observe, metrics, trace, outgoing))
        if metrics is not None:
            metrics.follow_stop(stop.seconds, lambda: gateway.given_up)
        report(config, catalog)
        _settle()
        if documents is not None:
            replace = _replacing(config, gateway, secrets.keys, shown, metrics)
            refresh = _refresh(documents, catalog, replace, shown, metrics)
            del catalog  # the last reference that a reload would not replace
            await stack.enter_async_context(running(refresh, config.spec_refresh_seconds, stop.requested))
        await stack.enter_async_context(guarded(config.watchdog_seconds, stop.beat))
        await stack.enter_async_context(_ahead(gateway, secrets.keys))
        if listeners.mcp is None:
            await over_stdio(gateway, stop, watched.readiness)
        else:
            served = Served(gateway, shown, Limits.of(config, shared), secrets)
            await over_http(config, stop, served, listeners.mcp, watched)
    logger.info("stopped", extra=tally.summary())


def _settle() -> None:
    """Exempts all objects so far from the collector, since they stay for long. It does not run before that either: it
    would take a tenth of the start and find 50,000 objects at most. A catalog is in no cycle, so one that a reload
    replaces is freed after its last call, frozen or not."""
    gc.freeze()
    gc.set_threshold(*COLLECTED)
    limits.return_large_blocks()
    aside.give_way()


def _refresh(
    documents: Documents,
    catalog: ToolCatalog,
    replace: Callable[[ToolCatalog], Awaitable[None]],
    shown: Views,
    metrics: Metrics | None,
) -> Refresh:
    refresh = Refresh(documents.read_again, catalog, replace)
    shown.health.follow_reloads(refresh.told)
    if metrics is not None:
        metrics.follow_reloads(refresh.outcomes, refresh.is_failing)
    return refresh


def _replacing(
    config: Config, gateway: Gateway, keys: Keyring, shown: Views, metrics: Metrics | None
) -> Callable[[ToolCatalog], Awaitable[None]]:
    """A function that gives everybody who knows a catalog the new one, at the same moment."""

    async def replace(catalog: ToolCatalog) -> None:
        def load() -> None:
            shown.load(catalog)
            if metrics is not None:
                metrics.load(catalog)

        await gateway.replace(catalog, keys.credentials(catalog).authorize, load)
        await aside.run_in_thread(partial(report, config, catalog))

    return replace


@asynccontextmanager
async def _ahead(gateway: Gateway, keys: Keyring) -> AsyncIterator[None]:
    """Beside serving, operations are indexed where they are searched, and tokens for APIs are fetched."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(gateway.index_ahead)
        tasks.start_soon(keys.ask_ahead)
        yield
        tasks.cancel_scope.cancel()
