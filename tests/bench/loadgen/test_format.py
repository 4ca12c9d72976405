"""What programs read: the names of `--json` are those of its format, and stay as long as its number does."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from loadgen import result
from reported import RESULT

LATENCY = "p50 p90 p99 p99.9 max mean"
FORMAT_1 = {
    "": "format started target transport revision server load elapsed_seconds calls calls_per_second error_count "
    "errors integrity latency service histogram tools intervals idle generator left_out notes server_metrics verdicts",
    "load": "clients at_once rate seconds calls ramp_seconds think_seconds idle processes timeout_seconds",
    "errors": "kind count example",
    "integrity": "checked lost mixed_up doubled unnumbered late",
    "latency": LATENCY,
    "service": LATENCY,
    "tools": "tool calls errors checked latency",
    "intervals": "second length calls errors in_flight latency",
    "idle": "wanted opened open_at_end problem",
    "generator": "processes cpu_seconds busiest_share us_per_call late_ms waited",
    "left_out": "tool why",
    "server_metrics": "second values",
    "verdicts": "expectation actual is_met unit is_measured",
}
"""The names of each part, by the name of the part itself; another name needs another number."""


def parts(encoded: bytes) -> Iterator[tuple[str, str]]:
    whole = msgspec.json.decode(encoded)
    yield "", " ".join(whole)
    for name, value in whole.items():
        one = value[0] if isinstance(value, list) and value else value
        if isinstance(one, dict):
            yield name, " ".join(one)


def test_the_names_of_a_result_are_those_of_its_format():
    assert result.FORMAT == 1
    assert dict(parts(result.encode(RESULT))) == FORMAT_1


def test_a_result_is_the_same_after_it_was_written_and_read():
    assert result.read("a.json", result.encode(RESULT)) == RESULT


def test_fields_that_a_later_version_adds_do_not_keep_a_result_from_being_read():
    more = msgspec.json.encode({**msgspec.json.decode(result.encode(RESULT)), "more": 1})
    assert result.read("a.json", more) == RESULT
