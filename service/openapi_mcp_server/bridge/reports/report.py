"""A full report of a catalog as JSON, for ``inspect --json`` and for the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec

from openapi_mcp_server.bridge import security
from openapi_mcp_server.bridge.model import ApiSummary, Tool, ToolCatalog
from openapi_mcp_server.bridge.policy import EVERYTHING, Permit
from openapi_mcp_server.bridge.search.names import seen_tokens
from openapi_mcp_server.bridge.servers import ANYWHERE


def report(catalog: ToolCatalog) -> dict[str, Any]:
    """The full report of a catalog as JSON."""
    return {
        "tools": [_tool(tool) | {"credentials": credentials(catalog, tool)} for tool in catalog.tools.values()],
        "skipped": [
            {"api": each.api, **msgspec.structs.asdict(each.operation)}  # pointer, method, path, reason, place
            for each in catalog.skipped
        ],
        "apis": [_api(api) for api in catalog.apis],
        "bytes": catalog.list_bytes,
        "estimated_tokens": seen_tokens(catalog.tools.values()),
    }


def report_to(permit: Permit, catalog: ToolCatalog) -> dict[str, Any]:
    """The report for a principal, without tools that it may not call. Documents and addresses of APIs are shown only to
    principals who may call everything, since skipped operations and notes name other operations."""
    own = [tool for tool in catalog.tools.values() if permit.admits(tool.subject)]
    if sees_all(permit) and len(own) == len(catalog.tools):
        return report(catalog)
    size = sum(len(memoryview(tool.entry)) for tool in own)
    return {
        "tools": [_tool(tool) for tool in own],
        "skipped": [],
        "apis": _partly(catalog.apis, own),
        "bytes": size,
        "estimated_tokens": seen_tokens(own),
    }


def sees_all(permit: Permit) -> bool:
    """Whether its rules exclude nothing; an operation may still require scopes."""
    return permit.own == EVERYTHING and set(permit.granted) == {EVERYTHING}


def _partly(apis: Iterable[ApiSummary], own: Iterable[Tool]) -> list[dict[str, Any]]:
    counts = Counter(tool.api for tool in own)
    unmet = Counter(tool.api for tool in own if tool.access.kind == "unmet")
    hidden = {"base_url": None, "filtered": 0, "notes": ()}
    return [
        _api(api) | hidden | {"tools": counts[api.name], "unmet_security": unmet[api.name]}
        for api in apis
        if counts[api.name]
    ]


def credentials(catalog: ToolCatalog, tool: Tool) -> list[dict[str, str]]:
    """Lists the credentials of calls of a tool: kind, place and setting."""
    identity = next(api.identity for api in catalog.apis if api.name == tool.api)
    return security.told(identity, tool.access)


def _tool(tool: Tool) -> dict[str, Any]:
    return {
        "name": tool.name,
        "api": tool.api,
        "title": tool.title,
        "tags": tool.subject.tags,
        "method": tool.method,
        "path": tool.template,
        "pointer": tool.pointer,
        "bytes": len(bytes(tool.entry)),
        "estimated_tokens": tool.tokens,
        "has_output_schema": tool.output is not None,
        "security": {"kind": tool.access.kind, "reason": tool.access.reason, "advice": tool.access.advice},
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
