"""Pictures of a benchmark's figures as SVG, each for light and for dark pages.

matplotlib draws them: it is the best kept of those that need no browser, and its axes know logarithms. Text stays text,
ids come from a fixed salt and no date is written, so that the same figures give the same files. A mark has the name of
what it shows as its id.
"""

from __future__ import annotations

import io
import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from figures import Figures
from pages import OURS, PICTURES
from scaling import Growth
from starts import Document, Started

COLOURS = {
    "this": "#2f81f7",
    "behind": "#8250df",
    "with": "#5a8fd6",
    "bare": "#848d97",
    "the": "#848d97",
    "FastMCP": "#e5484d",
    "official": "#d9730d",
    "mcpify-openapi": "#1f9d55",
    "@ivotoby/openapi-mcp-server": "#12939a",
    "openapi-mcp-gateway": "#c2458f",
    "awslabs.openapi-mcp-server": "#a0782c",
}
"""By the first word of a server's name, in all pictures; each stands out of both grounds at least three to one."""
SCHEMES = {
    "": {"ground": "#ffffff", "ink": "#1f2328", "soft": "#59636e", "grid": "#e2e6ea"},
    "-dark": {"ground": "#0d1117", "ink": "#e6edf3", "soft": "#9198a1", "grid": "#262c36"},
}
MARKERS = {1: "o", 32: "s", 256: "D"}
"""Of calls at once."""
Scheme = Mapping[str, str]


def colour(server: str) -> str:
    return COLOURS[server.split(maxsplit=1)[0]]


def short(server: str) -> str:
    """Its name without how it is set up."""
    return server.partition(",")[0] if server.split(maxsplit=1)[0] in {"FastMCP", "official"} else server


def slug(words: str) -> str:
    """An id of them."""
    return re.sub(r"[^\w.@]+", "-", words)


def write(figures: Figures, folder: Path) -> None:
    for name in PICTURES:
        for suffix in SCHEMES:
            (folder / f"{name}{suffix}.svg").write_bytes(picture(figures, name, suffix))


def picture(figures: Figures, name: str, suffix: str) -> bytes:
    import matplotlib as mpl  # noqa: PLC0415 - heavy, and only for pictures
    from matplotlib.figure import Figure  # noqa: PLC0415

    scheme = SCHEMES[suffix]
    style = {
        "svg.fonttype": "none",
        "svg.hashsalt": "scripts/bench",
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": 10,
        "text.color": scheme["ink"],
        "axes.edgecolor": scheme["soft"],
        "axes.labelcolor": scheme["soft"],
        "axes.titlecolor": scheme["ink"],
        "axes.titlesize": 11,
        "axes.facecolor": scheme["ground"],
        "axes.spines.top": False,
        "axes.spines.right": False,
        "xtick.color": scheme["soft"],
        "ytick.color": scheme["soft"],
        "ytick.labelcolor": scheme["ink"],
        "grid.color": scheme["grid"],
        "legend.frameon": False,
        "legend.labelcolor": scheme["ink"],
    }
    with mpl.rc_context(style):
        drawn = Figure(layout="constrained", facecolor=scheme["ground"])
        _DRAWN[name](drawn, figures, scheme)
        written = io.BytesIO()
        drawn.savefig(written, format="svg", metadata={"Title": PICTURES[name], "Date": None, "Creator": None})
    return b"\n".join(line.rstrip() for line in written.getvalue().splitlines()) + b"\n"


def _calls(drawn: Any, figures: Figures, scheme: Scheme) -> None:  # noqa: ANN401 - matplotlib is not always here
    names = [*figures.calls[32]]
    drawn.set_size_inches(9.2, 0.42 * len(names) + 1.6)
    axes = drawn.subplots()
    for place, name in enumerate(names):
        said = {each: _middle(found[name]) for each, found in figures.calls.items()}
        seen = {each: value for each, value in said.items() if value}
        axes.plot([*seen.values()], [place] * len(seen), color=colour(name), linewidth=1.5, alpha=0.6)
        for each, value in seen.items():
            marked = axes.plot([value], [place], MARKERS[each], color=colour(name), markersize=7)
            marked[0].set_gid(slug(f"{name} at {each}"))
        text = " · ".join(f"{said[each]:,.0f}" if said[each] else "–" for each in said)
        axes.annotate(text, (1.01, place), xycoords=("axes fraction", "data"), va="center", annotation_clip=False)
    axes.annotate(
        " · ".join(map(str, figures.calls)), (1.01, -1), xycoords=("axes fraction", "data"), color=scheme["soft"],
        va="center", annotation_clip=False,
    )  # fmt: skip
    axes.set(xscale="log", title="CPU of a call over Streamable HTTP", xlabel="µs of CPU a call (logarithmic)")
    axes.set_yticks(range(len(names)), [short(name) for name in names])
    axes.set_ylim(len(names) - 0.5, -1.5)
    axes.grid(visible=True, axis="x")
    _plain(axes.xaxis)
    handles = [
        axes.plot([], [], marker, color=scheme["soft"], label=f"{n} at once")[0] for n, marker in MARKERS.items()
    ]
    drawn.legend(handles=handles, loc="outside lower center", ncols=3)


def _middle(found: list[float] | str) -> float:
    return 0.0 if isinstance(found, str) else statistics.median(found)


