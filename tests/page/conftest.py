"""A browser for the tests of the page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from browser import browser, missing, opened_at
from hostile_api import served
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
def site(request, tmp_path_factory) -> Iterator[str]:
    """The address of the page of the module's DOCUMENT, in front of an API that answers a body with that body. Answers
    are shown whole."""
    file = tmp_path_factory.mktemp("site") / "api.json"
    file.write_text(json.dumps(request.module.DOCUMENT))
    with served() as (api, _):
        where = ("--spec-path", str(file), "--api-url", api, "--allow-private-networks")
        with started("serve", *where, "--transport", "http", "--port", "0", "--result-budget-bytes", "0") as server:
            yield server.url.removesuffix("mcp")


@pytest.fixture(scope="module")
def demo() -> Iterator[str]:
    """The address of the demo's page."""
    with started("demo", "--port", "0") as server:
        yield server.url.removesuffix("mcp")
