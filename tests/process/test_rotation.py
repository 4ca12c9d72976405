"""Secrets that are replaced while the process runs: what is tried again, and what is said of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from openapi_mcp_server.errors import ConfigError
from openapi_mcp_server.process.rotation import AGAIN_SECONDS, follow
from openapi_mcp_server.process.sources import Sources
from openapi_mcp_server.settings.config import Config


class Taker:
    """Refuses the settings as often as there are problems for it."""

    def __init__(self, *problems: Exception) -> None:
        self._problems = list(problems)
        self.taken: list[str] = []

    def __call__(self, now: Config) -> None:
        if self._problems:
            raise self._problems.pop(0)
        self.taken.append(str(now.apis[0].auth))


@pytest.fixture
def changed(tmp_path: Path) -> Sources:
    """Settings whose secret has changed since they were read."""
    secret = tmp_path / "secret"
    secret.write_text("one")
    settings = {"API_SPEC_PATH": "x", "AUTH_TYPE": "bearer", "AUTH_TOKEN_FILE": str(secret)}
    sources = Sources([], settings)
    sources.load()
    secret.write_text("a new one")
    return sources


def followed(sources: Sources, taker: Taker) -> None:
    """Looks at the files until the new settings are taken."""

    async def main() -> None:
        async with trio.open_nursery() as following:
            following.start_soon(follow, sources, taker, 0)
            for _ in range(20):
                if not taker.taken:
                    await trio.sleep(AGAIN_SECONDS / 2)
            following.cancel_scope.cancel()

    trio.run(main, clock=MockClock(autojump_threshold=0.01))  # files are looked at in a thread


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage().rpartition(": ")[2] for record in caplog.records if record.levelname == "ERROR"]


def test_what_could_not_be_used_is_tried_again_though_its_file_stays_as_it_is(
    changed: Sources, caplog: pytest.LogCaptureFixture
) -> None:
    """The cause need not be in the file: its folder may not be entered, this process may have no descriptor left."""
    problems = ["no descriptor", "no descriptor", "another problem"]
    taker = Taker(*(ConfigError("AUTH_TOKEN_FILE", problem) for problem in problems))
    followed(changed, taker)
    assert len(taker.taken) == 1
    assert said(caplog) == ["no descriptor", "another problem"]


def test_a_bug_of_ours_costs_no_more_than_the_time_until_it_is_tried_again(
    changed: Sources, caplog: pytest.LogCaptureFixture
) -> None:
    taker = Taker(ZeroDivisionError())
    followed(changed, taker)
    assert len(taker.taken) == 1
    assert said(caplog) == ["the settings could not be read again", "a bug of this server"]
