"""The way from settings to a running server and back: build in order, serve, drain, close in reverse.

Everything that can fail at start does so before the first request is accepted: the port is taken first, then the
documents are read, then the server listens.
"""

from __future__ import annotations

import gc
import logging
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio
import msgspec
import trio
from anyio.to_thread import run_sync

from openapi_mcp_server import __version__, aside
from openapi_mcp_server.bridge.model import ToolCatalog, base_url
from openapi_mcp_server.bridge.results import redaction
from openapi_mcp_server.bridge.results.redaction import Redaction
from openapi_mcp_server.documents import policies
from openapi_mcp_server.documents.loading import Documents, address_rule, keyring, report
from openapi_mcp_server.documents.refresh import Refresh, running
from openapi_mcp_server.errors import ConfigError
from openapi_mcp_server.gateway.gateway import Gateway
from openapi_mcp_server.gateway.serving import Send, Serving
from openapi_mcp_server.mcp.messages import ServerInfo
from openapi_mcp_server.memory import Budget
from openapi_mcp_server.observe import logs
from openapi_mcp_server.observe.record import CallRecord, Observe, to_each
from openapi_mcp_server.observe.trace import Begin, untraced
from openapi_mcp_server.process import limits
from openapi_mcp_server.process.rotation import Secrets, rotating
from openapi_mcp_server.process.sources import Sources
from openapi_mcp_server.process.tasks import peers
from openapi_mcp_server.process.watchdog import guarded
from openapi_mcp_server.server import connections, ports
from openapi_mcp_server.server.access.cors import for_pages
from openapi_mcp_server.server.app import Health, Readiness, Starting, WorkerApp
from openapi_mcp_server.server.connections import App
from openapi_mcp_server.server.metrics_port import Watched, watch
from openapi_mcp_server.server.principals.guarding import anybody, guarding
from openapi_mcp_server.server.principals.limits import Limits
from openapi_mcp_server.server.principals.static_tokens import StaticTokens
from openapi_mcp_server.server.principals.turns import Turns
from openapi_mcp_server.server.sse import http_sse
from openapi_mcp_server.server.streamable_http import streamable_http
from openapi_mcp_server.server.visitors import Visitors, allowed
from openapi_mcp_server.settings.apis import NO_CREDENTIALS
from openapi_mcp_server.settings.config import Config
from openapi_mcp_server.upstream.addresses import CheckedDialler
from openapi_mcp_server.upstream.call import Asking, Upstream
from openapi_mcp_server.upstream.credentials.keyring import Keyring
from openapi_mcp_server.upstream.ways import way

if TYPE_CHECKING:
    from openapi_mcp_server.mock.app import MockApp
    from openapi_mcp_server.observe.metrics.metrics import Metrics
    from openapi_mcp_server.page.app import Page
    from openapi_mcp_server.upstream.credentials.aws_sigv4 import SpanSigner
    from openapi_mcp_server.upstream.shared_state import SharedState

LAST_WORD_SECONDS = 1.0
"""After the grace of a stop, for the answers that say that a call was given up."""
COLLECTED = (20_000, 1_000, 20)
"""Thresholds of the garbage collector while calls are served. Hardly anything of a call is in a cycle; with the usual
700 it took 4 % of the CPU at 32 connections and 14 % at 256, in steps of 45 to 100 ms with many calls in flight. 20,000
young objects take 3 ms, and are looked at once: as many times more of them, as 1,000 calls are, took 50 to 130."""
FEWEST_TASKS = 2
"""That share limits, where nobody says how many do: one alone would have asked for no store."""
TRACE_SECONDS = 2.0
"""For what is recorded to be delivered, after the last call: in what the platform's kill leaves beside the grace."""
TRACE_SECONDS_STDIO = 0.4
"""The same for a client that has started the server: it kills 2 s after it has closed standard input, and calls and
answers take 1.5 of them."""

logger = logging.getLogger(__name__)


class Stop:
    """The request that the process should end; ``forced`` if it was told twice and dropped what was in flight.

    ``ready`` is called when there is something to stop, since the server serves, and ``beat`` every second while its
    loop runs.
    """

    def __init__(self, ready: Callable[[], None], beat: Callable[[], None]) -> None:
        self.ready = ready
        self.beat = beat
        self.requested = anyio.Event()
        self.forced = False
        self._began: float | None = None

    def request(self) -> None:
        if self._began is None:
            self._began = anyio.current_time()
        self.requested.set()

    def seconds(self) -> float:
        """Since it was requested, 0 before."""
        return 0.0 if self._began is None else anyio.current_time() - self._began


