"""What the calls of one process came to: counted a second at a time, and over the whole run for each tool."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from loadgen.failures import Failure
from loadgen.latencies import Latencies

EXAMPLES = 50
"""Kinds of failures with an example; a server that makes up kinds without end is not followed further."""
NOT_SENT = "not sent"
_OTHERS = "others"


class Second(msgspec.Struct, kw_only=True):
    """One second of one process, or of all. ``index`` counts from the start of the load.

    ``latency`` has each call from when it was due, ``service`` from when it was sent, both as encoded histograms.
    """

    index: int
    calls: int = 0
    errors: dict[str, int] = {}
    latency: str = ""
    service: str = ""
    busy: int = 0
    """Calls in flight at its end."""
    length: float = 1.0
    """Of the last one, which is rarely whole."""


class ToolCount(msgspec.Struct, kw_only=True):
    calls: int = 0
    errors: int = 0
    checked: int = 0
    """Answers that carried their number, as they had to."""
    latency: str = ""


class Totals(msgspec.Struct, kw_only=True):
    """The end of a run in one process."""

    examples: dict[str, str] = {}
    lost: int = 0
    strays: dict[str, int] = {}
    tools: dict[str, ToolCount] = {}
    idle_opened: int = 0
    idle_left: int = 0
    cpu_seconds: float = 0.0
    elapsed: float = 0.0
    """From the start to the last answer."""
    late_seconds: float = 0.0
    """How late the generator itself was at most with a call that could have been sent."""
    waited: int = 0
    """Calls that were due while every client waited for an answer."""


class _PerTool:
    def __init__(self) -> None:
        self.calls = self.errors = self.checked = 0
        self.latency = Latencies(digits=2)

    def count(self) -> ToolCount:
        return ToolCount(calls=self.calls, errors=self.errors, checked=self.checked, latency=self.latency.encoded())


class Tally:
    """``is_open``: the time from when a call was due differs from the time since it was sent."""

    def __init__(self, *, is_open: bool) -> None:
        self._latency = Latencies()
        self._service = Latencies() if is_open else None
        self._calls = 0
        self._errors: Counter[str] = Counter()
        self._tools: dict[str, _PerTool] = {}
        self._examples: dict[str, str] = {}
        self.lost = 0
        self.busy = 0
        self.last = 0.0
        """When the last call ended, on the loop's clock."""

    def answered(self, tool: str, latency: float, service: float, *, checked: bool) -> None:
        """A call that went well. Seconds."""
        per_tool = self._tool(tool)
        per_tool.checked += checked
        self._record(per_tool, latency, service)

    def failed(self, tool: str, failure: Failure, latency: float, service: float) -> None:
        """The time of a call that failed counts only if nobody answered: an error that comes fast is no fast answer."""
        kind = failure.kind if failure.kind in self._examples or len(self._examples) < EXAMPLES else _OTHERS
        self._examples.setdefault(kind, failure.example)
        self._errors[kind] += 1
        self.lost += failure.is_lost
        per_tool = self._tool(tool)
        per_tool.errors += 1
        if failure.is_lost:
            self._record(per_tool, latency, service)
        else:
            per_tool.calls += 1
            self._calls += 1

    def unsent(self, tool: str, waited: float, count: int) -> None:
        """Calls that were due and could not be made while the load lasted. Their wait counts in full."""
        self._examples.setdefault(NOT_SENT, "no client was free: the server cannot keep up, or --clients are too few")
        self._errors[NOT_SENT] += count
        per_tool = self._tool(tool)
        per_tool.errors += count
        self._record(per_tool, waited, None, count)

    def _record(self, per_tool: _PerTool, latency: float, service: float | None, count: int = 1) -> None:
        per_tool.calls += count
        self._calls += count
        per_tool.latency.record(latency, count)
        self._latency.record(latency, count)
        if self._service is not None and service is not None:
            self._service.record(service, count)

    def _tool(self, tool: str) -> _PerTool:
        found = self._tools.get(tool)
        if found is None:
            found = self._tools[tool] = _PerTool()
        return found

    def second(self, index: int, length: float = 1.0) -> Second:
        """What came since the last one."""
        made = Second(
            index=index,
            length=length,
            calls=self._calls,
            errors=dict(self._errors),
            latency=self._latency.encoded(),
            service=self._service.encoded() if self._service is not None else "",
            busy=self.busy,
        )
        self._calls = 0
        self._errors.clear()
        for histogram in (self._latency, self._service):
            if histogram is not None and histogram.count:
                histogram.reset()
        return made

    def totals(self, **others: Any) -> Totals:  # noqa: ANN401 - the fields of Totals
        return Totals(
            examples=self._examples,
            lost=self.lost,
            tools={name: each.count() for name, each in self._tools.items()},
            **others,
        )
