"""The outcome of a run, as `--json` writes it, reports show it and `compare` reads it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from loadgen.latencies import Latencies, Latency, merged
from loadgen.messages import UNDECODABLE
from loadgen.plan import Load, UsageError
from loadgen.prepare import LeftOut, Prepared
from loadgen.tally import NOT_SENT, Second, ToolCount, Totals

FORMAT = 1
BUSY_SHARE = 0.8
"""Of one core, above which a generator is likely to measure itself."""


class ErrorCount(msgspec.Struct, frozen=True):
    kind: str
    count: int
    example: str


class Integrity(msgspec.Struct, frozen=True, kw_only=True):
    """``checked``: answers that carried the number of their call, as they had to. The others count faults."""

    checked: int = 0
    lost: int = 0
    mixed_up: int = 0
    doubled: int = 0
    unnumbered: int = 0
    """Answers that had to carry the number of their call, and did not."""
    late: int = 0
    """Answers to calls that had been given up."""

    @property
    def is_sound(self) -> bool:
        return not (self.lost or self.mixed_up or self.doubled or self.unnumbered)


class ToolRow(msgspec.Struct, frozen=True, kw_only=True):
    tool: str
    calls: int
    errors: int
    checked: int
    latency: Latency


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """One second of the load; ``in_flight`` is at its end."""

    second: int
    length: float
    calls: int
    errors: dict[str, int]
    in_flight: int
    latency: Latency


class IdleCount(msgspec.Struct, frozen=True):
    wanted: int
    opened: int
    open_at_end: int
    problem: str = ""


class Generator(msgspec.Struct, frozen=True, kw_only=True):
    """The cost of measuring: CPU of all processes, and the share of a core that the busiest one took. ``waited``: calls
    of the open loop that were due while every client waited for an answer."""

    processes: int
    cpu_seconds: float
    busiest_share: float
    us_per_call: float
    late_ms: float
    waited: int = 0

    @property
    def is_too_busy(self) -> bool:
        return self.busiest_share > BUSY_SHARE


class Sample(msgspec.Struct, frozen=True):
    """The server's metrics at one moment of the load, by family."""

    second: float
    values: dict[str, float]


class Verdict(msgspec.Struct, frozen=True):
    """``unit`` is that of ``actual``: ms, %, or empty for a count."""

    expectation: str
    actual: float
    is_met: bool
    unit: str = ""
    is_measured: bool = True
    """Of a time: whether there was any call to measure."""

    @property
    def shown(self) -> str:
        """What it was, in words."""
        return f"{self.actual:g} {self.unit}".strip() if self.is_measured else "not measured"


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """``latency`` counts from when a call was due, ``service`` from when it was sent; they differ in the open loop,
    elsewhere ``service`` is None. ``calls_per_second`` are those that went well: fast errors are no throughput.
    ``histogram`` is the whole distribution, as HdrHistogram writes it."""

    format: int = FORMAT
    started: str
    target: str
    transport: str
    revision: str
    server: str
    load: Load
    elapsed_seconds: float
    calls: int
    calls_per_second: float
    error_count: int
    errors: tuple[ErrorCount, ...]
    integrity: Integrity
    latency: Latency
    service: Latency | None
    histogram: str
    tools: tuple[ToolRow, ...]
    intervals: tuple[Interval, ...]
    idle: IdleCount
    generator: Generator
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()
    server_metrics: tuple[Sample, ...] = ()
    verdicts: tuple[Verdict, ...] = ()

    @property
    def is_good(self) -> bool:
        """What the exit code says."""
        return self.integrity.is_sound and self.calls > self.error_count and all(each.is_met for each in self.verdicts)


def encode(result: Result) -> bytes:
    return msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n"


def read(path: str, data: bytes) -> Result:
    try:
        result = msgspec.json.decode(data, type=Result)
    except UNDECODABLE as error:
        raise UsageError(f"{path}: no result of loadgen --json: {error}") from None
    if result.format != FORMAT:
        raise UsageError(f"{path}: has format {result.format}, this loadgen reads {FORMAT}; measure again")
    return result