class Listeners(NamedTuple):
    """The ports that were taken; None where a client is on standard input, or nobody asked for metrics."""

    mcp: socket.socket | None
    metrics: socket.socket | None

    def listen(self) -> None:
        if self.mcp is not None:
            ports.listen(self.mcp)
        if self.metrics is not None:
            ports.listen(self.metrics, setting="PROMETHEUS_PORT")


class Views(NamedTuple):
    """Where people see what is served; the page is None where it is off."""

    health: Health
    page: Page | None

    def load(self, tools: ToolCatalog) -> None:
        self.health.load(tools)
        if self.page is not None:
            self.page.load(tools)


class Outgoing(NamedTuple):
    """The means of calls: the credentials of APIs, where limits hold over all tasks, if they do, and what tells of each
    call, if anything does."""

    keys: Keyring
    shared: SharedState | None = None
    overhear: Callable[[Send], Send] | None = None


class Served(NamedTuple):
    """The parts that a transport is in front of."""

    gateway: Gateway
    views: Views
    limits: Limits
    secrets: Secrets


class Tally:
    """Counts calls by outcome, for the last line of the log."""

    def __init__(self, config: Config) -> None:
        self._log = logs.call_logger(config.log_level)
        self._outcomes: Counter[str] = Counter()
        self._began = time.monotonic()
        self.dropped_spans: dict[str, int] = {}

    def __call__(self, record: CallRecord) -> None:
        if record.tool:
            self._outcomes[record.outcome] += 1
        self._log(record)

    def summary(self) -> dict[str, object]:
        return {
            "calls": self._outcomes.total(),
            **dict(sorted(self._outcomes.items())),
            "uptime_seconds": round(time.monotonic() - self._began, 1),
            **{f"dropped_spans_{exporter}": spans for exporter, spans in self.dropped_spans.items()},
        }


def _nobody_asked() -> None:
    """Where no supervisor waits to hear that the server serves, or still lives."""


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
    _redaction(config)
    stop = Stop(ready, beat)
    anyio.run(_main(config, sources), config, stop, backend="trio")
    return 1 if stop.forced else 0


def _main(config: Config, sources: Sources | None) -> Callable[[Config, Stop], Awaitable[None]]:
    if config.command == "serve":
        return _serve_mocked if "--mock" in config.options else partial(_serve, sources=sources)
    return _demo if config.command == "demo" else _mock


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
        tasks.start_soon(answer, Starting(), listener.dup())
        tools = await documents.read(wait_seconds=config.spec_wait_seconds)
        are_there.set()
    return tools


async def _demo(config: Config, stop: Stop) -> None:
    """The bundled API on a loopback port of its own, and its tools in front of it; or only the API."""
    from openapi_mcp_server.bridge import catalog  # noqa: PLC0415 - with all that reads documents
    from openapi_mcp_server.bridge.catalog import ApiSource  # noqa: PLC0415
    from openapi_mcp_server.demo.app import DemoApp, document  # noqa: PLC0415
    from openapi_mcp_server.openapi import operations  # noqa: PLC0415
    from openapi_mcp_server.openapi.text.document import parse  # noqa: PLC0415

    if "--api-only" in config.options and config.transport != "stdio":
        listener = ports.bind(config.host, config.port)
        logger.info("the demo API is at %s", ports.url(listener))
        async with _until_signal(stop):
            await _serve_api(DemoApp(), listener, stop.requested, config.shutdown_grace_seconds)
        return
    listeners = _bind(config)
    api_listener = ports.bind("127.0.0.1", 0)
    source = ApiSource(
        name="petshop",
        base=base_url(ports.url(api_listener)),
        description=operations.describe(parse(document())),
    )
    tools = catalog.build(
        [source],
        response_filter=config.response_filter,
        output_schemas=config.validate_output,
        portable=config.tool_schemas == "portable",
        result_bytes=config.result_budget_bytes,
    )
    await _serve_in_front(DemoApp(), api_listener, config, stop, tools, listeners)


async def _mock(config: Config, stop: Stop) -> None:
    """The configured documents as APIs, without MCP."""
    listener = ports.bind(config.host, config.port)
    app = await _mocked(config)
    for api, path in zip(config.apis, app.paths, strict=True):
        logger.info("%s is answered at %s%s", api.name, ports.url(listener), path)
    async with _until_signal(stop):
        await _serve_api(app, listener, stop.requested, config.shutdown_grace_seconds)


