"""``doctor`` on a whole deployment: each fault that is planted in it is the only thing found, and its cure is named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from authorization_server import authorization_server
from doctored import Fault, Tasks, examined, tasks

KEEPS = "proxy_ignore_headers X-Accel-Buffering; gzip on; gzip_types text/event-stream; gzip_proxied any;"
RENAMES = "proxy_set_header Host mcp.example.com;"
FAULTS = [
    ("buffering proxy", Fault(proxy={"buffering": "on", "location": KEEPS}), "sse", "proxy_buffering off"),
    ("idle cut", Fault(proxy={"location": "proxy_read_timeout 2s;"}, argv=("--idle", "4")), "idle", "idle timeouts"),
    ("path prefix", Fault(path="/team"), "sse", "set PUBLIC_PATH_PREFIX=/team"),
    ("wrong Host list", Fault(proxy={"location": RENAMES}), "hosts", "add the host to ALLOWED_HOSTS"),
    ("expired certificate", Fault(expired=True), "tls", "renew it"),
    ("wrong audience", Fault(audience="https://other.example.com"), "auth", "get a token whose audience"),
    ("API down", Fault(is_down=True), "api", "start the API, or correct API_BASE_URL"),
    ("key refused", Fault(tasks={"AUTH_API_KEY": "wrong-0123456789"}), "api", "correct the AUTH_ settings"),
    ("list over 128 tools", Fault(tools=129), "list", "set TOOL_MODE=search"),
    ("two tasks without a key", Fault(tasks={"SESSION_KEY": ""}), "sse", "set the same SESSION_KEY for every task"),
    ("clock 10 minutes off", Fault(clock=-600), "clock", "synchronize both (NTP)"),
    ("Prometheus port closed", Fault(tasks={"ENABLE_PROMETHEUS": "false"}), "metrics", "ENABLE_PROMETHEUS=true"),
]
"""(name, fault, check that finds it, words of what is to be done). The idle cut is one of 30 s in small."""


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tasks]:
    with authorization_server() as issuer, tasks(tmp_path_factory.mktemp("sound"), issuer) as running:
        yield running


@pytest.mark.parametrize(("name", "fault", "check", "cure"), FAULTS, ids=[name for name, *_ in FAULTS])
def test_a_planted_fault_is_the_only_finding_and_its_cure_is_named(
    sound: Tasks, tmp_path: Path, name: str, fault: Fault, check: str, cure: str
) -> None:
    del name
    if fault.is_in_front:
        code, findings = examined(tmp_path, sound, fault)
    else:
        with tasks(tmp_path, sound.issuer, fault) as behind:
            code, findings = examined(tmp_path, behind, fault)
    assert [found["check"] for found in findings] == [check]
    assert (code, cure in findings[0]["cure"]) == (1, True), findings


def test_a_sound_deployment_is_left_alone(sound: Tasks, tmp_path: Path) -> None:
    assert examined(tmp_path, sound) == (0, [])