class Seconds:
    """Seconds of all processes, added up as they come: a load may last a day, and one second has 2 KB of histograms."""

    def __init__(self, processes: int) -> None:
        self._told = dict.fromkeys(range(processes), -1.0)
        self._found: dict[int, list[Second]] = {}
        self._whole: dict[int, Interval] = {}
        self._newest = -1.0
        self.latency, self.service = Latencies(), Latencies()
        self.calls = 0
        self.errors: Counter[str] = Counter()

    def add(self, process: int, second: Second) -> Interval | None:
        """The newest second that every process has told of, if it is another one than before."""
        self._found.setdefault(second.index, []).append(second)
        self._told[process] = second.index
        self.latency.add(second.latency)
        self.service.add(second.service)
        self.calls += second.calls
        self.errors.update(second.errors)
        newest = min(self._told.values())
        if newest <= self._newest:
            return None
        self._newest = newest
        self._settle(newest - 1)  # the rest of the last second may be added to the one before
        return self._interval(int(newest))

    def end(self, process: int) -> None:
        """It has nothing more to tell."""
        self._told[process] = math.inf

    def _settle(self, before: float) -> None:
        for index in [each for each in self._found if each < before]:
            self._whole[index] = self._interval(index)
            del self._found[index]

    def intervals(self, until: float) -> tuple[Interval, ...]:
        """In order; those after the end of the load are left out."""
        self._settle(math.inf)
        return tuple(each for index, each in sorted(self._whole.items()) if index < until or each.calls)

    def _interval(self, index: int) -> Interval:
        parts = self._found.get(index, [])
        errors: Counter[str] = Counter()
        for part in parts:
            errors.update(part.errors)
        return Interval(
            second=index,
            length=_length([part.length for part in parts]),
            calls=sum(part.calls for part in parts),
            errors=dict(errors),
            in_flight=sum(part.busy for part in parts),
            latency=merged([part.latency for part in parts]).summary(),
        )


def _length(lengths: Sequence[float]) -> float:
    """A process's short rest after its last whole second lengthens that second."""
    whole = [length for length in lengths if length >= 1]
    rest = [length for length in lengths if length < 1]
    return round((1.0 if whole else 0.0) + max(rest, default=0.0), 3) or 1.0


def of_run(
    prepared: Prepared,
    load: Load,
    seconds: Seconds,
    totals: Sequence[Totals],
    **others: Any,  # noqa: ANN401 - fields of Result
) -> Result:
    calls, errors, latency = seconds.calls, seconds.errors, seconds.latency
    elapsed = max((each.elapsed for each in totals), default=0.0)
    examples = {kind: text for each in totals for kind, text in each.examples.items()}
    target = prepared.target
    return Result(
        target=target.shown,
        transport=target.transport,
        revision=target.revision,
        server=prepared.server,
        load=load,
        elapsed_seconds=round(elapsed, 3),
        calls=calls,
        calls_per_second=round((calls - errors.total()) / elapsed, 1) if elapsed else 0.0,
        error_count=errors.total(),
        errors=tuple(ErrorCount(kind, count, examples.get(kind, "")) for kind, count in errors.most_common()),
        integrity=_integrity(totals),
        latency=latency.summary(),
        service=seconds.service.summary() if load.is_open else None,
        histogram=latency.encoded(),
        tools=_tools(totals),
        intervals=seconds.intervals(elapsed),
        generator=_generator(totals, calls - errors[NOT_SENT]),
        left_out=prepared.left_out,
        notes=prepared.notes,
        **others,
    )


def _integrity(totals: Sequence[Totals]) -> Integrity:
    strays: Counter[str] = Counter()
    for each in totals:
        strays.update(each.strays)
    return Integrity(
        checked=sum(tool.checked for each in totals for tool in each.tools.values()),
        lost=sum(each.lost for each in totals),
        mixed_up=strays["mixed-up"],
        doubled=strays["doubled"],
        unnumbered=strays["unnumbered"],
        late=strays["late"],
    )


def _tools(totals: Sequence[Totals]) -> tuple[ToolRow, ...]:
    found: dict[str, list[ToolCount]] = {}
    for each in totals:
        for name, count in each.tools.items():
            found.setdefault(name, []).append(count)
    return tuple(_tool(name, found[name]) for name in sorted(found))


def _tool(name: str, counts: Sequence[ToolCount]) -> ToolRow:
    return ToolRow(
        tool=name,
        calls=sum(each.calls for each in counts),
        errors=sum(each.errors for each in counts),
        checked=sum(each.checked for each in counts),
        latency=merged([each.latency for each in counts], digits=2).summary(),
    )


def _generator(totals: Sequence[Totals], calls: int) -> Generator:
    cpu = [each.cpu_seconds for each in totals]
    shares = [each.cpu_seconds / each.elapsed for each in totals if each.elapsed]
    return Generator(
        processes=len(totals),
        cpu_seconds=round(sum(cpu), 3),
        busiest_share=round(max(shares, default=0.0), 3),
        us_per_call=round(sum(cpu) / calls * 1e6, 1) if calls else 0.0,
        late_ms=round(max((each.late_seconds for each in totals), default=0.0) * 1e3, 2),
        waited=sum(each.waited for each in totals),
    )
