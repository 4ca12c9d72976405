"""Prometheus's files by themselves: promtool takes them, every alert has its test, and what they name is measured."""

from __future__ import annotations

import re
import shutil
from typing import get_args

import pytest
import yaml

from metric_families import FAMILIES
from openapi_mcp_server.bridge.results.result import CallError
from processes import CHECKOUT
from prometheus import FOLDER, promtool

RULES = FOLDER / "alerts.yml"
ALERTS = [rule["alert"] for rule in yaml.safe_load(RULES.read_text("utf-8"))["groups"][0]["rules"]]
DASHBOARD = CHECKOUT / "deploy" / "grafana" / "dashboards" / "openapi-mcp-server.json"
MONITORING = (CHECKOUT / "docs" / "monitoring.md").read_text("utf-8")


def test_promtool_takes_the_configuration():
    code, said = promtool("check", "config", FOLDER / "prometheus.yml")
    assert code == 0, said


def test_promtool_takes_the_configuration_with_amazons_service(tmp_path):
    folder = tmp_path / "etc"
    shutil.copytree(FOLDER, folder)
    config = folder / "prometheus.yml"
    text = re.sub(r"^#(?! \S)", "", config.read_text("utf-8"), flags=re.MULTILINE)
    config.write_text(text, "utf-8")
    code, said = promtool("check", "config", config)
    assert code == 0, said
    (writer,) = yaml.safe_load(text)["remote_write"]
    assert (writer["sigv4"], writer["queue_config"]["max_shards"]) == ({"region": "us-east-1"}, 10)
    assert "send_exemplars" not in writer


def test_the_rules_do_what_their_tests_say():
    code, said = promtool("test", "rules", FOLDER / "alerts_test.yml")
    assert code == 0, said


def test_every_alert_has_a_test_that_fails_without_it(tmp_path):
    folder = tmp_path / "etc"
    shutil.copytree(FOLDER, folder)
    nothing = {"groups": [{"name": "none", "rules": [{"record": "one", "expr": "1"}]}]}
    (folder / "alerts.yml").write_text(yaml.safe_dump(nothing), "utf-8")
    code, said = promtool("test", "rules", folder / "alerts_test.yml")
    assert code == 1
    assert set(re.findall(r"alertname: (\w+)", said)) == set(ALERTS)


@pytest.mark.parametrize("file", [RULES, FOLDER / "alerts_test.yml", DASHBOARD], ids=lambda file: file.name)
def test_what_is_asked_for_is_measured(file):
    named = set(re.findall(r"\b(?:mcp_server|openapi_mcp)_\w+", file.read_text("utf-8")))
    measured = {family.name for family in FAMILIES}
    assert {re.sub(r"_(bucket|count|sum)$", "", name) for name in named} <= measured


def test_everything_that_is_measured_is_on_the_dashboard():
    text = DASHBOARD.read_text("utf-8")
    assert [family.name for family in FAMILIES if family.name not in text] == []


def test_the_page_about_monitoring_names_every_kind_of_error_that_a_call_can_end_with():
    table = MONITORING.partition("| `error_type` of a tool's errors | |")[2].partition("\n\n")[0]
    told = {name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    assert told == {kind.__name__ for kind in get_args(CallError)} | {"3xx", "4xx", "5xx"}


def test_the_page_about_monitoring_has_the_table_and_every_alert():
    rows = [
        f"| `{family.name}` | {family.kind} | {', '.join(f'`{label}`' for label in family.labels)} | {family.help} |"
        for family in FAMILIES
    ]
    missing = [row for row in rows if row not in MONITORING.splitlines()]
    assert missing == []
    assert [alert for alert in ALERTS if f"`{alert}`" not in MONITORING] == []
    assert set(re.findall(r"`(Mcp\w+)`", MONITORING)) == set(ALERTS)


def test_the_guide_names_every_error_of_a_call():
    table = MONITORING.partition("`error_type` of a tool's errors")[2].partition("\n\n")[0]
    assert [kind.__name__ for kind in get_args(CallError) if f"`{kind.__name__}`" not in table] == []
