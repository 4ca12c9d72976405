"""A real browser: Debian's chromium, driven by Playwright. Tests that use it skip visibly without either."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

try:
    from playwright.sync_api import expect, sync_playwright
except ModuleNotFoundError:
    expect = sync_playwright = None

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE_MILLISECONDS = 30_000
"""For what should be there at once; a busy machine takes its time."""
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP *.example 127.0.0.1",  # pages of other origins, without a name server
)


def missing() -> str:
    """Why there is no browser; empty if there is one."""
    if CHROMIUM is None:
        return "no chromium: apt-get install chromium"
    return "" if sync_playwright else "no playwright: it is among the development requirements"


@contextmanager
def browser() -> Iterator[Browser]:
    """With a fresh profile; each context of it is a visitor of its own."""
    expect.set_options(timeout=PATIENCE_MILLISECONDS)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        try:
            yield opened
        finally:
            opened.close()


@contextmanager
def opened_at(opened: Browser, url: str, **how: Any) -> Iterator[Page]:
    """By a visitor of its own."""
    context = opened.new_context(**how)
    try:
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MILLISECONDS)
        page.goto(url)
        yield page
    finally:
        context.close()


def press_call(page: Page) -> None:
    page.get_by_role("button", name="Call", exact=True).click()
    page.wait_for_selector(".result")


class Watched:
    """What a page reported against itself: errors of its script and violations of its policy, and whom it asked."""

    def __init__(self, page: Page) -> None:
        self.problems: list[str] = []
        self.asked: list[str] = []
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("console", lambda said: self._note(said.type, said.text))

    def _note(self, kind: str, text: str) -> None:
        if (
            "Content Security Policy" in text
            or "TrustedHTML" in text
            or (kind == "error" and "status of 4" not in text)
        ):
            self.problems.append(text)

    def foreign(self, url: str) -> list[str]:
        """Requests to others than this server; data in the page itself is no request."""
        return [each for each in self.asked if not each.startswith((url, "data:", "blob:", "file:"))]
