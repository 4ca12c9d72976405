"""Streams on which nothing happens, behind the real nginx that gives a silent worker up.

In the suite nginx waits for 18 s, while the other tests of this folder run (conftest); `scripts/soak_idle` runs the
same for minutes.
"""

from __future__ import annotations

from concurrent.futures import Future

import msgspec
import pytest

from idle import IDLE_SECONDS, PROXY_SECONDS
from openapi_mcp_server.server.events import QUIET_SECONDS


@pytest.fixture(scope="module")
def came(idling: Future[dict[str, bytes]]) -> dict[str, bytes]:
    return idling.result()


@pytest.mark.parametrize(("name", "first"), [("session", b"event: endpoint\n"), ("subscription", b"event: message\n")])
def test_an_idle_stream_begins_at_once_and_outlives_the_patience_of_the_proxy(came, name, first):
    assert came[name].startswith(first)
    assert came[name].count(b"\n: ") == IDLE_SECONDS // QUIET_SECONDS  # comments, and nothing else
    assert came[name].count(b"event: ") == 1


def test_a_silent_call_becomes_a_stream_that_outlives_the_patience_of_the_proxy(came):
    kind, _, body = came["call"].partition(b"\n")
    assert kind == b"text/event-stream"
    assert body.count(b": the call is still running\n\n") == IDLE_SECONDS // QUIET_SECONDS
    assert body.endswith(b"\n\n")
    assert b'"text":"done"' in body


def test_a_client_that_takes_only_json_gets_it_however_long_it_takes(came):
    kind, _, body = came["call for JSON, direct"].partition(b"\n")
    assert kind == b"application/json"
    assert msgspec.json.decode(body)["result"]["content"][0]["text"] == "done"


def test_a_client_that_takes_only_json_is_told_by_the_proxy_that_gives_up(came):
    """This is what the comments are for."""
    assert IDLE_SECONDS > PROXY_SECONDS > QUIET_SECONDS
    assert b"did not answer in time" in came["call for JSON"]
