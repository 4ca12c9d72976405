"""Which traces are recorded: by their ids, and by X-Ray's rules on a clock and with chances that a test sets."""

from __future__ import annotations

import re
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased

from growth import is_linear
from openapi_mcp_server.mcp.inbound import Call
from openapi_mcp_server.observe.trace import NO_CARRIER, Carrier
from openapi_mcp_server.observe.traces.sampling import (
    RULES_EXPIRE_SECONDS,
    SamplingRule,
    Statistics,
    Target,
    XRayRules,
    _fits,
    part,
)

CALL = Call(id=1, method="tools/call", version="2025-11-25", size=9, name="get_pet")
HTTP = Carrier(host="mcp.example.com:8000", path="/mcp")
START = 1_800_000_000.0


class World:
    """``now`` in seconds; ``luck`` is what the next chances are, 1 for never."""

    def __init__(self, *rules: SamplingRule, service_type: str = "") -> None:
        self.now, self.luck = START, 1.0
        self.rules = XRayRules("pets", service_type, clock=lambda: self.now, chance=lambda: self.luck)
        if rules:
            self.rules.load(rules)

    def sampled(self, calls: int = 1, call: Call = CALL, carrier: Carrier = HTTP) -> int:
        return sum(self.rules(0, call, carrier) for _ in range(calls))


def rule(name: str = "Default", **changes: Any) -> SamplingRule:
    return SamplingRule(**{"rule_name": name, "priority": 10_000, "fixed_rate": 0.0, "reservoir_size": 0, **changes})


@given(st.integers(0, 2**128 - 1), st.floats(0, 1))
def test_a_part_is_the_part_that_opentelemetrys_own_sampler_takes(trace_id: int, ratio: float) -> None:
    theirs = TraceIdRatioBased(ratio).should_sample(None, trace_id, "").decision.is_sampled()
    assert part(ratio)(trace_id, CALL, HTTP) is theirs


def test_without_rules_one_a_second_and_5_percent_are_recorded() -> None:
    world = World()
    assert [world.sampled(10), world.sampled(10)] == [1, 0]
    world.luck = 0.049
    assert world.sampled() == 1
    world.luck = 0.05
    assert world.sampled() == 0
    world.now += 1
    assert world.sampled(10) == 1


@pytest.mark.parametrize(("age", "recorded"), [(RULES_EXPIRE_SECONDS - 1, 10), (RULES_EXPIRE_SECONDS, 1)])
def test_rules_that_could_not_be_had_again_for_an_hour_do_not_hold_any_more(age: float, recorded: int) -> None:
    world = World(rule(fixed_rate=1.1))
    world.now += age
    assert world.sampled(10) == recorded


@pytest.mark.parametrize(
    ("changes", "fits"),
    [
        ({}, True),
        ({"service_name": "pets"}, True),
        ({"service_name": "PE?s"}, True),
        ({"service_name": "shop"}, False),
        ({"service_type": "AWS::ECS::*"}, True),
        ({"service_type": "AWS::EC2::Instance"}, False),
        ({"host": "*.example.com"}, True),
        ({"host": "example.com"}, False),
        ({"http_method": "POST"}, True),
        ({"http_method": "GET"}, False),
        ({"url_path": "/m?p"}, True),
        ({"url_path": "/m*"}, True),
        ({"url_path": "/messages/*"}, False),
        ({"url_path": "/mc."}, False),
        ({"attributes": {"gen_ai.tool.name": "get_*"}}, True),
        ({"attributes": {"gen_ai.tool.name": "get_*", "mcp.method.name": "tools/list"}}, False),
        ({"attributes": {"other": "x"}}, False),
        ({"attributes": {"other": "*"}}, True),
        ({"resource_arn": "arn:aws:x"}, False),
        ({"version": 2}, False),
    ],
)
def test_a_rule_concerns_what_its_patterns_fit(changes: dict[str, Any], fits: bool) -> None:
    every = {"priority": 1, "fixed_rate": 1.1}
    world = World(rule("mine", **every, **changes), rule(), service_type="AWS::ECS::Container")
    assert world.sampled() == fits


@pytest.mark.parametrize("host", ["[::1]", "[::1]:8000"])
def test_the_port_is_no_part_of_a_host(host: str) -> None:
    world = World(rule("mine", priority=1, fixed_rate=1.1, host="[::1]"), rule())
    assert world.sampled(carrier=Carrier(host=host, path="/mcp")) == 1


