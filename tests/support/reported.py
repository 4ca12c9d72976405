"""A result of a load with figures that are easy to recognise, and a little of everything that a report shows."""

from __future__ import annotations

from loadgen.latencies import Latencies, Latency
from loadgen.plan import Load
from loadgen.prepare import LeftOut
from loadgen.result import (
    ErrorCount,
    Generator,
    IdleCount,
    Integrity,
    Interval,
    Result,
    Sample,
    ToolRow,
    Verdict,
)


def _latencies() -> Latencies:
    """1,000 calls: 1 ms, but 80 of 10 ms, 18 of 100 ms and two of 2 s."""
    made = Latencies()
    for seconds, count in ((0.001, 900), (0.010, 80), (0.100, 18), (2.0, 2)):
        for _ in range(count):
            made.record(seconds)
    return made


_MADE = _latencies()
_SECOND = Latency(p50=1.0, p90=10.0, p99=100.0, p999=200.0, max=200.0, mean=3.0)
_STALL = Latency()

RESULT = Result(
    started="2026-11-29T12:00:00+00:00",
    target="http://127.0.0.1:8000/mcp",
    transport="http",
    revision="2026-07-28",
    server="planted <1>",
    load=Load(clients=64, rate=100.0, idle=5),
    elapsed_seconds=10.0,
    calls=1000,
    calls_per_second=100.0,
    error_count=10,
    errors=(ErrorCount("HTTP 503", 7, "<b>busy</b> & gone"), ErrorCount("timeout", 3, "no answer within 30 s")),
    integrity=Integrity(checked=900, lost=3, late=1),
    latency=_MADE.summary(),
    service=Latency(p50=0.9, p90=9.0, p99=90.0, p999=900.0, max=1900.0, mean=2.0),
    histogram=_MADE.encoded(),
    tools=(
        ToolRow(tool="echo", calls=900, errors=3, checked=900, latency=_MADE.summary()),
        ToolRow(tool="refuses", calls=100, errors=7, checked=0, latency=Latency()),
    ),
    intervals=tuple(
        Interval(
            second=second,
            length=1.0,
            calls=0 if second in {4, 5} else 125,
            errors={"HTTP 503": 7} if second == 2 else {"timeout": 3} if second == 6 else {},
            in_flight=3,
            latency=_STALL if second in {4, 5} else _SECOND,
        )
        for second in range(10)
    ),
    idle=IdleCount(5, 5, 4),
    generator=Generator(processes=2, cpu_seconds=0.5, busiest_share=0.05, us_per_call=50.0, late_ms=1.5),
    left_out=(LeftOut("slow", "timeout: no answer within 2 s"),),
    server_metrics=tuple(
        Sample(
            float(second),
            {"process_cpu_seconds_total": second * 0.5, "process_resident_memory_bytes": 5e7 + second * 1e6},
        )
        for second in range(10)
    ),
    verdicts=(Verdict("p99<200ms", 100.0, is_met=True, unit="ms"), Verdict("errors<1%", 1.0, is_met=False, unit="%")),
)
