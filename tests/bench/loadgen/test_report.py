"""The report as a reader sees it: in a real browser, light and dark, wide and narrow."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest

import browser
from loadgen import report
from loadgen.table import milliseconds
from reported import RESULT

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
    *("--virtual-time-budget=10000", "--enable-logging=stderr", "--dump-dom"),
)
SCHEMES = {"dark": 0, "light": 1}
"""As Chromium's settings number them."""
BLENDED = 48
LEAST_CONTRAST = 4.5
"""WCAG 2.2, 1.4.3, for text of ordinary size."""
LOOKS = """<!doctype html><html><head><link rel="icon" href="data:,"></head><body>
<iframe src="/report" style="border:0;width:WIDTHpx;height:900px"></iframe><pre id="seen"></pre><script>
const frame = document.querySelector("iframe");
frame.onload = () => {
  const page = frame.contentDocument, view = frame.contentWindow, all = (what) => [...page.querySelectorAll(what)];
  const box = (part) => { const b = part.getBBox(); return [b.x, b.y, b.x + b.width, b.y + b.height]; };
  const seen = {
    figures: Object.fromEntries(all("[data-figure]").map((e) => [e.dataset.figure, e.textContent])),
    charts: Object.fromEntries(all("svg").map((svg) => [svg.getAttribute("aria-label"), {
      lines: [...svg.querySelectorAll("path.line")].map((p) => ({
        length: p.getTotalLength(), box: box(p), starts: p.getAttribute("d").split("M").length - 1,
        stroke: view.getComputedStyle(p).stroke })),
      bars: [...svg.querySelectorAll("rect.bar")].map((r) => ({ box: box(r), fill: view.getComputedStyle(r).fill })),
      texts: [...svg.querySelectorAll("text:not(.hit text)")].map((t) => box(t)),
      hits: [...svg.querySelectorAll(".hit text")].map((t) => t.textContent) }])),
    colours: all("h1, header p, dt, dd span, section > p, td, th, .legend span, .tick, .verdict").map((e) => {
      let behind = e;
      const back = () => view.getComputedStyle(behind).backgroundColor, style = view.getComputedStyle(e);
      while (behind !== page.body && back() === "rgba(0, 0, 0, 0)") behind = behind.parentElement;
      return [e instanceof view.SVGElement ? style.fill : style.color, back()];
    }),
    page: view.getComputedStyle(page.body).backgroundColor,
    overflow: page.scrollingElement.scrollWidth - view.innerWidth,
    text: page.body.textContent,
    elements: all("b").length,
  };
  document.querySelector("#seen").textContent = btoa(unescape(encodeURIComponent(JSON.stringify(seen))));
};
</script></body></html>"""


