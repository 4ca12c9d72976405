"""The part that all Python runners share: read a task, list, convert, call, and tell what became of it.

It runs in the environment of a framework, so it imports the standard library alone.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

CALL_SECONDS = 30
MESSAGE_CHARACTERS = 400

Json = dict[str, Any]


class Adapter:
    """How one framework lists tools, shows them to a model and calls them: the lines that its users write.

    ``alone``, where one tool can take the whole list away: adapts a single served tool, so that those can be named.
    """

    alone: Callable[[Json], object] | None = None

    @asynccontextmanager
    async def connected(self, url: str) -> AsyncIterator[Sequence[Any]]:
        """The framework's tools, in the order in which a model would be given them."""
        raise NotImplementedError(url)
        yield []

    def name(self, served: str) -> str:
        """The framework's name for a tool of the server."""
        return served

    def declared(self, tool: Any) -> Json:
        """``name`` and ``parameters`` as they go to a model's provider."""
        raise NotImplementedError(tool)

    async def called(self, tool: Any, arguments: Json) -> str:
        """The text that a model gets; raises for a failure."""
        raise NotImplementedError(tool, arguments)


class Warnings(logging.Handler):
    """Lines that a framework logs; some leave a tool out and only say so there."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

    def about(self, name: str) -> str:
        return next((shortened(line) for line in self.lines if name in line), "")


def main(adapter: Adapter) -> None:
    """The task comes on standard input; its outcome goes to a file, since frameworks print what they like."""
    task = json.load(sys.stdin)
    served = json.loads(Path(task["served"]).read_text())
    warnings = Warnings()
    logging.getLogger().addHandler(warnings)
    outcome: Json = {"lost": {}, "unreadable": {}, "fewer": {}, "twice": [], "calls": [], "message": ""}
    try:
        asyncio.run(tried(adapter, task, served, outcome, warnings))
    except BaseException as error:  # noqa: BLE001 - one row of a table, whatever a framework raises
        traceback.print_exc()
        if not outcome.get("listed"):
            not_listed(adapter, served, outcome, error)
        elif len(outcome["calls"]) < len(task["calls"]):
            outcome["message"] = told(error)
    Path(task["outcome"]).write_text(json.dumps(outcome))


async def tried(adapter: Adapter, task: Json, served: list[Json], outcome: Json, warnings: Warnings) -> None:
    async with adapter.connected(task["url"]) as tools:
        outcome["listed"] = len(tools)
        by_name = declared(adapter, tools, served, outcome)
        for each in served:
            if adapter.name(each["name"]) not in by_name:
                outcome["lost"][each["name"]] = warnings.about(each["name"])
        for call in task["calls"]:
            outcome["calls"].append(await called(adapter, by_name, call))


def declared(adapter: Adapter, tools: Sequence[Any], served: list[Json], outcome: Json) -> dict[str, Any]:
    """The tools by the name that a model sees; what a model is shown wrongly is noted."""
    wanted = {adapter.name(each["name"]): each for each in served}
    by_name = {}
    names: Counter[str] = Counter()
    for tool in tools:
        name = str(getattr(tool, "name", "?"))
        try:
            shown = adapter.declared(tool)
            name = shown["name"]
            json.dumps(shown)
            if name in wanted and (left_out := missing(wanted[name], shown)):
                outcome["fewer"][wanted[name]["name"]] = left_out
        except Exception as error:  # noqa: BLE001 - one tool of the table
            outcome["unreadable"][name] = told(error)
        names[name] += 1
        by_name.setdefault(name, tool)
    outcome["twice"] = [name for name, count in names.items() if count > 1]
    return by_name


def missing(served: Json, shown: Json) -> list[str]:
    """The arguments that the server takes and the model is not told of."""
    shown_properties = (shown.get("parameters") or {}).get("properties") or {}
    return [name for name in served["inputSchema"].get("properties", {}) if name not in shown_properties]


async def called(adapter: Adapter, by_name: dict[str, Any], call: Json) -> Json:
    tool = by_name.get(adapter.name(call["tool"]))
    if tool is None:
        return {"error": "the tool is not there"}
    try:
        async with asyncio.timeout(CALL_SECONDS):
            return {"text": str(await adapter.called(tool, call["arguments"]))}
    except Exception as error:  # noqa: BLE001 - one call of the table
        return {"error": told(error)}


def not_listed(adapter: Adapter, served: list[Json], outcome: Json, error: BaseException) -> None:
    """Every tool is lost; those that are to blame are named where they can be tried one by one."""
    outcome["message"] = told(error)
    outcome["listed"] = 0
    outcome["lost"] = {each["name"]: "" for each in served}
    if adapter.alone is None:
        return
    for each in served:
        try:
            adapter.alone(each)
        except Exception as why:  # noqa: BLE001 - one tool of the table
            outcome["lost"][each["name"]] = told(why)


def told(error: BaseException) -> str:
    """The innermost message: a task group says only that something failed."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return shortened(f"{type(error).__name__}: {error}")


def shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MESSAGE_CHARACTERS else line[:MESSAGE_CHARACTERS] + "…"


def blocks(content: Sequence[Any]) -> str:
    """The text of MCP content blocks."""
    return "\n".join(str(getattr(block, "text", block)) for block in content)
