"""Takes the pictures of the page that README shows, of the demo and of one larger document: ``pictures.py [FILE]``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from browser import browser, missing
from processes import CHECKOUT, started

if TYPE_CHECKING:
    from playwright.sync_api import Page

FOLDER = CHECKOUT / "docs" / "pictures"
MOST_BYTES = 200_000
"""Of one picture: they are read on slow lines too."""
SEARCHED = "add a label to an issue"
"""In the larger document."""
WIDE, PHONE = {"width": 1280, "height": 860}, {"width": 360, "height": 720}


@contextmanager
def page_of(url: str, viewport: dict[str, int], colours: str) -> Iterator[Page]:
    with browser() as opened:
        page = opened.new_page(viewport=viewport, color_scheme=colours)
        page.goto(url)
        page.wait_for_selector(".rows .row")
        yield page


def call(page: Page, url: str, tool: str, **arguments: str) -> None:
    page.goto(f"{url}#/tool/{tool}")
    for name, value in arguments.items():
        page.get_by_label(name, exact=False).first.fill(value)
    page.get_by_role("button", name="Call", exact=True).click()
    page.wait_for_selector(".result")


def keep(page: Page, name: str) -> None:
    path = FOLDER / f"{name}.png"
    page.screenshot(path=path, animations="disabled")
    if path.stat().st_size > MOST_BYTES:
        raise SystemExit(f"{path} has more than {MOST_BYTES} bytes")
    print(f"{path.relative_to(CHECKOUT)}: {path.stat().st_size} bytes")


def pictures_of_demo(url: str) -> None:
    with page_of(url, WIDE, "light") as page:
        keep(page, "overview")
        call(page, url, "getPet", petId="1")
        keep(page, "call")
    with page_of(url, WIDE, "dark") as page:
        for pet in ("1", "2", "77"):
            call(page, url, "getPet", petId=pet)
            call(page, url, "getPetPicture", petId=pet)
        call(page, url, "waitSlowly", seconds="1")
        call(page, url, "searchPets", q="a")
        page.goto(f"{url}#/health")
        page.wait_for_selector("table")
        keep(page, "health")
    with page_of(url, PHONE, "dark") as page:
        keep(page, "phone")


def pictures_of(document: str) -> None:
    with started(
        "--spec-path",
        document,
        "--api-url",
        "https://api.example.com",
        "--transport",
        "http",
        "--port",
        "0",
        TOOL_MODE="search",
    ) as server:
        url = server.url.removesuffix("mcp")
        with page_of(url, WIDE, "light") as page:
            page.goto(f"{url}#/cost")
            page.wait_for_selector(".treemap")
            keep(page, "cost")
            page.goto(url)
            page.get_by_label("Search tools").fill(SEARCHED)
            page.wait_for_selector(".hits .first")
            keep(page, "search")


def main() -> None:
    if problem := missing():
        raise SystemExit(problem)
    FOLDER.mkdir(exist_ok=True)
    with started("demo", "--port", "0") as server:
        pictures_of_demo(server.url.removesuffix("mcp"))
    if len(sys.argv) > 1:
        pictures_of(sys.argv[1])


if __name__ == "__main__":
    main()