@contextmanager
def served(pages: dict[str, bytes]) -> Iterator[tuple[str, list[str]]]:
    """The origin of these pages, and what was asked of it."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200 if self.path in pages else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(pages.get(self.path, b""))

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", asked
        finally:
            server.shutdown()
            thread.join()


class Seen(msgspec.Struct):
    """What the browser says of the page, what it wrote to its console, and what it asked for."""

    page: dict[str, Any]
    console: list[str]
    asked: list[str]


def looked_at(scheme: str, width: int, profile: Path) -> Seen:
    assert BROWSER is not None
    pages = {"/": LOOKS.replace("WIDTH", str(width)).encode(), "/report": report.page(RESULT)}
    with served(pages) as (origin, asked):
        settings = f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}"
        argv = [BROWSER, *FLAGS, settings, f"--user-data-dir={profile}", "--window-size=1500,1000", f"{origin}/"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    found = re.search(r'<pre id="seen">([\w+/=]+)</pre>', done.stdout)
    assert found is not None, done.stdout[-2000:] + done.stderr[-2000:]
    console = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    page = msgspec.json.decode(msgspec.json.decode(f'"{found[1]}"', type=bytes))
    return Seen(page, console, asked)


needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium (Debian: apt-get install chromium)")


@pytest.fixture(scope="module", params=[("light", 1320), ("dark", 400)], ids=["light, wide", "dark, narrow"])
def seen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    scheme, width = request.param
    return looked_at(scheme, width, tmp_path_factory.mktemp("profile"))


@needs_browser
def test_the_page_asks_for_nothing_and_has_nothing_to_complain_of(seen: Seen):
    assert seen.asked == ["/", "/report"]
    assert seen.console == []


@needs_browser
def test_its_numbers_are_those_of_the_result(seen: Seen):
    latency = RESULT.latency
    assert seen.page["figures"] == {
        "calls/s": "100.0",
        "calls": "1,000",
        "p50": milliseconds(latency.p50),
        "p90": milliseconds(latency.p90),
        "p99": milliseconds(latency.p99),
        "p99.9": milliseconds(latency.p999),
        "max": milliseconds(latency.max),
        "errors": "10",
        "faults": "3",
        "error HTTP 503": "7",
        "error timeout": "3",
        "answers lost": "3",
        "answers mixed up": "0",
        "answers doubled": "0",
        "answers did not carry their number": "0",
        "answers too late": "1",
        "answers carried their number": "900",
    }


@needs_browser
def test_every_chart_is_drawn_within_its_frame(seen: Seen):
    charts = seen.page["charts"]
    assert {name: (len(chart["lines"]), bool(chart["bars"])) for name, chart in charts.items()} == {
        "latency over time": (4, False),
        "calls a second": (0, True),
        "distribution of latency": (0, True),
        "latency by percentile": (1, False),
        "errors by kind": (0, True),
        "process_cpu_seconds_total": (1, False),
        "process_resident_memory_bytes": (1, False),
    }
    for chart in charts.values():
        for drawn in chart["lines"]:
            assert drawn["length"] > 100
            assert drawn["stroke"].startswith("rgb(")
        for left, top, right, bottom in (part["box"] for part in chart["lines"] + chart["bars"]):
            assert (left >= 55, top >= 25, right <= 629, bottom <= 213) == (True,) * 4
        for left, top, right, bottom in chart["texts"]:
            assert (left >= 0, top >= 0, right <= 640, bottom <= 244) == (True,) * 4


@needs_browser
def test_the_seconds_without_an_answer_are_a_gap(seen: Seen):
    latency, calls = seen.page["charts"]["latency over time"], seen.page["charts"]["calls a second"]
    assert [line["starts"] for line in latency["lines"]] == [2, 2, 2, 2]
    assert len(calls["bars"]) == 8 + 2  # good ones in eight seconds, errors in two
    assert latency["hits"][3] == "3.5 s: p50 1 ms   p90 10 ms   p99 100 ms   max 200 ms"
    assert latency["hits"][4] == "4.5 s: nothing"


@needs_browser
def test_the_bars_of_the_distribution_are_as_high_as_their_counts_and_no_call_is_lost_to_the_eye(seen: Seen):
    bars = [bar["box"] for bar in seen.page["charts"]["distribution of latency"]["bars"]]
    heights = [bottom - top for _, top, _, bottom in bars]
    assert len(heights) == 4
    assert [height / heights[0] for height in heights[:3]] == pytest.approx([1, 80 / 900, 18 / 900], abs=0.002)
    assert heights[3] == pytest.approx(report.LEAST_UNITS, abs=0.01)  # of two calls among a thousand


@needs_browser
def test_its_text_can_be_read(seen: Seen):
    assert seen.page["overflow"] <= 0
    weak = [(text, behind) for text, behind in seen.page["colours"] if contrast(text, behind) < LEAST_CONTRAST]
    assert len(seen.page["colours"]) > 100
    assert weak == []


@needs_browser
def test_it_is_as_light_or_dark_as_the_reader_wants(seen: Seen, request: pytest.FixtureRequest):
    is_light = "light" in request.node.callspec.id
    assert (luminance(seen.page["page"]) > 0.5) == is_light


@needs_browser
def test_what_a_server_says_stays_text(seen: Seen):
    assert seen.page["elements"] == 0
    assert "<b>busy</b> & gone" in seen.page["text"]
    assert "planted <1>" in seen.page["text"]


PAINTED = """() => [...document.querySelectorAll("svg path.line, svg rect.bar")].flatMap((part) => {
  const at = part.getScreenCTM(), style = getComputedStyle(part);
  const chart = part.closest("svg").getAttribute("aria-label");
  const on = (x, y) => [at.a * x + at.e + scrollX, at.d * y + at.f + scrollY];
  if (part.matches("rect")) {
    const box = part.getBBox();
    return [[chart, style.fill, ...on(box.x + box.width / 2, box.y + box.height / 2)]];
  }
  return [...part.getAttribute("d").matchAll(/[ML]([\\d.]+) ([\\d.]+)/g)].map(
    (found) => [chart, style.stroke, ...on(+found[1], +found[2])]);
})"""
"""Of each mark of the charts: its chart, its colour, and where it is on the page."""
SEEN_THERE = """async ({png, points}) => {
  const picture = new Image();
  picture.src = "data:image/png;base64," + png;
  await picture.decode();
  const canvas = new OffscreenCanvas(picture.width, picture.height), drawn = canvas.getContext("2d");
  drawn.drawImage(picture, 0, 0);
  return points.map(([x, y]) => [...drawn.getImageData(Math.round(x) - 2, Math.round(y) - 2, 5, 5).data]);
}"""
"""The pixels around each point of a picture."""


@pytest.mark.skipif(bool(browser.missing()), reason=browser.missing())
@pytest.mark.parametrize(("scheme", "width"), [("light", 1320), ("dark", 800)])
def test_a_screenshot_has_every_mark_where_its_figure_puts_it(scheme: str, width: int, tmp_path: Path):
    """By its address as a file, as it is opened from a folder: in the pixels that a reader sees."""
    (tmp_path / "report.html").write_bytes(report.page(RESULT))
    how = {"color_scheme": scheme, "viewport": {"width": width, "height": 900}}
    with browser.browser() as opened, browser.opened_at(opened, "about:blank", **how) as page:
        watched = browser.Watched(page)
        page.goto((tmp_path / "report.html").as_uri())
        painted = page.evaluate(PAINTED)
        picture = page.screenshot(full_page=True)
        assert watched.problems == []
        assert watched.asked == [(tmp_path / "report.html").as_uri()]
        with browser.opened_at(opened, "about:blank") as other:
            points = [point for _, _, *point in painted]
            seen = other.evaluate(SEEN_THERE, {"png": base64.b64encode(picture).decode(), "points": points})
    assert {chart for chart, *_ in painted} >= {"latency over time", "calls a second", "latency by percentile"}
    pale = [(chart, colour) for (chart, colour, *_), near in zip(painted, seen, strict=True) if not shows(near, colour)]
    assert len(painted) > 150
    assert pale == []


def shows(pixels: list[int], colour: str) -> bool:
    """Whether one of them has about this colour: a thin line is blended with what is behind it."""
    wanted = [int(each) for each in re.findall(r"\d+", colour)[:3]]
    each = (pixels[place : place + 3] for place in range(0, len(pixels), 4))
    return any(max(abs(one - other) for one, other in zip(pixel, wanted, strict=True)) <= BLENDED for pixel in each)


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    channels = [int(each) / 255 for each in re.findall(r"\d+", colour)[:3]]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels]
    return sum(weight * each for weight, each in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, two: str) -> float:
    low, high = sorted((luminance(one), luminance(two)))
    return (high + 0.05) / (low + 0.05)


def test_a_day_of_seconds_is_thinned_out_without_losing_the_worst():
    second = RESULT.intervals[0]
    day = [msgspec.structs.replace(second, second=number, errors={"x": 1}) for number in range(86_400)]
    worst = msgspec.structs.replace(second.latency, max=9_999.0)
    day[50_000] = msgspec.structs.replace(day[50_000], latency=worst)
    shown = report.thinned(day)
    assert len(shown) == 300
    assert max(each.latency.max for each in shown) == 9_999.0
    assert sum(each.calls for each in shown) == sum(each.calls for each in day)
    assert sum(each.errors["x"] for each in shown) == 86_400


def test_a_run_without_a_single_call_is_a_page_too():
    empty = msgspec.structs.replace(
        RESULT, calls=0, error_count=0, errors=(), histogram="", tools=(), intervals=(), server_metrics=(), service=None
    )
    assert b"<h2>Answers</h2>" in report.page(empty)


def test_the_page_names_no_other_place_but_the_server_it_is_about():
    assert set(re.findall(rb"https?://[^\s\"'<]+", report.page(RESULT))) == {b"http://127.0.0.1:8000/mcp"}
