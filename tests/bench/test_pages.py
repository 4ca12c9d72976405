"""The page of a benchmark and its pictures: they show the figures, and can be read on light and on dark pages."""

from __future__ import annotations

import math
import re
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

import bench
import figures
import pages
import plots
from benchmarked import FASTMCP, FIGURES, MCPIFY, OURS, RESETS
from processes import CHECKOUT

DOCS = CHECKOUT / "docs"
SVG = "{http://www.w3.org/2000/svg}"
MOST_BYTES = 60_000
LEAST_CONTRAST, LEAST_OF_MARKS = 4.5, 3.0
"""WCAG 2.2, 1.4.3 and 1.4.11."""
EVERY = [(name, suffix) for name in pages.PICTURES for suffix in plots.SCHEMES]
draws = pytest.mark.skipif(
    find_spec("matplotlib") is None, reason="matplotlib is not installed: it is of the group `bench`"
)


@cache
def written(name: str, suffix: str) -> bytes:
    return plots.picture(FIGURES, name, suffix)


def drawn(name: str, suffix: str = "") -> ET.Element:
    return ET.fromstring(written(name, suffix))


def marks(picture: ET.Element, words: str) -> list[tuple[float, float]]:
    """Where the marks with this id are, or the points of its line."""
    [group] = [each for each in picture.iter(f"{SVG}g") if each.get("id") == plots.slug(words)]
    used = [(float(each.get("x", "")), float(each.get("y", ""))) for each in group.iter(f"{SVG}use")]
    [path] = [each.get("d", "") for each in group.findall(f"{SVG}path")][:1] or [""]
    return used or [(float(x), float(y)) for x, y in re.findall(r"[ML] ([\d.]+) ([\d.]+)", path)]


def colours(picture: ET.Element) -> tuple[str, set[str], set[str]]:
    """The ground, the colours of text, and those of marks and of lines among the figures."""
    styles = {element: element.get("style", "") for element in picture.iter()}
    ground = next(found[1] for style in styles.values() if (found := re.search(r"fill: (#\w{6})", style)))
    text = {
        found[1]
        for each, style in styles.items()
        if each.tag == f"{SVG}text" and (found := re.search(r"fill: (#\w{6})", style))
    }
    named = [
        each
        for each in picture.iter(f"{SVG}g")
        if any(each.get("id", "").startswith(plots.slug(w)) for w in (OURS, FASTMCP, "operations"))
    ]
    of_marks = {
        colour
        for group in named
        for each in group.iter()
        for colour in re.findall(r"(?:stroke|fill): (#\w{6})", each.get("style", ""))
    }
    return ground, text, of_marks  # fmt: skip


