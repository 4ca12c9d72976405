"""Compares two catalogs: tools that were added, removed, renamed or changed, and the breaking changes among these.

A model, a prompt or a saved workflow knows a tool by its name and arguments. A change is breaking if a formerly right
call is now refused, or does something else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from openapi_mcp_server.bridge.model import Tool, ToolCatalog
from openapi_mcp_server.bridge.reports.narrowing import compare as compare_schemas
from openapi_mcp_server.bridge.schemas.edits import decode
from openapi_mcp_server.bridge.search.names import seen_tokens


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One change of a tool; ``argument`` is empty if it concerns the whole tool."""

    argument: str
    what: str
    breaks: bool


class ToolChange(msgspec.Struct, frozen=True, kw_only=True):
    """One tool that is in both catalogs, now as ``name``; ``was`` is its older name if that differs."""

    name: str
    was: str
    operation: str
    tokens_before: int
    tokens: int
    changes: tuple[Change, ...]

    @property
    def breaks(self) -> bool:
        return bool(self.was) or any(change.breaks for change in self.changes)


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A tool that is in only one of the two. ``reason`` says why its operation in the newer document is no tool."""

    name: str
    operation: str
    tokens: int
    reason: str = ""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    added: tuple[Listed, ...]
    removed: tuple[Listed, ...]
    renamed: tuple[ToolChange, ...]
    changed: tuple[ToolChange, ...]
    unchanged: int
    tokens_before: int
    tokens: int

    @property
    def breaking(self) -> int:
        """The number of tools with a breaking change."""
        return len(self.removed) + sum(each.breaks for each in (*self.renamed, *self.changed))


def compare(old: ToolCatalog, new: ToolCatalog) -> Comparison:
    """Compares tools with equal names, and then those with equal method and path, which were renamed."""
    same = [name for name in old.tools if name in new.tools]
    gone = {tool.operation: tool for name, tool in old.tools.items() if name not in new.tools}
    came = {tool.operation: tool for name, tool in new.tools.items() if name not in old.tools}
    renamed = [_changed(gone[operation], came[operation]) for operation in gone if operation in came]
    changed = [_changed(old.tools[name], new.tools[name]) for name in same]
    reasons = {f"{each.operation.method} {each.operation.path}": each.operation.reason for each in new.skipped}
    return Comparison(
        added=tuple(_listed(tool, "") for key, tool in came.items() if key not in gone),
        removed=tuple(_listed(tool, reasons.get(key, "")) for key, tool in gone.items() if key not in came),
        renamed=tuple(renamed),
        changed=tuple(each for each in changed if each.changes),
        unchanged=sum(not each.changes for each in changed),
        tokens_before=seen_tokens(old.tools.values()),
        tokens=seen_tokens(new.tools.values()),
    )


def _changed(old: Tool, new: Tool) -> ToolChange:
    return ToolChange(
        name=new.name,
        was="" if old.name == new.name else old.name,
        operation=new.operation,
        tokens_before=old.tokens,
        tokens=new.tokens,
        changes=_changes(old, new),
    )


def _changes(old: Tool, new: Tool) -> tuple[Change, ...]:
    is_shortened = old.input.is_shortened or new.input.is_shortened
    is_same = bytes(old.entry) == bytes(new.entry) and old.operation == new.operation
    if is_same and not (is_shortened and old.input.schema != new.input.schema):
        return ()
    before, after = _entry(old), _entry(new)
    changes = []
    if (was := old.operation) != new.operation:
        breaks = old.is_safe and not new.is_safe  # a client that asks for no consent to read would not ask now
        changes.append(Change(argument="", what=f"is {new.operation}, was {was}", breaks=breaks))
    inputs = [decode(each.input.schema) if is_shortened else _entry(each)["inputSchema"] for each in (old, new)]
    differences = compare_schemas(*inputs)
    changes += [Change(argument=each.place, what=each.what, breaks=each.breaks) for each in differences]
    for key, what in (
        ("outputSchema", "answers something else"),
        ("description", "has another description"),
        ("title", "has another title"),
        ("annotations", "has other annotations"),
    ):
        if before.get(key) != after.get(key):
            changes.append(Change(argument="", what=what, breaks=False))
    if not differences and inputs[0] != inputs[1]:
        changes.append(Change(argument="", what="has arguments that are described in other words", breaks=False))
    return tuple(changes)


def _entry(tool: Tool) -> Mapping[str, Any]:
    entry: Mapping[str, Any] = decode(tool.entry)
    return entry


def _listed(tool: Tool, reason: str) -> Listed:
    return Listed(name=tool.name, operation=tool.operation, tokens=tool.tokens, reason=reason)
