"""How long a result may be for a client that would otherwise keep it from its model."""

from __future__ import annotations

from collections.abc import Mapping

_KEY = "anthropic/maxResultSizeChars"
"""Key of a tool's ``_meta``: Claude Code writes longer results to a file and shows its model two kilobytes."""
_USUAL, _MOST = 50_000, 500_000
"""Its limits where a tool says nothing, and whatever a tool says."""
_NOTES = 2_000
"""Beside the answer."""


def result_size(budget_bytes: int) -> Mapping[str, int]:
    """The size of results for ``_meta``; nothing where they are within the client's own limit. 0: answers are never
    cut."""
    most = budget_bytes + _NOTES if budget_bytes else _MOST
    return {_KEY: min(most, _MOST)} if most > _USUAL else {}
