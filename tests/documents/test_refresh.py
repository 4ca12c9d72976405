"""When documents are read again, and what is said of it. What is read is a script; the rest is the clock's."""

from __future__ import annotations

import logging
from itertools import pairwise

import anyio
import msgspec
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from loopback import clocked
from openapi_mcp_server.bridge.model import Tool, ToolCatalog
from openapi_mcp_server.documents.refresh import JITTER, RELOAD_SECONDS, Refresh, running
from openapi_mcp_server.errors import ConfigError, SpecError
from scripted import tool

PERIOD = 60.0
BROKEN = SpecError("openapi.yaml, line 3", "is broken")


def catalog(*tools: Tool) -> ToolCatalog:
    return ToolCatalog(apis=(), tools={one.name: one for one in tools}, skipped=())


NOTHING = catalog()
Step = ToolCatalog | Exception | float | None
"""What is read, or how long it takes until nothing has changed."""


class Script:
    """Takes one step each time, the last one for ever; writes down when."""

    def __init__(self, *steps: Step) -> None:
        self._steps = list(steps)
        self.began: list[float] = []
        self.served: list[ToolCatalog] = []
        self.unservable: list[Exception] = []
        self.reading = 0
        self.most_at_once = 0

    async def read(self) -> ToolCatalog | None:
        self.began.append(trio.current_time())
        self.reading += 1
        self.most_at_once = max(self.most_at_once, self.reading)
        try:
            step = self._steps.pop(0) if len(self._steps) > 1 else self._steps[0]
            await anyio.sleep(step if isinstance(step, float) else 0)
            if isinstance(step, Exception):
                raise step
            return step if isinstance(step, ToolCatalog) else None
        finally:
            self.reading -= 1

    def refresh(self) -> Refresh:
        return Refresh(self.read, NOTHING, self.serve)

    async def serve(self, tools: ToolCatalog) -> None:
        if self.unservable:
            raise self.unservable.pop()
        self.served.append(tools)


async def for_a_while(script: Script, seconds: float, until: anyio.Event | None = None) -> Refresh:
    refresh = script.refresh()
    async with running(refresh, PERIOD, until or anyio.Event()):
        await anyio.sleep(seconds)
    return refresh


@clocked
async def test_each_period_is_a_little_longer_or_shorter() -> None:
    script = Script(None)
    began = trio.current_time()
    await for_a_while(script, 20 * PERIOD)
    periods = [later - earlier for earlier, later in pairwise([began, *script.began])]
    assert 18 <= len(periods) <= 22
    assert all(PERIOD * (1 - JITTER) <= period <= PERIOD * (1 + JITTER) for period in periods)
    assert len(set(periods)) > 15


@clocked
async def test_one_reload_ends_before_the_next_begins() -> None:
    script = Script(2.5 * PERIOD, None)
    await for_a_while(script, 5 * PERIOD)
    assert script.most_at_once == 1
    assert len(script.began) >= 2


@clocked
async def test_a_reload_that_hangs_is_given_up_and_the_next_one_comes(caplog: pytest.LogCaptureFixture) -> None:
    script = Script(10 * RELOAD_SECONDS, None)
    refresh = await for_a_while(script, RELOAD_SECONDS + 3 * PERIOD)
    assert (refresh.outcomes["failed"], refresh.outcomes["unchanged"] > 0) == (1, True)
    assert "not be read within 300 s" in caplog.text


@clocked
async def test_a_stop_ends_a_reload_at_once() -> None:
    script, stop = Script(10 * RELOAD_SECONDS), anyio.Event()
    async with running(script.refresh(), PERIOD, stop):
        await anyio.sleep(2 * PERIOD)
        assert script.reading == 1
        stop.set()
        await wait_all_tasks_blocked()
        assert script.reading == 0
        await anyio.sleep(10 * PERIOD)
        assert len(script.began) == 1


@clocked
async def test_a_new_catalog_is_served_and_the_log_says_what_it_changes(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    changed = msgspec.structs.replace(tool("one"), digest="another")
    first, second = catalog(tool("one"), tool("two")), catalog(changed, tool("three"))
    script = Script(first, second, None)
    refresh = await for_a_while(script, 3.5 * PERIOD)
    assert script.served == [first, second]
    assert refresh.outcomes == {"unchanged": len(script.began) - 2, "changed": 2, "failed": 0}
    said = [
        (record.added, record.removed, record.changed)  # type: ignore[attr-defined]
        for record in caplog.records
        if record.message == "the documents have changed"
    ]
    assert said == [(2, 0, 0), (1, 1, 1)]


@clocked
async def test_the_same_problem_is_said_once_and_so_is_its_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    other = ConfigError("--spec-path", "cannot read x: gone")
    script = Script(BROKEN, BROKEN, BROKEN, other, None, None, BROKEN)
    refresh = script.refresh()
    for _ in range(7):
        await refresh.once()
    old = "the documents were not loaded again, the old ones are served on"
    assert caplog.messages == [
        f"{old}: {BROKEN}",
        f"{old}: {other}",
        "the documents can be used again",
        caplog.messages[0],
    ]
    assert script.served == []
    assert refresh.outcomes == {"unchanged": 2, "changed": 0, "failed": 5}


@clocked
async def test_a_bug_of_ours_costs_one_reload_and_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    script = Script(ZeroDivisionError("of ours"), None)
    refresh = await for_a_while(script, 2.5 * PERIOD)
    assert (refresh.outcomes["failed"], refresh.outcomes["unchanged"]) == (1, len(script.began) - 1)
    assert "ZeroDivisionError: of ours" in caplog.text


@clocked
@pytest.mark.parametrize("error", [ConfigError("AUTH_TOKEN_FILE", "is empty"), ZeroDivisionError("of ours")])
async def test_what_was_read_and_could_not_be_served_is_served_the_next_time(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """A secret may be on its way just then, and the documents are read again only when they change once more."""
    caplog.set_level(logging.INFO)
    one = catalog(tool("one"))
    script = Script(one, None)
    script.unservable = [error]
    refresh = script.refresh()
    await refresh.once()
    assert (script.served, refresh.is_failing()) == ([], True)
    await refresh.once()
    await refresh.once()
    assert script.served == [one]
    assert refresh.outcomes == {"unchanged": 1, "changed": 1, "failed": 1}
    assert caplog.messages.count("the documents have changed") == 1


@clocked
async def test_what_became_of_the_last_one_is_told() -> None:
    refresh = Script(BROKEN, None, BROKEN).refresh()
    assert refresh.told() == {"outcome": None, "seconds_ago": None, "last_good_seconds_ago": 0.0}
    await anyio.sleep(5)
    for is_failing, outcome, last_good in ((True, "failed", 5.0), (False, "unchanged", 0.0), (True, "failed", 1.0)):
        await refresh.once()
        assert refresh.is_failing() is is_failing
        assert refresh.told() == {"outcome": outcome, "seconds_ago": 0.0, "last_good_seconds_ago": last_good}
        await anyio.sleep(1)
