"""The names of search mode's four tools, and the test whether a list of tools is too long for a model.

This module is separate from the search, whose tables take 20 ms to import, for servers that list their tools.
"""

from __future__ import annotations

from collections.abc import Iterable

from openapi_mcp_server.bridge.model import SEEN_BYTES_PER_TOKEN, Tool

SEARCH, DESCRIBE, READ, CALL = "search_operations", "describe_operation", "read_operation", "call_operation"
NAMES = frozenset({SEARCH, DESCRIBE, READ, CALL})
MOST_TOOLS = 128
"""The most tools in a request to OpenAI's API; VS Code's chat and others cut or refuse longer lists."""


def seen_tokens(tools: Iterable[Tool]) -> int:
    """The approximate tokens of a list of tools for a model. Clients show it names, descriptions and arguments."""
    return int(sum(tool.seen_bytes for tool in tools) / SEEN_BYTES_PER_TOKEN)


def is_searched(mode: str, tokens: int, budget: int) -> bool:
    """Whether tools whose list costs a model ``tokens`` are searched, by TOOL_MODE and, in auto, TOOL_BUDGET_TOKENS."""
    return mode == "search" or (mode == "auto" and tokens > budget)
