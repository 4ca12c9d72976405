"""``doctor`` on a whole deployment: each fault that is planted in it is the only thing found, and its cure is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from ahead import ahead
from authorization_server import authorization_server
from doctored import Fault, Tasks, examined, tasks

KEEPS = "proxy_ignore_headers X-Accel-Buffering; gzip on; gzip_types text/event-stream; gzip_proxied any;"
RENAMES = "proxy_set_header Host mcp.example.com;"


class Planted(NamedTuple):
    """``check`` finds the fault; ``cure`` are words of what is to be done."""

    fault: Fault
    check: str
    cure: str


FAULTS = {
    "buffering proxy": Planted(Fault(proxy={"buffering": "on", "location": KEEPS}), "sse", "proxy_buffering off"),
    "idle cut": Planted(
        Fault(proxy={"location": "proxy_read_timeout 2s;"}, argv=("--idle", "4")), "idle", "idle timeouts"
    ),
    "path prefix": Planted(Fault(path="/team"), "sse", "set PUBLIC_PATH_PREFIX=/team"),
    "wrong Host list": Planted(Fault(proxy={"location": RENAMES}), "hosts", "add the host to ALLOWED_HOSTS"),
    "expired certificate": Planted(Fault(expired=True), "tls", "renew it"),
    "wrong audience": Planted(Fault(audience="https://other.example.com"), "auth", "get a token whose audience"),
    "API down": Planted(Fault(is_down=True), "api", "start the API, or correct API_BASE_URL"),
    "key refused": Planted(Fault(tasks={"AUTH_API_KEY": "wrong-0123456789"}), "api", "correct the AUTH_ settings"),
    "list over 128 tools": Planted(Fault(tools=129), "list", "set TOOL_MODE=search"),
    "two tasks without a key": Planted(
        Fault(tasks={"SESSION_KEY": ""}), "sse", "set the same SESSION_KEY for every task"
    ),
    "clock 10 minutes off": Planted(Fault(clock=-600), "clock", "synchronize both (NTP)"),
    "Prometheus port closed": Planted(Fault(tasks={"ENABLE_PROMETHEUS": "false"}), "metrics", "ENABLE_PROMETHEUS=true"),
}
"""The idle cut is one of 30 s in small."""


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tasks]:
    with authorization_server() as issuer, tasks(tmp_path_factory.mktemp("sound"), issuer) as running:
        yield running


@pytest.fixture(scope="module")
def found(
    sound: Tasks, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[Planted], tuple[int, list[dict[str, str]]]]]:
    def examine(planted: Planted) -> tuple[int, list[dict[str, str]]]:
        folder = tmp_path_factory.mktemp("planted")
        if planted.fault.is_in_front:
            return examined(folder, sound, planted.fault)
        with tasks(folder, sound.issuer, planted.fault) as behind:
            return examined(folder, behind, planted.fault)

    with ahead(request, "planted", examine) as done:
        yield done


@pytest.mark.parametrize("planted", FAULTS.values(), ids=FAULTS)
def test_a_planted_fault_is_the_only_finding_and_its_cure_is_named(found, planted: Planted) -> None:
    code, findings = found(planted)
    assert [each["check"] for each in findings] == [planted.check]
    assert (code, planted.cure in findings[0]["cure"]) == (1, True), findings


def test_a_sound_deployment_is_left_alone(sound: Tasks, tmp_path: Path) -> None:
    assert examined(tmp_path, sound) == (0, [])
