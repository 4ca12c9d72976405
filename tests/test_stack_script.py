"""What ``scripts/stack-test`` takes for a good trace, and what it does where there is no Docker."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

import trial
from processes import CHECKOUT, environment

TRACE = trial.Trace(id="1-5759e988-bd862e3fe1be46a994272793", parent="53995c3f42cd8ad8")
CALL = {"id": "a" * 16, "name": "tools/call getPet", "trace_id": TRACE.id, "parent_id": TRACE.parent, "end_time": 2}
REQUEST = {"id": "b" * 16, "name": "demo", "namespace": "remote", "end_time": 2}


def logged(folder: Path, *documents: dict[str, Any], end: str = "") -> Path:
    log = folder / "xray.log"
    lines = [b"Starting proxy http server", *(b"segment " + msgspec.json.encode(one) for one in documents)]
    log.write_bytes(b"\n".join(lines) + b"\n" + end.encode())
    return log


@pytest.mark.parametrize(
    "documents",
    [
        [{**CALL, "subsegments": [REQUEST]}],
        [CALL, {**REQUEST, "trace_id": TRACE.id, "parent_id": CALL["id"], "type": "subsegment"}],
    ],
    ids=["within", "on its own"],
)
def test_a_call_below_its_caller_and_above_its_request_is_traced(tmp_path, documents):
    assert trial.is_traced(logged(tmp_path, *documents), TRACE)


@pytest.mark.parametrize(
    "documents",
    [
        [],
        [CALL],
        [{**CALL, "parent_id": "c" * 16, "subsegments": [REQUEST]}],
        [{**CALL, "trace_id": "1-5759e988-000000000000000000000000", "subsegments": [REQUEST]}],
        [CALL, {**REQUEST, "trace_id": TRACE.id, "parent_id": "c" * 16}],
        [{**{key: value for key, value in CALL.items() if key != "end_time"}, "subsegments": [REQUEST]}],
    ],
    ids=["none", "no request", "another parent", "another trace", "a request elsewhere", "not ended"],
)
def test_anything_else_is_not(tmp_path, documents):
    assert not trial.is_traced(logged(tmp_path, *documents), TRACE)


def test_a_refused_document_fails_the_trial_with_the_daemons_reason(tmp_path):
    with pytest.raises(trial.Failed, match="rejected: bad trace_id"):
        trial.segments(logged(tmp_path, CALL, end="rejected: bad trace_id\n"))


def test_without_docker_the_script_passes_and_says_what_is_missing():
    done = subprocess.run(
        [CHECKOUT / "scripts" / "stack-test"],
        env=environment(DOCKER_HOST="unix:///nowhere/docker.sock", OPENAPI_MCP_VENV=sys.prefix),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("stack-test: skipped: ")
