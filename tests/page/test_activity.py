"""Numbers of calls for people to look at."""

from __future__ import annotations

import tracemalloc

import pytest

from openapi_mcp_server.page.activity import RECENT, SERIES_SECONDS, TOOLS, Activity
from records import record


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.5

    def __call__(self) -> float:
        return self.now


def called(tool="getPet", **known):
    return record(tool=tool, api="pets", **known)


def test_calls_errors_and_tokens_are_counted_by_tool():
    activity = Activity()
    activity(called(seconds=0.010, result_tokens=10))
    activity(called(seconds=0.030, result_tokens=30, outcome="tool_error", error="ArgumentError"))
    activity(called("listPets", truncated=True))
    first, second = activity.told()["tools"]
    assert (first["name"], first["calls"], first["errors"], first["tokens_per_call"]) == ("getPet", 2, 1, 20)
    assert (second["name"], second["truncated"]) == ("listPets", 1)


def test_a_client_that_leaves_is_no_failure():
    activity = Activity()
    activity(called(outcome="cancelled"))
    told = activity.told()
    assert (told["tools"][0]["errors"], told["series"][0]["errors"], told["failures"]) == (0, 0, [])
    assert told["tools"][0]["calls"] == 1


@pytest.mark.parametrize(("part", "name"), [(0.5, "p50_seconds"), (0.95, "p95_seconds")])
def test_an_estimated_quantile_is_at_most_a_quarter_over_the_real_one(part, name):
    activity = Activity()
    for milliseconds in range(1, 1001):
        activity(called(seconds=milliseconds / 1000))
    assert part <= activity.told()["tools"][0][name] <= part * 1.25 + 0.001


def test_a_call_longer_than_every_bucket_has_its_own_length():
    activity = Activity()
    activity(called(seconds=3000.0))
    assert activity.told()["tools"][0]["p95_seconds"] == 3000.0


def test_the_series_says_how_many_seconds_ago_calls_were_and_forgets_old_ones():
    clock = Clock()
    activity = Activity(clock)
    activity(called())
    clock.now += 2
    activity(called(outcome="tool_error"))
    assert activity.told()["series"] == [
        {"seconds_ago": 2, "calls": 1, "errors": 0},
        {"seconds_ago": 0, "calls": 1, "errors": 1},
    ]
    clock.now += SERIES_SECONDS
    assert activity.told()["series"] == []


def test_the_last_failures_are_told_newest_first_and_without_what_a_client_left():
    clock = Clock()
    activity = Activity(clock)
    for number in range(RECENT + 5):
        activity(called(f"tool{number}", outcome="tool_error", error="Timeout", status=504))
    activity(called("left", outcome="cancelled"))
    clock.now += 3
    failures = activity.told()["failures"]
    assert [each["tool"] for each in failures] == [f"tool{number}" for number in range(RECENT + 4, 4, -1)]
    assert (failures[0]["seconds_ago"], failures[0]["error"], failures[0]["status"]) == (3, "Timeout", 504)


def test_a_call_that_its_client_gave_up_is_a_call_and_no_failure():
    activity = Activity()
    activity(called(outcome="cancelled"))
    told = activity.told()
    assert [(tool["calls"], tool["errors"]) for tool in told["tools"]] == [(1, 0)]
    assert [(second["calls"], second["errors"]) for second in told["series"]] == [(1, 0)]


def test_messages_that_called_no_tool_are_no_calls():
    activity = Activity()
    activity(record(method="tools/list"))
    told = activity.told()
    assert (told["tools"], told["series"], told["failures"]) == ([], [], [])


def test_names_that_reloads_bring_do_not_grow_it_for_ever():
    activity = Activity()
    for number in range(TOOLS + 10):
        activity(called(f"tool{number}"))
    assert len(activity.told()["tools"]) == TOOLS
    tracemalloc.start()
    for number in range(TOOLS, 2 * TOOLS):
        activity(called(f"tool{number}"))
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 100_000
