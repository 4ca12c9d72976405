"""The tools as the official client sees them, and a call of one tool of each API."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import anyio
import httpx2
import msgspec

from openapi_mcp_server.bridge.model import SEEN_BYTES_PER_TOKEN
from openapi_mcp_server.bridge.reports.fitness import MOST_TOKENS
from openapi_mcp_server.bridge.search.names import MOST_TOOLS
from openapi_mcp_server.commands import servers
from openapi_mcp_server.commands.checkup.checkup import Checkup, Finding, on_one_line
from openapi_mcp_server.openapi.text.numbers import UNREADABLE

if TYPE_CHECKING:
    from mcp import Client
    from mcp.types import Tool

CALL_SECONDS = 60.0

T = TypeVar("T")


async def official_client(here: Checkup) -> None:
    """The newest revision that both speak, and the handshake of older ones. It has no transport for HTTP+SSE alone."""
    if here.url.endswith("/sse"):
        return
    tools: list[Tool] = []
    for mode in ("auto", "legacy"):
        here.checked.append(f"client ({mode})")
        tools = await _with_client(here, mode, servers.listed) or tools
    _judge_list(here, tools)
    await _with_client(here, "auto", partial(_call_one_of_each, here, tools))


async def _with_client(here: Checkup, mode: str, use: Callable[[Client], Awaitable[T]]) -> T | None:
    """The result of ``use`` with a connected client. None where the client fails, which is a finding."""
    from mcp import Client, MCPError  # noqa: PLC0415 - takes a second to import
    from mcp.client.streamable_http import streamable_http_client  # noqa: PLC0415

    try:
        with anyio.fail_after(CALL_SECONDS):  # the handshake included: it waits for ever for an answer to another id
            async with Client(streamable_http_client(here.url, http_client=here.http), mode=mode) as client:
                return await use(client)
    except (MCPError, ExceptionGroup, httpx2.HTTPError, OSError) as error:
        cure = "look into the server's log; a proxy must pass MCP-Protocol-Version, Mcp-Session-Id and Accept on"
        here.found("client", f"the official client ({mode}) fails: {on_one_line(error)}", cure)
        return None


def _judge_list(here: Checkup, tools: list[Tool]) -> None:
    here.checked.append("list")
    cure = "choose operations with INCLUDE_TAGS or ALLOW_OPERATIONS, or set TOOL_MODE=search"
    seen = msgspec.json.encode([(tool.name, tool.description, tool.input_schema) for tool in tools])
    size = int(len(seen) / SEEN_BYTES_PER_TOKEN)
    if len(tools) > MOST_TOOLS:
        here.found("list", f"{len(tools)} tools: several clients and model APIs take {MOST_TOOLS} at most", cure)
    elif size > MOST_TOKENS:
        here.found("list", f"the list of tools costs a model about {size} tokens", cure)


async def _call_one_of_each(here: Checkup, tools: list[Tool], client: Client) -> None:
    """Calls the first tool of each API that only reads and needs no argument."""
    for api, tool in (await _safe(here, tools)).items():
        here.checked.append(f"call of {tool.name}")
        result = await client.call_tool(tool.name, {})
        text = next((each.text for each in result.content if each.type == "text"), "")
        if result.is_error and (found := _failure(api or "the API", tool.name, text)):
            here.findings.append(found)


async def _safe(here: Checkup, tools: list[Tool]) -> Mapping[str, Tool]:
    """One tool to call of each API, by the API's name, which the tools of several begin with."""
    names = [""]
    with suppress(httpx2.HTTPError, *UNREADABLE, KeyError, TypeError):
        health = msgspec.json.decode((await here.http.get(f"{here.root}/health")).content)
        names = [api["name"] for api in health["apis"]] if len(health["apis"]) > 1 else names
    found: dict[str, Tool] = {}
    for tool in tools:
        api = next((name for name in names if tool.name.startswith(name)), "")
        only_reads = tool.annotations is not None and tool.annotations.read_only_hint
        if only_reads and not tool.input_schema.get("required"):
            found.setdefault(api, tool)
    return found


def _failure(api: str, tool: str, text: str) -> Finding | None:
    """The finding about the API in an error result; None if the call itself may be at fault."""
    first = text.partition("\n")[0][:300]
    said = first.removeprefix("The API answered ")
    if said == first:
        cure = "start the API, or correct API_BASE_URL"
        return Finding("api", f"{tool}: {api} gives no answer: {first}", cure)
    if said[:3] in {"401", "403", "407"}:
        cure = "correct the AUTH_ settings; inspect says which credentials the document asks for"
        return Finding("api", f"{tool}: {api} does not accept the credentials ({said})", cure)
    if said.startswith("5"):
        return Finding("api", f"{tool}: {api} fails ({said})", "look into the API's log")
    return None
