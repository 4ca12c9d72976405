"""A browser for the tests of the page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from browser import browser, missing, opened_at
from processes import started

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if problem := missing():
        pytest.skip(problem)
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def visitor(chromium) -> Iterator[Page]:
    """One page for all tests of a module, each of which leads it to where it looks."""
    with opened_at(chromium, "about:blank") as page:
        yield page


@pytest.fixture(scope="module")
def demo() -> Iterator[str]:
    """The address of the demo's page."""
    with started("demo", "--port", "0") as server:
        yield server.url.removesuffix("mcp")