def test_over_stdio_there_is_no_host_no_path_and_no_http() -> None:
    world = World(rule("http", priority=1, http_method="POST"), rule(fixed_rate=1.1))
    assert world.sampled(carrier=NO_CARRIER) == 1


def test_the_rule_with_the_least_priority_holds_then_the_first_by_name() -> None:
    world = World(rule("c", priority=5), rule("b", priority=5, fixed_rate=1.1), rule("d", priority=9, fixed_rate=0))
    assert world.sampled() == 1
    assert [one.rule_name for one in world.rules.report()] == ["b"]


def test_a_rule_with_a_reservoir_borrows_one_a_second_until_it_has_a_quota() -> None:
    world = World(rule(reservoir_size=50))
    assert world.sampled(10) == 1
    world.rules.aim([target(reservoir_quota=3)])
    world.now += 1
    assert world.sampled(10) == 3
    world.now += 100
    assert world.sampled(10) == 1  # the quota has expired
    assert world.rules.report() == [counted(30, sampled=3, borrowed=2)]


def test_a_quota_of_none_takes_the_reservoir_away() -> None:
    world = World(rule(reservoir_size=50))
    world.rules.aim([target(reservoir_quota=0)])
    assert world.sampled(10) == 0


def test_the_rate_of_a_target_takes_the_place_of_the_rules() -> None:
    world = World(rule(fixed_rate=0.1))
    world.luck = 0.4
    assert world.sampled() == 0
    world.rules.aim([target(fixed_rate=0.5), target(name="unknown", fixed_rate=1.1)])
    assert world.sampled() == 1


def test_what_is_reported_is_counted_anew_and_again_only_when_it_is_due() -> None:
    world = World(rule(fixed_rate=1.1))
    world.sampled(3)
    assert world.rules.report() == [counted(3, sampled=3)]
    assert world.rules.report() == []
    world.sampled(2)
    assert world.rules.report() == []
    world.now += 10
    assert world.rules.report() == [counted(2, sampled=2)]
    world.rules.aim([target(interval=60)])
    world.sampled()
    world.now += 10
    world.rules.report()
    world.sampled()
    world.now += 59
    assert world.rules.report() == []
    world.now += 1
    assert world.rules.report() == [counted(1, sampled=1)]


def test_a_rule_that_is_loaded_again_keeps_its_counts_one_that_has_changed_does_not() -> None:
    world = World(rule("a", priority=1, host="x"), rule(fixed_rate=1.1))
    world.sampled(3)
    world.rules.load([rule("a", priority=1, host="y"), rule(fixed_rate=1.1)])
    assert world.rules.report() == [counted(3, sampled=3)]
    world.sampled(3)
    world.rules.load([rule(fixed_rate=1.2)])
    assert world.rules.report() == []


def target(name: str = "Default", **changes: Any) -> Target:
    return Target(rule_name=name, **{"reservoir_quota_ttl": START + 50, **changes})


def test_a_name_of_4_mib_costs_no_more_than_a_long_one() -> None:
    world = World(rule(attributes={"gen_ai.tool.name": "*a*b"}))
    began = time.process_time()
    world.sampled(call=msgspec.structs.replace(CALL, name="a" * 4_000_000))
    assert time.process_time() - began < 0.1


def counted(requests: int, sampled: int = 0, borrowed: int = 0) -> Statistics:
    return Statistics(rule_name="Default", request_count=requests, sampled_count=sampled, borrow_count=borrowed)


@given(st.text("ab*?.", max_size=8), st.text("aAb.\n", max_size=12))
def test_wildcards_mean_what_they_mean_as_a_regular_expression(pattern: str, text: str) -> None:
    wild = "".join({"*": ".*", "?": "."}.get(letter) or re.escape(letter) for letter in pattern)
    assert _fits(pattern, text) is bool(re.fullmatch(wild, text, re.IGNORECASE | re.DOTALL))


@pytest.mark.parametrize("pattern", ["*a*a*a*a*b", "*-*-*-*.example.com", "*" * 50 + "b", "*a?" * 20 + "b"])
def test_wildcards_take_linear_time(pattern: str) -> None:
    assert is_linear(lambda text: _fits(pattern, text), lambda length: "a-" * length)
