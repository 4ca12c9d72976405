"""Everything there is to know about a catalog, as JSON: what ``inspect`` tells programs, and the page its readers."""

from __future__ import annotations

from typing import Any

import msgspec

from openapi_mcp_server.bridge.model import ApiSummary, Tool, ToolCatalog
from openapi_mcp_server.bridge.results.budget import BYTES_PER_TOKEN
from openapi_mcp_server.bridge.servers import ANYWHERE


def report(tools: ToolCatalog) -> dict[str, Any]:
    """Everything there is to know about a catalog, as JSON."""
    return {
        "tools": [_tool(tool) for tool in tools.tools.values()],
        "skipped": [
            {"api": each.api, **msgspec.structs.asdict(each.operation)}  # pointer, method, path, reason
            for each in tools.skipped
        ],
        "apis": [_api(api) for api in tools.apis],
        "bytes": tools.list_bytes,
        "estimated_tokens": tools.list_bytes // BYTES_PER_TOKEN,
    }


def _tool(tool: Tool) -> dict[str, Any]:
    return {
        "name": tool.name,
        "api": tool.api,
        "title": tool.title,
        "tags": tool.tags,
        "method": tool.method,
        "path": tool.template,
        "pointer": tool.pointer,
        "bytes": len(bytes(tool.entry)),
        "estimated_tokens": tokens(tool),
        "has_output_schema": tool.output is not None,
        "security": tool.access,
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


def tokens(tool: Tool) -> int:
    return len(bytes(tool.entry)) // BYTES_PER_TOKEN