async def _serve_mocked(config: Config, stop: Stop) -> None:
    """The tools of the configured documents, in front of a mock of their APIs. No credentials are sent anywhere."""
    listeners = _bind(config)
    listener = ports.bind("127.0.0.1", 0)
    app = await _mocked(config)
    apis = [
        msgspec.structs.replace(api, base_url=ports.url(listener) + path, allowed_servers=(), **NO_CREDENTIALS)
        for api, path in zip(config.apis, app.paths, strict=True)
    ]
    ours = msgspec.structs.replace(config, apis=tuple(apis), allow_private_networks=True, cache_dir=None)
    await _serve_in_front(app, listener, ours, stop, await Documents(ours).read(), listeners)


async def _mocked(config: Config) -> MockApp:
    from openapi_mcp_server.mock.app import MockApp, seed  # noqa: PLC0415 - for those who want it

    chosen = seed(config.options.get("--seed", "0"))
    described = await Documents(config).described()
    return MockApp([(api.name, *each) for api, each in zip(config.apis, described, strict=True)], chosen)


async def _serve_in_front(
    app: App, listener: socket.socket, config: Config, stop: Stop, tools: ToolCatalog, listeners: Listeners
) -> None:
    """An API of our own on a loopback port, and its tools in front of it."""
    served = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_serve_api, app, listener, served, 1.0)
        # The one private address that is needed is that of the API.
        ours = msgspec.structs.replace(config, allow_private_networks=True)
        await _serve_tools(ours, stop, tools, listeners, Secrets(keyring(ours)))
        served.set()


async def _serve_api(app: App, listener: socket.socket, until: anyio.Event, grace_seconds: float) -> None:
    await connections.serve(app, listener, until=until.wait, grace_seconds=grace_seconds)


@asynccontextmanager
async def opened(
    config: Config,
    tools: ToolCatalog,
    observe: Callable[[CallRecord], None],
    metrics: Metrics | None = None,
    trace: Begin = untraced,
    outgoing: Outgoing | None = None,
) -> AsyncIterator[Gateway]:
    """A gateway with everything behind it; closed in reverse. ``metrics`` follow what it is doing."""
    keys, shared, overhear = outgoing or Outgoing(keyring(config))
    authorize = keys.credentials(tools).authorize
    how = Serving(
        server=ServerInfo(name=config.server_name, version=__version__),
        call_seconds=config.message_timeout_seconds,
        page_size=config.tools_page_size,
        anybody=anybody(policies.policy(config)).permit,
        private=config.inbound.kind != "none",
        redaction=_redaction(config),
        tell_arguments=config.audit == "arguments",
        prompts=config.operation_prompts,
        validate_output=config.validate_output,
        result_budget_bytes=config.result_budget_bytes,
        mode=config.tool_mode,
        portable=config.tool_schemas == "portable",
        list_tokens=config.tool_budget_tokens,
        memory=Budget(config.memory_budget_bytes or limits.budget_bytes(config.workers)),
    )
    asking = Asking(
        max_connections=config.http_max_connections,
        max_keepalive=config.http_max_keepalive,
        attempt_seconds=config.http_timeout_seconds,
        retries=config.http_retries,
        breaker=config.http_breaker,
        rate=config.api_rate_limit,
    )
    async with Upstream(CheckedDialler(address_rule(config)), asking, keys.way, shared, Turns().wait) as upstream:
        send = upstream.send if overhear is None else overhear(upstream.send)
        gateway = Gateway(tools, how, send=send, authorize=authorize, observe=observe, trace=trace)
        del tools  # a reload replaces them
        if metrics is not None:
            metrics.follow_calls(lambda: gateway.in_flight, upstream.waiting)
            metrics.follow_breakers(upstream.breakers)
            metrics.follow_memory(gateway.memory)
        yield gateway


