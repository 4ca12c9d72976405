"""The size of results for Claude Code, which does not show its model longer ones."""

from __future__ import annotations

from collections.abc import Mapping

_KEY = "anthropic/maxResultSizeChars"
"""Key of a tool's ``_meta``: Claude Code writes longer results to a file and shows its model two kilobytes."""
_USUAL, _MOST = 50_000, 500_000
"""Claude Code's limit without this key, and its limit for the key's value."""
_NOTES = 2_000
"""Characters that are reserved for notes beside the answer."""


def result_size(budget_bytes: int) -> Mapping[str, int]:
    """The size of results for ``_meta``; empty if the client's own limit is enough. A budget of 0 means that answers
    are never cut."""
    most = budget_bytes + _NOTES if budget_bytes else _MOST
    return {_KEY: min(most, _MOST)} if most > _USUAL else {}
