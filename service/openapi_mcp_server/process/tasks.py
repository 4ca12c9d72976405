"""The other tasks of a deployment: where this one is, and how they are reached."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from openapi_mcp_server.bridge.http_messages import request_for
from openapi_mcp_server.errors import ConfigError, UpstreamError
from openapi_mcp_server.server.sse.peers import (
    CONNECT_SECONDS,
    CONNECTIONS,
    IDLE_CONNECTIONS,
    PASS_SECONDS,
    Peers,
    SendToTask,
    SessionIds,
)
from openapi_mcp_server.settings.config import Config
from openapi_mcp_server.upstream.call import Upstream, UpstreamSettings
from openapi_mcp_server.upstream.sockets import Stream, TcpDialler

METADATA_SECONDS = 5.0
METADATA_BYTES = 1024 * 1024
_SETTINGS = UpstreamSettings(
    max_connections=CONNECTIONS,
    max_keepalive=IDLE_CONNECTIONS,
    attempt_seconds=PASS_SECONDS,
    answer_bytes=METADATA_BYTES,
    retries=0,
    breaker=False,
)


class _Network(msgspec.Struct):
    addresses: list[str] = msgspec.field(default_factory=list, name="IPv4Addresses")


class _Metadata(msgspec.Struct):
    """The metadata of a container, by the task metadata endpoint version 4 of ECS."""

    networks: list[_Network] = msgspec.field(default_factory=list, name="Networks")


class _NearDialler:
    """Other tasks are in the same network. Their addresses are ours: the key of all tasks has signed them."""

    async def connect(self, host: str, port: int, seconds: float = math.inf) -> Stream:
        return await TcpDialler().connect(host, port, min(seconds, CONNECT_SECONDS))


@asynccontextmanager
async def peers(config: Config) -> AsyncIterator[Peers | None]:
    """The other tasks; None where sessions are of this task alone."""
    if config.session_key is None or config.session_address is None:
        yield None
        return
    own = await _own(config.session_address, config.ecs_container_metadata_uri_v4 or "")
    ids = SessionIds([key.encode() for key in config.session_key], own)
    async with reached() as send:
        yield Peers(ids, send, config.forwarded)


@asynccontextmanager
async def reached() -> AsyncIterator[SendToTask]:
    """Carries requests to other tasks, by connections of their own: no API's limits and no breaker are in the way."""
    async with Upstream(_NearDialler(), _SETTINGS) as upstream:
        yield upstream.send


async def _own(address: str, metadata: str) -> str:
    host, _, port = address.rpartition(":")
    return f"{await _ecs_address(metadata)}:{port}" if host == "ecs" else address


async def _ecs_address(metadata: str) -> str:
    """This task's address in its network, by the platform's own endpoint. Raises ConfigError."""
    from openapi_mcp_server.upstream import web  # noqa: PLC0415 - httpx, for those who ask for it

    problem = "the task's address cannot be learnt from ECS_CONTAINER_METADATA_URI_V4"
    try:
        answer = await web.fetch(
            request_for(metadata), TcpDialler(), seconds=METADATA_SECONDS, most_bytes=METADATA_BYTES
        )
        found = msgspec.json.decode(answer.body, type=_Metadata)
        return next(address for network in found.networks for address in network.addresses)
    except (UpstreamError, ValueError, msgspec.MsgspecError, StopIteration) as error:
        raise ConfigError("SESSION_ADDRESS", f"{problem}: {error or 'it names none'}; set it to host:port") from None