async def _serve_tools(
    config: Config,
    stop: Stop,
    tools: ToolCatalog,
    listeners: Listeners,
    secrets: Secrets,
    documents: Documents | None = None,
) -> None:
    """``documents``: where the tools are from, if these are read again."""
    listeners.listen()
    tally = Tally(config)
    async with AsyncExitStack() as stack:
        watched = await stack.enter_async_context(watch(listeners.metrics, allowed(config)))  # first in, last out
        observe: Observe = tally
        if config.audit in {"calls", "arguments"} or (config.audit == "auto" and config.inbound.kind != "none"):
            observe = to_each(tally, logs.audit_logger())
        if watched.metrics is not None:
            watched.metrics.load(tools)
            observe = to_each(observe, watched.metrics)
        views = Views(Health(tools), _page(config, tools))
        if views.page is not None:
            observe = to_each(observe, views.page.activity)
        trace = await stack.enter_async_context(_traced(config, tally, watched.metrics))
        shared = await stack.enter_async_context(_shared(config, views.health, watched.metrics))
        secrets.keys.turns.shared = shared
        outgoing = Outgoing(secrets.keys, shared)
        gateway = await stack.enter_async_context(opened(config, tools, observe, watched.metrics, trace, outgoing))
        if watched.metrics is not None:
            watched.metrics.follow_stop(stop.seconds, lambda: gateway.given_up)
        report(config, tools)
        # What was made so far stays for long: the collector need not look at it again. Nor once before that: it would
        # find what 50,000 objects take at most, in a tenth of the start. A catalog is in no cycle: one that a
        # reload replaces goes with its last call, frozen or not.
        gc.freeze()
        gc.set_threshold(*COLLECTED)
        aside.give_way()
        if documents is not None:
            replace = _replacing(config, gateway, secrets.keys, views, watched.metrics)
            refresh = Refresh(documents.read_again, tools, replace)
            views.health.follow_reloads(refresh.told)
            if watched.metrics is not None:
                watched.metrics.follow_reloads(refresh.outcomes, refresh.is_failing)
            del tools  # the last reference that a reload would not replace
            await stack.enter_async_context(running(refresh, config.spec_refresh_seconds, stop.requested))
        await stack.enter_async_context(guarded(config.watchdog_seconds, stop.beat))
        await stack.enter_async_context(_ahead(gateway, secrets.keys))
        if listeners.mcp is None:
            await _serve_stdio(gateway, stop, watched.readiness)
        else:
            served = Served(gateway, views, Limits.of(config, shared), secrets)
            await _serve_http(config, stop, served, listeners.mcp, watched)
    logger.info("stopped", extra=tally.summary())


@asynccontextmanager
async def _shared(config: Config, health: Health, metrics: Metrics | None) -> AsyncIterator[SharedState | None]:
    """Where limits hold over all tasks, if that was asked for; it is told of, too."""
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


@asynccontextmanager
async def _traced(config: Config, tally: Tally, metrics: Metrics | None) -> AsyncIterator[Begin]:
    """Yields what begins traces, if any are to be; at the end, what is recorded is delivered."""
    if config.tracing is None:
        yield untraced
        return
    try:
        from openapi_mcp_server.observe.traces.tracing import tracer  # noqa: PLC0415 - OpenTelemetry, for those who want it
    except ModuleNotFoundError:
        raise ConfigError("TRACING", "needs OpenTelemetry: install openapi-mcp-service[tracing]") from None
    traces = tracer(config.tracing, _span_signer(config))
    if metrics is not None:
        metrics.follow_dropped_spans(traces.dropped)
    traces.start()
    try:
        yield traces.begin
    finally:
        deadline_seconds = TRACE_SECONDS_STDIO if config.transport == "stdio" else TRACE_SECONDS
        with anyio.CancelScope(shield=True):
            await run_sync(traces.close, deadline_seconds)
        tally.dropped_spans = traces.dropped()


def _span_signer(config: Config) -> SpanSigner | None:
    """None where nobody asks for signed spans."""
    otlp = None if config.tracing is None else config.tracing.otlp
    if otlp is None or not otlp.signed_for:
        return None
    from openapi_mcp_server.upstream.credentials.aws_sigv4 import SpanSigner  # noqa: PLC0415 - for those who send them to AWS

    rule = address_rule(config)
    return SpanSigner(config.aws.values, rule, way(config.way, rule), otlp.signed_for)


