"""APIs that we answer ourselves, the demo's and mocks of documents: alone, or with their tools in front."""

from __future__ import annotations

import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import anyio
import msgspec

from openapi_mcp_server.bridge.model import ToolCatalog
from openapi_mcp_server.bridge.origins import base_url
from openapi_mcp_server.documents.configured import tool_form
from openapi_mcp_server.documents.loading import Documents
from openapi_mcp_server.process.stopping import Stop, until_signal
from openapi_mcp_server.server import ports
from openapi_mcp_server.server.asgi import App
from openapi_mcp_server.server.http11 import connections
from openapi_mcp_server.settings.apis import NO_CREDENTIALS
from openapi_mcp_server.settings.config import Config

if TYPE_CHECKING:
    from openapi_mcp_server.mock.app import MockApp

logger = logging.getLogger(__name__)


class InFront(NamedTuple):
    """The tools of an API of our own, and the settings that they are served with: its address is a private one."""

    config: Config
    tools: ToolCatalog


@asynccontextmanager
async def demo(config: Config) -> AsyncIterator[InFront]:
    """The bundled API on a loopback port of its own, for as long as the context lasts."""
    from openapi_mcp_server.bridge import catalog  # noqa: PLC0415 - with all that reads documents
    from openapi_mcp_server.bridge.catalog import ApiSource  # noqa: PLC0415
    from openapi_mcp_server.demo.app import DemoApp, document  # noqa: PLC0415
    from openapi_mcp_server.openapi import operations  # noqa: PLC0415
    from openapi_mcp_server.openapi.text.document import parse  # noqa: PLC0415

    listener = ports.bind("127.0.0.1", 0)
    source = ApiSource(
        name="petshop",
        base=base_url(ports.url(listener)),
        description=operations.describe(parse(document())),
    )
    tools = catalog.build([source], tool_form(config))
    async with _beside(DemoApp(), listener):
        yield InFront(msgspec.structs.replace(config, allow_private_networks=True), tools)


@asynccontextmanager
async def mocked(config: Config) -> AsyncIterator[InFront]:
    """A mock of the configured documents' APIs, for as long as the context lasts. No credentials are sent anywhere."""
    listener = ports.bind("127.0.0.1", 0)
    app = await _mock(config)
    apis = [
        msgspec.structs.replace(api, base_url=ports.url(listener) + path, allowed_servers=(), **NO_CREDENTIALS)
        for api, path in zip(config.apis, app.paths, strict=True)
    ]
    ours = msgspec.structs.replace(config, apis=tuple(apis), allow_private_networks=True, cache_dir=None)
    tools = await Documents(ours).read()
    async with _beside(app, listener):
        yield InFront(ours, tools)


async def serve_demo_api(config: Config, stop: Stop) -> None:
    """The bundled API alone, without MCP."""
    from openapi_mcp_server.demo.app import DemoApp  # noqa: PLC0415 - for those who want it

    listener = ports.bind(config.host, config.port)
    logger.info("the demo API is at %s", ports.url(listener))
    await _serve_alone(DemoApp(), listener, config, stop)


async def serve_mock(config: Config, stop: Stop) -> None:
    """The configured documents as APIs, without MCP."""
    listener = ports.bind(config.host, config.port)
    app = await _mock(config)
    for api, path in zip(config.apis, app.paths, strict=True):
        logger.info("%s is answered at %s%s", api.name, ports.url(listener), path)
    await _serve_alone(app, listener, config, stop)


async def _mock(config: Config) -> MockApp:
    from openapi_mcp_server.mock.app import MockApp, seed  # noqa: PLC0415 - for those who want it

    chosen = seed(config.options.get("--seed", "0"))
    described = await Documents(config).described()
    return MockApp([(api.name, *each) for api, each in zip(config.apis, described, strict=True)], chosen)


async def _serve_alone(app: App, listener: socket.socket, config: Config, stop: Stop) -> None:
    async with until_signal(stop):
        grace_seconds = config.shutdown_grace_seconds
        await connections.serve(app, listener, until=stop.requested.wait, grace_seconds=grace_seconds)


@asynccontextmanager
async def _beside(app: App, listener: socket.socket) -> AsyncIterator[None]:
    is_over = anyio.Event()  # its tools have stopped: nobody is there to hear what it still answers
    serve = partial(connections.serve, app, listener, until=is_over.wait, grace_seconds=0.0)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        yield
        is_over.set()
