"""The daemon is asked for its rules and told what became of them; what it answers, late or never, is lived with."""

from __future__ import annotations

import logging
import re
import socket
import threading
from typing import Any

import msgspec
import pytest

from openapi_mcp_server.observe.trace import NO_CARRIER
from openapi_mcp_server.observe.traces.sampling import XRayRules
from openapi_mcp_server.observe.traces.xray_rules import RulePoller
from openapi_mcp_server.settings.tracing import DaemonAddress
from traced import call, settings
from xray_daemon import DEFAULT_RULE, Daemon, daemon


def polled(running: Daemon) -> tuple[XRayRules, RulePoller]:
    rules = XRayRules("pets", "")
    return rules, RulePoller(rules, settings(AWS_XRAY_DAEMON_ADDRESS=running.address).daemon_tcp)


def sampled(rules: XRayRules, count: int) -> int:
    return sum(rules(0, call(), NO_CARRIER) for _ in range(count))


def test_the_daemons_rules_hold_once_they_are_had() -> None:
    with daemon() as running:
        running.rules = [{**DEFAULT_RULE, "FixedRate": 0.0, "ReservoirSize": 0}]
        rules, poller = polled(running)
        poller.poll()
        assert sampled(rules, 10) == 0
        assert running.asked == [("/GetSamplingRules", {})]


def test_rules_that_are_fresh_are_not_asked_for_again() -> None:
    with daemon() as running:
        _, poller = polled(running)
        poller.poll()
        poller.poll()
        assert len(running.asked) == 1


def test_what_became_of_a_rule_is_reported_and_its_target_holds() -> None:
    with daemon() as running:
        running.targets = [
            {"RuleName": "Default", "FixedRate": 0.0, "ReservoirQuota": 0, "ReservoirQuotaTTL": 4e9, "Interval": 10}
        ]
        rules, poller = polled(running)
        poller.poll()
        assert sampled(rules, 10) == 10
        poller.poll()
        path, content = running.asked[-1]
        [document] = content["SamplingStatisticsDocuments"]
        assert path == "/SamplingTargets"
        assert (document["RuleName"], document["RequestCount"]) == ("Default", 10)
        assert document["SampledCount"] + document["BorrowCount"] == 10
        assert sampled(rules, 10) == 0


def test_rules_that_were_changed_since_are_asked_for_at_once() -> None:
    with daemon() as running:
        rules, poller = polled(running)
        poller.poll()
        sampled(rules, 1)
        running.changed = 4e9
        poller.poll()
        assert [path for path, _ in running.asked] == ["/GetSamplingRules", "/SamplingTargets", "/GetSamplingRules"]


def test_rules_come_in_pages() -> None:
    class Paged(Daemon):
        def answer(self, path: str, content: Any) -> Any:
            name = content.get("NextToken", "first")
            page = {"SamplingRuleRecords": [{"SamplingRule": {**DEFAULT_RULE, "RuleName": name, "FixedRate": 0.0}}]}
            return page if name == "second" else {**page, "NextToken": "second"}

    with daemon() as running:
        running.__class__ = Paged
        rules, poller = polled(running)
        poller.poll()
        sampled(rules, 1)
        assert [one.rule_name for one in rules.report()] == ["first"]


@pytest.mark.parametrize(
    "fault", ["closed port", "status 500", "nonsense", "depth", "no address", "no name", "silence"]
)
def test_a_daemon_that_does_not_answer_is_said_once_and_the_fallback_holds(
    fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    with daemon() as running, socket.create_server(("127.0.0.1", 0)) as silent:
        rules, poller = polled(running)
        match fault:
            case "closed port":
                with socket.create_server(("127.0.0.1", 0)) as closed:
                    port = closed.getsockname()[1]
                poller = RulePoller(rules, DaemonAddress("127.0.0.1", port))
            case "status 500":
                running.status = 500
            case "nonsense":
                running.rules = [{"RuleName": 5}]
            case "depth":
                running.rules = [{**DEFAULT_RULE, "More": msgspec.Raw(b"[" * 3_000 + b"]" * 3_000)}]
            case "no address":
                poller = RulePoller(rules, DaemonAddress("no-such-daemon.invalid", 2000))
            case "no name":
                poller = RulePoller(rules, DaemonAddress("a..b", 2000))
            case "silence":
                poller = RulePoller(rules, DaemonAddress("127.0.0.1", silent.getsockname()[1]), answer_seconds=0.05)
        with caplog.at_level(logging.INFO, "openapi_mcp_server"):
            poller.poll()
            poller.poll()
        [line] = caplog.records
        assert re.match("X-Ray's sampling rules cannot be had; the first call of each second and 5 %", line.message)
        assert line.reason
        assert 1 <= sampled(rules, 5) <= 5


def test_a_daemon_that_answers_again_is_said_too(caplog: pytest.LogCaptureFixture) -> None:
    with daemon() as running:
        running.status = 503
        _, poller = polled(running)
        with caplog.at_level(logging.INFO, "openapi_mcp_server"):
            poller.poll()
            running.status = 200
            poller.poll()
            running.status = 503
        assert [line.levelname for line in caplog.records] == ["WARNING", "INFO"]


def test_the_thread_asks_at_once_and_ends_when_it_is_told() -> None:
    with daemon() as running:
        answered = threading.Event()

        class Telling(Daemon):
            def answer(self, path: str, content: Any) -> Any:
                answered.set()
                return super().answer(path, content)

        running.__class__ = Telling
        _, poller = polled(running)
        poller.start()
        assert answered.wait(10)
        [thread] = [one for one in threading.enumerate() if one.name == "sampling rules"]
        poller.stop()
        thread.join(10)
        assert not thread.is_alive()