@asynccontextmanager
async def _ahead(gateway: Gateway, keys: Keyring) -> AsyncIterator[None]:
    """Beside serving, operations are indexed where they are searched, and tokens for APIs are fetched."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(gateway.index_ahead)
        tasks.start_soon(keys.ask_ahead)
        yield
        tasks.cancel_scope.cancel()


def _replacing(
    config: Config, gateway: Gateway, keys: Keyring, views: Views, metrics: Metrics | None
) -> Callable[[ToolCatalog], None]:
    """A function that gives everybody who knows a catalog the new one, at the same moment."""

    def replace(tools: ToolCatalog) -> None:
        gateway.replace(tools, keys.credentials(tools).authorize)
        views.load(tools)
        if metrics is not None:
            metrics.load(tools)
        report(config, tools)

    return replace


async def _serve_stdio(gateway: Gateway, stop: Stop, readiness: Readiness) -> None:
    if sys.stdin.isatty():
        logger.warning("speaking MCP over standard input and output; for HTTP give --transport http")
    from openapi_mcp_server.server.stdio import claim_stdout, serve_stdio  # noqa: PLC0415 - for clients that start it

    async with _until_signal(stop), anyio.create_task_group() as tasks:

        async def cancel_when_stopped() -> None:
            await stop.requested.wait()
            tasks.cancel_scope.cancel()

        tasks.start_soon(cancel_when_stopped)
        readiness.state = "ready"
        await serve_stdio(gateway, sys.stdin.fileno(), claim_stdout())
        tasks.cancel_scope.cancel()


async def _serve_http(config: Config, stop: Stop, served: Served, listener: socket.socket, watched: Watched) -> None:
    readiness, metrics = watched
    gateway, views, limits, secrets = served
    async with (
        _visitors(config, secrets) as visitors,
        streamable_http(gateway, visitors, readiness.is_draining, limits) as mcp,
        peers(config) as others,
        http_sse(
            gateway, visitors, worker=config.worker or 0, prefix=config.public_path_prefix, peers=others, limits=limits
        ) as sse,
        _until_signal(stop),
        anyio.create_task_group() as tasks,
    ):
        if metrics is not None:
            metrics.follow_sessions(lambda: sse.sessions)
            if others is not None:
                metrics.follow_forwarded(others.outcomes)

        async def drained() -> None:  # the server calls it once it listens
            readiness.state = "ready"
            stop.ready()
            path = "sse" if config.transport == "sse" else "mcp"
            if config.web_page:
                logger.info("a page to look at is at %s/", ports.url(listener))
            logger.info("serving MCP at %s/%s", ports.url(listener), path)
            await stop.requested.wait()
            readiness.state = "draining"
            logger.info(
                "stopping: calls in flight are finished", extra={"grace_seconds": config.shutdown_grace_seconds}
            )
            await anyio.sleep(config.shutdown_lame_duck_seconds)
            mcp.subscribers.drain()  # else their streams would keep the server until the grace is over
            sse.drain()
            tasks.start_soon(_give_up_later, gateway, config.shutdown_grace_seconds)

        app = WorkerApp(
            None if config.transport == "sse" else for_pages(mcp, visitors),
            views.health,
            readiness,
            visitors,
            sse=None if config.transport == "streamable-http" else for_pages(sse, visitors),
        )
        if views.page is not None:
            views.page.follow(visitors, lambda: _now(config, gateway, app) | views.health.reload())
            app.page = views.page
        grace_seconds = config.shutdown_grace_seconds + LAST_WORD_SECONDS
        await connections.serve(app, listener, until=drained, grace_seconds=grace_seconds)
        tasks.cancel_scope.cancel()


def _page(config: Config, tools: ToolCatalog) -> Page | None:
    if not config.web_page:
        return None
    from openapi_mcp_server.page.app import Page  # noqa: PLC0415 - for servers that have it on

    return Page(tools)


def _now(config: Config, gateway: Gateway, app: WorkerApp) -> dict[str, Any]:
    """The state that the page shows beside its own numbers."""
    return app.told() | {
        "name": config.server_name,
        "worker": config.worker,
        "workers": config.workers,
        "in_flight": gateway.in_flight,
        "grace_seconds": config.shutdown_grace_seconds,
    }


def _redaction(config: Config) -> Redaction | None:
    try:
        return redaction.of(config.redact)
    except ValueError as error:
        raise ConfigError("REDACT", str(error)) from None


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


@asynccontextmanager
async def _until_signal(stop: Stop) -> AsyncIterator[None]:
    """The first SIGTERM or SIGINT requests the stop, the second ends everything at once."""

    async def listen(signals: AsyncIterator[int]) -> None:
        async for number in signals:
            if stop.requested.is_set():
                stop.forced = True
                logger.warning("second %s: ending at once", signal.Signals(number).name)
                tasks.cancel_scope.cancel()
            stop.request()

    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen, signals)
            yield
            tasks.cancel_scope.cancel()