def contrast(one: str, two: str) -> float:
    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts]
        return sum(weight * each for weight, each in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    low, high = sorted(map(luminance, (one, two)))
    return (high + 0.05) / (low + 0.05)


def test_the_page_has_the_tables_of_all_figures_and_a_picture_of_those_that_can_be_drawn():
    page = pages.page(FIGURES)
    assert "on 01 May 2026: version 0.2.0, Python 3.11.7," in page
    assert f"| {OURS} | 300 [290..330] | 200 [190..230] | 250 [240..280] | 1.00 |" in page
    assert f"| {MCPIFY} | 550 [550..550] | 600 [600..600] | {RESETS} |" in page
    assert "| CPU of a call, 32 at once: FastMCP ÷ this server | 7.74 [7.00..8.42] |" in page
    assert "| latency added at one connection: this server ÷ FastMCP | 0.20 |" in page
    assert "| this server: 256 at once ÷ 32 | 1.24 [1.22..1.26] |" in page
    assert "httptools" not in page  # of what was not measured there is no row
    assert "| GitHub, 13.0 MB | this server, cached | 0.30 | 65 | 1,222 | 4.1 |" in page
    assert "| GitHub, 13.0 MB | FastMCP 4.2.3 | no list within 45 s |  |  |  |" in page
    assert "Not measured, since OPENAPI_SPECS_DIR has no such document: Kubernetes, Stripe." in page
    assert re.findall(r'srcset="benchmarks/(\w+)-dark.svg">\n<img alt="[^"]+" src="benchmarks/\1.svg"', page) == [
        *pages.PICTURES
    ]


def test_the_page_of_the_repository_is_made_of_the_figures_beside_it():
    kept = DOCS / "benchmarks" / "figures.json"
    if not kept.exists():
        pytest.skip("docs/benchmarks/figures.json is not there yet: scripts/bench writes it")
    assert (DOCS / "benchmarks.md").read_text("utf-8") == pages.page(figures.read(kept))
    for name, suffix in EVERY:
        picture = (DOCS / "benchmarks" / f"{name}{suffix}.svg").read_bytes()
        assert len(picture) < MOST_BYTES
        assert pages.PICTURES[name].encode() in picture


@draws
@pytest.mark.parametrize(("name", "suffix"), EVERY)
def test_a_picture_is_small_and_says_nothing_of_where_it_was_made(name: str, suffix: str):
    picture = written(name, suffix)
    assert len(picture) < MOST_BYTES
    assert pages.PICTURES[name].encode() in picture
    assert set(re.findall(rb"https?://([\w.]+)", picture)) <= {b"www.w3.org", b"purl.org", b"creativecommons.org"}
    assert re.search(rb"/(home|work|tmp|root)/|20\d\d-\d\d|<script|@import|url\((?!#)", picture) is None


@draws
@pytest.mark.parametrize(("name", "suffix"), EVERY)
def test_a_picture_can_be_read_on_its_own_ground(name: str, suffix: str):
    ground, text, of_marks = colours(drawn(name, suffix))
    assert ground == plots.SCHEMES[suffix]["ground"]
    assert {each for each in text if contrast(each, ground) < LEAST_CONTRAST} == set()
    assert {each for each in of_marks if contrast(each, ground) < LEAST_OF_MARKS} == set()
    assert plots.colour(OURS) in of_marks or name == "starts"


@pytest.mark.parametrize("server", plots.COLOURS)
def test_the_colour_of_a_server_stands_out_of_both_grounds(server: str):
    assert all(contrast(plots.COLOURS[server], each["ground"]) >= LEAST_OF_MARKS for each in plots.SCHEMES.values())


@draws
def test_a_mark_is_where_its_figure_is():
    picture = drawn("calls")
    places = {each: marks(picture, f"{OURS} at {each}")[0][0] for each in (1, 32, 256)}
    assert places[32] < places[256] < places[1]
    ours, theirs = marks(picture, f"{OURS} at 32")[0][0], marks(picture, f"{FASTMCP} at 32")[0][0]
    assert (places[1] - ours) / (theirs - ours) == pytest.approx(math.log(300 / 200) / math.log(8), rel=1e-3)
    assert [each for each in picture.iter(f"{SVG}g") if each.get("id") == plots.slug(f"{MCPIFY} at 256")] == []


@draws
@pytest.mark.parametrize("grown", FIGURES.growth, ids=lambda grown: f"{grown.what}, {grown.cost}")
def test_a_line_of_growth_has_the_shape_of_its_points(grown: figures.Growth):
    seen = marks(drawn("growth"), f"{grown.what} {grown.cost}")[: len(grown.points)]
    assert len(seen) == len(grown.points)
    slopes = [(one[1] - two[1]) / (two[0] - one[0]) for one, two in pairwise(seen)]
    exponents = [math.log(d / b) / math.log(c / a) for (a, b), (c, d) in pairwise(grown.points)]
    assert slopes[0] / slopes[-1] == pytest.approx(exponents[0] / exponents[-1], rel=0.01)


@draws
def test_latency_is_drawn_by_percentile():
    picture = drawn("latencies")
    ours, theirs = marks(picture, OURS), marks(picture, FASTMCP)
    assert len(ours) == len(FIGURES.latencies.percentiles)
    assert all(above[1] < below[1] for above, below in zip(theirs, ours, strict=True))
    nines = [x for x, _ in ours][-3:]  # 90, 99 and 99.9 %: each nine takes the same room
    assert nines[2] - nines[1] == pytest.approx(nines[1] - nines[0], rel=1e-3)


@draws
def test_everything_is_written_into_one_folder_and_the_same_each_time(tmp_path: Path):
    bench.written(FIGURES, tmp_path)
    found = {path.name: path.read_bytes() for path in (tmp_path / "benchmarks").glob("*.svg")}
    assert found == {f"{name}{suffix}.svg": written(name, suffix) for name, suffix in EVERY}
    assert figures.read(tmp_path / "benchmarks" / "figures.json") == FIGURES
    assert (tmp_path / "benchmarks.md").read_text("utf-8") == pages.page(FIGURES)
