"""Figures of a benchmark that are easy to recognise, with a little of everything that its page and pictures show."""

from __future__ import annotations

from figures import About, Beside, Figures, Latencies, Workers
from rounds import Found
from scaling import Growth
from starts import Document, Started

OURS, FASTMCP, MCPIFY, GATEWAY = (
    "this server",
    "FastMCP 4.2.3, stateless, JSON, uvloop",
    "mcpify-openapi 1.19.0",
    "openapi-mcp-gateway 0.8.0",
)
RESETS = "it resets connections: only 5 may wait until it accepts them"


def _calls(ours: float) -> Found:
    return {
        OURS: [ours - 10, ours, ours + 30],
        "bare Trio loop": [ours / 5] * 3,
        FASTMCP: [ours * 8, ours * 7, ours * 9],
    }


def _started(cold: float, cached: float, memory: float, tools: int) -> dict[str, Started | str]:
    seen = {
        f"{OURS}, cold": Started(cold, memory, tools, 4_100_000),
        f"{OURS}, cached": Started(cached, 65.0, tools, 4_100_000),
    }
    return {**seen, "FastMCP 4.2.3": "no list within 45 s"}


FIGURES = Figures(
    about=About(date="01 May 2026", version="0.2.0", python="3.11.7", machine="Linux x86_64", cores=2, load=0.5),
    calls={
        1: {**_calls(300.0), MCPIFY: [550.0] * 3, GATEWAY: "it cannot be installed: no such package | anywhere"},
        32: {**_calls(200.0), MCPIFY: [600.0] * 3, GATEWAY: "it cannot be installed: no such package | anywhere"},
        256: {**_calls(250.0), MCPIFY: RESETS, GATEWAY: "it cannot be installed: no such package | anywhere"},
    },
    latencies=Latencies(
        percentiles=(0.0, 50.0, 90.0, 99.0, 99.9),
        api=[40.0, 50.0, 60.0, 100.0, 300.0],
        found={OURS: [250.0, 350.0, 400.0, 800.0, 1_500.0], FASTMCP: [1_200.0, 1_550.0, 1_700.0, 2_300.0, 9_000.0]},
    ),
    workers=Workers({"1 worker": [4_000.0], "2 workers": [7_200.0]}, 0.25),
    stdio={OURS: [270.0], MCPIFY: [250.0]},
    steps={"10 MB of JSON, filtered": [Beside(step=1.0, alone=0.5, worst=12.0, held=14.0)]},
    starts=[
        Document("GitHub", 13.0, _started(0.9, 0.3, 88.0, 1_222)),
        Document("Graph-like", 16.0, _started(7.1, 0.9, 295.0, 11_400)),
    ],
    growth=[
        Growth("operations", "s of CPU from the start to the first list", [(10, 0.2), (1_000, 0.4), (10_000, 2.0)]),
        Growth("operations", "MiB at most", [(10, 44.0), (1_000, 51.0), (10_000, 127.0)]),
        Growth("idle sessions", "MiB", [(500, 8.0), (1_000, 16.0), (1_995, 32.0)]),
        Growth("bytes of an answer", "ms of CPU a call", [(1_000, 0.5), (1_000_000, 31.0), (10_000_000, 22.0)]),
        Growth("bytes of arguments", "ms of CPU a call", [(1_000, 0.5), (1_000_000, 14.0), (3_900_000, 48.0)]),
        Growth("calls at once", "µs of CPU a call", [(1, 300.0), (32, 240.0), (256, 290.0)]),
    ],
)
