"""``inspect``: what a document turns into, before it is served."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import anyio
import msgspec

from openapi_mcp_server.bridge import security
from openapi_mcp_server.bridge.model import ApiSummary, Tool, ToolCatalog
from openapi_mcp_server.bridge.results.budget import BYTES_PER_TOKEN
from openapi_mcp_server.bridge.servers import ANYWHERE
from openapi_mcp_server.documents.loading import read_catalog
from openapi_mcp_server.settings.config import Config

_SHOWN = 5


def run(config: Config) -> int:
    tools = anyio.run(partial(read_catalog, config, only_to_show=True), backend="trio")
    if "--json" in config.options:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(report(tools)), indent=2) + b"\n")
    else:
        sys.stdout.write("\n".join(lines(tools)) + "\n")
    return 0


def report(tools: ToolCatalog) -> dict[str, Any]:
    """Everything there is to know about a catalog, as JSON."""
    return {
        "tools": [_tool(tool, _credentials(tools, tool)) for tool in tools.tools.values()],
        "skipped": [
            {"api": each.api, **msgspec.structs.asdict(each.operation)}  # pointer, method, path, reason, place
            for each in tools.skipped
        ],
        "apis": [_api(api) for api in tools.apis],
        "bytes": tools.list_bytes,
        "estimated_tokens": tools.list_bytes // BYTES_PER_TOKEN,
    }


def lines(tools: ToolCatalog) -> Iterator[str]:
    """The same for people: APIs, tools, what was left out and why, what was repaired."""
    for api in tools.apis:
        yield f"{api.name}: {api.title} {api.version} (OpenAPI {api.dialect}){_where(api)}"
        skipped = sum(each.api == api.name for each in tools.skipped)
        yield f"  {api.tools} tools, {skipped} skipped, {api.filtered} left out by tags, {len(api.notes)} notes"
    yield ""
    yield f"{'TOOL':40} {'TOKENS':>7}  OPERATION"
    for tool in tools.tools.values():
        yield f"{tool.name:40} {_tokens(tool):>7}  {tool.method} {tool.template}"
    yield f"{'all':40} {tools.list_bytes // BYTES_PER_TOKEN:>7}  {tools.list_bytes} bytes"
    if tools.skipped:
        yield ""
        yield "SKIPPED"
        for each in tools.skipped:
            operation = each.operation
            place = ", ".join(filter(None, (operation.place, operation.pointer)))
            yield f"  {operation.method} {operation.path}: {operation.reason} ({place})"
    yield from _sent(tools)
    yield from _unmet(tools)
    for api in tools.apis:
        yield from _notes(api)


def _where(api: ApiSummary) -> str:
    return ", to be served with API_BASE_URL set" if api.base == ANYWHERE else f" at {api.base}"


def _sent(tools: ToolCatalog) -> Iterator[str]:
    """Which credentials operations are sent with, where any are configured, and which operations are sent without."""
    names: dict[tuple[str, str], list[str]] = {}
    for tool in tools.tools.values():
        told = [
            f"{each['kind']} ({', '.join(filter(None, (each['place'], each['setting'])))})"
            for each in _credentials(tools, tool)
        ]
        names.setdefault((tool.api, " and ".join(told)), []).append(tool.name)
    if any(credentials for _, credentials in names):
        yield ""
        yield "CREDENTIALS SENT"
        for (api, credentials), tool_names in names.items():
            yield f"  {api}: {credentials or 'none'}: {_some(tool_names)}"


def _unmet(tools: ToolCatalog) -> Iterator[str]:
    """By reason: one scheme that is not configured often keeps a whole API from being called."""
    names: dict[tuple[str, str], list[str]] = {}
    for tool in tools.tools.values():
        if tool.access.kind == "unmet":
            names.setdefault((tool.api, tool.access.reason), []).append(tool.name)
    if names:
        yield ""
        yield "CREDENTIALS NOT CONFIGURED (tried nevertheless, unless STRICT_AUTH is set)"
    for (api, reason), tool_names in names.items():
        yield f"  {api}: {reason}: {_some(tool_names)}"


def _notes(api: ApiSummary) -> Iterator[str]:
    if api.notes:
        kinds = Counter(note.kind for note in api.notes)
        yield ""
        yield f"NOTES on {api.name}: " + ", ".join(f"{kind} {count}" for kind, count in kinds.most_common())
        places: dict[str, list[str]] = {}
        for note in api.notes:
            places.setdefault(note.message, []).append(note.pointer)
        for message, pointers in places.items():
            yield f"  {message}: {_some(pointers)}"


def _some(names: Sequence[str]) -> str:
    """A person looks at a few to see what is meant."""
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more (--json has all)" if more > 0 else "")


def _credentials(tools: ToolCatalog, tool: Tool) -> list[dict[str, str]]:
    """What it is sent with: kind, place, and the setting it is from."""
    identity = next(api.identity for api in tools.apis if api.name == tool.api)
    return security.told(identity, tool.access)


def _tool(tool: Tool, credentials: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "name": tool.name,
        "api": tool.api,
        "method": tool.method,
        "path": tool.template,
        "pointer": tool.pointer,
        "bytes": len(bytes(tool.entry)),
        "estimated_tokens": _tokens(tool),
        "has_output_schema": tool.output is not None,
        "security": {"kind": tool.access.kind, "reason": tool.access.reason, "advice": tool.access.advice},
        "credentials": credentials,
    }


def _api(api: ApiSummary) -> dict[str, Any]:
    return {
        "name": api.name,
        "title": api.title,
        "version": api.version,
        "openapi": api.dialect,
        "base_url": None if api.base == ANYWHERE else str(api.base),
        "tools": api.tools,
        "filtered": api.filtered,
        "unmet_security": api.unmet,
        "notes": api.notes,
    }


def _tokens(tool: Tool) -> int:
    return len(bytes(tool.entry)) // BYTES_PER_TOKEN