def _plain(axis: Any, steps: Sequence[float] = (1.0,)) -> None:  # noqa: ANN401
    """Numbers as people write them, in place of powers of ten, at each power times each of the steps."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator  # noqa: PLC0415

    axis.set_major_locator(LogLocator(subs=steps, numticks=9))
    axis.set_major_formatter(FuncFormatter(lambda value, _: counted(value)))
    axis.set_minor_locator(NullLocator())


def counted(value: float) -> str:
    return f"{value / 1e6:,.10g} M" if value >= 1e6 else f"{value:,.10g}"


def _latencies(drawn: Any, figures: Figures, _: Scheme) -> None:  # noqa: ANN401
    drawn.set_size_inches(9.2, 4.8)
    axes = drawn.subplots()
    shown = figures.latencies
    lines = {"the API alone": shown.api, **{name: each for name, each in shown.found.items() if isinstance(each, list)}}
    places = [1 / (1 - each / 100) for each in shown.percentiles]
    for name, values in sorted(lines.items(), key=lambda line: -line[1][len(line[1]) // 2]):
        style = "--" if name == "the API alone" else "-"
        drawn_line = axes.plot(places, values, style, color=colour(name), linewidth=2, label=short(name))
        drawn_line[0].set_gid(slug(name))
    axes.set(xscale="log", yscale="log", title="Latency of one connection")
    axes.set(xlabel="percent of the calls that were at least as fast", ylabel="µs (logarithmic)")
    ticks = [each for each in (0.0, 50.0, 90.0, 99.0, 99.9) if each <= shown.percentiles[-1]]
    axes.set_xticks([1 / (1 - each / 100) for each in ticks], [f"{each:g} %" for each in ticks])
    axes.set_xticks([], minor=True)
    axes.grid(visible=True, axis="both")
    _plain(axes.yaxis)
    drawn.legend(loc="outside right upper")


def _starts(drawn: Any, figures: Figures, scheme: Scheme) -> None:  # noqa: ANN401
    servers = [*dict.fromkeys(name for document in figures.starts for name in document.servers)]
    drawn.set_size_inches(9.2, (0.19 * len(servers) + 0.3) * len(figures.starts) + 1.7)
    titles = {"cpu_seconds": ("CPU", "s (logarithmic)"), "memory_mib": ("Memory at most", "MiB (logarithmic)")}
    both = drawn.subplots(1, 2, sharey=True)
    for axes, (field, (title, unit)) in zip(both, titles.items(), strict=True):
        axes.set(xscale="log", title=title, xlabel=unit)
        for place, document in enumerate(figures.starts):
            _document(axes, place, document, field, servers)
            axes.axhline(place + 0.5, color=scheme["grid"], linewidth=1)
        names = [f"{each.name}\n{each.megabytes:.1f} MB" for each in figures.starts]
        axes.set_yticks(range(len(names)), names, fontsize=10)
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.grid(visible=True, axis="x")
        axes.margins(x=0.15)
        _plain(axes.xaxis)
    drawn.suptitle("From the start to the first list of all tools", fontsize=11, color=scheme["ink"])
    handles = [axes.plot([], [], "o", label=short(name), **_mark(name))[0] for name in servers]
    drawn.legend(handles=handles, loc="outside lower center", ncols=3)


def _mark(server: str) -> dict[str, str]:
    """With the cache: the same colour, hollow."""
    return {"color": colour(server), "markerfacecolor": "none" if server.endswith("cached") else colour(server)}


def _document(axes: Any, place: int, document: Document, field: str, servers: Sequence[str]) -> None:  # noqa: ANN401
    for number, name in enumerate(servers):
        found, y = document.servers[name], place - 0.42 + 0.84 * (number + 0.5) / len(servers)
        if isinstance(found, Started):
            value = getattr(found, field)
            axes.plot([value], [y], "o", markersize=6, **_mark(name))[0].set_gid(
                slug(f"{document.name} {name} {field}")
            )
            text = f"{value:,.2f}" if value < 10 else f"{value:,.0f}"
            axes.annotate(text, (value, y), (6, 0), textcoords="offset points", va="center", fontsize=8)
        else:
            axes.plot([0.03], [y], "x", markersize=5, transform=axes.get_yaxis_transform(), **_mark(name))
            where = {"xycoords": axes.get_yaxis_transform(), "va": "center", "fontsize": 8}
            axes.annotate("no list, see the table", (0.06, y), **where)


def _growth(drawn: Any, figures: Figures, scheme: Scheme) -> None:  # noqa: ANN401
    drawn.set_size_inches(9.2, 5.4)
    for axes, one in zip(drawn.subplots(2, 3).flat, figures.growth, strict=True):
        _grown(axes, one, scheme)
    drawn.suptitle(
        "How cost grows with what there is more of (both axes logarithmic)", fontsize=11, color=scheme["ink"]
    )


def _grown(axes: Any, one: Growth, scheme: Scheme) -> None:  # noqa: ANN401
    """The slope of the dashed line is the exponent."""
    many, cost = zip(*one.points, strict=True)
    axes.plot(many, cost, "o-", color=colour(OURS), markersize=5, linewidth=2)[0].set_gid(
        slug(f"{one.what} {one.cost}")
    )
    axes.plot(many[-2:], cost[-2:], "--", color=scheme["ink"], linewidth=1)
    axes.set(xscale="log", yscale="log", xlabel=one.what)
    axes.set_title(f"{one.cost}\nexponent {one.exponent():.2f}", fontsize=9)
    axes.margins(0.1, 0.3)
    axes.grid(visible=True, axis="both")
    axes.tick_params(labelsize=8)
    _plain(axes.yaxis, (1.0, 2.0, 5.0))
    _plain(axes.xaxis)


_DRAWN: dict[str, Callable[[Any, Figures, Scheme], None]] = {
    "calls": _calls,
    "latencies": _latencies,
    "starts": _starts,
    "growth": _growth,
}
